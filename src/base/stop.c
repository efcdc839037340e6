/* stop.c - the first signal asks, the second ends. */
#include "base/stop.h"
#include "base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

/* Signals belong to the process, so their state does too. The byte in the pipe is never read: the
 * descriptor stays readable for every thread that polls it. */
static atomic_int first_signal;
static atomic_llong first_ms; /* when it came, 0: being noted right now */
static atomic_llong asked_ms;
static atomic_bool asked;
static int pipe_fds[2] = { -1, -1 };
static pthread_once_t pipe_once = PTHREAD_ONCE_INIT;

/* Above 2: where a parent closed standard input, the pipe must not be taken for it. */
static void pipe_open(void)
{
	int fds[2];

	if (pipe(fds) != 0)
		return;
	for (int i = 0; i < 2; i++) {
		pipe_fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		fcntl(pipe_fds[i], F_SETFL, O_NONBLOCK);
	}
	close(fds[0]);
	close(fds[1]);
}

/* Never 0. */
static long long mono_ms(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

static void ask(long long now_ms)
{
	long long none = 0;
	ssize_t w;

	atomic_compare_exchange_strong(&asked_ms, &none, now_ms);
	if (atomic_exchange(&asked, true))
		return;
	w = write(pipe_fds[1], "", 1);
	(void)w;
}

/* timeout(1) signals its child and then the group that both are in; a stopped service and the script that passes the signal
 * on do the same. One wish to end that comes twice must not end a pipe at once. */
static bool is_same_wish(long long now_ms)
{
	long long first = atomic_load(&first_ms);

	return !first || now_ms - first < STOP_SAME_MS;
}

/* Async-signal-safe: atomics, clock_gettime, write, _exit. */
static void on_signal(int sig)
{
	int saved = errno;
	int none = 0;
	long long now_ms = mono_ms();

	/* A closing terminal sends SIGHUP twice (the shell, then the kernel), so only the other two can
	 * be the second signal. */
	if (atomic_compare_exchange_strong(&first_signal, &none, sig))
		atomic_store(&first_ms, now_ms);
	else if (sig != SIGHUP && !is_same_wish(now_ms))
		_exit(EXIT_SIGNAL + sig);
	ask(now_ms);
	errno = saved;
}

static void handle(int sig, void (*handler)(int))
{
	struct sigaction sa, old;

	/* What a parent chose to ignore (nohup, a background job of a script) stays ignored. */
	if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN && sig != SIGTERM)
		return;
	sa.sa_handler = handler;
	sa.sa_flags = SA_RESTART;
	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

void stop_install(void)
{
	pthread_once(&pipe_once, pipe_open);
	handle(SIGINT, on_signal);
	handle(SIGTERM, on_signal);
	handle(SIGHUP, on_signal);
	handle(SIGPIPE, SIG_IGN);
	handle(SIGXFSZ, SIG_IGN); /* a write over the file size limit fails instead, and is reported */
}

bool stop_requested(void)
{
	return atomic_load(&asked);
}

int stop_signal(void)
{
	return atomic_load(&first_signal);
}

int stop_fd(void)
{
	pthread_once(&pipe_once, pipe_open);
	return pipe_fds[0];
}

void stop_now(void)
{
	pthread_once(&pipe_once, pipe_open);
	ask(mono_ms());
}

int64_t stop_age_ms(void)
{
	return atomic_load(&asked) ? mono_ms() - atomic_load(&asked_ms) : -1;
}
