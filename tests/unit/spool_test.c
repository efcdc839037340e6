/* spool_test.c - records on disk: order, position, crashes, cut and damaged files, limits, who may use it. */
#include "local_help.h"

#include "check.h"
#include "flow/spool.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

static char dir[320];

static struct spool_conf conf(uint64_t max)
{
	snprintf(dir, sizeof dir, "%s/spool", test_dir);
	return (struct spool_conf){ .dir = dir, .stream = "clicks", .at = "here", .max_bytes = max };
}

static struct spool *open_spool(uint64_t max)
{
	struct spool_conf c = conf(max);
	struct spool *s = NULL;
	OK(spool_open(&s, &c, NULL, NULL, e));
	return s;
}

/* Record `no`, with a NUL and a byte that is no UTF-8 in it. */
static struct put record(int no, char data[64], char key[16])
{
	int n = snprintf(data, 64, "%d", no);
	memcpy(data + n, "\0\xa6rs1 x", 8);
	snprintf(key, 16, "k%d", no % 3);
	return (struct put){ .data = data,
		.len = (size_t)n + 8,
		.partition_key = key,
		.explicit_hash_key = no % 2 ? "170141183460469231731687303715884105728" : NULL };
}

static int append(struct spool *s, int from, int to, struct err *e)
{
	char data[100][64], key[100][16];
	struct put v[100];
	for (int i = from; i < to; i++)
		v[i - from] = record(i, data[i - from], key[i - from]);
	return spool_append(s, v, (size_t)(to - from), e);
}

static void check_record(const char *row, const struct spool_record *r, int no)
{
	char data[64], key[16];
	struct put want = record(no, data, key);
	CHECK_INT(row, r->len, want.len);
	CHECK_INT(row, memcmp(r->data, want.data, want.len), 0);
	CHECK_STR(row, r->partition_key, want.partition_key);
	if (want.explicit_hash_key)
		CHECK_STR(row, r->explicit_hash_key, want.explicit_hash_key);
	else
		CHECK(row, r->explicit_hash_key == NULL);
}

/* Read and check from..to-1, acknowledging those below ack_to. */
static void drain(const char *row, struct spool *s, int from, int to, int ack_to)
{
	struct spool_record r;
	for (int i = from; i < to; i++) {
		struct err err = { 0 };
		CHECK_INT(row, spool_next(s, &r, &err), 1);
		check_record(row, &r, i);
		if (i < ack_to)
			OK(spool_ack(s, &r.end, 1, e));
	}
}

static void check_empty(const char *row, struct spool *s)
{
	struct spool_record r;
	CHECK_INT(row, spool_next(s, &r, NULL), 0);
}

static int segments(void)
{
	int n = 0;
	for (int i = 1; i < 200; i++) {
		char path[400];
		snprintf(path, sizeof path, "%s/lines.%08d", dir, i);
		n += access(path, F_OK) == 0;
	}
	return n;
}

static void test_what_goes_in_comes_out(void **state)
{
	struct spool *s = open_spool(1 << 20);
	(void)state;
	check_empty("new", s);
	OK(append(s, 0, 10, e));
	drain("first", s, 0, 10, 5);
	check_empty("read", s);
	OK(append(s, 10, 20, e));
	assert_int_equal(spool_state(s).left, 15);
	drain("more", s, 10, 20, 0);
	OK(spool_close(s, e));

	s = open_spool(1 << 20);
	assert_int_equal(spool_state(s).left, 15);
	drain("again", s, 5, 20, 20);
	check_empty("again", s);
	assert_int_equal(spool_state(s).left, 0);
	assert_int_equal(segments(), 0);
	OK(append(s, 20, 21, e));
	drain("after all", s, 20, 21, 21);
	OK(spool_close(s, e));
	s = open_spool(1 << 20);
	assert_int_equal(spool_state(s).left, 0);
	OK(spool_close(s, e));
}

static void test_files_are_private(void **state)
{
	static const char *const names[] = { "", "/spool", "/lock", "/position", "/lines.00000001" };
	struct spool *s = open_spool(1 << 20);
	(void)state;
	OK(append(s, 0, 1, e));
	for (size_t i = 0; i < ROWS(names); i++) {
		char path[400];
		struct stat st;
		snprintf(path, sizeof path, "%s%s", dir, names[i]);
		CHECK_INT(names[i], stat(path, &st), 0);
		CHECK_INT(names[i], st.st_mode & 07777, i ? 0600 : 0700);
	}
	OK(spool_close(s, e));
}

