/* lanes.c - keyed jobs on a pool of threads, reported in the order of submission.
 *
 * One mutex guards everything. A lane exists while its key has an unfinished job; it holds the current job
 * (waiting for a worker, or running) and the ones behind it. Ready lanes queue for the workers.
 * Whoever finishes the oldest unreported job becomes the reporter until nothing is left to report. */
#include "base/lanes.h"
#include "base/digest.h"
#include "base/mem.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define STACK_SIZE ((size_t)1 << 20)
#define TABLE_MAX ((size_t)1 << 16)

struct lane {
	struct lane_job *current;      /* its key is the lane's: a living job always owns the bytes */
	struct lane_job *first, *last; /* waiting behind current, by lane_next */
	uint64_t hash;
	struct lane *chain;      /* same slot of the table */
	struct lane *ready_next; /* queue for workers; also the free list */
};

struct lanes {
	struct lanes_conf conf;
	pthread_mutex_t lock;
	pthread_cond_t work, room;        /* work: a lane is ready or closing; room: a job was reported */
	struct lane_job *oldest, *newest; /* all unreported jobs, by next */
	size_t pending, bytes;
	bool reporting, closing;

	struct lane **table;
	size_t mask;
	uint64_t seed;
	struct lane *ready_first, *ready_last, *spare;
	size_t ready;

	pthread_t *threads;
	unsigned nthreads, waiting; /* waiting: workers asleep on `work` */
};

/* ---- the table of active lanes ---- */

