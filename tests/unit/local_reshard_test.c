/* Splits and merges in the embedded store, what retention makes of closed shards and of clocks, stores of version 1. */
#include "local_help.h"

#include <inttypes.h>

#include "base/hashkey.h"

#define ID(n) "shardId-00000000000" #n

static void reshard_ok(struct stream *s, struct reshard what)
{
	OK(stream_reshard(s, &what, e));
}
#define SPLIT(s, id, hash) reshard_ok(s, (struct reshard){ .kind = RESHARD_SPLIT, .shard = id, .at = hash })
#define MERGE(s, a, b) reshard_ok(s, (struct reshard){ .kind = RESHARD_MERGE, .shard = a, .adjacent = b })
#define COUNT(s, n) reshard_ok(s, (struct reshard){ .kind = RESHARD_COUNT, .count = n })

static const struct shard *named(const struct shards *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].id, id))
			return &l->v[i];
	fail_msg("%s is not listed", id);
	return NULL;
}

static void put_at(struct stream *s, const char *hash, const char *data, char shard[SHARD_ID_MAX])
{
	struct put p = { .data = data, .len = strlen(data), .partition_key = "k", .explicit_hash_key = hash };

	OK(stream_put(s, &p, 1, e));
	assert_int_equal(p.err.cls, ERR_NONE);
	memcpy(shard, p.shard_id, SHARD_ID_MAX);
}

static void split_one(void **state)
{
	struct stream *s = make_stream("s", 1);
	struct cursor c = cursor_at(ID(0), POS_TRIM_HORIZON);
	struct records r = { 0 };
	struct shards l;
	char at[SHARD_ID_MAX];

	(void)state;
	put_at(s, "0", "1", at);
	SPLIT(s, ID(0), "100");
	OK(stream_shards(s, &l, e));
	assert_int_equal(l.n, 3);
	const struct shard *p = named(&l, ID(0)), *a = named(&l, ID(1)), *b = named(&l, ID(2));
	assert_true(p->end_seq[0] && !a->end_seq[0] && !b->end_seq[0]);
	assert_string_equal(a->parent, ID(0));
	assert_string_equal(b->parent, ID(0));
	assert_string_equal(a->adjacent, "");
	assert_string_equal(a->end_hash, "99");
	assert_string_equal(b->start_hash, "100");
	assert_string_equal(b->end_hash, p->end_hash);
	assert_true(sequence_compare(p->end_seq, a->start_seq) < 0);
	free(l.v);
	put_at(s, "99", "2", at);
	assert_string_equal(at, ID(1));
	put_at(s, "100", "3", at);
	assert_string_equal(at, ID(2));
	OK(stream_read(s, &c, 0, &r, e));
	assert_true(r.n == 1 && r.ended && r.v[0].data[0] == '1');
	c = cursor_at(ID(0), POS_LATEST);
	OK(stream_read(s, &c, 0, &r, e));
	assert_true(r.n == 0 && r.ended);
	c = cursor_at(ID(2), POS_TRIM_HORIZON);
	OK(stream_read(s, &c, 0, &r, e));
	assert_true(r.n == 1 && !r.ended && r.v[0].data[0] == '3');
	records_release(&r);
	stream_close(s);
}

/* A cursor that idles at the tip learns of the end. */
static void idle_cursor_ends(void **state)
{
	struct stream *s = make_stream("s", 1), *other;
	struct cursor c = cursor_at(ID(0), POS_LATEST);
	struct records r = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		OK(stream_read(s, &c, 0, &r, e));
		assert_true(r.n == 0 && !r.ended);
	}
	OK(local_open_stream(test_store, "s", &other, e));
	SPLIT(other, ID(0), "1");
	OK(stream_read(s, &c, 0, &r, e));
	assert_true(r.n == 0 && r.ended);
	records_release(&r);
	stream_close(other);
	stream_close(s);
}

