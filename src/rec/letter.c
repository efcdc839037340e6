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

int letter_line(struct buf *line, struct json_object *obj, struct json_member *source, const char *letter,
	size_t n, struct err *e)
{
	struct json_member m[] = { { .name = "command" }, { .name = "data" }, { .name = "data_b64" },
		{ .name = "truncated" } };
	struct json_object whole;
	*source = (struct json_member){ .name = "_source" };
	if (json_scan_object(letter, n, m, 4, &whole, e))
		return -1;
	if (m[0].type != JSON_STRING)
		return err_set(e, ERR_REFUSED, "bad-letter", "no dead letter: it names no command");
	if (m[3].type == JSON_TRUE)
		return err_set(e, ERR_REFUSED, "bad-letter", "the line in it was too long and has been cut");
	if (payload(line, letter, &m[1], &m[2], e))
		return -1;
	if (json_scan_object(line->p ? line->p : "", line->len, source, 1, obj, e))
		return err_prefix(e, "the line in it: ");
	return 0;
}
