/* puts_lane.c - one lane of puts: batches over stream_put, what failed again, back-off. Its thread starts with its first
 * record. */
#include "flow/puts_pack.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/stop.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_MOST_MS 5000
#define LOOK_UP_MS 200      /* how late a signal may be noticed while a lane waits */
#define PARTIAL_IS_OUTAGE 3 /* calls in a row of which nothing was taken, all throttled */
#define OTHERS_PASS_MS 1000

/* ---- choosing and settling: without the lock ---- */

bool lane_takes_key(struct lane *l, const struct rec *r)
{
	uint8_t *n = &l->of_key[(r->hash >> 7) % KEY_CELLS];
	return *n < KEY_A_CALL && ++*n;
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
	memset(l->of_key, 0, sizeof l->of_key);
	if (l->pack)
		return pack_choose(l);
	if (c->order_key)
		memset(l->keys, 0, l->q->keys * sizeof(struct rec *));
	for (struct rec *r = l->head; r && n < c->batch_records; r = r->lane_next) {
		if (n && bytes + r->in_call > c->batch_bytes)
			break;
		if (r->waits || (c->order_key && !take_key(l, r)) || !lane_takes_key(l, r))
			continue;
		l->taken[n] = r;
		l->batch[n].data = r->data;
		l->batch[n].len = r->len;
		l->batch[n].partition_key = r->key;
		l->batch[n].explicit_hash_key = r->hash_key;
		bytes += r->in_call;
		n++;
	}
	return n;
}

static void set_receipt(struct rec *r, const struct put *p)
{
	size_t a = strlen(p->shard_id) + 1, b = strlen(p->sequence_number) + 1;
	r->receipt = a + b <= r->room ? r->data : mem_alloc(a + b);
	memcpy(r->receipt, p->shard_id, a);
	memcpy(r->receipt + a, p->sequence_number, b);
}

/* Once a signal has come, every record's time is up after the grace. */
static int64_t hurry_ms(struct puts *q)
{
	int64_t at = atomic_load(&q->hurry_ms);
	if (at || !stop_requested())
		return at;
	int64_t own = clock_mono_ms() + q->c.grace_ms;
	return atomic_compare_exchange_strong(&q->hurry_ms, &at, own) ? own : at;
}

bool lane_hurried(struct lane *l, int64_t now)
{
	int64_t hurry = hurry_ms(l->q);
	const struct puts_conf *c = &l->q->c;
	return (hurry && now >= hurry) || atomic_load(&l->q->abandoned) || (c->leaving && c->leaving(c->arg));
}

/* Has the trouble lasted too long for this record? Where it can be kept aside, lane_keep decides. */
static bool given_up(struct lane *l, const struct rec *r, int64_t now)
{
	struct puts *q = l->q;
	int64_t since = l->trouble_ms && l->trouble_ms < r->failed_ms ? l->trouble_ms : r->failed_ms;
	if (q->c.aside)
		return false;
	return lane_hurried(l, now) || (!r->hold && now - since >= q->c.give_up_ms);
}

static bool may_pass(const struct lane *l, const struct err *why)
{
	return why->cls == ERR_UNAVAILABLE || (l->q->c.patient && why->cls == ERR_LOCAL);
}

/* It is to be sent again; when it has failed for too long, it is kept aside. */
void lane_note_due(struct lane *l, const struct rec *r)
{
	const struct puts_aside *a = l->q->c.aside;
	if (a && (!l->due_ms || r->failed_ms + a->after_ms < l->due_ms))
		l->due_ms = r->failed_ms + a->after_ms;
}

void lane_unlink(struct lane *l, size_t n)
{
	struct rec **link = &l->head, *prev = NULL;
	while (n) {
		struct rec *r = *link;
		if (r->settled) {
			*link = r->lane_next;
			n--;
		} else {
			prev = r;
			link = &r->lane_next;
		}
	}
	if (!*link)
		l->tail = prev;
}

/* Note what the call settled and take that out of the lane; the settled ones then stand first in taken. Returns how many
 * they are; the others must be sent again. */
