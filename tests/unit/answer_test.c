/* answer_test.c - the JSON in what a model said: found, repaired where a slip has one meaning, refused
 * where not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "vectors.h"

#include "base/mem.h"
#include "rec/answer.h"

struct row {
	const char *name, *text;
	enum answer_how how;
	const char *json; /* NULL: nothing may come out */
};

static void check_rows(const struct row *rows, size_t count, bool prefer_array)
{
	for (size_t k = 0; k < count; k++) {
		struct buf json = BUF_INIT(BUF_MAX_LINE);
		enum answer_how how = answer_json(rows[k].text, strlen(rows[k].text), prefer_array, &json);
		const char *want = rows[k].json ? rows[k].json : "", *got = json.p ? json.p : "";
		if (how != rows[k].how || strcmp(got, want) != 0)
			fail_msg("%s: got %d %s, want %d %s", rows[k].name, how, got, rows[k].how, want);
		buf_release(&json);
	}
}

static const struct row found[] = {
	{ "object", " {\"a\" : 1.50}\n", ANSWER_STRICT, "{\"a\" : 1.50}" },
	{ "byte order mark", "\xef\xbb\xbf[1]", ANSWER_STRICT, "[1]" },
	{ "scalar", "2.30", ANSWER_STRICT, "2.30" },
	{ "fence", "Sure!\n```json\n{\"a\": 1}\n```\nBye", ANSWER_FOUND, "{\"a\": 1}" },
	{ "open fence", "```json\n{\"a\": 1}\n", ANSWER_FOUND, "{\"a\": 1}" },
	{ "fence in a string", "```json\n{\"a\": \"```x```\"}\n```", ANSWER_FOUND, "{\"a\": \"```x```\"}" },
	{ "prose around", "Input: {\"q\":\"x\"}\n\nObservation:", ANSWER_FOUND, "{\"q\":\"x\"}" },
	{ "first of two fences", "```json\n[{\"a\":1}]\n```\nor\n```json\n[{\"a\":2}]\n```", ANSWER_FOUND,
		"[{\"a\":1}]" },
	{ "fence before prose", "Given {\"a\":1} I say\n```json\n{\"b\":2}\n```", ANSWER_FOUND, "{\"b\":2}" },
	{ "json fence before code", "```python\nx = [\"y\"]\n```\n```json\n[\"z\"]\n```", ANSWER_FOUND,
		"[\"z\"]" },
	{ "after thinking", "<thinking>{\"a\":1}</thinking>\n{\"b\":2}", ANSWER_FOUND, "{\"b\":2}" },
	{ "broken thoughts", "<think>so {\"a\": [</think>\n{\"b\":2}", ANSWER_FOUND, "{\"b\":2}" },
	{ "tag", "I saw {\"a\":1}. <answer>{\"b\":2}</answer>", ANSWER_FOUND, "{\"b\":2}" },
	{ "schema echoed", "{\"type\":\"object\",\"properties\":{}} gives\n{\"b\":2}", ANSWER_FOUND,
		"{\"b\":2}" },
	{ "citation", "As [1] says, the answer is: {\"b\":2}", ANSWER_FOUND, "{\"b\":2}" },
	{ "label", "[INFO] result: {\"b\":2}", ANSWER_FOUND, "{\"b\":2}" },
	{ "name in front", "json{\"b\":2}", ANSWER_FOUND, "{\"b\":2}" },
	{ "formula", "With $\\frac{a}{b}$ on [0, 1]:\n{\"b\":2}", ANSWER_FOUND, "{\"b\":2}" },
	{ "template in prose", "Hello {name}, {\"b\":2}", ANSWER_FOUND, "{\"b\":2}" },
	{ "sketch, then the fence", "Like {\"a\": <x>}:\n```json\n{\"b\":2}\n```", ANSWER_FOUND,
		"{\"b\":2}" },
	{ "empty behind it", "{\"a\":1}, []", ANSWER_FOUND, "{\"a\":1}" },
	{ "callback", "callback({\"a\":1});", ANSWER_FOUND, "{\"a\":1}" },
};

