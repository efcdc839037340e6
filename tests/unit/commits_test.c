/* commits_test.c - positions of lines into leases: forward only, shard ends, outages, lost leases, giving up. */
#include "fake_flow.h"

#include "flow/commits.h"
#include "flow/leases.h"

#define S0 "shardId-000000000000"
#define S1 "shardId-000000000001"
#define S2 "shardId-000000000002"

static struct fake_table T;
static struct commits *C;
static uint64_t tenure;

static int open_fake(void *arg, const char *group, struct table **out, struct err *e)
{
	(void)arg, (void)e;
	assert_string_equal(group, "recs");
	*out = &T.base;
	return 0;
}

static void make(const char *id, const char *parent, const char *adjacent, const char *owner)
{
	struct shard s = { 0 };
	struct position p = { .kind = POS_TRIM_HORIZON };
	struct err e = { 0 };
	snprintf(s.id, sizeof s.id, "%s", id);
	snprintf(s.parent, sizeof s.parent, "%s", parent);
	snprintf(s.adjacent, sizeof s.adjacent, "%s", adjacent);
	assert_int_equal(lease_create(&T.base, &s, "arn", 0, &p, &e), 0);
	fake_set(&T, id, "leaseOwner", av_s(owner));
}

static int setup(void **state)
{
	(void)state;
	tenure = 0;
	fake_table_init(&T);
	make(S0, "", "", "w1");
	make(S1, "", "", "w1");
	C = commits_new_with(open_fake, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	commits_free(C);
	fake_table_release(&T);
	return 0;
}

static void note(const char *shard, const char *seq, const char *owner, const char *mark)
{
	struct source s = { .present = true,
		.group = (char *)"recs",
		.shard_id = (char *)shard,
		.sequence_number = (char *)seq,
		.owner = (char *)owner,
		.tenure = tenure,
		.mark = (char *)mark };
	commits_note(C, &s);
}

static int flush(enum err_class *cls)
{
	struct err e = { 0 };
	int rc = commits_flush(C, &e);
	if (cls)
		*cls = e.cls;
	return rc;
}

static void the_highest_position_is_written_once(void **state)
{
	(void)state;
	note(S0, "99", "w1", NULL);
	note(S0, "101", "w1", NULL);
	note(S0, "100", "w1", NULL);
	assert_int_equal(commits_uncommitted(C), 1);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "101");
	assert_string_equal(fake_attr(&T, S1, "checkpoint"), "TRIM_HORIZON");
	assert_string_equal(fake_attr(&T, S0, "leaseCounter"), "0");
	unsigned updates = T.updates;
	assert_int_equal(flush(NULL), 0);
	assert_int_equal(T.updates, updates);
	assert_int_equal(commits_uncommitted(C), 0);
}

static void lines_of_no_group_or_position_change_nothing(void **state)
{
	(void)state;
	static const struct source rows[] = {
		{ .present = false },
		{ .present = true, .shard_id = (char *)S0, .sequence_number = (char *)"5" },
		{ .present = true, .group = (char *)"recs", .mark = (char *)"end" },
		{ .present = true, .group = (char *)"recs", .shard_id = (char *)S0 },
		{ .present = true,
			.group = (char *)"recs",
			.shard_id = (char *)S0,
			.sequence_number = (char *)"SHARD_END" },
		{ .present = true,
			.group = (char *)"recs",
			.shard_id = (char *)S0,
			.sequence_number = (char *)"" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		commits_note(C, &rows[i]);
		if (flush(NULL) || commits_uncommitted(C) || T.updates)
			fail_msg("row %zu", i);
	}
}

static void a_shard_end_mark_ends_the_shard(void **state)
{
	(void)state;
	note(S0, "99", "w1", "shard-end");
	note(S0, "100", "w1", NULL); /* behind the end: nonsense, changes nothing */
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "SHARD_END");
}

static void the_first_line_of_a_child_ends_its_parents(void **state)
{
	(void)state;
	make(S2, S0, S1, "w1");
	note(S2, "200", "w1", NULL);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "SHARD_END");
	assert_string_equal(fake_attr(&T, S1, "checkpoint"), "SHARD_END");
	assert_string_equal(fake_attr(&T, S2, "checkpoint"), "200");
}

