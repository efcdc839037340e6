/* replay.h - what replay's sources, an archive and a stream, have in common. Belongs to one thread. */
#ifndef RECAGENT_CMD_REPLAY_H
#define RECAGENT_CMD_REPLAY_H

#include "cmd/cmd.h"
#include "flow/selection.h"

struct replay_opts {
	struct when since, until;
	const char *speed, *key_is, *type, *after;
	uint64_t max_record;
	int64_t give_up_ms;
	bool dead_letters;
};

struct replay {
	struct ctx *c;
	const struct replay_opts *o;
	struct selection selection;
	struct pace pace;
};

/* Is the event wanted, and has its turn come? 1 yes, 0 no, -1 with e; e untouched: a signal came first. */
int replay_turn(struct replay *r, const char *p, size_t n, struct err *e);
/* Write a line and count it. 0 go on, 1 end, -1 with e. */
int replay_line(struct replay *r, const struct buf *line, struct err *e);

/* All of an archive (replay_archive.c). 0 at the end, 1 when it was ended before, -1 with e. */
int replay_archive(struct replay *r, const char *name, struct err *e);

#endif