static const struct row repaired[] = {
	{ "trailing comma", "{\"a\":[1,2,],}", ANSWER_REPAIRED, "{\"a\":[1,2]}" },
	{ "comments", "{/*x*/\"a\":1, // y\n\"b\":2}", ANSWER_REPAIRED, "{\"a\":1,\"b\":2}" },
	{ "Python", "{'a': True, 'b': None, 'c': 'it\\'s'}", ANSWER_REPAIRED,
		"{\"a\":true,\"b\":null,\"c\":\"it's\"}" },
	{ "apostrophe", "{'a': 'it's'}", ANSWER_REPAIRED, "{\"a\":\"it's\"}" },
	{ "bare keys", "{a: 1, b_2: \"x\"}", ANSWER_REPAIRED, "{\"a\":1,\"b_2\":\"x\"}" },
	{ "bare words", "{\"a\": New York}", ANSWER_REPAIRED, "{\"a\":\"New York\"}" },
	{ "curly quotes", "{“a”: “b”}", ANSWER_REPAIRED, "{\"a\":\"b\"}" },
	{ "missing comma", "{\"a\":1\n\"b\":\"x\"\n\"c\":[1\n2]}", ANSWER_REPAIRED,
		"{\"a\":1,\"b\":\"x\",\"c\":[1,2]}" },
	{ "raw line ends", "{\"a\":\"x\n\ty\"}", ANSWER_REPAIRED, "{\"a\":\"x\\n\\ty\"}" },
	{ "Markdown escapes", "{\"a\":\"x\\_y\\*\"}", ANSWER_REPAIRED, "{\"a\":\"x_y*\"}" },
	{ "doubled braces", "{{\"a\": {{\"b\": 1}}}}", ANSWER_REPAIRED, "{\"a\":{\"b\":1}}" },
	{ "inner quotes", "{\"a\":\"You liked \"Heat\", so\",\"b\":1}", ANSWER_REPAIRED,
		"{\"a\":\"You liked \\\"Heat\\\", so\",\"b\":1}" },
	{ "inner quotes at both ends", "{\"a\":\"\"Heat\" and \"Ronin\"\"}", ANSWER_REPAIRED,
		"{\"a\":\"\\\"Heat\\\" and \\\"Ronin\\\"\"}" },
	{ "low quote", "{\"a\":\"der „Pate\" lief\"}", ANSWER_REPAIRED, "{\"a\":\"der „Pate\\\" lief\"}" },
	{ "sum of strings", "{\"a\":\"x\" +\n\"y\"}", ANSWER_REPAIRED, "{\"a\":\"xy\"}" },
	{ "ellipsis", "[{\"a\":1}, ...]", ANSWER_REPAIRED, "[{\"a\":1}]" },
	{ "numbers", "[1_000, +2, .5, 3.]", ANSWER_REPAIRED, "[1000,2,0.5,3.0]" },
	{ "number text kept", "{\"a\":0.90,}", ANSWER_REPAIRED, "{\"a\":0.90}" },
	{ "tuple", "```python\n{\"a\": (1, 2)}\n```", ANSWER_REPAIRED, "{\"a\":[1,2]}" },
	{ "lines", "{\"a\":1}\n{\"a\":2}\n", ANSWER_REPAIRED, "[{\"a\":1},{\"a\":2}]" },
	{ "list without brackets", "{\"a\":1},\n{\"a\":2}", ANSWER_REPAIRED, "[{\"a\":1},{\"a\":2}]" },
	{ "one brace too many", "{\"a\":1}}", ANSWER_REPAIRED, "{\"a\":1}" },
	{ "escaped once too often", "{\\\"a\\\": \\\"b\\\"}", ANSWER_REPAIRED, "{\"a\": \"b\"}" },
	{ "whole literal", "None", ANSWER_REPAIRED, "null" },
};

