/* event_test.c - event lines: what is refused and how it is said, and what goes on unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "rec/event.h"

static const char long_key[] = "{\"user_id\":\"%s\"}";

/* A line whose user_id is unit repeated n times. */
static char *key_line(const char *unit, size_t n)
{
	size_t size = n * strlen(unit) + sizeof(long_key);
	char *key = mem_alloc(size), *line = mem_alloc(size);

	for (size_t i = 0; i < n; i++)
		memcpy(key + i * strlen(unit), unit, strlen(unit));
	snprintf(line, size, long_key, key);
	free(key);
	return line;
}

#define ALL_TEXTS (EVENT_NEED_KEY | EVENT_STORED)

static const struct {
	const char *name, *line, *message; /* message: part of it; NULL: accepted */
	unsigned need;
} refusals[] = {
	{ "smallest", "{\"user_id\":\"u\"}", NULL, EVENT_NEED_KEY },
	{ "no JSON", "hello", "", 0 },
	{ "an array", "[]", "", 0 },
	{ "text behind", "{\"user_id\":\"u\"} x", "", 0 },
	{ "missing", "{\"item_id\":\"i\"}", "user_id is missing", EVENT_NEED_KEY },
	{ "missing but not needed", "{\"item_id\":\"i\"}", NULL, 0 },
	{ "empty object", "{}", "user_id is missing", EVENT_NEED_KEY },
	{ "empty", "{\"user_id\":\"\"}", "user_id is empty", 0 },
	{ "number", "{\"user_id\":7}", "user_id is a number, not a string", 0 },
	{ "null", "{\"user_id\":null}", "user_id is null, not a string", 0 },
	{ "object", "{\"user_id\":{}}", "user_id is an object, not a string", 0 },
	{ "newline escape", "{\"user_id\":\"a\\nb\"}", "user_id holds a control character", 0 },
	{ "DEL", "{\"user_id\":\"a\x7f\"}", "user_id holds a control character", 0 },
	{ "C1", "{\"user_id\":\"a\xc2\x9b\"}", "user_id holds a control character", 0 },
	{ "U+0000", "{\"user_id\":\"a\\u0000b\"}", "user_id holds U+0000", 0 },
	{ "half a pair", "{\"user_id\":\"a\\ud83d\"}", "lone surrogate", 0 },
	{ "low half", "{\"user_id\":\"a\\udc00\"}", "lone surrogate", 0 },
	{ "a pair", "{\"user_id\":\"a\\ud83d\\ude00\"}", NULL, 0 },
	{ "a backslash before ud83d", "{\"user_id\":\"\\\\ud83d\"}", NULL, 0 },
	{ "twice", "{\"user_id\":\"a\",\"user_id\":\"b\"}", "user_id is there twice", 0 },
	{ "twice, one escaped", "{\"user_id\":\"a\",\"user_i\\u0064\":\"b\"}", "user_id is there twice", 0 },
	{ "event_id twice", "{\"user_id\":\"a\",\"event_id\":\"1\",\"event_id\":\"1\"}",
		"event_id is there twice", 0 },
	{ "others may repeat", "{\"user_id\":\"a\",\"x\":1,\"x\":2}", NULL, 0 },
	{ "event_id null", "{\"user_id\":\"a\",\"event_id\":null}", "event_id is null", 0 },
	{ "event_id number", "{\"user_id\":\"a\",\"event_id\":1}", "event_id is a number", 0 },
	{ "event_id empty", "{\"user_id\":\"a\",\"event_id\":\"\"}", "event_id is empty", 0 },
	{ "event_id needed", "{\"user_id\":\"a\"}", "event_id is missing", EVENT_NEED_ID },
	{ "time needed", "{\"user_id\":\"a\"}", "timestamp is missing", EVENT_NEED_TIME },
	{ "item_id empty", "{\"user_id\":\"a\",\"item_id\":\"\"}", "item_id is empty", 0 },
	{ "item_id array", "{\"user_id\":\"a\",\"item_id\":[]}", "item_id is an array", 0 },
	{ "item_id U+0000, stored", "{\"user_id\":\"a\",\"item_id\":\"\\u0000\"}", "item_id holds U+0000",
		EVENT_STORED },
	{ "item_id U+0000, passed on", "{\"user_id\":\"a\",\"item_id\":\"\\u0000\"}", NULL, 0 },
	{ "event_type number", "{\"user_id\":\"a\",\"event_type\":1}", "event_type is a number", 0 },
	{ "event_type empty", "{\"user_id\":\"a\",\"event_type\":\"\"}", "event_type is empty", 0 },
	{ "event_type blank", "{\"user_id\":\"a\",\"event_type\":\"a b\"}", "event_type \"a b\" is not", 0 },
	{ "event_type own word", "{\"user_id\":\"a\",\"event_type\":\"watch-2.x_Y\"}", NULL, 0 },
	{ "event_type 65",
		"{\"user_id\":\"a\",\"event_type\":\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeee"
		"eeeeeffffffffffggggg\"}",
		"event_type", 0 },
	{ "event_type 64",
		"{\"user_id\":\"a\",\"event_type\":\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeee"
		"eeeeeffffffffffgggg\"}",
		NULL, 0 },
	{ "timestamp word", "{\"user_id\":\"a\",\"timestamp\":\"yesterday\"}",
		"timestamp \"yesterday\" is no RFC 3339 time", 0 },
	{ "timestamp number", "{\"user_id\":\"a\",\"timestamp\":1}", "timestamp is a number", 0 },
	{ "timestamp of Python", "{\"user_id\":\"a\",\"timestamp\":\"2026-01-02T03:04:05.000006+00:00\"}",
		NULL, EVENT_NEED_TIME },
	{ "metadata null", "{\"user_id\":\"a\",\"metadata\":null}", NULL, ALL_TEXTS },
	{ "metadata array", "{\"user_id\":\"a\",\"metadata\":[]}", "metadata is an array, not an object", 0 },
	{ "category twice", "{\"user_id\":\"a\",\"metadata\":{\"category\":1,\"category\":2}}",
		"metadata.category is there twice", ALL_TEXTS },
	{ "category twice, not read", "{\"user_id\":\"a\",\"metadata\":{\"category\":1,\"category\":2}}",
		NULL, 0 },
	{ "source a string", "{\"user_id\":\"a\",\"_source\":\"x\"}", "_source is a string, not an object",
		0 },
	{ "source member", "{\"user_id\":\"a\",\"_source\":{\"shard_id\":1}}", "_source.shard_id is a number",
		0 },
	{ "source line", "{\"user_id\":\"a\",\"_source\":{\"line\":-1}}", "_source.line is no whole number",
		0 },
	{ "source line huge", "{\"user_id\":\"a\",\"_source\":{\"line\":18446744073709551616}}",
		"_source.line is no whole number", 0 },
	{ "source arrival", "{\"user_id\":\"a\",\"_source\":{\"arrival\":\"noon\"}}", "_source.arrival", 0 },
	{ "source twice", "{\"user_id\":\"a\",\"_source\":{},\"_source\":{}}", "_source is there twice", 0 },
	{ "data line", "{\"data_b64\":\"AA==\",\"_source\":{\"shard_id\":\"s\"}}", "data_b64",
		EVENT_NEED_KEY },
	{ "data line may pass", "{\"data_b64\":\"AA==\"}", NULL, EVENT_NEED_KEY | EVENT_DATA_OK },
	{ "data beside an event", "{\"user_id\":\"a\",\"data_b64\":7}", NULL, EVENT_NEED_KEY },
	{ "a mark needs nothing", "{\"_source\":{\"mark\":\"done\"}}", NULL,
		EVENT_NEED_KEY | EVENT_NEED_ID | EVENT_NEED_TIME },
};

