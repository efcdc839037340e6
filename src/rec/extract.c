/* Find the JSON value that a model meant as its answer.
 *
 * The text is walked once. Where a value may start it is read strictly, else with repairs (repair.c),
 * and the walk goes on behind it, so nothing inside a value (a fence in a string, an array in a broken
 * object) is ever taken for one. Of several values the best place wins, and the first of equal places:
 * what models add after the answer is comments on it. A broken value in a place that counts ends the
 * search: what stands behind it may be a part of it. */
#include "rec/extract.h"

#include <strings.h>

#define FAILURES_MAX 32 /* prose brackets that looked like a value: each may cost a scan of the rest */
#define LABEL_MAX 24    /* bytes of a fence label or a tag name */

/* ---- places ---- */

static bool one_of(const char *s, size_t n, const char *const *names)
{
	for (; *names; names++)
		if (strlen(*names) == n && !strncasecmp(*names, s, n))
			return true;
	return false;
}

static size_t label_len(const struct walk *w, size_t i)
{
	size_t k = i;
	while (k < w->n && k - i < LABEL_MAX &&
		(w->s[k] == '_' || w->s[k] == '-' || w->s[k] == '+' || (w->s[k] >= '0' && w->s[k] <= '9') ||
			((w->s[k] | 0x20) >= 'a' && (w->s[k] | 0x20) <= 'z')))
		k++;
	return k - i;
}

/* A fence: what follows its label is a place of its own. Closing fences look the same and do no harm.
 * False when it should hold JSON and does not: the answer is broken, and nothing behind it can replace
 * it. */
static bool at_fence(struct walk *w)
{
	static const char *const data[] = { "json", "jsonc", "json5", "ndjson", "jsonl", NULL };
	static const char *const plain[] = { "", "text", "txt", "plaintext", "markdown", "md", "output",
		NULL };
	char mark = w->s[w->i];
	while (w->i < w->n && w->s[w->i] == mark)
		w->i++;
	size_t len = label_len(w, w->i);
	const char *label = w->s + w->i;
	w->base = one_of(label, len, data)    ? RANK_ANSWER
		  : one_of(label, len, plain) ? RANK_FENCE
					      : RANK_PROSE;
	w->i += len;
	w->place = repair_skip(w->s, w->n, w->i, NULL);
	if (w->aside)
		w->base = RANK_ASIDE;
	if (w->base != RANK_ANSWER || w->place >= w->n || strchr("{[(", w->s[w->place]) || w->s[w->i] != '\n')
		return true;
	w->damaged = true; /* named json, but it is none */
	w->damage = w->place;
	return false;
}

/* <thinking> sets its inside aside, <json> and <answer> mark theirs. */
static void at_tag(struct walk *w)
{
	static const char *const thought[] = { "think", "thinking", "thought", "thoughts", "scratchpad",
		"reasoning", "reflection", "analysis", "schema", "example", "examples", "input", "context",
		NULL };
	static const char *const answer[] = { "json", "answer", "final_answer", "output", "result", "results",
		"response", "recommendations", NULL };
	bool closing = starts(w, w->i, "</");
	w->i += closing ? 2 : 1;
	size_t len = label_len(w, w->i), end = w->i + len;
	if (!len || end >= w->n || w->s[end] != '>')
		return;
	if (one_of(w->s + w->i, len, thought)) {
		w->aside = !closing;
	} else if (!closing && !w->aside && one_of(w->s + w->i, len, answer)) {
		w->base = RANK_ANSWER;
		w->place = skip_space(w->s, w->n, end + 1);
	}
	w->i = end + 1;
}

bool extract_place_ends(const struct walk *w, size_t i)
{
	i = skip_space(w->s, w->n, i);
	return i >= w->n || starts(w, i, "```") || starts(w, i, "~~~") || starts(w, i, "</");
}

/* ---- what surrounds a value ---- */

/* The end of the closing brackets from i on when only they stand there up to the end of the place: the
 * model closed too often. Else 0. */
static size_t surplus_closers(const struct walk *w, size_t i)
{
	while (i < w->n && (is_space(w->s[i]) || w->s[i] == '}' || w->s[i] == ']'))
		i++;
	return extract_place_ends(w, i) ? i : 0;
}

