/* opts_test.c - option tables: values, defaults, environment, messages, help. */
#include "check.h"

#include "base/opts.h"
#include <stdlib.h>

struct own {
	const char *stream, *max_age;
	uint64_t limit, size;
	int64_t linger;
	struct when since;
	double speed;
	int order;
	bool quiet;
	struct opt_list meta;
};
struct shared {
	int verbose;
	bool help;
	uint64_t max_line;
};

#define OWN(f) offsetof(struct own, f)
#define SHARED(f) offsetof(struct shared, f)

static const struct opt own_table[] = {
	{ 's', "stream", "NAME", OPT_STR, OWN(stream), "TEST_STREAM", "user-interactions", NULL,
		"read this stream", 0, 0 },
	{ 'n', "limit", "N", OPT_UINT, OWN(limit), "TEST_LIMIT", "0", NULL, "stop after N events", 0, 1000 },
	{ 0, "size", "BYTES", OPT_SIZE, OWN(size), NULL, "5MiB", NULL, "most bytes of a batch", 1, 0 },
	{ 0, "linger", "TIME", OPT_MS, OWN(linger), NULL, "100ms", NULL, "wait this long", 0, 60000 },
	{ 0, "since", "TIME", OPT_WHEN, OWN(since), NULL, NULL, NULL, "begin here", 0, 0 },
	{ 0, "speed", "N", OPT_NUM, OWN(speed), NULL, "1.5", NULL, "this many times as fast", 0, 0 },
	{ 0, "order", "HOW", OPT_CHOICE, OWN(order), NULL, "none", "key|none", "what stays in order", 0, 0 },
	{ 'q', "quiet", NULL, OPT_FLAG, OWN(quiet), "TEST_QUIET", NULL, NULL, "no receipts", 0, 0 },
	{ 'm', "meta", "K=V", OPT_LIST, OWN(meta), NULL, NULL, NULL, "metadata", 0, 0 },
	{ 0, "max-age", "X", OPT_STR, OWN(max_age), NULL, NULL, NULL,
		"a long help text that must be wrapped since it does not fit into what is left of eighty "
		"columns",
		0, 0 },
	{ 0 },
};
static const struct opt shared_table[] = {
	{ 'v', "verbose", NULL, OPT_COUNT, SHARED(verbose), NULL, NULL, NULL, "say more", 0, 0 },
	{ 'h', "help", NULL, OPT_FLAG, SHARED(help), NULL, NULL, NULL, "show this", 0, 0 },
	{ 0, "max-line", "BYTES", OPT_SIZE, SHARED(max_line), NULL, "1m", NULL, "longest line", 0, 0 },
	{ 0 },
};

/* Parse words separated by blanks. */
static int parse(
	const char *words, struct own *own, struct shared *shared, char *copy, char **argv, struct err *e)
{
	struct opt_set sets[] = { { own_table, own }, { shared_table, shared } };
	int argc = 0;

	memset(own, 0, sizeof(*own));
	memset(shared, 0, sizeof(*shared));
	memcpy(copy, words, strlen(words) + 1);
	argv[argc++] = (char *)(uintptr_t) "recagent";
	for (char *p = copy; *p;) {
		argv[argc++] = p;
		p += strcspn(p, " ");
		while (*p == ' ')
			*p++ = '\0';
	}
	argv[argc] = NULL;
	return opts_parse(sets, 2, argc, argv, e);
}

static void release(struct own *own)
{
	struct opt_set set = { own_table, own };

	opts_release(&set, 1);
	assert_null(own->meta.v);
}

static void test_defaults_and_values(void **state)
{
	(void)state;
	struct own o;
	struct shared s;
	struct err e = { 0 };
	char copy[500], *argv[50];

	assert_int_equal(parse("", &o, &s, copy, argv, &e), 1);
	assert_string_equal(o.stream, "user-interactions");
	assert_true(o.limit == 0 && o.size == 5 << 20 && o.linger == 100 && o.speed == 1.5 && o.order == 1 &&
		    !o.quiet);
	assert_true(o.since.kind == WHEN_UNSET && o.meta.n == 0 && s.verbose == 0 && s.max_line == 1 << 20 &&
		    !o.max_age);
	release(&o);

	int first = parse("a -n 5 --size=64k b --linger 1.5s --since latest --speed 2e1 --order key -qvv -m "
			  "x=1 --meta y=2 -sZ --verb -- -c",
		&o, &s, copy, argv, &e);
	assert_string_equal(e.msg, "");
	assert_true(first > 0);
	assert_string_equal(argv[first], "a");
	assert_string_equal(argv[first + 1], "b");
	assert_string_equal(argv[first + 2], "-c");
	assert_null(argv[first + 3]);
	assert_string_equal(o.stream, "Z");
	assert_true(o.limit == 5 && o.size == 65536 && o.linger == 1500 && o.since.kind == WHEN_LATEST &&
		    o.speed == 20);
	assert_true(o.order == 0 && o.quiet && s.verbose == 3 && o.meta.n == 2);
	assert_string_equal(o.meta.v[1], "y=2");
	release(&o);
}

