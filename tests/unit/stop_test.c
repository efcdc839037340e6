/* stop_test.c - signals, in children: what the first one, the second one, and ignored ones do. */
#include "check.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/stop.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run fn in a child; its wait status. */
static int in_child(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		fn();
		_exit(99);
	}
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#define EXPECT(cond)                                                                                         \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			_exit(50 + __LINE__ % 40);                                                           \
	} while (0)

static void first_signal(void)
{
	struct pollfd p = { .fd = stop_fd(), .events = POLLIN };
	struct err e = { .cls = ERR_STOPPED };

	stop_install();
	EXPECT(!stop_requested() && stop_signal() == 0 && poll(&p, 1, 0) == 0);
	raise(SIGTERM);
	EXPECT(stop_requested() && stop_signal() == SIGTERM);
	EXPECT(poll(&p, 1, 0) == 1 && poll(&p, 1, 0) == 1); /* stays readable */
	EXPECT(err_exit(&e) == 128 + SIGTERM);
	EXPECT(!clock_sleep_ms(10000));
	_exit(0);
}

static void second_signal(void)
{
	stop_install();
	raise(SIGTERM);
	poll(NULL, 0, STOP_SAME_MS + 50);
	raise(SIGINT);
}

static void sent_twice(void)
{
	stop_install();
	raise(SIGTERM);
	raise(SIGTERM);
	EXPECT(stop_signal() == SIGTERM);
	_exit(0);
}

static void hangup_twice(void)
{
	stop_install();
	raise(SIGHUP);
	raise(SIGHUP);
	EXPECT(stop_signal() == SIGHUP);
	poll(NULL, 0, STOP_SAME_MS + 50);
	raise(SIGTERM);
}

static void closed_pipe(void)
{
	int fds[2];

	stop_install();
	EXPECT(pipe(fds) == 0);
	close(fds[0]);
	EXPECT(write(fds[1], "x", 1) < 0 && errno == EPIPE);
	EXPECT(!stop_requested());
	_exit(0);
}

static void ignored_by_parent(void)
{
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	stop_install();
	raise(SIGHUP);
	raise(SIGINT);
	EXPECT(!stop_requested());
	_exit(0);
}

static void cut_sleep(void)
{
	int64_t t = clock_mono_ms();
	pid_t parent = getpid();

	stop_install();
	if (fork() == 0) {
		poll(NULL, 0, 50);
		kill(parent, SIGINT);
		_exit(0);
	}
	EXPECT(!clock_sleep_ms(15000));
	EXPECT(clock_mono_ms() - t < 10000);
	_exit(0);
}

static void closed_descriptors(void)
{
	close(0);
	close(1);
	close(2);
	stop_install();
	EXPECT(stop_fd() > 2 && fcntl(0, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0);
	raise(SIGTERM);
	EXPECT(!clock_sleep_ms(10000));
	_exit(0);
}

static void from_inside(void)
{
	struct err e = { .cls = ERR_STOPPED };

	stop_install();
	stop_now();
	stop_now();
	EXPECT(stop_requested() && stop_signal() == 0 && err_exit(&e) == EXIT_DONE);
	raise(SIGTERM); /* still the first signal */
	EXPECT(stop_signal() == SIGTERM);
	_exit(0);
}

static void age(void)
{
	stop_install();
	EXPECT(stop_age_ms() == -1);
	stop_now();
	poll(NULL, 0, 60);
	int64_t ms = stop_age_ms();
	EXPECT(ms >= 50 && ms < 20000);
	raise(SIGTERM); /* the first wish counts */
	EXPECT(stop_age_ms() >= ms);
	_exit(0);
}

static void test_signals(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		void (*fn)(void);
		int status;
	} rows[] = {
		{ "first signal", first_signal, 0 },
		{ "second signal", second_signal, 128 + SIGINT },
		{ "one signal sent twice", sent_twice, 0 },
		{ "hang-up twice, then another", hangup_twice, 128 + SIGTERM },
		{ "closed pipe", closed_pipe, 0 },
		{ "ignored by the parent", ignored_by_parent, 0 },
		{ "sleep cut short", cut_sleep, 0 },
		{ "closed descriptors", closed_descriptors, 0 },
		{ "from inside", from_inside, 0 },
		{ "its age", age, 0 },
	};

	for (size_t i = 0; i < ROWS(rows); i++)
		CHECK_INT(rows[i].name, in_child(rows[i].fn), rows[i].status);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_signals) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
