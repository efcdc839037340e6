/* map.c - a small open-addressing hash table. */
#include "base/map.h"

#include <stdint.h>
#include <string.h>

/* FNV-1a. Crafted collisions cost time, nothing else. */
static uint64_t hash(const void *key, size_t n)
{
	const unsigned char *p = key;
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h ^ h >> 29;
}

static struct map_entry *place(const struct map *m, const void *key, size_t keylen)
{
	size_t i = (size_t)hash(key, keylen) & (m->cap - 1);

	while (m->slot[i].key && (m->slot[i].keylen != keylen || memcmp(m->slot[i].key, key, keylen) != 0))
		i = (i + 1) & (m->cap - 1);
	return &m->slot[i];
}

static void grow(struct map *m, struct arena *a)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 64;
	m->slot = arena_alloc(a, m->cap * sizeof *m->slot);
	memset(m->slot, 0, m->cap * sizeof *m->slot);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slot[i].key)
			*place(m, old.slot[i].key, old.slot[i].keylen) = old.slot[i];
}

struct map_entry *map_at(struct map *m, struct arena *a, const void *key, size_t keylen)
{
	if (m->n * 4 >= m->cap * 3)
		grow(m, a);
	struct map_entry *e = place(m, key, keylen);
	if (!e->key) {
		*e = (struct map_entry){ .key = key, .keylen = keylen };
		m->n++;
	}
	return e;
}
