/* walk.h - read a service's JSON answer in one pass, without a tree: for the answers that carry records by
 * the thousand.
 *
 * A walker stands before a value; each walk_* call takes what it names and stops behind it. Members and
 * elements that the caller does not take must be passed with walk_skip. The first thing that is not as
 * expected marks the walker `bad` for good, and every later call does nothing, so a ladder needs one check
 * at its end. Looser than json.h where that cannot matter (skipped values, UTF-8): the text comes from the
 * service over a checked connection. Pure. */
#ifndef RECAGENT_AWS_WALK_H
#define RECAGENT_AWS_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WALK_MAX_DEPTH 64

struct walk {
	const char *p, *end;
	bool bad;
};
struct walk_text { /* what stands between a string's quotes, borrowed; p NULL: the value is null */
	const char *p;
	size_t n;
	bool escaped; /* holds backslashes */
};

void walk_init(struct walk *w, const char *p, size_t n);
/* Step into a container. `null` counts as an empty one. */
bool walk_object(struct walk *w);
bool walk_array(struct walk *w);
/* The next member (stands before its value) or element; false behind the container's end. first: true at
 * the first call, cleared here. */
bool walk_member(struct walk *w, bool *first, struct walk_text *name);
bool walk_element(struct walk *w, bool *first);
bool walk_string(struct walk *w, struct walk_text *out); /* a string or null */
bool walk_number(struct walk *w, struct walk_text *out); /* its text; or null */
void walk_skip(struct walk *w);
/* The string, unescaped, NUL behind it; false when it does not fit or a NUL would hide in it. */
bool walk_copy(const struct walk_text *t, char *out, size_t cap);

/* Here, so that a literal's length is known when it is compiled: it is asked several times a record. */
static inline bool walk_is(const struct walk_text *t, const char *name)
{
	return t->p && t->n == strlen(name) && !memcmp(t->p, name, t->n);
}

#endif
