/* workers_test.c - several workers of one group at once, over one table: asked for, handed over, taken by force, given back; the
 * rows that they make, name and clean up. */
#define FAKE_SHARDS 4096
#include "fake_flow.h"

#include "flow/shards.h"

#include <stdatomic.h>
#include <time.h>

#define S0 "shardId-000000000000"
#define S1 "shardId-000000000001"
#define S2 "shardId-000000000002"
#define A "here:1:x-0-1:aaaaaaaa" /* as owner.h makes them: one that hands over when asked */
#define B "here:2:x-0-2:bbbbbbbb"
#define FAILOVER 600

static struct fake_stream F;
static struct fake_table T;

#define SHARDS 8 /* of those that are read */

struct worker {
	const char *owner;
	pthread_t thread;
	struct follow *f;
	atomic_bool stop, hold; /* hold: what comes is not committed */
	atomic_bool done;
	atomic_uint n, tenures;
	atomic_uint shard[SHARDS]; /* lines of each */
	atomic_uint tenure[SHARDS];
	size_t max;
	struct err e;
	int rc;
};

static void pause_ms(int ms)
{
	nanosleep(&(const struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 },
		NULL);
}

static int setup(void **state)
{
	(void)state;
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

static size_t number(const char *shard_id)
{
	size_t n = (size_t)strtoul(shard_id + strlen("shardId-"), NULL, 10);
	assert_true(n < SHARDS);
	return n;
}

static void commit(struct worker *w, const char *shard_id, const char *at)
{
	struct err e = { 0 };
	if (!atomic_load(&w->hold))
		(void)lease_checkpoint_of(
			&T.base, shard_id, w->owner, atomic_load(&w->tenure[number(shard_id)]), at, 0, &e);
}

static int on_record(const char *shard_id, const struct record *r, void *arg, struct err *e)
{
	struct worker *w = arg;
	(void)e;
	atomic_fetch_add(&w->shard[number(shard_id)], 1);
	atomic_fetch_add(&w->n, 1);
	commit(w, shard_id, r->sequence_number);
	return 0;
}

static int on_shard_end(const char *shard_id, void *arg, struct err *e)
{
	(void)e;
	commit(arg, shard_id, CP_SHARD_END);
	return 0;
}

static void on_tenure(const char *shard_id, unsigned n, void *arg)
{
	struct worker *w = arg;
	assert_true(n > 1);
	atomic_store(&w->tenure[number(shard_id)], n);
	atomic_fetch_add(&w->tenures, 1);
}

static int on_idle(void *arg, struct err *e)
{
	struct worker *w = arg;
	return atomic_load(&w->stop) ? err_set(e, ERR_PIPE, "", "enough") : 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	w->rc = follow_run(w->f, &w->e);
	follow_close(w->f);
	atomic_store(&w->done, true);
	return NULL;
}

static struct follow_conf conf(struct worker *w)
{
	return (struct follow_conf){ .stream = &F.base,
		.group = &T.base,
		.owner = w->owner,
		.poll_ms = 5,
		.threads = 2,
		.idle_mark_ms = 10,
		.backoff_ms = 5,
		.failover_ms = FAILOVER,
		.grace_ms = 300,
		.max_shards = w->max,
		.on_record = on_record,
		.on_shard_end = on_shard_end,
		.on_tenure = on_tenure,
		.on_idle = on_idle,
		.arg = w };
}

static void begin(struct worker *w)
{
	struct err e = { 0 };
	struct follow_conf c = conf(w);
	w->f = follow_open(&c, &e);
	assert_non_null(w->f);
	assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

static void end(struct worker *w)
{
	atomic_store(&w->stop, true);
	pthread_join(w->thread, NULL);
	assert_int_equal(w->rc, -1);
	assert_int_equal(w->e.cls, ERR_PIPE);
}

/* Read once, to its tip; w is as new behind it. */
static void run_to_tip(struct worker *w, struct when since)
{
	struct err e = { 0 };
	struct follow_conf c = conf(w);
	c.end_at_tip = true;
	c.since = since;
	struct follow *f = follow_open(&c, &e);
	if (follow_run(f, &e))
		fail_msg("%s", e.msg);
	follow_drain(f);
	follow_close(f);
}

static char *attr(const char *key, const char *name)
{
	static char text[256];
	pthread_mutex_lock(&T.mu);
	snprintf(text, sizeof text, "%s", fake_attr(&T, key, name));
	pthread_mutex_unlock(&T.mu);
	return text;
}

static unsigned held(const char *owner)
{
	unsigned n = 0;
	for (size_t i = 0; i < F.n; i++)
		n += !strcmp(attr(F.v[i].s.id, "leaseOwner"), owner) &&
		     !attr(F.v[i].s.id, "checkpointOwner")[0];
	return n;
}

#define WAIT(what)                                                                                           \
	do {                                                                                                 \
		for (int waited = 0; !(what); waited++) {                                                    \
			if (waited == 3000)                                                                  \
				fail_msg("never: %s", #what);                                                \
			pause_ms(5);                                                                         \
		}                                                                                            \
	} while (0)

/* ---- handing over ---- */

static void a_share_is_handed_over_without_a_line_twice(void **state)
{
	(void)state;
	struct worker a = { .owner = A }, b = { .owner = B };
	fake_stream_init(&F, 4);
	for (size_t i = 0; i < 4; i++)
		fake_fill(&F, i, 20);
	begin(&a);
	WAIT(atomic_load(&a.n) == 80);
	begin(&b);
	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < 4; i++)
			fake_fill(&F, i, 2);
		pause_ms(10);
	}
	WAIT(held(B) == 2);
	for (size_t i = 0; i < 4; i++)
		fake_fill(&F, i, 5);
	WAIT(atomic_load(&a.n) + atomic_load(&b.n) == 4 * 105);
	/* and back again, when the second one ends */
	end(&b);
	WAIT(held(A) == 4);
	for (size_t i = 0; i < 4; i++)
		fake_fill(&F, i, 1);
	WAIT(atomic_load(&a.n) + atomic_load(&b.n) == 4 * 106);
	assert_int_equal(atomic_load(&a.tenures), 2);
	WAIT(!strcmp(attr(S0, "checkpoint"), F.v[0].v[105].seq));
	end(&a);
	assert_int_equal(held(""), 4);
}

static void what_is_not_committed_is_not_handed_over_but_taken_in_the_end(void **state)
{
	(void)state;
	struct worker a = { .owner = A }, b = { .owner = B };
	fake_stream_init(&F, 2);
	fake_fill(&F, 0, 10);
	fake_fill(&F, 1, 10);
	begin(&a);
	WAIT(atomic_load(&a.n) == 20);
	atomic_store(&a.hold, true);
	fake_fill(&F, 0, 10);
	fake_fill(&F, 1, 10);
	WAIT(atomic_load(&a.n) == 40);
	int64_t t0 = clock_mono_ms();
	begin(&b);
	WAIT(!strcmp(attr(S0, "checkpointOwner"), A) || !strcmp(attr(S1, "checkpointOwner"), A));
	size_t moved = !strcmp(attr(S0, "checkpointOwner"), A) ? 0 : 1;
	int counter = atoi(attr(F.v[moved].s.id, "leaseCounter"));
	WAIT(atoi(attr(F.v[moved].s.id, "leaseCounter")) > counter); /* the old owner knows of it */
	fake_fill(&F, moved, 5); /* for the next one: nothing more of it is handed on here */
	WAIT(held(B) == 1);
	assert_true(clock_mono_ms() - t0 >= 3 * FAILOVER);
	WAIT(atomic_load(&b.n) == 15); /* from the last commit on */
	assert_int_equal(atomic_load(&a.shard[moved]), 20);
	end(&b);
	end(&a);
}

static void a_handoff_that_is_withdrawn_changes_nothing(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 10);
	begin(&a);
	WAIT(atomic_load(&a.n) == 10);
	atomic_store(&a.hold, true);
	fake_fill(&F, 0, 1);
	WAIT(atomic_load(&a.n) == 11);
	pthread_mutex_lock(&T.mu);
	cJSON *row = *fake_item(&T, S0);
	cJSON_ReplaceItemInObject(row, "leaseOwner", av_s(B));
	cJSON_AddItemToObject(row, "checkpointOwner", av_s(A));
	pthread_mutex_unlock(&T.mu);
	pause_ms(FAILOVER);
	fake_fill(&F, 0, 5);
	pause_ms(100);
	assert_int_equal(atomic_load(&a.n), 11); /* it holds still */
	pthread_mutex_lock(&T.mu);
	row = *fake_item(&T, S0);
	cJSON_ReplaceItemInObject(row, "leaseOwner", av_s(A));
	cJSON_DeleteItemFromObject(row, "checkpointOwner");
	pthread_mutex_unlock(&T.mu);
	WAIT(atomic_load(&a.n) == 16);
	assert_int_equal(atomic_load(&a.tenures), 0);
	end(&a);
}

