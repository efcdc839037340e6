/* puts_test.c - batches, lanes, resending, order, limits and giving up, on a stream that fails as it is told. */
#include "check.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "flow/puts.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define CALLS 4096
#define MANY 8192

struct fake { /* a stream; stored[] is what it took, by the number in the record's data */
	struct stream base;
	pthread_mutex_t lock;
	int stored[MANY], nstored, calls, size[CALLS], first[CALLS];
	size_t bytes[CALLS];
	bool twice_a_key;
	/* how it fails */
	unsigned seed, partial, whole, lost; /* in a hundred; lost: stored, and the answer does not come */
	int fail_calls;                      /* so many calls fail whole, from now on */
	int throttled;      /* the number of one record that is throttled while this stands; -1: none */
	bool internal;      /* `partial` is no throttle */
	int broken;         /* the number of one record that fails for good; -1: none */
	enum err_class cls; /* of fail_calls */
	atomic_bool gate;   /* closed: calls wait */
	atomic_int in_flight, most_in_flight;
	int delay_us;
};

struct world {
	struct fake f;
	struct puts *puts;
	int order[MANY], reported, failed, outages, over, idles;
	atomic_int in_done;
	char last_error[64];
	int done_us;
};

static void nap(int us)
{
	nanosleep(&(struct timespec){ us / 1000000, us % 1000000 * 1000L }, NULL);
}

static unsigned chance(struct fake *f)
{
	f->seed = f->seed * 1103515245 + 12345;
	return f->seed / 65536 % 100;
}

static int number(const struct put *p)
{
	return atoi(p->data);
}

static int unavailable(struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "Throttled", "slow down");
}

/* The lock is held. */
static int answer(struct fake *f, struct put *v, size_t n, struct err *e)
{
	if (f->fail_calls > 0) {
		f->fail_calls--;
		return f->cls == ERR_FAILED ? err_set(e, ERR_FAILED, "Gone", "no such stream")
					    : unavailable(e);
	}
	if (chance(f) < f->whole)
		return unavailable(e);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++)
			f->twice_a_key |= strcmp(v[i].partition_key, v[k].partition_key) == 0;
		if (number(&v[i]) == f->broken)
			err_set(&v[i].err, ERR_FAILED, "Internal", "no");
		else if (number(&v[i]) == f->throttled)
			unavailable(&v[i].err);
		else if (chance(f) < f->partial)
			err_set(&v[i].err, ERR_UNAVAILABLE, f->internal ? "InternalFailure" : "Throttled",
				"no");
		else {
			snprintf(v[i].shard_id, sizeof v[i].shard_id, "shard-%s", v[i].partition_key);
			snprintf(v[i].sequence_number, sizeof v[i].sequence_number, "%d",
				1000 + number(&v[i]));
			f->stored[f->nstored++] = number(&v[i]);
		}
	}
	return f->lost && chance(f) < f->lost ? unavailable(e) : 0;
}

static int put(struct stream *s, struct put *v, size_t n, struct err *e)
{
	struct fake *f = (struct fake *)s;
	int now = atomic_fetch_add(&f->in_flight, 1) + 1;

	if (now > atomic_load(&f->most_in_flight))
		atomic_store(&f->most_in_flight, now);
	while (atomic_load(&f->gate))
		nap(200);
	if (f->delay_us)
		nap(f->delay_us);
	pthread_mutex_lock(&f->lock);
	if (f->calls < CALLS) {
		f->size[f->calls] = (int)n;
		f->first[f->calls] = number(&v[0]);
		for (size_t i = 0; i < n; i++)
			f->bytes[f->calls] += v[i].len + strlen(v[i].partition_key);
	}
	f->calls++;
	int rc = answer(f, v, n, e);
	pthread_mutex_unlock(&f->lock);
	atomic_fetch_sub(&f->in_flight, 1);
	return rc;
}

/* Where records go that the fake does not take; they stay there. */
struct aside {
	pthread_mutex_t lock;
	int kept[MANY], n;
	uint32_t hashes[MANY];
	atomic_bool shut;
};

static bool aside_busy(void *arg)
{
	struct aside *a = arg;
	pthread_mutex_lock(&a->lock);
	bool busy = a->n > 0;
	pthread_mutex_unlock(&a->lock);
	return busy;
}

