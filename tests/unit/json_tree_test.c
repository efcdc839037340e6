/* json_tree_test.c - strings in and out of JSON, trees with numbers as text, readers. */
#include "check.h"

#include "base/json.h"
#include <stdlib.h>

static void test_unescape(void **state)
{
	(void)state;
	static const struct {
		const char *in, *want;
		size_t n;
		bool nul;
	} rows[] = {
		{ "\"\"", "", 0, false },
		{ "\"plain\"", "plain", 5, false },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8, false },
		{ "\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00x\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80x", 11,
			false },
		{ "\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf", 4, false },
		{ "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf",
			11, false },
		{ "\"a\\u0000b\"", "a\0b", 3, true },
		{ "\"\\\\u0000\"", "\\u0000", 6, false },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct buf b = BUF_INIT(100);
		bool nul = !rows[i].nul;

		buf_char(&b, '<');
		CHECK(rows[i].in, json_unescape(&b, rows[i].in, strlen(rows[i].in), &nul));
		CHECK_INT(rows[i].in, b.len - 1, rows[i].n);
		CHECK(rows[i].in, memcmp(b.p + 1, rows[i].want, rows[i].n) == 0);
		CHECK_INT(rows[i].in, nul, rows[i].nul);
		CHECK(rows[i].in, json_unescape(&b, rows[i].in, strlen(rows[i].in), NULL));
		buf_release(&b);
	}
}

static void test_quote(void **state)
{
	(void)state;
	static const struct {
		const char *name, *in, *want;
		size_t n;
	} rows[] = {
		{ "empty", "", "\"\"", 0 },
		{ "plain", "abcdefghijklmnop", "\"abcdefghijklmnop\"", 16 },
		{ "quotes", "a\"b\\c/", "\"a\\\"b\\\\c/\"", 6 },
		{ "controls", "\x01\b\t\n\x0b\f\r\x1f\033[2J",
			"\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\u001b[2J\"", 12 },
		{ "NUL", "a\0b", "\"a\\u0000b\"", 3 },
		{ "DEL far behind", "0123456789\x7f", "\"0123456789\\u007f\"", 11 },
		{ "C1", "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\"\\u0080\\u009b\\u009f\xc2\xa0\"", 8 },
		{ "UTF-8", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
			9 },
		{ "invalid",
			"a\xff"
			"b\xc3",
			"\"a\xef\xbf\xbd"
			"b\xef\xbf\xbd\"",
			4 },
		{ "surrogate", "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", 3 },
		{ "C1 after text",
			"12345678\xc2\x85"
			"12345678",
			"\"12345678\\u008512345678\"", 18 },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct buf b = BUF_INIT(200), back = BUF_INIT(200);

		CHECK(rows[i].name, json_quote(&b, rows[i].in, rows[i].n));
		CHECK_STR(rows[i].name, b.p, rows[i].want);
		CHECK_INT(rows[i].name, json_scan(b.p, b.len, NULL, NULL), 0);
		if (utf8_valid(rows[i].in, rows[i].n)) {
			CHECK(rows[i].name, json_unescape(&back, b.p, b.len, NULL));
			CHECK_INT(rows[i].name, back.len, rows[i].n);
			CHECK(rows[i].name, memcmp(back.p ? back.p : "", rows[i].in, rows[i].n) == 0);
		}
		buf_release(&b);
		buf_release(&back);
	}
}

static void test_flat(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(20);

	assert_true(json_copy_flat(&b, "{\r\n\"a\":\n\"\\n\"}", 13));
	assert_string_equal(b.p, "{  \"a\": \"\\n\"}");
	assert_false(json_copy_flat(&b, "{\r\n\"a\":\n\"\\n\"}", 13));
	assert_int_equal(b.len, 13);
	buf_release(&b);
}

