/* history.c - entries in event-time order, marks of shards. */
#include "rec/history.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rec/profile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse(const char *s, int64_t *us)
{
	return s && time_parse(s, strlen(s), us);
}

static bool entry_time(const cJSON *entry, int64_t *us)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(entry, "M");

	return parse(av_get_s(m, "ordered_at"), us) || parse(av_get_s(m, "timestamp"), us);
}

struct placed {
	cJSON *node;
	int64_t us;
	size_t index;
};

static int by_time(const void *va, const void *vb)
{
	const struct placed *a = va, *b = vb;

	if (a->us != b->us)
		return a->us < b->us ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

void history_sort(cJSON *list)
{
	size_t n = (size_t)cJSON_GetArraySize(list), i = 0;
	struct placed *all = mem_array(n, sizeof(*all));
	bool sorted = true;
	int64_t last = INT64_MIN;
	cJSON *node;

	cJSON_ArrayForEach(node, list)
	{
		all[i] = (struct placed){ node, last, i };
		entry_time(node, &all[i].us);
		sorted = sorted && all[i].us >= last;
		last = all[i++].us;
	}
	if (!sorted) {
		qsort(all, n, sizeof(*all), by_time);
		for (i = 0; i < n; i++)
			cJSON_DetachItemViaPointer(list, all[i].node);
		for (i = 0; i < n; i++)
			cJSON_AddItemToArray(list, all[i].node);
	}
	free(all);
}

int history_place(const cJSON *list, int64_t time_us)
{
	int i = cJSON_GetArraySize(list), behind_run = -1;

	for (const cJSON *n = list->child ? list->child->prev : NULL; i > 0; i--, n = n->prev) {
		int64_t us;

		if (!entry_time(n, &us)) {
			behind_run = behind_run < 0 ? i : behind_run;
			continue;
		}
		if (us <= time_us)
			return behind_run < 0 ? i : behind_run;
		behind_run = -1;
	}
	return behind_run < 0 ? 0 : behind_run;
}

void history_insert(cJSON *list, int place, cJSON *entry)
{
	cJSON *next = list->child;

	for (; place > 0 && next; place--)
		next = next->next;
	if (!next) {
		cJSON_AddItemToArray(list, entry);
		return;
	}
	entry->next = next;
	entry->prev = next->prev; /* of the first one: the last */
	next->prev = entry;
	if (list->child == next)
		list->child = entry;
	else
		entry->prev->next = entry;
}

bool history_holds(const cJSON *list, const char *event_id)
{
	const cJSON *n;

	cJSON_ArrayForEach(n, list)
	{
		const char *id = av_get_s(cJSON_GetObjectItemCaseSensitive(n, "M"), "event_id");

		if (id && !strcmp(id, event_id))
			return true;
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static int check_names(const cJSON *object, struct err *e)
{
	size_t n = (size_t)cJSON_GetArraySize(object), i = 0;
	const cJSON **names, *c;
	char shown[200];
	int rc = 0;

	if (n < 2)
		return 0;
	names = mem_array(n, sizeof(*names));
	cJSON_ArrayForEach(c, object) names[i++] = c;
	qsort(names, n, sizeof(*names), by_name);
	for (i = 1; !rc && i < n; i++)
		if (!strcmp(names[i - 1]->string, names[i]->string))
			rc = err_set(e, ERR_REFUSED, "bad-event",
				"metadata holds %s twice in one object, which a profile cannot keep",
				key_for_message(names[i]->string, shown));
	free(names);
	return rc;
}

/* What DynamoDB would refuse for ever, found before it is asked. */
static int check_storable(const cJSON *tree, int depth, struct err *e)
{
	const cJSON *c;

	if (!cJSON_IsObject(tree) && !cJSON_IsArray(tree))
		return 0;
	if (depth > PROFILE_MAX_DEPTH)
		return err_set(e, ERR_REFUSED, "bad-event",
			"metadata is nested deeper than the %d levels that a profile can keep",
			PROFILE_MAX_DEPTH);
	if (cJSON_IsObject(tree) && check_names(tree, e))
		return -1;
	cJSON_ArrayForEach(c, tree) if (check_storable(c, depth + 1, e)) return -1;
	return 0;
}

static cJSON *new_map(cJSON *inner)
{
	cJSON *typed = json_new_object();

	json_add(typed, "M", inner);
	return typed;
}

static cJSON *typed_metadata(const struct event *ev, const char *line, struct err *e)
{
	cJSON *plain, *typed = NULL;

	if (ev->metadata.type != JSON_OBJECT) {
		return new_map(json_new_object());
	}
	plain = json_tree(line + ev->metadata.off, ev->metadata.len, e);
	if (!plain) {
		err_prefix(e, "metadata: ");
		return NULL;
	}
	if (!check_storable(plain, 1, e)) {
		typed = av_from_json(plain);
		if (!typed)
			err_set(e, ERR_INTERNAL, "bad-event", "metadata has no stored form");
	}
	cJSON_Delete(plain);
	return typed;
}

static void add(cJSON *m, const char *name, const char *text)
{
	if (text)
		json_add(m, name, av_s(text));
}

cJSON *history_entry(
	const struct event *ev, const char *line, int64_t now_us, int64_t *time_us, struct err *e)
{
	int64_t arrival = ev->source.arrival_us ? ev->source.arrival_us : now_us;
	cJSON *metadata = typed_metadata(ev, line, e), *m;
	bool by_arrival = !ev->timestamp_text || (ev->source.arrival_us && arrival < ev->time_us);
	char ordered_at[TIME_TEXT];

	if (!metadata)
		return NULL;
	*time_us = by_arrival ? arrival : ev->time_us;
	m = json_new_object();
	add(m, "event_id", ev->event_id_text);
	add(m, "item_id", ev->item_text);
	add(m, "event_type", ev->type_text);
	add(m, "timestamp", ev->timestamp_text);
	json_add(m, "metadata", metadata);
	if (by_arrival) {
		time_format_us(arrival, ordered_at);
		add(m, "ordered_at", ordered_at);
	}
	return new_map(m);
}

/* Sequence numbers are decimals of up to 128 bits and more: by length, then by digits. False: not
 * comparable. */
static bool compare_sequence(const char *a, const char *b, int *order)
{
	size_t na, nb;

	if (a[strspn(a, "0123456789")] || b[strspn(b, "0123456789")]) {
		*order = 0;
		return !strcmp(a, b);
	}
	a += strspn(a, "0");
	b += strspn(b, "0");
	na = strlen(a);
	nb = strlen(b);
	*order = na != nb ? (na < nb ? -1 : 1) : strcmp(a, b);
	return true;
}

static bool has_position(const struct source *s)
{
	return s->present && s->shard_id && s->sequence_number;
}

static bool same_shard(const char *name, const struct source *s)
{
	const char *stream = s->stream ? s->stream : "";
	size_t n = strlen(stream);

	return name && !strncmp(name, stream, n) && name[n] == '/' && !strcmp(name + n + 1, s->shard_id);
}

enum mark_relation mark_covers(const cJSON *mark, const struct source *s)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(mark, "M");
	const char *sequence = av_get_s(m, "sequence"), *sub = av_get_n(m, "subsequence");
	uint64_t mark_sub;
	int order;

	if (!has_position(s) || !sequence || !same_shard(av_get_s(m, "shard"), s) ||
		!compare_sequence(s->sequence_number, sequence, &order))
		return MARK_OTHER;
	mark_sub = sub ? strtoull(sub, NULL, 10) : 0;
	if (!order)
		order = s->subsequence < mark_sub ? -1 : s->subsequence > mark_sub;
	return order < 0 ? MARK_BELOW : order ? MARK_ABOVE : MARK_AT;
}

static cJSON *new_mark(const struct source *s)
{
	cJSON *m = json_new_object();
	const char *stream = s->stream ? s->stream : "";
	size_t n = strlen(stream) + strlen(s->shard_id) + 2;
	char *name = mem_alloc(n), sub[24];

	snprintf(name, n, "%s/%s", stream, s->shard_id);
	snprintf(sub, sizeof(sub), "%llu", (unsigned long long)s->subsequence);
	add(m, "shard", name);
	add(m, "sequence", s->sequence_number);
	json_add(m, "subsequence", av_n_text(sub));
	free(name);
	return new_map(m);
}

void marks_move(cJSON *list, const struct source *s, int max)
{
	cJSON *next;

	if (!has_position(s))
		return;
	for (cJSON *n = list->child; n; n = next) {
		next = n->next;
		if (same_shard(av_get_s(cJSON_GetObjectItemCaseSensitive(n, "M"), "shard"), s))
			cJSON_Delete(cJSON_DetachItemViaPointer(list, n));
	}
	cJSON_AddItemToArray(list, new_mark(s));
	while (cJSON_GetArraySize(list) > max)
		cJSON_DeleteItemFromArray(list, 0);
}
