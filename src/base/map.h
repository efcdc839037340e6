/* map.h - bytes to pointers, in an arena. Keys are borrowed. Belongs to one thread. */
#ifndef RECAGENT_BASE_MAP_H
#define RECAGENT_BASE_MAP_H

#include "base/mem.h"

struct map_entry {
	const void *key;
	size_t keylen;
	void *value;
};
struct map { /* zeroed = empty; the memory is the arena's */
	struct map_entry *slot;
	size_t cap, n;
};

/* The place of a key: value is NULL when it is new. Valid until the next call. */
struct map_entry *map_at(struct map *m, struct arena *a, const void *key, size_t keylen);

#endif
