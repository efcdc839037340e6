/* prompt_lines.c - read back the lines of interactions in a prompt. */
#include "local/prompt_lines.h"

#include <string.h>

#include "base/json.h"

#define TYPE_MAX 64

static size_t word(const char *p, const char *end)
{
	const char *s = p;

	while (s<end && * s> ' ' && *s != '=' && *s != '"')
		s++;
	return (size_t)(s - p);
}

/* The length of a quoted value with its quotes; 0 when it does not end. */
static size_t quoted(const char *p, const char *end)
{
	for (const char *s = p + 1; s < end; s++) {
		if (*s == '\\')
			s++;
		else if (*s == '"')
			return (size_t)(s + 1 - p);
	}
	return 0;
}

static const char *value_text(struct arena *a, const char *p, size_t n)
{
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	const char *out = NULL;
	bool nul = false;

	if (*p != '"')
		return arena_dup(a, p, n);
	/* Scanned first: the template of somebody else may quote in another way. */
	if (json_scan(p, n, NULL, NULL) == 0 && json_unescape(&text, p, n, &nul) && !nul)
		out = arena_dup(a, text.p ? text.p : "", text.len);
	buf_release(&text);
	return out;
}

/* One line without "- " in front and without its end. */
static bool parse_line(struct arena *a, const char *p, const char *end, struct rank_recent *r)
{
	size_t n = word(p, end);

	*r = (struct rank_recent){ .category = "", .age_s = -1 };
	if (n < 1 || n > TYPE_MAX || (p + n < end && p[n] != ' '))
		return false;
	r->type = arena_dup(a, p, n);
	for (p += n; p < end;) {
		while (p < end && *p == ' ')
			p++;
		const char *name = p;
		size_t len = word(p, end);
		p += len;
		if (len == 0 || p >= end || *p++ != '=')
			break;
		size_t vlen = p < end && *p == '"' ? quoted(p, end) : word(p, end);
		if (vlen == 0)
			break;
		const char *value = value_text(a, p, vlen);
		p += vlen;
		if (value && len == 4 && !memcmp(name, "item", 4))
			r->item_id = value;
		else if (value && len == 8 && !memcmp(name, "category", 8))
			r->category = value;
	}
	return r->item_id && *r->item_id;
}

size_t prompt_lines(struct arena *a, const char *prompt, size_t n, struct rank_recent out[PROMPT_LINES_MAX])
{
	const char *end = prompt + n;
	size_t have = 0;

	for (const char *p = prompt; p < end;) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		struct rank_recent r;
		if (!eol)
			eol = end;
		if (eol - p > 2 && p[0] == '-' && p[1] == ' ' && parse_line(a, p + 2, eol, &r)) {
			if (have == PROMPT_LINES_MAX)
				memmove(out, out + 1, --have * sizeof *out);
			out[have++] = r;
		}
		p = eol + 1;
	}
	return have;
}