static void another_workers_parent_is_not_ended(void **state)
{
	(void)state;
	make(S2, S0, S1, "w1");
	fake_set(&T, S1, "leaseOwner", av_s("w2"));
	note(S2, "200", "w1", NULL);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "SHARD_END");
	assert_string_equal(fake_attr(&T, S1, "checkpoint"), "TRIM_HORIZON");
}

static void an_outage_is_kept_for_the_next_round(void **state)
{
	(void)state;
	enum err_class cls;
	note(S0, "5", "w1", NULL);
	note(S1, "6", "w1", NULL);
	T.down = 1;
	assert_int_equal(flush(&cls), -1);
	assert_int_equal(cls, ERR_UNAVAILABLE);
	assert_int_equal(commits_uncommitted(C), 2);
	assert_int_equal(flush(NULL), 0);
	assert_int_equal(commits_uncommitted(C), 0);
	T.lose_reply = true;
	note(S0, "7", "w1", NULL);
	assert_int_equal(flush(NULL), -1);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "7");
}

static void a_lost_lease_is_said_once_and_left(void **state)
{
	(void)state;
	enum err_class cls;
	fake_set(&T, S0, "leaseOwner", av_s("w2"));
	note(S0, "5", "w1", NULL);
	note(S1, "6", "w1", NULL);
	assert_int_equal(flush(&cls), -1);
	assert_int_equal(cls, ERR_LEASE_LOST);
	assert_int_equal(commits_lost(C), 1);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "TRIM_HORIZON");
	assert_string_equal(fake_attr(&T, S1, "checkpoint"), "6");
	note(S0, "8", "w1", NULL);
	assert_int_equal(flush(NULL), 0);
	assert_int_equal(commits_uncommitted(C), 0);
	/* The same shard's lines of its new owner do count. */
	note(S0, "9", "w2", NULL);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "9");
}

/* Who took it has come as far: what came through here is in good hands, and that is no failure. */
static void a_lost_shard_that_another_has_committed_is_settled(void **state)
{
	(void)state;
	struct err e = { 0 };
	note(S0, "5", "w1", NULL);
	fake_set(&T, S0, "leaseOwner", av_s("w2"));
	assert_int_equal(flush(NULL), -1);
	assert_int_equal(commits_lost(C), 1);
	note(S0, "6", "w1", NULL); /* more of what was on its way: said once */
	assert_int_equal(flush(NULL), 0);
	assert_int_equal(commits_lost(C), 1);
	assert_int_equal(commits_release(C, &e), 0);
	assert_int_equal(commits_lost(C), 1);
	assert_int_equal(lease_checkpoint(&T.base, S0, "w2", "7", 0, &e), 0);
	assert_int_equal(commits_release(C, &e), 0);
	assert_int_equal(commits_lost(C), 0);
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "w2");
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "7");
}

static void several_losses_are_one_message(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_set(&T, S0, "leaseOwner", av_s("w2"));
	fake_set(&T, S1, "leaseOwner", av_s("w2"));
	note(S0, "5", "w1", NULL);
	note(S1, "6", "w1", NULL);
	assert_int_equal(commits_flush(C, &e), -1);
	assert_non_null(strstr(e.msg, "2 shards"));
	assert_int_equal(flush(NULL), 0);
}

/* The same owner gets a shard back, from a position that was set back by hand meanwhile: what it handed on before does not
 * count any more, wherever it still is. */
static void lines_of_an_earlier_tenure_do_not_move_a_later_one(void **state)
{
	(void)state;
	enum err_class cls;
	note(S0, "90", "w1", NULL);
	fake_set(&T, S0, "leaseTenure", av_n(2));
	fake_set(&T, S0, "checkpoint", av_s("20"));
	assert_int_equal(flush(&cls), -1);
	assert_int_equal(cls, ERR_LEASE_LOST);
	note(S0, "95", "w1", NULL);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "20");
	tenure = 2;
	note(S0, "21", "w1", NULL);
	tenure = 0;
	note(S0, "96", "w1", NULL); /* does not come in this order, and would not count */
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "21");
	assert_int_equal(commits_lost(C), 0);
	tenure = 2;
	note(S0, "30", "w1", NULL);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "30");
}

static void begin_second_tenure(struct fake_table *t)
{
	(void)t;
	tenure = 2;
	note(S0, "21", "w1", NULL);
}

