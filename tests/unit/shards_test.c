/* shards_test.c - following a stream through resharding and trouble: nothing lost, nothing twice, parents first. */
#include "fake_flow.h"

#include "flow/shards.h"

#include <stdatomic.h>
#include <time.h>

#define MAX_GOT 20000

static struct fake_stream F;

struct got {
	char shard[SHARD_ID_MAX], data[64];
	bool end;
};
static struct got got[MAX_GOT];
static size_t ngot, nrecords, stop_at, hook_at, fail_at, ends_wanted, nends, idles, flushes;
static void (*hook)(void);
static atomic_flag busy = ATOMIC_FLAG_INIT; /* two callbacks at once would trip over it */

static void pause_ms(int ms)
{
	nanosleep(&(const struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 },
		NULL);
}

static int setup(void **state)
{
	(void)state;
	ngot = nrecords = stop_at = hook_at = fail_at = ends_wanted = nends = idles = flushes = 0;
	hook = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stream_release(&F);
	return 0;
}

static int on_record(const char *shard_id, const struct record *r, void *arg, struct err *e)
{
	(void)arg;
	assert_false(atomic_flag_test_and_set(&busy));
	assert_true(ngot < MAX_GOT);
	struct got *g = &got[ngot++];
	snprintf(g->shard, sizeof g->shard, "%s", shard_id);
	snprintf(g->data, sizeof g->data, "%.*s", (int)r->len, r->data);
	g->end = false;
	nrecords++;
	if (hook && nrecords == hook_at)
		hook();
	atomic_flag_clear(&busy);
	if (fail_at && nrecords == fail_at)
		return err_set(e, ERR_PIPE, "", "reader gone");
	return stop_at && nrecords == stop_at;
}

static int on_shard_end(const char *shard_id, void *arg, struct err *e)
{
	(void)arg, (void)e;
	assert_false(atomic_flag_test_and_set(&busy));
	struct got *g = &got[ngot++];
	snprintf(g->shard, sizeof g->shard, "%s", shard_id);
	g->end = true;
	nends++;
	atomic_flag_clear(&busy);
	return 0;
}

static int on_flush(void *arg, struct err *e)
{
	(void)arg, (void)e;
	assert_false(atomic_flag_test_and_set(&busy));
	flushes++;
	atomic_flag_clear(&busy);
	return 0;
}

static int on_idle(void *arg, struct err *e)
{
	(void)arg;
	assert_false(atomic_flag_test_and_set(&busy));
	if (nrecords >= 5)
		idles++;
	atomic_flag_clear(&busy);
	return ends_wanted && idles >= ends_wanted ? err_set(e, ERR_PIPE, "", "enough") : 0;
}

static struct follow_conf conf(void)
{
	return (struct follow_conf){ .stream = &F.base,
		.poll_ms = 5,
		.threads = 4,
		.idle_mark_ms = 60000,
		.backoff_ms = 5,
		.grace_ms = 1000,
		.on_record = on_record,
		.on_shard_end = on_shard_end,
		.on_flush = on_flush,
		.on_idle = on_idle };
}

static int run(const struct follow_conf *c, struct err *e)
{
	struct err mine = { 0 };
	struct follow *f = follow_open(c, &mine);
	assert_non_null(f);
	int rc = follow_run(f, e ? e : &mine);
	if (rc && !e)
		print_message("follow_run: %s\n", mine.msg);
	follow_close(f);
	return rc;
}

static void to_the_end(void)
{
	struct follow_conf c = conf();
	c.end_at_tip = true;
	assert_int_equal(run(&c, NULL), 0);
}

static size_t first_of(const char *shard)
{
	for (size_t i = 0; i < ngot; i++)
		if (!strcmp(got[i].shard, shard))
			return i;
	return SIZE_MAX;
}

static size_t last_of(const char *shard)
{
	size_t at = SIZE_MAX;
	for (size_t i = 0; i < ngot; i++)
		if (!strcmp(got[i].shard, shard))
			at = i;
	return at;
}

/* Each record of a shard once, in order, from its from-th; then its end mark if it is closed. */
static void check_shard(const struct fake_shard *s, size_t from, bool ended)
{
	size_t k = from;
	bool end = false;
	for (size_t i = 0; i < ngot; i++) {
		if (strcmp(got[i].shard, s->s.id) != 0)
			continue;
		if (end)
			fail_msg("%s: a line behind its end", s->s.id);
		if (got[i].end) {
			end = true;
			continue;
		}
		if (k >= s->n || strcmp(got[i].data, s->v[k].data) != 0)
			fail_msg("%s: %s instead of its record %zu", s->s.id, got[i].data, k);
		k++;
	}
	if (k != s->n)
		fail_msg("%s: %zu records of %zu", s->s.id, k, s->n);
	if (end != ended)
		fail_msg("%s: end mark %s", s->s.id, end ? "without an end" : "missing");
}