static const struct row refused[] = {
	{ "empty", " \n", ANSWER_NONE, NULL },
	{ "prose", "I cannot answer in JSON.", ANSWER_NONE, NULL },
	{ "mention", "callback {}", ANSWER_NONE, NULL },
	{ "cut object", "{\"a\": {\"b\": 1}, \"c\"", ANSWER_NONE, NULL },
	{ "cut in a fence", "```json\n{\"a\": [1, 2], \"b\": {\"c\":1},", ANSWER_NONE, NULL },
	{ "cut second value", "{\"a\":1} and {\"b\":", ANSWER_NONE, NULL },
	{ "array in a broken string", "{\"a\":\"x\n [1,2]\\q\"}", ANSWER_NONE, NULL },
	{ "head is missing", "\"a\": {\"b\":1}, \"c\": 2}", ANSWER_NONE, NULL },
	{ "closed too early", "{\"a\":1}, \"b\": 2}", ANSWER_NONE, NULL },
	{ "closed too early, nested", "{\"a\":{\"b\":1}}, \"c\":2}", ANSWER_NONE, NULL },
	{ "closed too early, glued", "{}name\":1}", ANSWER_NONE, NULL },
	{ "contradiction", "[{\"a\":1}]\n[{\"a\":2}]", ANSWER_NONE, NULL },
	{ "contradiction, one with a slip", "{\"a\":1}[1,True]", ANSWER_NONE, NULL },
	{ "cut behind a number", "[1, 2, {\"a\":1},", ANSWER_NONE, NULL },
	{ "missing value", "{\"a\": , \"b\": 1}", ANSWER_NONE, NULL },
	{ "a ratio", "{\"a\": 9.3/10}", ANSWER_NONE, NULL },
	{ "a unit", "{\"a\": 140 lbs}", ANSWER_NONE, NULL },
	{ "a hole", "[1,,2]", ANSWER_NONE, NULL },
	{ "not a number", "{\"a\": NaN}", ANSWER_NONE, NULL },
	{ "missing quote", "{\"a\":\"b,\"c\":\"d\"}", ANSWER_NONE, NULL },
	{ "odd quote", "{\"a\":\"v\"alue\"}", ANSWER_NONE, NULL },
	{ "quoted member", "{\"a\":\"say {\"b\": \"5\"}, yes\"}", ANSWER_NONE, NULL },
	{ "two colons", "{\"a\":\"b\":\"c\"}", ANSWER_NONE, NULL },
	{ "wrong bracket inside", "[{\"a\":1], {\"a\":2}]", ANSWER_NONE, NULL },
	{ "thousands", "{\"a\": -2,000.00}", ANSWER_NONE, NULL },
	{ "lost escape", "{\"a\":\"\\d+\",}", ANSWER_NONE, NULL },
	{ "lone surrogate", "{\"a\":\"\\ud800\"}", ANSWER_NONE, NULL },
	{ "broken json fence", "```json\nnone\n```\n{\"a\":1}", ANSWER_NONE, NULL },
};

static const struct row preferred[] = {
	{ "array behind an object", "{\"n\":1}\nItems:\n[{\"a\":1}]", ANSWER_FOUND, "[{\"a\":1}]" },
	{ "object and array side by side", "{\"n\":1}\n[{\"a\":1}]", ANSWER_FOUND, "[{\"a\":1}]" },
	{ "cut array", "[{\"a\":1},{\"a\":2},{\"a\":", ANSWER_TRUNCATED, "[{\"a\":1},{\"a\":2}]" },
	{ "cut list in an object", "```json\n{\"n\":\"[{\",\"l\":[{\"a\":1},{\"b", ANSWER_TRUNCATED,
		"[{\"a\":1}]" },
	{ "cut lines", "{\"a\":1}\n{\"a\":2}\n{\"a", ANSWER_TRUNCATED, "[{\"a\":1},{\"a\":2}]" },
	{ "item with a slip", "[{\"a\":\"x\ny\"},{\"a\":", ANSWER_TRUNCATED, "[{\"a\":\"x\\ny\"}]" },
	{ "nothing whole", "[{\"a\":", ANSWER_NONE, NULL },
	{ "cut object", "{\"a\":[1,2", ANSWER_NONE, NULL },
};

