/* cache.h - write to the recommendation cache; an answer never replaces one to a newer prompt. Thread-safe. */
#ifndef RECAGENT_FLOW_CACHE_H
#define RECAGENT_FLOW_CACHE_H

#include "port/table.h"

struct cache_entry {
	const char *key_name, *key;
	const cJSON *recommendations; /* plain, borrowed */
	int64_t ttl_s;
	int64_t version;         /* of the profile that was asked about; -1: none */
	const char *prompt_hash; /* "" none */
};
struct cached {
	cJSON *entry;  /* plain, as written or as it would have been */
	bool outdated; /* what is there is newer and not expired: it stays */
};
/* Write on condition that there is no entry, or none with a version, or not a newer one, or an expired one. */
int cache_put(struct table *t, const struct cache_entry *in, struct cached *out, struct err *e);
void cached_release(struct cached *c);

#endif
