/* sigv4_canonical.c - path, query and headers in the one form that both ends of a signature compute. */
#include "net/sigv4_canonical.h"
#include "base/mem.h"
#include "net/sigv4.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is left of a path's segments, one after the other with a '/' in front of each. */
static bool normalise(struct buf *out, const char *path, size_t n)
{
	const char *end = path + n, *p = path;

	while (p < end) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t len = (size_t)((slash ? slash : end) - p);
		if (len == 2 && p[0] == '.' && p[1] == '.') {
			while (out->len && out->p[--out->len] != '/')
				;
		} else if (len && !(len == 1 && *p == '.')) {
			buf_char(out, '/');
			buf_add(out, p, len);
		}
		p += len + 1;
	}
	if (!out->len || path[n - 1] == '/')
		buf_char(out, '/');
	return !out->over;
}

bool canonical_path(struct buf *out, const char *path, size_t n, bool as_is)
{
	struct buf plain = BUF_INIT(BUF_MAX_SMALL);
	bool ok;

	if (!n)
		return buf_char(out, '/');
	if (as_is)
		return buf_add(out, path, n);
	ok = normalise(&plain, path, n) && uri_encode(out, plain.p, plain.len, true);
	buf_release(&plain);
	return ok;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo the sender's encoding and encode again, since a sender may write %2a, * or %2A for the same.
 * '+' is a plus here: only HTML forms mean a space by it. A '%' without two digits is itself. */
static char *encode_anew(struct arena *mem, const char *s, size_t n)
{
	struct buf enc = BUF_INIT(3 * BUF_MAX_SMALL);
	char *raw = arena_alloc(mem, n + 1), *out;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int hi = s[i] == '%' && i + 2 < n ? hex_digit(s[i + 1]) : -1;
		int lo = hi >= 0 ? hex_digit(s[i + 2]) : -1;
		raw[len] = s[i];
		if (lo >= 0) {
			raw[len] = (char)(hi * 16 + lo);
			i += 2;
		}
		len++;
	}
	out = uri_encode(&enc, raw, len, false) ? arena_dup(mem, enc.p ? enc.p : "", enc.len) : NULL;
	buf_release(&enc);
	return out;
}

struct param {
	char *name, *value;
};

/* Names are compared alone: "Param" comes before "Param-3" although '-' is less than '='. */
static int by_name_then_value(const void *a, const void *b)
{
	const struct param *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

static bool read_param(struct param *out, struct arena *mem, const char *p, size_t n)
{
	const char *eq = memchr(p, '=', n);
	size_t name_len = eq ? (size_t)(eq - p) : n;

	out->name = encode_anew(mem, p, name_len);
	out->value = eq ? encode_anew(mem, eq + 1, n - name_len - 1) : encode_anew(mem, "", 0);
	return out->name && out->value;
}

bool canonical_query(struct buf *out, const char *query, size_t n)
{
	const char *end = query + n, *p = query;
	struct arena mem = { 0 };
	struct param *params;
	size_t count = 0, max = 1;
	bool ok = n <= BUF_MAX_SMALL;

	for (size_t i = 0; i < n; i++)
		max += query[i] == '&';
	params = mem_array(max, sizeof *params);
	while (ok && p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		size_t len = (size_t)((amp ? amp : end) - p);
		if (len)
			ok = read_param(&params[count++], &mem, p, len);
		p += len + 1;
	}
	if (ok)
		qsort(params, count, sizeof *params, by_name_then_value);
	for (size_t i = 0; ok && i < count; i++)
		ok = buf_printf(out, "%s%s=%s", i ? "&" : "", params[i].name, params[i].value);
	free(params);
	arena_release(&mem);
	return ok;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Trimmed, each run of white space one space, inside quotes too. */
static void add_folded(struct buf *out, const char *value)
{
	const char *start = value + strspn(value, " \t\n\v\f\r");
	bool gap = false;

	for (const char *p = start; *p; p++) {
		if (is_blank(*p)) {
			gap = true;
			continue;
		}
		if (gap)
			buf_char(out, ' ');
		gap = false;
		buf_char(out, *p);
	}
}

static void add_lower(struct buf *out, const char *name)
{
	for (; *name; name++)
		buf_char(out, *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name);
}

/* Insertion sort: few elements, and equal names must keep their order. */
static void sort_headers(struct signed_header *h, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct signed_header x = h[i];
		size_t j = i;
		for (; j && strcasecmp(h[j - 1].name, x.name) > 0; j--)
			h[j] = h[j - 1];
		h[j] = x;
	}
}

bool canonical_headers(struct buf *lines, struct buf *names, struct signed_header *h, size_t n)
{
	sort_headers(h, n);
	for (size_t i = 0; i < n;) {
		const char *name = h[i].name;
		buf_str(names, i ? ";" : "");
		add_lower(names, name);
		add_lower(lines, name);
		buf_char(lines, ':');
		add_folded(lines, h[i++].value);
		for (; i < n && !strcasecmp(h[i].name, name); i++) {
			buf_char(lines, ',');
			add_folded(lines, h[i].value);
		}
		buf_char(lines, '\n');
	}
	return !lines->over && !names->over;
}