static void test_environment(void **state)
{
	(void)state;
	struct own o;
	struct shared s;
	struct err e = { 0 };
	char copy[100], *argv[20];

	setenv("TEST_STREAM", "from-env", 1);
	setenv("TEST_LIMIT", "", 1); /* empty: unset */
	setenv("TEST_QUIET", "yes", 1);
	assert_int_equal(parse("", &o, &s, copy, argv, &e), 1);
	assert_string_equal(o.stream, "from-env");
	assert_true(o.limit == 0 && o.quiet);
	assert_int_equal(parse("-s given", &o, &s, copy, argv, &e), 3);
	assert_string_equal(o.stream, "given");
	setenv("TEST_LIMIT", "many", 1);
	assert_int_equal(parse("", &o, &s, copy, argv, &e), -1);
	assert_string_equal(e.msg, "TEST_LIMIT: not a number: many");
	unsetenv("TEST_STREAM");
	unsetenv("TEST_LIMIT");
	unsetenv("TEST_QUIET");
}

static void test_messages(void **state)
{
	(void)state;
	static const struct {
		const char *words, *msg;
	} rows[] = {
		{ "--limit x", "--limit: not a number: x" },
		{ "-n -5", "--limit: not a number: -5" },
		{ "-n 1001", "--limit: must be at most 1000: 1001" },
		{ "-n 99999999999999999999", "--limit: not a number: 99999999999999999999" },
		{ "--size 0", "--size: must be at least 1: 0" },
		{ "--size 5x", "--size: not a size (such as 500, 64k or 5MiB): 5x" },
		{ "--linger 1w", "--linger: not a duration (such as 250ms, 30s or 15m): 1w" },
		{ "--linger 2m", "--linger: must be at most 60000 ms: 2m" },
		{ "--since yesterday", "--since: not a time (RFC 3339, now, trim-horizon, latest, or 15m for "
				       "15 minutes ago): yesterday" },
		{ "--speed 0x10", "--speed: not a number: 0x10" },
		{ "--speed nan", "--speed: not a number: nan" },
		{ "--order ke", "--order: not key|none: ke" },
		{ "--nope", "unknown option --nope; see --help" },
		{ "--nope=5", "unknown option --nope; see --help" },
		{ "a b --nope c", "unknown option --nope; see --help" },
		{ "-x", "unknown option -x; see --help" },
		{ "-qx", "unknown option -x; see --help" },
		{ "--max", "ambiguous option --max (--max-age, --max-line); see --help" },
		{ "--limit", "--limit needs a value (N); see --help" },
		{ "-n", "--limit needs a value (N); see --help" },
		{ "-qn", "--limit needs a value (N); see --help" },
		{ "--quiet=1", "--quiet takes no value; see --help" },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct own o;
		struct shared s;
		struct err e = { 0 };
		char copy[200], *argv[20];

		CHECK_INT(rows[i].words, parse(rows[i].words, &o, &s, copy, argv, &e), -1);
		CHECK_INT(rows[i].words, e.cls, ERR_USAGE);
		CHECK_STR(rows[i].words, e.msg, rows[i].msg);
		release(&o);
	}
}

static void test_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		uint64_t v;
	} rows[] = { { "0", 0 }, { "500", 500 }, { "500B", 500 }, { "64k", 65536 }, { "64K", 65536 },
		{ "64kb", 65536 }, { "5MiB", 5 << 20 }, { "5mib", 5 << 20 }, { "1g", 1 << 30 },
		{ "2T", (uint64_t)2 << 40 }, { "18446744073709551615", UINT64_MAX } };
	static const char *const bad[] = { "", "k", "-1", "1.5m", "5 k", "5ki", "5kk", "18446744073709551616",
		"99999999999g", "5i" };
	uint64_t v;

	for (size_t i = 0; i < ROWS(rows); i++) {
		CHECK(rows[i].in, size_parse(rows[i].in, &v));
		CHECK(rows[i].in, v == rows[i].v);
	}
	for (size_t i = 0; i < ROWS(bad); i++)
		CHECK(bad[i], !size_parse(bad[i], &v));
}

static void test_help(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(BUF_MAX_SMALL);

	opts_help(&b, own_table);
	assert_string_equal(b.p,
		"  -s, --stream NAME   read this stream [$TEST_STREAM or user-interactions]\n"
		"  -n, --limit N       stop after N events [$TEST_LIMIT or 0]\n"
		"      --size BYTES    most bytes of a batch [5MiB]\n"
		"      --linger TIME   wait this long [100ms]\n"
		"      --since TIME    begin here\n"
		"      --speed N       this many times as fast [1.5]\n"
		"      --order HOW     what stays in order: key|none [none]\n"
		"  -q, --quiet         no receipts [$TEST_QUIET]\n"
		"  -m, --meta K=V      metadata\n"
		"      --max-age X     a long help text that must be wrapped since it does not\n"
		"                      fit into what is left of eighty columns\n");
	for (char *p = b.p; *p; p += strcspn(p, "\n") + 1)
		assert_true(strcspn(p, "\n") <= 80);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_and_values),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