static uint64_t hash_key(const struct lanes *l, const char *p, size_t n)
{
	uint64_t h = l->seed;

	for (; n; n--, p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3u;
	return h ^ h >> 32;
}

static struct lane *lane_find(const struct lanes *l, const struct lane_job *job, uint64_t hash)
{
	struct lane *a = l->table[hash & l->mask];

	while (a && (a->hash != hash || a->current->keylen != job->keylen ||
			    memcmp(a->current->key, job->key, job->keylen) != 0))
		a = a->chain;
	return a;
}

static struct lane *lane_new(struct lanes *l, struct lane_job *job, uint64_t hash)
{
	struct lane *a = l->spare;

	if (a)
		l->spare = a->ready_next;
	else
		a = mem_alloc(sizeof(*a));
	*a = (struct lane){ .current = job, .hash = hash };
	if (job->keylen) {
		a->chain = l->table[hash & l->mask];
		l->table[hash & l->mask] = a;
	}
	return a;
}

/* Before its current job can be reported and freed. */
static void lane_drop(struct lanes *l, struct lane *a)
{
	if (a->current->keylen) {
		struct lane **at = &l->table[a->hash & l->mask];

		while (*at != a)
			at = &(*at)->chain;
		*at = a->chain;
	}
	a->ready_next = l->spare;
	l->spare = a;
}

static void ready_push(struct lanes *l, struct lane *a)
{
	a->ready_next = NULL;
	if (l->ready_last)
		l->ready_last->ready_next = a;
	else
		l->ready_first = a;
	l->ready_last = a;
	l->ready++;
}

static struct lane *ready_pop(struct lanes *l)
{
	struct lane *a = l->ready_first;

	l->ready_first = a->ready_next;
	if (!l->ready_first)
		l->ready_last = NULL;
	l->ready--;
	return a;
}

/* ---- workers and reporting ---- */

static void *worker(void *arg);

/* Signals go to the main thread, whose waits they are meant to end. */
static bool thread_start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	int rc = pthread_create(t, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0;
}

static void wake_worker(struct lanes *l)
{
	/* Workers that were signalled but have not run yet still count as waiting, hence the comparison. */
	if (l->waiting < l->ready && l->nthreads < l->conf.workers &&
		thread_start(&l->threads[l->nthreads], worker, l))
		l->nthreads++;
	pthread_cond_signal(&l->work);
}

/* Take the finished jobs at the head of the order; their number. */
static size_t take_finished(struct lanes *l, struct lane_job **first, size_t *bytes)
{
	struct lane_job *last = NULL;
	size_t n = 0;

	*first = l->oldest;
	*bytes = 0;
	for (struct lane_job *j = l->oldest; j && j->finished; j = j->next) {
		last = j;
		*bytes += j->bytes;
		n++;
	}
	if (!last)
		return 0;
	l->oldest = last->next;
	if (!l->oldest)
		l->newest = NULL;
	last->next = NULL;
	return n;
}

/* Called and returns with the lock held, but gives it up around done() and idle(). */
static void report(struct lanes *l)
{
	struct lane_job *job;
	size_t n, bytes;

	if (l->reporting || !l->oldest || !l->oldest->finished)
		return;
	l->reporting = true;
	if (l->ready)
		wake_worker(l); /* done() may hold this thread up */
	while ((n = take_finished(l, &job, &bytes)) > 0) {
		pthread_mutex_unlock(&l->lock);
		while (job) {
			struct lane_job *next = job->next; /* done() frees the job */

			l->conf.done(job, l->conf.arg);
			job = next;
		}
		pthread_mutex_lock(&l->lock);
		l->pending -= n;
		l->bytes -= bytes;
		pthread_cond_broadcast(&l->room);
		if (l->conf.idle && !(l->oldest && l->oldest->finished)) {
			pthread_mutex_unlock(&l->lock);
			l->conf.idle(l->conf.arg);
			pthread_mutex_lock(&l->lock);
		}
	}
	l->reporting = false;
	pthread_cond_broadcast(&l->room);
}

/* The current job is worked: the lane goes on to its next job, or away. */
static void lane_advance(struct lanes *l, struct lane *a)
{
	struct lane_job *next = a->first;

	if (!next) {
		lane_drop(l, a);
		return;
	}
	a->first = next->lane_next;
	if (!a->first)
		a->last = NULL;
	next->lane_next = NULL;
	a->current = next;
	ready_push(l, a);
}

static void run_one(struct lanes *l)
{
	struct lane *a = ready_pop(l);
	struct lane_job *job = a->current;

	job->started = true;
	pthread_mutex_unlock(&l->lock);
	l->conf.work(job, l->conf.arg);
	pthread_mutex_lock(&l->lock);
	lane_advance(l, a);
	job->finished = true;
	report(l);
}

static void *worker(void *arg)
{
	struct lanes *l = arg;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		if (l->ready) {
			run_one(l);
		} else if (l->closing) {
			break;
		} else {
			l->waiting++;
			pthread_cond_wait(&l->work, &l->lock);
			l->waiting--;
		}
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* ---- submitting ---- */

static void supersede(struct lane_job *job)
{
	job->superseded = true;
	job->finished = true;
}

/* Put the job into its lane. Only here do jobs of one key meet. */
static void enqueue(struct lanes *l, struct lane_job *job)
{
	uint64_t hash = job->keylen ? hash_key(l, job->key, job->keylen) : 0;
	struct lane *a = job->keylen ? lane_find(l, job, hash) : NULL;

	if (!a) {
		ready_push(l, lane_new(l, job, hash));
		wake_worker(l);
		return;
	}
	if (l->conf.coalesce && !a->current->started) { /* so nothing waits behind it */
		supersede(a->current);
		a->current = job;
		return;
	}
	if (l->conf.coalesce && a->first) {
		supersede(a->first);
		a->first = a->last = job;
		return;
	}
	if (a->last)
		a->last->lane_next = job;
	else
		a->first = job;
	a->last = job;
}

static bool full(const struct lanes *l, size_t bytes)
{
	if (l->pending >= l->conf.window)
		return true;
	/* A job over the whole limit goes alone. */
	return l->conf.window_bytes && l->pending &&
	       (bytes > l->conf.window_bytes || l->bytes > l->conf.window_bytes - bytes);
}

void lanes_submit(struct lanes *l, struct lane_job *job, size_t bytes)
{
	job->next = job->lane_next = NULL;
	job->bytes = bytes;
	job->started = job->superseded = false;
	job->finished = job->skip_work;
	pthread_mutex_lock(&l->lock);
	while (full(l, bytes))
		pthread_cond_wait(&l->room, &l->lock);
	l->pending++;
	l->bytes += bytes;
	if (l->newest)
		l->newest->next = job;
	else
		l->oldest = job;
	l->newest = job;
	if (!job->skip_work)
		enqueue(l, job);
	while (l->ready && !l->nthreads) /* no thread could be had: work here */
		run_one(l);
	report(l);
	pthread_mutex_unlock(&l->lock);
}

size_t lanes_pending(struct lanes *l)
{
	pthread_mutex_lock(&l->lock);
	size_t n = l->pending;
	pthread_mutex_unlock(&l->lock);
	return n;
}

void lanes_drain(struct lanes *l)
{
	pthread_mutex_lock(&l->lock);
	while (l->pending || l->reporting)
		pthread_cond_wait(&l->room, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

void lanes_abandon(struct lanes *l)
{
	pthread_mutex_lock(&l->lock);
	while (l->ready)
		lane_drop(l, ready_pop(l));
	for (size_t i = 0; i <= l->mask; i++)
		for (struct lane *a = l->table[i]; a; a = a->chain)
			a->first = a->last = NULL;
	for (struct lane_job *j = l->oldest; j; j = j->next)
		if (!j->started && !j->finished) {
			j->skip_work = true;
			j->finished = true;
		}
	report(l);
	pthread_mutex_unlock(&l->lock);
}

struct lanes *lanes_open(const struct lanes_conf *conf)
{
	struct lanes *l = mem_alloc(sizeof(*l));
	size_t slots = 16;

	l->conf = *conf;
	if (l->conf.workers < 1)
		l->conf.workers = 1;
	if (l->conf.workers > 1024)
		l->conf.workers = 1024;
	if (l->conf.window < 1)
		l->conf.window = 1;
	while (slots < l->conf.window && slots < TABLE_MAX)
		slots *= 2;
	l->mask = slots - 1;
	l->table = mem_array(slots, sizeof(struct lane *));
	l->threads = mem_array(l->conf.workers, sizeof(pthread_t));
	random_bytes(&l->seed, sizeof(l->seed));
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->work, NULL);
	pthread_cond_init(&l->room, NULL);
	return l;
}

void lanes_close(struct lanes *l)
{
	if (!l)
		return;
	lanes_drain(l);
	pthread_mutex_lock(&l->lock);
	l->closing = true;
	pthread_cond_broadcast(&l->work);
	pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < l->nthreads; i++)
		pthread_join(l->threads[i], NULL);
	while (l->spare) {
		struct lane *a = l->spare;

		l->spare = a->ready_next;
		free(a);
	}
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->work);
	pthread_cond_destroy(&l->room);
	free(l->threads);
	free(l->table);
	free(l);
}
