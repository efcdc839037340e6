/* pace.c - a rate for each shard that refuses records: up by steps, down by a factor. */
#include "flow/pace.h"
#include "base/clock.h"
#include "base/digest.h"
#include "flow/shardmap.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS 64          /* of keys, where shards are not known */
#define RATE_FIRST 500.0   /* records a second: half of what AWS grants a shard */
#define RATE_ENOUGH 2000.0 /* twice what AWS grants: a shard that takes this needs no limit */
#define RATE_STEP 50.0     /* up, each second */
#define RATE_CUT 0.7       /* down, when a call was not taken whole, but not at once again */
#define CUT_EVERY_MS 250
#define BURST_S 0.25 /* what may be saved up */
#define PAUSE_MOST_MS 5000
#define LISTING_MOST_MS 60000 /* how old a listing may be that rates are kept by */

struct rate {
	bool limited;
	double per_s, tokens;
	int64_t filled_ms, grown_ms, cut_ms, told_ms, until_ms; /* told: when it was last refused */
	int64_t took_ms; /* when a record was last taken, or the limit began */
	unsigned fails;  /* calls in a row of which nothing was taken */
};

struct pace {
	struct stream *stream;
	int64_t first_ms;
	pthread_mutex_t lock;
	struct shardmap *map, *own;
	struct shard_list *list; /* that slots are numbered by; NULL: groups */
	int64_t listed_ms;
	uint32_t listing; /* number of the list, from 1 */
	struct rate *v;
	size_t n;
	_Atomic size_t limited;
};

