/* Streams of the embedded store: shards, positions, errors, several processes, kill -9. */
#include "local_help.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/hashkey.h"

#define FIRST "shardId-000000000000"

static void nothing_there(void **state)
{
	struct stream *s;
	struct shards sh;
	struct stream_info info;
	struct put p = { .data = "x", .len = 1, .partition_key = "k" };
	struct err why = { 0 };
	struct stat st;

	(void)state;
	OK(local_open_stream(test_store, "user-interactions", &s, e));
	FAILS(stream_shards(s, &sh, e), ERR_FAILED, "ResourceNotFoundException");
	FAILS(stream_describe(s, &info, e), ERR_FAILED, "ResourceNotFoundException");
	FAILS(stream_put(s, &p, 1, e), ERR_FAILED, "ResourceNotFoundException");
	stream_describe(s, &info, &why);
	assert_non_null(strstr(why.msg, "recagent setup --local "));
	assert_int_equal(stat(test_store, &st), -1);
	/* A store, but not this stream. */
	stream_close(make_stream("other", 1));
	FAILS(stream_put(s, &p, 1, e), ERR_FAILED, "ResourceNotFoundException");
	stream_close(s);
}

static void created(void **state)
{
	struct stream *s = make_stream("user-interactions", 0);
	struct stream_info info;
	struct shards sh;
	char path[400];
	struct stat st;

	(void)state;
	assert_int_equal(stat(test_store, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	static const char *const files[] = { "recagent.db", "recagent.db-wal", "recagent.db-shm" };
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", test_store, files[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	OK(stream_describe(s, &info, e));
	assert_string_equal(info.status, "ACTIVE");
	assert_int_equal(info.open_shards, 4);
	OK(stream_shards(s, &sh, e));
	assert_int_equal(sh.n, 4);
	assert_string_equal(sh.v[0].id, FIRST);
	assert_string_equal(sh.v[0].start_hash, "0");
	assert_string_equal(sh.v[0].end_hash, "85070591730234615865843651857942052863");
	assert_string_equal(sh.v[1].start_hash, "85070591730234615865843651857942052864");
	assert_string_equal(sh.v[3].id, "shardId-000000000003");
	assert_string_equal(sh.v[3].end_hash, "340282366920938463463374607431768211455");
	assert_string_equal(sh.v[3].end_seq, "");
	assert_string_equal(sh.v[3].parent, "");
	free(sh.v);
	FAILS(stream_create(s, 4, e), ERR_FAILED, "ResourceInUseException");
	stream_close(s);
}

static void hash_keys(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = { { "0", true }, { "340282366920938463463374607431768211455", true },
		{ "340282366920938463463374607431768211456", false }, { "", false }, { "01", false },
		{ "-1", false }, { "1x", false }, { "999999999999999999999999999999999999999", false } };
	char back[HASHKEY_TEXT];
	hashkey v;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (hashkey_parse(rows[i].text, &v) != rows[i].ok)
			fail_msg("%s", rows[i].text);
		if (!rows[i].ok)
			continue;
		hashkey_format(v, back);
		assert_string_equal(back, rows[i].text);
	}
	/* MD5("a") = 0cc175b9c0f1b6a831c399e269772661 */
	hashkey_format(hashkey_of("a"), back);
	assert_string_equal(back, "16955237001963240173058271559858726497");
	for (unsigned n = 1; n <= 7; n++) {
		hashkey start, end, last = 0;
		for (unsigned i = 0; i < n; i++) {
			hashkey_range(i, n, &start, &end);
			assert_true(i == 0 ? start == 0 : start == last + 1);
			last = end;
		}
		assert_true(last == ~(hashkey)0);
	}
}

static void put_and_read(void **state)
{
	struct stream *s = make_stream("s", 2);
	struct put v[] = { { .data = "a\0b", .len = 3, .partition_key = "a" },
		{ .data = "", .len = 0, .partition_key = "b" },
		{ .data = "x", .len = 1, .partition_key = "" },
		{ .data = "y",
			.len = 1,
			.partition_key = "a",
			.explicit_hash_key = "340282366920938463463374607431768211455" },
		{ .data = "z", .len = 1, .partition_key = "a", .explicit_hash_key = "1e3" } };
	struct cursor c = cursor_at(FIRST, POS_TRIM_HORIZON);
	struct records r = { 0 };

	(void)state;
	OK(stream_put(s, v, 5, e));
	assert_string_equal(v[0].shard_id, FIRST);                  /* 0cc1... is in the lower half */
	assert_string_equal(v[1].shard_id, "shardId-000000000001"); /* 92eb... is not */
	assert_string_equal(v[3].shard_id, "shardId-000000000001");
	assert_int_equal(v[2].err.cls, ERR_REFUSED);
	assert_int_equal(v[4].err.cls, ERR_REFUSED);
	assert_int_equal(sequence_compare(v[0].sequence_number, v[1].sequence_number), -1);
	assert_int_equal(sequence_compare(v[1].sequence_number, v[3].sequence_number), -1);
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(r.n, 1);
	assert_int_equal(r.v[0].len, 3);
	assert_memory_equal(r.v[0].data, "a\0b", 4);
	assert_string_equal(r.v[0].partition_key, "a");
	assert_string_equal(r.v[0].sequence_number, v[0].sequence_number);
	assert_in_range(clock_now_us() - r.v[0].arrival_us, 0, 60000000);
	assert_int_equal(r.behind_ms, 0);
	assert_false(r.full || r.ended);
	c = cursor_at("shardId-000000000001", POS_TRIM_HORIZON);
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(r.n, 2);
	assert_int_equal(r.v[0].len, 0);
	c = cursor_at("shardId-000000000009", POS_TRIM_HORIZON);
	OK(stream_read(s, &c, 0, &r, e));
	assert_true(r.ended && r.n == 0);
	records_release(&r);
	stream_close(s);
}

static void positions(void **state)
{
	struct stream *s = make_stream("s", 1), *other;
	struct cursor c = cursor_at(FIRST, POS_LATEST), idle;
	struct records r = { 0 };
	char text[16], seq[SEQ_MAX];

	(void)state;
	OK(local_open_stream(test_store, "s", &other, e));
	put_text(s, "k", "before");
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(r.n, 0);
	int64_t then = 0;
	for (int i = 0; i < 10; i++) {
		if (i == 5) {
			nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
			then = stream_now_ms(s);
			nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
		}
		snprintf(text, sizeof text, "%d", i);
		put_text(other, "k", text);
	}
	OK(stream_read(s, &c, 4, &r, e));
	assert_int_equal(r.n, 4);
	assert_true(r.full);
	assert_string_equal(r.v[0].data, "0");
	snprintf(seq, sizeof seq, "%s", r.v[3].sequence_number);
	OK(stream_read(s, &c, 6, &r, e));
	assert_int_equal(r.n, 6);
	assert_false(r.full);
	assert_string_equal(r.v[5].data, "9");
	/* Idle, again idle, then something from another connection. */
	for (int i = 0; i < 3; i++) {
		idle = c;
		OK(stream_read(s, &c, 0, &r, e));
		assert_int_equal(r.n, 0);
	}
	assert_string_equal(idle.iterator, c.iterator);
	put_text(other, "k", "10");
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(r.n, 1);
	c = cursor_at(FIRST, POS_AT_TIME);
	c.next.time_ms = then;
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(r.n, 6);
	assert_string_equal(r.v[0].data, "5");
	c = cursor_at(FIRST, POS_AT_TIME);
	c.next.time_ms = stream_now_ms(s) + 100000;
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(r.n, 0);
	assert_int_equal(c.next.kind, POS_AT_TIME);
	c = cursor_at(FIRST, POS_AT_SEQ);
	snprintf(c.next.seq, sizeof c.next.seq, "%s", seq);
	OK(stream_read(s, &c, 1, &r, e));
	assert_string_equal(r.v[0].data, "3");
	c = cursor_at(FIRST, POS_AFTER_SEQ);
	snprintf(c.next.seq, sizeof c.next.seq, "%s", seq);
	OK(stream_read(s, &c, 1, &r, e));
	assert_string_equal(r.v[0].data, "4");
	snprintf(c.next.seq, sizeof c.next.seq, "49590338271490256608559692538361571095921575989136588898");
	FAILS(stream_read(s, &c, 1, &r, e), ERR_FAILED, "InvalidArgumentException");
	records_release(&r);
	stream_close(s);
	stream_close(other);
}

static void byte_limit(void **state)
{
	struct stream *s = make_stream("s", 1);
	struct cursor c = cursor_at(FIRST, POS_TRIM_HORIZON);
	struct records r = { 0 };
	size_t size = (size_t)3 << 20, got = 0;
	char *big = calloc(1, size);

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct put p = { .data = big, .len = size, .partition_key = "k" };
		OK(stream_put(s, &p, 1, e));
	}
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(r.n, 3);
	assert_true(r.full);
	got += r.n;
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(got + r.n, 5);
	assert_false(r.full);
	struct put p = { .data = big, .len = ((size_t)10 << 20) + 1, .partition_key = "k" };
	OK(stream_put(s, &p, 1, e));
	assert_int_equal(p.err.cls, ERR_REFUSED);
	free(big);
	records_release(&r);
	stream_close(s);
}

