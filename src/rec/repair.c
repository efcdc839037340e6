/* Read a JSON value as models slip it and write it as strict JSON.
 *
 * Undone, because each has one meaning only:
 *   trailing commas; stray commas between members   a list does not end with nothing
 *   // and block comments, # to the end of a line   not data
 *   True False None TRUE FALSE NULL undefined       literals of the languages models know best
 *   'single', `back`, curly quotes; bare keys       quoting of those languages, and of word processors
 *   raw line ends and controls in strings           the escape was forgotten
 *   \' \_ \* and other escaped punctuation, \x41    escapes of Markdown and C
 *   missing commas between lines or before a key    the line end separates
 *   "a" + "b"                                       a concatenation written out
 *   1_000, +1, .5, 2.                               number spellings of other languages
 *   {{ }}                                           braces doubled for a template engine
 * and, only where the value fills its place (bold): bare words as values, a wrong closing bracket where
 * the count is right, quotation marks in pairs inside a string, "..." for left-out items, tuples,
 * ObjectId("x"), a missing colon. */
#include "rec/repair_reader.h"

#define BARE_MAX 512   /* bytes of an unquoted value */
#define NUMBER_MAX 64  /* bytes of a number that is spelt strangely */
#define CLOSERS_MAX 64 /* bytes looked at behind a wrong closing bracket */
#define PAREN_MAX 4096 /* bytes of a value in parentheses */

static enum repair_result value(struct reader *r, enum place place);

/* ---- numbers and words ---- */

static bool is_number(const char *s, size_t n)
{
	enum json_type type;
	return n && json_scan(s, n, &type, NULL) == 0 && type == JSON_NUMBER;
}

/* A text that starts with a digit and cannot be meant as a number: 1930s, 4x4, 2024-05-01. Not 2e (cut
 * off), not 10L or 0x1F (numbers in other languages). */
static bool number_like_text(const char *s, size_t n)
{
	size_t digits = 0, letters = 0;
	while (digits < n && is_digit(s[digits]))
		digits++;
	if (n == 10 && digits == 4 && s[4] == '-' && s[7] == '-')
		return is_digit(s[5]) && is_digit(s[6]) && is_digit(s[8]) && is_digit(s[9]);
	for (size_t k = digits; k < n; k++) {
		if (!is_word(s[k]) || s[k] == '_' || s[k] == '$')
			return false;
		letters += !is_digit(s[k]);
	}
	if (!digits || !letters || (letters == 1 && strchr("eELlfFdDnuUmM", s[n - 1])))
		return false;
	return !(s[0] == '0' && (s[1] == 'x' || s[1] == 'X' || s[1] == 'b' || s[1] == 'o')) &&
	       s[digits] != 'e' && s[digits] != 'E';
}

static enum repair_result number(struct reader *r)
{
	char fixed[NUMBER_MAX * 2];
	size_t from = r->i, len = 0, n = 0;
	while (r->i < r->n && (is_word(r->s[r->i]) || strchr("+-.", r->s[r->i])) && r->s[r->i])
		r->i++;
	if (r->i >= r->n)
		return REPAIR_CUT;
	const char *p = r->s + from;
	len = r->i - from;
	if (len > NUMBER_MAX)
		return is_number(p, len) && buf_add(r->out, p, len) ? REPAIR_DONE : REPAIR_GARBLED;
	for (size_t k = 0; k < len; k++) {
		bool digit_before = k && is_digit(p[k - 1]), digit_behind = k + 1 < len && is_digit(p[k + 1]);
		if ((p[k] == '_' && digit_before && digit_behind) || (p[k] == '+' && !k))
			continue;
		if (p[k] == '.' && !digit_before)
			fixed[n++] = '0';
		fixed[n++] = p[k];
		if (p[k] == '.' && k + 1 == len)
			fixed[n++] = '0';
	}
	if (is_number(fixed, n)) {
		buf_add(r->out, fixed, n);
		return REPAIR_DONE;
	}
	if (!number_like_text(p, len))
		return REPAIR_GARBLED;
	r->bold = true;
	json_quote(r->out, p, len);
	return REPAIR_DONE;
}

/* Literals of JSON, Python and JavaScript; "" for words that are a value of another type elsewhere, NULL
 * for none. */
