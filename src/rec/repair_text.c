/* The text side of repair: white space, comments, member names, and where a string with slips in it ends. */
#include "rec/repair_reader.h"

#define KEY_MAX 128   /* bytes of a member name looked at when deciding where a string ends */
#define INNER_MAX 256 /* quotation marks kept as text in one value; each may look far ahead */

/* Bytes of white space at i. Models copy no-break and ideographic spaces from web pages. */
static size_t space_len(const char *s, size_t n, size_t i)
{
	static const char *const wide[] = { "\xc2\xa0", "\xef\xbb\xbf", "\xe1\xa0\x8e", "\xe2\x80\xaf",
		"\xe2\x81\x9f", "\xe3\x80\x80" };
	unsigned char c = (unsigned char)s[i];
	if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		return 1;
	if (c < 0x80)
		return 0;
	if (at(s, n, i, "\xe2\x80") && n - i > 2 && (unsigned char)s[i + 2] <= 0x8b)
		return 3; /* U+2000 to U+200B */
	for (size_t k = 0; k < sizeof(wide) / sizeof(*wide); k++)
		if (at(s, n, i, wide[k]))
			return strlen(wide[k]);
	return 0;
}

static size_t comment_end(const char *s, size_t n, size_t i)
{
	if (s[i] == '#' || at(s, n, i, "//")) {
		const char *nl = memchr(s + i, '\n', n - i);
		return nl ? (size_t)(nl - s) : n;
	}
	for (size_t k = i + 2; k + 1 < n; k++)
		if (s[k] == '*' && s[k + 1] == '/')
			return k + 2;
	return n;
}

size_t repair_skip(const char *s, size_t n, size_t i, bool *newline)
{
	while (i < n) {
		size_t len = space_len(s, n, i);
		if (len) {
			if (newline && s[i] == '\n')
				*newline = true;
			i += len;
		} else if (at(s, n, i, "//") || at(s, n, i, "/*") ||
			   (s[i] == '#' && i && (space_len(s, n, i - 1) || strchr("{[,", s[i - 1])))) {
			i = comment_end(s, n, i);
		} else {
			break;
		}
	}
	return i;
}

char repair_quote(const char *s, size_t n, size_t i, size_t *len)
{
	*len = 1;
	if (i >= n)
		return 0;
	if (s[i] == '"' || s[i] == '\'' || s[i] == '`')
		return s[i];
	*len = 3;
	if (!at(s, n, i, "\xe2\x80") || n - i < 3)
		return 0;
	unsigned char c = (unsigned char)s[i + 2];
	if (c >= 0x98 && c <= 0x9a)
		return 'S'; /* U+2018 to U+201A */
	return c >= 0x9c && c <= 0x9e ? 'D' : 0;
}

size_t repair_key(const char *s, size_t n, size_t i, bool quoted_only)
{
	size_t k = i, len, end = n - i > KEY_MAX ? i + KEY_MAX : n;
	char q = repair_quote(s, n, i, &len);
	if (q) {
		for (k = i + len; k < end && repair_quote(s, n, k, &len) != q; k++) {
			if (s[k] == '\n')
				return 0;
			if (s[k] == '\\')
				k++;
		}
		if (k >= end)
			return 0;
		k += len;
	} else {
		while (k < end && (is_word(s[k]) || s[k] == '-') && !quoted_only)
			k++;
		if (k == i)
			return 0;
	}
	k = repair_skip(s, n, k, NULL);
	return k < n && s[k] == ':' ? k + 1 - i : 0;
}

/* ---- strings ---- */

enum verdict { CLOSES, LITERAL, BAD };

/* A number or literal that ends properly: what can follow a string in an array whose comma is missing. */
static bool plain_item(const char *s, size_t n, size_t i)
{
	size_t k = i;
	while (k < n && (is_word(s[k]) || s[k] == '.' || s[k] == '-'))
		k++;
	size_t end = repair_skip(s, n, k, NULL);
	if (k == i || end >= n || !strchr(",]", s[end]) || !s[end])
		return false;
	size_t len = k - i;
	return is_digit(s[i]) || (len == 4 && (at(s, n, i, "true") || at(s, n, i, "null"))) ||
	       (len == 5 && at(s, n, i, "false"));
}

/* A comma behind a quotation mark ends the string when a member (or an item) follows. */
static enum verdict before_comma(const struct reader *r, size_t comma, enum place place, bool odd)
{
	size_t m = repair_skip(r->s, r->n, comma + 1, NULL);
	if (place != IN_OBJECT)
		return odd ? LITERAL : CLOSES;
	if (m >= r->n || strchr("}],", r->s[m]) || at(r->s, r->n, m, "...") ||
		repair_key(r->s, r->n, m, false))
		return CLOSES;
	return LITERAL;
}

