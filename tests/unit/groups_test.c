/* groups_test.c - following a stream as a group's worker: leases, positions, losing them, giving them up. */
#include "fake_flow.h"

#include "flow/owner.h"
#include "flow/shards.h"

#include <time.h>

#define S0 "shardId-000000000000"
#define S1 "shardId-000000000001"
#define S2 "shardId-000000000002"
#define S3 "shardId-000000000003"
#define MAX_GOT 5000

static struct fake_stream F;
static struct fake_table T;

struct got {
	char shard[SHARD_ID_MAX], data[64];
	bool end;
};
static struct got got[MAX_GOT];
static size_t ngot, stop_at, commit_first, hook_at, idles, stop_idles;
static void (*hook)(void), (*idle_hook)(void);
static const char *owner;

static void pause_ms(int ms)
{
	nanosleep(&(const struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 },
		NULL);
}

static void fresh(void)
{
	ngot = stop_at = hook_at = idles = stop_idles = 0;
	commit_first = SIZE_MAX;
	hook = idle_hook = NULL;
	owner = "w1";
}

static int setup(void **state)
{
	(void)state;
	fresh();
	fake_table_init(&T);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stream_release(&F);
	fake_table_release(&T);
	return 0;
}

/* The output and the ack behind it in one: the first commit_first lines are committed at once. */
static int on_record(const char *shard_id, const struct record *r, void *arg, struct err *e)
{
	struct err mine = { 0 };
	(void)arg, (void)e;
	assert_true(ngot < MAX_GOT);
	struct got *g = &got[ngot++];
	*g = (struct got){ 0 };
	snprintf(g->shard, sizeof g->shard, "%s", shard_id);
	snprintf(g->data, sizeof g->data, "%.*s", (int)r->len, r->data);
	if (ngot <= commit_first)
		(void)lease_checkpoint(&T.base, shard_id, owner, r->sequence_number, 0, &mine);
	if (hook && ngot == hook_at)
		hook();
	return stop_at && ngot == stop_at;
}

static int on_shard_end(const char *shard_id, void *arg, struct err *e)
{
	struct err mine = { 0 };
	(void)arg, (void)e;
	got[ngot] = (struct got){ .end = true };
	snprintf(got[ngot++].shard, SHARD_ID_MAX, "%s", shard_id);
	if (ngot <= commit_first)
		(void)lease_checkpoint(&T.base, shard_id, owner, CP_SHARD_END, 0, &mine);
	return 0;
}

static int on_idle(void *arg, struct err *e)
{
	(void)arg;
	if (++idles == 20 && idle_hook)
		idle_hook();
	return stop_idles && idles >= stop_idles ? err_set(e, ERR_PIPE, "", "enough") : 0;
}

static struct follow_conf conf(void)
{
	return (struct follow_conf){ .stream = &F.base,
		.group = &T.base,
		.owner = owner,
		.end_at_tip = true,
		.poll_ms = 5,
		.threads = 3,
		.idle_mark_ms = 20,
		.backoff_ms = 5,
		.failover_ms = 400,
		.grace_ms = 300,
		.on_record = on_record,
		.on_shard_end = on_shard_end,
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
	if (!rc)
		follow_drain(f);
	follow_close(f);
	return rc;
}

static void run_ok(void)
{
	struct follow_conf c = conf();
	assert_int_equal(run(&c, NULL), 0);
}

/* Lines of a shard in this run: its records [from, to). */
static void check(size_t shard, size_t from, size_t to)
{
	size_t k = from;
	for (size_t i = 0; i < ngot; i++) {
		if (strcmp(got[i].shard, F.v[shard].s.id) != 0 || got[i].end)
			continue;
		if (k >= to || strcmp(got[i].data, F.v[shard].v[k].data) != 0)
			fail_msg("shard %zu: %s instead of record %zu", shard, got[i].data, k);
		k++;
	}
	if (k != to)
		fail_msg("shard %zu: up to %zu instead of %zu", shard, k, to);
}

static void a_first_start_makes_takes_and_releases_leases(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	fake_fill(&F, 0, 10);
	fake_fill(&F, 1, 10);
	run_ok();
	assert_int_equal(ngot, 20);
	assert_int_equal(T.n, 2);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), F.v[0].v[9].seq);
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "");
	assert_string_equal(fake_attr(&T, S0, "streamARN"), "arn:fake:clicks");
	/* and a second run has nothing to do, a third only what is new */
	fresh();
	run_ok();
	assert_int_equal(ngot, 0);
	fake_fill(&F, 1, 3);
	fresh();
	run_ok();
	check(0, 10, 10);
	check(1, 10, 13);
}

