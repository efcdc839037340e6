/* json_scan_test.c - the scanner: what it takes, what it refuses, where members stand. */
#include "check.h"

#include "base/json.h"
#include "base/mem.h"
#include <stdlib.h>

/* A copy of exactly n bytes: a read behind the end is seen by the sanitizer. */
static char *exact(const char *s, size_t n)
{
	char *p = malloc(n ? n : 1);

	assert_non_null(p);
	if (n)
		memcpy(p, s, n);
	return p;
}

static const struct {
	const char *in;
	enum json_type type;
} good[] = {
	{ "null", JSON_NULL },
	{ " true ", JSON_TRUE },
	{ "\t\r\nfalse", JSON_FALSE },
	{ "0", JSON_NUMBER },
	{ "-0", JSON_NUMBER },
	{ "-0.0e-0", JSON_NUMBER },
	{ "1e400", JSON_NUMBER },
	{ "1E+2", JSON_NUMBER },
	{ "14.990", JSON_NUMBER },
	{ "12345678901234567890123456789012345678901234567890", JSON_NUMBER },
	{ "\"\"", JSON_STRING },
	{ "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", JSON_STRING },
	{ "\"\\ud83d\\ude00\\uD83D\\uDE00\"", JSON_STRING },
	{ "\"\\u0000\"", JSON_STRING },
	{ "\"\\ud7ff\\ue000\\uffff\"", JSON_STRING },
	{ "\"\x7f\"", JSON_STRING },
	{ "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xee\x80\x80\xed\x9f\xbf\"", JSON_STRING },
	{ "[]", JSON_ARRAY },
	{ "[ ]", JSON_ARRAY },
	{ "[1,[2,[]],{}]", JSON_ARRAY },
	{ "[1 , 2]", JSON_ARRAY },
	{ "{}", JSON_OBJECT },
	{ "{ }", JSON_OBJECT },
	{ "{\"\":0}", JSON_OBJECT },
	{ "{\"a\":{\"b\":[{\"c\":null}]},\"a\":1}", JSON_OBJECT },
	{ "{ \"a\" : 1 , \"b\" : [ true , false ] }\n", JSON_OBJECT },
};

