/* ticker.c - periodic work on its own thread: lease renewals, commits, linger. */
#include "base/clock.h"
#include "base/lanes.h"
#include "base/mem.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct ticker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int64_t period_ms;
	void (*fn)(void *);
	void *arg;
	bool poked, stopping, started;
};

static void *run(void *arg)
{
	struct ticker *t = arg;

	pthread_mutex_lock(&t->lock);
	/* The next tick counts from the begin of the last one. CLOCK_MONOTONIC: a step of the wall clock neither floods nor
	 * starves the work. */
	struct timespec next = clock_deadline(t->period_ms);
	while (!t->stopping) {
		int rc = 0;

		while (!t->stopping && !t->poked && rc == 0)
			rc = pthread_cond_timedwait(&t->wake, &t->lock, &next);
		if (t->stopping)
			break;
		t->poked = false;
		next = clock_deadline(t->period_ms);
		pthread_mutex_unlock(&t->lock);
		t->fn(t->arg);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

struct ticker *ticker_start(int64_t period_ms, void (*fn)(void *), void *arg)
{
	struct ticker *t = mem_alloc(sizeof(*t));
	pthread_condattr_t attr;
	sigset_t all, before;

	t->period_ms = period_ms > 0 ? period_ms : 1;
	t->fn = fn;
	t->arg = arg;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->wake, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all); /* signals go to the main thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	t->started = pthread_create(&t->thread, NULL, run, t) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return t;
}

void ticker_poke(struct ticker *t)
{
	pthread_mutex_lock(&t->lock);
	t->poked = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
}

void ticker_stop(struct ticker *t, bool last)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stopping = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	if (t->started)
		pthread_join(t->thread, NULL);
	if (last)
		t->fn(t->arg);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->wake);
	free(t);
}
