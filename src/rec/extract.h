/* extract.h - the walk over a model's text that finds the JSON values in it; shared by extract.c and
 * pick.c only. */
#ifndef RECAGENT_REC_EXTRACT_H
#define RECAGENT_REC_EXTRACT_H

#include "rec/repair.h"

#include <string.h>

#define CANDIDATES_MAX 64 /* values looked at in one text */

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
	size_t open;    /* brackets of prose not closed yet */
	size_t closed;  /* behind the last one that was closed */
	enum rank base; /* of the place that starts at i */
	size_t place;   /* where that place starts; n when none does */
	bool aside;     /* between <thinking> and its end */
	bool damaged, only_fences;
	size_t damage; /* where the broken value starts */
};

static inline size_t trim_end(const char *s, size_t n)
{
	while (n && strchr(" \t\r\n", s[n - 1]) && s[n - 1])
		n--;
	return n;
}

static inline bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline size_t skip_space(const char *s, size_t n, size_t i)
{
	while (i < n && is_space(s[i]))
		i++;
	return i;
}

static inline bool starts(const struct walk *w, size_t i, const char *what)
{
	size_t len = strlen(what);
	return i <= w->n && w->n - i >= len && !memcmp(w->s + i, what, len);
}

static inline bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Fill found[], from the text in s, n; texts is the caller's to release. */
void extract_walk(struct walk *w);

/* Does a place end at i: the text, a fence or a tag? */
bool extract_place_ends(const struct walk *w, size_t i);

#endif
