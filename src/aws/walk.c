/* walk.c - one-pass reader of JSON answers. */
#include "aws/walk.h"

#include <string.h>

#include "base/json.h"

void walk_init(struct walk *w, const char *p, size_t n)
{
	*w = (struct walk){ .p = p, .end = p ? p + n : p };
}

static bool fail(struct walk *w)
{
	w->bad = true;
	w->p = w->end;
	return false;
}

/* The next character that is no white space, not taken; NUL at the end. */
static char peek(struct walk *w)
{
	while (w->p < w->end && (*w->p == ' ' || *w->p == '\n' || *w->p == '\r' || *w->p == '\t'))
		w->p++;
	return w->p < w->end ? *w->p : '\0';
}

static bool take(struct walk *w, char c)
{
	if (w->bad || peek(w) != c)
		return fail(w);
	w->p++;
	return true;
}

static bool take_null(struct walk *w)
{
	if (w->bad || peek(w) != 'n' || w->end - w->p < 4 || memcmp(w->p, "null", 4) != 0)
		return false;
	w->p += 4;
	return true;
}

bool walk_object(struct walk *w)
{
	return !take_null(w) && take(w, '{');
}

bool walk_array(struct walk *w)
{
	return !take_null(w) && take(w, '[');
}

/* Before the next item of a container: its end, or the comma that must stand there. */
static bool next(struct walk *w, bool *first, char close)
{
	if (w->bad)
		return false;
	if (peek(w) == close) {
		w->p++;
		return false;
	}
	if (!*first && !take(w, ','))
		return false;
	*first = false;
	return true;
}

bool walk_element(struct walk *w, bool *first)
{
	return next(w, first, ']');
}

bool walk_member(struct walk *w, bool *first, struct walk_text *name)
{
	return next(w, first, '}') && walk_string(w, name) && (name->p || fail(w)) && take(w, ':');
}

bool walk_string(struct walk *w, struct walk_text *out)
{
	*out = (struct walk_text){ 0 };
	if (take_null(w))
		return true;
	if (!take(w, '"'))
		return false;
	const char *q = w->p;
	for (;;) {
		q = memchr(q, '"', (size_t)(w->end - q));
		if (!q)
			return fail(w);
		const char *s = q;
		while (s > w->p && s[-1] == '\\')
			s--;
		if ((q - s) % 2 == 0)
			break;
		q++;
	}
	*out = (struct walk_text){ .p = w->p, .n = (size_t)(q - w->p) };
	out->escaped = memchr(out->p, '\\', out->n) != NULL;
	w->p = q + 1;
	return true;
}

bool walk_number(struct walk *w, struct walk_text *out)
{
	*out = (struct walk_text){ 0 };
	if (take_null(w))
		return true;
	if (w->bad)
		return false;
	peek(w);
	const char *p = w->p;
	while (w->p < w->end && *w->p && strchr("+-.0123456789eE", *w->p))
		w->p++;
	if (w->p == p)
		return fail(w);
	*out = (struct walk_text){ .p = p, .n = (size_t)(w->p - p) };
	return true;
}

static void skip_scalar(struct walk *w)
{
	const char *p = w->p;

	while (w->p < w->end && !strchr(",]} \t\r\n", *w->p))
		w->p++;
	if (w->p == p)
		fail(w);
}

void walk_skip(struct walk *w)
{
	struct walk_text t;
	size_t depth = 0;

	do {
		char c = w->bad ? '\0' : peek(w);
		if (c == '\0')
			fail(w);
		else if (c == '"')
			walk_string(w, &t);
		else if (c == '{' || c == '[')
			w->p++, depth++;
		else if ((c == '}' || c == ']') && depth)
			w->p++, depth--;
		else if ((c == ',' || c == ':') && depth)
			w->p++;
		else
			skip_scalar(w);
		if (depth > WALK_MAX_DEPTH)
			fail(w);
	} while (depth && !w->bad);
}

bool walk_copy(const struct walk_text *t, char *out, size_t cap)
{
	struct buf b = BUF_INIT(cap);
	bool nul = false, ok;

	out[0] = '\0';
	if (!t->p)
		return true;
	if (!t->escaped) {
		if (t->n >= cap)
			return false;
		memcpy(out, t->p, t->n);
		out[t->n] = '\0';
		return !memchr(out, '\0', t->n);
	}
	/* json_unescape wants the quotes, which stand right around the text. */
	ok = json_unescape(&b, t->p - 1, t->n + 2, &nul) && !nul && b.len < cap;
	if (ok)
		memcpy(out, b.p ? b.p : "", b.len + 1);
	buf_release(&b);
	return ok;
}