static size_t settle(struct lane *l, size_t n, int rc, const struct err *e)
{
	int64_t now = clock_mono_ms();
	struct trouble *whole = NULL, *own;
	size_t done = 0;
	l->stored = 0;
	for (size_t i = 0; i < n; i++) {
		struct rec *r = l->taken[i];
		const struct put *p = l->pack ? pack_entry_of(l, i, &r->packed, &r->sub) : &l->batch[i];
		const struct err *why = rc ? e : &p->err;
		if (why->cls != ERR_NONE && !r->failed_ms)
			r->failed_ms = now;
		l->stored += why->cls == ERR_NONE;
		if (why->cls == ERR_NONE) {
			if (l->q->c.want_receipts)
				set_receipt(r, p);
		} else if (may_pass(l, why) && !given_up(l, r, now)) {
			lane_note_due(l, r);
			continue;
		} else {
			own = NULL;
			rec_set_error(r, why, rc ? &whole : &own);
		}
		r->settled = true;
		l->taken[done++] = r;
	}
	lane_unlink(l, done);
	return done;
}

/* ---- with the lock ---- */

static void finish(struct lane *l, size_t done)
{
	for (size_t i = 0; i < done; i++) {
		l->taken[i]->finished = true;
		l->bytes -= l->taken[i]->in_call;
	}
	l->n -= done;
}

static void wait_until(struct lane *l, int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_mono_ms();
	if (left <= 0)
		return;
	struct timespec t = clock_deadline(left);
	pthread_cond_timedwait(&l->wake, &l->q->lock, &t);
}

/* Wait with full jitter before the lane's next call. */
static void back_off(struct lane *l)
{
	unsigned shift = l->failures < 8 ? l->failures : 8;
	int64_t first = l->q->c.retry_ms ? l->q->c.retry_ms : RETRY_FIRST_MS, most = first << shift;
	if (most > RETRY_MOST_MS)
		most = RETRY_MOST_MS;
	int64_t now = clock_mono_ms(), until = now + first / 10 + (int64_t)((double)most * random_unit());
	const struct puts_aside *a = l->q->c.aside;
	if (l->due_ms && l->due_ms < until && !l->no_room)
		until = l->due_ms;
	unsigned passed = l->q->passed;
	for (; now < until; now = clock_mono_ms()) {
		if (l->down && l->q->passed != passed) { /* the outage is over: each lane tries soon */
			passed = l->q->passed;
			int64_t soon = now + (int64_t)((double)first * random_unit());
			until = soon < until ? soon : until;
		}
		if (lane_hurried(l, now) || (a && a->shut(a->arg)))
			return;
		wait_until(l, until < now + LOOK_UP_MS ? until : now + LOOK_UP_MS);
	}
}

/* Say once that nothing goes through and once that it does again. */
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
	int64_t now = clock_mono_ms();
	if (again < n)
		l->q->took_ms = now;
	/* Of one slow shard's records nothing may be taken for long: that is no outage while others pass. */
	bool none =
		again == n && l->failures + 1 >= PARTIAL_IS_OUTAGE && now - l->q->took_ms >= OTHERS_PASS_MS;
	if (call_failed || none)
		note_outage(l, true, call_failed ? e : &l->batch[0].err);
	else if (again < n)
		note_outage(l, false, NULL);
	if (again < n)
		l->failures = 0; /* progress */
	l->down = call_failed;
	l->q->passed += !call_failed;
	if (!again)
		l->trouble_ms = 0;
	else if (again < n || !l->trouble_ms)
		l->trouble_ms = now;
}

static void take_incoming(struct lane *l)
{
	if (!l->in_head)
		return;
	if (l->tail)
		l->tail->lane_next = l->in_head;
	else
		l->head = l->in_head;
	l->tail = l->in_tail;
	l->in_head = l->in_tail = NULL;
}

static const struct rec *oldest(const struct lane *l)
{
	return l->head ? l->head : l->in_head;
}

static int call(struct lane *l, size_t n, struct err *e)
{
	if (atomic_load(&l->q->abandoned))
		return err_set(e, ERR_UNAVAILABLE, "stopped", "not sent any more");
	if (l->pack && pack_fill(l, &n, e))
		return -1;
	int rc = stream_put(l->q->c.stream, l->batch, n, e);
	if (l->pack && !rc)
		pack_check(l);
	if (rc && e->cls == ERR_STOPPED) /* cancelled: nothing is known to be stored */
		err_set(e, ERR_UNAVAILABLE, "stopped", "no answer before the end");
	return rc;
}

/* Nothing of the lane may go now. */
static void rest(struct lane *l)
{
	int64_t look_up = clock_mono_ms() + LOOK_UP_MS;
	wait_until(l, l->paced && l->next_ms < look_up ? l->next_ms : look_up);
}

