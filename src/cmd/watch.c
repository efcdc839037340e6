/* watch.c - ends what would keep a command from ending: a reader that takes nothing, a service that does not answer. */
#include "cmd/watch.h"
#include "base/mem.h"
#include "base/stop.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define LEFT_MS 3000     /* after the input was left, calls under way may take so long */
#define SLACK_MS 1000    /* beyond --grace: what just began may be quick */
#define AGAIN_MS 1000    /* between two times that calls are ended */
#define BLOCKED_MS 1000  /* a write that finds no room for so long, after --grace, never will */
#define HOPELESS_MS 5000 /* beyond --grace: longer than any last round of writes */

struct watch {
	struct ctx *c;
	struct ports *ports;
	pthread_t thread;
	int end[2];
	bool started;
	int64_t left_ms;   /* monotonic, when it was seen that the input was left, 0: not yet */
	int64_t cancel_ms; /* when calls are next to be ended */
	bool reader_is_gone;
};

/* How long until the command should have ended; below 0: for so long it should have; INT64_MAX: nothing has asked it to. */
static int64_t time_left(const struct watch *w)
{
	int64_t age = stop_age_ms(), left = age < 0 ? INT64_MAX : w->c->opt.grace_ms + SLACK_MS - age;
	int64_t own = w->left_ms ? w->left_ms + LEFT_MS - clock_mono_ms() : INT64_MAX;
	return own < left ? own : left;
}

static bool blocked(const struct ctx *c)
{
	return out_blocked_ms(c->out) >= BLOCKED_MS || (c->dead && out_blocked_ms(c->dead) >= BLOCKED_MS);
}

static void end_hopeless(const struct watch *w)
{
	int sig = stop_signal();
	if (!sig || !grace_is_over(w->c))
		return;
	if (blocked(w->c))
		log_say("output was not taken within --grace, stopping");
	else if (stop_age_ms() >= w->c->opt.grace_ms + HOPELESS_MS)
		log_say("no clean end within --grace, stopping");
	else
		return;
	_exit(EXIT_SIGNAL + sig);
}

/* What is due now; how long until the next look. */
static int act(struct watch *w)
{
	int64_t left = time_left(w), now = clock_mono_ms();
	if (left > 0)
		return left > INT_MAX ? (left == INT64_MAX ? -1 : INT_MAX) : (int)left;
	end_hopeless(w);
	if (now >= w->cancel_ms) {
		if (w->ports)
			ports_cancel(w->ports);
		w->cancel_ms = now + AGAIN_MS;
	}
	return (int)(w->cancel_ms - now);
}

static void *run(void *arg)
{
	struct watch *w = arg;
	struct ctx *c = w->c;
	for (;;) {
		int ms = act(w);
		struct pollfd p[4] = { { .fd = w->end[0], .events = POLLIN },
			{ .fd = w->reader_is_gone ? -1 : out_poll_fd(c->out) },
			{ .fd = stop_requested() ? -1 : stop_fd(), .events = POLLIN },
			{ .fd = w->left_ms || c->wake[0] <= 0 ? -1 : c->wake[0], .events = POLLIN } };
		if (poll(p, 4, ms) < 0)
			continue;
		if (p[0].revents)
			return NULL;
		if (p[1].revents & (POLLERR | POLLHUP)) {
			w->reader_is_gone = true;
			leave_input(c, READER_GONE);
		} else if (p[1].revents) {
			w->reader_is_gone = true; /* closed, or nothing that can be watched */
		}
		if (!w->left_ms && input_left(c) != STAY)
			w->left_ms = clock_mono_ms();
	}
}

struct watch *watch_start(struct ctx *c)
{
	struct watch *w = mem_alloc(sizeof *w);
	sigset_t all, before;
	w->c = c;
	w->ports = c->ports;
	if (pipe(w->end))
		return w;
	for (int i = 0; i < 2; i++)
		fcntl(w->end[i], F_SETFD, FD_CLOEXEC);
	sigfillset(&all); /* signals go to the main thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	w->started = pthread_create(&w->thread, NULL, run, w) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!w->started) {
		close(w->end[0]);
		close(w->end[1]);
	}
	return w;
}

void watch_stop(struct watch *w)
{
	if (w && w->started) {
		close(w->end[1]); /* its end is seen, like a byte */
		pthread_join(w->thread, NULL);
		close(w->end[0]);
	}
	free(w);
}