static void what_was_not_committed_comes_again_and_no_more(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 50);
	commit_first = 20;
	stop_at = 33;
	run_ok();
	check(0, 0, 33);
	/* Not given up, since not fully committed: the next worker waits until it has run out. */
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "w1");
	fresh();
	owner = "w2";
	int64_t began = clock_mono_ms();
	run_ok();
	check(0, 20, 50);
	assert_true(clock_mono_ms() - began >= 400);
}

static void a_dead_process_of_this_machine_is_not_waited_for(void **state)
{
	(void)state;
	char id[OWNER_MAX], dead[OWNER_MAX];
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 5);
	owner_new(id);
	char *rest = strchr(strchr(id, ':') + 1, ':');
	snprintf(dead, sizeof dead, "host:4194304%s", rest); /* above the kernel's highest pid */
	if (!owner_dead(dead))
		return; /* a system that can't tell */
	run_ok();
	fake_set(&T, S0, "leaseOwner", av_s(dead));
	fake_fill(&F, 0, 5);
	fresh();
	struct follow_conf c = conf();
	c.failover_ms = 60000;
	int64_t began = clock_mono_ms();
	assert_int_equal(run(&c, NULL), 0);
	check(0, 5, 10);
	assert_true(clock_mono_ms() - began < 10000);
}

static void grow_a_family(void)
{
	fake_fill(&F, 0, 10);
	fake_fill(&F, 1, 10);
	fake_split(&F, 0); /* 2, 3 */
	fake_fill(&F, 2, 7);
	fake_fill(&F, 3, 8);
	fake_merge(&F, 3, 1); /* 4 */
	fake_fill(&F, 4, 9);
}

static void check_family(void)
{
	static const size_t n[] = { 10, 10, 7, 8, 9 };
	static const bool ended[] = { true, true, false, true, false };
	for (size_t i = 0; i < 5; i++) {
		check(i, 0, n[i]);
		bool end = !strcmp(fake_attr(&T, F.v[i].s.id, "checkpoint"), CP_SHARD_END);
		if (end != ended[i])
			fail_msg("shard %zu: checkpoint %s", i, fake_attr(&T, F.v[i].s.id, "checkpoint"));
	}
	assert_int_equal(ngot, 44 + 3);
}

static void a_family_is_read_parents_first_with_rows_for_all(void **state)
{
	for (int never = 0; never < 2; never++) { /* also where closed shards do not say so */
		fake_stream_init(&F, 2);
		F.never_ends = never;
		grow_a_family();
		run_ok();
		check_family();
		cJSON **row = fake_item(&T, F.v[4].s.id);
		assert_int_equal(cJSON_GetArraySize(av_get(*row, "parentShardId", "SS")), 2);
		if (!never)
			teardown(state), setup(state);
	}
}

/* Before the first commit of the parent's end nothing of the family below is known to the table: a crash there reads on. */
static void a_crash_before_the_end_is_committed_loses_nothing(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 10);
	fake_split(&F, 0);
	fake_fill(&F, 1, 5);
	fake_fill(&F, 2, 5);
	commit_first = 10; /* all of the parent, but not its end */
	run_ok();
	check(1, 0, 5);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), F.v[0].v[9].seq);
	fresh();
	owner = "w2";
	run_ok();
	check(0, 10, 10);
	check(1, 0, 5);
	check(2, 0, 5);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), CP_SHARD_END);
}

