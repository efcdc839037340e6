/* leases_test.c - lease rows: their layout, order of checkpoints, and each conditional write with a rival. */
#include "fake_flow.h"

#include "flow/leases.h"
#include "flow/owner.h"

#include <sys/wait.h>
#include <unistd.h>

#define S0 "shardId-000000000000"
#define S1 "shardId-000000000001"
#define ARN "arn:fake:clicks"

static struct fake_table T;

static int setup(void **state)
{
	(void)state;
	fake_table_init(&T);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_table_release(&T);
	return 0;
}

static void create(const char *id, const char *parent, const char *adjacent, struct position p)
{
	struct shard s = { .start_hash = "0", .end_hash = "340282366920938463463374607431768211455" };
	struct err e = { 0 };
	snprintf(s.id, sizeof s.id, "%s", id);
	snprintf(s.parent, sizeof s.parent, "%s", parent);
	snprintf(s.adjacent, sizeof s.adjacent, "%s", adjacent);
	assert_int_equal(lease_create(&T.base, &s, ARN, 0, &p, &e), 0);
}

static struct lease get(const char *id)
{
	struct lease l;
	struct err e = { 0 };
	bool found;
	assert_int_equal(lease_get(&T.base, id, &l, &found, &e), 0);
	assert_true(found);
	return l;
}

static void compare_orders_sentinels_and_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *name, *a, *b;
		uint64_t asub, bsub;
		int want;
	} rows[] = {
		{ "time before horizon", "AT_TIMESTAMP", "TRIM_HORIZON", 0, 0, -1 },
		{ "horizon before latest", "TRIM_HORIZON", "LATEST", 0, 0, -1 },
		{ "latest before numbers", "LATEST", "0", 0, 0, -1 },
		{ "length first", "99", "100", 0, 0, -1 },
		{ "then text", "101", "100", 0, 0, 1 },
		{ "56 digits", "49590338271490256608559692538361571095921575989136588898",
			"49590338271490256608559692538361571095921575989136588899", 0, 0, -1 },
		{ "same", "5", "5", 0, 0, 0 },
		{ "sub decides", "5", "5", 1, 2, -1 },
		{ "end is last", "SHARD_END", "99999999999999999999", 0, 0, 1 },
		{ "end is end", "SHARD_END", "SHARD_END", 0, 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int c = checkpoint_compare(rows[i].a, rows[i].asub, rows[i].b, rows[i].bsub);
		if (c != rows[i].want ||
			checkpoint_compare(rows[i].b, rows[i].bsub, rows[i].a, rows[i].asub) != -c)
			fail_msg("%s: %d", rows[i].name, c);
	}
}

