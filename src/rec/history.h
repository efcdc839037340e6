/* history.h - the parts of a profile: entries in event-time order, marks of shards. Inside src/rec only. */
#ifndef RECAGENT_REC_HISTORY_H
#define RECAGENT_REC_HISTORY_H

#include "base/av.h"
#include "rec/event.h"

/* list: the inner array of a typed list; its entries are {"M":{..}}. */

/* Bring entries into event-time order; equal ones keep theirs, one without a time stays behind its
 * predecessor. */
void history_sort(cJSON *list);

/* The index at which an event of that time belongs: behind all that are not later. */
int history_place(const cJSON *list, int64_t time_us);

/* Insert at that index. cJSON_InsertItemInArray of Debian 12's patched 1.7.15 refuses every place
 * between the first and the end. */
void history_insert(cJSON *list, int place, cJSON *entry);

/* Whether an entry has this event_id. */
bool history_holds(const cJSON *list, const char *event_id);

/* A new typed entry of the event; NULL and ERR_REFUSED when its metadata can't be stored. */
cJSON *history_entry(
	const struct event *ev, const char *line, int64_t now_us, int64_t *time_us, struct err *e);

/* Where a position stands against a typed mark {"M":{shard, sequence, subsequence}}. */
enum mark_relation { MARK_OTHER, MARK_BELOW, MARK_AT, MARK_ABOVE };
/* OTHER: not of this shard, no position, or no comparable numbers. BELOW: the position is below the
 * mark. */
enum mark_relation mark_covers(const cJSON *mark, const struct source *s);

/* Move the mark of the position's shard to it, as the last of at most max; nothing without a position. */
void marks_move(cJSON *list, const struct source *s, int max);

#endif
