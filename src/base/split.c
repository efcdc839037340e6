/* split.c - find the JSON values in a stream of bytes. */
#include "base/split.h"
#include <string.h>

void split_init(struct split *s, size_t limit, split_sink *fn, void *arg)
{
	*s = (struct split){ .limit = limit, .fn = fn, .arg = arg };
	buf_init(&s->value, limit + 1);
}

void split_reset(struct split *s)
{
	struct buf keep = s->value;
	buf_reset(&keep);
	*s = (struct split){ .value = keep, .limit = s->limit, .fn = s->fn, .arg = s->arg };
}

void split_release(struct split *s)
{
	buf_release(&s->value);
}

/* Hand on the value that ends here. */
static int end_value(struct split *s, struct err *e)
{
	struct split_value v = {
		.p = s->value.p, .len = s->value.len, .no = ++s->no, .too_long = s->skipping
	};
	int rc = s->fn(&v, s->arg, e);
	buf_reset(&s->value);
	s->depth = 0;
	s->in_string = s->escaped = s->newline = s->scalar = s->skipping = false;
	s->lines = s->again;
	s->last = '\0';
	return rc;
}

/* The value can't be right where a newline was met. It may have swallowed its neighbours (`{"a":` in front of a whole line):
 * its first line alone is the damaged one, each further line stands for itself. open: the last of them may go on. */
static int end_lost(struct split *s, bool open, struct err *e)
{
	char *lf = s->skipping || s->lines ? NULL : memchr(s->value.p, '\n', s->value.len);
	if (!lf)
		return end_value(s, e);
	struct buf rest;
	size_t first = (size_t)(lf - s->value.p);
	buf_init(&rest, s->limit);
	buf_add(&rest, lf + 1, s->value.len - first - 1);
	s->value.len = first;
	*lf = '\0';
	s->again = true;
	int rc = end_value(s, e);
	if (rc == 0)
		rc = split_feed(s, rest.p ? rest.p : "", rest.len, e);
	s->again = false;
	if (rc == 0 && s->value.len && !open)
		rc = end_value(s, e);
	s->lines = s->value.len > 0;
	buf_release(&rest);
	return rc;
}

static void keep(struct split *s, const char *p, size_t n)
{
	if (s->value.len + n > s->limit) {
		s->skipping = true;
	} else if (!s->skipping) {
		buf_add(&s->value, p, n);
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Is the container at this level an array? Levels count from 0. */
static bool is_array(const struct split *s, unsigned level)
{
	return level < 8 * sizeof s->arrays && (s->arrays[level / 8] >> level % 8 & 1);
}

static void open_level(struct split *s, bool array)
{
	unsigned level = s->depth++;
	if (level >= 8 * sizeof s->arrays)
		return;
	unsigned char bit = (unsigned char)(1u << level % 8), *at = &s->arrays[level / 8];
	*at = (unsigned char)(array ? *at | bit : *at & ~bit);
}

/* Can an opening brace on a new line stand here? */
static bool may_open(const struct split *s)
{
	return s->last == '[' || s->last == ':' || (s->last == ',' && is_array(s, s->depth - 1));
}

/* The first byte of a value; separators are passed over. Returns true when a value begins. */
static bool begin(struct split *s, char c)
{
	if (is_space(c) || c == ',' || c == '\x1e') /* RFC 7464 separates with RS */
		return false;
	if (!s->began) {
		s->began = true;
		if (c == '\xef') { /* a BOM: dropped, should the value turn out to begin with one */
			s->scalar = true;
			return true;
		}
	}
	s->scalar = c != '{' && c != '[';
	s->depth = 0;
	return true;
}

/* Drop a BOM in front of the first value. */
static bool drop_bom(struct split *s)
{
	if (s->value.len != 3 || memcmp(s->value.p, "\xef\xbb\xbf", 3) != 0 || s->no)
		return false;
	buf_reset(&s->value);
	s->scalar = false;
	return true;
}

/* What a byte of a container means. False: a bracket that closes another one than is open. */
static bool structure(struct split *s, char c)
{
	bool fits = true;
	if (s->in_string) {
		if (s->escaped)
			s->escaped = false;
		else if (c == '\\')
			s->escaped = true;
		else if (c == '"')
			s->in_string = false;
		return true;
	}
	if (c == '"') {
		s->in_string = true;
	} else if (c == '{' || c == '[') {
		open_level(s, c == '[');
	} else if (c == '}' || c == ']') {
		s->depth--;
		fits = s->depth >= 8 * sizeof s->arrays || is_array(s, s->depth) == (c == ']');
	}
	s->newline = c == '\n' || (s->newline && is_space(c));
	if (!is_space(c))
		s->last = c;
	return fits;
}

/* One byte. *again: it was not taken, the value ended before it. */
static int step(struct split *s, char c, bool *again, struct err *e)
{
	bool empty = s->value.len == 0 && !s->skipping;
	*again = false;
	if (empty && !begin(s, c))
		return 0;
	if (s->scalar) { /* no container: up to white space or the next container */
		if (!empty && (c == '\n' || c == '{' || c == '\x1e')) {
			*again = true;
			return end_value(s, e);
		}
		keep(s, &c, 1);
		drop_bom(s);
		return 0;
	}
	bool lost = c == '\n' ? s->in_string || s->skipping || s->lines || s->value.len == s->limit
			      : c == '{' && s->newline && !may_open(s);
	if (lost) {
		*again = true;
		return end_lost(s, false, e);
	}
	if (s->value.len == s->limit && !s->skipping && memchr(s->value.p, '\n', s->limit)) {
		*again =
			true; /* too long, and of several lines: likelier a damaged one with its neighbours */
		return end_lost(s, true, e);
	}
	keep(s, &c, 1);
	if (!structure(s, c))
		return end_lost(s, false, e);
	return s->depth == 0 && !s->in_string ? end_value(s, e) : 0;
}

/* Plain bytes inside a string need no look each. */
static size_t plain_run(const struct split *s, const char *p, size_t n)
{
	size_t i = 0;
	if (!s->in_string || s->escaped || s->skipping)
		return 0;
	if (n > s->limit - s->value.len)
		n = s->limit - s->value.len;
	while (i < n && p[i] != '"' && p[i] != '\\' && p[i] != '\n')
		i++;
	return i;
}

int split_feed(struct split *s, const char *p, size_t n, struct err *e)
{
	for (size_t i = 0; i < n;) {
		size_t run = plain_run(s, p + i, n - i);
		bool again = false;
		if (run) {
			keep(s, p + i, run);
			i += run;
			continue;
		}
		int rc = step(s, p[i], &again, e);
		if (rc)
			return rc;
		i += !again;
	}
	return 0;
}

int split_finish(struct split *s, struct err *e)
{
	return s->value.len || s->skipping ? end_lost(s, false, e) : 0;
}