static void a_row_has_the_layout_of_the_kcl(void **state)
{
	(void)state;
	create(S1, S0, "shardId-000000000009", (struct position){ .kind = POS_AT_TIME, .time_ms = 1234 });
	const cJSON *item = T.items[0];
	assert_string_equal(av_get_s(item, "leaseKey"), S1);
	assert_string_equal(av_get_n(item, "leaseCounter"), "0");
	assert_string_equal(av_get_s(item, "checkpoint"), "AT_TIMESTAMP");
	assert_string_equal(av_get_n(item, "checkpointSubSequenceNumber"), "0");
	assert_string_equal(av_get_n(item, "ownerSwitchesSinceCheckpoint"), "0");
	assert_string_equal(av_get_s(item, "startingHashKey"), "0");
	assert_string_equal(av_get_s(item, "endingHashKey"), "340282366920938463463374607431768211455");
	assert_string_equal(av_get_s(item, "streamARN"), ARN);
	assert_string_equal(av_get_n(item, "initialTimestamp"), "1234");
	assert_int_equal(cJSON_GetArraySize(av_get(item, "parentShardId", "SS")), 2);
	assert_null(cJSON_GetObjectItem(item, "leaseOwner"));
	struct lease l = get(S1);
	assert_string_equal(l.parents[0], S0);
	assert_string_equal(l.parents[1], "shardId-000000000009");
	/* A second create changes nothing and is no error. */
	create(S1, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	assert_string_equal(get(S1).checkpoint, "AT_TIMESTAMP");
}

static void a_root_has_no_parent_set(void **state)
{
	(void)state;
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	assert_null(cJSON_GetObjectItem(T.items[0], "parentShardId"));
	assert_null(cJSON_GetObjectItem(T.items[0], "initialTimestamp"));
}

static void positions_come_from_checkpoints(void **state)
{
	(void)state;
	static const struct {
		const char *name, *checkpoint;
		int64_t initial;
		enum position_kind want;
	} rows[] = {
		{ "horizon", "TRIM_HORIZON", 0, POS_TRIM_HORIZON },
		{ "number", "123", 77, POS_AFTER_SEQ },
		{ "latest, resolved", "LATEST", 77, POS_AT_TIME },
		{ "latest of another program", "LATEST", 0, POS_LATEST },
		{ "time, resolved", "AT_TIMESTAMP", 77, POS_AT_TIME },
		{ "time of another program", "AT_TIMESTAMP", 0, POS_TRIM_HORIZON },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease l = { .initial_ms = rows[i].initial };
		snprintf(l.checkpoint, sizeof l.checkpoint, "%s", rows[i].checkpoint);
		if (lease_position(&l).kind != rows[i].want)
			fail_msg("%s: %d", rows[i].name, (int)lease_position(&l).kind);
	}
}

static void scan_skips_other_entities_and_remembers_when(void **state)
{
	(void)state;
	struct leases a = { 0 }, b = { 0 };
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	create(S1, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	fake_set(&T, S1, "entityType", av_s("LEASE"));
	cJSON *other = cJSON_CreateObject();
	cJSON_AddItemToObject(other, "leaseKey", av_s("worker-1"));
	cJSON_AddItemToObject(other, "entityType", av_s("WORKER_METRIC_STATS"));
	T.items[T.n++] = other;
	assert_int_equal(leases_scan(&T.base, NULL, &a, &e), 0);
	assert_int_equal(a.n, 2);
	a.v[0].seen_ms -= 60000;
	a.v[1].seen_ms -= 60000;
	fake_set(&T, S1, "leaseCounter", av_n(1));
	assert_int_equal(leases_scan(&T.base, &a, &b, &e), 0);
	assert_true(leases_find(&b, S0)->seen_ms == leases_find(&a, S0)->seen_ms);
	assert_true(leases_find(&b, S1)->seen_ms > leases_find(&a, S1)->seen_ms);
	leases_free(&a);
	leases_free(&b);
}

static void a_scan_is_sorted_and_reads_all_that_a_row_has(void **state)
{
	(void)state;
	struct leases a = { 0 };
	struct err e = { 0 };
	create(S1, S0, "", (struct position){ .kind = POS_TRIM_HORIZON });
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	cJSON *ss = cJSON_CreateObject();
	cJSON *set = cJSON_AddArrayToObject(ss, "SS");
	cJSON_AddItemToArray(set, cJSON_CreateString(S1));
	cJSON_AddItemToArray(set, cJSON_CreateString("shardId-000000000002"));
	fake_set(&T, S0, "childShardIds", ss);
	fake_set(&T, S0, "checkpointOwner", av_s("old"));
	fake_set(&T, S0, "ownerSwitchesSinceCheckpoint", av_n(3));
	assert_int_equal(leases_scan(&T.base, NULL, &a, &e), 0);
	assert_string_equal(a.v[0].shard_id, S0);
	assert_string_equal(a.v[1].shard_id, S1);
	assert_ptr_equal(leases_find(&a, S1), &a.v[1]);
	assert_null(leases_find(&a, "shardId-000000000003"));
	assert_string_equal(a.v[1].parents[0], S0);
	assert_string_equal(a.v[0].children[0], S1);
	assert_string_equal(a.v[0].children[1], "shardId-000000000002");
	assert_string_equal(a.v[0].checkpoint_owner, "old");
	assert_int_equal(a.v[0].owner_switches, 3);
	assert_string_equal(a.v[0].start_hash, "0");
	leases_free(&a);
	/* Stamps of our own: each kind of write sets its own. */
	int64_t before = clock_now_ms();
	struct lease l = get(S1);
	assert_true(l.renewed_ms_epoch == 0 && l.checkpointed_ms_epoch == 0);
	assert_int_equal(lease_take(&T.base, &l, "w", &e), 0);
	assert_true(l.renewed_ms_epoch >= before && l.checkpointed_ms_epoch == 0);
	fake_set(&T, S1, "renewalTimestamp", av_n(1));
	assert_int_equal(lease_checkpoint(&T.base, S1, "w", "7", 0, &e), 0);
	assert_true(get(S1).renewed_ms_epoch == 1 && get(S1).checkpointed_ms_epoch >= before);
	assert_int_equal(lease_renew(&T.base, &l, &e), 0);
	assert_true(get(S1).renewed_ms_epoch >= before);
}

static void a_row_that_is_no_lease_is_an_error(void **state)
{
	(void)state;
	struct leases a = { 0 };
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	fake_set(&T, S0, "checkpoint", av_s("12x"));
	assert_int_equal(leases_scan(&T.base, NULL, &a, &e), -1);
	assert_int_equal(e.cls, ERR_FAILED);
	assert_null(a.v);
}

static void a_counter_that_can_not_go_on_is_refused(void **state)
{
	(void)state;
	static const char *const counters[] = { "9223372036854775807",
		"99999999999999999999999999999999999999", "x" };
	struct leases l = { 0 };
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		fake_set(&T, S0, "leaseCounter", i == 2 ? av_s("x") : av_n_text(counters[i]));
		assert_int_equal(leases_scan(&T.base, NULL, &l, &e), -1);
		if (!strstr(e.msg, S0 " has no usable leaseCounter"))
			fail_msg("%s: %s", counters[i], e.msg);
		leases_free(&l);
		err_clear(&e);
	}
}

static void expiry_is_by_our_own_clock(void **state)
{
	(void)state;
	struct lease l = { .seen_ms = 1000 };
	assert_true(lease_expired(&l, 1000, 10000)); /* nobody's */
	snprintf(l.owner, sizeof l.owner, "w");
	assert_false(lease_expired(&l, 11000, 10000));
	assert_true(lease_expired(&l, 11001, 10000));
}

static void take_needs_the_counter_and_sees_the_last_commit(void **state)
{
	(void)state;
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	struct lease l = get(S0), stale = l;
	assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
	assert_int_equal(l.counter, 1);
	assert_string_equal(l.owner, "a");
	assert_string_equal(fake_attr(&T, S0, "ownerSwitchesSinceCheckpoint"), "0");
	assert_int_equal(lease_take(&T.base, &stale, "b", &e), -1);
	assert_true(cond_failed(&e));
	/* a commit after the scan, before the take */
	l = get(S0);
	assert_int_equal(lease_checkpoint(&T.base, S0, "a", "500", 0, &e), 0);
	assert_string_equal(l.checkpoint, "TRIM_HORIZON");
	assert_int_equal(lease_take(&T.base, &l, "b", &e), 0);
	assert_string_equal(l.checkpoint, "500");
	assert_string_equal(fake_attr(&T, S0, "ownerSwitchesSinceCheckpoint"), "1");
}

static void a_lost_answer_of_our_own_is_success(void **state)
{
	(void)state;
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	struct lease l = get(S0);
	T.lose_reply = true;
	assert_int_equal(lease_take(&T.base, &l, "a", &e), -1);
	assert_int_equal(e.cls, ERR_UNAVAILABLE);
	assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
	assert_int_equal(l.counter, 1);
	T.lose_reply = true;
	assert_int_equal(lease_renew(&T.base, &l, &e), -1);
	assert_int_equal(l.counter, 1);
	assert_int_equal(lease_renew(&T.base, &l, &e), 0);
	assert_int_equal(l.counter, 2);
	assert_string_equal(fake_attr(&T, S0, "leaseCounter"), "2");
}

static void renew_fails_for_whoever_lost_it(void **state)
{
	(void)state;
	static const struct {
		const char *name, *attr, *value;
	} rows[] = {
		{ "another took it", "leaseOwner", "b" },
		{ "handed over by a leader", "checkpointOwner", "a" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		teardown(NULL);
		setup(NULL);
		create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
		struct lease l = get(S0);
		assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
		fake_set(&T, S0, rows[i].attr, av_s(rows[i].value));
		if (lease_renew(&T.base, &l, &e) != -1 || !cond_failed(&e))
			fail_msg("%s", rows[i].name);
	}
}

/* KCL 2 takes a lease in the midst of a handoff: one more in the counter, as our own write would be, and checkpointOwner as it
 * stands. */
static void what_kcl_takes_in_a_handoff_is_not_taken_for_our_own_write(void **state)
{
	(void)state;
	for (int handing = 0; handing < 2; handing++) {
		struct err e = { 0 };
		teardown(NULL);
		setup(NULL);
		create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
		struct lease l = get(S0);
		assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
		struct lease before = l;
		fake_set(&T, S0, "checkpointOwner", av_s("a"));
		fake_set(&T, S0, "leaseOwner", av_s("next"));
		if (handing)
			l = get(S0);
		fake_set(&T, S0, "leaseOwner", av_s("kcl"));
		fake_set(&T, S0, "leaseCounter", av_n(l.counter + 1));
		if (lease_renew(&T.base, &l, &e) != -1 || !cond_failed(&e))
			fail_msg("renewed, handing %d", handing);
		if (lease_take(&T.base, &before, "a", &e) != -1 || !cond_failed(&e))
			fail_msg("taken, handing %d", handing);
		assert_string_equal(fake_attr(&T, S0, "leaseOwner"), "kcl");
	}
	/* Ours, although a handoff has begun before we looked. */
	struct err e = { 0 };
	teardown(NULL);
	setup(NULL);
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	struct lease l = get(S0);
	assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
	clock_sleep_ms(3); /* renewals are seconds apart */
	T.lose_reply = true;
	assert_int_equal(lease_renew(&T.base, &l, &e), -1);
	fake_set(&T, S0, "checkpointOwner", av_s("a"));
	fake_set(&T, S0, "leaseOwner", av_s("next"));
	assert_int_equal(lease_renew(&T.base, &l, &e), 0);
	assert_string_equal(l.checkpoint_owner, "a");
}

static void release_gives_up_only_ones_own(void **state)
{
	(void)state;
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	struct lease l = get(S0);
	assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
	assert_int_equal(lease_release_owner(&T.base, S0, "b", &e), 0);
	assert_string_equal(get(S0).owner, "a");
	assert_int_equal(lease_release(&T.base, &l, &e), 0);
	assert_string_equal(get(S0).owner, "");
	assert_int_equal(get(S0).counter, 2);
}

static void checkpoints_go_forward_only_and_leave_the_counter(void **state)
{
	(void)state;
	static const struct {
		const char *name, *to;
		uint64_t sub;
		const char *then;
	} rows[] = {
		{ "first", "99", 0, "99" },
		{ "by length", "100", 0, "100" },
		{ "back", "99", 0, "100" },
		{ "sub", "100", 3, "100" },
		{ "sub back", "100", 2, "100" },
		{ "end", "SHARD_END", 0, "SHARD_END" },
		{ "over the end", "101", 0, "SHARD_END" },
	};
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_LATEST, .time_ms = 5 });
	struct lease l = get(S0);
	assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
	fake_set(&T, S0, "pendingCheckpoint", av_s("98"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = lease_checkpoint(&T.base, S0, "a", rows[i].to, rows[i].sub, &e);
		if (rc || strcmp(get(S0).checkpoint, rows[i].then) != 0)
			fail_msg("%s: %d %s", rows[i].name, rc, get(S0).checkpoint);
	}
	assert_int_equal(get(S0).counter, 1);
	assert_string_equal(fake_attr(&T, S0, "pendingCheckpoint"), "");
	assert_string_equal(fake_attr(&T, S0, "initialTimestamp"), "5");
}

static void only_the_owner_commits_or_whoever_had_an_orphan(void **state)
{
	(void)state;
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	/* A row that nobody has had yet is a new one: after a reset, or of a stream that was made anew. */
	assert_int_equal(lease_checkpoint(&T.base, S0, "gone", "10", 0, &e), -1);
	assert_int_equal(e.cls, ERR_LEASE_LOST);
	assert_string_equal(get(S0).checkpoint, "TRIM_HORIZON");
	fake_set(&T, S0, "leaseCounter", av_n(2));
	assert_int_equal(lease_checkpoint(&T.base, S0, "gone", "10", 0, &e), 0); /* nobody's */
	struct lease l = get(S0);
	assert_int_equal(lease_take(&T.base, &l, "b", &e), 0);
	assert_int_equal(lease_checkpoint(&T.base, S0, "gone", "11", 0, &e), -1);
	assert_int_equal(e.cls, ERR_LEASE_LOST);
	assert_string_equal(get(S0).checkpoint, "10");
	assert_int_equal(lease_checkpoint(&T.base, S0, NULL, "12", 0, &e), 0);
	assert_string_equal(get(S0).checkpoint, "12");
	assert_int_equal(lease_checkpoint(&T.base, S1, "b", "1", 0, &e), -1);
	assert_int_equal(e.cls, ERR_LEASE_LOST);
}

static void rival_takes(struct fake_table *t)
{
	fake_set(t, S0, "leaseOwner", av_s("rival"));
	fake_set(t, S0, "leaseCounter", av_n(50));
}

static void rival_commits(struct fake_table *t)
{
	fake_set(t, S0, "checkpoint", av_s("300"));
}

static void a_rival_between_read_and_write_is_noticed(void **state)
{
	(void)state;
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	struct lease l = get(S0);
	assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
	T.before_update = rival_commits;
	assert_int_equal(lease_checkpoint(&T.base, S0, "a", "200", 0, &e), 0);
	assert_string_equal(get(S0).checkpoint, "300"); /* not back to 200 */
	T.before_update = rival_takes;
	assert_int_equal(lease_checkpoint(&T.base, S0, "a", "400", 0, &e), -1);
	assert_int_equal(e.cls, ERR_LEASE_LOST);
	assert_string_equal(get(S0).checkpoint, "300");
}

static void a_worker_is_dead_only_when_that_is_certain(void **state)
{
	(void)state;
	char mine[OWNER_MAX], other[OWNER_MAX];
	int fds[2];
	owner_new(mine);
	assert_false(owner_dead(mine));
	assert_false(owner_dead("host:1234:uuid"));
	assert_false(owner_dead(""));
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		owner_new(other);
		_exit(write(fds[1], other, sizeof other) != (ssize_t)sizeof other);
	}
	assert_int_equal(read(fds[0], other, sizeof other), sizeof other);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	if (!strstr(other, ":-")) /* the system tells boot and namespace */
		assert_true(owner_dead(other));
	/* The same process of another boot: nothing is known. */
	char *boot = strchr(strchr(other, ':') + 1, ':') + 1;
	*boot = *boot == '0' ? '1' : '0';
	assert_false(owner_dead(other));
	assert_int_not_equal(strlen(mine), 0);
}

