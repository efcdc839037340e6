/* new_event.c - an event line from separate values. */
#include "rec/new_event.h"
#include "base/json.h"
#include "base/mem.h"
#include <string.h>

static int add_text(struct buf *out, const char *name, const char *value, struct err *e)
{
	if (!value)
		return 0;
	if (!utf8_valid(value, strlen(value)))
		return err_set(e, ERR_USAGE, "", "%s is no UTF-8: %s", name, value);
	buf_str(out, out->p[out->len - 1] == '{' ? "" : ",");
	json_quote_str(out, name);
	buf_char(out, ':');
	json_quote_str(out, value);
	return 0;
}

static int add_meta(struct buf *out, const struct new_event *in, size_t i, struct err *e)
{
	const char *m = in->meta[i], *eq = strchr(m, '=');
	size_t n = eq ? (size_t)(eq - m) : 0;

	if (!n)
		return err_set(e, ERR_USAGE, "", "no NAME=VALUE: %s", m);
	if (!utf8_valid(m, strlen(m)))
		return err_set(e, ERR_USAGE, "", "no UTF-8: %s", m);
	for (size_t k = 0; k < i; k++)
		if (strncmp(in->meta[k], m, n + 1) == 0)
			return err_set(e, ERR_USAGE, "", "%.*s is there twice", (int)(n < 100 ? n : 100), m);
	buf_str(out, i ? "," : ",\"metadata\":{");
	json_quote(out, m, n);
	buf_char(out, ':');
	if (json_scan(eq + 1, strlen(eq + 1), NULL, NULL) == 0)
		buf_str(out, eq + 1);
	else
		json_quote_str(out, eq + 1);
	return 0;
}

int new_event_line(struct buf *out, const struct new_event *in, struct err *e)
{
	const char *const texts[][2] = { { "event_id", in->event_id }, { in->key_name, in->key },
		{ "item_id", in->item_id }, { "event_type", in->event_type },
		{ "timestamp", in->timestamp } };

	buf_char(out, '{');
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (add_text(out, texts[i][0], texts[i][1], e))
			return -1;
	for (size_t i = 0; i < in->nmeta; i++)
		if (add_meta(out, in, i, e))
			return err_prefix(e, "metadata: ");
	buf_str(out, in->nmeta ? "}}" : "}");
	return out->over ? err_set(e, ERR_USAGE, "", "event is too long") : 0;
}