static void finds_the_answer(void **state)
{
	(void)state;
	check_rows(found, ARRAY_LEN(found), false);
}

static void repairs_slips_with_one_meaning(void **state)
{
	(void)state;
	check_rows(repaired, ARRAY_LEN(repaired), false);
}

static void refuses_what_may_mean_two_things(void **state)
{
	(void)state;
	check_rows(refused, ARRAY_LEN(refused), false);
}

static void prefers_and_salvages_lists(void **state)
{
	(void)state;
	check_rows(preferred, ARRAY_LEN(preferred), true);
}

static void keeps_u0000_in_repairs_out(void **state)
{
	static const char text[] = "[\"a\0b\",]";
	struct buf json = BUF_INIT(BUF_MAX_LINE);
	(void)state;
	assert_int_equal(answer_json(text, sizeof(text) - 1, false, &json), ANSWER_NONE);
	buf_release(&json);
}

/* Every cut of a good answer gives nothing, or whole items and says so. */
static void never_takes_a_cut_answer_for_whole(void **state)
{
	static const char text[] = "Here:\n```json\n{\"user\": {\"id\": 7}, \"recommendations\": "
				   "[{\"item_id\": \"a\", \"tags\": "
				   "[\"x\", \"y\"], \"why\": \"you said \\\"[1]\\\"\"}, {\"item_id\": \"b\", "
				   "\"n\": [1, {\"k\": {}}]}]}";
	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		for (int list = 0; list < 2; list++) {
			struct buf json = BUF_INIT(BUF_MAX_LINE);
			enum answer_how how = answer_json(text, n, list != 0, &json);
			if (how != ANSWER_NONE && (how != ANSWER_TRUNCATED || !list))
				fail_msg("cut at %zu: how %d: %s", n, how, json.p);
			buf_release(&json);
		}
}

static void stays_linear(void **state)
{
	static const char *const units[] = { "[", "{", "```", "\"", "{\"a\":", "[{", "[1 x] ", "\"//",
		"{\"a\":\"x\" y ", "}", "<think>", "{\"a\":1}\n", "{\"a\":1} ", " #", "```\n(", "```json\n",
		"{a ", "'", "{{\"a\":1" };
	enum { SIZE = 4 << 20 };
	char *text = mem_alloc(SIZE);
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(units); k++) {
		struct buf json = BUF_INIT(BUF_MAX_LINE);
		size_t len = strlen(units[k]);
		for (size_t i = 0; i < SIZE; i++)
			text[i] = units[k][i % len];
		clock_t from = clock();
		answer_json(text, SIZE, true, &json);
		double seconds = (double)(clock() - from) / CLOCKS_PER_SEC;
#if defined(__SANITIZE_ADDRESS__)
		seconds /= 8; /* the sanitizer's share */
#endif
		if (seconds >= 0.5)
			fail_msg("4 MiB of %s: %.2f s", units[k], seconds);
		buf_release(&json);
	}
	free(text);
}

/* ---- items ---- */

struct items_row {
	const char *name, *text;
	size_t count;
	const char *items; /* or the error's code */
	size_t valid, invalid, duplicates;
	enum answer_how how;
};

#define AB                                                                                                   \
	"[{\"item_id\":\"a\",\"category\":\"\",\"reasoning\":\"\"},{\"item_id\":\"b\",\"category\":\"\","    \
	"\"reasoning\":\"\"}]"
#define A "[{\"item_id\":\"a\",\"category\":\"\",\"reasoning\":\"\"}]"

