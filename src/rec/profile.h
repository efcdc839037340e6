/* profile.h - a user's profile: the window of recent events, applied once each, in event-time order.
 *
 * The item is the seed system's (KEY, history [{event_id, item_id, event_type, timestamp, metadata}],
 * preferences) plus our own attributes: version (N), applied (N, events ever), marks (M: "stream/shard" ->
 * "sequence:subsequence"), recent_ids (L of the last 64 event ids), updated_at. Pure. */
#ifndef RECAGENT_REC_PROFILE_H
#define RECAGENT_REC_PROFILE_H

#include "base/av.h"
#include "rec/event.h"

#define PROFILE_RECENT_IDS 64
#define PROFILE_MARKS 8 /* shards whose mark is kept, newest last */

struct profile {
	cJSON *item;               /* as read, typed; owned; NULL for a new user */
	cJSON *history;            /* typed list value {"L":[..]}, owned working copy */
	cJSON *marks, *recent_ids; /* typed, owned */
	int64_t version, applied;
	bool had_version; /* the stored item has one */
};
struct profile_limits {
	size_t history;   /* window, 0 = no limit */
	size_t max_bytes; /* of the item, AV_ITEM_MAX when 0 */
};

/* Takes item (may be NULL). A history of unknown shape (seed's, other tools') is kept as far as it is a list of maps. */
int profile_load(struct profile *p, cJSON *item, struct err *e);
void profile_release(struct profile *p);

enum profile_result { PROFILE_APPLIED, PROFILE_KNOWN, PROFILE_REFUSED = -1 };
/* Apply one event in memory. Order: the earlier of timestamp and arrival, ties by stream position. An event older than a
 * full window is counted and marked but not kept. REFUSED (e): it alone exceeds the item limit, or can't be stored. */
enum profile_result profile_apply(struct profile *p, const struct event *ev, const char *line,
	const struct profile_limits *lim, int64_t now_us, struct err *e);

/* The attributes to write after apply: {"history":..,"version":..,"applied":..,"marks":..,"recent_ids":..,"updated_at":..},
 * typed, a new tree. Never preferences. */
cJSON *profile_changes(const struct profile *p, int64_t now_us);

/* Did this stored item come from our own write of event ev (lost reply)? True when its version is `version` and the newest
 * recent id or mark is ev's. */
bool profile_wrote(const cJSON *item, int64_t version, const struct event *ev);

/* Typed preferences of the stored item, or NULL. */
const cJSON *profile_preferences(const struct profile *p);

#endif