/* Is the quotation mark that ends at j the end of the string? Decided by what follows. odd: inside a
 * quoted phrase. */
static enum verdict judge_quote(const struct reader *r, size_t j, enum place place, bool odd)
{
	bool newline = false;
	size_t len, k = repair_skip(r->s, r->n, j, &newline);
	if (k >= r->n || place == IN_KEY)
		return CLOSES;
	char c = r->s[k];
	if (place == ALONE)
		return c == ',' || c == ';' || c == '+' ? CLOSES : LITERAL;
	if (c == '}' || c == ']' || (c == ')' && place == IN_PAREN))
		return CLOSES;
	if (c == ',')
		return before_comma(r, k, place, odd);
	if (c == ':')
		return BAD;
	if (c == '+')
		return repair_quote(r->s, r->n, repair_skip(r->s, r->n, k + 1, NULL), &len) ? CLOSES
											    : LITERAL;
	if (place == IN_OBJECT && repair_key(r->s, r->n, k, !newline))
		return CLOSES;
	if (place == IN_ARRAY && newline && (c == '{' || c == '[' || repair_quote(r->s, r->n, k, &len)))
		return CLOSES;
	if (place == IN_ARRAY && !odd && plain_item(r->s, r->n, k))
		return CLOSES;
	/* the mark that closes a quoted phrase, right before the one that closes the string */
	if (odd && k == j && repair_quote(r->s, r->n, k, &len) &&
		judge_quote(r, k + len, place, false) == CLOSES)
		return LITERAL;
	return repair_quote(r->s, r->n, k, &len) ? BAD : LITERAL;
}

/* The state of one string while it is read. */
struct text {
	size_t open;  /* where its first byte stands */
	size_t kept;  /* out->len behind the last byte that is not white space */
	bool broken;  /* a raw line end since then */
	size_t inner; /* unescaped quotation marks kept as text */
	size_t lows;  /* low or curly opening quotes waiting for their partner */
	char quote;
};

/* A quotation mark kept as text must stand in prose: where it touches a comma, a colon or a bracket, a
 * quote is missing somewhere and the string has swallowed a member. */
static bool in_prose(const struct reader *r, const struct text *t, size_t i, bool odd)
{
	size_t k = i;
	while (k > t->open && space_len(r->s, r->n, k - 1))
		k--;
	if (k == t->open)
		return k == i && r->n - i > 1 &&
		       is_word(r->s[i + 1]); /* a text that starts with a quoted phrase */
	char c = r->s[k - 1];
	if (c == ',' && odd && k == i && k - 1 > t->open && is_word(r->s[k - 2]))
		return true; /* "so-called," */
	return !strchr(",:{[", c);
}

static enum verdict inner_quote(struct reader *r, struct text *t, size_t len, enum place place)
{
	size_t i = r->i;
	bool odd = t->inner & 1;
	if (t->quote != '"' && t->quote != 'D' && i > t->open && i + len < r->n && is_word(r->s[i - 1]) &&
		is_word(r->s[i + len]))
		return LITERAL; /* an apostrophe */
	enum verdict v = judge_quote(r, i + len, place, odd || t->lows);
	if (v == CLOSES)
		return odd ? BAD : CLOSES;
	if (v == BAD || !in_prose(r, t, i, odd || t->lows))
		return BAD;
	if (++r->inner > INNER_MAX)
		return BAD;
	if (t->lows)
		t->lows--;
	else
		t->inner++;
	r->bold = true;
	return LITERAL;
}

static bool hex4(const char *s, size_t n, size_t i, unsigned *out)
{
	*out = 0;
	if (n - i < 4)
		return false;
	for (size_t k = i; k < i + 4; k++) {
		const char *hex = "0123456789abcdef", *p = s[k] ? strchr(hex, s[k] | 0x20) : NULL;
		if (!p || (!is_digit(s[k]) && (s[k] | 0x20) < 'a'))
			return false;
		*out = *out * 16 + (unsigned)(p - hex);
	}
	return true;
}

/* \uXXXX at r->i; a surrogate only with its partner. */
static enum repair_result unicode_escape(struct reader *r)
{
	unsigned a, b;
	size_t i = r->i, len = 6;
	if (r->n - i < 6)
		return REPAIR_CUT;
	if (!hex4(r->s, r->n, i + 2, &a) || (a >= 0xdc00 && a <= 0xdfff))
		return REPAIR_GARBLED;
	if (a >= 0xd800 && a <= 0xdbff) {
		if (!at(r->s, r->n, i + 6, "\\u") || !hex4(r->s, r->n, i + 8, &b) || b < 0xdc00 || b > 0xdfff)
			return REPAIR_GARBLED;
		len = 12;
	}
	buf_add(r->out, r->s + i, len);
	r->i += len;
	return REPAIR_DONE;
}