static void merge_two(void **state)
{
	struct stream *s = make_stream("s", 3);
	struct stream_info info;
	struct shards l;
	char at[SHARD_ID_MAX];

	(void)state;
	MERGE(s, ID(2), ID(1)); /* the one that is named first is the parent */
	OK(stream_shards(s, &l, e));
	assert_int_equal(l.n, 4);
	const struct shard *c = named(&l, ID(3));
	assert_string_equal(c->parent, ID(2));
	assert_string_equal(c->adjacent, ID(1));
	assert_string_equal(c->start_hash, named(&l, ID(1))->start_hash);
	assert_string_equal(c->end_hash, named(&l, ID(2))->end_hash);
	assert_true(sequence_compare(named(&l, ID(1))->end_seq, c->start_seq) < 0);
	assert_true(sequence_compare(named(&l, ID(2))->end_seq, c->start_seq) < 0);
	free(l.v);
	put_at(s, "340282366920938463463374607431768211455", "x", at);
	assert_string_equal(at, ID(3));
	OK(stream_describe(s, &info, e));
	assert_int_equal(info.open_shards, 2);
	stream_close(s);
}

static void refused(void **state)
{
	static const struct {
		struct reshard what;
		const char *code;
	} rows[] = {
		{ { .kind = RESHARD_SPLIT, .shard = ID(0), .at = "5" },
			"InvalidArgumentException" }, /* closed */
		{ { .kind = RESHARD_SPLIT, .shard = ID(9), .at = "5" }, "ResourceNotFoundException" },
		{ { .kind = RESHARD_SPLIT, .shard = ID(4), .at = "0" },
			"InvalidArgumentException" }, /* start */
		{ { .kind = RESHARD_SPLIT, .shard = ID(4), .at = "10" },
			"InvalidArgumentException" }, /* end + 1 */
		{ { .kind = RESHARD_SPLIT, .shard = ID(4), .at = "x" }, "InvalidArgumentException" },
		{ { .kind = RESHARD_MERGE, .shard = ID(4), .adjacent = ID(1) }, "InvalidArgumentException" },
		{ { .kind = RESHARD_MERGE, .shard = ID(4), .adjacent = ID(4) }, "InvalidArgumentException" },
		{ { .kind = RESHARD_MERGE, .shard = ID(0), .adjacent = ID(1) }, "InvalidArgumentException" },
		{ { .kind = RESHARD_MERGE, .shard = ID(1), .adjacent = ID(9) }, "ResourceNotFoundException" },
		{ { .kind = RESHARD_COUNT, .count = 0 }, "LimitExceededException" },
		{ { .kind = RESHARD_COUNT, .count = 1001 }, "LimitExceededException" },
	};
	struct stream *s = make_stream("s", 4), *none;
	struct shards before, after;

	(void)state;
	SPLIT(s, ID(0), "10"); /* 4: 0 to 9 */
	OK(stream_shards(s, &before, e));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = { 0 };
		if (stream_reshard(s, &rows[i].what, &e) != -1 || strcmp(e.code, rows[i].code) != 0)
			fail_msg("row %zu: %s: %s", i, e.code, e.msg);
	}
	OK(stream_shards(s, &after, e));
	assert_int_equal(before.n, after.n);
	for (size_t i = 0; i < before.n; i++)
		assert_string_equal(before.v[i].end_seq, after.v[i].end_seq);
	free(before.v);
	free(after.v);
	OK(local_open_stream(test_store, "none", &none, e));
	FAILS(stream_reshard(none, &rows[0].what, e), ERR_FAILED, "ResourceNotFoundException");
	stream_close(none);
	stream_close(s);
}

/* ---- any sequence of changes ---- */

static uint64_t seed = 88172645463325252u;

static unsigned dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

static hashkey key(const char *text)
{
	hashkey v;

	assert_true(hashkey_parse(text, &v));
	return v;
}

static int by_start(const void *a, const void *b)
{
	hashkey x = key(((const struct shard *)a)->start_hash),
		y = key(((const struct shard *)b)->start_hash);

	return (x > y) - (x < y);
}

