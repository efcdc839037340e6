/* profile.c - take a stored profile over, tell what to write back. */
#include "rec/profile.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rec/history.h"
#include <stdlib.h>
#include <string.h>

static cJSON *attribute(const cJSON *item, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(item, name);
}

static bool is_map(const cJSON *typed)
{
	return cJSON_IsObject(attribute(typed, "M"));
}

static bool is_string(const cJSON *typed)
{
	return cJSON_IsString(attribute(typed, "S"));
}

/* The list taken out of the item, less the elements that are not of the wanted kind; an empty one
 * when there is none. */
static cJSON *take_list(cJSON *item, const char *name, bool (*wanted)(const cJSON *))
{
	cJSON *typed = cJSON_DetachItemFromObjectCaseSensitive(item, name);
	cJSON *list = attribute(typed, "L"), *next;

	if (!cJSON_IsArray(list)) {
		cJSON_Delete(typed);
		typed = json_new_object();
		list = json_new_array();
		json_add(typed, "L", list);
	}
	for (cJSON *n = list->child; n; n = next) {
		next = n->next;
		if (!wanted(n))
			cJSON_Delete(cJSON_DetachItemViaPointer(list, n));
	}
	return typed;
}

static bool may_replace_history(const cJSON *item)
{
	const cJSON *h = attribute(item, "history");

	return !h || cJSON_IsArray(attribute(h, "L")) || attribute(h, "NULL");
}

int profile_load(struct profile *p, cJSON *item, struct err *e)
{
	static const char *const counters[] = { "version", "applied", "updated_at" };

	memset(p, 0, sizeof(*p));
	p->item = item;
	if (!may_replace_history(item))
		return err_set(e, ERR_FAILED, "bad-profile", "history of the stored profile is no list");
	p->had_version = attribute(item, "version") != NULL;
	if (p->had_version && (!av_get_int(item, "version", &p->version) || p->version < 0))
		return err_set(
			e, ERR_FAILED, "bad-profile", "version of the stored profile is no whole number");
	p->history = take_list(item, "history", is_map);
	p->marks = take_list(item, "marks", is_map);
	p->recent_ids = take_list(item, "recent_ids", is_string);
	if (!av_get_int(item, "applied", &p->applied) || p->applied < 0)
		p->applied = cJSON_GetArraySize(attribute(p->history, "L"));
	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		cJSON_DeleteItemFromObjectCaseSensitive(item, counters[i]);
	p->base_size = item ? av_item_size(item) : 0;
	history_sort(attribute(p->history, "L"));
	return 0;
}

void profile_release(struct profile *p)
{
	cJSON_Delete(p->item);
	cJSON_Delete(p->history);
	cJSON_Delete(p->marks);
	cJSON_Delete(p->recent_ids);
	memset(p, 0, sizeof(*p));
}

cJSON *profile_changes(const struct profile *p, int64_t now_us)
{
	cJSON *ch = json_new_object();
	char now[TIME_TEXT];

	time_format_us(now_us, now);
	json_add(ch, "history", cJSON_Duplicate(p->history, true));
	json_add(ch, "version", av_n(p->version));
	json_add(ch, "applied", av_n(p->applied));
	json_add(ch, "marks", cJSON_Duplicate(p->marks, true));
	json_add(ch, "recent_ids", cJSON_Duplicate(p->recent_ids, true));
	json_add(ch, "updated_at", av_s(now));
	return ch;
}

static const cJSON *newest(const cJSON *item, const char *name)
{
	const cJSON *list = av_get(item, name, "L");

	return list && list->child ? list->child->prev : NULL;
}

bool profile_wrote(const cJSON *item, int64_t version, const struct event *ev)
{
	int64_t stored;

	if (!av_get_int(item, "version", &stored) || stored != version)
		return false;
	if (ev->event_id_text) {
		const char *id = json_str(newest(item, "recent_ids"), "S");

		return id && !strcmp(id, ev->event_id_text);
	}
	return mark_covers(newest(item, "marks"), &ev->source) == MARK_AT;
}

const cJSON *profile_preferences(const struct profile *p)
{
	return attribute(p->item, "preferences");
}
