/* av_test.c - DynamoDB values and JSON both ways, exact numbers, sizes, equality. */
#include "check.h"

#include "base/av.h"
#include "base/mem.h"
#include <stdlib.h>

static cJSON *tree(const char *s)
{
	cJSON *t = json_tree(s, strlen(s), NULL);

	if (!t)
		fail_msg("bad test text: %s", s);
	return t;
}

#define NINES38 "99999999999999999999999999999999999999"

static void test_fits(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool fits;
	} rows[] = {
		{ "0", true },
		{ "-0", true },
		{ "0e999999999999999999999", true },
		{ NINES38, true },
		{ NINES38 "0", true },
		{ NINES38 "9", false },
		{ "-" NINES38, true },
		{ "0.0000" NINES38, true },
		{ "1." NINES38, false },
		{ "1E-130", true },
		{ "0.9E-130", false },
		{ "1E-131", false },
		{ "10E-131", true },
		{ "1E125", true },
		{ "9."
		  "9999999999999999999999999999999999999"
		  "E125",
			true },
		{ "1E126", false },
		{ "10E125", false },
		{ "0.1E126", true },
		{ "-1E126", false },
		{ "1e99999999999999999999", false },
		{ "1e-99999999999999999999", false },
		{ "1.00000000000000000000000000000000000000000000000000", true },
		{ "12345678901234567890", true },
		{ "", false },
		{ "x", false },
		{ "+1", false },
		{ "01", false },
		{ ".5", false },
		{ "1.", false },
		{ "NaN", false },
	};

	for (size_t i = 0; i < ROWS(rows); i++)
		CHECK_INT(rows[i].text, av_number_fits(rows[i].text), rows[i].fits);
	assert_false(av_number_fits(NULL));
}

static void test_from_json(void **state)
{
	(void)state;
	static const struct {
		const char *plain, *typed;
		const char *back; /* NULL: as plain */
	} rows[] = {
		{ "\"x\"", "{\"S\":\"x\"}", NULL },
		{ "\"\"", "{\"S\":\"\"}", NULL },
		{ "14.990", "{\"N\":\"14.990\"}", NULL },
		{ "1e5", "{\"N\":\"1e5\"}", NULL },
		{ "1e400", "{\"S\":\"1e400\"}", "\"1e400\"" },
		{ "0e400", "{\"N\":\"0\"}", "0" },
		{ NINES38 "9", "{\"S\":\"" NINES38 "9\"}", "\"" NINES38 "9\"" },
		{ "1.5000000000000000000000000000000000000000000", "{\"N\":\"1.5\"}", "1.5" },
		{ "0.0000000000000000000000000000000000000000000125", "{\"N\":\"1.25E-44\"}", "1.25E-44" },
		{ "12000000000000000000000000000000000000000000", "{\"N\":\"1.2E43\"}", "1.2E43" },
		{ "true", "{\"BOOL\":true}", NULL },
		{ "false", "{\"BOOL\":false}", NULL },
		{ "null", "{\"NULL\":true}", NULL },
		{ "[1,[\"a\"],{}]", "{\"L\":[{\"N\":\"1\"},{\"L\":[{\"S\":\"a\"}]},{\"M\":{}}]}", NULL },
		{ "{\"a\":{\"b\":null}}", "{\"M\":{\"a\":{\"M\":{\"b\":{\"NULL\":true}}}}}", NULL },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "{\"M\":{\"b\":{\"N\":\"2\"},\"a\":{\"N\":\"3\"}}}",
			"{\"b\":2,\"a\":3}" },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct buf b = BUF_INIT(1000);
		cJSON *plain = tree(rows[i].plain), *typed = av_from_json(plain), *back = av_to_json(typed);

		json_print(&b, typed);
		CHECK_STR(rows[i].plain, b.p, rows[i].typed);
		buf_reset(&b);
		json_print(&b, back);
		CHECK_STR(rows[i].plain, b.p, rows[i].back ? rows[i].back : rows[i].plain);
		cJSON_Delete(plain);
		cJSON_Delete(typed);
		cJSON_Delete(back);
		buf_release(&b);
	}
	assert_null(av_from_json(NULL));
	assert_null(av_to_json(NULL));
	assert_null(av_item_to_json(NULL));
}

static void test_many_repeated_names(void **state)
{
	(void)state;
	struct buf b = BUF_INIT((size_t)4 << 20);

	buf_char(&b, '{');
	for (int i = 0; i < 100000; i++)
		buf_printf(&b, "%s\"k%d\":%d", i ? "," : "", i % 50000, i);
	buf_char(&b, '}');
	cJSON *plain = json_tree(b.p, b.len, NULL), *typed = av_from_json(plain);
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(typed, "M");
	assert_int_equal(cJSON_GetArraySize(m), 50000);
	assert_string_equal(m->child->string, "k0");
	assert_string_equal(m->child->child->valuestring, "50000");
	cJSON_Delete(plain);
	cJSON_Delete(typed);
	buf_release(&b);
}