static void rows_cleaned_up_long_ago_are_not_read_again(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	grow_a_family();
	run_ok();
	for (size_t i = 0; i < T.n;) { /* as the KCL cleans: ended leases whose children have begun */
		if (strcmp(av_get_s(T.items[i], "checkpoint"), CP_SHARD_END) != 0) {
			i++;
			continue;
		}
		cJSON_Delete(T.items[i]);
		T.items[i] = T.items[--T.n];
	}
	fresh();
	run_ok();
	assert_int_equal(ngot, 0);
	assert_int_equal(T.n, 2);
}

static void latest_means_the_same_at_a_later_run(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	fake_put_locked(&F, &F.v[0], "old", clock_now_ms() - 5000);
	struct follow_conf c = conf();
	c.since.kind = WHEN_LATEST;
	assert_int_equal(run(&c, NULL), 0);
	assert_int_equal(ngot, 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "LATEST");
	pause_ms(5);
	fake_put_locked(&F, &F.v[0], "while nobody ran", 0);
	fake_split(&F, 1); /* which had nothing since then */
	fake_put_locked(&F, &F.v[2], "child", 0);
	fresh();
	run_ok();
	check(0, 1, 2);
	check(2, 0, 1);
}

static void a_start_that_was_cut_short_goes_on_from_the_same_time(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_stream_init(&F, 2);
	int64_t t = clock_now_ms() - 5000;
	struct position p = { .kind = POS_LATEST, .time_ms = t };
	assert_int_equal(lease_create(&T.base, &F.v[0].s, "arn:fake:clicks", 0, &p, &e), 0);
	fake_put_locked(&F, &F.v[1], "before", t - 1);
	fake_put_locked(&F, &F.v[1], "since", t);
	struct follow_conf c = conf();
	c.since.kind = WHEN_LATEST;
	assert_int_equal(run(&c, NULL), 0);
	check(1, 1, 2);
}

static void rival(void)
{
	fake_set(&T, S0, "leaseOwner", av_s("rival"));
	fake_set(&T, S0, "leaseCounter", av_n(1000));
}

static void more(void)
{
	fake_fill(&F, 0, 10);
	fake_fill(&F, 1, 10);
}

static void a_lost_shard_is_left_and_the_others_go_on(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_stream_init(&F, 2);
	fake_fill(&F, 0, 10);
	fake_fill(&F, 1, 10);
	hook = rival;
	hook_at = 20;
	idle_hook = more;
	stop_idles = 60;
	struct follow_conf c = conf();
	c.end_at_tip = false;
	assert_int_equal(run(&c, &e), -1);
	assert_int_equal(e.cls, ERR_PIPE); /* it went on until told */
	check(0, 0, 10);
	check(1, 0, 20);
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "rival");
	assert_string_equal(fake_attr(&T, S1, "leaseOwner"), "");
}

static void rival_in_time(void)
{
	rival();
	pause_ms(300); /* a renewal is due meanwhile */
}

/* A run with an end must not look done: another worker does over what was not committed. */
static void a_run_with_an_end_says_what_it_lost(void **state)
{
	for (int i = 0; i < 3; i++) {
		static void (*const hooks[])(void) = { rival_in_time, rival_in_time, rival };
		bool committed = i == 1;
		struct err e = { 0 };
		fake_stream_init(&F, 1);
		fake_fill(&F, 0, 10);
		hook = hooks[i]; /* the last one is not noticed by the renewals */
		hook_at = 5;
		commit_first = committed ? SIZE_MAX : 3; /* committed before the rival comes */
		struct follow_conf c = conf();
		assert_int_equal(run(&c, &e), committed ? 0 : -1);
		assert_int_equal(e.cls, committed ? ERR_NONE : ERR_LEASE_LOST);
		assert_int_equal(ngot, i == 2 ? 10 : 5);
		assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "rival");
		if (i < 2)
			teardown(state), setup(state);
	}
}