static atomic_bool rival_stop;

static void *renew_as_kcl(void *arg)
{
	(void)arg;
	while (!atomic_load(&rival_stop)) {
		pthread_mutex_lock(&T.mu);
		for (size_t i = 0; i < T.n; i++) {
			int64_t n = 0;
			const char *who = av_get_s(T.items[i], "leaseOwner");
			if (!who || strcmp(who, "kcl-worker") != 0)
				continue;
			av_get_int(T.items[i], "leaseCounter", &n);
			cJSON_ReplaceItemInObject(T.items[i], "leaseCounter", av_n(n + 1));
		}
		pthread_mutex_unlock(&T.mu);
		pause_ms(50);
	}
	return NULL;
}

static void a_worker_of_another_program_is_stolen_from_one_by_one(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	struct err e = { 0 };
	struct position p = { .kind = POS_TRIM_HORIZON };
	pthread_t t;
	fake_stream_init(&F, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(lease_create(&T.base, &F.v[i].s, "", 0, &p, &e), 0);
		fake_set(&T, F.v[i].s.id, "leaseOwner", av_s("kcl-worker"));
	}
	atomic_store(&rival_stop, false);
	pthread_create(&t, NULL, renew_as_kcl, NULL);
	int64_t t0 = clock_mono_ms();
	begin(&a);
	WAIT(held(A) == 3);
	/* At once, and then two more at the KCL's pace. */
	assert_true(clock_mono_ms() - t0 >= 2 * 2 * (FAILOVER + 25));
	pause_ms(3 * FAILOVER);
	assert_int_equal(held(A), 3);
	assert_int_equal(held("kcl-worker"), 3);
	for (size_t i = 0; i < 6; i++)
		if (!strcmp(attr(F.v[i].s.id, "leaseOwner"), A))
			assert_string_equal(attr(F.v[i].s.id, "ownerSwitchesSinceCheckpoint"), "1");
	end(&a);
	atomic_store(&rival_stop, true);
	pthread_join(t, NULL);
}

