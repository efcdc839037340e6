/* member.c - the texts of scanned members, unescaped into one block. */
#include "rec/member.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

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

/* The code unit of the \uXXXX at s (already scanned), or -1 when no such escape stands there. */
static long code_unit(const char *s, const char *end)
{
	char hex[5] = "";

	if (end - s < 6 || s[0] != '\\' || s[1] != 'u')
		return -1;
	memcpy(hex, s + 2, 4);
	return strtol(hex, NULL, 16);
}

/* JSON's grammar allows half a surrogate pair as an escape, UTF-8 has no form for it. */
static bool has_lone_surrogate(const char *s, size_t n)
{
	for (const char *end = s + n; s < end;) {
		long u = code_unit(s, end);

		if (*s != '\\') {
			s++;
			continue;
		}
		if (u >= 0xdc00 && u <= 0xdfff)
			return true;
		if (u >= 0xd800 && u <= 0xdbff) {
			long low = code_unit(s + 6, end);

			if (low < 0xdc00 || low > 0xdfff)
				return true;
			s += 6;
		}
		s += u < 0 ? 2 : 6;
	}
	return false;
}

static const char *unescape(struct text_block *b, const char *value, size_t n)
{
	struct buf tmp = BUF_INIT(n);
	bool nul = false;
	const char *why = NULL;

	if (has_lone_surrogate(value + 1, n - 2))
		return "half of a surrogate pair";
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
