/* split_test.c - values out of a stream of bytes, the same however it is cut into pieces; damage stays where it is. */
#include "check.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/split.h"
#include <stdlib.h>

struct got {
	struct buf text; /* the values, each with '|' behind, '!' before the '|' when cut */
	uint64_t n;
	int stop_at; /* the sink ends the feeding at this value; 0: never */
};

static int on_value(const struct split_value *v, void *arg, struct err *e)
{
	struct got *g = arg;

	(void)e;
	assert_int_equal(v->no, g->n + 1);
	assert_int_equal(v->p[v->len], 0);
	g->n = v->no;
	buf_add(&g->text, v->p, v->len);
	buf_str(&g->text, v->too_long ? "!|" : "|");
	return g->stop_at && v->no == (uint64_t)g->stop_at ? 7 : 0;
}

/* Feed s in pieces of `piece` bytes (0: all at once). */
static int feed(struct got *g, const char *s, size_t n, size_t piece, size_t limit)
{
	struct split sp;
	struct err e = { 0 };
	int rc = 0;

	buf_release(&g->text);
	buf_init(&g->text, 1 << 20);
	g->n = 0;
	split_init(&sp, limit, on_value, g);
	for (size_t i = 0, k; i < n && rc == 0; i += k) {
		k = piece && piece < n - i ? piece : n - i;
		rc = split_feed(&sp, s + i, k, &e);
	}
	if (rc == 0)
		rc = split_finish(&sp, &e);
	split_release(&sp);
	return rc;
}

static const struct {
	const char *name, *in, *want;
	size_t limit;
} rows[] = {
	{ "nothing", "", "", 0 },
	{ "white space", " \r\n\t\n", "", 0 },
	{ "one a line", "{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}|{\"b\":2}|", 0 },
	{ "no newline at the end", "{\"a\":1}\n{\"b\":2}", "{\"a\":1}|{\"b\":2}|", 0 },
	{ "CRLF", "{\"a\":1}\r\n{\"b\":2}\r\n", "{\"a\":1}|{\"b\":2}|", 0 },
	{ "without anything between", "{\"a\":1}{\"b\":{\"c\":[]}}{}", "{\"a\":1}|{\"b\":{\"c\":[]}}|{}|",
		0 },
	{ "RFC 7464", "\x1e{\"a\":1}\n\x1e{\"b\":2}\n", "{\"a\":1}|{\"b\":2}|", 0 },
	{ "commas between", "{\"a\":1},\n{\"b\":2},\n", "{\"a\":1}|{\"b\":2}|", 0 },
	{ "BOM", "\xef\xbb\xbf{\"a\":1}\n{\"b\":2}", "{\"a\":1}|{\"b\":2}|", 0 },
	{ "a BOM further on is no space", "{\"a\":1}\n\xef\xbb\xbf{\"b\":2}",
		"{\"a\":1}|\xef\xbb\xbf|{\"b\":2}|", 0 },
	{ "braces and quotes in strings", "{\"a\":\"}{\\\"[\"}{\"b\":\"\\\\\"}",
		"{\"a\":\"}{\\\"[\"}|{\"b\":\"\\\\\"}|", 0 },
	{ "pretty-printed", "{\n \"a\": [\n  {\n   \"b\": 1\n  },\n  {}\n ],\n \"c\":\n {}\n}\n{\"d\":1}",
		"{\n \"a\": [\n  {\n   \"b\": 1\n  },\n  {}\n ],\n \"c\":\n {}\n}|{\"d\":1}|", 0 },
	{ "scalars", "1\n\"x y\"\nnull\n{}", "1|\"x y\"|null|{}|", 0 },
	{ "an object behind a scalar", "junk{\"a\":1}", "junk|{\"a\":1}|", 0 },
	{ "an array", "[1,\n2]\n{}", "[1,\n2]|{}|", 0 },
	{ "cut in a string", "{\"a\":1}\n{\"b\":\"x\n{\"c\":3}\n", "{\"a\":1}|{\"b\":\"x|{\"c\":3}|", 0 },
	{ "cut behind a value", "{\"a\":1}\n{\"b\":2\n{\"c\":3}\n", "{\"a\":1}|{\"b\":2|{\"c\":3}|", 0 },
	{ "cut behind a comma", "{\"a\":1,\n{\"b\":2}\n{\"c\":3}\n", "{\"a\":1,|{\"b\":2}|{\"c\":3}|", 0 },
	{ "cut behind a comma, last but one", "{\"a\":1,\n{\"b\":2}\n", "{\"a\":1,|{\"b\":2}|", 0 },
	{ "cut behind a colon", "{\"a\":\n{\"b\":2}\n{\"c\":3}\n", "{\"a\":|{\"b\":2}|{\"c\":3}|", 0 },
	{ "cut behind a bracket", "{\"a\":[\n{\"b\":2}{\"c\":3}\n{\"d\":4}",
		"{\"a\":[|{\"b\":2}|{\"c\":3}|{\"d\":4}|", 0 },
	{ "a brace too few", "{\"a\":{\"b\":1}\n{\"c\":3}\n", "{\"a\":{\"b\":1}|{\"c\":3}|", 0 },
	{ "a brace too many", "{\"a\":1}}\n{\"c\":3}\n", "{\"a\":1}|}|{\"c\":3}|", 0 },
	{ "a quote too many", "{\"a\"\":1}\n{\"c\":3}\n", "{\"a\"\":1}|{\"c\":3}|", 0 },
	{ "another bracket", "{\"a\":[1}\n{\"c\":3}\n", "{\"a\":[1}|{\"c\":3}|", 0 },
	{ "another bracket, lines later", "{\"a\":1,\n{\"c\":3}\n]\n{}", "{\"a\":1,|{\"c\":3}|]|{}|", 0 },
	{ "two damaged lines", "{\"a\":\n{\"b\n{\"c\":3}\n", "{\"a\":|{\"b|{\"c\":3}|", 0 },
	{ "the end inside", "{\"a\":1}{\"b\":", "{\"a\":1}|{\"b\":|", 0 },
	{ "as long as the limit", "{\"a\":12}{\"b\":3}", "{\"a\":12}|{\"b\":3}|", 8 },
	{ "over the limit", "{\"a\":123}\n{\"b\":3}", "{\"a\":123!|{\"b\":3}|", 8 },
	{ "over the limit on one line with others", "{\"a\":123}{\"b\":3}\n{\"c\":4}",
		"{\"a\":123!|{\"b\":3}|{\"c\":4}|", 8 },
	{ "over the limit and unbalanced", "{\"a\":{123\n{\"b\":3}", "{\"a\":{12!|{\"b\":3}|", 8 },
	{ "several lines over the limit", "[1,\n{\"b\":3},\n{\"c\":4}]", "[1,|{\"b\":3}|{\"c\":4}|]|", 16 },
	{ "a long string over the limit", "{\"a\":\"xxxxxxxxxxxxxxxxxx\"}\n{\"b\":3}",
		"{\"a\":\"xx!|{\"b\":3}|", 8 },
	{ "NUL and bytes that are no UTF-8", "{\"a\":\x80\xff}\n{\"b\":3}", "{\"a\":\x80\xff}|{\"b\":3}|",
		0 },
};