static void the_limit_of_shards_holds(void **state)
{
	(void)state;
	struct worker a = { .owner = A, .max = 1 }, b = { .owner = B };
	fake_stream_init(&F, 4);
	begin(&a);
	WAIT(held(A) == 1);
	pause_ms(100);
	assert_int_equal(held(A), 1);
	begin(&b);
	WAIT(held(B) == 3);
	end(&a);
	end(&b);
}

/* ---- the end ---- */

static atomic_bool silent;
static atomic_uint asked;

static int read_that_fails_late(
	struct stream *s, struct cursor *c, size_t limit, struct records *out, struct err *e)
{
	(void)s, (void)c, (void)limit, (void)out;
	atomic_fetch_add(&asked, 1);
	while (atomic_load(&silent))
		pause_ms(5);
	return err_set(e, ERR_UNAVAILABLE, "timeout", "no answer by the test");
}

static void a_shard_that_is_lost_during_a_read_that_fails_does_not_keep_a_run_from_its_end(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	struct err e = { 0 };
	pthread_t t;
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 10);
	struct stream_ops ops = *F.base.ops;
	ops.read = read_that_fails_late;
	F.base.ops = &ops;
	atomic_store(&silent, true);
	atomic_store(&asked, 0);
	struct follow_conf c = conf(&a);
	c.end_at_tip = true;
	a.f = follow_open(&c, &e);
	pthread_create(&a.thread, NULL, work, &a);
	WAIT(atomic_load(&asked) == 1);
	fake_set(&T, S0, "leaseOwner", av_s("kcl-worker"));
	atomic_store(&rival_stop, false);
	pthread_create(&t, NULL, renew_as_kcl, NULL);
	pause_ms(2 * FAILOVER); /* a renewal has told */
	atomic_store(&silent, false);
	WAIT(atomic_load(&a.done));
	pthread_join(a.thread, NULL);
	assert_int_equal(atomic_load(&asked), 1);
	assert_int_equal(a.rc, 0); /* nothing was handed on */
	atomic_store(&rival_stop, true);
	pthread_join(t, NULL);
}

static int count_of_three(const char *shard_id, const struct record *r, void *arg, struct err *e)
{
	struct worker *w = arg;
	(void)shard_id, (void)r, (void)e;
	return atomic_fetch_add(&w->n, 1) + 1 == 3;
}

static void a_count_that_is_reached_ends_the_run_at_once(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	struct err e = { 0 };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 10);
	struct follow_conf c = conf(&a);
	c.group = NULL;
	c.idle_mark_ms = 60000;
	c.on_record = count_of_three;
	struct follow *f = follow_open(&c, &e);
	int64_t t0 = clock_mono_ms();
	assert_int_equal(follow_run(f, &e), 0);
	assert_in_range(clock_mono_ms() - t0, 0, 5000);
	assert_int_equal(atomic_load(&a.n), 3);
	follow_close(f);
}

