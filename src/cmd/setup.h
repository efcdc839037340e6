/* setup.h - what the two files of the command setup share. */
#ifndef RECAGENT_CMD_SETUP_H
#define RECAGENT_CMD_SETUP_H

#include "cmd/cmd.h"

struct setup_reshard { /* --reshard, --split, --at, --merge: what was not given is 0 or NULL */
	uint64_t count;
	const char *split, *at, *merge;
	bool dry_run;
	int64_t wait_ms;
};

/* One thing's line on standard output: "KIND NAME: WHAT". */
int setup_say(struct ctx *c, const char *kind, const char *name, const char *what, struct err *e);

/* ERR_USAGE when they do not go together. */
int setup_reshard_check(const struct setup_reshard *r, struct err *e);
/* Asks, waits until the stream is active again, says what has become of it. */
int setup_reshard_run(struct ctx *c, struct stream *s, const struct setup_reshard *r, struct err *e);

#endif