/* Whether a closing bracket too many has one meaning: only where it cannot have closed an inner object
 * too early, and where no opening one can be missing instead. */
static bool may_have_surplus(const char *json, size_t n)
{
	size_t k = skip_space(json, n, 1);
	if (*json == '[')
		return k < n && json[k] == '{';
	return !memchr(json + 1, '{', n - 1);
}

/* Before the value: "key": or the end of another value and a comma, or something glued to it. */
static bool debris_before(const struct walk *w, const struct candidate *c)
{
	size_t b = trim_end(w->s, c->off);
	char glued = c->off ? w->s[c->off - 1] : ' ';
	bool named = c->off >= 4 && !strncasecmp(w->s + c->off - 4, "json", 4); /* json{...} */
	if ((glued == '"' || glued == '\'') && (c->end >= w->n || w->s[c->end] != glued))
		return true;
	if (glued == ']' || glued == '}' || (is_alnum(glued) && c->off != w->place && !named))
		return !w->count || w->found[w->count - 1].end != c->off;
	if (!b || (w->s[b - 1] != ':' && w->s[b - 1] != ','))
		return false;
	bool comma = w->s[b - 1] == ',';
	b = trim_end(w->s, b - 1);
	if (!b)
		return true;
	if (comma && ((w->count && w->found[w->count - 1].end == b) || w->closed == b))
		return false;
	return w->s[b - 1] == '"' || w->s[b - 1] == '\'' ||
	       (comma && (w->s[b - 1] == '}' || w->s[b - 1] == ']'));
}

/* Behind the value: more members, or something glued to it. */
static bool debris_behind(const struct walk *w, const struct candidate *c)
{
	bool newline = false;
	size_t len, a = repair_skip(w->s, w->n, c->end, &newline);
	if (a >= w->n || extract_place_ends(w, a))
		return false;
	char glued = w->s[c->end];
	bool wrapped = c->off && w->s[c->off - 1] == glued; /* "{...}" */
	if (is_alnum(glued) || glued == ':' || (c->empty && !is_space(glued) && !strchr(".,;)`>*{[", glued)))
		return true;
	bool comma = w->s[a] == ',';
	if (comma)
		a = repair_skip(w->s, w->n, a + 1, NULL);
	if (a >= w->n)
		return false;
	if (repair_quote(w->s, w->n, a, &len) == '"' && (comma || (!newline && !wrapped)))
		return true;
	if (comma && (w->s[a] == '-' || (w->s[a] >= '0' && w->s[a] <= '9')))
		return true;
	return w->s[a] == ':' || repair_key(w->s, w->n, a, !comma);
}

/* Whether the value is a piece of something larger that is broken. */
static bool is_debris(const struct walk *w, struct candidate *c)
{
	size_t a = repair_skip(w->s, w->n, c->end, NULL);
	if (a < w->n && (w->s[a] == '}' || w->s[a] == ']') && !extract_place_ends(w, a)) {
		size_t end = surplus_closers(w, a);
		if (c->repaired || !end || !may_have_surplus(w->texts.p + c->pos, c->len) ||
			(c->object && memchr(w->s + a, ']', end - a)))
			return true;
		c->repaired = c->surplus = true;
		c->end = end;
	} else if (debris_behind(w, c)) {
		return true;
	}
	return debris_before(w, c);
}

/* Could the bracket at i, in prose, be meant as JSON? [1] and {name} are not: citations, templates,
 * formulas. */
static bool meant(const struct walk *w, size_t i)
{
	size_t len, k = repair_skip(w->s, w->n, i + 1, NULL);
	if (k >= w->n)
		return false;
	char q = repair_quote(w->s, w->n, k, &len);
	if (w->s[i] == '[')
		return w->s[k] == '{' || w->s[k] == '[' || q == '"' ||
		       (w->s[k] == '\\' && starts(w, k, "\\\""));
	if (w->s[k] == '{')
		k = repair_skip(w->s, w->n, k + 1, NULL);
	return k < w->n && (q || strchr("\"\\,", w->s[k]) || repair_key(w->s, w->n, k, false));
}

/* ---- candidates ---- */