static void check_all(void)
{
	for (size_t i = 0; i < F.n; i++) {
		const struct fake_shard *s = &F.v[i];
		const char *parents[2] = { s->s.parent, s->s.adjacent };
		if (s->expired)
			continue;
		check_shard(s, 0, s->s.end_seq[0]);
		for (int p = 0; p < 2; p++)
			if (parents[p][0] && first_of(s->s.id) != SIZE_MAX &&
				last_of(parents[p]) != SIZE_MAX && last_of(parents[p]) > first_of(s->s.id))
				fail_msg("%s began before its parent %s ended", s->s.id, parents[p]);
	}
}

static void reads_every_shard_to_the_tip(void **state)
{
	(void)state;
	fake_stream_init(&F, 4);
	for (size_t i = 0; i < 4; i++)
		fake_fill(&F, i, 25);
	to_the_end();
	check_all();
	assert_int_equal(nrecords, 100);
	assert_true(flushes > 0);
}

static void empty_stream_ends(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	to_the_end();
	assert_int_equal(ngot, 0);
}

/* Two roots; the first split, its halves merged, that split again; the second closed with records in each generation. */
static void grow_a_family(void)
{
	fake_fill(&F, 0, 10);
	fake_fill(&F, 1, 10);
	fake_split(&F, 0); /* 2, 3 */
	fake_fill(&F, 2, 7);
	fake_fill(&F, 3, 20);
	fake_merge(&F, 2, 3); /* 4 */
	fake_fill(&F, 4, 9);
	fake_merge(&F, 4, 1); /* 5 */
	fake_split(&F, 5);    /* 6, 7; 5 is empty */
	fake_fill(&F, 6, 5);
	fake_fill(&F, 7, 5);
}

static void resharded_before_the_start(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	grow_a_family();
	to_the_end();
	check_all();
	assert_int_equal(nrecords, 66);
	assert_int_equal(nends, 6);
}

static void expired_parents_are_tolerated(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	grow_a_family();
	F.v[0].expired = F.v[2].expired = true;
	to_the_end();
	check_all();
	assert_int_equal(nrecords, 49);
}

static void split_and_fill(void)
{
	fake_split(&F, 0);
	fake_fill(&F, 2, 15);
	fake_fill(&F, 3, 15);
	fake_merge(&F, 3, 1);
	fake_fill(&F, 4, 15);
	fake_split(&F, 4);
	fake_fill(&F, 5, 5);
}

static void resharded_while_running(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	fake_fill(&F, 0, 20);
	fake_fill(&F, 1, 20);
	hook = split_and_fill;
	hook_at = 11;
	stop_at = 90;
	struct follow_conf c = conf(); /* follows: the end is the count */
	assert_int_equal(run(&c, NULL), 0);
	check_all();
}

static void throttles_lose_nothing(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	grow_a_family();
	F.throttle = 2;
	F.list_fails = 2;
	to_the_end();
	check_all();
}

static void a_closed_shard_that_never_says_so(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	grow_a_family();
	F.never_ends = true;
	to_the_end();
	check_all();
}

static void an_end_that_the_list_denies_is_none(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 30);
	F.odd_end = 2;
	stop_at = 30;
	struct follow_conf c = conf();
	assert_int_equal(run(&c, NULL), 0);
	check_all();
	assert_int_equal(nends, 0);
}

static void records_that_come_again_are_not_handed_on_again(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	grow_a_family();
	F.repeat = 3;
	to_the_end();
	check_all();
}

static void end_comes_under_a_producer_that_never_stops(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 30);
	F.put_on_read = 1;
	int64_t began = clock_mono_ms();
	to_the_end();
	assert_true(nrecords >= 30);
	assert_true(clock_mono_ms() - began < 8000);
}

static void until_stops_at_the_first_record_from_then(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	int64_t t = clock_now_ms() - 5000;
	for (int i = 0; i < 10; i++) {
		fake_put_locked(&F, &F.v[0], "before", t - 1);
		fake_put_locked(&F, &F.v[1], "before", t - 1000);
	}
	fake_put_locked(&F, &F.v[0], "then", t);
	fake_put_locked(&F, &F.v[0], "late stamp", t - 1);
	fake_split(&F, 0);
	fake_fill(&F, 2, 5);
	struct follow_conf c = conf();
	c.until = (struct when){ .kind = WHEN_TIME, .us = t * 1000 };
	assert_int_equal(run(&c, NULL), 0);
	assert_int_equal(nrecords, 20);
	for (size_t i = 0; i < ngot; i++)
		assert_string_equal(got[i].data, "before");
	assert_int_equal(nends, 0);
}