static const char *literal(const char *s, size_t n)
{
	static const struct {
		const char *word, *json;
	} words[] = { { "true", "true" }, { "True", "true" }, { "TRUE", "true" }, { "false", "false" },
		{ "False", "false" }, { "FALSE", "false" }, { "null", "null" }, { "NULL", "null" },
		{ "Null", "null" }, { "None", "null" }, { "undefined", "null" }, { "NaN", "" }, { "nan", "" },
		{ "Infinity", "" }, { "inf", "" }, { "nil", "" }, { "none", "" }, { "NONE", "" },
		{ "NA", "" }, { "yes", "" }, { "Yes", "" }, { "no", "" }, { "No", "" }, { "on", "" },
		{ "off", "" } };
	for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++)
		if (strlen(words[k].word) == n && !memcmp(words[k].word, s, n))
			return words[k].json;
	return NULL;
}

/* The end of an unquoted text at i: the comma, closing bracket, line end or comment behind it. n when
 * cut off. */
static size_t bare_end(const struct reader *r)
{
	size_t i = r->i;
	for (; i < r->n && i - r->i <= BARE_MAX; i++) {
		if (strchr(",}]\n\r", r->s[i]) || at(r->s, r->n, i, "/*") || at(r->s, r->n, i, " //") ||
			at(r->s, r->n, i, " #"))
			break;
	}
	return i;
}

/* Unquoted text: only what can be nothing but text. Quotation marks, colons and brackets in it mean that
 * something else is wrong. */
static enum repair_result bare(struct reader *r, enum place place)
{
	size_t end = bare_end(r), len, from = r->i;
	if (place == ALONE || place == IN_PAREN || end - from > BARE_MAX)
		return REPAIR_GARBLED;
	if (end >= r->n)
		return REPAIR_CUT;
	r->i = end;
	while (end > from && r->s[end - 1] == ' ')
		end--;
	for (size_t k = from; k < end; k++) {
		char c = r->s[k], q = repair_quote(r->s, r->n, k, &len);
		bool url = c == ':' && at(r->s, r->n, k, "://");
		bool apostrophe = (q == '\'' || q == 'S') && k > from && is_word(r->s[k - 1]) &&
				  k + len < end && is_word(r->s[k + len]);
		if ((unsigned char)c < 0x20 || (strchr("{[:\\<>=|", c) && !url) || (q && !apostrophe))
			return REPAIR_GARBLED;
	}
	if (end - from >= 3 && at(r->s, r->n, end - 3, "..."))
		return REPAIR_GARBLED;
	bool newline = false;
	size_t next = repair_skip(r->s, r->n, r->i, &newline);
	if (place == IN_OBJECT && newline && next < r->n && !strchr(",}]", r->s[next]) &&
		!repair_key(r->s, r->n, next, false))
		return REPAIR_GARBLED; /* a text over several lines */
	r->bold = true;
	json_quote(r->out, r->s + from, end - from);
	return REPAIR_DONE;
}

/* f("x"): the wrappers of database shells and of Python; r->i stands on the parenthesis. */
static enum repair_result call(struct reader *r)
{
	r->i = repair_skip(r->s, r->n, r->i + 1, NULL);
	if (r->i >= r->n)
		return REPAIR_CUT;
	if (strchr("([{", r->s[r->i]))
		return REPAIR_GARBLED;
	enum repair_result e = value(r, IN_PAREN);
	if (e != REPAIR_DONE)
		return e;
	r->i = repair_skip(r->s, r->n, r->i, NULL);
	if (r->i >= r->n)
		return REPAIR_CUT;
	if (r->s[r->i] != ')')
		return REPAIR_GARBLED;
	r->i++;
	r->bold = true;
	return REPAIR_DONE;
}

static enum repair_result word(struct reader *r, enum place place)
{
	size_t from = r->i, end = from;
	while (end < r->n && is_word(r->s[end]))
		end++;
	if (end > from && end < r->n && r->s[end] == '(') {
		r->i = end;
		return call(r);
	}
	bool newline = false;
	size_t next = repair_skip(r->s, r->n, end, &newline);
	const char *json = literal(r->s + from, end - from);
	if (json && (next >= r->n || newline || strchr(",;]})", r->s[next]) ||
			    repair_key(r->s, r->n, next, true))) {
		if (next >= r->n && place != ALONE)
			return REPAIR_CUT;
		r->i = end;
		buf_str(r->out, json);
		return *json ? REPAIR_DONE : REPAIR_GARBLED;
	}
	/* one bare word and then a member whose comma is missing */
	if (!json && end > from && place == IN_OBJECT && next < r->n && repair_key(r->s, r->n, next, true)) {
		r->i = end;
		r->bold = true;
		json_quote(r->out, r->s + from, end - from);
		return REPAIR_DONE;
	}
	return end > from ? bare(r, place) : REPAIR_GARBLED;
}

/* ---- containers ---- */

static size_t ellipsis(const struct reader *r)
{
	if (at(r->s, r->n, r->i, "..."))
		return 3;
	return at(r->s, r->n, r->i, "\xe2\x80\xa6") ? 3 : 0;
}