/* What KCL 2 does to a row in a handoff: it raises the counter, and leaves checkpointOwner as it is. */
static void taken_in_a_handoff(void)
{
	fake_set(&T, S0, "leaseOwner", av_s("w2"));
	fake_set(&T, S0, "checkpointOwner", av_s("w1"));
	pause_ms(300); /* the handoff is noticed, but not all is committed */
	fake_set(&T, S0, "leaseOwner", av_s("kcl"));
	fake_set(&T, S0, "leaseCounter", av_n(1000));
	pause_ms(300);
}

static void a_lease_taken_in_a_handoff_is_lost_and_left_alone(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 10);
	hook = taken_in_a_handoff;
	hook_at = 5;
	commit_first = 3;
	stop_idles = 60;
	struct follow_conf c = conf();
	c.end_at_tip = false;
	assert_int_equal(run(&c, &e), -1);
	assert_int_equal(e.cls, ERR_PIPE);
	assert_int_equal(ngot, 5);
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "kcl");
	assert_string_equal(fake_attr(&T, S0, "leaseCounter"), "1000");
	assert_string_equal(fake_attr(&T, S0, "checkpointOwner"), "");
}

static void one_without_an_end_gets_it_back(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 10);
	hook = rival_in_time; /* who then dies */
	hook_at = 7;
	commit_first = 3;
	stop_at = 14; /* 7 of the first tenure, then all but what was committed */
	struct follow_conf c = conf();
	c.end_at_tip = false;
	assert_int_equal(run(&c, &e), 0);
	for (size_t i = 0; i < 7; i++) {
		assert_string_equal(got[i].data, F.v[0].v[i].data);
		assert_string_equal(got[7 + i].data, F.v[0].v[3 + i].data);
	}
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "w1"); /* not committed, so not given up */
}

static void nap(void)
{
	pause_ms(1000);
}

static void a_blocked_pipe_keeps_its_leases(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	fake_fill(&F, 0, 20);
	fake_fill(&F, 1, 20);
	hook = nap;
	hook_at = 10;
	run_ok();
	check(0, 0, 20);
	check(1, 0, 20);
	assert_true(atoi(fake_attr(&T, S0, "leaseCounter")) >= 7); /* take, about 6 renewals, release */
}

static void table_away(void)
{
	pthread_mutex_lock(&T.mu);
	T.down = 30;
	pthread_mutex_unlock(&T.mu);
	commit_first = 0; /* nor does ack get through */
}

static void an_outage_of_the_table_is_survived(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 200);
	hook = table_away;
	hook_at = 20;
	stop_at = 200;
	struct follow_conf c = conf();
	c.end_at_tip = false;
	F.throttle = 3; /* long enough for the lease to run out on the way */
	c.backoff_ms = 30;
	assert_int_equal(run(&c, NULL), 0);
	check(0, 0, 200);
}

static void drain_waits_for_the_commit(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 10);
	commit_first = 0;
	struct follow_conf c = conf();
	struct follow *f = follow_open(&c, &e);
	assert_int_equal(follow_run(f, &e), 0);
	int64_t began = clock_mono_ms();
	follow_drain(f);
	assert_true(clock_mono_ms() - began >= 300); /* --grace, for nobody commits */
	assert_int_equal(lease_checkpoint(&T.base, S0, "w1", F.v[0].v[9].seq, 0, &e), 0);
	began = clock_mono_ms();
	follow_drain(f);
	assert_true(clock_mono_ms() - began < 100);
	follow_close(f);
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "");
}

static void another_streams_group_and_a_missing_one_are_refused(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_stream_init(&F, 1);
	run_ok();
	snprintf(F.base.name, sizeof F.base.name, "other");
	struct follow_conf c = conf();
	assert_int_equal(run(&c, &e), -1);
	assert_int_equal(e.cls, ERR_USAGE);
	assert_non_null(strstr(e.msg, "arn:fake:clicks"));
	T.missing = true;
	assert_int_equal(run(&c, &e), -1);
	assert_non_null(strstr(e.msg, "recagent setup --group recs"));
}

static void positions_of_a_deleted_stream_are_dropped(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	F.created_s = 1000;
	fake_fill(&F, 0, 10);
	run_ok();
	check(0, 0, 10);
	fake_stream_release(&F);
	fake_stream_init(&F, 1); /* made anew under the same name, with fewer shards */
	F.created_s = 2000;
	fake_fill(&F, 0, 5);
	fresh();
	run_ok();
	check(0, 0, 5);
	assert_int_equal(T.n, 1);
	fresh();
	run_ok();
	assert_int_equal(ngot, 0);
}