/* A process that dies with what it had appended and acknowledged. */
static void crash(int n, int acked)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct spool_conf c = conf(1 << 20);
		struct spool *s = NULL;
		struct spool_record r;
		if (spool_open(&s, &c, NULL, NULL, NULL) || append(s, 0, n, NULL))
			_exit(1);
		for (int i = 0; i < acked; i++)
			if (spool_next(s, &r, NULL) != 1 || spool_ack(s, &r.end, 1, NULL))
				_exit(2);
		kill(getpid(), SIGKILL);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
}

static void test_a_crash_loses_nothing(void **state)
{
	(void)state;
	crash(50, 20);
	struct spool *s = open_spool(1 << 20);
	int left = (int)spool_state(s).left;
	assert_in_range(left, 30, 50); /* what was acknowledged last may come again */
	drain("left", s, 50 - left, 50, 50);
	check_empty("left", s);
	OK(spool_close(s, e));
}

static char *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *p = malloc(65536);
	if (!f || !p)
		fail_msg("%s", path);
	*n = fread(p, 1, 65536, f);
	fclose(f);
	return p;
}

static void spill(const char *path, const char *p, size_t n)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n)
		fail_msg("%s", path);
	fclose(f);
}

/* The records of a spool whose segment has these bytes: a bit for each of the first, those that were appended before. */
static unsigned read_all(const char *row, struct spool_state *st)
{
	struct spool *s = open_spool(1 << 20);
	struct spool_record r;
	unsigned seen = 0;
	int last = -1;
	while (spool_next(s, &r, NULL) == 1) {
		int no = atoi(r.data);
		CHECK(row, no > last && no < 4);
		check_record(row, &r, no);
		last = no;
		seen |= 1u << no;
	}
	*st = spool_state(s);
	OK(spool_close(s, e));
	return seen;
}

static void forget_damage(const struct spool_state *st)
{
	char path[400];
	if (!st->file[0])
		return;
	snprintf(path, sizeof path, "%s/%s", dir, st->file);
	unlink(path);
}

/* Where each of four records ends in the one segment, whose path and bytes these are. */
static char *four_records(char path[400], size_t *n, uint64_t end[4])
{
	struct spool *s = open_spool(1 << 20);
	struct spool_record r;
	OK(append(s, 0, 4, e));
	for (int i = 0; i < 4; i++) {
		assert_int_equal(spool_next(s, &r, NULL), 1);
		end[i] = r.end.offset;
	}
	OK(spool_close(s, e));
	snprintf(path, 400, "%s/lines.00000001", dir);
	return slurp(path, n);
}

static void test_a_file_cut_anywhere(void **state)
{
	char path[400], row[64];
	uint64_t end[4];
	size_t n;
	char *bytes = four_records(path, &n, end);
	(void)state;
	for (size_t cut = 0; cut <= n; cut++) {
		struct spool_state st;
		unsigned want = 0;
		bool whole = cut == 0;
		for (int i = 0; i < 4; i++) {
			want |= end[i] <= cut ? 1u << i : 0;
			whole |= end[i] == cut;
		}
		snprintf(row, sizeof row, "cut at %zu", cut);
		spill(path, bytes, cut);
		CHECK_INT(row, read_all(row, &st), want);
		CHECK_INT(row, st.cut, !whole);
		CHECK_INT(row, st.damaged, 0);
		forget_damage(&st);
	}
	free(bytes);
}

static void test_a_byte_gone_bad_anywhere(void **state)
{
	char path[400], row[64];
	uint64_t end[4];
	size_t n;
	char *bytes = four_records(path, &n, end);
	(void)state;
	for (size_t at = 0; at < n; at++) {
		struct spool_state st;
		unsigned want = 15;
		for (int i = 0; i < 4; i++)
			if (at < end[i] && (i == 0 || at >= end[i - 1]))
				want &= ~(1u << i);
		snprintf(row, sizeof row, "bad byte at %zu", at);
		bytes[at] ^= 0x20;
		spill(path, bytes, n);
		CHECK_INT(row, read_all(row, &st), want);
		CHECK_INT(row, st.damaged + st.cut, 1);
		char aside[400];
		size_t got, from = want == 14 ? 0 : (size_t)end[want == 13 ? 0 : want == 11 ? 1 : 2];
		snprintf(aside, sizeof aside, "%s/%s", dir, st.file);
		char *kept = slurp(aside, &got);
		CHECK(row, got > 20 && memcmp(kept, bytes + from, got) == 0);
		free(kept);
		forget_damage(&st);
		bytes[at] ^= 0x20;
	}
	free(bytes);
}

