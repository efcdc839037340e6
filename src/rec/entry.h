/* entry.h - the cache entry: what invoke writes and cache-get judges. Pure. */
#ifndef RECAGENT_REC_ENTRY_H
#define RECAGENT_REC_ENTRY_H

#include "base/av.h"

/* A typed item {KEY, recommendations, generated_at, ttl, version, prompt_hash}; new tree. version <
 * 0, hash NULL: left out. */
cJSON *entry_item(const char *key_name, const char *key, const cJSON *recommendations, int64_t now_us,
	int64_t ttl_s, int64_t version, const char *prompt_hash);

enum entry_state { ENTRY_FRESH, ENTRY_EXPIRED, ENTRY_UNUSABLE };
struct entry {
	enum entry_state state;
	cJSON *recommendations; /* plain array of objects; owned; NULL when unusable */
	char generated_at[48];  /* "" unknown */
	int64_t age_s;          /* -1 unknown, never negative else */
	int64_t expired_for_ms; /* since ttl, when expired */
};
/* Judge an item at now. Fresh only while ttl lies ahead. No ttl, or one that is no number: expired
 * since generated_at, and for ever (INT64_MAX) when that is unknown too. recommendations must be a
 * list with at least one map or string (a string becomes {"item_id":..}, other elements are left
 * out), else the entry is unusable. */
void entry_read(struct entry *out, const cJSON *item, int64_t now_us);
void entry_release(struct entry *e);

/* Append the cache-get line {KEY, recommendations, source, generated_at, cache_age_sec}.
 * generated_at NULL or "" and an age below 0: null. */
bool entry_line(struct buf *out, const char *key_name, const char *key, const cJSON *recommendations,
	const char *source, const char *generated_at, int64_t age_s);

#endif