static void numbers_stay_used(void **state)
{
	struct stream *s = make_stream("s", 1);
	struct cursor c = cursor_at(FIRST, POS_TRIM_HORIZON);
	struct records r = { 0 };
	char last[SEQ_MAX];

	(void)state;
	put_text(s, "k", "before");
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(r.n, 1);
	snprintf(last, sizeof last, "%s", r.v[0].sequence_number);
	sql("DELETE FROM record");
	put_text(s, "k", "after");
	OK(stream_read(s, &c, 0, &r, e));
	assert_int_equal(r.n, 1);
	assert_int_equal(sequence_compare(last, r.v[0].sequence_number), -1);
	records_release(&r);
	stream_close(s);
}

static void closed_shard(void **state)
{
	struct stream *s = make_stream("s", 1);
	struct cursor c = cursor_at(FIRST, POS_TRIM_HORIZON);
	struct records r = { 0 };
	struct err why = { 0 };
	struct put p = { .data = "x", .len = 1, .partition_key = "k" };

	(void)state;
	put_text(s, "k", "1");
	put_text(s, "k", "2");
	sql("UPDATE shard SET end_seq = (SELECT seq FROM tip)");
	OK(stream_read(s, &c, 1, &r, e));
	assert_true(r.n == 1 && r.full && !r.ended);
	OK(stream_read(s, &c, 0, &r, e));
	assert_true(r.n == 1 && r.ended);
	OK(stream_read(s, &c, 0, &r, e));
	assert_true(r.n == 0 && r.ended);
	OK(stream_read(s, &c, 0, &r, e));
	assert_true(r.n == 0 && r.ended);
	assert_int_equal(stream_put(s, &p, 1, &why), -1);
	assert_string_equal(p.sequence_number, "");
	records_release(&r);
	stream_close(s);
}

