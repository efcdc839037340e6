/* rank.h - rank items for one user: interest in categories with recency, visited together, popular.
 *
 * What the user did last decides about the category; what goes together and what is popular decide inside it. Items that the
 * user bought or skipped last never come out; items looked at lately come behind all others. Ties go by item_id, so the same
 * input gives the same output. Pure. */
#ifndef RECAGENT_REC_RANK_H
#define RECAGENT_REC_RANK_H

#include "base/buf.h"

struct rank_recent {                           /* an interaction; lists are oldest first */
	const char *item_id, *category, *type; /* never NULL; category "" when unknown; type in any case */
	double age_s;                          /* negative: unknown */
};
struct rank_candidate {
	const char *item_id, *category;
	double near;         /* how often visited together with recent items, on any scale, >= 0 */
	const char *because; /* the recent item that contributes most to near, or NULL */
	double popularity;   /* on any scale, >= 0 */
};
enum rank_reason { RANK_POPULAR, RANK_CATEGORY, RANK_NEAR };
struct rank_result {
	const struct rank_candidate *item;
	double score, confidence; /* confidence 0..1, never rising from one result to the next */
	enum rank_reason reason;
};

/* What an event says about its item, in tenths of a click: purchase > click and unknown types > dwell > 0 > skip. */
int rank_event_weight(const char *type);
/* How much the i-th of n recent interactions counts now, 0..1. */
double rank_recency(const struct rank_recent *recent, size_t n, size_t i);
/* Bought, or the last thing that happened to it was a skip. */
bool rank_excluded(const struct rank_recent *recent, size_t n, const char *item_id);

/* Up to count results into out, best first. Candidates have distinct item_ids. Returns how many. */
size_t rank_items(const struct rank_recent *recent, size_t nrecent, const struct rank_candidate *candidates,
	size_t n, struct rank_result *out, size_t count);
/* Append the results as the JSON array that a model is asked for. */
bool rank_print(struct buf *out, const struct rank_result *results, size_t n);

#endif