static bool aside_behind(void *arg, uint32_t hash)
{
	struct aside *a = arg;
	bool behind = false;
	pthread_mutex_lock(&a->lock);
	for (int i = 0; i < a->n && !behind; i++)
		behind = a->hashes[i] == hash;
	pthread_mutex_unlock(&a->lock);
	return behind;
}

static void aside_shut_down(void *arg)
{
	atomic_store(&((struct aside *)arg)->shut, true);
}

static bool aside_shut(void *arg)
{
	return atomic_load(&((struct aside *)arg)->shut);
}

static int aside_keep(void *arg, const struct put *v, const uint32_t *hash, size_t n, struct err *e)
{
	struct aside *a = arg;
	(void)e;
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < n; i++, a->n++) {
		a->kept[a->n] = number(&v[i]);
		a->hashes[a->n] = hash[i];
	}
	pthread_mutex_unlock(&a->lock);
	return 0;
}

static void done(const struct put_result *r, void *job, void *arg)
{
	struct world *w = arg;
	int no = *(int *)job;

	if (atomic_fetch_add(&w->in_done, 1) != 0)
		fail_msg("two callbacks at once");
	w->order[w->reported++] = no;
	if (r->err) {
		w->failed++;
		snprintf(w->last_error, sizeof w->last_error, "%s", r->err->code);
	} else if (!r->kept) {
		char want[16];

		snprintf(want, sizeof want, "%d", 1000 + no);
		assert_string_equal(r->sequence_number, want);
	}
	if (w->done_us)
		nap(w->done_us);
	atomic_fetch_sub(&w->in_done, 1);
}

static void idle(void *arg)
{
	((struct world *)arg)->idles++;
}

static void outage(const struct err *e, void *arg)
{
	struct world *w = arg;

	if (e)
		w->outages++;
	else
		w->over++;
}

static int no_shards(struct stream *s, struct shards *out, struct err *e)
{
	(void)s;
	(void)out;
	return err_set(e, ERR_FAILED, "AccessDeniedException", "not allowed");
}

static const struct stream_ops ops = { .put = put, .shards = no_shards };

static struct world *world_new(struct puts_conf *c)
{
	struct world *w = mem_alloc(sizeof *w);

	w->f.base.ops = &ops;
	pthread_mutex_init(&w->f.lock, NULL);
	w->f.seed = 1;
	w->f.broken = w->f.throttled = -1;
	if (!c->lanes)
		c->lanes = 1;
	if (!c->batch_records)
		c->batch_records = 500;
	if (!c->batch_bytes)
		c->batch_bytes = 1 << 20;
	if (!c->window_records)
		c->window_records = MANY;
	if (!c->window_bytes)
		c->window_bytes = 64 << 20;
	if (!c->give_up_ms)
		c->give_up_ms = 30000;
	c->grace_ms = 30000;
	if (!c->retry_ms)
		c->retry_ms = 1;
	c->want_receipts = true;
	c->stream = &w->f.base;
	c->done = done;
	c->idle = idle;
	c->outage = outage;
	c->arg = w;
	w->puts = puts_open(c);
	return w;
}

static void put_one(struct world *w, int no, const struct put_in *in)
{
	*(int *)puts_make(w->puts, in, sizeof no) = no;
	puts_submit(w->puts);
}

/* Record `no` of `key`, padded to len bytes. */
static void submit(struct world *w, int no, const char *key, size_t len)
{
	char data[8192];
	int n = snprintf(data, sizeof data, "%d ", no);

	if ((size_t)n < len)
		memset(data + n, 'x', len - (size_t)n);
	else
		len = (size_t)n;
	put_one(w, no, &(struct put_in){ .data = data, .len = len, .partition_key = key });
}

static void close_world(struct world *w)
{
	puts_close(w->puts);
	w->puts = NULL;
}

static void free_world(struct world *w)
{
	if (w->puts)
		close_world(w);
	pthread_mutex_destroy(&w->f.lock);
	free(w);
}

/* Reported are 0..n-1, in order. */
static void check_order(const char *row, const struct world *w, int n)
{
	CHECK_INT(row, w->reported, n);
	for (int i = 0; i < n; i++)
		if (w->order[i] != i)
			fail_msg("%s: %d is reported in place %d", row, w->order[i], i);
}

