/* event.c - check one event line, complete it, put its position on it. */
#include "rec/event.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rec/member.h"
#include "rec/text.h"
#include <stdlib.h>
#include <string.h>

enum { KEY, ID, ITEM, TYPE, TIME, METADATA, SOURCE, DATA, WANTED };

static int refuse(struct err *e, const char *name, const char *what)
{
	return err_set(e, ERR_REFUSED, "bad-event", "%s %s", name, what);
}

/* One pass over the line. KEY may be one of the other members (--key item_id): both then stand for
 * the same one. */
static int scan(struct event *ev, const char *line, size_t n, const char *key_name, struct err *e)
{
	struct json_member want[WANTED] = { { .name = key_name }, { .name = "event_id" },
		{ .name = "item_id" }, { .name = "event_type" }, { .name = "timestamp" },
		{ .name = "metadata" }, { .name = "_source" }, { .name = "data_b64" } };
	struct json_member *const into[WANTED] = { &ev->key, &ev->event_id, &ev->item_id, &ev->event_type,
		&ev->timestamp, &ev->metadata, &ev->source_m, &ev->data_b64 };
	int same = 0;

	for (int i = ID; i < WANTED; i++)
		if (!strcmp(want[i].name, key_name))
			same = i;
	if (member_scan(line, n, want + (same != 0), WANTED - (same != 0), &ev->obj, "", e))
		return -1;
	if (same)
		want[KEY] = want[same];
	for (int i = KEY; i < WANTED; i++)
		*into[i] = want[i];
	return 0;
}

static bool nothing_of_an_event(const struct event *ev)
{
	return ev->key.type == JSON_NONE && ev->event_id.type == JSON_NONE && ev->item_id.type == JSON_NONE &&
	       ev->event_type.type == JSON_NONE && ev->timestamp.type == JSON_NONE &&
	       ev->metadata.type == JSON_NONE && ev->data_b64.type == JSON_NONE;
}

static int check_source(struct event *ev, const char *line, struct err *e)
{
	if (ev->source_m.type == JSON_NONE)
		return 0;
	if (ev->source_m.type != JSON_OBJECT)
		return member_type_error(e, "", &ev->source_m, "an object");
	if (source_parse(&ev->source, line + ev->source_m.off, ev->source_m.len, e))
		return -1;
	ev->is_mark = ev->source.mark && nothing_of_an_event(ev);
	return 0;
}

static int check_types(const struct event *ev, unsigned need, struct err *e)
{
	const struct json_member *const strings[] = { &ev->key, &ev->event_id, &ev->item_id, &ev->event_type,
		&ev->timestamp };
	const unsigned needed[] = { EVENT_NEED_KEY, EVENT_NEED_ID, 0, 0, EVENT_NEED_TIME };

	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		const struct json_member *m = strings[i];

		if (m->type == JSON_NONE && (need & needed[i]))
			return refuse(e, m->name, "is missing");
		if (m->type != JSON_NONE && m->type != JSON_STRING)
			return member_type_error(e, "", m, "a string");
		if (m->type == JSON_STRING && m->len == 2)
			return refuse(e, m->name, "is empty");
	}
	if (ev->metadata.type != JSON_NONE && ev->metadata.type != JSON_NULL &&
		ev->metadata.type != JSON_OBJECT)
		return member_type_error(e, "", &ev->metadata, "an object");
	return 0;
}

static int check_length(const char *name, const char *text, size_t max, struct err *e)
{
	size_t n = strlen(text);
	size_t chars = n > max ? text_chars(text, n) : 0;

	if (chars > max)
		return err_set(
			e, ERR_REFUSED, "bad-event", "%s is %zu characters, more than %zu", name, chars, max);
	return 0;
}

static int check_key(const struct event *ev, struct err *e)
{
	const char *s = ev->key_text;
	uint32_t cp;

	if (!s)
		return 0;
	if (check_length(ev->key.name, s, KEY_MAX_CHARS, e))
		return -1;
	for (size_t n = strlen(s), step; n; s += step, n -= step) {
		step = text_next(s, n, &cp);
		if (text_is_control(cp))
			return refuse(e, ev->key.name, "holds a control character");
	}
	return 0;
}

static bool in_event_type(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '.' || c == '-';
}

static int check_event_type(const char *line, const struct json_member *m, struct err *e)
{
	char shown[200], text[128];
	size_t n, i = 0;

	if (m->type == JSON_NONE)
		return 0;
	n = m->len - 2;
	while (i < n && i < 65 && in_event_type(line[m->off + 1 + i]))
		i++;
	if (n <= 64 && i == n)
		return 0;
	if (n > sizeof(text) - 1)
		n = sizeof(text) - 1;
	memcpy(text, line + m->off + 1, n);
	text[n] = '\0';
	return err_set(e, ERR_REFUSED, "bad-event", "event_type %s is not 1 to 64 of A-Z a-z 0-9 _ . -",
		key_for_message(text, shown));
}

/* Where metadata.category stands, if it can be said in one text. */
static int find_category(
	const struct event *ev, const char *line, struct json_member *category, struct err *e)
{
	struct json_object obj;

	category->name = "category";
	category->type = JSON_NONE;
	if (ev->metadata.type != JSON_OBJECT)
		return 0;
	if (member_scan(line + ev->metadata.off, ev->metadata.len, category, 1, &obj, "metadata.", e))
		return -1;
	if (category->type == JSON_NULL || category->type == JSON_ARRAY || category->type == JSON_OBJECT)
		category->type = JSON_NONE;
	return 0;
}