/* leaseOwner is the next owner, checkpointOwner the one who still works: the counter is left alone at the start, so that his
 * renewals go on, and raised at the end, so that one under way fails. */
static void a_handoff_goes_from_owner_to_owner(void **state)
{
	(void)state;
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	struct lease l = get(S0);
	assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
	struct lease stale = l, asked = l;
	assert_int_equal(lease_hand_start(&T.base, &asked, "b", &e), 0);
	assert_string_equal(asked.owner, "b");
	assert_string_equal(asked.checkpoint_owner, "a");
	assert_int_equal(asked.counter, l.counter);
	assert_int_equal(lease_hand_start(&T.base, &stale, "c", &e), -1); /* one at a time */
	assert_true(cond_failed(&e));
	/* The old owner learns of it by a renewal that fails, and renews as what he is now. */
	assert_int_equal(lease_renew(&T.base, &l, &e), -1);
	assert_true(cond_failed(&e));
	assert_string_equal(l.checkpoint_owner, "a");
	assert_int_equal(lease_renew(&T.base, &l, &e), 0);
	assert_int_equal(lease_checkpoint(&T.base, S0, "a", "77", 0, &e), 0);
	assert_int_equal(lease_hand_over(&T.base, &l, &e), 0);
	assert_int_equal(lease_renew(&T.base, &l, &e), -1);
	assert_int_equal(lease_checkpoint(&T.base, S0, "a", "78", 0, &e), -1);
	assert_int_equal(e.cls, ERR_LEASE_LOST);
	l = get(S0);
	assert_string_equal(l.owner, "b");
	assert_string_equal(l.checkpoint_owner, "");
	assert_string_equal(l.checkpoint, "77");
	/* Back again: as if it had not been. */
	int64_t counter = l.counter;
	assert_int_equal(lease_hand_start(&T.base, &l, "c", &e), 0);
	assert_int_equal(lease_hand_back(&T.base, &l, &e), 0);
	l = get(S0);
	assert_string_equal(l.owner, "b");
	assert_true(l.counter == counter && !l.checkpoint_owner[0]);
	assert_int_equal(lease_renew(&T.base, &l, &e), 0);
	/* By force. */
	assert_int_equal(lease_hand_start(&T.base, &l, "c", &e), 0);
	assert_int_equal(lease_take(&T.base, &l, "c", &e), 0);
	assert_string_equal(fake_attr(&T, S0, "checkpointOwner"), "");
}