static void test_batches_close(void **state)
{
	static const struct {
		const char *name;
		size_t records, bytes, len;
		int n, calls, size;
	} rows[] = {
		{ "by count", 500, 1 << 20, 10, 1500, 3, 500 },
		{ "by bytes, key counted", 500, 1000, 499, 10, 5, 2 },
		{ "one byte more: alone", 500, 999, 499, 10, 10, 1 },
		{ "larger than a call: alone", 500, 100, 4000, 5, 5, 1 },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct puts_conf c = {
			.batch_records = rows[i].records, .batch_bytes = rows[i].bytes, .linger_ms = 60000
		};
		struct world *w = world_new(&c);
		for (int k = 0; k < rows[i].n; k++) /* each key less often than a call may have it */
			submit(w, k, (const char[]){ (char)('0' + k % 64), 0 }, rows[i].len);
		close_world(w);
		check_order(rows[i].name, w, rows[i].n);
		CHECK_INT(rows[i].name, w->f.calls, rows[i].calls);
		for (int k = 0; k < w->f.calls; k++)
			CHECK_INT(rows[i].name, w->f.size[k], rows[i].size);
		CHECK(rows[i].name, w->idles > 0);
		free_world(w);
	}
}

static int stored(struct world *w)
{
	pthread_mutex_lock(&w->f.lock);
	int n = w->f.nstored;
	pthread_mutex_unlock(&w->f.lock);
	return n;
}

static void test_a_lone_record_waits_for_linger_only(void **state)
{
	struct puts_conf c = { .linger_ms = 80 };
	struct world *w = world_new(&c);
	int64_t t0 = clock_mono_ms();

	(void)state;
	submit(w, 0, "k", 0);
	nap(30000);
	assert_int_equal(stored(w), 0);
	while (stored(w) == 0 && clock_mono_ms() < t0 + 3000)
		nap(1000);
	int64_t took = clock_mono_ms() - t0;
	assert_in_range(took, 78, 1500);
	free_world(w);
}

static void test_receipts_come_in_order_of_submission(void **state)
{
	struct puts_conf c = { .lanes = 5, .batch_records = 7 };
	struct world *w = world_new(&c);
	char key[8];

	(void)state;
	w->f.delay_us = 300;
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "k%d", i % 37);
		submit(w, i, key, 0);
	}
	close_world(w);
	check_order("several lanes", w, 1000);
	assert_int_equal(w->failed, 0);
	assert_in_range(w->f.most_in_flight, 2, 5);
	free_world(w);
}

static void test_only_failed_entries_are_sent_again_and_first(void **state)
{
	struct puts_conf c = { .batch_records = 4, .linger_ms = 60000, .retry_ms = 100 };
	struct world *w = world_new(&c);

	(void)state;
	atomic_store(&w->f.gate, true);
	w->f.throttled = 1;
	for (int i = 0; i < 8; i++)
		submit(w, i, "k", 0);
	atomic_store(&w->f.gate, false);
	while (stored(w) < 3)
		nap(500);
	pthread_mutex_lock(&w->f.lock);
	w->f.throttled = -1;
	pthread_mutex_unlock(&w->f.lock);
	close_world(w);
	check_order("partial failure", w, 8);
	assert_int_equal(w->f.size[0], 4);
	assert_int_equal(w->f.first[1], 1); /* before anything newer */
	assert_int_equal(w->f.nstored, 8);
	assert_int_equal(w->failed, 0);
	assert_int_equal(w->outages, 0); /* a throttled record is no outage */
	free_world(w);
}

static void test_a_call_that_fails_is_made_again(void **state)
{
	struct puts_conf c = { .batch_records = 10, .linger_ms = 60000 };
	struct world *w = world_new(&c);

	(void)state;
	w->f.fail_calls = 4;
	for (int i = 0; i < 10; i++)
		submit(w, i, "k", 0);
	close_world(w);
	check_order("whole call", w, 10);
	assert_int_equal(w->f.calls, 5);
	for (int i = 0; i < 10; i++)
		assert_int_equal(w->f.stored[i], i);
	assert_int_equal(w->outages, 1);
	assert_int_equal(w->over, 1);
	free_world(w);
}

