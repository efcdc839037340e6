/* prompt_text.c - hostile values made fit to stand in a prompt. */
#include "rec/prompt_text.h"
#include "base/av.h"
#include "rec/text.h"
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

/* One unit of a rendered text, never cut apart: a character or an escape. */
struct unit {
	char text[13]; /* the longest is an escaped surrogate pair */
	size_t chars;
};

static char hex_digit(uint32_t v)
{
	return "0123456789abcdef"[v & 15];
}

static void add_escape(struct unit *u, uint32_t code_unit)
{
	char *p = u->text + u->chars;

	memcpy(p, "\\u", 2);
	for (int i = 0; i < 4; i++)
		p[2 + i] = hex_digit(code_unit >> (12 - 4 * i));
	p[6] = '\0';
	u->chars += 6;
}

/* The unit for one character; in_json: the text is JSON already, so quotes and backslashes in it
 * are its own. */
static struct unit unit_of(uint32_t cp, const char *bytes, size_t len, bool in_json)
{
	struct unit u = { .chars = 0 };

	if (!text_is_hostile(cp) && cp != '<' && cp != '>' && cp != '`') {
		bool escape = !in_json && (cp == '"' || cp == '\\');

		if (escape)
			u.text[0] = '\\';
		memcpy(u.text + escape, bytes, len);
		u.chars = 1 + (size_t)escape;
		return u;
	}
	if (cp == TEXT_BAD)
		cp = 0xfffd;
	if (cp > 0xffff) {
		add_escape(&u, 0xd800 + ((cp - 0x10000) >> 10));
		cp = 0xdc00 + ((cp - 0x10000) & 0x3ff);
	}
	add_escape(&u, cp);
	return u;
}

/* The bytes at s that belong together: an escape of JSON text, or one character. */
static size_t next_unit(const char *s, size_t n, bool in_json, struct unit *u)
{
	uint32_t cp;
	size_t len;

	if (in_json && *s == '\\' && n > 1) {
		len = s[1] == 'u' && n >= 6 ? 6 : 2;
		*u = (struct unit){ .chars = len };
		memcpy(u->text, s, len);
		return len;
	}
	len = text_next(s, n, &cp);
	*u = unit_of(cp, s, len, in_json);
	return len;
}

/* Units of s up to max characters; when they do not all fit, an ellipsis is the last of the max. */
static bool add_units(struct buf *out, const char *s, size_t n, size_t max, bool in_json)
{
	size_t chars = 0, cut_at = out->len;

	while (n) {
		struct unit u;
		size_t step = next_unit(s, n, in_json, &u);

		if (chars + u.chars > max) {
			if (out->p)
				out->p[out->len = cut_at] = '\0';
			return buf_str(out, ELLIPSIS);
		}
		buf_str(out, u.text);
		chars += u.chars;
		if (chars < max)
			cut_at = out->len;
		s += step;
		n -= step;
	}
	return !out->over;
}

static bool is_bare(const char *s, size_t n, size_t max)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";

	for (size_t i = 0; i < n; i++)
		if (!s[i] || !strchr(allowed, s[i]))
			return false;
	return n > 0 && n <= max;
}

bool prompt_string(struct buf *out, const char *s, size_t n, size_t max)
{
	if (is_bare(s, n, max))
		return buf_add(out, s, n);
	buf_char(out, '"');
	add_units(out, s, n, max - 2, false);
	return buf_char(out, '"');
}

bool prompt_json(struct buf *out, const cJSON *typed, size_t max)
{
	struct buf json = BUF_INIT(BUF_MAX_PROMPT);
	cJSON *plain = typed ? av_to_json(typed) : NULL;
	bool ok;

	if (plain)
		json_print(&json, plain);
	else
		buf_str(&json, "{}");
	ok = add_units(out, json.p, json.len, max, true);
	cJSON_Delete(plain);
	buf_release(&json);
	return ok;
}