/* ---- rows ---- */

static void the_children_of_what_has_ended_are_named(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	fake_stream_init(&F, 2);
	fake_fill(&F, 0, 3);
	fake_split(&F, 0);    /* 2, 3 */
	fake_merge(&F, 3, 1); /* 4 */
	run_to_tip(&a, (struct when){ 0 });
	const cJSON *c = av_get(*fake_item(&T, S0), "childShardIds", "SS");
	assert_int_equal(cJSON_GetArraySize(c), 2);
	assert_string_equal(cJSON_GetArrayItem(c, 0)->valuestring, S2);
	c = av_get(*fake_item(&T, S1), "childShardIds", "SS");
	assert_int_equal(cJSON_GetArraySize(c), 1);
	assert_string_equal(cJSON_GetArrayItem(c, 0)->valuestring, F.v[4].s.id);
	assert_null(av_get(*fake_item(&T, S2), "childShardIds", "SS"));
}

static void age_rows(int64_t ms)
{
	for (size_t i = 0; i < T.n; i++)
		fake_set(&T, av_get_s(T.items[i], "leaseKey"), "checkpointTimestamp",
			av_n(clock_now_ms() - ms));
}

static bool has_row(size_t shard)
{
	return fake_item(&T, F.v[shard].s.id) != NULL;
}

static void rows_that_nobody_needs_go_parents_first(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 3);
	fake_split(&F, 0); /* 1, 2 */
	fake_fill(&F, 1, 3);
	fake_split(&F, 1); /* 3, 4 */
	fake_fill(&F, 3, 3);
	fake_fill(&F, 4, 3);
	run_to_tip(&a, (struct when){ 0 });
	assert_int_equal(T.n, 5);
	age_rows(10 * 60 * 1000);
	run_to_tip(&a, (struct when){ 0 });
	assert_true(has_row(0)); /* its child 2 has not begun: nothing came of it */
	fake_fill(&F, 2, 1);
	run_to_tip(&a, (struct when){ 0 }); /* commits 2, after the cleaning at its start */
	age_rows(60 * 1000);
	run_to_tip(&a, (struct when){ 0 });
	assert_true(has_row(0)); /* too fresh */
	age_rows(10 * 60 * 1000);
	run_to_tip(&a, (struct when){ 0 });
	assert_false(has_row(0));
	assert_true(has_row(1)); /* had a parent */
	run_to_tip(&a, (struct when){ 0 });
	assert_false(has_row(1));
	assert_true(has_row(2) && has_row(3) && has_row(4));
	unsigned n = atomic_load(&a.n);
	run_to_tip(&a, (struct when){ 0 });
	assert_int_equal(atomic_load(&a.n), n); /* what has no row any more is not read again */
	assert_int_equal(T.n, 3);
}

static void rows_of_shards_that_are_gone_go_later(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 3);
	fake_split(&F, 0); /* 1, 2: nothing comes of them */
	run_to_tip(&a, (struct when){ 0 });
	F.v[0].expired = true;
	age_rows(10 * 60 * 1000);
	run_to_tip(&a, (struct when){ 0 });
	assert_true(has_row(0));
	age_rows(60 * 60 * 1000);
	run_to_tip(&a, (struct when){ 0 });
	assert_false(has_row(0));
	assert_true(has_row(1) && has_row(2));
}

/* An empty table would be a new group. */
static void the_last_row_stays(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 3);
	run_to_tip(&a, (struct when){ 0 });
	fake_set(&T, S0, "checkpoint", av_s(CP_SHARD_END));
	fake_end(&F, 0);
	F.v[0].expired = true; /* and what followed is not in the list yet */
	age_rows(60 * 60 * 1000);
	run_to_tip(&a, (struct when){ 0 });
	assert_true(has_row(0));
}

/* Nobody has read it, so it is read from its first record, whatever is asked for of a new group. */
static void a_shard_whose_ancestors_are_unknown_is_read_whole(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 3);
	run_to_tip(&a, (struct when){ 0 });
	fake_add(&F, "shardId-000000000099", "");
	fake_fill(&F, 1, 4);
	pause_ms(5);
	run_to_tip(&a, (struct when){ .kind = WHEN_LATEST });
	assert_int_equal(atomic_load(&a.n), 3 + 4);
	assert_string_equal(attr(S1, "checkpoint"), F.v[1].v[3].seq);
}

