/* pace.h - how fast each shard may be sent records: learned from what it refuses.
 *
 * There is no limit until a shard refuses a record. From then on its records are sent at a rate that grows by a constant step a
 * second while all are taken, and is cut to a part of itself by each call of which some were refused; between such calls
 * there is a pause with full jitter, longer each time that nothing was taken. A rate far above what a shard can take ends the
 * limit. Where shards can't be listed, keys are grouped by hash instead. Thread-safe; times are monotonic milliseconds. */
#ifndef RECAGENT_FLOW_PACE_H
#define RECAGENT_FLOW_PACE_H

#include "port/stream.h"

struct shardmap;
struct pace;

/* map: to be used, not owned; NULL: one of its own, made when it is needed. first_ms: the first pause. */
struct pace *pace_new(struct stream *s, struct shardmap *map, int64_t first_ms);
void pace_free(struct pace *p); /* NULL is fine */

bool pace_active(struct pace *p); /* is any shard limited? The cheap question */

struct pace_slot { /* which shard a record is reckoned to; zero it: not looked up yet */
	uint32_t index, listing;
};
/* May a record be sent now? If so, that is counted. *next_ms: lowered to when to ask again, if that is sooner.
 * *since_ms: since when its shard has taken nothing. */
bool pace_take(struct pace *p, struct pace_slot *slot, const char *partition_key, const char *hash_key,
	int64_t now, int64_t *next_ms, int64_t *since_ms);
/* What became of a record in a call that began at began_ms. */
void pace_stored(struct pace *p, struct pace_slot *slot, int64_t now);
void pace_refused(struct pace *p, struct pace_slot *slot, const char *partition_key, const char *hash_key,
	int64_t began_ms, int64_t now);

#endif
