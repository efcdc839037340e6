/* lines.c - NDJSON lines out of a descriptor, in bounded memory. */
#include "base/lines.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_SIZE ((size_t)128 << 10)
#define MIN_READ ((size_t)32 << 10) /* a pipe holds 64 KiB: small reads would double the system calls */
#define SLACK ((size_t)5)           /* BOM, CR, LF */

struct lines {
	int fd;
	size_t max;
	char *p;
	size_t cap, start, searched, end; /* start <= searched <= end < cap; no LF in start..searched */
	uint64_t no;
	bool eof, skipping; /* skipping: inside a line that was reported as too long */
	void (*before_block)(void *);
	void *arg;
	struct pollfd watch[LINES_WATCH];
	size_t nwatch;
};

struct lines *lines_open(int fd, size_t max_line)
{
	struct lines *l = mem_alloc(sizeof(*l));

	l->fd = fd;
	l->max = max_line < SIZE_MAX / 4 ? max_line : SIZE_MAX / 4;
	l->cap = FIRST_SIZE;
	l->p = mem_realloc(NULL, l->cap);
	return l;
}

void lines_before_block(struct lines *l, void (*fn)(void *), void *arg)
{
	l->before_block = fn;
	l->arg = arg;
}

void lines_watch(struct lines *l, const struct pollfd *v, size_t n)
{
	l->nwatch = n < LINES_WATCH ? n : LINES_WATCH;
	for (size_t i = 0; i < l->nwatch; i++)
		l->watch[i] = v[i];
}

void lines_close(struct lines *l)
{
	if (!l)
		return;
	free(l->p);
	free(l);
}

/* ---- reading ---- */

/* Room for a good read behind end: move what is left to the front, or grow. */
static void make_room(struct lines *l)
{
	size_t have = l->end - l->start;

	if (have == 0) {
		l->start = l->searched = l->end = 0;
	} else if (l->cap - l->end <= MIN_READ && l->start > 0) {
		memmove(l->p, l->p + l->start, have);
		l->searched -= l->start;
		l->end = have;
		l->start = 0;
	}
	if (l->cap - l->end > MIN_READ)
		return;
	size_t need = l->max + SLACK + MIN_READ + 1;
	size_t cap = l->cap * 2 < need ? l->cap * 2 : need;
	if (cap > l->cap) {
		l->p = mem_realloc(l->p, cap);
		l->cap = cap;
	}
}

static bool other_ready(const struct pollfd *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].revents)
			return true;
	return false;
}

/* 1: something to read (or an error that read will tell), 0: time is up, 2: stopped, 3: a watched descriptor, -1: error */
static int poll_once(struct lines *l, int timeout_ms, bool stoppable, struct err *e)
{
	struct pollfd p[2 + LINES_WATCH] = { { .fd = l->fd, .events = POLLIN },
		{ .fd = stoppable ? stop_fd() : -1, .events = POLLIN } };
	for (size_t i = 0; i < l->nwatch; i++)
		p[2 + i] = l->watch[i];
	int n = poll(p, 2 + l->nwatch, timeout_ms);

	if (n < 0 && errno != EINTR)
		return err_errno(e, ERR_LOCAL, errno, "cannot wait for input");
	if (stoppable && stop_requested())
		return 2;
	if (n > 0 && (p[0].revents & POLLNVAL))
		return err_errno(e, ERR_LOCAL, EBADF, "cannot read input");
	if (n <= 0)
		return 0;
	return p[0].revents ? 1 : other_ready(p + 2, l->nwatch) ? 3 : 0;
}

static enum lines_result wait_input(struct lines *l, int64_t until, bool stoppable, struct err *e)
{
	int got = poll_once(l, 0, stoppable, e);

	if (got == 0 && l->before_block)
		l->before_block(l->arg);
	while (got == 0) {
		int64_t left = until < 0 ? -1 : until - clock_mono_ms();

		if (until >= 0 && left <= 0)
			return LINES_TIMEOUT;
		got = poll_once(l, (int)left, stoppable, e);
	}
	return got < 0 ? LINES_ERROR : got == 2 ? LINES_STOPPED : got == 3 ? LINES_TIMEOUT : LINES_LINE;
}

/* Read one block. LINES_LINE: there is more, or the end was reached. */
static enum lines_result fill(struct lines *l, int64_t until, bool stoppable, struct err *e)
{
	make_room(l);
	for (;;) {
		enum lines_result r = wait_input(l, until, stoppable, e);
		if (r != LINES_LINE)
			return r;
		ssize_t n = read(l->fd, l->p + l->end, l->cap - l->end - 1);
		if (n > 0)
			l->end += (size_t)n;
		else if (n == 0)
			l->eof = true;
		else if (errno == EINTR || errno == EAGAIN)
			continue; /* another reader of a shared descriptor was faster */
		else
			return (enum lines_result)err_errno(e, ERR_LOCAL, errno, "cannot read input");
		return LINES_LINE;
	}
}

/* ---- lines ---- */

static bool only_space(const char *p, size_t n)
{
	while (n && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
		p++;
		n--;
	}
	return n == 0;
}

/* The n bytes from start are a whole line without its LF, or with `cut` the begin of one. False: blank. */
static bool give(struct lines *l, size_t n, bool cut, struct line *out)
{
	char *p = l->p + l->start;

	if (n && !cut && p[n - 1] == '\r')
		n--;
	if (l->no++ == 0 && n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
		n -= 3;
	}
	if (!cut && only_space(p, n))
		return false;
	out->too_long = n > l->max;
	out->len = out->too_long ? l->max : n;
	out->p = p;
	out->no = l->no;
	p[out->len] = '\0'; /* over the CR, LF or a byte that is passed over */
	return true;
}

/* Take what is buffered: true with a line in *out; false: more input is needed or the end is reached. */
static bool take(struct lines *l, struct line *out)
{
	while (l->start < l->end) {
		char *lf = memchr(l->p + l->searched, '\n', l->end - l->searched);
		size_t stop = lf ? (size_t)(lf - l->p) : l->end, n = stop - l->start;
		bool whole = lf || l->eof, given = false;

		l->searched = stop;
		if (!whole && !l->skipping && n <= l->max + SLACK)
			return false;
		if (!l->skipping)
			given = give(l, n, !whole, out);
		l->skipping = !whole;
		l->start = l->searched = stop + (lf != NULL);
		if (given)
			return true;
	}
	return false;
}

enum lines_result lines_next(struct lines *l, struct line *out, int timeout_ms, bool stoppable, struct err *e)
{
	int64_t until = -1;

	for (bool first = true;; first = false) {
		if (take(l, out))
			return LINES_LINE;
		if (l->eof)
			return LINES_END;
		if (first && timeout_ms >= 0)
			until = clock_mono_ms() + timeout_ms;
		enum lines_result r = fill(l, until, stoppable, e);
		if (r != LINES_LINE)
			return r;
	}
}
