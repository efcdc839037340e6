/* reposition_test.c - positions moved by hand: what may be asked for, resets that are interrupted, workers that come in between. */
#include "fake_flow.h"

#include "flow/reposition.h"

#define S0 "shardId-000000000000"
#define OURS "far:77:aaaaaaaa-1-22:bbbbbbbb"

static struct fake_stream F;
static struct fake_table T;
static struct standing_conf C;

static int setup(void **state)
{
	(void)state;
	fake_stream_init(&F, 1);
	fake_table_init(&T);
	C = (struct standing_conf){
		.stream = &F.base, .group = &T.base, .failover_ms = 200, .with_lag = true
	};
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

static void look(struct standings *s)
{
	struct err e = { 0 };
	if (standings_read(&C, s, &e))
		fail_msg("standings: %s", e.msg);
}

static void what_may_be_asked_for(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool one, ok;
		const char *checkpoint;
		unsigned sub;
		int64_t time_ms;
	} rows[] = {
		{ "trim-horizon", false, true, "TRIM_HORIZON", 0, 0 },
		{ "latest", false, true, "LATEST", 0, 5000 },
		{ "1970-01-01T00:00:04.678Z", false, true, "AT_TIMESTAMP", 0, 4678 },
		{ "1970-01-01T00:00:05Z", false, true, "AT_TIMESTAMP", 0, 5000 },
		{ "1970-01-01T00:00:05.001Z", false, false, "", 0, 0 },
		{ "2099-01-01T00:00:00Z", true, false, "", 0, 0 },
		{ "49590338271490256608559692538361571095921575989136588898", true, true,
			"49590338271490256608559692538361571095921575989136588898", 0, 0 },
		{ "123/7", true, true, "123", 7, 0 },
		{ "0", true, true, "0", 0, 0 },
		{ "end", true, true, "SHARD_END", 0, 0 },
		{ "end", false, false, "", 0, 0 },
		{ "123", false, false, "", 0, 0 },
		{ "007", true, false, "", 0, 0 },
		{ "123/", true, false, "", 0, 0 },
		{ "123/x", true, false, "", 0, 0 },
		{ "123/99999999999999999999", true, false, "", 0, 0 },
		{ "123x", true, false, "", 0, 0 },
		{ "", true, false, "", 0, 0 },
		{ "TRIM_HORIZON", true, false, "", 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct target to;
		struct err e = { 0 };
		bool ok = !target_parse(rows[i].text, rows[i].one, 5000, &to, &e);
		if (ok != rows[i].ok || (!ok && e.cls != ERR_USAGE))
			fail_msg("%s: %s", rows[i].text, ok ? "taken" : e.msg);
		if (ok && (strcmp(to.checkpoint, rows[i].checkpoint) != 0 || to.sub != rows[i].sub ||
				  to.time_ms != rows[i].time_ms))
			fail_msg("%s: %s/%d %" PRId64, rows[i].text, to.checkpoint, (int)to.sub, to.time_ms);
	}
}

/* 0 was split into 1 (open, from 96 on) and 2; 3 was never begun, 4 is its child. */
static void positions_that_are_not_a_shards_are_refused(void **test)
{
	(void)test;
	static const struct {
		const char *shard, *to, *says; /* NULL: taken */
	} rows[] = {
		{ S0, "end", NULL },
		{ S0, "95", NULL },
		{ S0, "trim-horizon", NULL },
		{ S0, "94", "is not of" },
		{ S0, "9", "is not of" },
		{ S0, "97", "is not of" },
		{ S0, "1000", "is not of" },
		{ "shardId-000000000001", "end", "is open" },
		{ "shardId-000000000001", "95", "is not of" },
		{ "shardId-000000000001", "1000", NULL },
		{ "shardId-000000000009", "latest", "no such shard" },
		{ "", "latest", "no such shard" },
		{ "shardId-000000000003", "trim-horizon", NULL },
		{ "shardId-000000000004", "latest", "set them first" },
	};
	struct standings s;
	fake_split(&F, 0);
	fake_add(&F, "", "");
	fake_split(&F, 3);
	look(&s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct target to;
		struct moves m = { 0 };
		struct err e = { 0 };
		if (i == 0) { /* nobody has a row: all is refused */
			assert_int_equal(target_parse("latest", true, 5000, &to, &e), 0);
			assert_int_equal(moves_one(&C, &s, S0, &to, &m, &e), -1);
			standings_free(&s);
			row(0, "TRIM_HORIZON", NULL);
			look(&s);
		}
		assert_int_equal(target_parse(rows[i].to, true, 5000, &to, &e), 0);
		bool ok = !moves_one(&C, &s, rows[i].shard, &to, &m, &e);
		if (ok != !rows[i].says || (!ok && !strstr(e.msg, rows[i].says)))
			fail_msg("%s to %s: %s", rows[i].shard, rows[i].to, ok ? "taken" : e.msg);
		free(m.v);
	}
	standings_free(&s);
}

/* Whatever was unread stays unread, however many of its writes a reset gets to do, and is all of it behind when it is done. */
static void an_interrupted_reset_skips_nothing(void **test)
{
	(void)test;
	static const char *const rows[][6] = {
		/* 0 split into 1 and 2, merged into 3, split into 4 and 5 */
		{ "TRIM_HORIZON" },
		{ "SHARD_END", "SHARD_END", "TRIM_HORIZON" },
		{ "SHARD_END", "SHARD_END", "SHARD_END", "SHARD_END", "TRIM_HORIZON", "TRIM_HORIZON" },
		{ "SHARD_END", "100", "100", "TRIM_HORIZON", "TRIM_HORIZON",
			"TRIM_HORIZON" }, /* as a KCL prepares */
		{ NULL, NULL, NULL, NULL, "TRIM_HORIZON", "TRIM_HORIZON" },
		{ NULL, NULL, NULL, "SHARD_END", "SHARD_END", "TRIM_HORIZON" },
		{ NULL },
	};
	for (size_t k = 0; k < ARRAY_LEN(rows) * 7; k++) {
		const char *const *r = rows[k / 7];
		size_t most = k % 7;
		struct standings s, after;
		struct moves m;
		struct target to;
		struct err e = { 0 };
		teardown(NULL);
		setup(NULL);
		fake_split(&F, 0);
		fake_merge(&F, 1, 2);
		fake_split(&F, 3);
		for (size_t i = 0; i < 6; i++) {
			fake_fill(&F, i, 2);
			if (r[i])
				row(i, r[i], NULL);
		}
		look(&s);
		assert_int_equal(target_parse("trim-horizon", false, 5000, &to, &e), 0);
		moves_all(&s, &to, &m);
		for (size_t i = 0; i < m.n && i < most; i++)
			if (move_make(&C, &s, &m.v[i], &to, false, &e))
				fail_msg("row %zu, move %zu: %s", k / 7, i, e.msg);
		look(&after);
		for (size_t i = 0; i < 6; i++)
			if ((s.v[i].lag.ms > 0 || most >= m.n) && after.v[i].lag.ms <= 0)
				fail_msg(
					"row %zu, after %zu moves: shard %zu is passed over", k / 7, most, i);
		if (most >= m.n)
			assert_int_equal(T.n, 1);
		free(m.v);
		standings_free(&s);
		standings_free(&after);
	}
}

static void a_reset_to_the_tip_leaves_the_open_shards(void **state)
{
	(void)state;
	struct standings s;
	struct moves m;
	struct target to;
	struct err e = { 0 };
	fake_split(&F, 0);
	for (size_t i = 0; i < 3; i++)
		fake_fill(&F, i, 2);
	row(0, "TRIM_HORIZON", NULL);
	look(&s);
	assert_int_equal(target_parse("latest", false, clock_now_ms() + 1, &to, &e), 0);
	moves_all(&s, &to, &m);
	for (size_t i = 0; i < m.n; i++)
		assert_int_equal(move_make(&C, &s, &m.v[i], &to, false, &e), 0);
	free(m.v);
	standings_free(&s);
	assert_int_equal(T.n, 2);
	assert_null(fake_item(&T, S0));
	assert_string_equal(fake_attr(&T, "shardId-000000000001", "checkpoint"), "LATEST");
	look(&s);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(s.v[i].lag.ms, 0);
	assert_string_equal(standing_word(s.v[0].state), "skipped");
	standings_free(&s);
}

/* ---- against workers ---- */

static void renews(struct fake_table *t)
{
	fake_set(t, S0, "leaseCounter", av_n(41));
}

static void commits(struct fake_table *t)
{
	fake_set(t, S0, "checkpoint", av_s("97"));
}

static void is_ours_already(struct fake_table *t)
{
	fake_set(t, S0, "leaseCounter", av_n(1));
	fake_set(t, S0, "checkpoint", av_s("95"));
	fake_set(t, S0, "leaseOwner", NULL);
	fake_set(t, S0, "checkpointOwner", NULL);
	fake_set(t, S0, "pendingCheckpoint", NULL);
}

static void goes(struct fake_table *t)
{
	struct err e;
	assert_int_equal(fake_delete(&t->base, S0, NULL, &e), 0);
}

static int set_to(const char *text, bool force, struct move *out, struct err *e)
{
	struct standings s;
	struct moves m;
	struct target to;
	look(&s);
	assert_int_equal(target_parse(text, true, 5000, &to, e), 0);
	assert_int_equal(moves_one(&C, &s, S0, &to, &m, e), 0);
	int rc = move_make(&C, &s, &m.v[0], &to, force, e);
	*out = m.v[0];
	free(m.v);
	standings_free(&s);
	return rc;
}

static void who_comes_in_between(void **test)
{
	(void)test;
	static const struct {
		const char *name;
		void (*event)(struct fake_table *t);
		bool force, lose_reply, ok;
		const char *from, *counter;
	} rows[] = {
		{ "nobody", NULL, false, false, true, "96", "1" },
		{ "nobody, but the answer is lost", NULL, false, true, false, "96", "1" },
		{ "our own write, sent twice", is_ours_already, false, false, true, "96", "1" },
		{ "a renewal", renews, false, false, false, "96", "41" },
		{ "a renewal, with force", renews, true, false, true, "96", "42" },
		{ "a commit", commits, false, false, true, "97", "1" },
		{ "the row goes", goes, true, false, false, "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct move m;
		struct err e = { 0 };
		teardown(NULL);
		setup(NULL);
		fake_fill(&F, 0, 5);
		row(0, "96", OURS);
		fake_set(&T, S0, "checkpointOwner", av_s("another"));
		fake_set(&T, S0, "pendingCheckpoint", av_s("98"));
		T.before_update = rows[i].event;
		T.lose_reply = rows[i].lose_reply;
		int rc = set_to("95", rows[i].force, &m, &e);
		if (rows[i].lose_reply) { /* what the client's own next attempt meets */
			assert_int_equal(e.cls, ERR_UNAVAILABLE);
			assert_string_equal(fake_attr(&T, S0, "checkpoint"), "95");
			continue;
		}
		if (!rc != rows[i].ok || strcmp(fake_attr(&T, S0, "leaseCounter"), rows[i].counter) != 0)
			fail_msg("%s: %s, counter %s", rows[i].name, rc ? e.msg : "done",
				fake_attr(&T, S0, "leaseCounter"));
		if (rc)
			assert_int_equal(e.cls, ERR_LEASE_LOST);
		if (rc)
			continue;
		assert_string_equal(m.was.checkpoint, rows[i].from);
		assert_string_equal(fake_attr(&T, S0, "checkpoint"), "95");
		assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "");
		assert_string_equal(fake_attr(&T, S0, "checkpointOwner"), "");
		assert_string_equal(fake_attr(&T, S0, "pendingCheckpoint"), "");
	}
}

static void lines_that_were_under_way_do_not_move_it_on(void **state)
{
	(void)state;
	struct move m;
	struct lease l;
	bool found;
	struct err e = { 0 };
	fake_fill(&F, 0, 9);
	row(0, "99", OURS);
	assert_int_equal(set_to("96", true, &m, &e), 0);
	assert_int_equal(lease_checkpoint(&T.base, S0, OURS, "101", 0, &e), -1);
	assert_int_equal(e.cls, ERR_LEASE_LOST);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "96");
	/* From the next taker on all is as ever. */
	assert_int_equal(lease_get(&T.base, S0, &l, &found, &e), 0);
	assert_int_equal(lease_take(&T.base, &l, "next", &e), 0);
	assert_int_equal(lease_checkpoint(&T.base, S0, OURS, "101", 0, &e), -1);
	assert_int_equal(lease_checkpoint(&T.base, S0, "next", "98", 0, &e), 0);
	assert_int_equal(lease_get(&T.base, S0, &l, &found, &e), 0);
	assert_false(l.moved);
	assert_int_equal(lease_release(&T.base, &l, &e), 0);
	assert_int_equal(lease_checkpoint(&T.base, S0, "next", "99", 0, &e), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "99");
}