static bool is_schema(const char *s, size_t n)
{
	struct json_member m[] = { { .name = "$schema" }, { .name = "properties" }, { .name = "type" },
		{ .name = "$defs" } };
	struct json_object o;
	if (json_scan_object(s, n, m, 4, &o, NULL) != 0)
		return false;
	return m[0].type || m[3].type || (m[1].type == JSON_OBJECT && m[2].type == JSON_STRING);
}

/* Numbers and nothing else: what prose and formulas put in brackets. */
static bool only_numbers(const char *json, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!strchr("0123456789+-.eE,[] \t\r\n", json[k]) || !json[k])
			return false;
	return true;
}

/* A value in the middle of a sentence that only mentions it: "callback {}", a citation [1], the interval
 * [0, 1]. */
static bool is_mention(const struct walk *w, const struct candidate *c)
{
	const char *json = w->texts.p + c->pos;
	size_t b = c->off;
	if (c->rank > RANK_PROSE || !(c->empty || only_numbers(json, c->len)))
		return false;
	if (b > 1 && w->s[b - 1] == '(' && !is_space(w->s[b - 2]))
		return false; /* callback({}) */
	while (b && (w->s[b - 1] == ' ' || w->s[b - 1] == '\t'))
		b--;
	if (b && !strchr("\n:>}],", w->s[b - 1]))
		return true;
	return !c->empty && !memchr(json, ',', c->len) && !extract_place_ends(w, c->end);
}

static bool same_text(const struct walk *w, const struct candidate *a, const struct candidate *b)
{
	return a->len == b->len && !memcmp(w->texts.p + a->pos, w->texts.p + b->pos, a->len);
}

/* Make c, the newest, one more line of last. Each text has one byte of room in front, where its comma
 * goes. */
static void add_line(struct walk *w, struct candidate *last, const struct candidate *c)
{
	char *end = w->texts.p + last->pos + last->len;
	*end = ',';
	memmove(end + 1, w->texts.p + c->pos, c->len);
	last->len += c->len + 1;
	repair_undo(&w->texts, last->pos + last->len);
	last->end = c->end;
	last->lines++;
	last->repaired = true;
}

/* What a value directly behind the last one means. Objects on lines are a list (NDJSON); an empty value
 * or the same again is nothing; else the two contradict each other. True when c is used up by that. */
static bool join(struct walk *w, struct candidate *c)
{
	struct candidate *last = w->count ? &w->found[w->count - 1] : NULL;
	bool newline = false;
	if (!last)
		return false;
	size_t k = repair_skip(w->s, w->n, last->end, &newline);
	bool comma = k < c->off && w->s[k] == ',';
	if (comma)
		k = repair_skip(w->s, w->n, k + 1, &newline);
	if (k != c->off)
		return false;
	if (c->empty != last->empty) {
		if (last->empty)
			*last = *c;
		last->end = c->end;
		return true;
	}
	if (c->object && last->object && (newline || comma)) {
		last->broken = c->surplus; /* the tail of a list whose head closed too early */
		add_line(w, last, c);
		return true;
	}
	if (same_text(w, last, c)) {
		last->end = c->end;
		return true;
	}
	last->ambiguous = c->ambiguous = true;
	return false;
}

static void classify(const struct walk *w, struct candidate *c)
{
	const char *json = w->texts.p + c->pos;
	size_t first = skip_space(json, c->len, 1);
	c->object = *json == '{';
	c->empty = first < c->len && (json[first] == '}' || json[first] == ']');
	if (c->rank > RANK_ASIDE && is_schema(json, c->len))
		c->rank = RANK_ASIDE;
}