/* Open shards, sorted: from 0 to the last key without a hole. */
static size_t open_of(const struct shards *l, struct shard *out)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].end_seq[0])
			out[n++] = l->v[i];
	qsort(out, n, sizeof *out, by_start);
	assert_string_equal(out[0].start_hash, "0");
	for (size_t i = 1; i < n; i++)
		assert_true(key(out[i].start_hash) == key(out[i - 1].end_hash) + 1);
	assert_true(key(out[n - 1].end_hash) == ~(hashkey)0);
	return n;
}

/* Children come behind their parents in every way, and take over what those had. */
static void check_lineage(const struct shards *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct shard *c = &l->v[i];
		if (!c->parent[0])
			continue;
		for (int k = 0; k < 2; k++) {
			const char *id = k ? c->adjacent : c->parent;
			if (!*id)
				continue;
			const struct shard *p = named(l, id);
			assert_true(p < c && strcmp(p->id, c->id) < 0 && p->end_seq[0]);
			assert_true(sequence_compare(p->end_seq, c->start_seq) < 0);
			if (c->adjacent[0])
				assert_true(key(p->start_hash) >= key(c->start_hash) &&
					    key(p->end_hash) <= key(c->end_hash));
			else
				assert_true(key(p->start_hash) <= key(c->start_hash) &&
					    key(p->end_hash) >= key(c->end_hash));
		}
	}
}

static void random_change(struct stream *s, const struct shard *open, size_t n)
{
	char at[HASHKEY_TEXT];
	unsigned i = dice((unsigned)n);

	switch (dice(3)) {
	case 0:
		hashkey_format(key(open[i].start_hash) + 1 +
				       (key(open[i].end_hash) - key(open[i].start_hash)) / (2 + dice(9)),
			at);
		SPLIT(s, open[i].id, at);
		break;
	case 1:
		if (i + 1 < n)
			MERGE(s, open[i].id, open[i + 1].id);
		break;
	default: COUNT(s, 1 + dice(12));
	}
}

static void any_sequence(void **state)
{
	struct stream *s = make_stream("s", 3);
	struct shards l;
	struct shard *open = NULL;
	size_t n = 0;
	int told = 0;

	(void)state;
	for (int round = 0; round < 60; round++) {
		OK(stream_shards(s, &l, e));
		open = realloc(open, l.n * sizeof *open);
		n = open_of(&l, open);
		check_lineage(&l);
		free(l.v);
		for (int i = 0; i < 5; i++, told++) {
			char data[16], name[16];
			snprintf(data, sizeof data, "%d", told);
			snprintf(name, sizeof name, "k%d", told % 7);
			put_text(s, name, data);
		}
		random_change(s, open, n);
	}
	/* By the listing, each shard to its end: every record once, each key's in order. */
	struct records r = { 0 };
	int last[7] = { -1, -1, -1, -1, -1, -1, -1 }, seen = 0;
	OK(stream_shards(s, &l, e));
	for (size_t i = 0; i < l.n; i++) {
		struct cursor c = cursor_at(l.v[i].id, POS_TRIM_HORIZON);
		OK(stream_read(s, &c, 0, &r, e));
		assert_true(r.ended == (l.v[i].end_seq[0] != 0) && !r.full);
		for (size_t k = 0; k < r.n; k++, seen++) {
			int v = atoi(r.v[k].data), *at = &last[v % 7];
			assert_true(v > *at);
			*at = v;
		}
	}
	assert_int_equal(seen, told);
	records_release(&r);
	free(l.v);
	free(open);
	stream_close(s);
}

static void even_counts(void **state)
{
	static const unsigned counts[] = { 1, 2, 3, 5, 4, 8, 7, 1000, 1, 16 };
	struct stream *s = make_stream("s", 4);

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct shards l;
		COUNT(s, counts[i]);
		OK(stream_shards(s, &l, e));
		struct shard *open = calloc(l.n, sizeof *open);
		assert_int_equal(open_of(&l, open), counts[i]);
		for (unsigned k = 0; k < counts[i]; k++) {
			hashkey start, end;
			hashkey_range(k, counts[i], &start, &end);
			assert_true(key(open[k].start_hash) == start && key(open[k].end_hash) == end);
		}
		check_lineage(&l);
		size_t had = l.n;
		free(open);
		free(l.v);
		COUNT(s, counts[i]); /* again: nothing to do */
		OK(stream_shards(s, &l, e));
		assert_int_equal(l.n, had);
		free(l.v);
	}
	stream_close(s);
}

