/* Find the JSON value that a model meant as its answer.
 *
 * The text is walked once. Where a value may start it is read strictly, else with repairs (repair.c), and the walk goes
 * on behind it, so nothing inside a value (a fence in a string, an array in a broken object) is ever taken for one.
 * Of several values the best place wins, and the first of equal places: what models add after the answer is comments on
 * it. A broken value in a place that counts ends the search: what stands behind it may be a part of it. */
#include "rec/answer.h"
#include "rec/repair.h"

#include <string.h>
#include <strings.h>

#define CANDIDATES_MAX 64 /* values looked at in one text */
#define FAILURES_MAX 32   /* prose brackets that looked like a value: each may cost a scan of the rest */
#define LABEL_MAX 24      /* bytes of a fence label or a tag name */

/* How much a place says that the answer stands there. */
enum rank { RANK_ASIDE, RANK_PROSE, RANK_FENCE, RANK_ANSWER };

struct candidate {
	size_t off, end; /* in the text */
	size_t pos, len; /* its JSON in `texts`, with a '[' in front for lists of lines */
	enum rank rank;
	bool object, empty, repaired;
	bool ambiguous; /* stands beside one that contradicts it */
	bool surplus, broken;
	unsigned lines; /* objects on lines of their own, joined to an array */
};

struct walk {
	const char *s;
	size_t n, i;
	struct buf texts;
	struct candidate found[CANDIDATES_MAX];
	size_t count, failures;
	long open;      /* brackets of prose not closed yet */
	enum rank base; /* of the place that starts at i */
	size_t place;   /* where that place starts; n when none does */
	bool aside;     /* between <thinking> and its end */
	bool damaged, only_fences;
	size_t damage; /* where the broken value starts */
};