static void check_line(const char *name, const char *line, unsigned need, const char *message)
{
	struct event ev;
	struct err e = { 0 };
	int rc = event_parse(&ev, line, strlen(line), "user_id", need, &e);

	if ((rc != 0) != (message != NULL))
		fail_msg("%s: rc %d, %s", name, rc, e.msg);
	if (message && (e.cls != ERR_REFUSED || !strstr(e.msg, message) || !e.msg[0]))
		fail_msg("%s: got \"%s\" (class %d), wanted \"%s\"", name, e.msg, e.cls, message);
	event_release(&ev);
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		check_line(refusals[i].name, refusals[i].line, refusals[i].need, refusals[i].message);
}

static void test_key_length(void **state)
{
	static const struct {
		const char *name, *unit, *message;
		size_t n;
	} rows[] = {
		{ "256 letters", "a", NULL, 256 },
		{ "257 letters", "a", "user_id is 257 characters, more than 256", 257 },
		{ "256 characters of 4 bytes", "\xf0\x9f\x98\x80", NULL, 256 },
		{ "300 characters of 2 bytes", "\xc3\xa9", "user_id is 300 characters, more than 256", 300 },
		{ "257 escapes", "\\u00e9", "user_id is 257 characters, more than 256", 257 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *line = key_line(rows[i].unit, rows[i].n);

		check_line(rows[i].name, line, EVENT_NEED_KEY, rows[i].message);
		free(line);
	}
}

static void test_texts(void **state)
{
	static const char line[] =
		" {\"metadata\":{\"x\":[1],\"category\":\"sci\\u002dfi\"},\"event_id\":\"e\\\"1\",\"event_"
		"type\":"
		"\"click\",\"item_id\":\"i \\ud83d\\ude00\",\"acct\":\"\\u00e9\",\"timestamp\":"
		"\"1970-01-01T00:00:02Z\"} ";
	struct event ev;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(event_parse(&ev, line, sizeof(line) - 1, "acct", ALL_TEXTS, &e), 0);
	assert_string_equal(ev.key_text, "\xc3\xa9");
	assert_string_equal(ev.event_id_text, "e\"1");
	assert_string_equal(ev.item_text, "i \xf0\x9f\x98\x80");
	assert_string_equal(ev.type_text, "click");
	assert_string_equal(ev.category, "sci-fi");
	assert_int_equal(ev.time_us, 2000000);
	assert_false(ev.is_mark || ev.is_data || ev.source.present);
	event_release(&ev);
	assert_int_equal(event_parse(&ev, line, sizeof(line) - 1, "acct", 0, &e), 0);
	assert_null(ev.item_text);
	assert_non_null(ev.event_id_text);
	event_release(&ev);
}

/* KEY may be a member that is read anyway. */
static void test_key_is_item(void **state)
{
	static const char line[] = "{\"item_id\":\"i1\"}";
	struct event ev;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(event_parse(&ev, line, sizeof(line) - 1, "item_id", ALL_TEXTS, &e), 0);
	assert_string_equal(ev.key_text, "i1");
	assert_string_equal(ev.item_text, "i1");
	event_release(&ev);
}

static void test_category(void **state)
{
	static const struct {
		const char *metadata, *want;
	} rows[] = {
		{ "{\"category\":12.50}", "12.50" },
		{ "{\"category\":true}", "true" },
		{ "{\"category\":false}", "false" },
		{ "{\"category\":null}", NULL },
		{ "{\"category\":[1]}", NULL },
		{ "{\"category\":\"\"}", "" },
		{ "{}", NULL },
		{ "null", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[128];
		struct event ev;
		struct err e = { 0 };

		snprintf(line, sizeof(line), "{\"user_id\":\"u\",\"metadata\":%s}", rows[i].metadata);
		if (event_parse(&ev, line, strlen(line), "user_id", EVENT_TEXTS, &e))
			fail_msg("%s: %s", rows[i].metadata, e.msg);
		if ((rows[i].want == NULL) != (ev.category == NULL) ||
			(rows[i].want && strcmp(rows[i].want, ev.category)))
			fail_msg("%s: %s", rows[i].metadata, ev.category ? ev.category : "NULL");
		event_release(&ev);
	}
}

static void test_kinds(void **state)
{
	static const struct {
		const char *line;
		bool mark, data;
	} rows[] = {
		{ "{\"_source\":{\"shard_id\":\"s\",\"mark\":\"done\"}}", true, false },
		{ "{\"_source\":{\"mark\":\"end\"},\"host\":\"x\"}", true, false },
		{ "{\"user_id\":\"u\",\"_source\":{\"mark\":\"done\"}}", false, false },
		{ "{\"_source\":{\"shard_id\":\"s\"}}", false, false },
		{ "{\"_source\":{},\"data_b64\":\"\"}", false, true },
		{ "{\"data_b64\":\"AA==\"}", false, true },
		{ "{\"data_b64\":\"AA==\",\"x\":1}", false, false },
		{ "{\"data_b64\":5}", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct event ev;
		struct err e = { 0 };

		if (event_parse(&ev, rows[i].line, strlen(rows[i].line), "user_id", 0, &e))
			fail_msg("%s: %s", rows[i].line, e.msg);
		if (ev.is_mark != rows[i].mark || ev.is_data != rows[i].data)
			fail_msg("%s: mark %d data %d", rows[i].line, ev.is_mark, ev.is_data);
		event_release(&ev);
	}
}

static void test_source(void **state)
{
	static const char json[] =
		"{\"stream\":\"s\",\"shard_id\":\"shardId-0\",\"sequence_number\":"
		"\"49590338271490256608559692538361571095921575989136588898\",\"subsequence_number\":\"7\","
		"\"partition_key\":\"k\\u00e9\",\"arrival\":\"1970-01-01T00:00:01.5Z\",\"line\":3,\"object\":"
		"null,"
		"\"later\":{\"x\":1}}";
	struct source s;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(source_parse(&s, json, sizeof(json) - 1, &e), 0);
	assert_true(s.present);
	assert_string_equal(s.stream, "s");
	assert_string_equal(s.sequence_number, "49590338271490256608559692538361571095921575989136588898");
	assert_string_equal(s.partition_key, "k\xc3\xa9");
	assert_int_equal(s.subsequence, 7);
	assert_int_equal(s.object_line, 3);
	assert_int_equal(s.arrival_us, 1500000);
	assert_null(s.object);
	assert_null(s.mark);
	source_release(&s);
	assert_int_equal(source_parse(&s, "{\"sequence_number\":12}", 22, &e), 0);
	assert_string_equal(s.sequence_number, "12");
	source_release(&s);
	assert_int_equal(source_parse(&s, "{}", 2, &e), 0);
	assert_true(s.present && !s.stream);
	source_release(&s);
}

static const struct {
	const char *name, *line, *id, *time, *want;
} completions[] = {
	{ "complete line, byte for byte", "{ \"user_id\" :\t\"u\" , \"n\": 14.990e0 }", NULL, NULL,
		"{ \"user_id\" :\t\"u\" , \"n\": 14.990e0 }" },
	{ "both added", "{\"user_id\":\"u\"}", "E", "T",
		"{\"user_id\":\"u\",\"event_id\":\"E\",\"timestamp\":\"T\"}" },
	{ "into nothing", "{}", "E", "T", "{\"event_id\":\"E\",\"timestamp\":\"T\"}" },
	{ "into blank", " { } ", NULL, "T", "{ \"timestamp\":\"T\"}" },
	{ "present ones stay", "{\"event_id\":\"a\",\"timestamp\":\"2026-01-01T00:00:00Z\"}", "E", "T",
		"{\"event_id\":\"a\",\"timestamp\":\"2026-01-01T00:00:00Z\"}" },
	{ "white space before the brace", "{\"a\":1 \t}", "E", NULL, "{\"a\":1 \t,\"event_id\":\"E\"}" },
	{ "white space around goes", "  {\"a\":1}\t ", NULL, NULL, "{\"a\":1}" },
	{ "source last", "{\"a\":1,\"_source\":{\"line\":1}}", NULL, NULL, "{\"a\":1}" },
	{ "source first", "{\"_source\":{\"line\":1},\"a\":1}", "E", NULL, "{\"a\":1,\"event_id\":\"E\"}" },
	{ "source in the middle", "{\"a\":1,\"_source\":{},\"b\":2}", NULL, NULL, "{\"a\":1,\"b\":2}" },
	{ "source alone", "{\"_source\":{}}", "E", NULL, "{\"event_id\":\"E\"}" },
	{ "source escaped", "{\"a\":1,\"\\u005fsource\":{}}", NULL, NULL, "{\"a\":1}" },
	{ "source deeper stays", "{\"a\":{\"_source\":{}}}", NULL, NULL, "{\"a\":{\"_source\":{}}}" },
};

static void test_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(completions); i++) {
		const char *line = completions[i].line;
		struct buf out = BUF_INIT(BUF_MAX_LINE);
		struct event ev;
		struct err e = { 0 };

		if (event_parse(&ev, line, strlen(line), "user_id", 0, &e))
			fail_msg("%s: %s", completions[i].name, e.msg);
		if (!event_complete(&out, &ev, line, completions[i].id, completions[i].time) ||
			strcmp(out.p, completions[i].want))
			fail_msg("%s: got %s", completions[i].name, out.p);
		event_release(&ev);
		buf_release(&out);
	}
}

static void test_with_source(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "{}", "{\"_source\":{\"line\":9}}" },
		{ " {\"a\" : 1 } ", "{\"a\" : 1 ,\"_source\":{\"line\":9}}" },
		{ "{\"_source\":{\"line\":1}}", "{\"_source\":{\"line\":9}}" },
		{ "{\"_source\":{\"line\":1},\"a\":1}", "{\"a\":1,\"_source\":{\"line\":9}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(BUF_MAX_LINE);
		struct event ev;
		struct err e = { 0 };

		assert_int_equal(event_parse(&ev, rows[i].line, strlen(rows[i].line), "user_id", 0, &e), 0);
		assert_true(line_with_source(&out, rows[i].line, &ev.obj, &ev.source_m, "{\"line\":9}", 10));
		assert_string_equal(out.p, rows[i].want);
		event_release(&ev);
		buf_release(&out);
	}
}