static void a_tenure_that_begins_during_a_write_is_not_taken_for_written(void **state)
{
	(void)state;
	note(S0, "90", "w1", NULL);
	T.before_update = begin_second_tenure;
	assert_int_equal(flush(NULL), 0);
	fake_set(&T, S0, "leaseTenure", av_n(2));
	fake_set(&T, S0, "checkpoint", av_s("20")); /* set back */
	assert_int_equal(commits_uncommitted(C), 1);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "21");
}

static void in_a_handoff_the_old_owner_commits_and_gives_way(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_set(&T, S0, "leaseOwner", av_s("w2"));
	fake_set(&T, S0, "checkpointOwner", av_s("w1"));
	note(S0, "5", "w1", NULL);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "5");
	assert_string_equal(fake_attr(&T, S0, "checkpointOwner"), "w1");
	assert_int_equal(commits_release(C, &e), 0);
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "w2");
	assert_string_equal(fake_attr(&T, S0, "checkpointOwner"), "");
}

static void in_a_handoff_the_next_owner_withdraws(void **state)
{
	(void)state;
	struct err e = { 0 };
	fake_set(&T, S0, "leaseOwner", av_s("w2"));
	fake_set(&T, S0, "checkpointOwner", av_s("w3"));
	fake_set(&T, S1, "leaseOwner", av_s("w2"));
	note(S1, "5", "w2", NULL); /* it is w2 that ends */
	assert_int_equal(commits_release(C, &e), 0);
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "w3");
	assert_string_equal(fake_attr(&T, S0, "checkpointOwner"), "");
	assert_string_equal(fake_attr(&T, S0, "leaseCounter"), "0");
}

static void release_gives_up_what_is_committed(void **state)
{
	(void)state;
	struct err e = { 0 };
	make(S2, "", "", "w2");
	note(S0, "5", "w1", NULL);
	assert_int_equal(commits_release(C, &e), 0);
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "");
	assert_string_equal(fake_attr(&T, S1, "leaseOwner"), ""); /* the same owner's, nothing came of it */
	assert_string_equal(fake_attr(&T, S2, "leaseOwner"), "w2");
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "5");
}

static void release_keeps_what_could_not_be_written(void **state)
{
	(void)state;
	struct err e = { 0 };
	note(S0, "5", "w1", NULL);
	T.down = -1;
	assert_int_equal(commits_release(C, &e), -1);
	assert_int_equal(e.cls, ERR_UNAVAILABLE);
	T.down = 1; /* back before the leases are given up */
	assert_int_equal(commits_release(C, &e), -1);
	assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "w1");
	assert_string_equal(fake_attr(&T, S1, "leaseOwner"), "");
	assert_int_equal(commits_release(C, &e), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "5");
}

static void *noter(void *arg)
{
	(void)arg;
	for (int i = 1; i <= 2000; i++) {
		char seq[32];
		snprintf(seq, sizeof seq, "%d", i);
		note(i % 2 ? S0 : S1, seq, "w1", NULL);
	}
	return NULL;
}

static void noting_and_writing_go_side_by_side(void **state)
{
	(void)state;
	pthread_t t;
	pthread_create(&t, NULL, noter, NULL);
	for (int i = 0; i < 200; i++)
		assert_int_equal(flush(NULL), 0);
	pthread_join(t, NULL);
	assert_int_equal(flush(NULL), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpoint"), "1999");
	assert_string_equal(fake_attr(&T, S1, "checkpoint"), "2000");
}

int main(void)
{
#define T_(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T_(the_highest_position_is_written_once),
		T_(lines_of_no_group_or_position_change_nothing),
		T_(a_shard_end_mark_ends_the_shard),
		T_(the_first_line_of_a_child_ends_its_parents),
		T_(another_workers_parent_is_not_ended),
		T_(an_outage_is_kept_for_the_next_round),
		T_(a_lost_lease_is_said_once_and_left),
		T_(a_lost_shard_that_another_has_committed_is_settled),
		T_(several_losses_are_one_message),
		T_(lines_of_an_earlier_tenure_do_not_move_a_later_one),
		T_(a_tenure_that_begins_during_a_write_is_not_taken_for_written),
		T_(in_a_handoff_the_old_owner_commits_and_gives_way),
		T_(in_a_handoff_the_next_owner_withdraws),
		T_(release_gives_up_what_is_committed),
		T_(release_keeps_what_could_not_be_written),
		T_(noting_and_writing_go_side_by_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