static void test_values(void **state)
{
	struct got g = { 0 };
	char row[128];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t piece = 0; piece <= 4; piece++) {
			size_t limit = rows[i].limit ? rows[i].limit : 1000;
			snprintf(row, sizeof row, "%s, in pieces of %zu", rows[i].name, piece);
			CHECK_INT(row, feed(&g, rows[i].in, strlen(rows[i].in), piece, limit), 0);
			CHECK_STR(row, g.text.p ? g.text.p : "", rows[i].want);
		}
	buf_release(&g.text);
}

static void test_the_sink_ends_it(void **state)
{
	struct got g = { .stop_at = 2 };

	(void)state;
	static const char *const ins[] = { "{}{}{}", "{}\n{}\n{}\n", "{}\n{\"a\":\n{}{}\n{}", "{}\n{\"a\":" };
	for (size_t i = 0; i < ROWS(ins); i++) {
		CHECK_INT(ins[i], feed(&g, ins[i], strlen(ins[i]), 1, 100), 7);
		CHECK_INT(ins[i], g.n, 2);
	}
	buf_release(&g.text);
}

static unsigned next(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed / 65536 % n;
}

/* Valid objects between damaged lines, in random layouts: each valid line comes out, and any cut gives the same. */
static void test_neighbours_of_damage_survive(void **state)
{
	static const char *const good[] = { "{\"user_id\":\"a\",\"m\":{\"x\":[1,{}]}}", "{}",
		"{\"s\":\"{[\\\"\"}" };
	static const char *const bad[] = { "{\"a\":", "{\"a\":1,", "{\"a\":\"x", "{\"a\":[", "{\"a\":[1,",
		"]", "nope", "{\"a\":1", "\"", "{\"a\"\":1}", "{{", "{\"a\":{\"b\":{}}", "[{", "\xff" };
	struct got g = { 0 };
	char in[4096], want[64], row[64], whole[8192];
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t n = 0, expected = 0;
		for (unsigned lines = 2 + next(&seed, 6); lines; lines--) {
			bool ok = next(&seed, 3) != 0;
			const char *s = ok ? good[next(&seed, ROWS(good))] : bad[next(&seed, ROWS(bad))];
			n += (size_t)snprintf(in + n, sizeof in - n, "%s\n", s);
			expected += ok;
		}
		snprintf(row, sizeof row, "round %d", round);
		CHECK_INT(row, feed(&g, in, n, 0, 1000), 0);
		snprintf(whole, sizeof whole, "|%s", g.text.p);
		size_t found = 0;
		for (size_t i = 0; i < ROWS(good); i++) {
			snprintf(want, sizeof want, "|%s|", good[i]);
			for (const char *p = whole; (p = strstr(p, want)); p++)
				found++;
		}
		if (found != expected)
			fail_msg("%s: %zu of %zu lines survive in %s: %s", row, found, expected, in, whole);
		CHECK_INT(row, feed(&g, in, n, 1 + next(&seed, 5), 1000), 0);
		CHECK_STR(row, g.text.p, whole + 1);
	}
	buf_release(&g.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_the_sink_ends_it),
		cmocka_unit_test(test_neighbours_of_damage_survive),
	};
	return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
