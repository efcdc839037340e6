/* puts.c - lanes of batches over stream_put; one thread a lane, started when its first record comes. */
#include "flow/puts.h"
#include "base/clock.h"
#include "base/digest.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 10000

struct rec {
	struct rec *next;      /* in order of submission */
	struct rec *lane_next; /* in the lane */
	void *job;
	size_t len, cost;
	const char *key, *hash_key; /* behind data */
	char *receipt;              /* shard id, NUL, sequence number */
	struct err *err;
	int64_t queued_ms;
	bool finished, hold;
	char data[];
};

struct lane {
	struct puts *q;
	pthread_t thread;
	pthread_cond_t wake;
	struct rec *head, *tail;
	size_t n, bytes;
	unsigned failures;  /* calls or entries refused in a row */
	int64_t trouble_ms; /* since when, 0: none */
	struct put *batch;
	struct rec **taken;
	bool started, busy;
};

struct puts {
	struct puts_conf c;
	pthread_mutex_t lock;
	pthread_cond_t space, reported;
	struct rec *head, *tail;
	size_t n, bytes;
	int64_t hurry_ms; /* monotonic deadline, 0: none */
	bool reporting, draining, closing, pressed, out;
	struct lane lanes[64];
};

struct puts *puts_open(const struct puts_conf *c)
{
	struct puts *q = mem_alloc(sizeof *q);
	pthread_condattr_t attr;
	q->c = *c;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->space, NULL);
	pthread_cond_init(&q->reported, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	for (unsigned i = 0; i < c->lanes; i++) {
		q->lanes[i].q = q;
		pthread_cond_init(&q->lanes[i].wake, &attr);
	}
	pthread_condattr_destroy(&attr);
	return q;
}

/* Report what is finished at the front. Called with the lock held; the lock is dropped around callbacks. */
static void report(struct puts *q)
{
	if (q->reporting)
		return;
	q->reporting = true;
	bool any = false;
	while (q->head && q->head->finished) {
		struct rec *first = q->head, *last = first;
		size_t n = 1, bytes = first->cost;
		for (; last->next && last->next->finished; last = last->next, n++)
			bytes += last->next->cost;
		q->head = last->next;
		if (!q->head)
			q->tail = NULL;
		pthread_mutex_unlock(&q->lock);
		for (struct rec *r = first, *next; r; r = next) {
			struct put_result res = { "", "", r->err };
			next = r == last ? NULL : r->next;
			if (r->receipt) {
				res.shard_id = r->receipt;
				res.sequence_number = r->receipt + strlen(r->receipt) + 1;
			}
			q->c.done(&res, r->job, q->c.arg);
			free(r->receipt);
			free(r->err);
			free(r);
		}
		pthread_mutex_lock(&q->lock);
		any = true;
		q->n -= n;
		q->bytes -= bytes;
		pthread_cond_broadcast(&q->space);
	}
	if (any && q->c.idle) {
		pthread_mutex_unlock(&q->lock);
		q->c.idle(q->c.arg);
		pthread_mutex_lock(&q->lock);
	}
	q->reporting = false;
	if (q->head && q->head->finished)
		report(q); /* finished while idle ran */
	if (!q->n)
		pthread_cond_broadcast(&q->reported);
}

static size_t cost_in_call(const struct rec *r)
{
	return r->len + strlen(r->key);
}

/* Is this key in the batch already? Linear: only with order_key, and calls hold 500 at most. */
static bool key_taken(const struct lane *l, size_t n, const struct rec *r)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(l->taken[i]->key, r->key) == 0)
			return true;
	return false;
}

/* Choose the next call's records from the front of the lane; they stay queued until answered. */
static size_t choose(struct lane *l)
{
	const struct puts_conf *c = &l->q->c;
	size_t n = 0, bytes = 0;
	for (struct rec *r = l->head; r && n < c->batch_records; r = r->lane_next) {
		size_t cost = cost_in_call(r);
		if (n && bytes + cost > c->batch_bytes)
			break;
		if (c->order_key && key_taken(l, n, r))
			continue;
		l->taken[n] = r;
		l->batch[n].data = r->data;
		l->batch[n].len = r->len;
		l->batch[n].partition_key = r->key;
		l->batch[n].explicit_hash_key = r->hash_key;
		l->batch[n].shard_id[0] = l->batch[n].sequence_number[0] = '\0';
		l->batch[n].err.cls = ERR_NONE;
		bytes += cost;
		n++;
	}
	return n;
}

