/* json_string.c - the scanner's strings: UTF-8, escapes, surrogates. */
#include "base/json.h"
#include "base/json_scan.h"

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum json_status scan_hex4(struct scan *c, unsigned *v)
{
	*v = 0;
	for (int i = 0; i < 4; i++) {
		if (c->p == c->end)
			return ENDED;
		int h = hex_value(*c->p);
		if (h < 0)
			return json_bad(c, "\\u without four hex digits");
		*v = *v << 4 | (unsigned)h;
		c->p++;
	}
	return GOOD;
}

/* p stands behind the 'u'. */
static enum json_status scan_unicode(struct scan *c)
{
	static const char lone[] = "lone surrogate in a string";
	unsigned v;
	enum json_status st = scan_hex4(c, &v);

	if (st != GOOD || v < 0xd800 || v > 0xdfff)
		return st;
	if (v >= 0xdc00)
		return json_bad(c, lone);
	for (const char *want = "\\u"; *want; want++, c->p++) {
		if (c->p == c->end)
			return ENDED;
		if (*c->p != (unsigned char)*want)
			return json_bad(c, lone);
	}
	st = scan_hex4(c, &v);
	if (st == GOOD && (v < 0xdc00 || v > 0xdfff))
		return json_bad(c, lone);
	return st;
}

/* p stands at the backslash. */
static enum json_status scan_escape(struct scan *c)
{
	c->escaped = true;
	if (++c->p == c->end)
		return ENDED;
	switch (*c->p) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't': c->p++; return GOOD;
	case 'u': c->p++; return scan_unicode(c);
	default: return json_bad(c, "unknown escape in a string");
	}
}

/* p stands at the opening quote. */
enum json_status json_scan_string(struct scan *c)
{
	enum json_status st;

	c->p++;
	c->escaped = false;
	for (;;) {
		c->p = json_skip_plain(c->p, c->end);
		if (c->p == c->end)
			return ENDED;
		if (*c->p == '"') {
			c->p++;
			return GOOD;
		}
		if (*c->p == '\\') {
			if ((st = scan_escape(c)) != GOOD)
				return st;
			continue;
		}
		if (*c->p < 0x20)
			return json_bad(c, "control character in a string");
		while (c->p < c->end && *c->p >= 0x80) {
			int n = utf8_length(c->p, c->end);

			if (n <= 0)
				return n ? ENDED : json_bad(c, "invalid UTF-8");
			c->p += n;
		}
	}
}

bool utf8_valid(const char *s, size_t n)
{
	bytes p = (bytes)(n ? s : ""), end = p + n;

	while (p < end) {
		uint64_t w;
		int len;

		if (end - p >= 8) {
			memcpy(&w, p, 8);
			if (!(w & 0x8080808080808080u)) {
				p += 8;
				continue;
			}
		}
		len = utf8_length(p, end);
		if (len <= 0)
			return false;
		p += len;
	}
	return true;
}