static void test_limits(void **state)
{
	struct spool *s = open_spool(8192);
	int in = 0;
	(void)state;
	struct err err = { 0 };
	while (append(s, in, in + 4, &err) == 0)
		in += 4;
	assert_int_equal(err.cls, ERR_UNAVAILABLE);
	assert_string_equal(err.code, "spool-full");
	assert_in_range(in, 100, 200);
	assert_in_range(segments(), 6, 12);
	drain("half", s, 0, in / 2, in / 2); /* whole segments go, and there is room again */
	assert_in_range(segments(), 3, 7);
	OK(append(s, in, in + 4, e));
	drain("the rest", s, in / 2, in + 4, in + 4);
	assert_int_equal(segments(), 0);
	OK(spool_close(s, e));
}

static void test_a_full_disk(void **state)
{
	struct rlimit old, small = { 0 };
	struct spool *s = open_spool(1 << 20);
	(void)state;
	OK(append(s, 0, 4, e));
	getrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_IGN);
	small = old;
	small.rlim_cur = 400;
	setrlimit(RLIMIT_FSIZE, &small);
	FAILS(append(s, 4, 40, e), ERR_LOCAL, "");
	assert_int_equal(spool_state(s).left, 4);
	setrlimit(RLIMIT_FSIZE, &old);
	OK(append(s, 4, 8, e));
	drain("around", s, 0, 8, 8);
	OK(spool_close(s, e));
}

static void test_only_for_its_target(void **state)
{
	static const struct {
		const char *stream, *at;
	} others[] = { { "other", "here" }, { "clicks", "there" } };
	struct spool *s = open_spool(1 << 20);
	(void)state;
	OK(spool_close(s, e));
	for (size_t i = 0; i < ROWS(others); i++) {
		struct spool_conf c = conf(1 << 20);
		c.stream = others[i].stream;
		c.at = others[i].at;
		FAILS(spool_open(&s, &c, NULL, NULL, e), ERR_USAGE, "");
	}
	struct spool_conf c = conf(1 << 20);
	char other[400], file[420];
	snprintf(other, sizeof other, "%s/other", test_dir);
	snprintf(file, sizeof file, "%s/x", other);
	mkdir(other, 0700);
	spill(file, "", 0);
	c.dir = other;
	FAILS(spool_open(&s, &c, NULL, NULL, e), ERR_USAGE, "");
}

static void test_one_process_at_a_time(void **state)
{
	int ready[2], over[2];
	char c;
	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(over), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct spool *s = open_spool(1 << 20);
		close(over[1]);
		_exit(write(ready[1], "", 1) == 1 && read(over[0], &c, 1) == 0 && s ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	struct spool_conf sc = conf(1 << 20);
	struct spool *s = NULL;
	struct err err = { 0 };
	char want[32];
	assert_int_equal(spool_open(&s, &sc, NULL, NULL, &err), -1);
	assert_string_equal(err.code, "spool-in-use");
	snprintf(want, sizeof want, "process %ld", (long)pid);
	assert_non_null(strstr(err.msg, want));
	close(over[1]);
	waitpid(pid, NULL, 0);
	s = open_spool(1 << 20); /* a dead process holds nothing */
	OK(spool_close(s, e));
	close(over[0]);
	close(ready[0]);
	close(ready[1]);
}

static void test_a_lost_position_sends_again(void **state)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "gone", NULL },
		{ "empty", "" },
		{ "garbage", "1 2 3 4\n\n\n" },
		{ "beyond the end", "9 1 999999 00000000" },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct spool *s = open_spool(1 << 20);
		char path[400];
		OK(append(s, 0, 8, e));
		drain(rows[i].name, s, 0, 8, 4);
		OK(spool_close(s, e));
		snprintf(path, sizeof path, "%s/position", dir);
		if (rows[i].text)
			spill(path, rows[i].text, strlen(rows[i].text));
		else
			unlink(path);
		s = open_spool(1 << 20);
		drain(rows[i].name, s, 0, 8, 8);
		check_empty(rows[i].name, s);
		OK(spool_close(s, e));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_goes_in_comes_out),
		TEST(test_files_are_private),
		TEST(test_a_crash_loses_nothing),
		TEST(test_a_file_cut_anywhere),
		TEST(test_a_byte_gone_bad_anywhere),
		TEST(test_limits),
		TEST(test_a_full_disk),
		TEST(test_only_for_its_target),
		TEST(test_one_process_at_a_time),
		TEST(test_a_lost_position_sends_again),
	};
	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
