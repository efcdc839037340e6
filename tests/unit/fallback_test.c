/* fallback_test.c - what a fallback file may hold, and what can't be served. */
#include "check.h"

#include "rec/fallback.h"

static const struct {
	const char *name, *in, *want; /* NULL: refused */
} rows[] = {
	{ "an array of objects", "[{\"item_id\":\"a\",\"n\":1.50}]", "[{\"item_id\":\"a\",\"n\":1.50}]" },
	{ "an array of strings", "[\"a\",\"b\"]", "[{\"item_id\":\"a\"},{\"item_id\":\"b\"}]" },
	{ "an entry", "{\"user_id\":\"u\",\"recommendations\":[{\"item_id\":\"a\"}]}",
		"[{\"item_id\":\"a\"}]" },
	{ "one a line", "{\"item_id\":\"a\"}\n\"b\"\n", "[{\"item_id\":\"a\"},{\"item_id\":\"b\"}]" },
	{ "a BOM", "\xef\xbb\xbf[\"a\"]", "[{\"item_id\":\"a\"}]" },
	{ "what is neither is left out", "[1,null,true,\"\",[\"a\"],{\"x\":[]}]",
		"[{\"item_id\":\"a\"},{\"x\":[]}]" },
	{ "unicode", "[\"\\u00e9\\ud83d\\ude00\"]", "[{\"item_id\":\"\xc3\xa9\xf0\x9f\x98\x80\"}]" },
	{ "nothing", "", NULL },
	{ "white space", " \n", NULL },
	{ "an empty array", "[]", NULL },
	{ "an entry without items", "{\"recommendations\":[]}", NULL },
	{ "nothing that can be served", "[1,2]", NULL },
	{ "no JSON", "popular_1\n", NULL },
	{ "JSON and then none", "[\"a\"] nope", NULL },
	{ "cut off", "[\"a\",", NULL },
	{ "no UTF-8", "[\"\xff\"]", NULL },
};

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct err e = { 0 };
		struct buf b = BUF_INIT(4096);
		cJSON *got = fallback_parse(rows[i].in, strlen(rows[i].in), &e);

		CHECK_INT(rows[i].name, got != NULL, rows[i].want != NULL);
		if (got) {
			json_print(&b, got);
			CHECK_STR(rows[i].name, b.p, rows[i].want);
		} else {
			CHECK_INT(rows[i].name, e.cls, ERR_USAGE);
			CHECK(rows[i].name, e.msg[0] != '\0');
		}
		cJSON_Delete(got);
		buf_release(&b);
	}
}

static void test_built_in(void **state)
{
	cJSON *a = json_new_array();

	(void)state;
	fallback_built_in(a);
	assert_int_equal(cJSON_GetArraySize(a), 3);
	for (int i = 0; i < 3; i++)
		assert_non_null(json_str(cJSON_GetArrayItem(a, i), "item_id"));
	assert_string_equal(json_str(cJSON_GetArrayItem(a, 0), "item_id"), "popular_001");
	cJSON_Delete(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_built_in),
	};
	return cmocka_run_group_tests_name("fallback", tests, NULL, NULL);
}