/* ---- retention ---- */

static void pass(struct stream *s, int days)
{
	char text[100];

	snprintf(text, sizeof text, "UPDATE tip SET clock_us = clock_us - %d * 86400000000", days);
	sql(text);
	put_text(s, "k", "tick");
}

static size_t count_records(struct stream *s, const char *shard)
{
	struct cursor c = cursor_at(shard, POS_TRIM_HORIZON);
	struct records r = { 0 };

	OK(stream_read(s, &c, 0, &r, e));
	size_t n = r.n;
	records_release(&r);
	return n;
}

static void retention(void **state)
{
	struct stream *s = make_stream("s", 1), *idle = make_stream("idle", 1);

	(void)state;
	for (int i = 0; i < 5; i++) {
		put_text(s, "k", "old");
		put_text(idle, "k", "old");
	}
	for (int i = 0; i < 8; i++) {
		pass(s, 1);
		assert_int_equal(count_records(s, ID(0)), 6 + i);
	}
	assert_int_equal(count_records(idle, ID(0)), 5);
	pass(s, 1);
	assert_int_equal(count_records(s, ID(0)), 8);
	assert_int_equal(count_records(idle, ID(0)), 0);
	for (int i = 0; i < 20; i++)
		pass(s, 1);
	assert_int_equal(count_records(s, ID(0)), 8);
	stream_close(idle);
	stream_close(s);
}

static void clock_leaps(void **state)
{
	struct stream *s = make_stream("s", 1);

	(void)state;
	put_text(s, "k", "kept");
	pass(s, 20000); /* set at boot: from 1970 to now */
	for (int i = 0; i < 5; i++)
		pass(s, 1);
	pass(s, 31);   /* a month wrong, */
	pass(s, -31);  /* and right again */
	pass(s, -400); /* another year */
	assert_int_equal(count_records(s, ID(0)), 10);
	stream_close(s);
}

/* Two machines' worth of processes, or a clock that swings: days of hours that never were. */
static void clocks_differ(void **state)
{
	struct stream *s = make_stream("s", 1);

	(void)state;
	for (int i = 0; i < 120; i++) {
		setenv("RECAGENT_CLOCK_OFFSET", i % 2 ? "7000s" : "-7000s", 1);
		put_text(s, "k", "kept");
	}
	unsetenv("RECAGENT_CLOCK_OFFSET");
	assert_int_equal(count_records(s, ID(0)), 120);
	stream_close(s);
}

static void closed_shards_go(void **state)
{
	struct stream *s = make_stream("s", 1);
	struct cursor c = cursor_at(ID(0), POS_TRIM_HORIZON);
	struct records r = { 0 };
	struct shards l;

	(void)state;
	put_text(s, "k", "old");
	COUNT(s, 4); /* 1 and 2 are closed at once */
	for (int i = 0; i < 8; i++)
		pass(s, 1);
	OK(stream_shards(s, &l, e));
	assert_int_equal(l.n, 7);
	free(l.v);
	assert_int_equal(count_records(s, ID(0)), 1);
	pass(s, 1);
	pass(s, 1);
	OK(stream_shards(s, &l, e));
	assert_int_equal(l.n, 4);
	assert_string_equal(l.v[0].id, ID(3));
	assert_true(!strcmp(l.v[0].parent, ID(1)) || !strcmp(l.v[0].parent, ID(2)));
	free(l.v);
	OK(stream_read(s, &c, 0, &r, e));
	assert_true(r.n == 0 && r.ended);
	/* A number is not given twice. */
	SPLIT(s, ID(3), "7");
	OK(stream_shards(s, &l, e));
	assert_int_equal(l.n, 6);
	assert_string_equal(l.v[4].id, ID(7));
	free(l.v);
	records_release(&r);
	stream_close(s);
}

/* ---- a store of version 1 ---- */

