/* hold.h - hold a call through an outage of what it asks: wait with back-off, say so once, give up in time.
 *
 * The outage is shared by all calls to one thing: its length counts from the first of them that failed, so that
 * many waiting lines are given up together, not one --give-up after the other. Thread-safe. */
#ifndef RECAGENT_CMD_HOLD_H
#define RECAGENT_CMD_HOLD_H

#include "cmd/cmd.h"
#include <stdatomic.h>

struct outage {                   /* one for each thing that is asked; zero but for what */
	const char *what;         /* a short constant text */
	_Atomic int64_t since_ms; /* monotonic; 0: the latest call succeeded */
	_Atomic unsigned holding; /* calls that wait for its end */
	atomic_bool said;         /* that it has begun, and not yet that it is over */
};

struct hold { /* one call; zero but for outage */
	struct outage *outage;
	int64_t since_ms;
	unsigned tries;
};

/* After a failure: true when the caller should try again (after a wait), false when e is final, the outage has lasted
 * --give-up (from_group: no limit), or --grace has passed since a signal. A line of a group for which it is false is not dealt
 * with, and nothing may be written for it. When the command is to end since its reader has gone, e becomes ERR_PIPE. */
bool hold_on(const struct ctx *c, struct hold *h, bool from_group, struct err *e);

/* After each success: the outage is over. */
void hold_over(struct hold *h);

#endif
