/* letter.c - the line in a dead letter. */
#include "rec/letter.h"

#include "base/digest.h"
#include "base/json.h"

static int payload(struct buf *line, const char *letter, const struct json_member *data,
	const struct json_member *b64, struct err *e)
{
	bool nul = false;
	if (data->type == JSON_STRING && json_unescape(line, letter + data->off, data->len, &nul))
		return 0;
	if (b64->type == JSON_STRING && b64_decode(line, letter + b64->off + 1, b64->len - 2))
		return 0;
	return err_set(e, ERR_REFUSED, "bad-letter", "no dead letter: it has neither data nor data_b64");
}

/* The event_id that the line was given on its way, where it has none: it may have been stored under it. */
static int give_id(struct buf *line, const struct json_object *obj, const char *letter,
	const struct json_member *id, struct err *e)
{
	struct buf tail = BUF_INIT(BUF_MAX_SMALL);
	line->len = obj->off + obj->len - 1;
	buf_str(&tail, obj->members ? ",\"event_id\":" : "\"event_id\":");
	buf_add(&tail, letter + id->off, id->len);
	buf_char(&tail, '}');
	bool fits = !tail.over && buf_add(line, tail.p, tail.len);
	buf_release(&tail);
	return fits ? 0 : err_set(e, ERR_REFUSED, "line-too-long", "the line in it is too long");
}

static int scan_line(const struct buf *line, struct json_object *obj, struct json_member *source,
	bool *has_id, struct err *e)
{
	struct json_member m[] = { { .name = "_source" }, { .name = "event_id" } };
	if (json_scan_object(line->p ? line->p : "", line->len, m, 2, obj, e))
		return err_prefix(e, "the line in it: ");
	*source = m[0];
	*has_id = m[1].type != JSON_NONE;
	return 0;
}

int letter_line(struct buf *line, struct json_object *obj, struct json_member *source, const char *letter,
	size_t n, struct err *e)
{
	struct json_member m[] = { { .name = "command" }, { .name = "data" }, { .name = "data_b64" },
		{ .name = "truncated" }, { .name = "event_id" } };
	struct json_object whole;
	bool has_id;
	if (json_scan_object(letter, n, m, 5, &whole, e))
		return -1;
	if (m[0].type != JSON_STRING)
		return err_set(e, ERR_REFUSED, "bad-letter", "no dead letter: it names no command");
	if (m[3].type == JSON_TRUE)
		return err_set(e, ERR_REFUSED, "bad-letter", "the line in it was too long and has been cut");
	if (payload(line, letter, &m[1], &m[2], e))
		return -1;
	if (scan_line(line, obj, source, &has_id, e))
		return -1;
	if (has_id || m[4].type != JSON_STRING)
		return 0;
	return give_id(line, obj, letter, &m[4], e) ? -1 : scan_line(line, obj, source, &has_id, e);
}
