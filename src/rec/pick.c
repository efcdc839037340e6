/* Choose among the JSON values of a text, salvage what a broken one holds, and the texts that are one
 * value whole. */
#include "rec/answer.h"
#include "rec/extract.h"

static enum rank final_rank(const struct walk *w, const struct candidate *c)
{
	if (c->rank >= RANK_FENCE && !extract_place_ends(w, c->end))
		return RANK_PROSE; /* more text in its fence */
	return c->rank;
}

/* Is there an array of objects at the start of the JSON (want_start), or somewhere in it? A hint, not a
 * proof. */
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
			repair_undo(json, mark);
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
	repair_undo(json, mark);
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
	repair_undo(json, mark);
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
	repair_undo(json, mark);
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
		repair_undo(json, mark);
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
	extract_walk(&w);
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
