/* detour.c - records around an outage: the spool's two ends, and which keys are on it. */
#include "flow/detour.h"
#include "base/clock.h"
#include "base/stop.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Keys share these counters by hash: who shares one with a spooled key is spooled too, which costs time and nothing else. */
#define SLOTS 65536
#define LOOK_UP_MS 50
#define LAST_CALLS_MS 1000 /* for calls under way at the end, before they are cancelled */
#define LINGER_MS 5
#define PATIENCE_MS 1000 /* at the end, at least */

struct detour {
	struct detour_conf c;
	struct puts_aside aside;
	struct spool *spool;
	struct puts *puts; /* of the drain; submitted to by its thread */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool more, ending; /* under the lock: something was appended; stop */
	atomic_bool shut, full, stop, halted, out;
	_Atomic uint64_t aside_count, in_flight, sent;
	_Atomic int64_t progress_ms; /* when something was last taken from the spool, or first put there */
	struct err why;              /* of halted */
	_Atomic uint32_t slots[SLOTS];
};

struct job {
	struct spool_mark end;
	uint32_t hash;
};

static _Atomic uint32_t *slot(struct detour *d, uint32_t hash)
{
	return &d->slots[hash % SLOTS];
}

/* ---- what lanes ask ---- */

static bool busy(void *arg)
{
	return atomic_load(&((struct detour *)arg)->aside_count) > 0;
}

static bool behind(void *arg, uint32_t hash)
{
	return atomic_load(slot(arg, hash)) > 0;
}

static void shut_down(void *arg)
{
	atomic_store(&((struct detour *)arg)->shut, true);
}

/* With nothing aside nobody would find out that the stream takes records again. */
static bool shut(void *arg)
{
	return atomic_load(&((struct detour *)arg)->shut) && busy(arg);
}

static void note_full(struct detour *d, const struct err *e)
{
	bool full = e != NULL;
	if (atomic_exchange(&d->full, full) != full && d->c.full)
		d->c.full(e, d->c.drain.arg);
}

