/* lineage_test.c - random trees of splits and merges: every shard that is there is read once, to its end, behind its parents;
 * alone and as a group whose runs are cut short, with expired ancestors, grown before the start and while it runs. */
#define FAKE_SHARDS 560
#include "fake_flow.h"

#include "flow/leases.h"
#include "flow/shards.h"

#define NODES 500
#define RECORDS_MAX 4000

static struct fake_stream F;
static struct fake_table T;
static uint64_t seed;

/* By shard: the place in the output of its first line and of its end; how many records came, first deliveries only. */
static struct {
	size_t first, end, records;
} seen[FAKE_SHARDS];
static size_t lines, stop_at, grow_at, grow_to;
static bool committing, repeats;
static const char *owner;

static unsigned dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

static void fill(size_t i)
{
	fake_fill(&F, i, (int)dice(4));
}

/* Two open shards, or one (SIZE_MAX); fake shards have no hash keys, so that any two may be merged. */
static void pick(size_t *a, size_t *b)
{
	size_t open[FAKE_SHARDS] = { 0 }, n = 0;

	for (size_t i = 0; i < F.n; i++)
		if (!F.v[i].s.end_seq[0])
			open[n++] = i;
	size_t k = dice((unsigned)n);
	*a = open[k];
	*b = n > 1 ? open[(k + 1 + dice((unsigned)n - 1)) % n] : SIZE_MAX;
}

/* Half of it changes; with many shards merges weigh as much as splits. */
static void grow(size_t to)
{
	while (F.n < to) {
		size_t a, b;
		pick(&a, &b);
		fill(a);
		if (b != SIZE_MAX && dice(5) < 3)
			fake_merge(&F, a, b);
		else
			fake_split(&F, a);
	}
	for (size_t i = 0; i < F.n; i++)
		if (!F.v[i].s.end_seq[0])
			fill(i);
}

static size_t number_of(const char *shard_id)
{
	return (size_t)strtoul(strchr(shard_id, '-') + 1, NULL, 10);
}

static void commit(const char *shard_id, const char *checkpoint)
{
	struct err e = { 0 };

	if (committing)
		(void)lease_checkpoint(&T.base, shard_id, owner, checkpoint, 0, &e);
}

static int on_record(const char *shard_id, const struct record *r, void *arg, struct err *e)
{
	size_t i = number_of(shard_id), k = (size_t)strtoul(strchr(r->data, '.') + 1, NULL, 10);

	(void)arg, (void)e;
	lines++;
	if (seen[i].first == SIZE_MAX)
		seen[i].first = lines;
	if (k > seen[i].records)
		fail_msg("%s: record %zu instead of %zu", shard_id, k, seen[i].records);
	if (k < seen[i].records && !repeats)
		fail_msg("%s: record %zu again", shard_id, k);
	if (k == seen[i].records)
		seen[i].records++;
	if (seen[i].end != SIZE_MAX && !repeats)
		fail_msg("%s: a record behind its end", shard_id);
	commit(shard_id, r->sequence_number);
	if (grow_at && lines >= grow_at) {
		size_t to = F.n + 25 < grow_to ? F.n + 25 : grow_to;
		grow(to);
		grow_at = to < grow_to ? lines + 20 : 0;
	}
	return stop_at && lines >= stop_at;
}

static int on_shard_end(const char *shard_id, void *arg, struct err *e)
{
	size_t i = number_of(shard_id);

	(void)arg, (void)e;
	lines++;
	if (seen[i].first == SIZE_MAX)
		seen[i].first = lines;
	if (seen[i].records != F.v[i].n)
		fail_msg("%s: ends after %zu of %zu records", shard_id, seen[i].records, F.v[i].n);
	if (seen[i].end == SIZE_MAX)
		seen[i].end = lines;
	else if (!repeats)
		fail_msg("%s: ends again", shard_id);
	commit(shard_id, CP_SHARD_END);
	return 0;
}

static void run(bool group)
{
	struct follow_conf c = { .stream = &F.base,
		.group = group ? &T.base : NULL,
		.owner = owner,
		.end_at_tip = true,
		.poll_ms = 1,
		.threads = 1 + dice(8),
		.idle_mark_ms = 60000,
		.backoff_ms = 2,
		.failover_ms = 150,
		.grace_ms = 0,
		.on_record = on_record,
		.on_shard_end = on_shard_end };
	struct err e = { 0 };
	struct follow *f = follow_open(&c, &e);

	assert_non_null(f);
	if (follow_run(f, &e))
		fail_msg("seed %" PRIu64 ": %s", seed, e.msg);
	follow_close(f);
}

