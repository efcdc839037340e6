/* reposition.h - move the positions of a group: of one shard, or of all, so that nothing is passed over by mistake.
 *
 * Each write is conditional on the row being as it was read, takes the lease away from whoever has it (owner removed, counter
 * one more: its next renewal fails) and marks the row, so that commits of the lines that are still under way somewhere do not
 * move it on. A reset goes from the youngest shards to the oldest: interrupted at any point it leaves a group that skips
 * nothing but what it was asked to skip, and doing it again completes it. Not thread-safe. */
#ifndef RECAGENT_FLOW_REPOSITION_H
#define RECAGENT_FLOW_REPOSITION_H

#include "flow/standing.h"

struct target { /* as a row has it */
	char checkpoint[SEQ_MAX];
	uint64_t sub;
	int64_t time_ms; /* with LATEST and AT_TIMESTAMP */
};
/* trim-horizon, latest, a time up to now_ms, the stream's; with one: end, SEQ or SEQ/SUB, too. ERR_USAGE. */
int target_parse(const char *text, bool one, int64_t now_ms, struct target *out, struct err *e);

struct move {
	const struct standing *h;
	struct lease was; /* the row as it was found; with has_row */
	bool has_row;
	bool remove; /* its row goes, and comes again when its parents have been read */
};
struct moves { /* in the order in which they are to be made; free v */
	struct move *v;
	size_t n;
	struct target to;
};
/* Of one shard. ERR_USAGE when the position is not one of this shard, or its parents have not been begun. */
int moves_one(const struct standing_conf *c, const struct standings *s, const char *shard_id,
	const struct target *to, struct moves *out, struct err *e);
/* Of all: the group as if it began there. */
void moves_all(const struct standings *s, const struct target *to, struct moves *out);
/* ERR_LEASE_LOST when somebody who renews holds one of them. */
int moves_check_idle(const struct moves *m, struct err *e);
/* Make one. Without force, ERR_LEASE_LOST when a worker comes in between. */
int move_make(const struct standing_conf *c, const struct standings *s, struct move *m,
	const struct target *to, bool force, struct err *e);

#endif