/* Closes with the right bracket, or with the wrong one where only closing ones follow: elsewhere it may
 * be another one that is missing. */
static bool closes(struct reader *r, char right)
{
	char c = r->s[r->i];
	if (c != right) {
		size_t k = r->i + 1, end = r->n - k > CLOSERS_MAX ? k + CLOSERS_MAX : r->n;
		if (right == ')' || (c != ']' && c != '}'))
			return false;
		while (k < end && strchr("]} \t\r\n", r->s[k]) && r->s[k])
			k++;
		if (k < r->n && !at(r->s, r->n, k, "```"))
			return false;
		r->bold = true;
	}
	r->i++;
	return true;
}

/* A number or a literal at r->i: what can stand behind a name without a colon. */
static bool plain_word(const struct reader *r)
{
	size_t k = r->i;
	while (k < r->n && is_word(r->s[k]))
		k++;
	const char *json = literal(r->s + r->i, k - r->i);
	return is_digit(r->s[r->i]) || r->s[r->i] == '-' || (json && *json);
}

static enum repair_result key(struct reader *r)
{
	size_t len, from = r->i;
	bool quoted = repair_quote(r->s, r->n, r->i, &len) != 0;
	if (quoted) {
		enum repair_result e = repair_string(r, IN_KEY);
		if (e != REPAIR_DONE)
			return e;
	} else {
		if (!repair_key(r->s, r->n, r->i, false))
			return REPAIR_GARBLED;
		while (is_word(r->s[r->i]) || r->s[r->i] == '-')
			r->i++;
		json_quote(r->out, r->s + from, r->i - from);
		r->bold = true;
	}
	size_t behind = r->i;
	r->i = repair_skip(r->s, r->n, r->i, NULL);
	if (r->i >= r->n)
		return REPAIR_CUT;
	char c = r->s[r->i];
	if (c == ':')
		r->i++;
	else if (quoted && r->i > behind && (c == '"' || c == '{' || c == '[' || plain_word(r)))
		r->bold = true; /* "name" value */
	else
		return REPAIR_GARBLED;
	buf_char(r->out, ':');
	r->i = repair_skip(r->s, r->n, r->i, NULL);
	return r->i < r->n ? REPAIR_DONE : REPAIR_CUT;
}

/* {{ ... }}: r->i on the inner brace, the outer one already written. */
static enum repair_result doubled(struct reader *r)
{
	if (r->out->over)
		return REPAIR_GARBLED;
	repair_undo(r->out, r->out->len - 1);
	enum repair_result e = value(r, IN_OBJECT);
	if (e != REPAIR_DONE)
		return e;
	r->i = repair_skip(r->s, r->n, r->i, NULL);
	if (r->i >= r->n)
		return REPAIR_CUT;
	return r->s[r->i++] == '}' ? REPAIR_DONE : REPAIR_GARBLED;
}

static enum repair_result object(struct reader *r)
{
	bool first = true, comma = true;
	for (;;) {
		bool newline = false;
		r->i = repair_skip(r->s, r->n, r->i, &newline);
		if (r->i >= r->n)
			return REPAIR_CUT;
		if (r->s[r->i] == ',') {
			r->i++;
			comma = true;
			continue;
		}
		if (closes(r, '}')) {
			buf_char(r->out, '}');
			return REPAIR_DONE;
		}
		size_t skip = ellipsis(r);
		if (skip) {
			r->i += skip;
			r->bold = comma = true;
			continue;
		}
		if (first && r->s[r->i] == '{')
			return doubled(r);
		if (!comma && !newline) {
			if (!repair_key(r->s, r->n, r->i, true))
				return REPAIR_GARBLED;
			r->bold = true;
		}
		if (!first)
			buf_char(r->out, ',');
		enum repair_result e = key(r);
		if (e == REPAIR_DONE)
			e = value(r, IN_OBJECT);
		if (e != REPAIR_DONE)
			return e;
		first = comma = false;
	}
}

/* Can the comma between two items be missing? "1 000" and "a" "b" read otherwise. */
static bool items_apart(struct reader *r, char before, bool newline)
{
	size_t len;
	char c = r->s[r->i];
	bool container = c == '{' || c == '[', quote = repair_quote(r->s, r->n, r->i, &len) != 0;
	if (newline)
		return true;
	r->bold = true;
	if (container || before == '{' || before == '[')
		return true;
	bool was_quote = before == '"' || before == '\'';
	return was_quote != quote && (quote || is_digit(c));
}