static size_t trim_end(const char *s, size_t n)
{
	while (n && strchr(" \t\r\n", s[n - 1]) && s[n - 1])
		n--;
	return n;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(const char *s, size_t n, size_t i)
{
	while (i < n && is_space(s[i]))
		i++;
	return i;
}

static bool starts(const struct walk *w, size_t i, const char *what)
{
	size_t len = strlen(what);
	return i <= w->n && w->n - i >= len && !memcmp(w->s + i, what, len);
}

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

/* A fence: what follows its label is a place of its own. Closing fences look the same and do no harm. False when it
 * should hold JSON and does not: the answer is broken, and nothing behind it can replace it. */
static bool at_fence(struct walk *w)
{
	static const char *const data[] = { "json", "jsonc", "json5", "ndjson", "jsonl", NULL };
	static const char *const plain[] = { "", "text", "txt", "plaintext", "markdown", "md", "output",
		NULL };
	while (w->i < w->n && w->s[w->i] == w->s[w->place])
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

/* Does a place end at i: the text, a fence or a tag? */
static bool place_ends(const struct walk *w, size_t i)
{
	i = skip_space(w->s, w->n, i);
	return i >= w->n || starts(w, i, "```") || starts(w, i, "~~~") || starts(w, i, "</");
}

/* ---- what surrounds a value ---- */

/* The end of the closing brackets from i on when only they stand there up to the end of the place: the model closed
 * too often. Else 0. */
static size_t surplus_closers(const struct walk *w, size_t i)
{
	while (i < w->n && (is_space(w->s[i]) || w->s[i] == '}' || w->s[i] == ']'))
		i++;
	return place_ends(w, i) ? i : 0;
}

/* Whether a closing bracket too many has one meaning: only where it cannot have closed an inner object too early, and
 * where no opening one can be missing instead. */
static bool may_have_surplus(const char *json, size_t n)
{
	size_t k = skip_space(json, n, 1);
	if (*json == '[')
		return k < n && json[k] == '{';
	return !memchr(json + 1, '{', n - 1);
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Before the value: "key": or the end of another value and a comma, or something glued to it. */
static bool debris_before(const struct walk *w, const struct candidate *c)
{
	size_t b = trim_end(w->s, c->off);
	char glued = c->off ? w->s[c->off - 1] : ' ';
	if ((glued == '"' || glued == '\'') && (c->end >= w->n || w->s[c->end] != glued))
		return true;
	if (glued == ']' || glued == '}' || (is_alnum(glued) && c->off != w->place))
		return !w->count || w->found[w->count - 1].end != c->off;
	if (!b || (w->s[b - 1] != ':' && w->s[b - 1] != ','))
		return false;
	bool comma = w->s[b - 1] == ',';
	b = trim_end(w->s, b - 1);
	if (!b)
		return true;
	if (comma && w->count && w->found[w->count - 1].end == b)
		return false;
	return w->s[b - 1] == '"' || w->s[b - 1] == '\'' ||
	       (comma && (w->s[b - 1] == '}' || w->s[b - 1] == ']'));
}

/* Behind the value: more members, or something glued to it. */
static bool debris_behind(const struct walk *w, const struct candidate *c)
{
	bool newline = false;
	size_t len, a = repair_skip(w->s, w->n, c->end, &newline);
	if (a >= w->n || place_ends(w, a))
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
	if (a < w->n && (w->s[a] == '}' || w->s[a] == ']') && !place_ends(w, a)) {
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

/* Could the bracket at i, in prose, be meant as JSON? [1] and {name} are not: citations, templates, formulas. */
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
	return k < w->n &&
	       (w->s[k] == '"' || w->s[k] == '\\' || q == 'D' || repair_key(w->s, w->n, k, false));
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

/* A value in the middle of a sentence that only mentions it: "callback {}", a citation [1], the interval [0, 1]. */
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
	return !c->empty && !memchr(json, ',', c->len) && !place_ends(w, c->end);
}

static bool same_text(const struct walk *w, const struct candidate *a, const struct candidate *b)
{
	return a->len == b->len && !memcmp(w->texts.p + a->pos, w->texts.p + b->pos, a->len);
}

/* Make c, the newest, one more line of last. Each text has one byte of room in front, where its comma goes. */
static void add_line(struct walk *w, struct candidate *last, const struct candidate *c)
{
	char *end = w->texts.p + last->pos + last->len;
	*end = ',';
	memmove(end + 1, w->texts.p + c->pos, c->len);
	last->len += c->len + 1;
	w->texts.len = last->pos + last->len;
	last->end = c->end;
	last->lines++;
	last->repaired = true;
}

/* What a value directly behind the last one means. Objects on lines are a list (NDJSON); an empty value or the same
 * again is nothing; else the two contradict each other. True when c is used up by that. */
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
	if (w->texts.over || (r == REPAIR_DONE && bold && !place_ends(w, c.end)))
		r = REPAIR_GARBLED;
	if (r == REPAIR_DONE) {
		c.len = w->texts.len - c.pos;
		classify(w, &c);
		if (is_debris(w, &c))
			r = REPAIR_GARBLED;
	}
	if (r != REPAIR_DONE) {
		w->texts.len = mark;
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

static bool at_bracket(struct walk *w)
{
	bool place = w->i == w->place;
	if (w->only_fences && !(place && w->base == RANK_ANSWER)) {
		w->i++;
		return true;
	}
	bool weak = starts(w, w->i + 1, "```") || (!place && !meant(w, w->i));
	enum repair_result r = try_value(w, weak || w->only_fences);
	if (r == REPAIR_DONE)
		return true;
	if (!weak)
		return after_damage(w, r);
	w->i++;
	w->open++;
	return ++w->failures < FAILURES_MAX;
}

/* A tuple counts only where it fills its place. */
static bool opens(const struct walk *w, size_t i)
{
	char c = w->s[i];
	return c == '{' || c == '[' ||
	       (c == '(' && i == w->place && (w->base >= RANK_FENCE || w->s[w->n - 1] == ')'));
}

static void walk(struct walk *w)
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
		} else if ((w->s[w->i] == '}' || w->s[w->i] == ']') && w->open-- == 0) {
			if (!after_damage(w, REPAIR_GARBLED)) /* the end of a value whose start is missing */
				return;
		} else {
			w->i++;
		}
	}
}

/* ---- the choice ---- */

static enum rank final_rank(const struct walk *w, const struct candidate *c)
{
	if (c->rank >= RANK_FENCE && !place_ends(w, c->end))
		return RANK_PROSE; /* more text in its fence */
	return c->rank;
}

/* Is there an array of objects at the start of the JSON (want_start), or somewhere in it? A hint, not a proof. */
static bool holds_list(const char *json, size_t n, bool want_start)
{
	for (size_t k = 0; k < n; k++) {
		if (json[k] == '[') {
			size_t m = skip_space(json, n, k + 1);
			if (m < n && json[m] == '{')
				return true;
		}
		if (want_start)
			break;
	}
	return false;
}

static int score(const struct walk *w, const struct candidate *c, bool prefer_array)
{
	int rank = (int)final_rank(w, c), list = 0;
	const char *json = w->texts.p + c->pos;
	if (prefer_array && rank > RANK_ASIDE) {
		if (c->lines || holds_list(json, c->len, true))
			list = 2;
		else if (holds_list(json, c->len, false))
			list = 1;
	}
	return (list * 8 + rank) * 2 + !c->empty;
}

static const struct candidate *choose(const struct walk *w, bool prefer_array)
{
	const struct candidate *best = NULL;
	int top = -1;
	for (size_t k = 0; k < w->count; k++) {
		int points = score(w, &w->found[k], prefer_array);
		if (points > top) {
			top = points;
			best = &w->found[k];
		}
	}
	if (!best || best->broken || (w->damaged && final_rank(w, best) < RANK_FENCE))
		return NULL;
	if (best->ambiguous)
		for (size_t k = 0; k < w->count; k++)
			if (&w->found[k] != best && w->found[k].ambiguous &&
				score(w, &w->found[k], prefer_array) == top)
				return NULL;
	return best;
}

/* ---- what is left of a cut-off answer ---- */

/* The first "[{" of the broken value, strings left out. */
static size_t find_list(const struct walk *w, size_t i)
{
	for (bool string = false; i < w->n; i++) {
		if (w->s[i] == '"')
			string = !string;
		else if (w->s[i] == '\\')
			i++;
		else if (w->s[i] == '[' && !string) {
			size_t k = skip_space(w->s, w->n, i + 1);
			if (k < w->n && w->s[k] == '{')
				return k;
		}
	}
	return w->n;
}

/* The whole objects from i on, separated by commas or line ends. Returns how many. */
static size_t whole_objects(const struct walk *w, size_t i, struct buf *json)
{
	size_t count = 0;
	while (i < w->n && w->s[i] == '{') {
		size_t used = 0, mark = json->len;
		bool bold = false;
		if (count)
			buf_char(json, ',');
		if (json_scan_prefix(w->s + i, w->n - i, &used, NULL, NULL) == 1) {
			buf_add(json, w->s + i, used);
		} else if (repair_container(w->s + i, w->n - i, json, &used, &bold) != REPAIR_DONE || bold) {
			json->len = mark;
			break;
		}
		count++;
		i = skip_space(w->s, w->n, i + used);
		if (i < w->n && w->s[i] == ',')
			i = skip_space(w->s, w->n, i + 1);
	}
	return count;
}

static enum answer_how salvage(const struct walk *w, struct buf *json)
{
	size_t mark = json->len, from;
	const struct candidate *last = w->count ? &w->found[w->count - 1] : NULL;
	if (last && last->object && skip_space(w->s, w->n, last->end) == w->damage) {
		buf_char(json, '[');
		buf_add(json, w->texts.p + last->pos, last->len);
		buf_char(json, ']');
		return json->over ? ANSWER_NONE : ANSWER_TRUNCATED;
	}
	from = find_list(w, w->damage);
	buf_char(json, '[');
	if (from < w->n && whole_objects(w, from, json) && buf_char(json, ']') && !json->over)
		return ANSWER_TRUNCATED;
	json->len = mark;
	return ANSWER_NONE;
}

/* ---- whole texts ---- */

/* A document that was quoted once too often, without the outer quotes: {\"a\": 1}. */
static bool unescape_whole(const char *s, size_t n, struct buf *json)
{
	size_t mark = json->len, k = 1;
	while (k < n && (is_space(s[k]) || s[k] == '{' || s[k] == '['))
		k++;
	if ((*s != '{' && *s != '[') || k + 1 >= n || s[k] != '\\' || s[k + 1] != '"')
		return false;
	for (k = 0; k < n; k++) {
		const char *p = s[k] == '\\' && k + 1 < n ? strchr("\"\\/nrt", s[k + 1]) : NULL;
		if (p && *p) {
			buf_char(json, *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p == 't' ? '\t' : *p);
			k++;
		} else {
			buf_char(json, s[k]);
		}
	}
	if (!json->over && json_scan(json->p + mark, json->len - mark, NULL, NULL) == 0)
		return true;
	json->len = mark;
	return false;
}

/* A scalar that fills the text: 'yes', True, f(2);. One without a letter or digit says nothing. */
static bool whole_scalar(const char *s, size_t n, struct buf *json)
{
	size_t mark = json->len;
	if (repair_scalar(s, n, json) == REPAIR_DONE) {
		for (size_t k = mark; k < json->len; k++)
			if ((unsigned char)json->p[k] >= 0x80 || is_alnum(json->p[k]))
				return true;
	}
	json->len = mark;
	return false;
}

static enum answer_how give(const struct walk *w, const struct candidate *c, struct buf *json)
{
	size_t mark = json->len;
	if (c->lines)
		buf_char(json, '[');
	buf_add(json, w->texts.p + c->pos, c->len);
	if (c->lines)
		buf_char(json, ']');
	if (json->over) {
		json->len = mark;
		return ANSWER_NONE;
	}
	return c->repaired ? ANSWER_REPAIRED : ANSWER_FOUND;
}

enum answer_how answer_json(const char *text, size_t n, bool prefer_array, struct buf *json)
{
	size_t bom = n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
	size_t from = skip_space(text, n, bom);
	struct walk w = {
		.s = text + from, .n = trim_end(text + from, n - from), .texts = BUF_INIT(BUF_MAX_LINE)
	};
	if (!w.n || w.n > BUF_MAX_ANSWER)
		return ANSWER_NONE;
	if (json_scan(w.s, w.n, NULL, NULL) == 0)
		return buf_add(json, w.s, w.n) ? ANSWER_STRICT : ANSWER_NONE;
	if (unescape_whole(w.s, w.n, json))
		return ANSWER_REPAIRED;
	walk(&w);
	const struct candidate *best = choose(&w, prefer_array);
	enum answer_how how = ANSWER_NONE;
	if (best)
		how = give(&w, best, json);
	else if (w.damaged && prefer_array)
		how = salvage(&w, json);
	else if (!w.damaged && !w.count && whole_scalar(w.s, w.n, json))
		how = ANSWER_REPAIRED;
	buf_release(&w.texts);
	return how;
}