static void test_what_is_refused_for_good_is_not_sent_again(void **state)
{
	struct puts_conf c = { .batch_records = 10, .linger_ms = 60000 };
	struct world *w = world_new(&c);

	(void)state;
	w->f.broken = 3;
	for (int i = 0; i < 10; i++)
		submit(w, i, "k", 0);
	puts_drain(w->puts);
	check_order("one entry", w, 10);
	assert_int_equal(w->failed, 1);
	assert_int_equal(w->f.nstored, 9);
	assert_int_equal(w->f.calls, 1);
	w->f.cls = ERR_FAILED;
	w->f.fail_calls = 1;
	for (int i = 10; i < 20; i++)
		submit(w, i, "k", 0);
	close_world(w);
	check_order("whole call", w, 20);
	assert_int_equal(w->failed, 11);
	assert_string_equal(w->last_error, "Gone");
	assert_int_equal(w->f.calls, 2);
	free_world(w);
}

/* Each is stored exactly once; with order_key each key's records stand in order of submission. */
static void check_stored(const char *row, const struct world *w, int n, int keys, bool in_order)
{
	char *seen = mem_alloc((size_t)n);
	int *last = mem_array((size_t)keys, sizeof *last);

	CHECK_INT(row, w->f.nstored, n);
	for (int i = 0; i < keys; i++)
		last[i] = -1;
	for (int i = 0; i < n; i++) {
		int no = w->f.stored[i];

		CHECK_INT(row, seen[no], 0);
		seen[no] = 1;
		if (in_order && last[no % keys] > no)
			fail_msg("%s: %d is stored behind %d", row, no, last[no % keys]);
		last[no % keys] = no;
	}
	free(seen);
	free(last);
}

static void run_random(const char *row, unsigned seed, bool order_key, unsigned partial, unsigned whole)
{
	struct puts_conf c = { .lanes = 1 + seed % 4,
		.batch_records = 1 + seed % 13,
		.linger_ms = seed % 3,
		.window_records = 16 + seed % 50,
		.order_key = order_key };
	struct world *w = world_new(&c);
	char key[8];

	w->f.seed = seed;
	w->f.partial = partial;
	w->f.internal = seed % 4;
	w->f.whole = whole;
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof key, "k%d", i % 7);
		submit(w, i, key, 0);
	}
	close_world(w);
	check_order(row, w, 300);
	CHECK_INT(row, w->failed, 0);
	CHECK(row, !order_key || !w->f.twice_a_key);
	CHECK_INT(row, w->outages, w->over);
	check_stored(row, w, 300, 7, order_key || !partial);
	free_world(w);
}

static void test_order_under_random_failures(void **state)
{
	char row[64];

	(void)state;
	for (unsigned seed = 1; seed <= 24; seed++) {
		snprintf(row, sizeof row, "order key, seed %u", seed);
		run_random(row, seed, true, 25, 5);
		snprintf(row, sizeof row, "whole calls only, seed %u", seed);
		run_random(row, seed, false, 0, 20);
		snprintf(row, sizeof row, "no order asked, seed %u", seed);
		run_random(row, seed, false, 25, 5);
	}
}

/* Of each key first what was stored, then what is aside, both in order. */
static void test_a_key_goes_aside_in_order(void **state)
{
	static const struct {
		const char *name;
		unsigned partial, whole;
		int keys;
	} rows[] = {
		{ "half is throttled, few keys", 50, 0, 3 },
		{ "most is throttled", 80, 0, 20 },
		{ "calls fail, too", 60, 30, 20 },
		{ "hardly anything passes", 97, 20, 7 },
	};
	enum { N = 400 };
	(void)state;
	for (size_t i = 0; i < 5 * ROWS(rows); i++) {
		struct aside *a = mem_alloc(sizeof *a);
		pthread_mutex_init(&a->lock, NULL);
		const struct puts_aside aside = { 10, aside_busy, aside_behind, aside_shut_down, aside_shut,
			aside_keep, a };
		struct puts_conf c = { .order_key = true, .aside = &aside, .batch_records = 20, .lanes = 1 };
		struct world *w = world_new(&c);
		int last[20], keys = rows[i / 5].keys;
		w->f.seed = (unsigned)i;
		w->f.partial = rows[i / 5].partial;
		w->f.whole = rows[i / 5].whole;
		w->f.delay_us = 500;
		for (int k = 0; k < N; k++) {
			char key[16];
			snprintf(key, sizeof key, "k%d", k % keys);
			submit(w, k, key, 10);
		}
		close_world(w);
		CHECK_INT(rows[i / 5].name, w->f.nstored + a->n, N);
		for (int k = 0; k < keys; k++)
			last[k] = -1;
		for (int k = 0; k < N; k++) {
			int no = k < w->f.nstored ? w->f.stored[k] : a->kept[k - w->f.nstored];
			if (no < last[no % keys])
				fail_msg("%s, seed %zu: %d comes behind %d", rows[i / 5].name, i, no,
					last[no % keys]);
			last[no % keys] = no;
		}
		free_world(w);
		pthread_mutex_destroy(&a->lock);
		free(a);
	}
}

