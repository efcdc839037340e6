/* leases.h - a group's positions as Kinesis Client Library lease rows, in any table.
 *
 * Table name = group; hash key leaseKey = shard id; attributes, sentinels and conditions as KCL 2.x/3.x write them, and some
 * of our own, which the KCL passes over: streamARN on every row (another stream is refused), streamCreated (epoch seconds:
 * positions of a deleted stream mean nothing to a new one of its name), initialTimestamp (epoch ms) beside AT_TIMESTAMP
 * or LATEST, so that `latest` and times mean the same at a later run; renewalTimestamp and checkpointTimestamp (epoch ms of
 * the table's clock), for people and monitors only: expiry is judged by this machine's monotonic clock; positionSetTimestamp
 * since the position was moved by hand (reposition.h) and until the lease is taken; leaseTenure, which time it is that
 * leaseOwner has the lease, where it is not the first. Thread-safe. Source: amazon-kinesis-client, DynamoDBLeaseSerializer
 * and friends. */
#ifndef RECAGENT_FLOW_LEASES_H
#define RECAGENT_FLOW_LEASES_H

#include "base/clock.h"
#include "port/stream.h"
#include "port/table.h"

#define LEASE_FAILOVER_MS 10000
#define LEASE_KEY "leaseKey"
#define LEASE_MOVED "positionSetTimestamp"
#define LEASE_TENURE "leaseTenure"
#define OWNER_MAX 160
#define LEASE_NEVER_SEEN                                                                                     \
	(INT64_MIN / 2) /* seen_ms of a row that nobody owned when it was first seen: very old */

/* What `checkpoint` holds when it is no sequence number. */
#define CP_TRIM_HORIZON "TRIM_HORIZON"
#define CP_LATEST "LATEST"
#define CP_AT_TIMESTAMP "AT_TIMESTAMP"
#define CP_SHARD_END "SHARD_END"

struct lease {
	char shard_id[SHARD_ID_MAX]; /* first: leases_find compares it */
	char owner[OWNER_MAX];       /* "": nobody */
	int64_t counter;
	char checkpoint[SEQ_MAX]; /* a sequence number, or one of CP_* */
	uint64_t checkpoint_sub;
	int64_t initial_ms; /* our initialTimestamp, 0 none */
	char parents[2][SHARD_ID_MAX],
		children[2][SHARD_ID_MAX]; /* "" none; children: known since the shard's end */
	char checkpoint_owner[OWNER_MAX];  /* in a graceful handoff: who still works on it; "" none */
	char start_hash[HASH_KEY_MAX], end_hash[HASH_KEY_MAX]; /* "" unknown */
	bool moved;             /* by hand: nobody commits to it before somebody takes it */
	int64_t tenure;         /* which time it is that owner has it; 0: the first */
	int64_t owner_switches; /* since the last checkpoint */
	int64_t renewed_ms_epoch, checkpointed_ms_epoch; /* by a worker of this program; 0 unknown */
	char stream_arn[256];
	int64_t stream_created_s; /* 0 unknown */
	int64_t seen_ms;          /* monotonic: when the counter was last seen to change */
};
struct leases { /* what a scan saw, sorted by shard_id; zeroed = empty */
	struct lease *v;
	size_t n;
};
void leases_free(struct leases *l);

/* Every row with entityType absent or LEASE. old: the last scan, for seen_ms; may be NULL. A row that can't be read as a
 * lease is ERR_FAILED: starting its shard from a guess would lose or repeat. */
int leases_scan(struct table *t, const struct leases *old, struct leases *out, struct err *e);
struct lease *leases_find(const struct leases *l, const char *shard_id);
/* One row; false in *found when there is none. */
int lease_get(struct table *t, const char *shard_id, struct lease *out, bool *found, struct err *e);
bool lease_is_end(const struct lease *l);
/* Something of the shard has been committed, or its end. */
bool lease_begun(const struct lease *l);
/* Nobody's, or its counter has stood still for longer than failover_ms. */
bool lease_expired(const struct lease *l, int64_t now_mono_ms, int64_t failover_ms);
/* Where to read on. AT_TIMESTAMP of another program, whose time is not in the row: from the horizon. */
struct position lease_position(const struct lease *l);

/* Create the row of a shard at its initial position (losing the race is fine). A start at LATEST or a time needs time_ms. */
int lease_create(struct table *t, const struct shard *s, const char *stream_arn, int64_t stream_created_s,
	const struct position *start, struct err *e);
/* Delete a row that is still as l says (its counter); one that has changed or gone is left alone. */
int lease_delete(struct table *t, const struct lease *l, struct err *e);
/* Conditional on leaseCounter = l->counter. On success *l is what is stored now, and so it is when cond_failed(e), that is,
 * when someone else was first (a row that is gone: all but shard_id empty). A write of our own whose answer was lost counts
 * as success. lease_take ends a handoff by force. lease_renew renews for whoever works on the shard: l->checkpoint_owner in a
 * handoff, else l->owner. */
int lease_take(struct table *t, struct lease *l, const char *owner, struct err *e);
/* The same for an owner that has had the lease before: the n-th time, which lease_checkpoint_of tells apart. */
int lease_take_again(struct table *t, struct lease *l, const char *owner, unsigned n, struct err *e);
int lease_renew(struct table *t, struct lease *l, struct err *e);
int lease_release(struct table *t, const struct lease *l, struct err *e);

/* Graceful handoff, as KCL 3 has it: leaseOwner is the next owner, checkpointOwner the one who still works, renews and commits.
 * Conditional on both owners being as l says. Start: on success *l is what is stored now. Over: the old owner has committed
 * all. Back: the next one withdraws. No: the lease was taken in its midst, by a KCL 2 worker that leaves checkpointOwner
 * standing; its counter, by which it holds the lease, stays. */
int lease_hand_start(struct table *t, struct lease *l, const char *next, struct err *e);
int lease_hand_over(struct table *t, const struct lease *l, struct err *e);
int lease_hand_back(struct table *t, const struct lease *l, struct err *e);
int lease_no_handoff(struct table *t, const struct lease *l, struct err *e);

/* At a shard's end, before its SHARD_END. A row that is gone is fine. */
int lease_set_children(
	struct table *t, const char *shard_id, const char *const *ids, size_t n, struct err *e);
/* Forward-only checkpoint, conditional on leaseOwner = owner, or checkpointOwner = owner, or on there being no owner; leaves
 * leaseCounter alone. Returns 0 also when the row is already as far, whoever's it is. ERR_LEASE_LOST when another owns it,
 * or nobody does and it was moved by hand, or never taken. NULL owner: whoever owns it. */
int lease_checkpoint(struct table *t, const char *shard_id, const char *owner, const char *checkpoint,
	uint64_t sub, struct err *e);
/* The same for a position that was handed on when owner had the lease for the tenure-th time: ERR_LEASE_LOST in a later one. */
int lease_checkpoint_of(struct table *t, const char *shard_id, const char *owner, uint64_t tenure,
	const char *checkpoint, uint64_t sub, struct err *e);
/* Release by the name of the owner (ack at end of input), only if it is still that owner's; in a handoff it goes to the
 * other one of the two. */
int lease_release_owner(struct table *t, const char *shard_id, const char *owner, struct err *e);
/* Order of two checkpoints with sentinels: AT_TIMESTAMP < TRIM_HORIZON < LATEST < numbers < SHARD_END. */
int checkpoint_compare(const char *a, uint64_t asub, const char *b, uint64_t bsub);

#endif