static int read_texts(struct event *ev, const char *line, unsigned need, struct err *e)
{
	struct json_member category = { .type = JSON_NONE };
	bool all = need & (EVENT_TEXTS | EVENT_STORED);
	struct text_block b = { 0 };
	size_t room = member_room(&ev->key) + member_room(&ev->event_id) + member_room(&ev->timestamp);

	if (all && find_category(ev, line, &category, e))
		return -1;
	if (all)
		room += member_room(&ev->item_id) + member_room(&ev->event_type) + member_room(&category);
	if (!room)
		return 0;
	ev->texts = b.p = mem_realloc(NULL, room);
	if (member_text(&b, line, &ev->key, "", &ev->key_text, e) ||
		member_text(&b, line, &ev->event_id, "", &ev->event_id_text, e) ||
		member_text(&b, line, &ev->timestamp, "", &ev->timestamp_text, e))
		return -1;
	if (!all)
		return 0;
	if (member_text(&b, line, &ev->item_id, "", &ev->item_text, e) ||
		member_text(&b, line, &ev->event_type, "", &ev->type_text, e))
		return -1;
	return member_text(&b, line + ev->metadata.off, &category, "metadata.", &ev->category, e);
}

static int check_time(struct event *ev, struct err *e)
{
	char shown[200];

	if (!ev->timestamp_text || time_parse(ev->timestamp_text, strlen(ev->timestamp_text), &ev->time_us))
		return 0;
	return err_set(e, ERR_REFUSED, "bad-event", "timestamp %s is no RFC 3339 time",
		key_for_message(ev->timestamp_text, shown));
}

/* Nothing but data_b64 and perhaps _source: an event that happens to have a data_b64 of its own is
 * an event. */
static int check_data(struct event *ev, unsigned need, struct err *e)
{
	ev->is_data = ev->data_b64.type == JSON_STRING && ev->key.type == JSON_NONE &&
		      ev->obj.members == 1 + (ev->source_m.type != JSON_NONE);
	if (ev->is_data && !(need & EVENT_DATA_OK) &&
		(need & (EVENT_NEED_KEY | EVENT_NEED_ID | EVENT_NEED_TIME)))
		return err_set(e, ERR_REFUSED, "bad-event",
			"%s is missing: the line holds data_b64, a record that was no event", ev->key.name);
	return 0;
}

int event_parse(
	struct event *ev, const char *line, size_t n, const char *key_name, unsigned need, struct err *e)
{
	memset(ev, 0, sizeof(*ev));
	if (scan(ev, line, n, key_name, e) || check_source(ev, line, e))
		return -1;
	if (ev->is_mark)
		return 0;
	if (check_data(ev, need, e))
		return -1;
	if (ev->is_data)
		return 0;
	if (check_types(ev, need, e) || check_event_type(line, &ev->event_type, e) ||
		read_texts(ev, line, need, e) || check_key(ev, e))
		return -1;
	if (ev->event_id_text && check_length("event_id", ev->event_id_text, EVENT_ID_MAX, e))
		return -1;
	return check_time(ev, e);
}

void event_release(struct event *ev)
{
	source_release(&ev->source);
	free(ev->texts);
	memset(ev, 0, sizeof(*ev));
}

/* The object up to its last brace, without the member `cut`; *members is what is left of them. */
static bool open_object(struct buf *out, const char *line, const struct json_object *obj,
	const struct json_member *cut, size_t *members)
{
	size_t brace = obj->off + obj->len - 1, from = obj->off;

	*members = obj->members;
	if (cut && cut->type != JSON_NONE) {
		buf_add(out, line + from, cut->cut_off - from);
		from = cut->cut_off + cut->cut_len;
		--*members;
	}
	return buf_add(out, line + from, brace - from);
}

static void add_string(struct buf *out, size_t *members, const char *name, const char *value)
{
	buf_str(out, (*members)++ ? ",\"" : "\"");
	buf_str(out, name);
	buf_str(out, "\":");
	json_quote_str(out, value);
}

bool event_complete(struct buf *out, const struct event *ev, const char *line, const char *event_id,
	const char *timestamp)
{
	size_t members;

	open_object(out, line, &ev->obj, &ev->source_m, &members);
	if (event_id && ev->event_id.type == JSON_NONE)
		add_string(out, &members, "event_id", event_id);
	if (timestamp && ev->timestamp.type == JSON_NONE)
		add_string(out, &members, "timestamp", timestamp);
	return buf_char(out, '}') && !out->over;
}

bool line_with_source(struct buf *out, const char *line, const struct json_object *obj,
	const struct json_member *old, const char *source, size_t n)
{
	size_t members;

	open_object(out, line, obj, old, &members);
	buf_str(out, members ? ",\"_source\":" : "\"_source\":");
	buf_add(out, source, n);
	return buf_char(out, '}') && !out->over;
}

const char *key_for_message(const char *key, char out[200])
{
	/* 60 characters of 4 bytes do not fit beside quotes and an ellipsis: the bytes bound it, too. */
	const size_t room = 200 - sizeof("\"...\"") - 4;
	size_t n = strlen(key), at = 0, step;
	uint32_t cp;

	out[at++] = '"';
	for (unsigned chars = 0; n; key += step, n -= step, chars++) {
		step = text_next(key, n, &cp);
		if (chars == 60 || at > room) {
			memcpy(out + at, "...", 3);
			at += 3;
			break;
		}
		if (text_is_hostile(cp)) {
			out[at++] = '?';
			continue;
		}
		if (cp == '"' || cp == '\\')
			out[at++] = '\\';
		memcpy(out + at, key, step);
		at += step;
	}
	out[at++] = '"';
	out[at] = '\0';
	return out;
}