static void test_gives_up(void **state)
{
	struct puts_conf c = { .give_up_ms = 60, .linger_ms = 0 };
	struct world *w = world_new(&c);
	int64_t t0 = clock_mono_ms();

	(void)state;
	w->f.fail_calls = 1 << 30;
	submit(w, 0, "k", 0);
	submit(w, 1, "k", 0);
	puts_drain(w->puts);
	assert_in_range(clock_mono_ms() - t0, 55, 3000);
	check_order("given up", w, 2);
	assert_int_equal(w->failed, 2);
	assert_string_equal(w->last_error, "Throttled");
	assert_int_equal(w->f.nstored, 0);
	w->f.fail_calls = 0;
	submit(w, 2, "k", 0);
	close_world(w);
	check_order("and goes on", w, 3);
	assert_int_equal(w->f.nstored, 1);
	assert_int_equal(w->outages, 1);
	assert_int_equal(w->over, 1);
	free_world(w);
}

static void test_a_throttled_record_is_given_up_while_others_pass(void **state)
{
	struct puts_conf c = { .give_up_ms = 60, .batch_records = 4 };
	struct world *w = world_new(&c);

	(void)state;
	w->f.throttled = 2;
	for (int i = 0; i < 20; i++)
		submit(w, i, "k", 0);
	close_world(w);
	check_order("throttled for ever", w, 20);
	assert_int_equal(w->failed, 1);
	assert_int_equal(w->f.nstored, 19);
	free_world(w);
}

static void submit_held(struct world *w, int no)
{
	char data[16];

	snprintf(data, sizeof data, "%d ", no);
	put_one(w, no,
		&(struct put_in){
			.data = data, .len = strlen(data), .partition_key = "k", .hold_for_ever = true });
}

static void test_a_held_record_outlasts_the_limit(void **state)
{
	struct puts_conf c = { .give_up_ms = 20 };
	struct world *w = world_new(&c);

	(void)state;
	w->f.fail_calls = 1 << 30;
	submit_held(w, 0);
	nap(150000);
	pthread_mutex_lock(&w->f.lock);
	assert_int_equal(w->reported, 0);
	w->f.fail_calls = 0;
	pthread_mutex_unlock(&w->f.lock);
	close_world(w);
	check_order("held", w, 1);
	assert_int_equal(w->failed, 0);
	free_world(w);
}

struct submitter {
	struct world *w;
	size_t len;
	int n;
	atomic_int submitted;
};

static void *submit_many(void *arg)
{
	struct submitter *s = arg;

	for (int i = 0; i < s->n; i++) {
		submit(s->w, i, "k", s->len);
		atomic_fetch_add(&s->submitted, 1);
	}
	return NULL;
}

static void test_a_full_window_blocks_the_submitter(void **state)
{
	static const struct {
		const char *name;
		size_t records, bytes, len;
		int least, most;
	} rows[] = {
		{ "by records", 10, 1 << 20, 10, 10, 10 },
		{ "by bytes", 1000, 10000, 1000, 7, 9 }, /* a record costs some bytes beside its own */
		{ "one record larger than the window goes alone", 1000, 500, 1000, 1, 1 },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct puts_conf c = {
			.window_records = rows[i].records, .window_bytes = rows[i].bytes, .linger_ms = 60000
		};
		struct submitter s = { .w = world_new(&c), .len = rows[i].len, .n = 50 };
		pthread_t t;

		atomic_store(&s.w->f.gate, true);
		assert_int_equal(pthread_create(&t, NULL, submit_many, &s), 0);
		nap(60000);
		int got = atomic_load(&s.submitted);
		CHECK(rows[i].name, got >= rows[i].least);
		CHECK(rows[i].name, got <= rows[i].most);
		atomic_store(&s.w->f.gate, false);
		pthread_join(t, NULL); /* a full window does not wait for linger */
		close_world(s.w);
		check_order(rows[i].name, s.w, 50);
		free_world(s.w);
	}
}