static void set_receipt(struct rec *r, const struct put *p)
{
	size_t a = strlen(p->shard_id) + 1, b = strlen(p->sequence_number) + 1;
	r->receipt = mem_alloc(a + b);
	memcpy(r->receipt, p->shard_id, a);
	memcpy(r->receipt + a, p->sequence_number, b);
}

static void set_error(struct rec *r, const struct err *e)
{
	r->err = mem_alloc(sizeof *r->err);
	*r->err = *e;
}

/* Has the trouble lasted too long for this record? */
static bool given_up(const struct lane *l, const struct rec *r, int64_t now)
{
	const struct puts *q = l->q;
	if (q->hurry_ms && now >= q->hurry_ms)
		return true;
	return !r->hold && l->trouble_ms && now - l->trouble_ms >= q->c.give_up_ms;
}

/* Mark what the call settled and take it out of the lane. Returns how many entries must be sent again. */
static size_t settle(struct lane *l, size_t n, int rc, const struct err *e)
{
	int64_t now = clock_mono_ms();
	size_t again = 0;
	for (size_t i = 0; i < n; i++) {
		struct rec *r = l->taken[i];
		const struct err *why = rc ? e : &l->batch[i].err;
		if (why->cls == ERR_NONE) {
			if (l->q->c.want_receipts)
				set_receipt(r, &l->batch[i]);
		} else if (why->cls == ERR_UNAVAILABLE && !given_up(l, r, now)) {
			again++;
			continue;
		} else {
			set_error(r, why);
		}
		r->finished = true;
	}
	if (again == n)
		return again;
	struct rec **link = &l->head, *prev = NULL;
	while (*link) {
		struct rec *r = *link;
		if (r->finished) {
			*link = r->lane_next;
			l->n--;
			l->bytes -= cost_in_call(r);
		} else {
			prev = r;
			link = &r->lane_next;
		}
	}
	l->tail = prev;
	return again;
}