static const struct items_row items[] = {
	{ "all members",
		"[{\"confidence_score\":0.90,\"item_id\":\"a\",\"reasoning\":\"r\",\"x\":[1],\"category\":"
		"\"c\"}]",
		5, "[{\"item_id\":\"a\",\"category\":\"c\",\"reasoning\":\"r\",\"confidence_score\":0.90}]",
		1, 0, 0, ANSWER_STRICT },
	{ "in an object", "{\"n\":1,\"items\":[{\"item_id\":\"a\"},{\"item_id\":\"b\"}]}", 5, AB, 2, 0, 0,
		ANSWER_STRICT },
	{ "two levels down", "{\"data\":{\"list\":[{\"item_id\":\"a\"}]}}", 5, A, 1, 0, 0, ANSWER_STRICT },
	{ "one object", "{\"item_id\":\"a\"}", 5, A, 1, 0, 0, ANSWER_STRICT },
	{ "lines", "{\"item_id\":\"a\"}\n{\"item_id\":\"b\"}", 5, AB, 2, 0, 0, ANSWER_REPAIRED },
	{ "quoted document", "\"[{\\\"item_id\\\":\\\"a\\\"}]\"", 5, A, 1, 0, 0, ANSWER_REPAIRED },
	{ "cut", "[{\"item_id\":\"a\"},{\"item_id\":\"b\"},{\"item", 5, AB, 2, 0, 0, ANSWER_TRUNCATED },
	{ "duplicates", "[{\"item_id\":\"a\"},{\"item_id\":\"a\",\"category\":\"2\"},{\"item_id\":\"b\"}]", 5,
		AB, 2, 0, 1, ANSWER_STRICT },
	{ "count", "[{\"item_id\":\"a\"},{\"item_id\":\"b\"}]", 1, A, 1, 0, 0, ANSWER_STRICT },
	{ "number as id", "[{\"item_id\":12.0}]", 5,
		"[{\"item_id\":\"12.0\",\"category\":\"\",\"reasoning\":\"\"}]", 1, 0, 0, ANSWER_STRICT },
	{ "confidence in a string", "[{\"item_id\":\"a\",\"confidence\":\"0.9\"}]", 5,
		"[{\"item_id\":\"a\",\"category\":\"\",\"reasoning\":\"\",\"confidence_score\":0.9}]", 1, 0,
		0, ANSWER_STRICT },
	{ "confidence out of range",
		"[{\"item_id\":\"x\",\"confidence\":90},{\"item_id\":\"y\",\"confidence\":\"90%\"},{\"item_"
		"id\":\"a\","
		"\"confidence\":null}]",
		5, A, 1, 2, 0, ANSWER_STRICT },
	{ "controls",
		"[{\"item_id\":\"x\\u001b\"},{\"item_id\":\"x\\u0000\"},{\"item_id\":\"x\\u009b\"},{\"item_"
		"id\":\"a\",\"reasoning\":"
		"\"p\\u0000q\\u001b[31m\\nr\\u009bs\"}]",
		5, "[{\"item_id\":\"a\",\"category\":\"\",\"reasoning\":\"p q [31m r s\"}]", 1, 3, 0,
		ANSWER_STRICT },
	{ "bad ids", "[{\"item_id\":\"\"},{\"item_id\":null},{\"id\":\"x\"},5,{\"item_id\":\"a\"}]", 5, A, 1,
		4, 0, ANSWER_STRICT },
	{ "bad types",
		"[{\"item_id\":\"x\",\"category\":1},{\"item_id\":\"y\",\"reasoning\":[]},{\"item_id\":\"a\"}"
		"]",
		5, A, 1, 2, 0, ANSWER_STRICT },
	{ "no JSON", "Sorry.", 5, "no-json", 0, 0, 0, ANSWER_NONE },
	{ "a scalar", "42", 5, "no-json", 0, 0, 0, ANSWER_NONE },
	{ "no items", "{\"error\":\"none\"}", 5, "no-valid-item", 0, 0, 0, ANSWER_STRICT },
	{ "empty", "[]", 5, "no-valid-item", 0, 0, 0, ANSWER_STRICT },
	{ "none valid", "[{\"item_id\":\"\"}]", 5, "no-valid-item", 0, 1, 0, ANSWER_STRICT },
};

