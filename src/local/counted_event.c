/* counted_event.c - pick an interaction out of a record's bytes, which may be anything. */
#include "local/counted_event.h"

#include <string.h>

#include "base/json.h"
#include "local/counts.h"
#include "rec/text.h"

#define TYPE_CHARS 64

/* A string (or a number's text) of 1..max characters without controls; NULL else. */
static const char *text_of(struct arena *a, const char *data, const struct json_member *m, size_t max)
{
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	const char *out = NULL;
	size_t chars = 0, i = 0;
	uint32_t cp = 0;
	bool nul = false;

	if (m->type == JSON_NUMBER)
		buf_add(&text, data + m->off, m->len);
	else if (m->type != JSON_STRING || !json_unescape(&text, data + m->off, m->len, &nul))
		nul = true;
	while (!nul && i < text.len && chars <= max) {
		i += text_next(text.p + i, text.len - i, &cp);
		nul = cp == TEXT_BAD || text_is_control(cp);
		chars++;
	}
	if (!nul && chars >= 1 && chars <= max)
		out = arena_dup(a, text.p, text.len);
	buf_release(&text);
	return out;
}

/* It becomes part of a list with spaces and colons. */
static bool type_ok(const char *type)
{
	return type &&
	       !type[strspn(type, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")];
}

static const char *category_of(struct arena *a, const char *data, const struct json_member *metadata)
{
	struct json_member m = { .name = "category" };
	struct json_object obj;
	const char *inner = data + metadata->off;

	if (metadata->type != JSON_OBJECT || json_scan_object(inner, metadata->len, &m, 1, &obj, NULL))
		return "";
	const char *text = text_of(a, inner, &m, COUNTS_ID_CHARS);
	return text ? text : "";
}

bool counted_event(
	struct arena *a, const char *data, size_t n, const char *key_name, struct counted_event *out)
{
	struct json_member m[] = { { .name = "item_id" }, { .name = "event_type" }, { .name = "metadata" },
		{ .name = key_name } };
	struct json_object obj;

	*out = (struct counted_event){ 0 };
	if (json_scan_object(data, n, m, ARRAY_LEN(m), &obj, NULL))
		return false;
	out->item = text_of(a, data, &m[0], COUNTS_ID_CHARS);
	out->type = text_of(a, data, &m[1], TYPE_CHARS);
	if (!out->item || !type_ok(out->type))
		return false;
	out->category = category_of(a, data, &m[2]);
	out->key = text_of(a, data, &m[3], COUNTS_ID_CHARS);
	return true;
}
