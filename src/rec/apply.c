/* apply.c - apply one event to a profile: once, in its place, within the limits of an item. */
#include "base/mem.h"
#include "rec/history.h"
#include "rec/profile.h"
#include <string.h>

static cJSON *list_of(const cJSON *typed)
{
	return cJSON_GetObjectItemCaseSensitive(typed, "L");
}

static bool is_known(const struct profile *p, const struct event *ev)
{
	const cJSON *n;

	cJSON_ArrayForEach(n, list_of(p->marks))
	{
		enum mark_relation r = mark_covers(n, &ev->source);

		if (r == MARK_AT || r == MARK_BELOW)
			return true;
	}
	if (!ev->event_id_text)
		return false;
	cJSON_ArrayForEach(n, list_of(p->recent_ids))
	{
		const char *id = json_str(n, "S");

		if (id && !strcmp(id, ev->event_id_text))
			return true;
	}
	return history_holds(list_of(p->history), ev->event_id_text);
}

/* The item's size after the update but for the history's entries; on the safe side by a few bytes. */
static size_t size_beside_entries(const struct profile *p, const struct event *ev)
{
	static const char names[] = "history version applied marks recent_ids updated_at";
	const struct source *s = &ev->source;
	size_t size = p->base_size + sizeof(names) + 2 * 21 + 32 + 3;

	if (!p->item)
		size += strlen(ev->key.name) + (ev->key_text ? strlen(ev->key_text) : 0);
	size += av_value_size(p->marks) + av_value_size(p->recent_ids);
	size += ev->event_id_text ? strlen(ev->event_id_text) + 1 : 0;
	if (s->sequence_number && s->shard_id)
		size += strlen(s->sequence_number) + strlen(s->shard_id) +
			(s->stream ? strlen(s->stream) : 0) + 64;
	return size;
}

static void drop_first(cJSON *list)
{
	cJSON_Delete(cJSON_DetachItemViaPointer(list, list->child));
}

/* Oldest entries go until window and item limit fit. */
static void trim(cJSON *list, const struct profile_limits *lim, size_t beside, size_t max)
{
	size_t n = (size_t)cJSON_GetArraySize(list), size = beside;
	const cJSON *entry;

	for (; lim->history && n > lim->history; n--)
		drop_first(list);
	cJSON_ArrayForEach(entry, list) size += av_value_size(entry) + 1;
	while (size > max && list->child) {
		size -= av_value_size(list->child) + 1;
		drop_first(list);
	}
}

static void remember(struct profile *p, const struct event *ev)
{
	cJSON *ids = list_of(p->recent_ids);

	if (ev->event_id_text)
		cJSON_AddItemToArray(ids, av_s(ev->event_id_text));
	while (cJSON_GetArraySize(ids) > PROFILE_RECENT_IDS)
		drop_first(ids);
	marks_move(list_of(p->marks), &ev->source, PROFILE_MARKS);
	p->version++;
	p->applied++;
}

enum profile_result profile_apply(struct profile *p, const struct event *ev, const char *line,
	const struct profile_limits *lim, int64_t now_us, struct err *e)
{
	size_t max = lim->max_bytes ? lim->max_bytes : AV_ITEM_MAX, beside, need, n;
	cJSON *list = list_of(p->history), *entry;
	int64_t time_us;
	int place;

	if (is_known(p, ev))
		return PROFILE_KNOWN;
	entry = history_entry(ev, line, now_us, &time_us, e);
	if (!entry)
		return PROFILE_REFUSED;
	n = (size_t)cJSON_GetArraySize(list);
	place = history_place(list, time_us);
	if (place == 0 && lim->history && n >= lim->history) {
		cJSON_Delete(entry);
		entry = NULL;
	}
	beside = size_beside_entries(p, ev);
	need = entry ? av_value_size(entry) + 1 : 0;
	if (beside + need > max) {
		cJSON_Delete(entry);
		err_set(e, ERR_REFUSED, "item-too-large",
			"the event needs %zu bytes in the profile, of whose %zu bytes %zu are taken", need,
			max, beside);
		return PROFILE_REFUSED;
	}
	if (entry)
		history_insert(list, place, entry);
	trim(list, lim, beside, max);
	remember(p, ev);
	return PROFILE_APPLIED;
}
