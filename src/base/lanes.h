/* lanes.h - the one place with concurrency: jobs of one key run in order and one at a time, jobs of
 * different keys side by side on N threads, results come back in the order of submission.
 *
 * A job embeds struct lane_job first. submit() blocks while `window` jobs are unfinished, which is the
 * backpressure. work() runs on a worker thread; done() runs for every job, in order of submission, one
 * at a time (never two at once), on whichever thread finished the gap; idle() follows when
 * no finished job is waiting: the place to flush. done() and idle() must not submit or drain; done() that
 * blocks (a full pipe) holds up reports only, other keys' work goes on until the window is full. Keys are
 * compared as bytes. */
#ifndef RECAGENT_BASE_LANES_H
#define RECAGENT_BASE_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane_job {
	const char *key; /* owned by the job, stays valid until done() */
	size_t keylen;   /* 0: no lane, runs at once beside anything */
	bool skip_work;  /* set by the submitter: only take the place in order (marks, bad lines) */
	bool superseded; /* set by lanes when coalescing: a newer job of the key came; not worked */
	struct lane_job *next, *lane_next; /* private */
	size_t bytes;                      /* private */
	bool finished, started;            /* private */
};

struct lanes_conf {
	unsigned workers;    /* 1..1024 threads, started on demand */
	size_t window;       /* most unfinished or unreported jobs */
	size_t window_bytes; /* and most bytes as given to submit; 0 = no limit; a bigger job goes alone */
	bool coalesce;       /* a waiting, unstarted job is superseded by a newer one of its key */
	void (*work)(struct lane_job *job, void *arg);
	void (*done)(struct lane_job *job, void *arg); /* frees the job */
	void (*idle)(void *arg);                       /* may be NULL */
	void *arg;
};

struct lanes;

struct lanes *lanes_open(const struct lanes_conf *conf);
void lanes_submit(struct lanes *l, struct lane_job *job, size_t bytes);
size_t lanes_pending(struct lanes *l);
/* Wait until every job has been reported. */
void lanes_drain(struct lanes *l);
/* May be called from work() and done(). Drop jobs that have not started: they are reported with superseded = false,
 * skip_work = true. */
void lanes_abandon(struct lanes *l);
void lanes_close(struct lanes *l); /* drains, joins the threads, frees */

/* Periodic work on its own thread: fn(arg) each period until stopped; a call never overlaps itself.
 * ticker_stop waits for a running call and, with last, makes one more call. */
struct ticker;
struct ticker *ticker_start(int64_t period_ms, void (*fn)(void *), void *arg);
void ticker_poke(struct ticker *t); /* call soon */
void ticker_stop(struct ticker *t, bool last);

#endif