static void a_handoff_whose_answer_is_lost_has_begun(void **state)
{
	(void)state;
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	struct lease l = get(S0);
	assert_int_equal(lease_take(&T.base, &l, "a", &e), 0);
	struct lease first = l;
	T.lose_reply = true;
	assert_int_equal(lease_hand_start(&T.base, &first, "b", &e), -1);
	assert_int_equal(lease_hand_start(&T.base, &l, "b", &e), 0);
	assert_string_equal(l.owner, "b");
}

static void a_tenure_commits_its_own_only(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		unsigned row;
		uint64_t line;
		bool ok;
	} rows[] = { { "the first", 1, 0, true }, { "the first by number", 1, 1, true },
		{ "first line, second lease", 2, 0, false }, { "second of both", 2, 2, true },
		{ "second line, third lease", 3, 2, false }, { "a line of the future", 2, 3, false } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
		struct lease l = get(S0);
		assert_int_equal(lease_take_again(&T.base, &l, "a", rows[i].row, &e), 0);
		int rc = lease_checkpoint_of(&T.base, S0, "a", rows[i].line, "50", 0, &e);
		if ((rc == 0) != rows[i].ok || (rc && e.cls != ERR_LEASE_LOST))
			fail_msg("%s: %d", rows[i].name, rc);
		if (lease_checkpoint(&T.base, S0, "a", "60", 0, &e))
			fail_msg("%s: any tenure", rows[i].name);
		l = get(S0);
		assert_int_equal(lease_take(&T.base, &l, "b", &e), 0); /* another's is a first one again */
		assert_string_equal(fake_attr(&T, S0, LEASE_TENURE), "");
		assert_int_equal(lease_delete(&T.base, &l, &e), 0);
	}
}