static void test_tree_prints_as_it_stood(void **state)
{
	(void)state;
	static const struct {
		const char *in, *want; /* NULL: the same */
	} rows[] = {
		{ "null", NULL },
		{ "[true,false,null]", NULL },
		{ "14.990", NULL },
		{ "1e400", NULL },
		{ "-0", NULL },
		{ "{\"a\":12345678901234567890,\"b\":[1,{\"c\":\"x\"},[]],\"d\":{}}", NULL },
		{ " [ 1 , 2 ] ", "[1,2]" },
		{ "{ \"a\" : { \"b\" : 1E+2 } }", "{\"a\":{\"b\":1E+2}}" },
		{ "{\"\\u0061\\n\":\"\\u00e9\\/\"}", "{\"a\\n\":\"\xc3\xa9/\"}" },
		{ "{\"a\":1,\"a\":2}", NULL },
		{ "\"str\"", NULL },
		{ "{\"k\":\"\\\\\",\"l\":\"\\\"\"}", NULL },
		{ "[[[[]]],[1]]", NULL },
		{ "{\"\":{\"\":\"\"}}", NULL },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct buf b = BUF_INIT(1000);
		cJSON *t = json_tree(rows[i].in, strlen(rows[i].in), NULL);

		CHECK(rows[i].in, t != NULL);
		CHECK(rows[i].in, json_print(&b, t));
		CHECK_STR(rows[i].in, b.p, rows[i].want ? rows[i].want : rows[i].in);
		cJSON_Delete(t);
		buf_release(&b);
	}
}

static void test_tree_refuses(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "{", "[1,]", "{\"a\":\"\\u0000\"}", "{\"\\u0000\":1}",
		"\"\\u0000\"", "[[\"x\\u0000\"]]", "1 2", "\"\\ud800\"" };

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct err e = { 0 };

		CHECK(rows[i], json_tree(rows[i], strlen(rows[i]), &e) == NULL);
		CHECK_INT(rows[i], e.cls, ERR_REFUSED);
	}
}

static void test_readers(void **state)
{
	(void)state;
	const char *s = "{\"s\":\"x\",\"i\":-42,\"f\":1.5,\"e\":5e2,\"z\":5.00,\"big\":9223372036854775807,"
			"\"over\":9223372036854775808,"
			"\"min\":-9223372036854775808,\"huge\":1e400,\"t\":true,\"n\":null,\"neg0\":-0}";
	cJSON *t = json_tree(s, strlen(s), NULL), *number = cJSON_CreateNumber(7);
	int64_t i = 1;
	double d = 1;

	assert_string_equal(json_str(t, "s"), "x");
	assert_null(json_str(t, "i"));
	assert_null(json_str(t, "S"));
	assert_null(json_str(NULL, "s"));
	assert_true(json_int(t, "i", &i) && i == -42);
	assert_true(json_int(t, "e", &i) && i == 500);
	assert_true(json_int(t, "z", &i) && i == 5);
	assert_true(json_int(t, "neg0", &i) && i == 0);
	assert_true(json_int(t, "big", &i) && i == INT64_MAX);
	assert_true(json_int(t, "min", &i) && i == INT64_MIN);
	assert_false(json_int(t, "over", &i) || json_int(t, "f", &i) || json_int(t, "huge", &i) ||
		     json_int(t, "s", &i) || json_int(t, "none", &i) || json_int(NULL, "i", &i));
	assert_true(json_num(t, "f", &d) && d == 1.5);
	assert_false(json_num(t, "huge", &d) || json_num(t, "s", &d) || json_num(NULL, "f", &d));
	assert_true(json_node_num(number, &d) && d == 7);
	assert_false(json_node_num(NULL, &d));
	assert_true(json_bool(t, "t", false));
	assert_true(json_bool(t, "n", true));
	assert_false(json_bool(NULL, "t", false));
	cJSON_AddItemToObject(t, "made", number);
	assert_true(json_int(t, "made", &i) && i == 7);
	cJSON_SetNumberValue(number, 7.5);
	assert_false(json_int(t, "made", &i));
	cJSON_Delete(t);
}

static void test_builders(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(1000);
	cJSON *t = json_new_object(), *l = json_new_array();

	json_add(l, NULL, json_raw_int(INT64_MIN));
	json_add(l, NULL, json_new_null());
	json_add(l, NULL, cJSON_CreateNumber(0.1));
	json_add(l, NULL, cJSON_CreateNumber(1e15));
	json_add(t, "l", l);
	json_add(t, "b", json_new_bool(true));
	json_add(t, "s", json_new_str("\033"));
	json_add(t, "r", json_new_raw("1.50"));
	json_add(t, "nothing", NULL);
	assert_true(json_print(&b, t));
	assert_string_equal(
		b.p, "{\"l\":[-9223372036854775808,null,0.1,1e+15],\"b\":true,\"s\":\"\\u001b\",\"r\":1.50}");
	cJSON_Delete(t);
	buf_release(&b);
	buf_init(&b, 3);
	assert_false(json_quote_str(&b, "long"));
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_tree_prints_as_it_stood),
		cmocka_unit_test(test_tree_refuses),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_builders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
