/* puts.c - lanes of batches over stream_put; one thread a lane, started when its first record comes. */
#include "flow/puts.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/stop.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 10000
#define LOOK_UP_MS 200      /* how late a signal may be noticed while a lane waits */
#define PARTIAL_IS_OUTAGE 3 /* calls in a row of which nothing was taken, all throttled */

struct rec {
	struct rec *next;      /* in order of submission */
	struct rec *lane_next; /* in the lane */
	void *job;
	size_t len, cost;
	uint32_t hash;              /* of key */
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
	const struct rec **keys; /* hash table of the keys taken, with order_key */
	bool started, busy, out; /* out: counted in puts.out */
};

struct puts {
	struct puts_conf c;
	pthread_mutex_t lock;
	pthread_cond_t space, reported;
	struct rec *head, *tail;
	size_t n, bytes;
	size_t keys;      /* slots of a lane's table, a power of two */
	int64_t hurry_ms; /* monotonic deadline after a signal, 0: none */
	unsigned out;     /* lanes that make no progress */
	bool reporting, draining, closing, pressed;
	struct lane lanes[64];
};

struct puts *puts_open(const struct puts_conf *c)
{
	struct puts *q = mem_alloc(sizeof *q);
	pthread_condattr_t attr;
	q->c = *c;
	for (q->keys = 16; q->keys < 2 * c->batch_records;)
		q->keys *= 2;
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

/* Take what is finished at the front; the number of records, *last the last of them. */
static size_t take_finished(struct puts *q, struct rec **last, size_t *bytes)
{
	size_t n = 0;
	*bytes = 0;
	for (struct rec *r = q->head; r && r->finished; r = r->next, n++) {
		*last = r;
		*bytes += r->cost;
	}
	if (!n)
		return 0;
	q->head = (*last)->next;
	if (!q->head)
		q->tail = NULL;
	(*last)->next = NULL;
	return n;
}

static void report_one(struct puts *q, struct rec *r)
{
	struct put_result res = { "", "", r->err };
	if (r->receipt) {
		res.shard_id = r->receipt;
		res.sequence_number = r->receipt + strlen(r->receipt) + 1;
	}
	q->c.done(&res, r->job, q->c.arg);
	free(r->receipt);
	free(r->err);
	free(r);
}

/* Report what is finished at the front. Called with the lock held; the lock is dropped around callbacks. */
static void report(struct puts *q)
{
	size_t n, bytes;
	if (q->reporting || !q->head || !q->head->finished)
		return;
	q->reporting = true;
	for (struct rec *r = q->head, *last, *next; (n = take_finished(q, &last, &bytes)); r = q->head) {
		pthread_mutex_unlock(&q->lock);
		for (; r; r = next) {
			next = r->next;
			report_one(q, r);
		}
		pthread_mutex_lock(&q->lock);
		q->n -= n;
		q->bytes -= bytes;
		pthread_cond_broadcast(&q->space);
		if (q->c.idle && !(q->head && q->head->finished)) {
			pthread_mutex_unlock(&q->lock);
			q->c.idle(q->c.arg);
			pthread_mutex_lock(&q->lock);
		}
	}
	q->reporting = false;
	pthread_cond_broadcast(&q->reported);
}

static size_t cost_in_call(const struct rec *r)
{
	return r->len + strlen(r->key);
}

/* With order_key: note the key; false: the batch has a record of it already. */
static bool take_key(struct lane *l, const struct rec *r)
{
	size_t mask = l->q->keys - 1, i = (r->hash >> 7) & mask;
	for (; l->keys[i]; i = (i + 1) & mask)
		if (l->keys[i]->hash == r->hash && strcmp(l->keys[i]->key, r->key) == 0)
			return false;
	l->keys[i] = r;
	return true;
}

/* Choose the next call's records from the front of the lane; they stay queued until answered. */
static size_t choose(struct lane *l)
{
	const struct puts_conf *c = &l->q->c;
	size_t n = 0, bytes = 0;
	if (c->order_key)
		memset(l->keys, 0, l->q->keys * sizeof(struct rec *));
	for (struct rec *r = l->head; r && n < c->batch_records; r = r->lane_next) {
		size_t cost = cost_in_call(r);
		if (n && bytes + cost > c->batch_bytes)
			break;
		if (c->order_key && !take_key(l, r))
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

static void look_for_signal(struct puts *q)
{
	if (!q->hurry_ms && stop_requested())
		q->hurry_ms = clock_mono_ms() + q->c.grace_ms;
}

/* Has the trouble lasted too long for this record? */
static bool given_up(const struct lane *l, const struct rec *r, int64_t now)
{
	struct puts *q = l->q;
	int64_t since = l->trouble_ms ? l->trouble_ms : now;
	look_for_signal(q);
	if (q->hurry_ms && now >= q->hurry_ms)
		return true;
	return !r->hold && now - since >= q->c.give_up_ms;
}

/* Take n finished records out of the lane. */
static void unlink_finished(struct lane *l, size_t n)
{
	struct rec **link = &l->head, *prev = NULL;
	while (n) {
		struct rec *r = *link;
		if (r->finished) {
			*link = r->lane_next;
			l->n--;
			l->bytes -= cost_in_call(r);
			n--;
		} else {
			prev = r;
			link = &r->lane_next;
		}
	}
	if (!*link)
		l->tail = prev;
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
	unlink_finished(l, n - again);
	return again;
}

static void wait_until(struct lane *l, int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_mono_ms();
	if (left <= 0)
		return;
	struct timespec t = clock_deadline(left);
	pthread_cond_timedwait(&l->wake, &l->q->lock, &t);
}

/* Wait with full jitter before the lane's next call. The lock is held. */
static void back_off(struct lane *l)
{
	unsigned shift = l->failures < 8 ? l->failures : 8;
	int64_t first = l->q->c.retry_ms ? l->q->c.retry_ms : RETRY_FIRST_MS, most = first << shift;
	if (most > RETRY_MOST_MS)
		most = RETRY_MOST_MS;
	int64_t now = clock_mono_ms(), until = now + first / 10 + (int64_t)((double)most * random_unit());
	for (; now < until; now = clock_mono_ms()) {
		look_for_signal(l->q);
		if (l->q->hurry_ms && now >= l->q->hurry_ms)
			return;
		wait_until(l, until < now + LOOK_UP_MS ? until : now + LOOK_UP_MS);
	}
}

/* Say once that nothing goes through and once that it does again. The lock is held. */
static void note_outage(struct lane *l, bool out, const struct err *e)
{
	struct puts *q = l->q;
	if (out == l->out)
		return;
	l->out = out;
	q->out += out ? 1 : -1u;
	if (q->c.outage && q->out == (out ? 1 : 0))
		q->c.outage(out ? e : NULL, q->c.arg);
}

/* How the lane stands after a call of n records of which `again` must be sent again. */
static void judge(struct lane *l, size_t n, size_t again, bool call_failed, const struct err *e)
{
	if (call_failed || (again == n && l->failures + 1 >= PARTIAL_IS_OUTAGE))
		note_outage(l, true, call_failed ? e : &l->batch[0].err);
	else if (again < n)
		note_outage(l, false, NULL);
	if (again < n)
		l->failures = 0; /* progress */
	if (!again)
		l->trouble_ms = 0;
	else if (again < n || !l->trouble_ms)
		l->trouble_ms = clock_mono_ms();
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
	size_t again = settle(l, n, rc, &e);
	judge(l, n, again, rc && e.cls == ERR_UNAVAILABLE, &e);
	report(q);
	if (!again)
		return;
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
	l->keys = c->order_key ? mem_array(l->q->keys, sizeof(struct rec *)) : NULL;
	l->started = pthread_create(&l->thread, NULL, lane_main, l) == 0;
}

static uint32_t hash_key(const char *key)
{
	uint32_t h = 2166136261u;
	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return h ^ h >> 15;
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
	r->hash = hash_key(k);
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

static void press(struct puts *q)
{
	q->pressed = true;
	for (unsigned i = 0; i < q->c.lanes; i++)
		pthread_cond_signal(&q->lanes[i].wake);
}

static void enqueue(struct puts *q, struct rec *r)
{
	struct lane *l = &q->lanes[r->hash % q->c.lanes];
	if (!l->batch)
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
	while (!l->started && l->head) /* no thread could be had: work here */
		one_call(l);
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
	while (q->n || q->reporting)
		pthread_cond_wait(&q->reported, &q->lock);
	q->draining = q->pressed = false;
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
		free(q->lanes[i].keys);
		pthread_cond_destroy(&q->lanes[i].wake);
	}
	pthread_cond_destroy(&q->space);
	pthread_cond_destroy(&q->reported);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