struct pace *pace_new(struct stream *s, struct shardmap *map, int64_t first_ms)
{
	struct pace *p = mem_alloc(sizeof *p);
	p->stream = s;
	p->map = map;
	p->first_ms = first_ms;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void pace_free(struct pace *p)
{
	if (!p)
		return;
	if (p->map)
		shardmap_release(p->map, p->list);
	shardmap_free(p->own);
	pthread_mutex_destroy(&p->lock);
	free(p->v);
	free(p);
}

bool pace_active(struct pace *p)
{
	return atomic_load(&p->limited) > 0;
}

/* ---- shards ---- */

static bool same_shards(const struct shard_list *a, const struct shard_list *b)
{
	if (!a || !b || a->nopen != b->nopen)
		return a == b;
	for (size_t i = 0; i < a->nopen; i++)
		if (strcmp(a->all.v[a->open[i].shard].id, b->all.v[b->open[i].shard].id) != 0)
			return false;
	return true;
}

/* List the shards, now and then anew. After a reshard rates are learned anew, too. The lock is not held: this is a call. */
static void look_up_shards(struct pace *p, int64_t now)
{
	pthread_mutex_lock(&p->lock);
	bool due = !p->listed_ms || now - p->listed_ms >= LISTING_MOST_MS;
	if (due)
		p->listed_ms = now;
	if (!p->map)
		p->map = p->own = shardmap_new_quiet(p->stream);
	struct shard_list *before = p->list, *list;
	pthread_mutex_unlock(&p->lock);
	if (!due)
		return;
	if (before && p->own)
		shardmap_wrong(p->map, before);
	list = shardmap_get(p->map);
	pthread_mutex_lock(&p->lock);
	if (!p->v || !same_shards(before, list)) {
		p->n = list && list->nopen ? list->nopen : GROUPS;
		free(p->v);
		p->v = mem_array(p->n, sizeof *p->v);
		p->listing++;
		atomic_store(&p->limited, 0);
	}
	p->list = list;
	pthread_mutex_unlock(&p->lock);
	shardmap_release(p->map, before);
}

/* ---- with the lock ---- */

static struct rate *rate_of(struct pace *p, struct pace_slot *slot, const char *key, const char *hash_key)
{
	hashkey h;
	if (slot->listing == p->listing)
		return &p->v[slot->index];
	slot->listing = p->listing;
	if (!hash_key || !hashkey_parse(hash_key, &h))
		h = hashkey_of(key);
	size_t i = p->list ? shard_list_find(p->list, h) : p->n;
	slot->index = (uint32_t)(i < p->n ? i : (size_t)(h % p->n));
	return &p->v[slot->index];
}

static void limit(struct pace *p, struct rate *r, int64_t now)
{
	*r = (struct rate){ .limited = true,
		.per_s = RATE_FIRST,
		.filled_ms = now,
		.grown_ms = now,
		.cut_ms = now,
		.took_ms = now };
	atomic_fetch_add(&p->limited, 1);
}

/* No slower than a record for each first pause. */
static void cut(const struct pace *p, struct rate *r, int64_t now)
{
	double least = 1000.0 / (double)p->first_ms;
	r->per_s = r->per_s * RATE_CUT > least ? r->per_s * RATE_CUT : least;
	r->cut_ms = now;
}

static double seconds(int64_t from, int64_t to)
{
	return to > from ? (double)(to - from) / 1000 : 0;
}

static void fill(struct rate *r, int64_t now)
{
	double most = r->per_s * BURST_S > 1 ? r->per_s * BURST_S : 1;
	r->tokens += r->per_s * seconds(r->filled_ms, now);
	r->tokens = r->tokens < most ? r->tokens : most;
	r->filled_ms = now;
}

static bool take(struct rate *r, int64_t now, int64_t *next_ms)
{
	int64_t at = r->until_ms;
	fill(r, now);
	if (now >= at && r->tokens >= 1) {
		r->tokens -= 1;
		return true;
	}
	if (r->tokens < 1) {
		int64_t full = now + (int64_t)((1 - r->tokens) / r->per_s * 1000) + 1;
		at = full > at ? full : at;
	}
	if (at < *next_ms)
		*next_ms = at;
	return false;
}

/* ---- from lanes ---- */

bool pace_take(struct pace *p, struct pace_slot *slot, const char *partition_key, const char *hash_key,
	int64_t now, int64_t *next_ms, int64_t *since_ms)
{
	bool ok = true;
	*since_ms = now;
	pthread_mutex_lock(&p->lock);
	if (p->v) {
		struct rate *r = rate_of(p, slot, partition_key, hash_key);
		ok = !r->limited || take(r, now, next_ms);
		*since_ms = r->limited ? r->took_ms : now;
	}
	pthread_mutex_unlock(&p->lock);
	return ok;
}

void pace_stored(struct pace *p, struct pace_slot *slot, int64_t now)
{
	pthread_mutex_lock(&p->lock);
	struct rate *r = slot->listing == p->listing && p->v ? &p->v[slot->index] : NULL;
	if (r && r->limited) {
		double dt = seconds(r->grown_ms, now);
		r->per_s += RATE_STEP * (dt < 1 ? dt : 1);
		r->grown_ms = now;
		r->fails = 0;
		r->took_ms = now;
		if (r->per_s >= RATE_ENOUGH) {
			r->limited = false;
			atomic_fetch_sub(&p->limited, 1);
		}
	}
	pthread_mutex_unlock(&p->lock);
}

void pace_refused(struct pace *p, struct pace_slot *slot, const char *partition_key, const char *hash_key,
	int64_t began_ms, int64_t now)
{
	look_up_shards(p, now);
	pthread_mutex_lock(&p->lock);
	struct rate *r = p->v ? rate_of(p, slot, partition_key, hash_key) : NULL;
	if (r && !r->limited)
		limit(p, r, now);
	else if (r && began_ms <= r->told_ms) /* that call was on its way then */
		r = NULL;
	else if (r && now - r->cut_ms >= CUT_EVERY_MS)
		cut(p, r, now);
	if (r) {
		int64_t most = p->first_ms << (r->fails < 8 ? r->fails++ : 8);
		most = most < PAUSE_MOST_MS ? most : PAUSE_MOST_MS;
		r->until_ms = now + p->first_ms / 10 + (int64_t)((double)most * random_unit());
		r->tokens = r->tokens < 1 ? r->tokens : 1;
		r->told_ms = r->grown_ms = now;
	}
	pthread_mutex_unlock(&p->lock);
}
