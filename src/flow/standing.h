/* standing.h - where a group stands in a stream: each shard with its row, its state, how far it is behind, whether it is stuck.
 *
 * Reads only, and so little that workers do not notice: the list of shards, a scan of the table (several with wait_ms), at
 * most three records a shard. Not thread-safe; asks for several shards' tips at once. */
#ifndef RECAGENT_FLOW_STANDING_H
#define RECAGENT_FLOW_STANDING_H

#include "flow/leases.h"

enum shard_standing {
	STANDING_NEW,     /* no row yet: nobody has begun it */
	STANDING_WAITING, /* a parent is not read to its end yet */
	STANDING_UNOWNED,
	STANDING_READING,
	STANDING_EXPIRED, /* its owner renews no more */
	STANDING_ENDED,   /* read to its end */
	STANDING_SKIPPED, /* no row, and none will be made: a descendant has one */
	STANDING_GONE     /* a row that is not at its end, of a shard that the stream has no more */
};
const char *standing_word(enum shard_standing s);

enum owner_sign { OWNER_NONE, OWNER_ALIVE, OWNER_SILENT, OWNER_UNKNOWN };

struct standing {
	struct shard shard; /* only id and parents, when not listed */
	bool listed, has_row;
	struct lease row;
	enum owner_sign sign;
	int64_t renewed_ms,
		committed_ms; /* epoch, by the table's clock; 0 unknown, as with other programs' leases */
	enum shard_standing state;
	struct position at;             /* where a reader would begin */
	struct shard_lag lag;           /* ms -1: unknown */
	struct err lag_err;             /* why it is */
	bool has_above, has_below;      /* an ancestor, a descendant has a row */
	const struct standing *held_by; /* the ancestor that it waits for, when nobody reads that */
	bool stuck;
	char why[200]; /* stuck: one clause without a full stop */
};
struct standings { /* sorted by shard id, so parents come before children */
	struct standing *v;
	size_t n;
	struct stream_info info;
	bool anew;          /* the rows are of an earlier stream of this name, and count for nothing */
	int64_t initial_ms; /* where the group began, 0: at the horizon, or unknown */
	struct leases rows; /* as they were scanned last */
};
struct standing_conf {
	struct stream *stream;
	struct table *group;
	int64_t failover_ms;
	int64_t stuck_ms;  /* a commit that long ago is too long, with records that wait as long */
	int64_t wait_ms;   /* watch the counters of doubtful leases for so long, at most; 0: one look */
	bool unknown_only; /* of these doubts only whether another program's worker renews */
	bool with_lag;     /* else every lag is unknown, and nothing is stuck */
};
/* ResourceNotFoundException, with what to do, when there is no such group; ERR_USAGE when it belongs to another stream. */
int standings_read(const struct standing_conf *c, struct standings *out, struct err *e);
struct standing *standings_find(const struct standings *s, const char *shard_id);
void standings_free(struct standings *s);

/* What can be told of a row's owner: that its process has gone, or by the time of the last renewal, when that is the owner's
 * own writing. Another program's lease can only be watched. */
enum owner_sign owner_sign(const struct lease *l, int64_t table_now_ms, int64_t failover_ms);

#endif
