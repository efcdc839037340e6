/* lines_test.c - NDJSON lines out of pipes and files, whole and in pieces. */
#include "check.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/stop.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX 20

struct feed {
	int fd;
	const char *p;
	size_t n, piece;
};

static void *feeder(void *arg)
{
	struct feed *f = arg;

	while (f->n) {
		size_t k = f->n < f->piece ? f->n : f->piece;
		ssize_t w = write(f->fd, f->p, k);

		if (w <= 0)
			break;
		f->p += w;
		f->n -= (size_t)w;
	}
	close(f->fd);
	return NULL;
}

/* All lines of a text that comes in pieces, as "no:text" joined by '|', a too long one with '!'. */
static void read_all(const char *text, size_t n, size_t piece, struct buf *out)
{
	int fds[2];
	struct line line;
	struct err e = { 0 };
	pthread_t t;
	enum lines_result r;

	assert_int_equal(pipe(fds), 0);
	struct feed f = { fds[1], text, n, piece };
	pthread_create(&t, NULL, feeder, &f);
	struct lines *l = lines_open(fds[0], MAX);
	buf_reset(out);
	while ((r = lines_next(l, &line, -1, false, &e)) == LINES_LINE) {
		assert_int_equal(line.p[line.len], '\0');
		assert_true(line.len <= MAX);
		buf_printf(out, "%s%d:%s%s", out->len ? "|" : "", (int)line.no, line.p,
			line.too_long ? "!" : "");
	}
	assert_int_equal(r, LINES_END);
	assert_int_equal(lines_next(l, &line, -1, false, &e), LINES_END);
	lines_close(l);
	pthread_join(t, NULL);
	close(fds[0]);
}

#define L20 "abcdefghijklmnopqrst"

static void test_lines(void **state)
{
	(void)state;
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "empty", "", "" },
		{ "one", "a\n", "1:a" },
		{ "no newline at the end", "a\nb", "1:a|2:b" },
		{ "empty lines are counted", "\n\na\n \t\r\nb\n\n", "3:a|5:b" },
		{ "CRLF", "a\r\nb\r\r\nc\r", "1:a|2:b\r|3:c" },
		{ "BOM",
			"\xef\xbb\xbf"
			"a\n\xef\xbb\xbf"
			"b\n",
			"1:a|2:\xef\xbb\xbf"
			"b" },
		{ "BOM alone", "\xef\xbb\xbf\na", "2:a" },
		{ "part of a BOM", "\xef\xbb\nb", "1:\xef\xbb|2:b" },
		{ "just the limit", L20 "\n" L20 "\r\n" L20, "1:" L20 "|2:" L20 "|3:" L20 },
		{ "BOM and the limit", "\xef\xbb\xbf" L20 "\r\nb", "1:" L20 "|2:b" },
		{ "one over", L20 "x\nb\n", "1:" L20 "!|2:b" },
		{ "far over", L20 L20 L20 L20 "\nb\n" L20 "yz\r\nc", "1:" L20 "!|2:b|3:" L20 "!|4:c" },
		{ "over without an end", "a\n" L20 L20 L20, "1:a|2:" L20 "!" },
		{ "only white space over the limit", "                              \nb\n", NULL },
		{ "white space at the end", "a\n   ", "1:a" },
	};
	struct buf got = BUF_INIT(BUF_MAX_SMALL);

	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t piece = 1; piece < 60; piece += piece < 4 ? 1 : 7) {
			read_all(rows[i].in, strlen(rows[i].in), piece, &got);
			if (rows[i].want)
				CHECK_STR(rows[i].name, got.p ? got.p : "", rows[i].want);
			else /* skipped or too long, by how it came; what follows is right */
				CHECK(rows[i].name, strstr(got.p, "2:b") != NULL);
		}
	buf_release(&got);
}

/* A line far over the limit costs no memory; what follows it is found. */
static void test_giant_line(void **state)
{
	(void)state;
	size_t n = (size_t)64 << 20;
	char *text = mem_alloc(n);
	struct buf got = BUF_INIT(BUF_MAX_SMALL);

	memset(text, 'x', n);
	memcpy(text, "a\n", 2);
	memcpy(text + n - 3, "\nb\n", 3);
	read_all(text, n, n, &got);
	assert_string_equal(got.p, "1:a|2:xxxxxxxxxxxxxxxxxxxx!|3:b");
	free(text);
	buf_release(&got);
}

static void test_many_and_long(void **state)
{
	(void)state;
	struct buf all = BUF_INIT((size_t)64 << 20);
	struct line line;
	struct feed f = { .piece = 70001 };
	int fds[2], i;
	pthread_t t;

	for (i = 0; i < 3000; i++)
		buf_printf(&all, "%d:%*s\n", i, i * 7 % 9000, "");
	assert_int_equal(pipe(fds), 0);
	f.fd = fds[1];
	f.p = all.p;
	f.n = all.len;
	pthread_create(&t, NULL, feeder, &f);
	struct lines *l = lines_open(fds[0], (size_t)1 << 20);
	for (i = 0; lines_next(l, &line, -1, false, NULL) == LINES_LINE; i++) {
		assert_int_equal(atoi(line.p), i);
		assert_int_equal(line.no, i + 1);
		assert_int_equal(line.len, strcspn(line.p, ":") + 1 + (size_t)(i * 7 % 9000));
	}
	assert_int_equal(i, 3000);
	lines_close(l);
	pthread_join(t, NULL);
	close(fds[0]);
	buf_release(&all);
}

