/* repair.h - read a JSON value as models slip it, and write it as strict JSON.
 *
 * Only slips with one meaning are undone; the list stands in repair.c. What could mean two things (a
 * member without a value, 9/10, NaN, a hole in an array, an odd quote inside a string) is garbled, never
 * guessed at. Pure. Time is linear in n, nesting is bounded by JSON_MAX_DEPTH. */
#ifndef RECAGENT_REC_REPAIR_H
#define RECAGENT_REC_REPAIR_H

#include "base/json.h"

enum repair_result {
	REPAIR_GARBLED = -1,
	REPAIR_CUT = 0, /* the text ends inside the value */
	REPAIR_DONE = 1
};

/* Read the container ('{', '[', or a Python tuple's '(') at s; *used bytes of it, strict JSON appended
 * to out (which holds rubbish unless REPAIR_DONE). *bold says that a slip was undone which is certain
 * only when the value fills its place: text right behind it would make it a guess. */
enum repair_result repair_container(const char *s, size_t n, struct buf *out, size_t *used, bool *bold);

/* Read all of s as one scalar: a quoted text, a number, a literal, a call like f(2); with a stray , or ;
 * behind it. Bare words are prose, not scalars. */
enum repair_result repair_scalar(const char *s, size_t n, struct buf *out);

/* The first byte at or after i that is neither white space (Unicode's too) nor in a comment; *newline
 * when a line end was passed. n when an open comment swallows the rest. */
size_t repair_skip(const char *s, size_t n, size_t i, bool *newline);

/* The length of the member name with its colon that starts at i (after white space inside), 0 when there
 * is none. quoted_only leaves out bare words. */
size_t repair_key(const char *s, size_t n, size_t i, bool quoted_only);

/* The kind of quotation mark at i: '"', '\'', '`', 'D' (curly double), 'S' (curly single), 0 when none;
 * its length. */
char repair_quote(const char *s, size_t n, size_t i, size_t *len);

/* Take back what was written behind len. */
static inline void repair_undo(struct buf *b, size_t len)
{
	if (len < b->len) {
		b->len = len;
		b->p[len] = '\0';
	}
}

#endif