static void a_lineage_of_many_paths_is_walked_once(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
	fake_diamonds(&F, 40);
	fake_fill(&F, F.n - 1, 3);
	/* Only the last has a row: every other asks all its descendants. */
	struct err e = { 0 };
	const struct position start = { .kind = POS_TRIM_HORIZON };
	assert_int_equal(
		lease_create(&T.base, &F.v[F.n - 1].s, "arn:fake:clicks", F.created_s, &start, &e), 0);
	int64_t t0 = clock_mono_ms();
	run_ok();
	assert_true(clock_mono_ms() - t0 < 5000);
	assert_int_equal(T.n, 1);
	check(F.n - 1, 0, 3);
}

/* ---- a row that goes while another worker has it ---- */

static unsigned lists_when_set_back;

static void remove_row(const char *key)
{
	pthread_mutex_lock(&T.mu);
	cJSON **p = fake_item(&T, key);
	assert_non_null(p);
	cJSON_Delete(*p);
	*p = T.items[--T.n];
	pthread_mutex_unlock(&T.mu);
}

/* S0, which had ended, is set back and taken by somebody; after a pass its row and its shard go, and S1 is free again. */
static int on_idle_and_rows_go(void *arg, struct err *e)
{
	(void)arg;
	if (!lists_when_set_back) {
		rival();
		fake_set(&T, S0, "checkpoint", av_s(CP_TRIM_HORIZON));
		lists_when_set_back = F.lists;
	} else if (F.lists > lists_when_set_back && !F.v[0].expired) {
		F.v[0].expired = true;
		remove_row(S0);
		fake_set(&T, S1, "leaseOwner", NULL);
		fake_set(&T, S1, "leaseCounter", av_n(1000));
	}
	return ++idles > 200 ? err_set(e, ERR_PIPE, "", "the run does not end") : 0;
}

static void a_row_that_goes_does_not_keep_a_run_from_ending(void **state)
{
	(void)state;
	fake_stream_init(&F, 2);
	fake_fill(&F, 1, 10);
	run_ok();
	fake_set(&T, S0, "checkpoint", av_s(CP_SHARD_END));
	fake_set(&T, S1, "leaseOwner", av_s("other"));
	lists_when_set_back = 0;
	struct follow_conf c = conf();
	c.failover_ms = 900;
	c.on_idle = on_idle_and_rows_go;
	assert_int_equal(run(&c, NULL), 0);
	assert_true(F.v[0].expired);
	assert_string_equal(fake_attr(&T, S1, "leaseOwner"), "");
}

int main(void)
{
#define T_(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T_(a_first_start_makes_takes_and_releases_leases),
		T_(what_was_not_committed_comes_again_and_no_more),
		T_(a_dead_process_of_this_machine_is_not_waited_for),
		T_(a_family_is_read_parents_first_with_rows_for_all),
		T_(a_crash_before_the_end_is_committed_loses_nothing),
		T_(rows_cleaned_up_long_ago_are_not_read_again),
		T_(latest_means_the_same_at_a_later_run),
		T_(a_start_that_was_cut_short_goes_on_from_the_same_time),
		T_(a_lost_shard_is_left_and_the_others_go_on),
		T_(a_run_with_an_end_says_what_it_lost),
		T_(a_lease_taken_in_a_handoff_is_lost_and_left_alone),
		T_(one_without_an_end_gets_it_back),
		T_(a_blocked_pipe_keeps_its_leases),
		T_(an_outage_of_the_table_is_survived),
		T_(drain_waits_for_the_commit),
		T_(another_streams_group_and_a_missing_one_are_refused),
		T_(positions_of_a_deleted_stream_are_dropped),
		T_(a_lineage_of_many_paths_is_walked_once),
		T_(a_row_that_goes_does_not_keep_a_run_from_ending),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