static void test_bad_lines_keep_their_place(void **state)
{
	struct puts_conf c = { .linger_ms = 5 };
	struct world *w = world_new(&c);
	struct err why = { 0 };

	(void)state;
	err_set(&why, ERR_REFUSED, "bad-event", "bad");
	for (int i = 0; i < 30; i++) {
		if (i % 3)
			submit(w, i, "k", 0);
		else
			put_one(w, i, &(struct put_in){ .err = &why });
	}
	close_world(w);
	check_order("refused lines", w, 30);
	assert_int_equal(w->failed, 10);
	assert_string_equal(w->last_error, "bad-event");
	assert_int_equal(w->f.nstored, 20);
	free_world(w);
}

static void test_a_slow_reader_does_not_stop_the_calls(void **state)
{
	struct puts_conf c = { .batch_records = 1, .lanes = 4 };
	struct world *w = world_new(&c);
	char key[8];

	(void)state;
	w->done_us = 20000;
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "k%d", i);
		submit(w, i, key, 0);
	}
	int64_t t0 = clock_mono_ms();
	while (stored(w) < 15 && clock_mono_ms() < t0 + 3000)
		nap(500);
	assert_true(clock_mono_ms() - t0 < 250); /* reporting all takes 400 ms */
	close_world(w);
	check_order("slow reader", w, 20);
	free_world(w);
}

/* The last: the signal stays for the whole program. */
static void test_a_signal_ends_what_is_held(void **state)
{
	struct puts_conf c = { .give_up_ms = 60000 };
	struct world *w = world_new(&c);

	(void)state;
	puts_close(w->puts);
	c.grace_ms = 80;
	c.retry_ms = 5;
	w->puts = puts_open(&c);
	w->f.fail_calls = 1 << 30;
	submit_held(w, 0);
	nap(20000);
	int64_t t0 = clock_mono_ms();
	stop_now();
	close_world(w);
	assert_in_range(clock_mono_ms() - t0, 75, 2000);
	assert_int_equal(w->failed, 1);
	free_world(w);
}

/* What a reader that knows the last 64 ids of a key applies: each record once, in order, although answers get lost. */
static void test_hot_key_lost_answers(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct puts_conf c = { .linger_ms = 60000 };
		struct world *w = world_new(&c);
		int known[64], n = 0, next = 0;
		w->f.seed = seed;
		w->f.lost = 40;
		for (int k = 0; k < 300; k++)
			submit(w, k, "hot", 10);
		close_world(w);
		check_order("hot key", w, 300);
		CHECK("hot key: doubled at all", w->f.nstored > 300);
		for (int i = 0; i < w->f.nstored; i++) {
			bool is_known = false;
			for (int k = 0; k < n && k < 64; k++)
				is_known |= known[k] == w->f.stored[i];
			if (is_known)
				continue;
			CHECK_INT("hot key: applied", w->f.stored[i], next++);
			known[n++ % 64] = w->f.stored[i];
		}
		CHECK_INT("hot key: all applied", next, 300);
		free_world(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches_close),
		cmocka_unit_test(test_hot_key_lost_answers),
		cmocka_unit_test(test_a_lone_record_waits_for_linger_only),
		cmocka_unit_test(test_receipts_come_in_order_of_submission),
		cmocka_unit_test(test_only_failed_entries_are_sent_again_and_first),
		cmocka_unit_test(test_a_call_that_fails_is_made_again),
		cmocka_unit_test(test_what_is_refused_for_good_is_not_sent_again),
		cmocka_unit_test(test_order_under_random_failures),
		cmocka_unit_test(test_a_key_goes_aside_in_order),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_a_throttled_record_is_given_up_while_others_pass),
		cmocka_unit_test(test_a_held_record_outlasts_the_limit),
		cmocka_unit_test(test_a_full_window_blocks_the_submitter),
		cmocka_unit_test(test_bad_lines_keep_their_place),
		cmocka_unit_test(test_a_slow_reader_does_not_stop_the_calls),
		cmocka_unit_test(test_a_signal_ends_what_is_held),
	};
	return cmocka_run_group_tests_name("puts", tests, NULL, NULL);
}