static void begin(uint64_t with)
{
	seed = with * UINT64_C(0x9e3779b97f4a7c15) + 1;
	fake_stream_init(&F, 1 + dice(4));
	fake_table_init(&T);
	for (size_t i = 0; i < FAKE_SHARDS; i++) {
		seen[i].first = seen[i].end = SIZE_MAX;
		seen[i].records = 0;
	}
	lines = stop_at = grow_at = grow_to = 0;
	committing = true;
	repeats = false;
	owner = "w1";
}

static void finish(void)
{
	fake_stream_release(&F);
	fake_table_release(&T);
}

static void behind(size_t child, const char *parent, uint64_t with)
{
	if (!*parent || F.v[number_of(parent)].expired)
		return;
	size_t p = number_of(parent);
	if (seen[child].first != SIZE_MAX && seen[p].end > seen[child].first)
		fail_msg("tree %" PRIu64 ": %s began before its parent %s ended", with, F.v[child].s.id,
			parent);
}

static void check(uint64_t with)
{
	for (size_t i = 0; i < F.n; i++) {
		const struct fake_shard *s = &F.v[i];
		if (s->expired) {
			if (seen[i].first != SIZE_MAX)
				fail_msg("tree %" PRIu64 ": %s was not there", with, s->s.id);
			continue;
		}
		if (seen[i].records != s->n)
			fail_msg("tree %" PRIu64 ": %s: %zu of %zu records", with, s->s.id, seen[i].records,
				s->n);
		if ((seen[i].end != SIZE_MAX) != (s->s.end_seq[0] != 0))
			fail_msg("tree %" PRIu64 ": %s: its end", with, s->s.id);
		behind(i, s->s.parent, with);
		behind(i, s->s.adjacent, with);
	}
}

/* Retention takes the oldest; an empty shard may go before one that was closed earlier. */
static void expire(void)
{
	size_t upto = dice((unsigned)F.n);

	for (size_t i = 0; i < F.n; i++)
		F.v[i].expired = F.v[i].s.end_seq[0] && (i < upto ? dice(10) < 9 : dice(30) == 0);
}

static void alone(void **state)
{
	(void)state;
	for (uint64_t tree = 1; tree <= 12; tree++) {
		begin(tree);
		grow(NODES);
		if (tree > 3)
			expire();
		run(false);
		check(tree);
		finish();
	}
}

static void alone_while_it_grows(void **state)
{
	(void)state;
	for (uint64_t tree = 101; tree <= 106; tree++) {
		begin(tree);
		grow(8);
		for (size_t i = 0; i < F.n; i++)
			fake_fill(&F, i, 5);
		grow_at = 1;
		grow_to = NODES;
		run(false);
		if (F.n < NODES)
			fail_msg("tree %" PRIu64 " stopped at %zu shards", tree, F.n);
		check(tree);
		finish();
	}
}

/* Nobody's rows but those of what is there, and every closed shard's says so, if it is still kept. */
static void check_rows(uint64_t with)
{
	for (size_t i = 0; i < F.n; i++) {
		const char *cp = fake_attr(&T, F.v[i].s.id, "checkpoint");
		if (F.v[i].expired && *cp)
			fail_msg("tree %" PRIu64 ": %s is gone and has a row", with, F.v[i].s.id);
		if (F.v[i].s.end_seq[0] && *cp && strcmp(cp, CP_SHARD_END) != 0)
			fail_msg("tree %" PRIu64 ": %s: %s", with, F.v[i].s.id, cp);
	}
}

static void a_group(void **state)
{
	(void)state;
	for (uint64_t tree = 201; tree <= 204; tree++) {
		begin(tree);
		grow(NODES);
		if (tree > 202)
			expire();
		run(true);
		check(tree);
		check_rows(tree);
		finish();
	}
}

/* Runs that end early, some of which commit nothing: what comes again comes from a committed position, and nothing new
 * comes before what lies in front of it. */
static void a_group_cut_short(void **state)
{
	static const char *const owners[] = { "w1", "w2", "w3" };

	(void)state;
	for (uint64_t tree = 301; tree <= 303; tree++) {
		begin(tree);
		repeats = true;
		grow(tree == 301 ? NODES : 60);
		for (unsigned i = 0; i < 8; i++) {
			stop_at = lines + 10 + dice(100);
			committing = dice(3) > 0;
			owner = owners[i % 3];
			run(true);
			if (tree == 303)
				grow(F.n + 30);
		}
		stop_at = 0;
		committing = true;
		run(true);
		check(tree);
		check_rows(tree);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(alone), cmocka_unit_test(alone_while_it_grows),
		cmocka_unit_test(a_group), cmocka_unit_test(a_group_cut_short) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
