/* profile.h - a user's profile: the window of recent events, applied once each, in event-time order.
 *
 * The item is the seed system's (KEY, history [{event_id, item_id, event_type, timestamp, metadata}],
 * preferences) plus our own attributes: version (N), applied (N, events ever), marks (L of
 * {shard "stream/shard", sequence, subsequence}, the last moved at the end: a map would lose that
 * order), recent_ids (L of the last 64 event ids, newest last), updated_at. A history entry carries
 * ordered_at only where its place in the order is not that of its timestamp (a clock ahead, or no
 * timestamp). Pure. */
#ifndef RECAGENT_REC_PROFILE_H
#define RECAGENT_REC_PROFILE_H

#include "base/av.h"
#include "rec/event.h"

#define PROFILE_RECENT_IDS 64
#define PROFILE_MARKS 8      /* shards whose mark is kept, newest last */
#define PROFILE_MAX_DEPTH 29 /* of metadata: DynamoDB nests 32 levels, history and its entry are two */

struct profile {
	cJSON *item;               /* as read but for our own attributes, typed; owned; NULL for a new user */
	cJSON *history;            /* typed list value {"L":[..]}, oldest first, owned working copy */
	cJSON *marks, *recent_ids; /* typed, owned */
	int64_t version, applied;  /* applied of an item that has none: what its history holds */
	bool had_version;          /* the stored item has one */
	size_t base_size;          /* private: of the item without our own attributes */
};
struct profile_limits {
	size_t history;   /* window, 0 = no limit */
	size_t max_bytes; /* of the item, AV_ITEM_MAX when 0 */
};

/* Takes item (may be NULL), also on error. The history is kept as far as it is a list of maps, and
 * brought into order. ERR_FAILED "bad-profile" when history or version is of a type that a write of
 * ours would destroy. Release in every case. */
int profile_load(struct profile *p, cJSON *item, struct err *e);
void profile_release(struct profile *p);

enum profile_result { PROFILE_APPLIED, PROFILE_KNOWN, PROFILE_REFUSED = -1 };
/* Apply one event (parsed with EVENT_STORED) in memory. Known: its position is not above the mark of
 * its shard, or its event_id is among recent_ids or in the history. Order: the earlier of timestamp
 * and arrival (without both: now), ties in order of application. An event older than a full window is
 * counted and marked but not kept. REFUSED (e), nothing changed: it alone exceeds the item limit, or
 * can't be stored (U+0000, a name twice in one object, nested too deep). */
enum profile_result profile_apply(struct profile *p, const struct event *ev, const char *line,
	const struct profile_limits *lim, int64_t now_us, struct err *e);

/* The attributes to write after apply: {"history":..,"version":..,"applied":..,"marks":..,
 * "recent_ids":..,"updated_at":..}, typed, a new tree. Never preferences. The write is on condition
 * that version is still p->version - 1, or, without had_version, that there is none. */
cJSON *profile_changes(const struct profile *p, int64_t now_us);

/* Did this stored item come from our own write of event ev (lost reply)? True when its version is
 * `version` and the newest recent id (the newest mark, for an event without id) is ev's. */
bool profile_wrote(const cJSON *item, int64_t version, const struct event *ev);

/* Typed preferences of the stored item, or NULL. */
const cJSON *profile_preferences(const struct profile *p);

#endif