/* Read the value at i, strictly or with repairs. */
static enum repair_result try_value(struct walk *w, bool strict)
{
	const char *p = w->s + w->i;
	size_t used = 0, left = w->n - w->i, mark = w->texts.len;
	bool bold = false;
	struct candidate c = { .off = w->i, .rank = w->i == w->place ? w->base : RANK_PROSE };
	if (w->aside)
		c.rank = RANK_ASIDE;
	buf_char(&w->texts, '['); /* room for the bracket of a list of lines */
	c.pos = mark + 1;
	enum repair_result r = REPAIR_GARBLED;
	if (*p != '(' && json_scan_prefix(p, left, &used, NULL, NULL) == 1) {
		r = REPAIR_DONE;
		buf_add(&w->texts, p, used);
	} else if (!strict) {
		r = repair_container(p, left, &w->texts, &used, &bold);
		c.repaired = true;
	}
	c.end = w->i + used;
	if (w->texts.over || (r == REPAIR_DONE && bold && !extract_place_ends(w, c.end)))
		r = REPAIR_GARBLED;
	if (r == REPAIR_DONE) {
		c.len = w->texts.len - c.pos;
		classify(w, &c);
		if (is_debris(w, &c))
			r = REPAIR_GARBLED;
	}
	if (r != REPAIR_DONE) {
		repair_undo(&w->texts, mark);
		return r;
	}
	w->i = c.end;
	if (!is_mention(w, &c) && !join(w, &c) && w->count < CANDIDATES_MAX)
		w->found[w->count++] = c;
	return r;
}

/* ---- the walk ---- */

/* A value that should be one is broken at i. False ends the walk: what follows may be a part of it. */
static bool after_damage(struct walk *w, enum repair_result r)
{
	if (w->aside) {
		while (w->i < w->n && !starts(w, w->i, "</"))
			w->i++;
		return w->i < w->n;
	}
	w->damaged = true;
	w->damage = w->i;
	if (r == REPAIR_CUT || w->i == w->place)
		return false;
	w->only_fences = true; /* a sketch in prose: the answer may still come, fenced and named */
	w->i++;
	return true;
}

/* A label in front of the answer, "[INFO] " or "[2026-01-02 10:00]", or a remark in parentheses. */
static bool is_label(const struct walk *w, size_t i)
{
	size_t k = i + 1;
	if (w->s[i] == '(')
		return true;
	while (k < w->n && k - i < LABEL_MAX && (is_alnum(w->s[k]) || strchr(" _:.-", w->s[k])) && w->s[k])
		k++;
	return w->s[i] == '[' && k < w->n && w->s[k] == ']' && k > i + 1;
}

/* Directly behind the last value: prose does not look like that. */
static bool beside_last(const struct walk *w)
{
	if (!w->count)
		return false;
	size_t k = repair_skip(w->s, w->n, w->found[w->count - 1].end, NULL);
	if (k < w->i && w->s[k] == ',')
		k = repair_skip(w->s, w->n, k + 1, NULL);
	return k == w->i;
}

static bool at_bracket(struct walk *w)
{
	bool place = w->i == w->place;
	if (w->only_fences && !(place && w->base == RANK_ANSWER)) {
		w->i++;
		return true;
	}
	bool weak = starts(w, w->i + 1, "```") || (!place && !meant(w, w->i) && !beside_last(w));
	enum repair_result r = try_value(w, weak || w->only_fences);
	if (r == REPAIR_DONE)
		return true;
	if (!weak && !(place && w->base == RANK_PROSE && is_label(w, w->i)))
		return after_damage(w, r);
	w->i++;
	w->open++;
	return ++w->failures < FAILURES_MAX;
}

/* A closing bracket of prose; one too many is the end of a value whose start is missing. */
static bool at_closer(struct walk *w)
{
	if (w->open == 0)
		return after_damage(w, REPAIR_GARBLED);
	w->open--;
	w->closed = ++w->i;
	return true;
}

/* A tuple counts only where it fills its place. */
static bool opens(const struct walk *w, size_t i)
{
	char c = w->s[i];
	return c == '{' || c == '[' ||
	       (c == '(' && i == w->place && (w->base >= RANK_FENCE || w->s[w->n - 1] == ')'));
}

void extract_walk(struct walk *w)
{
	w->base = RANK_PROSE;
	w->place = repair_skip(w->s, w->n, 0, NULL);
	while (w->i < w->n) {
		if (opens(w, w->i)) {
			if (!at_bracket(w))
				return;
		} else if ((starts(w, w->i, "```") || starts(w, w->i, "~~~")) &&
			   !(w->only_fences && w->i && w->s[w->i - 1] != '\n')) {
			if (!at_fence(w))
				return;
		} else if (w->s[w->i] == '<') {
			at_tag(w);
		} else if (w->s[w->i] == '}' || w->s[w->i] == ']') {
			if (!at_closer(w))
				return;
		} else {
			w->i++;
		}
	}
}