static void a_worker_that_renews_is_left_alone(void **state)
{
	(void)state;
	struct standings s;
	struct moves m;
	struct target to;
	struct err e = { 0 };
	row(0, "95", OURS);
	fake_set(&T, S0, "renewalTimestamp", av_n(clock_now_ms()));
	look(&s);
	assert_int_equal(target_parse("latest", false, 5000, &to, &e), 0);
	moves_all(&s, &to, &m);
	assert_int_equal(moves_check_idle(&m, &e), -1);
	assert_int_equal(e.cls, ERR_LEASE_LOST);
	assert_non_null(strstr(e.msg, OURS));
	free(m.v);
	standings_free(&s);
	fake_set(&T, S0, "renewalTimestamp", av_n(clock_now_ms() - 1000));
	look(&s);
	moves_all(&s, &to, &m);
	assert_int_equal(moves_check_idle(&m, &e), 0);
	free(m.v);
	standings_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_be_asked_for),
		cmocka_unit_test_setup_teardown(positions_that_are_not_a_shards_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(an_interrupted_reset_skips_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reset_to_the_tip_leaves_the_open_shards, setup, teardown),
		cmocka_unit_test_setup_teardown(who_comes_in_between, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_that_were_under_way_do_not_move_it_on, setup, teardown),
		cmocka_unit_test_setup_teardown(a_worker_that_renews_is_left_alone, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
