/* out_test.c - whole lines to pipes, files and full disks. */
#include "check.h"

#include "base/mem.h"
#include "base/out.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/recagent-out-XXXXXX";
static char path[sizeof(dir) + 8];

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/f", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static const char *contents(void)
{
	static char text[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void put_contents(const char *s)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, s, strlen(s)), (ssize_t)strlen(s));
	close(fd);
}

static void test_file(void **state)
{
	(void)state;
	struct err e = { 0 };
	struct stat st;

	unlink(path);
	umask(0);
	struct out *o = out_open_file(path, &e);
	assert_non_null(o);
	assert_true(out_is_file(o));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(out_line(o, "a", 1, &e), 0);
	assert_int_equal(out_soft_flush(o, &e), 0);
	assert_string_equal(contents(), "");
	assert_int_equal(out_flush(o, &e), 0);
	assert_string_equal(contents(), "a\n");
	assert_int_equal(out_line(o, "", 0, &e), 0);
	assert_int_equal(out_sync(o, &e), 0);
	assert_false(out_reader_gone(o));
	assert_int_equal(out_line(o, "b", 1, &e), 0);
	assert_int_equal(out_close(o, &e), 0);
	assert_string_equal(contents(), "a\n\nb\n");
	/* Appended to; and a torn line is ended first. */
	put_contents("x\ntor");
	o = out_open_file(path, &e);
	out_line(o, "c", 1, &e);
	assert_int_equal(out_close(o, &e), 0);
	assert_string_equal(contents(), "x\ntor\nc\n");
	assert_null(out_open_file("/", &e));
	assert_int_equal(e.cls, ERR_LOCAL);
	assert_int_equal(out_close(NULL, &e), 0);
}

static void test_full_disk(void **state)
{
	(void)state;
	struct err e = { 0 };
	int fd = open("/dev/full", O_WRONLY);
	struct out *o = out_open_fd(fd, "standard output");

	assert_int_equal(out_line(o, "a", 1, &e), 0); /* only buffered */
	assert_int_equal(out_soft_flush(o, &e), -1);
	assert_int_equal(e.cls, ERR_LOCAL);
	assert_string_equal(e.msg, "cannot write standard output: No space left on device");
	struct err again = { 0 };
	assert_int_equal(out_line(o, "a", 1, &again), -1);
	assert_string_equal(again.msg, e.msg);
	assert_int_equal(out_flush(o, NULL), -1);
	assert_int_equal(out_soft_flush(o, NULL), -1);
	assert_int_equal(out_sync(o, NULL), -1);
	err_clear(&again);
	assert_int_equal(out_close(o, &again), -1);
	assert_string_equal(again.msg, e.msg);
	o = out_open_fd(fd, "x");
	out_line(o, "a", 1, &e);
	assert_int_equal(out_close(o, &again), -1); /* noticed at close */
	assert_int_equal(fcntl(fd, F_GETFD), 0);    /* not closed: it was not ours */
	close(fd);
}

static void test_reader_gone(void **state)
{
	(void)state;
	struct err e = { 0 };
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	struct out *o = out_open_fd(fds[1], "x");
	assert_false(out_reader_gone(o));
	close(fds[0]);
	assert_true(out_reader_gone(o));
	assert_int_equal(out_line(o, "a", 1, &e), 0);
	assert_int_equal(out_flush(o, &e), -1);
	assert_int_equal(e.cls, ERR_PIPE);
	assert_true(out_reader_gone(o));
	assert_int_equal(out_close(o, &e), -1);
	close(fds[1]);
	o = out_open_fd(fds[1], "x"); /* closed descriptor */
	out_line(o, "a", 1, &e);
	assert_int_equal(out_flush(o, &e), -1);
	assert_int_equal(e.cls, ERR_LOCAL);
	out_close(o, NULL);
}

static void *block(void *arg)
{
	char line[1000] = { 0 };

	for (int i = 0; i < 300; i++)
		out_line(arg, line, sizeof line, NULL);
	out_flush(arg, NULL);
	return NULL;
}

static void test_blocked(void **state)
{
	(void)state;
	int fds[2];
	pthread_t t;

	assert_int_equal(pipe(fds), 0);
	struct out *o = out_open_fd(fds[1], "x");
	assert_int_equal(out_poll_fd(o), fds[1]);
	assert_int_equal(out_blocked_ms(o), 0);
	assert_int_equal(pthread_create(&t, NULL, block, o), 0);
	for (int i = 0; i < 1000 && out_blocked_ms(o) < 50; i++)
		poll(NULL, 0, 10);
	assert_true(out_blocked_ms(o) >= 50);
	close(fds[0]);
	pthread_join(t, NULL);
	assert_int_equal(out_blocked_ms(o), 0);
	out_close(o, NULL);
	close(fds[1]);
}

struct sink {
	int fd;
	char *p;
	size_t n;
};

static void *slow_reader(void *arg)
{
	struct sink *s = arg;
	ssize_t n;

	while ((n = read(s->fd, s->p + s->n, 50000)) > 0) {
		s->n += (size_t)n;
		poll(NULL, 0, 1);
	}
	return NULL;
}

#define WRITERS 4
#define EACH 400

struct writer {
	struct out *o;
	char letter;
};

static void *write_lines(void *arg)
{
	struct writer *w = arg;
	char line[3000];

	memset(line, w->letter, sizeof(line));
	for (int i = 0; i < EACH; i++) {
		assert_int_equal(out_line(w->o, line, (size_t)(i * 7 % 3000), NULL), 0);
		if (i % 50 == 0)
			assert_int_equal(out_soft_flush(w->o, NULL), 0);
	}
	return NULL;
}

/* Four threads, a non-blocking pipe and a slow reader: no line is torn, none is lost. */
static void test_threads_and_short_writes(void **state)
{
	(void)state;
	struct sink s = { .p = mem_alloc((size_t)8 << 20) };
	struct writer w[WRITERS];
	pthread_t t[WRITERS], reader;
	size_t lines = 0;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	s.fd = fds[0];
	pthread_create(&reader, NULL, slow_reader, &s);
	struct out *o = out_open_fd(fds[1], "x");
	for (int i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ o, (char)('a' + i) };
		pthread_create(&t[i], NULL, write_lines, &w[i]);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
	char *big = mem_alloc(600000); /* greater than the buffer */
	memset(big, 'z', 600000);
	assert_int_equal(out_line(o, big, 600000, NULL), 0);
	assert_int_equal(out_line(o, "end", 3, NULL), 0);
	assert_int_equal(out_close(o, NULL), 0);
	close(fds[1]);
	pthread_join(reader, NULL);
	for (char *p = s.p, *end = s.p + s.n; p < end; lines++) {
		char *lf = memchr(p, '\n', (size_t)(end - p));

		assert_non_null(lf);
		if (lf - p != 3)
			for (char *q = p; q < lf; q++)
				assert_int_equal(*q, *p);
		p = lf + 1;
	}
	assert_int_equal(lines, WRITERS * EACH + 2);
	assert_memory_equal(s.p + s.n - 5, "\nend\n", 5);
	free(big);
	free(s.p);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_threads_and_short_writes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
