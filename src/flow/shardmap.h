/* shardmap.h - which shard will take a record: the stream's hash ranges as they were listed last. Thread-safe.
 *
 * A stream can be resharded at any time, so what the map says is a guess; whoever sees that a record went elsewhere says
 * so, and the shards are listed again. */
#ifndef RECAGENT_FLOW_SHARDMAP_H
#define RECAGENT_FLOW_SHARDMAP_H

#include "base/hashkey.h"
#include "port/stream.h"

struct shardmap;
struct shard_list { /* one listing; never changes */
	struct shards all;
	struct shard_range {
		hashkey first, last;
		size_t shard; /* index in all.v */
	} * open;             /* by first */
	size_t nopen;
	size_t refs; /* the map's own */
};

struct shardmap *shardmap_new(struct stream *s);
struct shardmap *shardmap_new_quiet(
	struct stream *s);              /* for whom a listing is only of use: nothing is said */
void shardmap_free(struct shardmap *m); /* NULL is fine */
/* The last listing, made now if there is none; NULL when it can't be had, which is said once and tried again after a while.
 * Give it back with shardmap_release (NULL is fine). */
struct shard_list *shardmap_get(struct shardmap *m);
void shardmap_release(struct shardmap *m, struct shard_list *l);
/* This listing is not true any more. */
void shardmap_wrong(struct shardmap *m, const struct shard_list *l);

/* The index in `open` of the shard that takes the hash key, or nopen. */
size_t shard_list_find(const struct shard_list *l, hashkey h);
/* The range of any shard by its id; false when it is not listed. */
bool shard_list_range(const struct shard_list *l, const char *shard_id, struct shard_range *out);

#endif
