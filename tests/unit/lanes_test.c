/* lanes_test.c - one key one job at a time, reports in the order of submission, limits, coalescing, ticker. */
#include "check.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/lanes.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct job {
	struct lane_job lane;
	char key[16];
	int no, of_key; /* number in all, and within its key */
	int sleep_us;
	struct world *world;
};

#define KEYS 50

struct world {
	struct lanes *lanes;
	atomic_int running[KEYS], next_of_key[KEYS], in_done, running_all, most_running, worked, gate;
	int next_no, idles, superseded, skipped, last_no;
	bool dirty; /* reported since the last idle() */
};

static void nap(int us)
{
	struct timespec t = { 0, (long)us * 1000 };

	nanosleep(&t, NULL);
}

static void work(struct lane_job *lane, void *arg)
{
	struct job *j = (struct job *)lane;
	struct world *w = arg;
	int all = atomic_fetch_add(&w->running_all, 1) + 1;

	if (all > atomic_load(&w->most_running))
		atomic_store(&w->most_running, all);
	if (lane->keylen) {
		int key = atoi(j->key + 1);

		assert_int_equal(atomic_fetch_add(&w->running[key], 1), 0);
		assert_true(atomic_load(&w->next_of_key[key]) <= j->of_key);
		atomic_store(&w->next_of_key[key], j->of_key + 1);
	}
	while (atomic_load(&w->gate))
		nap(100);
	if (j->sleep_us)
		nap(j->sleep_us);
	if (lane->keylen)
		atomic_fetch_sub(&w->running[atoi(j->key + 1)], 1);
	atomic_fetch_sub(&w->running_all, 1);
	atomic_fetch_add(&w->worked, 1);
}

static void done(struct lane_job *lane, void *arg)
{
	struct job *j = (struct job *)lane;
	struct world *w = arg;

	assert_int_equal(atomic_fetch_add(&w->in_done, 1), 0);
	assert_int_equal(j->no, w->next_no);
	w->next_no++;
	w->dirty = true;
	w->superseded += lane->superseded;
	w->skipped += lane->skip_work;
	if (!lane->superseded && !lane->skip_work)
		w->last_no = j->no;
	atomic_fetch_sub(&w->in_done, 1);
	memset(j, 0xdd, sizeof(*j)); /* a later look at the key is seen */
	free(j);
}

static void idle(void *arg)
{
	struct world *w = arg;

	assert_int_equal(atomic_fetch_add(&w->in_done, 1), 0);
	w->idles++;
	w->dirty = false;
	atomic_fetch_sub(&w->in_done, 1);
}

static struct lanes *open_lanes(struct world *w, struct lanes_conf conf)
{
	conf.work = work;
	conf.done = done;
	conf.idle = idle;
	conf.arg = w;
	w->lanes = lanes_open(&conf);
	return w->lanes;
}

static struct job *new_job(int no, int key, int of_key, int sleep_us)
{
	struct job *j = mem_alloc(sizeof(*j));

	if (key >= 0)
		j->lane.keylen = (size_t)snprintf(j->key, sizeof(j->key), "k%d", key);
	j->lane.key = j->key;
	j->no = no;
	j->of_key = of_key;
	j->sleep_us = sleep_us;
	return j;
}

static void test_order(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct lanes_conf conf;
		int jobs, keys;
	} rows[] = {
		{ "many keys", { .workers = 16, .window = 64 }, 4000, KEYS },
		{ "few keys, coalescing", { .workers = 8, .window = 100, .coalesce = true }, 4000, 5 },
		{ "one worker", { .workers = 1, .window = 10 }, 500, KEYS },
		{ "one key", { .workers = 8, .window = 10 }, 300, 1 },
		{ "a window of one", { .workers = 8, .window = 1 }, 300, KEYS },
		{ "bytes", { .workers = 8, .window = 1000, .window_bytes = 50 }, 2000, KEYS },
		{ "zeros", { .workers = 0, .window = 0 }, 50, KEYS },
	};

	srand(1);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct world w = { 0 };
		int of_key[KEYS] = { 0 };
		struct lanes *l = open_lanes(&w, rows[i].conf);

		for (int no = 0; no < rows[i].jobs; no++) {
			int key = rand() % rows[i].keys;
			struct job *j = new_job(no, rand() % 10 ? key : -1, 0, rand() % 4 ? 0 : rand() % 300);

			if (j->lane.keylen)
				j->of_key = of_key[key]++;
			j->lane.skip_work = rand() % 20 == 0;
			lanes_submit(l, &j->lane, (size_t)(rand() % 70)); /* some over the limit alone */
		}
		lanes_drain(l);
		CHECK_INT(rows[i].name, lanes_pending(l), 0);
		CHECK_INT(rows[i].name, w.next_no, rows[i].jobs);
		CHECK_INT(rows[i].name, atomic_load(&w.worked) + w.superseded + w.skipped, rows[i].jobs);
		CHECK(rows[i].name, w.idles > 0 && !w.dirty);
		CHECK(rows[i].name, rows[i].conf.coalesce || w.superseded == 0);
		CHECK(rows[i].name, (unsigned)atomic_load(&w.most_running) <=
					    (rows[i].conf.workers ? rows[i].conf.workers : 1));
		lanes_close(l);
	}
}

static void test_side_by_side(void **state)
{
	(void)state;
	struct world w = { .gate = 1 };
	struct lanes *l = open_lanes(&w, (struct lanes_conf){ .workers = 8, .window = 100 });

	for (int no = 0; no < 20; no++)
		lanes_submit(l, &new_job(no, no, 0, 0)->lane, 1);
	while (atomic_load(&w.running_all) < 8)
		nap(100);
	atomic_store(&w.gate, 0);
	lanes_close(l);
	assert_int_equal(w.next_no, 20);
	assert_int_equal(atomic_load(&w.most_running), 8);
}