static void write_file(const char *name, const char *text)
{
	char path[400];

	snprintf(path, sizeof path, "%s/%s", test_store, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void bad_stores(void **state)
{
	struct stream *s;
	struct stream_info info;
	struct err why = { 0 };

	(void)state;
	assert_int_equal(mkdir(test_store, 0700), 0);
	write_file("recagent.db",
		"This is some text of a hundred bytes and more, which is certainly no database at all, "
		"whatever it may be otherwise.");
	OK(local_open_stream(test_store, "s", &s, e));
	FAILS(stream_describe(s, &info, e), ERR_LOCAL, "not-a-store");
	FAILS(stream_create(s, 1, e), ERR_LOCAL, "not-a-store");
	stream_describe(s, &info, &why);
	assert_non_null(strstr(why.msg, test_store));
	stream_close(s);

	write_file("recagent.db", "");
	OK(local_open_stream(test_store, "s", &s, e));
	FAILS(stream_create(s, 1, e), ERR_LOCAL, "not-a-store");
	stream_close(s);

	char db[400];
	snprintf(db, sizeof db, "%s/recagent.db", test_store);
	assert_int_equal(unlink(db), 0);
	write_file("recagent.db-wal", "a log of another database");
	OK(local_open_stream(test_store, "s", &s, e));
	FAILS(stream_create(s, 1, e), ERR_LOCAL, "store-leftover");
	stream_close(s);
	write_file("recagent.db-wal", "");
	s = make_stream("s", 1);
	stream_close(s);
	sql("PRAGMA user_version = 99");
	OK(local_open_stream(test_store, "s", &s, e));
	FAILS(stream_describe(s, &info, e), ERR_LOCAL, "store-version");
	FAILS(stream_create(s, 1, e), ERR_LOCAL, "store-version");
	stream_close(s);

	sql("PRAGMA user_version = 0");
	OK(local_open_stream(test_store, "s", &s, e));
	FAILS(stream_create(s, 1, e), ERR_LOCAL, "not-a-store");
	stream_close(s);

	/* A file where the directory should be. */
	char path[400];
	snprintf(path, sizeof path, "%s/recagent.db/below", test_store);
	OK(local_open_stream(path, "s", &s, e));
	why = (struct err){ 0 };
	assert_int_equal(stream_create(s, 1, &why), -1);
	assert_int_equal(why.cls, ERR_LOCAL);
	stream_close(s);
}

/* A full disk, played by a limit on the size of files. */
static void disk_full(void **state)
{
	struct stream *s = make_stream("s", 1);
	char data[4000];
	int status;

	(void)state;
	memset(data, 'x', sizeof data);
	pid_t pid = fork();
	if (pid == 0) {
		struct stream *mine;
		struct err e = { 0 };
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 200000, 200000 });
		if (local_open_stream(test_store, "s", &mine, &e))
			_exit(1);
		for (int i = 0; i < 1000; i++) {
			struct put p = { .data = data, .len = sizeof data, .partition_key = "k" };
			if (stream_put(mine, &p, 1, &e) == 0)
				continue;
			_exit(e.cls == ERR_LOCAL && strstr(e.msg, test_store) && !*p.sequence_number ? 0 : 2);
		}
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	put_text(s, "k", "later");
	stream_close(s);
}

static void creators_at_once(void **state)
{
	pid_t pids[8];
	int made = 0;

	(void)state;
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct stream *s;
			struct err e = { 0 };
			if (local_open_stream(test_store, "s", &s, &e))
				_exit(3);
			int rc = stream_create(s, 4, &e);
			if (rc && strcmp(e.code, "ResourceInUseException") != 0) {
				fprintf(stderr, "# %s\n", e.msg);
				_exit(2);
			}
			_exit(rc ? 1 : 0);
		}
	}
	for (int i = 0; i < 8; i++) {
		int status;
		waitpid(pids[i], &status, 0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		made += WEXITSTATUS(status) == 0;
	}
	assert_int_equal(made, 1);
}