/* An array, or a tuple when end is ')'. *items counts, *comma says that one stood behind the last. */
static enum repair_result array(struct reader *r, char end, size_t *items, bool *comma)
{
	char before = 0;
	*comma = true;
	for (*items = 0;;) {
		bool newline = false;
		r->i = repair_skip(r->s, r->n, r->i, &newline);
		if (r->i >= r->n)
			return REPAIR_CUT;
		if (closes(r, end)) {
			buf_char(r->out, ']');
			return REPAIR_DONE;
		}
		size_t skip = ellipsis(r);
		if (skip) {
			r->i = repair_skip(r->s, r->n, r->i + skip, NULL);
			if (r->i < r->n && r->s[r->i] == ',')
				r->i++;
			r->bold = *comma = true;
			continue;
		}
		if (r->s[r->i] == ',') {
			if (*comma)
				return REPAIR_GARBLED; /* a hole: null, or nothing? */
			*comma = true;
			r->i++;
			continue;
		}
		if (!*comma && !items_apart(r, before, newline))
			return REPAIR_GARBLED;
		if ((*items)++)
			buf_char(r->out, ',');
		before = r->s[r->i];
		enum repair_result e = value(r, end == ')' ? IN_PAREN : IN_ARRAY);
		if (e != REPAIR_DONE)
			return e;
		*comma = false;
	}
}

/* A Python tuple; one value in parentheses without a comma is just that value. */
static enum repair_result tuple(struct reader *r)
{
	size_t items, from = r->out->len;
	bool comma;
	buf_char(r->out, '[');
	enum repair_result e = array(r, ')', &items, &comma);
	r->bold = true;
	if (e != REPAIR_DONE)
		return e;
	if (!items)
		return REPAIR_GARBLED;
	if (items == 1 && !comma) {
		size_t len = r->out->len - from - 2;
		if (r->out->over || len > PAREN_MAX)
			return REPAIR_GARBLED;
		memmove(r->out->p + from, r->out->p + from + 1, len);
		repair_undo(r->out, from + len);
	}
	return REPAIR_DONE;
}

static enum repair_result container(struct reader *r)
{
	char c = r->s[r->i++];
	size_t items;
	bool comma;
	if (c == '(')
		return tuple(r);
	buf_char(r->out, c);
	return c == '{' ? object(r) : array(r, ']', &items, &comma);
}

static enum repair_result value(struct reader *r, enum place place)
{
	size_t len;
	char c = r->s[r->i];
	if (c && strchr("{[(", c)) {
		if (r->depth >= JSON_MAX_DEPTH)
			return REPAIR_GARBLED;
		r->depth++;
		enum repair_result e = container(r);
		r->depth--;
		return e;
	}
	if (repair_quote(r->s, r->n, r->i, &len))
		return repair_string(r, place);
	if (is_digit(c) || c == '-' || c == '+' || c == '.')
		return number(r);
	return word(r, place);
}

/* What the repairs wrote must be JSON; anything else is a mistake of ours that must not get out. */
static enum repair_result checked(const struct reader *r, size_t from, enum repair_result e)
{
	if (e != REPAIR_DONE)
		return e;
	if (r->out->over || json_scan(r->out->p + from, r->out->len - from, NULL, NULL) != 0)
		return REPAIR_GARBLED;
	return REPAIR_DONE;
}

enum repair_result repair_container(const char *s, size_t n, struct buf *out, size_t *used, bool *bold)
{
	size_t from = out->len;
	struct reader r = { .s = s, .n = n, .out = out };
	if (!n || !*s || !strchr("{[(", *s))
		return REPAIR_GARBLED;
	enum repair_result e = value(&r, ALONE);
	*used = r.i;
	*bold = r.bold;
	return checked(&r, from, e);
}

enum repair_result repair_scalar(const char *s, size_t n, struct buf *out)
{
	size_t from = out->len;
	struct buf copy = BUF_INIT(n + 2);
	/* a line end behind the text, so that a number at its end is not taken for a cut one */
	buf_add(&copy, s, n);
	buf_char(&copy, '\n');
	struct reader r = { .s = copy.p, .n = n + 1, .out = out };
	enum repair_result e = REPAIR_GARBLED;
	r.i = repair_skip(r.s, r.n, 0, NULL);
	if (!copy.over && r.i < r.n && !strchr("{[(", r.s[r.i]))
		e = value(&r, ALONE);
	if (e == REPAIR_DONE) {
		r.i = repair_skip(r.s, r.n, r.i, NULL);
		if (r.i < r.n && (r.s[r.i] == ',' || r.s[r.i] == ';'))
			r.i = repair_skip(r.s, r.n, r.i + 1, NULL);
		if (r.i < r.n)
			e = REPAIR_GARBLED;
	}
	e = checked(&r, from, e);
	buf_release(&copy);
	return e;
}
