/* lines.h - read NDJSON lines from a descriptor.
 *
 * A line ends at LF, or at end of input. One CR before the LF, and a UTF-8 BOM at the start of the
 * input, are dropped; a line of white space only is skipped but counted. A line over the limit is
 * reported once with its number and its first bytes, then passed over; memory stays bounded.
 * One reader belongs to one thread. */
#ifndef RECAGENT_BASE_LINES_H
#define RECAGENT_BASE_LINES_H

#include "base/err.h"
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

struct lines;

struct line {
	const char *p; /* borrowed until the next call; NUL behind the last byte */
	size_t len;
	uint64_t no;   /* from 1 */
	bool too_long; /* p and len are its first bytes only */
};

enum lines_result { LINES_END = 0, LINES_LINE = 1, LINES_TIMEOUT = 2, LINES_STOPPED = 3, LINES_ERROR = -1 };

struct lines *lines_open(int fd, size_t max_line);

/* The next line. timeout_ms < 0 waits for ever, 0 only takes what is there. With stoppable, a stop
 * signal ends the wait (LINES_STOPPED). before_block (set with lines_before_block) is called whenever
 * no whole line is buffered and the descriptor has none ready: the place to flush output. */
enum lines_result lines_next(
	struct lines *l, struct line *out, int timeout_ms, bool stoppable, struct err *e);
void lines_before_block(struct lines *l, void (*fn)(void *), void *arg);
/* What else ends a wait, as if its time were up: up to LINES_WATCH descriptors with their events. Copied. */
#define LINES_WATCH 2
void lines_watch(struct lines *l, const struct pollfd *v, size_t n);

void lines_close(struct lines *l); /* does not close the descriptor */

#endif
