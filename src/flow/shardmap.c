/* shardmap.c - list a stream's shards, look hash keys up. */
#include "flow/shardmap.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 10000 /* after a listing that failed */

struct shardmap {
	struct stream *stream;
	pthread_mutex_t mu; /* held while listing: the others need its result, too */
	struct shard_list *now;
	int64_t due_ms; /* monotonic: not listed before */
	bool said, quiet;
};

struct shardmap *shardmap_new(struct stream *s)
{
	struct shardmap *m = mem_alloc(sizeof *m);
	m->stream = s;
	pthread_mutex_init(&m->mu, NULL);
	return m;
}

struct shardmap *shardmap_new_quiet(struct stream *s)
{
	struct shardmap *m = shardmap_new(s);
	m->quiet = true;
	return m;
}

/* mu held, or the map is nobody else's. */
static void drop(struct shard_list *l)
{
	if (!l || --l->refs)
		return;
	free(l->all.v);
	free(l->open);
	free(l);
}

void shardmap_free(struct shardmap *m)
{
	if (!m)
		return;
	drop(m->now);
	pthread_mutex_destroy(&m->mu);
	free(m);
}

static int by_first(const void *a, const void *b)
{
	const struct shard_range *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

static bool range_of(const struct shard_list *l, size_t i, struct shard_range *out)
{
	out->shard = i;
	return hashkey_parse(l->all.v[i].start_hash, &out->first) &&
	       hashkey_parse(l->all.v[i].end_hash, &out->last);
}

static struct shard_list *list(struct shardmap *m, struct err *e)
{
	struct shard_list *l = mem_alloc(sizeof *l);
	l->refs = 1;
	if (stream_shards(m->stream, &l->all, e)) {
		drop(l);
		return NULL;
	}
	l->open = mem_array(l->all.n + 1, sizeof *l->open);
	for (size_t i = 0; i < l->all.n; i++)
		l->nopen += !l->all.v[i].end_seq[0] && range_of(l, i, &l->open[l->nopen]);
	qsort(l->open, l->nopen, sizeof *l->open, by_first);
	return l;
}

static void say(struct shardmap *m, const struct err *e)
{
	if (!e && m->said)
		log_say("%s: shards listed, records are aggregated", m->stream->name);
	else if (e && !m->said)
		log_say("%s: shards not listed, records are not aggregated: %s", m->stream->name, e->msg);
	m->said = e != NULL;
}

struct shard_list *shardmap_get(struct shardmap *m)
{
	struct err e;
	err_clear(&e);
	pthread_mutex_lock(&m->mu);
	if (!m->now && clock_mono_ms() >= m->due_ms) {
		m->now = list(m, &e);
		if (!m->now)
			m->due_ms = clock_mono_ms() + AGAIN_MS;
		if (e.cls != ERR_STOPPED && !m->quiet)
			say(m, m->now ? NULL : &e);
	}
	struct shard_list *l = m->now;
	if (l)
		l->refs++;
	pthread_mutex_unlock(&m->mu);
	return l;
}

void shardmap_release(struct shardmap *m, struct shard_list *l)
{
	pthread_mutex_lock(&m->mu);
	drop(l);
	pthread_mutex_unlock(&m->mu);
}

void shardmap_wrong(struct shardmap *m, const struct shard_list *l)
{
	pthread_mutex_lock(&m->mu);
	if (l && m->now == l) {
		drop(m->now);
		m->now = NULL;
	}
	pthread_mutex_unlock(&m->mu);
}

size_t shard_list_find(const struct shard_list *l, hashkey h)
{
	size_t low = 0, high = l->nopen; /* the first that begins behind h is in [low, high] */
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (l->open[mid].first <= h)
			low = mid + 1;
		else
			high = mid;
	}
	return low && h <= l->open[low - 1].last ? low - 1 : l->nopen;
}

bool shard_list_range(const struct shard_list *l, const char *shard_id, struct shard_range *out)
{
	for (size_t i = 0; i < l->all.n; i++)
		if (!strcmp(l->all.v[i].id, shard_id))
			return range_of(l, i, out);
	return false;
}