static enum repair_result escape(struct reader *r)
{
	if (r->n - r->i < 2)
		return REPAIR_CUT;
	char c = r->s[r->i + 1];
	if (c == 'u')
		return unicode_escape(r);
	if (c && strchr("\"\\/bfnrt", c)) {
		buf_add(r->out, r->s + r->i, 2);
		r->i += 2;
		return REPAIR_DONE;
	}
	if (c && strchr("'`_*#-&~<>.!$|+=@%", c)) {
		buf_char(r->out, c);
		r->i += 2;
		return REPAIR_DONE;
	}
	unsigned code = 0;
	if (c == 'x' && r->n - r->i >= 4) {
		char four[4] = { '0', '0', r->s[r->i + 2], r->s[r->i + 3] };
		if (hex4(four, 4, 0, &code) && code) {
			buf_printf(r->out, "\\u%04x", code);
			r->i += 4;
			return REPAIR_DONE;
		}
	}
	return REPAIR_GARBLED; /* \d or \alpha: a lost backslash or a lost letter? */
}

static size_t utf8_len(const char *s, size_t n, size_t i)
{
	size_t len = (unsigned char)s[i] >= 0xf0 ? 4 : (unsigned char)s[i] >= 0xe0 ? 3 : 2;
	return n - i >= len && utf8_valid(s + i, len) ? len : 0;
}

/* One byte or character of a string that needs no decision. */
static bool plain_char(struct reader *r, struct text *t)
{
	size_t len, i = r->i;
	unsigned char c = (unsigned char)r->s[i];
	if (!c)
		return false;
	if (c >= 0x80) {
		len = utf8_len(r->s, r->n, i);
		if (at(r->s, r->n, i, "\xe2\x80\x9e") || (at(r->s, r->n, i, "\xe2\x80\x9c") && !t->lows))
			t->lows++;
		else if (repair_quote(r->s, r->n, i, &(size_t){ 0 }) == 'D' && t->lows)
			t->lows--;
		buf_add(r->out, len ? r->s + i : "\xef\xbf\xbd", len ? len : 3);
		r->i += len ? len : 1;
	} else {
		if (c == '\n' || c == '\r' || c == '\t')
			buf_str(r->out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
		else if (c < 0x20)
			buf_printf(r->out, "\\u%04x", c);
		else if (c == '"')
			buf_str(r->out, "\\\"");
		else
			buf_char(r->out, (char)c);
		r->i++;
	}
	if (c == '\n')
		t->broken = true;
	if (!space_len(r->s, r->n, i)) {
		t->kept = r->out->len;
		t->broken = false;
	}
	return true;
}

/* The inside of a string, up to and with its closing mark; without the quotes of the output. */
static enum repair_result string_body(struct reader *r, enum place place)
{
	size_t len;
	struct text t = { .quote = repair_quote(r->s, r->n, r->i, &len) };
	r->i += len;
	t.open = r->i;
	t.kept = r->out->len;
	while (r->i < r->n) {
		if (r->s[r->i] == '\\') {
			enum repair_result e = escape(r);
			if (e != REPAIR_DONE)
				return e;
			t.kept = r->out->len;
			t.broken = false;
			continue;
		}
		if (repair_quote(r->s, r->n, r->i, &len) == t.quote) {
			enum verdict v = inner_quote(r, &t, len, place);
			if (v == BAD)
				return REPAIR_GARBLED;
			if (v == CLOSES) {
				r->i += len;
				if (t.broken) /* a line end before the closing mark is layout */
					repair_undo(r->out, t.kept);
				return REPAIR_DONE;
			}
		}
		if (!plain_char(r, &t))
			return REPAIR_GARBLED;
	}
	return REPAIR_CUT;
}

enum repair_result repair_string(struct reader *r, enum place place)
{
	size_t len;
	buf_char(r->out, '"');
	for (;;) {
		enum repair_result e = string_body(r, place);
		if (e != REPAIR_DONE)
			return e;
		size_t k = repair_skip(r->s, r->n, r->i, NULL);
		if (k >= r->n || r->s[k] != '+')
			break;
		k = repair_skip(r->s, r->n, k + 1, NULL);
		if (!repair_quote(r->s, r->n, k, &len))
			return REPAIR_GARBLED;
		r->i = k;
	}
	buf_char(r->out, '"');
	return REPAIR_DONE;
}