/* Records to be called for, into taken and batch; how many. */
static size_t choose_call(struct lane *l)
{
	lane_pace(l);
	return choose(l);
}

static void one_call(struct lane *l)
{
	struct puts *q = l->q;
	struct err e;
	err_clear(&e);
	take_incoming(l);
	l->quiet = false;
	l->busy = true;
	pthread_mutex_unlock(&q->lock);
	size_t kept = q->c.aside ? lane_keep(l) : 0;
	size_t n = kept ? 0 : choose_call(l);
	int64_t began_ms = clock_mono_ms();
	int rc = n ? call(l, n, &e) : 0;
	bool pause = rc || lane_pace_learn(l, n, began_ms);
	size_t done = kept ? kept : settle(l, n, rc, &e);
	if (n && !l->stored && lane_hurried(l, began_ms))
		atomic_store(&q->abandoned, true); /* that was the last try */
	pthread_mutex_lock(&q->lock);
	l->busy = false;
	finish(l, done);
	if (n)
		judge(l, n, n - done, rc && may_pass(l, &e), &e);
	puts_report(q);
	if (!n && !kept)
		rest(l);
	if (done == n || kept)
		return;
	if (pause)
		back_off(l);
	l->failures++;
}

static bool ready(const struct lane *l, int64_t now)
{
	const struct puts *q = l->q;
	if (!l->n)
		return false;
	return q->draining || q->pressed || l->failures || l->n >= q->c.batch_records ||
	       l->bytes >= q->c.batch_bytes || now - oldest(l)->queued_ms >= q->c.linger_ms;
}

/* Wait for a full batch, or until the oldest record has lingered. A lane that has just been at work looks up after a linger
 * even when it is empty: a steady flow then wakes it once a batch, not for each batch's first record as well. */
static void wait_for_work(struct lane *l)
{
	struct puts *q = l->q;
	if (!l->n && l->quiet) {
		pthread_cond_wait(&l->wake, &q->lock);
		l->quiet = false;
		return;
	}
	l->watching = true;
	wait_until(l, (l->n ? oldest(l)->queued_ms : clock_mono_ms()) + q->c.linger_ms);
	l->watching = false;
	l->quiet = !l->n;
}

static void *lane_main(void *arg)
{
	struct lane *l = arg;
	struct puts *q = l->q;
	pthread_mutex_lock(&q->lock);
	while (!(q->closing && !l->n)) {
		if (ready(l, clock_mono_ms()))
			one_call(l);
		else
			wait_for_work(l);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

static void start_lane(struct lane *l)
{
	const struct puts_conf *c = &l->q->c;
	l->batch = mem_array(c->batch_records, sizeof *l->batch);
	l->pack = c->aggregate_bytes ? pack_new(c) : NULL;
	size_t most = l->pack && c->batch_records < PACK_RECORDS ? PACK_RECORDS : c->batch_records;
	l->taken = mem_array(most, sizeof(struct rec *));
	l->keys = c->order_key ? mem_array(l->q->keys, sizeof(struct rec *)) : NULL;
	l->hashes = c->aside ? mem_array(c->batch_records, sizeof *l->hashes) : NULL;
	l->started = pthread_create(&l->thread, NULL, lane_main, l) == 0;
}

/* Does this record, the last that came, fill the batch? */
static bool fills(const struct lane *l, const struct rec *r)
{
	const struct puts_conf *c = &l->q->c;
	return l->n == c->batch_records ||
	       (l->bytes >= c->batch_bytes && l->bytes - r->in_call < c->batch_bytes);
}

void lane_add(struct lane *l, struct rec *r)
{
	if (!l->batch)
		start_lane(l);
	r->queued_ms = clock_mono_ms();
	if (l->in_tail)
		l->in_tail->lane_next = r;
	else
		l->in_head = r;
	l->in_tail = r;
	l->n++;
	l->bytes += r->in_call;
	if (!l->busy && (fills(l, r) || (l->n == 1 && !l->watching)))
		pthread_cond_signal(&l->wake);
	while (!l->started && l->n) /* no thread could be had: work here */
		one_call(l);
}

void lane_end(struct lane *l)
{
	if (l->started)
		pthread_join(l->thread, NULL);
	pack_free(l->pack, l->q->map);
	free(l->batch);
	free(l->taken);
	free(l->keys);
	free(l->hashes);
	pthread_cond_destroy(&l->wake);
}