static int calls;

static void count(void *arg)
{
	(void)arg;
	calls++;
}

static void test_waiting(void **state)
{
	(void)state;
	struct line line;
	struct err e = { 0 };
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK); /* as another program may leave a shared descriptor */
	struct lines *l = lines_open(fds[0], MAX);
	lines_before_block(l, count, NULL);
	assert_int_equal(lines_next(l, &line, 0, false, &e), LINES_TIMEOUT);
	assert_int_equal(calls, 1);
	assert_int_equal(write(fds[1], "a\nb\nc", 5), 5);
	assert_int_equal(lines_next(l, &line, 0, false, &e), LINES_LINE);
	assert_int_equal(lines_next(l, &line, 0, false, &e), LINES_LINE);
	assert_int_equal(calls, 1); /* nothing had to wait */
	int64_t t = clock_mono_ms();
	assert_int_equal(lines_next(l, &line, 40, false, &e), LINES_TIMEOUT);
	assert_true(clock_mono_ms() - t >= 35);
	assert_int_equal(calls, 2);
	close(fds[1]);
	assert_int_equal(lines_next(l, &line, 0, false, &e), LINES_LINE);
	assert_string_equal(line.p, "c");
	assert_int_equal(line.no, 3);
	assert_int_equal(lines_next(l, &line, 0, false, &e), LINES_END);
	lines_close(l);
	close(fds[0]);
}

static void test_watched(void **state)
{
	(void)state;
	struct line line;
	struct err e = { 0 };
	int fds[2], other[2], out[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(other), 0);
	assert_int_equal(pipe(out), 0);
	struct lines *l = lines_open(fds[0], MAX);
	const struct pollfd v[] = { { .fd = other[0], .events = POLLIN }, { .fd = out[1] } };
	lines_watch(l, v, 2);
	assert_int_equal(lines_next(l, &line, 20, false, &e), LINES_TIMEOUT);
	assert_int_equal(write(other[1], "x", 1), 1);
	assert_int_equal(lines_next(l, &line, -1, false, &e), LINES_TIMEOUT); /* would wait for ever */
	lines_watch(l, v + 1, 1);
	close(out[0]);
	assert_int_equal(lines_next(l, &line, -1, false, &e), LINES_TIMEOUT); /* its reader has gone */
	assert_int_equal(write(fds[1], "a\n", 2), 2);
	assert_int_equal(lines_next(l, &line, -1, false, &e), LINES_LINE); /* a line goes first */
	lines_close(l);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(other[i]);
	}
	close(out[1]);
}

static void test_errors(void **state)
{
	(void)state;
	struct line line;
	struct err e = { 0 };
	int fd = open("/", O_RDONLY), closed = dup(fd);
	struct lines *l = lines_open(fd, MAX);

	assert_int_equal(lines_next(l, &line, -1, false, &e), LINES_ERROR);
	assert_int_equal(e.cls, ERR_LOCAL);
	assert_string_equal(e.msg, "cannot read input: Is a directory");
	lines_close(l);
	close(fd);
	close(closed);
	l = lines_open(closed, MAX);
	assert_int_equal(lines_next(l, &line, -1, false, &e), LINES_ERROR);
	assert_string_equal(e.msg, "cannot read input: Bad file descriptor");
	lines_close(l);
	lines_close(NULL);
}

static void test_stop(void **state)
{
	(void)state;
	struct line line;
	struct err e = { 0 };
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	struct lines *l = lines_open(fds[0], MAX);
	assert_int_equal(write(fds[1], "a\nb\n", 4), 4);
	assert_int_equal(lines_next(l, &line, -1, true, &e), LINES_LINE);
	stop_now();
	assert_int_equal(lines_next(l, &line, -1, true, &e), LINES_LINE); /* what is buffered still comes */
	assert_int_equal(lines_next(l, &line, -1, true, &e), LINES_STOPPED);
	assert_int_equal(write(fds[1], "c\n", 2), 2);
	assert_int_equal(lines_next(l, &line, -1, true, &e), LINES_STOPPED);
	assert_int_equal(lines_next(l, &line, -1, false, &e), LINES_LINE);
	assert_string_equal(line.p, "c");
	assert_int_equal(lines_next(l, &line, 5, false, &e), LINES_TIMEOUT);
	lines_close(l);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_giant_line),
		cmocka_unit_test(test_many_and_long), cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_errors), cmocka_unit_test(test_watched),
		cmocka_unit_test(test_stop), /* last: a stop is for good */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