static void a_row_that_was_set_back_is_read_again(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 10);
	begin(&a);
	WAIT(!strcmp(attr(S0, "checkpoint"), F.v[0].v[9].seq));
	pthread_mutex_lock(&T.mu); /* as `positions set --force` does it */
	cJSON *row = *fake_item(&T, S0);
	int64_t n = 0;
	av_get_int(row, "leaseCounter", &n);
	cJSON_ReplaceItemInObject(row, "leaseCounter", av_n(n + 1));
	cJSON_ReplaceItemInObject(row, "checkpoint", av_s(F.v[0].v[3].seq));
	cJSON_DeleteItemFromObject(row, "leaseOwner");
	cJSON_AddItemToObject(row, LEASE_MOVED, av_n(1));
	pthread_mutex_unlock(&T.mu);
	WAIT(atomic_load(&a.n) == 16);
	assert_int_equal(atomic_load(&a.tenure[0]), 2);
	assert_string_equal(attr(S0, LEASE_TENURE), "2");
	assert_string_equal(attr(S0, LEASE_MOVED), "");
	WAIT(!strcmp(attr(S0, "checkpoint"), F.v[0].v[9].seq));
	end(&a);
}

/* It has been begun before, by whomever: lines of children that are under way must not end it again (commits.c). */
static void a_row_that_was_set_back_is_never_had_for_the_first_time(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	struct position start = { .kind = POS_TRIM_HORIZON };
	struct err e = { 0 };
	fake_stream_init(&F, 1);
	fake_fill(&F, 0, 10);
	assert_int_equal(lease_create(&T.base, &F.v[0].s, "arn:fake:clicks", 0, &start, &e), 0);
	fake_set(&T, S0, LEASE_MOVED, av_n(1));
	begin(&a);
	WAIT(!strcmp(attr(S0, "checkpoint"), F.v[0].v[9].seq));
	assert_int_equal(atomic_load(&a.tenure[0]), 2);
	assert_string_equal(attr(S0, LEASE_TENURE), "2");
	assert_string_equal(attr(S0, LEASE_MOVED), "");
	end(&a);
}

/* ---- many ---- */

/* Lists, leases and lineage of thousands of shards are gone through every few seconds. */
static void thousands_of_shards_cost_little(void **state)
{
	(void)state;
	struct worker a = { .owner = A };
	struct err e = { 0 };
	fake_stream_init(&F, 1);
	size_t most = getenv("SANITIZER") ? 512 : FAKE_SHARDS; /* there for races, not for speed */
	while (F.n + 2 < most)
		fake_split(&F, F.n / 2 - (F.n > 1));
	const struct position p = { .kind = POS_TRIM_HORIZON };
	for (size_t i = 0; i < F.n; i++) { /* all of them another's */
		if (F.v[i].s.end_seq[0])
			continue;
		assert_int_equal(lease_create(&T.base, &F.v[i].s, "", 0, &p, &e), 0);
		fake_set(&T, F.v[i].s.id, "leaseOwner", av_s("kcl-worker"));
	}
	struct follow_conf c = conf(&a);
	c.end_at_tip = true;
	c.failover_ms = 100;
	pthread_t t;
	atomic_store(&rival_stop, false);
	pthread_create(&t, NULL, renew_as_kcl, NULL);
	struct follow *f = follow_open(&c, &e);
	clock_t t0 = clock(); /* of the processor: others may want it, too */
	assert_int_equal(follow_run(f, &e), 0);
	long ms = (long)((clock() - t0) * 1000 / CLOCKS_PER_SEC);
	follow_close(f);
	atomic_store(&rival_stop, true);
	pthread_join(t, NULL);
	print_message("# %zu shards, %zu rows, %u passes: %ld ms\n", F.n, T.n, F.lists, ms);
	assert_true(ms < 500);
}

int main(void)
{
#define T_(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T_(a_share_is_handed_over_without_a_line_twice),
		T_(what_is_not_committed_is_not_handed_over_but_taken_in_the_end),
		T_(a_handoff_that_is_withdrawn_changes_nothing),
		T_(a_worker_of_another_program_is_stolen_from_one_by_one),
		T_(the_limit_of_shards_holds),
		T_(a_shard_that_is_lost_during_a_read_that_fails_does_not_keep_a_run_from_its_end),
		T_(a_count_that_is_reached_ends_the_run_at_once),
		T_(the_children_of_what_has_ended_are_named),
		T_(rows_that_nobody_needs_go_parents_first),
		T_(rows_of_shards_that_are_gone_go_later),
		T_(the_last_row_stays),
		T_(a_shard_whose_ancestors_are_unknown_is_read_whole),
		T_(a_row_that_was_set_back_is_never_had_for_the_first_time),
		T_(a_row_that_was_set_back_is_read_again),
		T_(thousands_of_shards_cost_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
