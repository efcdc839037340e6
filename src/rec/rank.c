/* rank.c - score candidates against a user's recent interactions; no I/O, no counting. */
#include "rec/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"

/* The shares of a score. Three fresh interactions with a category must win over any older interest, so what goes together
 * and what is popular can only reorder items of about the same interest. */
#define SHARE_CATEGORY 1.0
#define SHARE_NEAR 0.2
#define SHARE_POPULAR 0.05
#define STEP_BACK 0.6                 /* each interaction counts so much of the one after it */
#define HALF_LIFE_S (7.0 * 24 * 3600) /* and half after a week */
#define NEAR_ENOUGH 0.3               /* of the best candidate's, to be given as the reason */

static const struct {
	const char *type;
	int weight;
	double interest; /* in the category; closer together, so that recency decides */
} kinds[] = {
	{ "purchase", 30, 1.5 },
	{ "click", 10, 1.0 },
	{ "dwell", 5, 0.8 },
	{ "skip", -10, -1.0 },
};

static double interest_of(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcasecmp(kinds[i].type, type))
			return kinds[i].interest;
	return 1.0;
}

int rank_event_weight(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcasecmp(kinds[i].type, type))
			return kinds[i].weight;
	return 10;
}

double rank_recency(const struct rank_recent *recent, size_t n, size_t i)
{
	double w = pow(STEP_BACK, (double)(n - 1 - i));

	return recent[i].age_s > 0 ? w * exp2(-recent[i].age_s / HALF_LIFE_S) : w;
}

bool rank_excluded(const struct rank_recent *recent, size_t n, const char *item_id)
{
	bool skipped = false;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(recent[i].item_id, item_id) != 0)
			continue;
		if (!strcasecmp(recent[i].type, "purchase"))
			return true;
		skipped = !strcasecmp(recent[i].type, "skip");
	}
	return skipped;
}

static bool seen(const struct rank_recent *recent, size_t n, const char *item_id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(recent[i].item_id, item_id))
			return true;
	return false;
}

struct scale {          /* what the parts of a score are relative to */
	double *weight; /* of each recent interaction */
	double interest, near, popularity;
};

static double interest_in(
	const struct rank_recent *recent, size_t n, const double *weight, const char *category)
{
	double sum = 0;

	for (size_t i = 0; *category && i < n; i++)
		if (!strcmp(recent[i].category, category))
			sum += weight[i];
	return sum;
}

static struct scale scale_of(
	const struct rank_recent *recent, size_t nrecent, const struct rank_candidate *c, size_t n)
{
	struct scale s = { .weight = mem_array(nrecent, sizeof(double)) };

	for (size_t i = 0; i < nrecent; i++) {
		s.weight[i] = rank_recency(recent, nrecent, i) * interest_of(recent[i].type);
		if (*recent[i].category)
			s.interest += fabs(s.weight[i]);
	}
	for (size_t i = 0; i < n; i++) {
		s.near = fmax(s.near, c[i].near);
		s.popularity = fmax(s.popularity, c[i].popularity);
	}
	return s;
}

static double part(double v, double of)
{
	return of > 0 ? v / of : 0;
}

static struct rank_result score(const struct rank_recent *recent, size_t nrecent,
	const struct rank_candidate *c, const struct scale *s)
{
	struct rank_result r = { .item = c };
	double interest = part(interest_in(recent, nrecent, s->weight, c->category), s->interest);
	double near = part(c->near, s->near);

	r.score = SHARE_CATEGORY * interest + SHARE_NEAR * near +
		  SHARE_POPULAR * part(c->popularity, s->popularity);
	r.confidence = 0.05 + 0.9 * fmax(r.score, 0) / (SHARE_CATEGORY + SHARE_NEAR + SHARE_POPULAR);
	if (seen(recent, nrecent, c->item_id)) {
		r.score -= 2;
		r.confidence /= 2;
	}
	if (c->because && near >= NEAR_ENOUGH)
		r.reason = RANK_NEAR;
	else if (interest > 0)
		r.reason = RANK_CATEGORY;
	return r;
}

static int by_score(const void *pa, const void *pb)
{
	const struct rank_result *a = pa, *b = pb;

	if (a->score != b->score)
		return a->score < b->score ? 1 : -1;
	return strcmp(a->item->item_id, b->item->item_id);
}

size_t rank_items(const struct rank_recent *recent, size_t nrecent, const struct rank_candidate *candidates,
	size_t n, struct rank_result *out, size_t count)
{
	struct scale s = scale_of(recent, nrecent, candidates, n);
	struct rank_result *all = mem_array(n, sizeof *all);
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!rank_excluded(recent, nrecent, candidates[i].item_id))
			all[kept++] = score(recent, nrecent, &candidates[i], &s);
	if (kept)
		qsort(all, kept, sizeof *all, by_score);
	if (kept > count)
		kept = count;
	for (size_t i = 0; i < kept; i++) {
		out[i] = all[i];
		if (i && out[i].confidence > out[i - 1].confidence)
			out[i].confidence = out[i - 1].confidence;
	}
	free(all);
	free(s.weight);
	return kept;
}

static bool print_reason(struct buf *out, const struct rank_result *r)
{
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	const char *category = r->item->category;
	bool ok;

	if (r->reason == RANK_NEAR && *category)
		buf_printf(&text, "Because of %s: the two are often visited together, and this is in %s.",
			r->item->because, category);
	else if (r->reason == RANK_NEAR)
		buf_printf(&text, "Because of %s: the two are often visited together.", r->item->because);
	else if (r->reason == RANK_CATEGORY)
		buf_printf(&text, "Because of your latest interest in %s.", category);
	else if (*category)
		buf_printf(&text, "Popular now in %s.", category);
	else
		buf_str(&text, "Popular now.");
	ok = json_quote(out, text.p ? text.p : "", text.len);
	buf_release(&text);
	return ok;
}

bool rank_print(struct buf *out, const struct rank_result *results, size_t n)
{
	buf_char(out, '[');
	for (size_t i = 0; i < n; i++) {
		buf_str(out, i ? ",{\"item_id\":" : "{\"item_id\":");
		json_quote_str(out, results[i].item->item_id);
		buf_str(out, ",\"category\":");
		json_quote_str(out, results[i].item->category);
		buf_str(out, ",\"reasoning\":");
		print_reason(out, &results[i]);
		buf_printf(out, ",\"confidence_score\":%.3f}", results[i].confidence);
	}
	return buf_char(out, ']');
}