static void test_coalesce(void **state)
{
	(void)state;
	struct world w = { .gate = 1 };
	struct lanes *l =
		open_lanes(&w, (struct lanes_conf){ .workers = 1, .window = 100, .coalesce = true });

	lanes_submit(l, &new_job(0, 1, 0, 0)->lane, 1);
	while (!atomic_load(&w.running_all))
		nap(100);
	for (int no = 1; no < 10; no++) /* wait behind a running one: only the last stays */
		lanes_submit(l, &new_job(no, 1, no, 0)->lane, 1);
	for (int no = 10; no < 20; no++) /* never started: the same */
		lanes_submit(l, &new_job(no, 2, no, 0)->lane, 1);
	struct job *mark = new_job(20, 2, 0, 0); /* a mark does not supersede */
	mark->lane.skip_work = true;
	lanes_submit(l, &mark->lane, 1);
	for (int no = 21; no < 24; no++) /* nor do jobs without a key */
		lanes_submit(l, &new_job(no, -1, 0, 0)->lane, 1);
	atomic_store(&w.gate, 0);
	lanes_close(l);
	assert_int_equal(w.next_no, 24);
	assert_int_equal(w.superseded, 8 + 9);
	assert_int_equal(w.skipped, 1);
	assert_int_equal(atomic_load(&w.worked), 1 + 1 + 1 + 3);
}

struct late {
	struct world *w;
	int no;
	size_t bytes;
	atomic_int in;
};

static void *submit_late(void *arg)
{
	struct late *late = arg;

	lanes_submit(late->w->lanes, &new_job(late->no, late->no, 0, 0)->lane, late->bytes);
	atomic_store(&late->in, 1);
	return NULL;
}

static void test_submit_blocks(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct lanes_conf conf;
		size_t bytes[3];
	} rows[] = {
		{ "by window", { .workers = 4, .window = 2 }, { 1, 1, 1 } },
		{ "by bytes", { .workers = 4, .window = 9, .window_bytes = 10 }, { 5, 5, 1 } },
		{ "an oversized one waits", { .workers = 4, .window = 9, .window_bytes = 10 }, { 1, 1, 99 } },
		{ "behind an oversized one", { .workers = 4, .window = 9, .window_bytes = 10 },
			{ 99, 0, 1 } },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct world w = { .gate = 1 };
		struct lanes *l = open_lanes(&w, rows[i].conf);
		int first = rows[i].bytes[1] ? 2 : 1;
		struct late late = { &w, first, rows[i].bytes[2], 0 };
		pthread_t t;

		for (int no = 0; no < first; no++)
			lanes_submit(l, &new_job(no, no, 0, 0)->lane, rows[i].bytes[no]);
		pthread_create(&t, NULL, submit_late, &late);
		nap(20000);
		CHECK(rows[i].name, !atomic_load(&late.in));
		CHECK_INT(rows[i].name, lanes_pending(l), first);
		atomic_store(&w.gate, 0);
		pthread_join(t, NULL);
		lanes_close(l);
		CHECK_INT(rows[i].name, w.next_no, first + 1);
	}
}

static void test_abandon(void **state)
{
	(void)state;
	struct world w = { .gate = 1 };
	struct lanes *l = open_lanes(&w, (struct lanes_conf){ .workers = 2, .window = 100 });

	for (int no = 0; no < 30; no++)
		lanes_submit(l, &new_job(no, no % 5, no / 5, 0)->lane, 1);
	while (atomic_load(&w.running_all) < 2)
		nap(100);
	lanes_abandon(l);
	lanes_submit(l, &new_job(30, 0, 30, 0)->lane, 1); /* it goes on working afterwards */
	atomic_store(&w.gate, 0);
	lanes_close(l);
	assert_int_equal(w.next_no, 31);
	assert_int_equal(w.skipped, 28);
	assert_int_equal(atomic_load(&w.worked), 3);
}

static void test_empty(void **state)
{
	(void)state;
	struct world w = { 0 };
	struct lanes *l = open_lanes(&w, (struct lanes_conf){ .workers = 4, .window = 4 });

	lanes_drain(l);
	lanes_abandon(l);
	lanes_close(l);
	lanes_close(NULL);
	assert_int_equal(w.idles, 0);
}

static atomic_int ticks, in_tick;

static void tick(void *arg)
{
	(void)arg;
	assert_int_equal(atomic_fetch_add(&in_tick, 1), 0);
	nap(2000);
	atomic_fetch_add(&ticks, 1);
	atomic_fetch_sub(&in_tick, 1);
}

static void test_ticker(void **state)
{
	(void)state;
	struct ticker *t = ticker_start(5, tick, NULL);

	for (int i = 0; i < 2000 && atomic_load(&ticks) < 3; i++)
		nap(1000);
	assert_true(atomic_load(&ticks) >= 3);
	ticker_stop(t, false);
	int n = atomic_load(&ticks);
	nap(20000);
	assert_int_equal(atomic_load(&ticks), n);

	t = ticker_start(3600000, tick, NULL);
	ticker_poke(t);
	for (int i = 0; i < 2000 && atomic_load(&ticks) == n; i++)
		nap(1000);
	assert_int_equal(atomic_load(&ticks), n + 1);
	ticker_stop(t, true);
	assert_int_equal(atomic_load(&ticks), n + 2);
	ticker_stop(NULL, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_coalesce),
		cmocka_unit_test(test_submit_blocks),
		cmocka_unit_test(test_abandon),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_ticker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
