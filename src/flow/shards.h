/* shards.h - follow every shard of a stream: the engine under consume and replay of a stream.
 *
 * A few threads poll all shards; children start when their parents' last lines have been handed on; iterators, throttles and
 * outages are dealt with here. Records of one shard come in order; callbacks never run two at once, and block the
 * reading (backpressure) while their output blocks. */
#ifndef RECAGENT_FLOW_SHARDS_H
#define RECAGENT_FLOW_SHARDS_H

#include "base/clock.h"
#include "flow/leases.h"
#include "port/stream.h"

struct follow_conf {
	struct stream *stream;
	struct table *group;      /* lease table, or NULL */
	const char *owner;        /* worker id, with a group */
	struct when since, until; /* since WHEN_UNSET: the group's position, else trim-horizon */
	bool end_at_tip;          /* -e: stop when every shard has reached the tip seen at start */
	int64_t poll_ms;          /* between reads of a shard at its tip */
	unsigned threads;         /* readers */
	int64_t idle_mark_ms;     /* call on_idle when nothing came for so long */
	int64_t grace_ms;
	/* One record; return 0 to go on, 1 to end cleanly (count reached), -1 with e to fail. */
	int (*on_record)(const char *shard_id, const struct record *r, void *arg, struct err *e);
	int (*on_shard_end)(const char *shard_id, void *arg, struct err *e); /* after its last record */
	int (*on_idle)(void *arg, struct err *e); /* after a batch, and when idle: flush, mark */
	void *arg;
};
/* Runs until the end (tip, until, count, stop signal, error). After a clean end with a group, follow_drain keeps renewing until the
 * checkpoints have caught up with what was handed on, at most grace_ms. */
struct follow;
struct follow *follow_open(const struct follow_conf *c, struct err *e);
int follow_run(struct follow *f, struct err *e);
void follow_drain(struct follow *f); /* no-op without a group */
void follow_close(struct follow *f);

#endif
