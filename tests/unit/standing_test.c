/* standing_test.c - states of shards, lags and what is stuck, over an in-memory stream and table. */
#include "fake_flow.h"

#include "flow/owner.h"
#include "flow/standing.h"

#define S0 "shardId-000000000000"
#define S1 "shardId-000000000001"
#define S2 "shardId-000000000002"
#define OURS "far:77:aaaaaaaa-1-22:bbbbbbbb"
#define HOUR_MS (3600 * 1000)

static struct fake_stream F;
static struct fake_table T;

static int setup(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
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

static void row(size_t shard, const char *checkpoint, const char *owner)
{
	const struct position start = { .kind = POS_TRIM_HORIZON };
	struct err e;
	assert_int_equal(lease_create(&T.base, &F.v[shard].s, "arn:fake:clicks", 0, &start, &e), 0);
	fake_set(&T, F.v[shard].s.id, "checkpoint", av_s(checkpoint));
	if (owner)
		fake_set(&T, F.v[shard].s.id, "leaseOwner", av_s(owner));
}

static void look_for(struct standings *s, int64_t wait_ms)
{
	const struct standing_conf c = { .stream = &F.base,
		.group = &T.base,
		.failover_ms = 300,
		.stuck_ms = 60000,
		.wait_ms = wait_ms,
		.with_lag = true };
	struct err e = { 0 };
	if (standings_read(&c, s, &e))
		fail_msg("standings: %s", e.msg);
}

static const char *state_of(const struct standings *s, const char *id)
{
	const struct standing *h = standings_find(s, id);
	return h ? standing_word(h->state) : "none";
}

/* A shard with ten records, read up to the fifth, under all that its row may say. */
static void a_row_tells_its_state(void **state)
{
	(void)state;
	int64_t now = clock_now_ms();
	char dead[OWNER_MAX];
	owner_new(dead);
	*strrchr(dead, ':') = 0;
	snprintf(strrchr(dead, '-') + 1, 16, "1:gone"); /* this pid, but another start time: a dead process */
	const struct {
		const char *name, *checkpoint, *owner;
		int64_t renewed, committed, old_ms; /* old_ms: of the records */
		const char *state;
		bool stuck;
	} rows[] = {
		{ "nobody's, records wait", "99", NULL, 0, 0, 0, "unowned", true },
		{ "nobody's, at the tip", "104", NULL, now, now, 0, "unowned", false },
		{ "renewed just now", "99", OURS, now, now, 0, "reading", false },
		{ "renewed long ago", "99", OURS, now - 1000, now, 0, "expired", true },
		{ "renewed long ago, at the tip", "104", OURS, now - 1000, now, 0, "expired", false },
		{ "its process is gone", "99", dead, now, now, 0, "expired", true },
		{ "another program's", "99", "kcl-worker", 0, 0, 0, "reading", false },
		{ "taken by another program from us", "99", "kcl-worker", now - 1000, now - HOUR_MS, HOUR_MS,
			"reading", false },
		{ "renews, but commits no more", "99", OURS, now, now - HOUR_MS, HOUR_MS, "reading", true },
		{ "an old commit, but the records are new", "99", OURS, now, now - HOUR_MS, 0, "reading",
			false },
		{ "an old backlog, but a new commit", "99", OURS, now, now, HOUR_MS, "reading", false },
		{ "an old commit, nothing waits", "104", OURS, now, now - HOUR_MS, HOUR_MS, "reading",
			false },
		{ "ended", "SHARD_END", OURS, now - 1000, 0, 0, "ended", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct standings s;
		teardown(NULL);
		setup(NULL);
		for (int k = 0; k < 10; k++)
			fake_put_locked(&F, &F.v[0], "x", now - rows[i].old_ms - 1);
		row(0, rows[i].checkpoint, rows[i].owner);
		if (rows[i].renewed)
			fake_set(&T, S0, "renewalTimestamp", av_n(rows[i].renewed));
		if (rows[i].committed)
			fake_set(&T, S0, "checkpointTimestamp", av_n(rows[i].committed));
		look_for(&s, 0);
		if (strcmp(state_of(&s, S0), rows[i].state) != 0 || s.v[0].stuck != rows[i].stuck)
			fail_msg("%s: %s, %s", rows[i].name, state_of(&s, S0),
				s.v[0].stuck ? s.v[0].why : "not stuck");
		standings_free(&s);
	}
}

/* 0 split into 1 and 2, which were merged into 3; 4 stands alone. What the rows say, and what that makes of each. */
static void relatives_tell_the_state_of_a_shard_without_a_row(void **test)
{
	(void)test;
	static const struct {
		const char *name;
		const char *checkpoints[5]; /* NULL: no row */
		const char *states;         /* first letters */
		const char *stuck;          /* y or n, with a record in each shard */
	} rows[] = {
		{ "nothing begun", { 0 }, "nwwwn", "yyyyy" },
		{ "the first is read by somebody", { "TRIM_HORIZON" }, "rwwwn", "nnnny" },
		{ "rows of parents and children at once", { "TRIM_HORIZON", "TRIM_HORIZON", "TRIM_HORIZON" },
			"rwwwn", "nnnny" },
		{ "the first ended, no children yet", { "SHARD_END" }, "ennwn", "nyyyy" },
		{ "one child ended", { "SHARD_END", "SHARD_END", "TRIM_HORIZON" }, "eerwn", "nnnny" },
		{ "both ended", { "SHARD_END", "SHARD_END", "SHARD_END" }, "eeenn", "nnnyy" },
		{ "old rows cleaned up", { NULL, NULL, NULL, "TRIM_HORIZON", "TRIM_HORIZON" }, "sssrr",
			"nnnnn" },
		{ "begun in the middle", { NULL, "TRIM_HORIZON" }, "srnwn", "nnyyy" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct standings s;
		char states[6] = "", stuck[6] = "";
		teardown(NULL);
		setup(NULL);
		fake_split(&F, 0);
		fake_merge(&F, 1, 2);
		fake_add(&F, "", "");
		for (size_t k = 0; k < 5; k++) {
			fake_fill(&F, k, 1);
			if (rows[i].checkpoints[k])
				row(k, rows[i].checkpoints[k], "someone");
		}
		look_for(&s, 0);
		assert_int_equal(s.n, 5);
		for (size_t k = 0; k < 5; k++) {
			states[k] = standing_word(s.v[k].state)[0];
			stuck[k] = s.v[k].stuck ? 'y' : 'n';
		}
		if (strcmp(states, rows[i].states) != 0 || strcmp(stuck, rows[i].stuck) != 0)
			fail_msg("%s: %s %s, not %s %s", rows[i].name, states, stuck, rows[i].states,
				rows[i].stuck);
		standings_free(&s);
	}
}

static void a_child_of_a_parent_that_nobody_reads_is_stuck(void **state)
{
	(void)state;
	struct standings s;
	fake_split(&F, 0);
	fake_fill(&F, 1, 3);
	row(0, "90", NULL);
	row(1, "TRIM_HORIZON", "someone");
	look_for(&s, 0);
	assert_string_equal(state_of(&s, S1), "waiting");
	assert_false(standings_find(&s, S0)->stuck); /* has nothing left, but its end is not written */
	assert_true(standings_find(&s, S1)->stuck);
	assert_string_equal(standings_find(&s, S1)->why, "it waits for " S0 ", which nobody reads");
	standings_free(&s);
}

static void a_row_of_a_shard_that_expired_is_gone_and_holds_up_its_child(void **state)
{
	(void)state;
	struct standings s;
	fake_split(&F, 0);
	fake_fill(&F, 1, 1);
	row(0, "90", NULL);
	row(1, "TRIM_HORIZON", NULL);
	F.v[0].expired = true;
	look_for(&s, 0);
	assert_string_equal(state_of(&s, S0), "gone");
	assert_string_equal(state_of(&s, S1), "waiting");
	assert_true(standings_find(&s, S1)->stuck);
	assert_string_equal(state_of(&s, S2), "waiting");
	standings_free(&s);
}

static void counters_that_stand_still_or_move_decide(void **state)
{
	(void)state;
	struct standings s;
	fake_fill(&F, 0, 2);
	row(0, "TRIM_HORIZON", "kcl-worker");
	look_for(&s, 350);
	assert_string_equal(state_of(&s, S0), "expired");
	assert_true(s.v[0].stuck);
	standings_free(&s);
	look_for(&s, 100); /* too short to tell */
	assert_string_equal(state_of(&s, S0), "reading");
	standings_free(&s);
}

static void what_a_group_began_with_is_the_start_of_shards_without_a_row(void **state)
{
	(void)state;
	struct standings s;
	int64_t now = clock_now_ms();
	fake_add(&F, "", "");
	for (size_t i = 0; i < 2; i++) {
		fake_put_locked(&F, &F.v[i], "old", now - 10000);
		fake_put_locked(&F, &F.v[i], "new", now - 1000);
	}
	row(0, "AT_TIMESTAMP", NULL);
	fake_set(&T, S0, "initialTimestamp", av_n(now - 5000));
	look_for(&s, 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(s.v[i].lag.records, -1);
		assert_in_range(s.v[i].lag.ms, 1000, 3000);
	}
	standings_free(&s);
}

static void trouble_with_one_shard_leaves_its_lag_unknown(void **state)
{
	(void)state;
	struct standings s;
	fake_add(&F, "", "");
	fake_fill(&F, 0, 1);
	fake_fill(&F, 1, 1);
	err_set(&F.fail, ERR_UNAVAILABLE, "ProvisionedThroughputExceededException", "slow down");
	snprintf(F.broken_shard, sizeof F.broken_shard, S1);
	look_for(&s, 0);
	assert_true(s.v[0].lag.ms > 0 && s.v[0].lag_err.cls == ERR_NONE);
	assert_int_equal(s.v[1].lag.ms, -1);
	assert_int_equal(s.v[1].lag_err.cls, ERR_UNAVAILABLE);
	assert_false(s.v[1].stuck);
	standings_free(&s);
}

static void groups_that_are_not_there_or_another_streams(void **state)
{
	(void)state;
	struct standings s;
	struct standing_conf c = { .stream = &F.base, .group = &T.base, .failover_ms = 300 };
	struct err e = { 0 };
	T.missing = true;
	assert_int_equal(standings_read(&c, &s, &e), -1);
	assert_string_equal(e.code, "ResourceNotFoundException");
	assert_non_null(strstr(e.msg, "recagent setup --group recs"));
	T.missing = false;
	row(0, "5", NULL);
	fake_set(&T, S0, "streamARN", av_s("arn:fake:others"));
	err_clear(&e);
	assert_int_equal(standings_read(&c, &s, &e), -1);
	assert_int_equal(e.cls, ERR_USAGE);
	fake_set(&T, S0, "streamARN", av_s("arn:fake:clicks"));
	fake_set(&T, S0, "streamCreated", av_n(1000));
	F.created_s = 2000;
	assert_int_equal(standings_read(&c, &s, &e), 0);
	assert_true(s.anew);
	assert_string_equal(state_of(&s, S0), "new");
	standings_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_row_tells_its_state, setup, teardown),
		cmocka_unit_test_setup_teardown(
			relatives_tell_the_state_of_a_shard_without_a_row, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_child_of_a_parent_that_nobody_reads_is_stuck, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_row_of_a_shard_that_expired_is_gone_and_holds_up_its_child, setup, teardown),
		cmocka_unit_test_setup_teardown(counters_that_stand_still_or_move_decide, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_a_group_began_with_is_the_start_of_shards_without_a_row, setup, teardown),
		cmocka_unit_test_setup_teardown(
			trouble_with_one_shard_leaves_its_lag_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(
			groups_that_are_not_there_or_another_streams, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