/* Puts batches of 7 whose records are "ROUND BATCH INDEX", and reports each batch on the pipe when it is acknowledged. */
static void writer(int round, int fd)
{
	struct stream *s;
	struct err e = { 0 };
	char data[7][1200];
	struct put v[7];

	if (local_open_stream(test_store, "s", &s, &e))
		_exit(1);
	for (int batch = 0;; batch++) {
		for (int i = 0; i < 7; i++) {
			int n = snprintf(data[i], sizeof data[i], "%d %d %d ", round, batch, i);
			memset(data[i] + n, 'x', 1000);
			v[i] = (struct put){ .data = data[i], .len = (size_t)n + 1000, .partition_key = "k" };
		}
		if (stream_put(s, v, 7, &e) || write(fd, &batch, sizeof batch) != sizeof batch)
			_exit(1);
	}
}

/* Every acknowledged batch is there and whole; at most one more, whole, follows. */
static void check_round(struct stream *s, struct cursor *c, int round, int acknowledged)
{
	struct records r = { 0 };
	int seen = 0;

	do {
		OK(stream_read(s, c, 0, &r, e));
		for (size_t i = 0; i < r.n; i++, seen++) {
			int a, b, k;
			assert_int_equal(sscanf(r.v[i].data, "%d %d %d ", &a, &b, &k), 3);
			if (a != round || b != seen / 7 || k != seen % 7)
				fail_msg("round %d: %d %d %d at %d", round, a, b, k, seen);
			assert_int_equal(r.v[i].data[r.v[i].len - 1], 'x');
		}
	} while (r.n);
	records_release(&r);
	if (seen % 7 || seen / 7 < acknowledged || seen / 7 > acknowledged + 1)
		fail_msg("round %d: %d records, %d batches acknowledged", round, seen, acknowledged);
}

static void kill_9(void **state)
{
	stream_close(make_stream("s", 1));
	struct cursor c = cursor_at(FIRST, POS_TRIM_HORIZON);

	(void)state;
	srand(7);
	for (int round = 0; round < 50; round++) {
		int fds[2], batch, acknowledged = 0, status;
		assert_int_equal(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0)
			writer(round, fds[1]);
		close(fds[1]);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 + rand() % 20000000 }, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		while (read(fds[0], &batch, sizeof batch) == sizeof batch)
			assert_int_equal(batch, acknowledged++);
		close(fds[0]);
		struct stream *s;
		OK(local_open_stream(test_store, "s", &s, e));
		c.iterator[0] = '\0';
		check_round(s, &c, round, acknowledged);
		stream_close(s);
	}
}

#define THREADS 6
#define EACH 60

static void *thread_puts(void *arg)
{
	struct stream *s = arg;

	for (int i = 0; i < EACH; i++) {
		struct put p = { .data = "x", .len = 1, .partition_key = "k" };
		if (stream_put(s, &p, 1, NULL) || p.err.cls)
			return arg;
	}
	return NULL;
}

static void *thread_reads(void *arg)
{
	struct stream *s = arg;
	struct cursor c = cursor_at(FIRST, POS_TRIM_HORIZON);
	struct records r = { 0 };
	size_t n = 0;

	while (n < THREADS * EACH) {
		if (stream_read(s, &c, 0, &r, NULL))
			return arg;
		n += r.n;
	}
	records_release(&r);
	return NULL;
}

static void threads(void **state)
{
	struct stream *s = make_stream("s", 1);
	pthread_t t[2 * THREADS];

	(void)state;
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_create(&t[i], NULL, i % 2 ? thread_reads : thread_puts, s);
	for (int i = 0; i < 2 * THREADS; i++) {
		void *failed;
		pthread_join(t[i], &failed);
		assert_null(failed);
	}
	stream_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(nothing_there), TEST(created), TEST(hash_keys),
		TEST(put_and_read), TEST(positions), TEST(byte_limit), TEST(numbers_stay_used),
		TEST(closed_shard), TEST(bad_stores), TEST(disk_full), TEST(creators_at_once), TEST(kill_9),
		TEST(threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
