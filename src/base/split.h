/* split.h - cut a stream of bytes into JSON values: one a line, or one behind the other without newlines, as Firehose
 * writes them, or pretty-printed over many lines.
 *
 * Works byte by byte, so the values do not depend on how the stream was cut into pieces. A value is not checked, only
 * found: the caller scans it. Where a value can't be right (a newline inside a string, an opening brace on a new line where
 * none can stand, the end inside a value) its first line ends it, and each of its other lines stands for itself, so that one
 * damaged line never swallows its neighbours. Memory is bounded by twice the limit. Not thread-safe. */
#ifndef RECAGENT_BASE_SPLIT_H
#define RECAGENT_BASE_SPLIT_H

#include "base/buf.h"
#include "base/err.h"

struct split_value {
	const char *p; /* borrowed; NUL behind */
	size_t len;
	uint64_t no;   /* from 1 */
	bool too_long; /* its first bytes only */
};
/* Return 0 to go on; anything else ends the feeding and is handed back. */
typedef int split_sink(const struct split_value *v, void *arg, struct err *e);

struct split {
	struct buf value;
	size_t limit;
	uint64_t no;
	split_sink *fn;
	void *arg;
	/* private */
	unsigned depth;
	char last; /* last byte of the value that is no white space */
	unsigned char arrays
		[64]; /* a bit for each open level: an array, not an object; deeper ones are not told apart */
	bool in_string, escaped, newline, scalar, skipping, began;
	bool lines, again; /* each newline ends a value; bytes of a lost value are fed again */
};

void split_init(struct split *s, size_t limit, split_sink *fn, void *arg);
int split_feed(struct split *s, const char *p, size_t n, struct err *e);
int split_finish(struct split *s, struct err *e); /* hands on an unfinished value */
void split_reset(struct split *s);                /* for the next stream: numbers begin at 1 */
void split_release(struct split *s);

#endif
