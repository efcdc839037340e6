/* json_text.c - JSON strings in and out: escapes undone, text quoted, lines made flat. */
#include "base/json.h"
#include "base/json_text.h"

static unsigned hex4(bytes p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (p[i] <= '9' ? p[i] - (unsigned)'0' : (p[i] | 0x20u) - 'a' + 10);
	return v;
}

static size_t utf8_put(unsigned char *o, uint32_t v)
{
	if (v < 0x80) {
		o[0] = (unsigned char)v;
		return 1;
	}
	size_t n = v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i; i--, v >>= 6)
		o[i] = (unsigned char)(0x80 | (v & 0x3f));
	o[0] = (unsigned char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | v);
	return n;
}

/* One escape of a scanned string: *p stands at its backslash, then behind it. */
static size_t undo_escape(bytes *p, unsigned char out[4])
{
	bytes q = *p + 1;
	uint32_t v;

	*p = q + 1;
	switch (*q) {
	case 'b': out[0] = '\b'; return 1;
	case 'f': out[0] = '\f'; return 1;
	case 'n': out[0] = '\n'; return 1;
	case 'r': out[0] = '\r'; return 1;
	case 't': out[0] = '\t'; return 1;
	case 'u': break;
	default: out[0] = *q; return 1;
	}
	v = hex4(q + 1);
	*p = q + 5;
	if (v >= 0xd800 && v <= 0xdbff) {
		v = 0x10000 + ((v - 0xd800) << 10) + (hex4(q + 7) - 0xdc00);
		*p = q + 11;
	}
	return utf8_put(out, v);
}

bool json_unescape(struct buf *out, const char *value, size_t n, bool *nul)
{
	if (nul)
		*nul = false;
	if (n < 2)
		return false;
	bytes p = (bytes)value + 1, end = (bytes)value + n - 1;
	if (!buf_reserve(out, n - 2)) /* no escape is shorter than what it stands for */
		return false;
	while (p < end) {
		bytes q = memchr(p, '\\', (size_t)(end - p));
		unsigned char c[4];

		if (!q)
			q = end;
		buf_add(out, p, (size_t)(q - p));
		p = q;
		if (p < end) {
			size_t len = undo_escape(&p, c);

			if (nul && len == 1 && !c[0])
				*nul = true;
			buf_add(out, c, len);
		}
	}
	return !out->over;
}

static void quote_control(struct buf *out, unsigned c)
{
	static const char hex[] = "0123456789abcdef";
	static const char shorts[] = "btn?fr"; /* from U+0008 on; U+000B has none */
	char text[6] = { '\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15] };

	if (c >= 8 && c <= 13 && c != 11) {
		text[1] = shorts[c - 8];
		buf_add(out, text, 2);
	} else {
		buf_add(out, text, 6);
	}
}

/* End of the run from p that needs no escape: whole, printable UTF-8. DEL and C1 controls do need one,
 * since a terminal obeys them. */
static bytes quote_run(bytes p, bytes end)
{
	for (;;) {
		bytes q = json_skip_plain(p, end);
		bytes del = memchr(p, 0x7f, (size_t)(q - p));

		if (del)
			return del;
		p = q;
		if (p == end || *p < 0x80)
			return p;
		int n = utf8_length(p, end);
		if (n <= 0 || (p[0] == 0xc2 && p[1] < 0xa0))
			return p;
		p += n;
	}
}

bool json_quote(struct buf *out, const char *s, size_t n)
{
	bytes p = (bytes)(n ? s : ""), end = p + n;

	buf_reserve(out, n + 2);
	buf_char(out, '"');
	while (p < end && !out->over) {
		bytes q = quote_run(p, end);

		buf_add(out, p, (size_t)(q - p));
		p = q;
		if (p == end)
			break;
		if (*p == '"' || *p == '\\') {
			char text[2] = { '\\', (char)*p++ };

			buf_add(out, text, 2);
		} else if (*p < 0x80) {
			quote_control(out, *p++);
		} else if (utf8_length(p, end) == 2) {
			quote_control(out, p[1]);
			p += 2;
		} else {
			buf_str(out, "\xef\xbf\xbd");
			p++;
		}
	}
	return buf_char(out, '"');
}

bool json_quote_str(struct buf *out, const char *s)
{
	return json_quote(out, s, strlen(s));
}

bool json_copy_flat(struct buf *out, const char *s, size_t n)
{
	size_t start = out->len;

	if (!buf_add(out, s, n))
		return false;
	for (char *p = out->p + start, *end = p + n; p < end; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return true;
}