static void takes_valid_items(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(items); k++) {
		const struct items_row *r = &items[k];
		struct answer a;
		struct err e = { 0 };
		struct buf got = BUF_INIT(BUF_MAX_LINE);
		if (answer_parse(r->text, strlen(r->text), r->count, &a, &e) == 0)
			json_print(&got, a.items);
		else
			buf_str(&got, e.code);
		if (strcmp(got.p, r->items) != 0)
			fail_msg("%s: got %s, want %s", r->name, got.p, r->items);
		if (a.valid != r->valid || a.invalid != r->invalid || a.duplicates != r->duplicates ||
			a.how != r->how)
			fail_msg("%s: %zu valid, %zu invalid, %zu duplicates, how %d", r->name, a.valid,
				a.invalid, a.duplicates, a.how);
		buf_release(&got);
		answer_release(&a);
	}
}

/* Lengths count characters, not bytes. */
static void bounds_lengths(void **state)
{
	struct buf text = BUF_INIT(BUF_MAX_LINE);
	struct answer a;
	struct err e = { 0 };
	(void)state;
	buf_str(&text, "[{\"item_id\":\"");
	for (int k = 0; k < 257; k++)
		buf_str(&text, "é");
	buf_str(&text, "\"},{\"item_id\":\"");
	for (int k = 0; k < 256; k++)
		buf_str(&text, "é");
	buf_str(&text, "\",\"reasoning\":\"");
	for (int k = 0; k < 1500; k++)
		buf_str(&text, "é");
	buf_str(&text, "\"}]");
	assert_int_equal(answer_parse(text.p, text.len, 9, &a, &e), 0);
	assert_int_equal(a.valid, 1);
	assert_int_equal(a.invalid, 1);
	assert_int_equal(strlen(json_str(a.items->child, "item_id")), 512);
	assert_int_equal(strlen(json_str(a.items->child, "reasoning")), 2000);
	answer_release(&a);
	buf_release(&text);
}

/* ---- recorded replies ---- */

/* The judge prints a table and fails on a value that is none of the accepted ones. */
static void judges_recorded_replies(void **state)
{
	const char *build = getenv("BUILD");
	char path[1024], command[2048], line[256];
	size_t right = 0, good = 0;
	(void)state;
	vectors_path(path, sizeof path, "llm-json/llm-json-dev.ndjson");
	snprintf(command, sizeof(command), "%s/tools/llm_json < %s", build ? build : "build", path);
	FILE *table = popen(command, "r");
	assert_non_null(table);
	while (fgets(line, sizeof(line), table)) {
		char name[64];
		size_t lines, got, none, wrong;
		if (sscanf(line, "%63s %zu %zu %zu %zu", name, &lines, &got, &none, &wrong) != 5)
			continue;
		if (wrong)
			fail_msg("%s: %zu wrong values; %s -v shows them", name, wrong, command);
		if (!strcmp(name, "valid") || !strcmp(name, "decorated")) {
			good += lines;
			right += got;
		}
		if (!strcmp(name, "malformed") && got < 90)
			fail_msg("only %zu of %zu malformed replies recovered", got, lines);
	}
	assert_int_equal(pclose(table), 0);
	assert_true(good > 300);
	assert_int_equal(right, good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_answer),
		cmocka_unit_test(repairs_slips_with_one_meaning),
		cmocka_unit_test(refuses_what_may_mean_two_things),
		cmocka_unit_test(prefers_and_salvages_lists),
		cmocka_unit_test(keeps_u0000_in_repairs_out),
		cmocka_unit_test(never_takes_a_cut_answer_for_whole),
		cmocka_unit_test(stays_linear),
		cmocka_unit_test(takes_valid_items),
		cmocka_unit_test(bounds_lengths),
		cmocka_unit_test(judges_recorded_replies),
	};
	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
