/* member.c - the texts of scanned members, unescaped into one block. */
#include "rec/member.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

int member_scan(const char *s, size_t n, struct json_member *want, size_t nwant, struct json_object *obj,
	const char *prefix, struct err *e)
{
	struct json_object whole;

	if (!json_scan_object(s, n, want, nwant, obj, e))
		return 0;
	if (json_scan_object(s, n, NULL, 0, &whole, NULL))
		return -1; /* no member's fault */
	for (size_t i = 0; i < nwant; i++) {
		struct json_member alone = { .name = want[i].name };

		if (json_scan_object(s, n, &alone, 1, &whole, NULL))
			return err_set(
				e, ERR_REFUSED, "bad-event", "%s%s is there twice", prefix, alone.name);
	}
	return -1;
}

size_t member_room(const struct json_member *m)
{
	return m->type == JSON_NONE ? 0 : m->len + 1;
}

static const char *type_name(enum json_type t)
{
	static const char *const names[] = { "missing", "null", "false", "true", "a number", "a string",
		"an array", "an object" };

	return names[t];
}

int member_type_error(struct err *e, const char *prefix, const struct json_member *m, const char *wanted)
{
	return err_set(e, ERR_REFUSED, "bad-event", "%s%s is %s, not %s", prefix, m->name, type_name(m->type),
		wanted);
}

static const char *unescape(struct text_block *b, const char *value, size_t n)
{
	struct buf tmp = BUF_INIT(n);
	bool nul = false;
	const char *why = NULL;

	if (!json_unescape(&tmp, value, n, &nul))
		why = "a string that cannot be read";
	else if (nul)
		why = "U+0000";
	else if (tmp.len)
		memcpy(b->p + b->used, tmp.p, tmp.len);
	b->used += tmp.len;
	buf_release(&tmp);
	return why;
}

int member_text(struct text_block *b, const char *json, const struct json_member *m, const char *prefix,
	char **out, struct err *e)
{
	const char *v = json + m->off;
	size_t n = m->len;

	*out = NULL;
	if (m->type == JSON_NONE)
		return 0;
	*out = b->p + b->used;
	if (m->type == JSON_STRING && memchr(v, '\\', n)) {
		const char *why = unescape(b, v, n);

		if (why) {
			*out = NULL;
			return err_set(e, ERR_REFUSED, "bad-event", "%s%s holds %s", prefix, m->name, why);
		}
	} else {
		bool quoted = m->type == JSON_STRING;

		memcpy(b->p + b->used, v + quoted, n - 2 * quoted);
		b->used += n - 2 * quoted;
	}
	b->p[b->used++] = '\0';
	return 0;
}
