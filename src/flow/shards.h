/* shards.h - follow every shard of a stream: the engine under consume and replay of a stream.
 *
 * A few threads poll all shards; children start when their parents' last lines have been handed on; iterators, throttles and
 * outages are dealt with here. Records of one shard come in order; callbacks never run two at once, and block the
 * reading (backpressure) while their output blocks. A record is (sequence, subsequence): those of an aggregate are handed on
 * one by one, and a run goes on inside of an aggregate that it had read in part. With a group, leases are taken when they are
 * nobody's, run out, or their owner is a dead process of this machine; they are renewed on a thread of their own, also while
 * a callback blocks. */
#ifndef RECAGENT_FLOW_SHARDS_H
#define RECAGENT_FLOW_SHARDS_H

#include "base/clock.h"
#include "flow/leases.h"
#include "port/stream.h"

struct follow_conf {
	struct stream *stream;
	struct table *group; /* lease table, or NULL */
	const char *owner;   /* worker id (owner.h), with a group */
	struct when since,
		until; /* since WHEN_UNSET: the group's position, else trim-horizon; until WHEN_LATEST: end_at_tip */
	bool raw;        /* hand on aggregates (rec/aggregate.h) as they are, not the records in them */
	bool end_at_tip; /* -e: stop when every shard has reached the tip seen at start */
	int64_t poll_ms; /* between reads of a shard at its tip; 0: 250 ms, or 50 ms where reads cost nothing */
	unsigned threads;     /* readers */
	int64_t idle_mark_ms; /* call on_idle when nothing came for so long */
	int64_t grace_ms;     /* of follow_drain */
	int64_t give_up_ms; /* an outage of a shard or of the list that lasts longer ends the run; 0: none does */
	int64_t backoff_ms;  /* least pause after a failure; 0: 1 s */
	int64_t failover_ms; /* a lease not renewed for so long has run out; 0: LEASE_FAILOVER_MS */
	size_t max_shards;   /* most leases to hold; 0: no limit */
	/* One record; return 0 to go on, 1 to end cleanly (count reached), -1 with e to fail. shard_id: the same pointer for
	 * every record of a shard. */
	int (*on_record)(const char *shard_id, const struct record *r, void *arg, struct err *e);
	int (*on_shard_end)(const char *shard_id, void *arg, struct err *e); /* after its last record */
	void (*on_tenure)(const char *shard_id, unsigned n,
		void *arg);                        /* what follows is of the n-th lease, n > 1; may be NULL */
	int (*on_flush)(void *arg, struct err *e); /* after a batch */
	int (*on_idle)(void *arg, struct err *e);  /* each idle_mark_ms in which nothing came */
	void *arg;
};
/* Runs until the end (tip, until, count, stop signal, error). ERR_LEASE_LOST: it ended with shards lost to others. After a clean
 * end with a group, follow_drain keeps renewing until the checkpoints have caught up with what was handed on, at most
 * grace_ms. Close gives up the leases that are fully committed, and only those. */
struct follow;
struct follow *follow_open(const struct follow_conf *c, struct err *e);
int follow_run(struct follow *f, struct err *e);
void follow_drain(struct follow *f); /* no-op without a group */
void follow_close(struct follow *f);

#endif