#define VERSION_1                                                                                            \
	"PRAGMA journal_mode=WAL; BEGIN;"                                                                    \
	"CREATE TABLE tip(one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, arrival_us INTEGER NOT NULL);"      \
	"INSERT INTO tip VALUES(1, 1000000000000000003, 1700000000000000);"                                  \
	"CREATE TABLE stream(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_s INTEGER NOT "      \
	"NULL);"                                                                                             \
	"CREATE TABLE shard(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, name TEXT NOT NULL,"            \
	" parent TEXT NOT NULL DEFAULT '', adjacent TEXT NOT NULL DEFAULT '', start_hash TEXT NOT NULL,"     \
	" end_hash TEXT NOT NULL, start_seq INTEGER NOT NULL, end_seq INTEGER, UNIQUE(stream, name));"       \
	"CREATE TABLE record(seq INTEGER PRIMARY KEY, shard INTEGER NOT NULL, arrival_us INTEGER NOT NULL,"  \
	" key TEXT NOT NULL, data BLOB NOT NULL);"                                                           \
	"CREATE INDEX record_shard ON record(shard);"                                                        \
	"INSERT INTO stream VALUES(1, 's', 1700000000);"                                                     \
	"INSERT INTO shard VALUES(1, 1, '" ID(                                                               \
		0) "', '', '', '0', '340282366920938463463374607431768211455',"                              \
		   " 1000000000000000001, NULL);"                                                            \
		   "INSERT INTO record VALUES(1000000000000000002, 1, 1700000000000000, 'k', CAST('one' AS " \
		   "BLOB));"                                                                                 \
		   "INSERT INTO record VALUES(1000000000000000003, 1, 1700000000000000, 'k', CAST('two' AS " \
		   "BLOB));"                                                                                 \
		   "PRAGMA user_version=1; COMMIT"

static void make_version_1(void)
{
	char path[400], *msg = NULL;
	sqlite3 *h;

	assert_int_equal(mkdir(test_store, 0700), 0);
	snprintf(path, sizeof path, "%s/recagent.db", test_store);
	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	if (sqlite3_exec(h, VERSION_1, NULL, NULL, &msg) != SQLITE_OK)
		fail_msg("%s", msg);
	sqlite3_close(h);
}

static void version_1(void **state)
{
	struct stream *s;

	(void)state;
	make_version_1();
	OK(local_open_stream(test_store, "s", &s, e));
	assert_int_equal(count_records(s, ID(0)), 2); /* reading changes nothing */
	sql("INSERT INTO record VALUES(1000000000000000004, 1, 1700000000000000, 'k', CAST('three' AS BLOB));"
	    "UPDATE tip SET seq = seq + 1 WHERE (SELECT user_version FROM pragma_user_version) = 1");
	/* Its records are years old by the clock; they have their week from now on. */
	put_text(s, "k", "four");
	assert_int_equal(count_records(s, ID(0)), 4);
	SPLIT(s, ID(0), "5");
	for (int i = 0; i < 7; i++)
		pass(s, 1);
	assert_int_equal(count_records(s, ID(0)), 4);
	pass(s, 1);
	assert_int_equal(count_records(s, ID(0)), 1);
	stream_close(s);
}

static void version_1_by_many(void **state)
{
	pid_t pids[8];
	struct stream *s;

	(void)state;
	make_version_1();
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		struct stream *mine;
		struct err e = { 0 };
		struct put p = { .data = "x", .len = 1, .partition_key = "k" };
		_exit(local_open_stream(test_store, "s", &mine, &e) || stream_put(mine, &p, 1, &e) ? 1 : 0);
	}
	for (int i = 0; i < 8; i++) {
		int status = -1;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	OK(local_open_stream(test_store, "s", &s, e));
	assert_int_equal(count_records(s, ID(0)), 10);
	stream_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(split_one), TEST(idle_cursor_ends), TEST(merge_two),
		TEST(refused), TEST(any_sequence), TEST(even_counts), TEST(retention), TEST(clock_leaps),
		TEST(clocks_differ), TEST(closed_shards_go), TEST(version_1), TEST(version_1_by_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