static void test_to_json(void **state)
{
	(void)state;
	static const struct {
		const char *typed, *plain; /* NULL: malformed */
	} rows[] = {
		{ "{\"SS\":[\"a\",\"b\"]}", "[\"a\",\"b\"]" },
		{ "{\"NS\":[\"1\",\"2.5\"]}", "[1,2.5]" },
		{ "{\"BS\":[\"AA==\"]}", "[\"AA==\"]" },
		{ "{\"B\":\"AA==\"}", "\"AA==\"" },
		{ "{\"N\":\"+05\"}", "5" },
		{ "{\"N\":\".5\"}", "5E-1" },
		{ "{\"N\":\"1.0E+3\"}", "1.0E+3" },
		{ "{\"N\":\"5.\"}", "5" },
		{ "{\"N\":\"abc\"}", NULL },
		{ "{\"N\":\"1,2\"}", NULL },
		{ "{\"N\":5}", NULL },
		{ "{\"S\":5}", NULL },
		{ "{\"X\":\"a\"}", NULL },
		{ "{}", NULL },
		{ "{\"S\":\"a\",\"N\":\"1\"}", NULL },
		{ "{\"L\":[{\"S\":1}]}", NULL },
		{ "{\"M\":{\"a\":1}}", NULL },
		{ "\"x\"", NULL },
		{ "{\"L\":{\"a\":{\"S\":\"x\"}}}", NULL },
		{ "{\"BOOL\":\"true\"}", NULL },
		{ "{\"SS\":[1]}", NULL },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct buf b = BUF_INIT(1000);
		cJSON *typed = tree(rows[i].typed), *plain = av_to_json(typed);

		CHECK_INT(rows[i].typed, plain != NULL, rows[i].plain != NULL);
		if (plain) {
			json_print(&b, plain);
			CHECK_STR(rows[i].typed, b.p, rows[i].plain);
		}
		cJSON_Delete(plain);
		cJSON_Delete(typed);
		buf_release(&b);
	}
	struct buf b = BUF_INIT(1000);
	cJSON *item = tree("{\"user_id\":{\"S\":\"u\"},\"tags\":{\"SS\":[\"a\"]},\"n\":{\"N\":\"1.50\"}}");
	cJSON *plain = av_item_to_json(item);
	json_print(&b, plain);
	assert_string_equal(b.p, "{\"user_id\":\"u\",\"tags\":[\"a\"],\"n\":1.50}");
	cJSON_Delete(item);
	cJSON_Delete(plain);
	buf_release(&b);
}

static void test_readers(void **state)
{
	(void)state;
	cJSON *item = tree("{\"s\":{\"S\":\"x\"},\"n\":{\"N\":\"1E+2\"},\"f\":{\"N\":\"1.5\"},\"bad\":5,"
			   "\"l\":{\"L\":[]}}");
	int64_t v = 0;

	assert_string_equal(av_get_s(item, "s"), "x");
	assert_null(av_get_s(item, "n"));
	assert_null(av_get_s(item, "bad"));
	assert_null(av_get_s(NULL, "s"));
	assert_string_equal(av_get_n(item, "f"), "1.5");
	assert_true(av_get_int(item, "n", &v) && v == 100);
	assert_false(av_get_int(item, "f", &v) || av_get_int(item, "s", &v) || av_get_int(item, "none", &v));
	assert_non_null(av_get(item, "l", "L"));
	assert_null(av_get(item, "l", "M"));
	cJSON_Delete(item);
	struct buf b = BUF_INIT(100);
	cJSON *n = av_n(-7);
	json_print(&b, n);
	assert_string_equal(b.p, "{\"N\":\"-7\"}");
	assert_true(cJSON_IsString(n->child));
	cJSON_Delete(n);
	buf_release(&b);
}

