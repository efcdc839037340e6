/* committer.h - commit positions in the background, and at the end: what ack and consume --commit auto have in common.
 *
 * A round comes each interval_ms, on a thread of its own. An outage is held and said once, a lost lease said; anything else is
 * fatal: the input is left. */
#ifndef RECAGENT_CMD_COMMITTER_H
#define RECAGENT_CMD_COMMITTER_H

#include "cmd/cmd.h"
#include "flow/commits.h"
#include <pthread.h>

struct committer {
	struct ctx *c;
	struct commits *commits;
	int (*ready)(void *arg, struct err *e); /* before each round, or NULL; an error is fatal */
	void *arg;
	struct ticker *ticker;
	pthread_mutex_t mu; /* guards fatal: set by the ticker */
	struct err fatal;
};
void committer_start(struct committer *k, struct ctx *c, int64_t interval_ms);
bool committer_is_fatal(struct committer *k, struct err *e);
/* Stops the rounds. */
void committer_stop(struct committer *k);
/* Then: again each second until all is written and the leases are given up, at most what is left of --grace. */
int committer_finish(struct committer *k, struct err *e);
/* ERR_LEASE_LOST when lines are left that another worker's lease keeps from being committed. */
int committer_lost(struct committer *k, struct err *e);
void committer_release(struct committer *k);

#endif
