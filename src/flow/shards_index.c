/* shards_index.c - the shard follower's shards by name, and who descends from whom: streams of thousands of shards are listed,
 * compared with their leases and walked every few seconds. */
#include "flow/shards_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static size_t slot(const struct follow *f, const char *id)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 0x100000001b3u;
	return (size_t)(h ^ h >> 32) & (f->nindex - 1);
}

struct fshard *follow_find(const struct follow *f, const char *shard_id)
{
	struct fshard *s = *shard_id && f->nindex ? f->index[slot(f, shard_id)] : NULL;
	while (s && strcmp(s->s.id, shard_id) != 0)
		s = s->chain;
	return s;
}

static void index_shard(struct follow *f, struct fshard *s)
{
	size_t i = slot(f, s->s.id);
	s->chain = f->index[i];
	f->index[i] = s;
}

static void grow(struct follow *f)
{
	f->cap = f->cap ? f->cap * 2 : 16;
	f->v = mem_realloc(f->v, f->cap * sizeof *f->v);
	f->found = mem_realloc(f->found, f->cap * sizeof *f->found);
	free(f->index);
	f->nindex = f->cap * 2;
	f->index = mem_array(f->nindex, sizeof *f->index);
	for (size_t i = 0; i < f->n; i++)
		index_shard(f, f->v[i]);
}

struct fshard *follow_add(struct follow *f, const struct shard *shard)
{
	struct fshard *s = mem_alloc(sizeof *s);
	s->s = *shard;
	atomic_init(&s->lost, false);
	atomic_init(&s->handing, false);
	atomic_init(&s->renewed, 0);
	if (f->n == f->cap)
		grow(f);
	f->v[f->n++] = s;
	index_shard(f, s);
	return s;
}

/* ---- lineage ---- */

/* All of it anew: a lease's row may bring a parent that was no longer listed when its children were. */
void follow_link(struct follow *f)
{
	if (f->linked == f->n)
		return;
	f->linked = f->n;
	for (size_t i = 0; i < f->n; i++)
		f->v[i]->down = NULL;
	for (size_t i = f->n; i-- > 0;) { /* backwards, so that children are in the order of the list */
		struct fshard *s = f->v[i];
		s->up[0] = follow_find(f, s->s.parent);
		s->up[1] = follow_find(f, s->s.adjacent);
		if (s->up[0] == s)
			s->up[0] = NULL;
		if (s->up[1] == s || s->up[1] == s->up[0])
			s->up[1] = NULL;
		for (int k = 0; k < 2; k++) {
			if (!s->up[k])
				continue;
			s->next[k] = s->up[k]->down;
			s->up[k]->down = s;
		}
	}
}

struct fshard *follow_child(const struct fshard *parent, const struct fshard *last)
{
	if (!last)
		return parent->down;
	return last->next[last->up[0] == parent ? 0 : 1];
}

static bool visit(struct follow *f, struct fshard *s, size_t *n)
{
	if (!s || s->visited == f->walk)
		return false;
	s->visited = f->walk;
	f->found[(*n)++] = s;
	return s->has_lease;
}

/* A generation has several ways to the next one, so each relative is looked at once only: the paths through a stream that
 * was split and merged every day are more than can be walked. */
static bool walk(struct follow *f, const struct fshard *s, bool up)
{
	size_t n = 0;
	f->walk++;
	const struct fshard *near = s;
	for (size_t at = 0; near; near = at < n ? f->found[at++] : NULL) {
		if (up && (visit(f, near->up[0], &n) || visit(f, near->up[1], &n)))
			return true;
		for (struct fshard *c = up ? NULL : near->down; c; c = follow_child(near, c))
			if (visit(f, c, &n))
				return true;
	}
	return false;
}

bool follow_relative_leased(struct follow *f, const struct fshard *s)
{
	return walk(f, s, true) || walk(f, s, false);
}