static void since_a_time_and_since_latest(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
	int64_t t = clock_now_ms() - 5000;
	fake_put_locked(&F, &F.v[0], "before", t - 1);
	fake_put_locked(&F, &F.v[0], "then", t);
	fake_split(&F, 0);
	fake_put_locked(&F, &F.v[1], "child", t + 1);
	struct follow_conf c = conf();
	c.end_at_tip = true;
	c.since = (struct when){ .kind = WHEN_TIME, .us = t * 1000 };
	assert_int_equal(run(&c, NULL), 0);
	assert_int_equal(nrecords, 2);
	assert_string_equal(got[0].data, "then");
	setup(NULL);
	c.since.kind = WHEN_LATEST;
	assert_int_equal(run(&c, NULL), 0);
	assert_int_equal(ngot, 0);
}

static void a_failure_ends_the_run(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_stream_init(&F, 3);
	fake_fill(&F, 1, 5);
	F.fail = (struct err){ .cls = ERR_FAILED, .code = "AccessDeniedException", .msg = "no" };
	struct follow_conf c = conf();
	assert_int_equal(run(&c, &e), -1);
	assert_int_equal(e.cls, ERR_FAILED);
	assert_string_equal(e.code, "AccessDeniedException");
}

/* One shard of three is out for good; or the list is. */
static void an_outage_is_given_up_in_time(void **state)
{
	(void)state;
	for (int list = 0; list < 2; list++) {
		struct err e = { 0 };
		fake_stream_init(&F, 3);
		for (size_t i = 0; i < 3; i++)
			fake_fill(&F, i, 5);
		F.list_fails = list ? 1000000 : 0;
		if (!list)
			F.fail = (struct err){
				.cls = ERR_UNAVAILABLE, .code = "connect", .msg = "no network"
			};
		snprintf(F.broken_shard, sizeof F.broken_shard, "%s", F.v[1].s.id);
		ngot = nrecords = 0;
		struct follow_conf c = conf();
		c.end_at_tip = true;
		c.give_up_ms = 300;
		int64_t began = clock_mono_ms();
		assert_int_equal(run(&c, &e), -1);
		assert_int_equal(e.cls, ERR_UNAVAILABLE);
		assert_true(clock_mono_ms() - began >= 300);
		assert_int_equal(nrecords, list ? 0 : 10); /* the others were read */
		fake_stream_release(&F);
	}
	fake_stream_init(&F, 1);
}

static void a_reader_that_left_ends_the_run(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_stream_init(&F, 2);
	fake_fill(&F, 0, 50);
	fail_at = 7;
	struct follow_conf c = conf();
	assert_int_equal(run(&c, &e), -1);
	assert_int_equal(e.cls, ERR_PIPE);
	assert_int_equal(nrecords, 7);
}

static void count_ends_the_run_exactly(void **state)
{
	(void)state;
	fake_stream_init(&F, 4);
	for (size_t i = 0; i < 4; i++)
		fake_fill(&F, i, 100);
	stop_at = 123;
	struct follow_conf c = conf();
	assert_int_equal(run(&c, NULL), 0);
	assert_int_equal(nrecords, 123);
}

static void idle_is_told(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_stream_init(&F, 2);
	fake_fill(&F, 0, 5);
	struct follow_conf c = conf();
	c.idle_mark_ms = 20;
	ends_wanted = 3;
	assert_int_equal(run(&c, &e), -1);
	assert_int_equal(e.cls, ERR_PIPE);
	assert_int_equal(idles, 3);
	assert_int_equal(nends, 0);
	assert_int_equal(nrecords, 5);
}

static void take_a_nap(void)
{
	pause_ms(300);
}

static void a_blocked_output_holds_the_reading(void **state)
{
	(void)state;
	fake_stream_init(&F, 4);
	for (size_t i = 0; i < 4; i++)
		fake_fill(&F, i, 100);
	hook = take_a_nap;
	hook_at = 10;
	to_the_end();
	check_all();
}

static void a_lineage_of_many_paths_is_walked_once(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 5);
	fake_diamonds(&F, 40);
	fake_fill(&F, F.n - 1, 5);
	int64_t t0 = clock_mono_ms();
	to_the_end();
	check_all();
	assert_true(clock_mono_ms() - t0 < 5000);
}

int main(void)
{
#define T_(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T_(reads_every_shard_to_the_tip),
		T_(empty_stream_ends),
		T_(resharded_before_the_start),
		T_(expired_parents_are_tolerated),
		T_(resharded_while_running),
		T_(throttles_lose_nothing),
		T_(a_closed_shard_that_never_says_so),
		T_(an_end_that_the_list_denies_is_none),
		T_(records_that_come_again_are_not_handed_on_again),
		T_(end_comes_under_a_producer_that_never_stops),
		T_(until_stops_at_the_first_record_from_then),
		T_(since_a_time_and_since_latest),
		T_(a_failure_ends_the_run),
		T_(an_outage_is_given_up_in_time),
		T_(a_reader_that_left_ends_the_run),
		T_(count_ends_the_run_exactly),
		T_(idle_is_told),
		T_(a_blocked_output_holds_the_reading),
		T_(a_lineage_of_many_paths_is_walked_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