static void wait_until(struct lane *l, int64_t deadline_ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	int64_t left = deadline_ms - clock_mono_ms();
	if (left <= 0)
		return;
	int64_t ns = t.tv_nsec + left % 1000 * 1000000;
	t.tv_sec += (time_t)(left / 1000 + ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	pthread_cond_timedwait(&l->wake, &l->q->lock, &t);
}

/* Wait with full jitter before the lane's next call. The lock is held. */
static void back_off(struct lane *l)
{
	unsigned shift = l->failures < 8 ? l->failures : 8;
	int64_t most = (int64_t)RETRY_FIRST_MS << shift;
	if (most > RETRY_MOST_MS)
		most = RETRY_MOST_MS;
	int64_t until = clock_mono_ms() + 10 + (int64_t)((double)most * random_unit());
	while (clock_mono_ms() < until) {
		if (l->q->hurry_ms && clock_mono_ms() >= l->q->hurry_ms)
			return;
		wait_until(l, until);
	}
}

/* Say once that calls fail and once that they go through again. The lock is held. */
static void note_outage(struct lane *l, bool call_failed, const struct err *e)
{
	struct puts *q = l->q;
	if (call_failed && !q->out) {
		q->out = true;
		if (q->c.outage)
			q->c.outage(e, q->c.arg);
	} else if (!call_failed && q->out) {
		q->out = false;
		if (q->c.outage)
			q->c.outage(NULL, q->c.arg);
	}
}

static void one_call(struct lane *l)
{
	struct puts *q = l->q;
	struct err e = { 0 };
	size_t n = choose(l);
	l->busy = true;
	pthread_mutex_unlock(&q->lock);
	int rc = stream_put(q->c.stream, l->batch, n, &e);
	pthread_mutex_lock(&q->lock);
	l->busy = false;
	bool call_failed = rc && e.cls == ERR_UNAVAILABLE;
	if (call_failed && !l->trouble_ms)
		l->trouble_ms = clock_mono_ms();
	if (!call_failed || !q->out)
		note_outage(l, call_failed, &e);
	size_t again = settle(l, n, rc, &e);
	report(q);
	if (!again) {
		l->failures = 0;
		l->trouble_ms = 0;
		return;
	}
	if (!l->trouble_ms)
		l->trouble_ms = clock_mono_ms();
	if (again < n)
		l->failures = 0, l->trouble_ms = clock_mono_ms(); /* progress: the trouble begins anew */
	back_off(l);
	l->failures++;
}

static bool ready(const struct lane *l, int64_t now)
{
	const struct puts *q = l->q;
	if (!l->head)
		return false;
	return q->draining || q->pressed || l->failures || l->n >= q->c.batch_records ||
	       l->bytes >= q->c.batch_bytes || now - l->head->queued_ms >= q->c.linger_ms;
}

static void *lane_main(void *arg)
{
	struct lane *l = arg;
	struct puts *q = l->q;
	pthread_mutex_lock(&q->lock);
	while (!(q->closing && !l->head)) {
		if (ready(l, clock_mono_ms()))
			one_call(l);
		else if (l->head)
			wait_until(l, l->head->queued_ms + q->c.linger_ms);
		else
			pthread_cond_wait(&l->wake, &q->lock);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

static void start_lane(struct lane *l)
{
	const struct puts_conf *c = &l->q->c;
	l->batch = mem_array(c->batch_records, sizeof *l->batch);
	l->taken = mem_array(c->batch_records, sizeof(struct rec *));
	l->started = pthread_create(&l->thread, NULL, lane_main, l) == 0;
}

static struct rec *make_rec(const struct put_in *in, void *job)
{
	size_t klen = in->partition_key ? strlen(in->partition_key) : 0;
	size_t hlen = in->explicit_hash_key ? strlen(in->explicit_hash_key) : 0;
	size_t len = in->err ? 0 : in->len;
	struct rec *r = mem_realloc(NULL, sizeof *r + len + klen + hlen + 2);
	memset(r, 0, sizeof *r);
	if (len)
		memcpy(r->data, in->data, len);
	char *k = r->data + len;
	memcpy(k, in->partition_key ? in->partition_key : "", klen + 1);
	r->key = k;
	if (hlen) {
		memcpy(k + klen + 1, in->explicit_hash_key, hlen + 1);
		r->hash_key = k + klen + 1;
	}
	r->len = len;
	r->cost = sizeof *r + len + klen + hlen;
	r->job = job;
	r->hold = in->hold_for_ever;
	if (in->err) {
		set_error(r, in->err);
		r->finished = true;
	}
	return r;
}

static size_t lane_of(const struct puts *q, const char *key)
{
	uint32_t h = 2166136261u;
	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return (h ^ h >> 15) % q->c.lanes;
}

static void press(struct puts *q)
{
	q->pressed = true;
	for (unsigned i = 0; i < q->c.lanes; i++)
		pthread_cond_signal(&q->lanes[i].wake);
}

static void enqueue(struct puts *q, struct rec *r)
{
	struct lane *l = &q->lanes[lane_of(q, r->key)];
	if (!l->started)
		start_lane(l);
	r->queued_ms = clock_mono_ms();
	if (l->tail)
		l->tail->lane_next = r;
	else
		l->head = r;
	l->tail = r;
	l->n++;
	l->bytes += cost_in_call(r);
	if (!l->busy && (l->n == 1 || l->n >= q->c.batch_records || l->bytes >= q->c.batch_bytes))
		pthread_cond_signal(&l->wake);
}

void puts_submit(struct puts *q, const struct put_in *in, void *job)
{
	struct rec *r = make_rec(in, job);
	pthread_mutex_lock(&q->lock);
	while (q->n && (q->n >= q->c.window_records || q->bytes + r->cost > q->c.window_bytes)) {
		press(q);
		pthread_cond_wait(&q->space, &q->lock);
	}
	q->pressed = false;
	if (q->tail)
		q->tail->next = r;
	else
		q->head = r;
	q->tail = r;
	q->n++;
	q->bytes += r->cost;
	if (r->finished)
		report(q);
	else
		enqueue(q, r);
	pthread_mutex_unlock(&q->lock);
}

void puts_drain(struct puts *q)
{
	pthread_mutex_lock(&q->lock);
	q->draining = true;
	press(q);
	while (q->n)
		pthread_cond_wait(&q->reported, &q->lock);
	q->draining = q->pressed = false;
	pthread_mutex_unlock(&q->lock);
}

void puts_hurry(struct puts *q, int64_t grace_ms)
{
	pthread_mutex_lock(&q->lock);
	q->hurry_ms = clock_mono_ms() + grace_ms;
	press(q);
	pthread_mutex_unlock(&q->lock);
}

void puts_close(struct puts *q)
{
	puts_drain(q);
	pthread_mutex_lock(&q->lock);
	q->closing = true;
	press(q);
	pthread_mutex_unlock(&q->lock);
	for (unsigned i = 0; i < q->c.lanes; i++) {
		if (q->lanes[i].started)
			pthread_join(q->lanes[i].thread, NULL);
		free(q->lanes[i].batch);
		free(q->lanes[i].taken);
		pthread_cond_destroy(&q->lanes[i].wake);
	}
	pthread_cond_destroy(&q->space);
	pthread_cond_destroy(&q->reported);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