static void test_key_for_message(void **state)
{
	static const struct {
		const char *key, *want;
	} rows[] = {
		{ "u_1", "\"u_1\"" },
		{ "", "\"\"" },
		{ "a\x1b[31mb\n", "\"a?[31mb?\"" },
		{ "a\xc2\x9b"
		  "b",
			"\"a?b\"" },
		{ "\xe2\x80\xae"
		  "abc",
			"\"?abc\"" },
		{ "a\"\\", "\"a\\\"\\\\\"" },
		{ "\xff\xc3", "\"??\"" },
		{ "123456789012345678901234567890123456789012345678901234567890",
			"\"123456789012345678901234567890123456789012345678901234567890\"" },
		{ "123456789012345678901234567890123456789012345678901234567890x",
			"\"123456789012345678901234567890123456789012345678901234567890...\"" },
	};
	char out[200], wide[61 * 4 + 1] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(key_for_message(rows[i].key, out), rows[i].want);
	for (size_t i = 0; i < 61; i++)
		memcpy(wide + 4 * i, "\xf0\x9f\x98\x80", 4);
	key_for_message(wide, out);
	assert_true(strlen(out) < sizeof(out));
	assert_true(utf8_valid(out, strlen(out)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_key_length),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_key_is_item),
		cmocka_unit_test(test_category),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_with_source),
		cmocka_unit_test(test_key_for_message),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