static int keep(void *arg, const struct put *v, const uint32_t *hash, size_t n, struct err *e)
{
	struct detour *d = arg;
	/* Counted first: the drain may have sent them before spool_append is back here. */
	for (size_t i = 0; i < n; i++)
		atomic_fetch_add(slot(d, hash[i]), 1);
	if (atomic_fetch_add(&d->aside_count, n) == 0)
		atomic_store(&d->progress_ms, clock_mono_ms());
	if (spool_append(d->spool, v, n, e)) {
		for (size_t i = 0; i < n; i++)
			atomic_fetch_sub(slot(d, hash[i]), 1);
		atomic_fetch_sub(&d->aside_count, n);
		e->cls = ERR_UNAVAILABLE; /* the line can be held, and may be taken later */
		note_full(d, e);
		return -1;
	}
	note_full(d, NULL);
	pthread_mutex_lock(&d->lock);
	d->more = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

/* ---- the drain ---- */

static void halt(struct detour *d, const struct err *why)
{
	if (!atomic_load(&d->halted))
		d->why = *why;
	atomic_store(&d->halted, true);
}

static void drained(const struct put_result *r, void *memory, void *arg)
{
	struct detour *d = arg;
	const struct job *job = memory;
	struct err e;
	err_clear(&e);
	atomic_fetch_sub(&d->in_flight, 1);
	if (atomic_load(&d->halted))
		return; /* what comes after a record that stays must stay too */
	if (r->err && (r->err->cls == ERR_UNAVAILABLE || d->c.refused(&r->in, r->err, d->c.drain.arg))) {
		halt(d, r->err);
		return;
	}
	if (spool_ack(d->spool, &job->end, 1, &e)) {
		halt(d, &e);
		return;
	}
	atomic_fetch_add(&d->sent, 1);
	atomic_store(&d->progress_ms, clock_mono_ms());
	atomic_store(&d->shut, false);
	atomic_fetch_sub(slot(d, job->hash), 1);
	atomic_fetch_sub(&d->aside_count, 1);
}

static void idle(void *arg)
{
	struct detour *d = arg;
	struct err e = { 0 };
	if (!atomic_load(&d->halted) && spool_note(d->spool, &e))
		halt(d, &e);
}

static void outage(const struct err *e, void *arg)
{
	struct detour *d = arg;
	atomic_store(&d->out, e != NULL);
	if (d->c.drain.outage)
		d->c.drain.outage(e, d->c.drain.arg);
}

static void submit(struct detour *d, const struct spool_record *r)
{
	const struct put_in in = { .data = r->data,
		.len = r->len,
		.partition_key = r->partition_key,
		.explicit_hash_key = r->explicit_hash_key,
		.hold_for_ever = true };
	atomic_fetch_add(&d->in_flight, 1);
	struct job *job = puts_make(d->puts, &in, sizeof *job);
	*job = (struct job){ .end = r->end, .hash = puts_key_hash(r->partition_key) };
	puts_submit(d->puts);
}

static void feed(struct detour *d)
{
	struct spool_record r;
	struct err e;
	int got = 0;
	err_clear(&e);
	while (!atomic_load(&d->stop) && !atomic_load(&d->halted) && (got = spool_next(d->spool, &r, &e)) > 0)
		submit(d, &r);
	if (got < 0)
		halt(d, &e);
}

static void *drain_main(void *arg)
{
	struct detour *d = arg;
	pthread_mutex_lock(&d->lock);
	while (!d->ending) {
		if (!d->more) {
			pthread_cond_wait(&d->changed, &d->lock);
			continue;
		}
		d->more = false;
		pthread_mutex_unlock(&d->lock);
		feed(d);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* ---- beginning and end ---- */

static void count_key(const struct spool_record *r, void *arg)
{
	struct detour *d = arg;
	atomic_fetch_add(slot(d, puts_key_hash(r->partition_key)), 1);
	atomic_fetch_add(&d->aside_count, 1);
}

int detour_open(struct detour **out, const struct detour_conf *c, struct err *e)
{
	struct detour *d = mem_alloc(sizeof *d);
	d->c = *c;
	if (spool_open(&d->spool, &c->spool, count_key, d, e)) {
		free(d);
		return -1;
	}
	struct puts_conf pc = c->drain;
	pc.aside = NULL;
	pc.patient = true;
	pc.linger_ms = LINGER_MS;
	pc.want_receipts = false;
	pc.done = drained;
	pc.idle = idle;
	pc.outage = outage;
	pc.leaving = NULL; /* detour_close ends the drain */
	pc.arg = d;
	d->puts = puts_open(&pc);
	d->aside = (struct puts_aside){ .after_ms = c->after_ms,
		.busy = busy,
		.behind = behind,
		.shut_down = shut_down,
		.shut = shut,
		.keep = keep,
		.arg = d };
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	d->more = busy(d);
	atomic_store(&d->progress_ms, clock_mono_ms());
	d->started = pthread_create(&d->thread, NULL, drain_main, d) == 0;
	*out = d;
	return 0;
}

const struct puts_aside *detour_aside(struct detour *d)
{
	return &d->aside;
}

struct spool_state detour_state(struct detour *d)
{
	return spool_state(d->spool);
}

static void nap(int64_t ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)ms * 1000000 }, NULL);
}

/* Wait until all is sent, or until going on has no point. */
static void wait_drained(struct detour *d)
{
	int64_t patience = d->c.after_ms > PATIENCE_MS ? d->c.after_ms : PATIENCE_MS;
	while (d->started && busy(d) && !atomic_load(&d->halted) && !stop_requested()) {
		int64_t idle = clock_mono_ms() - atomic_load(&d->progress_ms);
		if (idle >= patience && (atomic_load(&d->out) || idle >= d->c.drain.give_up_ms))
			return;
		nap(LOOK_UP_MS);
	}
}

static void end_calls(struct detour *d)
{
	int64_t until = clock_mono_ms() + LAST_CALLS_MS;
	puts_abandon(d->puts);
	while (atomic_load(&d->in_flight) && clock_mono_ms() < until)
		nap(LOOK_UP_MS / 10);
	if (atomic_load(&d->in_flight) && d->c.cancel)
		d->c.cancel(d->c.drain.arg);
}

void detour_close(struct detour *d, bool finish, struct detour_end *out)
{
	*out = (struct detour_end){ 0 };
	if (!d)
		return;
	if (finish)
		wait_drained(d);
	bool gone = atomic_load(&d->halted);
	atomic_store(&d->stop, true);
	if (busy(d))
		end_calls(d);
	pthread_mutex_lock(&d->lock);
	d->ending = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	if (d->started)
		pthread_join(d->thread, NULL);
	puts_close(d->puts);
	out->left = spool_state(d->spool).left;
	out->sent = atomic_load(&d->sent);
	if (gone)
		out->why = d->why;
	if (spool_close(d->spool, gone ? NULL : &out->why) == 0 && !gone)
		err_clear(&out->why);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->changed);
	free(d);
}
