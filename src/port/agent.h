/* agent.h - the contract of a model behind an agent: one prompt in, one text out.
 * Thread-safe: many questions at once. */
#ifndef RECAGENT_PORT_AGENT_H
#define RECAGENT_PORT_AGENT_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

struct agent_question {
	const char *key; /* whose question; the embedded agent looks at its profile and events */
	/* For the embedded agent: KEY's member name and the table of the profiles; NULL: user_id, user-profiles. */
	const char *key_name, *profiles;
	const char *session; /* legal session id */
	const char *prompt;
	size_t prompt_len;
	size_t count;       /* items asked for */
	int64_t timeout_ms; /* total, 0 = none */
};

struct agent_ops;
struct agent { /* adapters embed this first */
	const struct agent_ops *ops;
	char name[256];
};
struct agent_ops {
	int (*ask)(struct agent *a, const struct agent_question *q, struct buf *answer, struct err *e);
	void (*close)(struct agent *a);
};

/* The whole answer, joined as bytes. An exception inside the stream is an error with its name as code;
 * throttles and passing faults are ERR_UNAVAILABLE (a 409 ConflictException too). */
int agent_ask(struct agent *a, const struct agent_question *q, struct buf *answer, struct err *e);
void agent_close(struct agent *a);

#endif