static const char *const refused[] = { "nul", "nulll", "True", "NaN", "Infinity", "-", "+1", "01", "-01",
	"1.", ".5", "1.e5", "1e", "1e+", "1.2.3", "0x10", "1 2", "--1", "\"", "\"a", "'a'", "\"\\x\"",
	"\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "\"a\tb\"", "\"\x1f\"", "\"\\ud800\"", "\"\\udc00\"",
	"\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\x80\"", "\"\xc3\"", "\"\xc0\x80\"",
	"\"\xc1\xbf\"", "\"\xe0\x80\x80\"", "\"\xe0\x9f\xbf\"", "\"\xed\xa0\x80\"", "\"\xed\xbf\xbf\"",
	"\"\xf0\x80\x80\x80\"", "\"\xf0\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"",
	"\"\xff\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "]", "{", "{\"a\"", "{\"a\":", "{\"a\":1",
	"{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:2}", "{\"a\" 1}", "{\"a\",1}", "{\"a\":1]", "[1}", "{}}",
	"[]]", "{} {}", "// c\n1", "[1/**/]", "\xef\xbb\xbf{}",
	"\x0b"
	"1",
	"\xa0"
	"1",
	"1\f", "", " ", "nullnull", "{\"a\":1 \"b\":2}", "tru", "[tru]", "{\"\\ud800\":1}" };

static void test_values(void **state)
{
	(void)state;

	for (size_t i = 0; i < ROWS(good); i++) {
		size_t n = strlen(good[i].in);
		char *p = exact(good[i].in, n);
		enum json_type type = JSON_NONE;

		CHECK_INT(good[i].in, json_scan(p, n, &type, NULL), 0);
		CHECK_INT(good[i].in, type, good[i].type);
		free(p);
	}
	for (size_t i = 0; i < ROWS(refused); i++) {
		size_t n = strlen(refused[i]);
		char *p = exact(refused[i], n);
		struct err e = { 0 };

		CHECK_INT(refused[i], json_scan(p, n, NULL, &e), -1);
		CHECK_INT(refused[i], e.cls, ERR_REFUSED);
		CHECK(refused[i], strstr(e.msg, "at byte ") != NULL);
		free(p);
	}
	assert_int_equal(json_scan("1\0", 2, NULL, NULL), -1);
	assert_int_equal(json_scan("\"\0\"", 3, NULL, NULL), -1);
	assert_int_equal(json_scan(NULL, 0, NULL, NULL), -1);
}

static void test_messages(void **state)
{
	(void)state;
	static const struct {
		const char *in, *msg;
	} rows[] = {
		{ "{\"a\":1,}", "not JSON: a key must be a string, at byte 7" },
		{ "{\"a\":tru}", "not JSON: not a JSON value, at byte 8" },
		{ "{\"a\":1} x", "not JSON: text after the value, at byte 8" },
		{ "[1]", "not JSON: not an object, at byte 0" },
		{ "{\"a\":[1", "not JSON: it ends too early, at byte 7" },
		{ "{\"user_id\":1,\"b\":2,\"user_id\":3}", "not JSON: duplicate key, at byte 28" },
		{ "{\"k\":\"\xff\"}", "not JSON: invalid UTF-8, at byte 6" },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct json_member want[] = { { .name = "user_id" } };
		struct json_object o;
		struct err e = { 0 };

		CHECK_INT(rows[i].in, json_scan_object(rows[i].in, strlen(rows[i].in), want, 1, &o, &e), -1);
		CHECK_STR(rows[i].in, e.msg, rows[i].msg);
	}
}

static void test_depth(void **state)
{
	(void)state;
	size_t n = 1000000;
	char *deep = mem_alloc(n);

	for (size_t d = JSON_MAX_DEPTH - 1; d <= JSON_MAX_DEPTH + 1; d++) {
		memset(deep, '[', d);
		memset(deep + d, ']', d);
		assert_int_equal(json_scan(deep, 2 * d, NULL, NULL), d <= JSON_MAX_DEPTH ? 0 : -1);
		cJSON *t = json_tree(deep, 2 * d, NULL);
		assert_int_equal(t != NULL, d <= JSON_MAX_DEPTH);
		cJSON_Delete(t);
	}
	/* The same limit inside an object that is scanned for members. */
	for (size_t d = JSON_MAX_DEPTH - 2; d <= JSON_MAX_DEPTH; d++) {
		struct json_object o;

		memcpy(deep, "{\"a\":", 5);
		memset(deep + 5, '[', d);
		memset(deep + 5 + d, ']', d);
		deep[5 + 2 * d] = '}';
		assert_int_equal(
			json_scan_object(deep, 6 + 2 * d, NULL, 0, &o, NULL), d < JSON_MAX_DEPTH ? 0 : -1);
	}
	memset(deep, '[', n);
	assert_int_equal(json_scan(deep, n, NULL, NULL), -1);
	for (size_t i = 0; i + 5 <= n; i += 5)
		memcpy(deep + i, "{\"a\":", 5);
	assert_int_equal(json_scan(deep, n, NULL, NULL), -1);
	free(deep);
}

static const struct {
	const char *name, *in, *value, *without;
} members[] = {
	{ "only", "{\"k\":1}", "1", "{}" },
	{ "only, spaced", " { \"k\" : 1 } ", "1", " {  } " },
	{ "first", "{\"k\":\"v\",\"b\":2}", "\"v\"", "{\"b\":2}" },
	{ "middle", "{\"a\":1,\"k\":[1,{}],\"b\":2}", "[1,{}]", "{\"a\":1,\"b\":2}" },
	{ "last", "{\"a\":1,\"k\":{\"x\":1}}", "{\"x\":1}", "{\"a\":1}" },
	{ "last, appended by us", "{\"a\":1 ,\"k\":null}", "null", "{\"a\":1 }" },
	{ "last, spaced", "{ \"a\" : 1 , \"k\" : true }", "true", "{ \"a\" : 1  }" },
	{ "escaped name", "{\"\\u006b\":1}", "1", "{}" },
	{ "not nested ones", "{\"a\":{\"k\":1},\"b\":[{\"k\":2}]}", NULL, NULL },
	{ "not a prefix", "{\"kk\":1,\"\":2}", NULL, NULL },
	{ "not the other case", "{\"K\":1}", NULL, NULL },
	{ "not with a NUL behind", "{\"k\\u0000\":1}", NULL, NULL },
	{ "others may repeat", "{\"a\":1,\"a\":2,\"k\":3}", "3", "{\"a\":1,\"a\":2}" },
};

static void test_members(void **state)
{
	(void)state;

	for (size_t i = 0; i < ROWS(members); i++) {
		const char *name = members[i].name, *in = members[i].in;
		struct json_member want[] = { { .name = "other" }, { .name = "k" } };
		struct json_object o;
		size_t n = strlen(in);
		char cut[100];

		CHECK_INT(name, json_scan_object(in, n, want, 2, &o, NULL), 0);
		CHECK_INT(name, want[0].type, JSON_NONE);
		CHECK_INT(name, want[1].type != JSON_NONE, members[i].value != NULL);
		if (!members[i].value)
			continue;
		CHECK_INT(name, want[1].len, strlen(members[i].value));
		CHECK(name, memcmp(in + want[1].off, members[i].value, want[1].len) == 0);
		memcpy(cut, in, want[1].cut_off);
		memcpy(cut + want[1].cut_off, in + want[1].cut_off + want[1].cut_len,
			n - want[1].cut_off - want[1].cut_len);
		cut[n - want[1].cut_len] = '\0';
		CHECK_STR(name, cut, members[i].without);
		CHECK_INT(name, json_scan_object(cut, strlen(cut), NULL, 0, &o, NULL), 0);
	}
}

static void test_object_facts(void **state)
{
	(void)state;
	struct json_object o;
	struct json_member twice[] = { { .name = "k", .type = JSON_TRUE } };
	const char *s = " \n{\"a\":\"\\n\",\"b\":{\"c\":1}} ";

	assert_int_equal(json_scan_object(s, strlen(s), NULL, 0, &o, NULL), 0);
	assert_int_equal(o.off, 2);
	assert_int_equal(o.len, strlen(s) - 3);
	assert_int_equal(o.members, 2);
	assert_true(o.newlines);
	assert_int_equal(json_scan_object("{\"a\":\"\\n\"}", 10, NULL, 0, &o, NULL), 0);
	assert_false(o.newlines);
	assert_int_equal(json_scan_object("{\"a\":[\r]}", 9, NULL, 0, &o, NULL), 0);
	assert_true(o.newlines);
	/* What an earlier scan left in the members is forgotten. */
	assert_int_equal(json_scan_object("{\"k\":1}", 7, twice, 1, &o, NULL), 0);
	assert_int_equal(json_scan_object("{}", 2, twice, 1, &o, NULL), 0);
	assert_int_equal(twice[0].type, JSON_NONE);
	assert_int_equal(json_scan_object("{\"k\":1,\"\\u006b\":2}", 18, twice, 1, &o, NULL), -1);
}

/* Every cut of a good text is a beginning; the whole text is found whatever was tried before. */
static void test_prefix_cuts(void **state)
{
	(void)state;

	for (size_t i = 0; i < ROWS(good); i++) {
		char text[200];
		size_t used, n = (size_t)snprintf(text, sizeof(text), "%s {\"next\":1}", good[i].in);
		size_t value = strlen(good[i].in);

		while (value && strchr(" \t\r\n", text[value - 1]))
			value--;
		for (size_t cut = 0; cut <= n; cut++) {
			char *p = exact(text, cut);
			bool whole = good[i].type == JSON_NUMBER ? cut > value : cut >= value;

			CHECK_INT(good[i].in, json_scan_prefix(p, cut, &used, NULL, NULL), whole);
			CHECK(good[i].in, used <= cut);
			if (whole)
				CHECK_INT(good[i].in, used, value);
			free(p);
		}
	}
	for (size_t i = 0; i < ROWS(refused); i++) {
		size_t n = strlen(refused[i]), used, sum = 0;
		int rc;

		/* Values that stand side by side may be fine: the rest must end badly or stay open. */
		while ((rc = json_scan_prefix(refused[i] + sum, n - sum, &used, NULL, NULL)) == 1)
			sum += used;
		CHECK(refused[i], rc == -1 || (rc == 0 && sum + used <= n));
	}
}

/* No cut of a text gives another answer than a longer one, but "not yet". */
static void test_prefix_is_steady(void **state)
{
	(void)state;

	for (size_t i = 0; i < ROWS(refused); i++) {
		size_t n = strlen(refused[i]), used, used_all;
		int all = json_scan_prefix(refused[i], n, &used_all, NULL, NULL);

		for (size_t cut = 0; cut < n; cut++) {
			char *p = exact(refused[i], cut);
			int rc = json_scan_prefix(p, cut, &used, NULL, NULL);

			CHECK(refused[i], rc == 0 || (rc == all && (rc < 0 || used == used_all)));
			free(p);
		}
	}
}

static void test_prefix_concatenated(void **state)
{
	(void)state;
	const char *s = "{\"a\":1}{\"b\":\"}{\"}\n[2]\"x\"3 true";
	size_t n = strlen(s), at = 0, used, count = 0;
	enum json_type type,
		want[] = { JSON_OBJECT, JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE };

	while (json_scan_prefix(s + at, n - at, &used, &type, NULL) == 1) {
		assert_int_equal(type, want[count++]);
		at += used;
	}
	assert_int_equal(count, 6);
	assert_int_equal(at, n);
	assert_int_equal(json_scan_prefix("  \n", 3, &used, NULL, NULL), 0);
	assert_int_equal(used, 3);
	assert_int_equal(json_scan_prefix("12", 2, &used, NULL, NULL), 0);
	assert_int_equal(json_scan_prefix("12\n", 3, &used, NULL, NULL), 1);
}

static void test_utf8(void **state)
{
	(void)state;

	assert_true(utf8_valid("", 0));
	assert_true(utf8_valid("12345678\xc3\xa9"
			       "12345678",
		18));
	assert_true(utf8_valid("a\0b", 3));
	assert_false(utf8_valid("12345678\xc3", 9));
	assert_false(utf8_valid("1234567\xed\xa0\x80", 10));
	/* Every sequence of up to three bytes against a plain statement of RFC 3629. */
	for (unsigned v = 0; v < 0x110000 + 0x1000; v += v < 0x3000 ? 1 : 61) {
		char s[4];
		size_t n;

		if (v < 0x80)
			n = 1, s[0] = (char)v;
		else if (v < 0x800)
			n = 2, s[0] = (char)(0xc0 | v >> 6), s[1] = (char)(0x80 | (v & 63));
		else if (v < 0x10000)
			n = 3, s[0] = (char)(0xe0 | v >> 12), s[1] = (char)(0x80 | (v >> 6 & 63)),
			s[2] = (char)(0x80 | (v & 63));
		else
			n = 4, s[0] = (char)(0xf0 | v >> 18), s[1] = (char)(0x80 | (v >> 12 & 63)),
			s[2] = (char)(0x80 | (v >> 6 & 63)), s[3] = (char)(0x80 | (v & 63));
		assert_int_equal(utf8_valid(s, n), v <= 0x10ffff && !(v >= 0xd800 && v <= 0xdfff));
		for (size_t cut = 1; cut < n; cut++)
			assert_false(utf8_valid(s, cut));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_object_facts),
		cmocka_unit_test(test_prefix_cuts),
		cmocka_unit_test(test_prefix_is_steady),
		cmocka_unit_test(test_prefix_concatenated),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