static void test_size(void **state)
{
	(void)state;
	static const struct {
		const char *item;
		size_t size;
	} rows[] = {
		{ "{}", 0 },
		{ "{\"ab\":{\"S\":\"\xc3\xa9x\"}}", 5 },
		{ "{\"a\":{\"BOOL\":true}}", 2 },
		{ "{\"a\":{\"NULL\":true}}", 2 },
		{ "{\"a\":{\"N\":\"0\"}}", 2 },
		{ "{\"a\":{\"N\":\"1\"}}", 3 },
		{ "{\"a\":{\"N\":\"12\"}}", 3 },
		{ "{\"a\":{\"N\":\"123\"}}", 4 },
		{ "{\"a\":{\"N\":\"1000\"}}", 3 },
		{ "{\"a\":{\"N\":\"-12\"}}", 4 },
		{ "{\"a\":{\"N\":\"" NINES38 "\"}}", 21 },
		{ "{\"a\":{\"N\":\"-" NINES38 "\"}}", 22 },
		{ "{\"a\":{\"N\":\"" NINES38 NINES38 "\"}}", 22 },
		{ "{\"a\":{\"B\":\"AAAA\"}}", 4 },
		{ "{\"a\":{\"B\":\"AA==\"}}", 2 },
		{ "{\"a\":{\"L\":[]}}", 4 },
		{ "{\"a\":{\"M\":{}}}", 4 },
		{ "{\"a\":{\"L\":[{\"S\":\"xy\"},{\"N\":\"1\"}]}}", 10 },
		{ "{\"a\":{\"M\":{\"key\":{\"S\":\"xy\"}}}}", 10 },
		{ "{\"a\":{\"SS\":[\"xy\",\"z\"]}}", 4 },
		{ "{\"a\":{\"NS\":[\"12\"]}}", 3 },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		cJSON *item = tree(rows[i].item);

		CHECK_INT(rows[i].item, av_item_size(item), rows[i].size);
		cJSON_Delete(item);
	}
	assert_int_equal(av_item_size(NULL), 0);
}

static void test_compare(void **state)
{
	(void)state;
	/* From small to great; equal ones share a row. */
	static const char *const rows[][4] = {
		{ "-1E126" },
		{ "-" NINES38 "9" },
		{ "-" NINES38 "8" },
		{ "-100", "-1E2", "-100.0" },
		{ "-99.9" },
		{ "-1" },
		{ "-0.1", "-1e-1" },
		{ "-1E-400" },
		{ "0", "-0", "0.000", "0E99" },
		{ "1E-99999999999999999" },
		{ "1E-130" },
		{ "0.1", "1E-1", ".1", "0.100" },
		{ "0.11" },
		{ "1", "+1", "01", "1.0" },
		{ "9.99" },
		{ "10", "1E1", "10.", "0.1e2" },
		{ "10.000000000000000000000000000000000000000001" },
		{ "49671049671049671049671049671049671049671049671049671042" },
		{ "49671049671049671049671049671049671049671049671049671043" },
		{ "1E400" },
	};

	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t j = 0; j < ROWS(rows); j++)
			for (size_t x = 0; x < 4 && rows[i][x]; x++)
				for (size_t y = 0; y < 4 && rows[j][y]; y++)
					if (av_number_compare(rows[i][x], rows[j][y]) != (i > j) - (i < j))
						fail_msg("%s against %s", rows[i][x], rows[j][y]);
}

static void test_equal(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "{\"N\":\"1.0\"}", "{\"N\":\"1\"}", true },
		{ "{\"N\":\"1\"}", "{\"S\":\"1\"}", false },
		{ "{\"S\":\"a\"}", "{\"S\":\"a\"}", true },
		{ "{\"S\":\"a\"}", "{\"S\":\"b\"}", false },
		{ "{\"BOOL\":true}", "{\"BOOL\":false}", false },
		{ "{\"NULL\":true}", "{\"NULL\":true}", true },
		{ "{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}", "{\"L\":[{\"N\":\"1e0\"},{\"N\":\"2\"}]}", true },
		{ "{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}", "{\"L\":[{\"N\":\"2\"},{\"N\":\"1\"}]}", false },
		{ "{\"L\":[{\"N\":\"1\"}]}", "{\"L\":[]}", false },
		{ "{\"SS\":[\"a\",\"b\"]}", "{\"SS\":[\"b\",\"a\"]}", true },
		{ "{\"SS\":[\"a\",\"b\"]}", "{\"SS\":[\"b\",\"c\"]}", false },
		{ "{\"NS\":[\"1\",\"2\"]}", "{\"NS\":[\"2.0\",\"1\"]}", true },
		{ "{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"S\":\"x\"}}}",
			"{\"M\":{\"b\":{\"S\":\"x\"},\"a\":{\"N\":\"1.0\"}}}", true },
		{ "{\"M\":{\"a\":{\"N\":\"1\"}}}", "{\"M\":{\"b\":{\"N\":\"1\"}}}", false },
		{ "{\"M\":{\"a\":{\"N\":\"1\"}}}", "{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"N\":\"1\"}}}",
			false },
		{ "{}", "{}", false },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		cJSON *a = tree(rows[i].a), *b = tree(rows[i].b);

		CHECK_INT(rows[i].a, av_equal(a, b), rows[i].equal);
		CHECK_INT(rows[i].b, av_equal(b, a), rows[i].equal);
		cJSON_Delete(a);
		cJSON_Delete(b);
	}
	assert_false(av_equal(NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_from_json),
		cmocka_unit_test(test_many_repeated_names),
		cmocka_unit_test(test_to_json),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