static void owners_of_this_program_are_told_by_their_names(void **state)
{
	(void)state;
	char id[OWNER_MAX];
	owner_new(id);
	assert_true(owner_gentle(id));
	static const char *const others[] = { "", "w1", "host:12", "host:12:x-1-2", "host:12:x-1-2:abc",
		"host:pid:x-1-2:abcdef01", "host:12:x-1-2:abcdefgh", "host:12:x-1-2:abcdef012",
		"ip-10-0-0-1:8d1c0f9e-1111-4222-8333-abcdefabcdef" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (owner_gentle(others[i]))
			fail_msg("%s", others[i]);
}

static void rows_of_several_streams_are_refused(void **state)
{
	(void)state;
	struct leases a = { 0 };
	struct err e = { 0 };
	create("123456789012:clicks:1700000000:" S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	assert_int_equal(leases_scan(&T.base, NULL, &a, &e), -1);
	assert_int_equal(e.cls, ERR_FAILED);
	assert_non_null(strstr(e.msg, "several streams"));
}

static void a_free_row_that_was_never_seen_is_very_old(void **state)
{
	(void)state;
	struct leases a = { 0 }, b = { 0 };
	struct err e = { 0 };
	create(S0, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	create(S1, "", "", (struct position){ .kind = POS_TRIM_HORIZON });
	fake_set(&T, S1, "leaseOwner", av_s("w"));
	assert_int_equal(leases_scan(&T.base, NULL, &a, &e), 0);
	assert_true(a.v[0].seen_ms == LEASE_NEVER_SEEN && a.v[1].seen_ms > 0);
	fake_set(&T, S1, "leaseOwner", NULL); /* freed: seen just now */
	fake_set(&T, S1, "leaseCounter", av_n(1));
	assert_int_equal(leases_scan(&T.base, &a, &b, &e), 0);
	assert_true(b.v[0].seen_ms == LEASE_NEVER_SEEN && b.v[1].seen_ms > 0);
	leases_free(&a);
	leases_free(&b);
}

int main(void)
{
#define T_(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T_(compare_orders_sentinels_and_numbers),
		T_(a_row_has_the_layout_of_the_kcl),
		T_(a_root_has_no_parent_set),
		T_(positions_come_from_checkpoints),
		T_(scan_skips_other_entities_and_remembers_when),
		T_(a_scan_is_sorted_and_reads_all_that_a_row_has),
		T_(a_row_that_is_no_lease_is_an_error),
		T_(a_counter_that_can_not_go_on_is_refused),
		T_(expiry_is_by_our_own_clock),
		T_(take_needs_the_counter_and_sees_the_last_commit),
		T_(a_lost_answer_of_our_own_is_success),
		T_(what_kcl_takes_in_a_handoff_is_not_taken_for_our_own_write),
		T_(renew_fails_for_whoever_lost_it),
		T_(release_gives_up_only_ones_own),
		T_(checkpoints_go_forward_only_and_leave_the_counter),
		T_(only_the_owner_commits_or_whoever_had_an_orphan),
		T_(a_rival_between_read_and_write_is_noticed),
		T_(a_worker_is_dead_only_when_that_is_certain),
		T_(a_handoff_goes_from_owner_to_owner),
		T_(a_handoff_whose_answer_is_lost_has_begun),
		T_(a_tenure_commits_its_own_only),
		T_(owners_of_this_program_are_told_by_their_names),
		T_(rows_of_several_streams_are_refused),
		T_(a_free_row_that_was_never_seen_is_very_old),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
