/* Ranking: interest with recency before all else, no purchases, no last skips, one order for one input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "rec/rank.h"

#define R(i, c, t)                                                                                           \
	{                                                                                                    \
		.item_id = i, .category = c, .type = t, .age_s = -1                                          \
	}
#define C(i, c, n, p)                                                                                        \
	{                                                                                                    \
		.item_id = i, .category = c, .near = n, .popularity = p                                      \
	}

struct row {
	const char *name;
	struct rank_recent recent[12];
	struct rank_candidate candidates[10];
	const char *order; /* item ids of the first results */
};

static const struct row rows[] = {
	{ "nothing known: popularity", { { 0 } }, { C("a", "x", 0, 1), C("b", "y", 0, 3), C("c", "x", 0, 2) },
		"b c a " },
	{ "ties by id", { { 0 } }, { C("c", "", 0, 1), C("a", "", 0, 1), C("b", "", 0, 1) }, "a b c " },
	{ "category before popularity", { R("s", "thriller", "click") },
		{ C("a", "comedy", 0, 100), C("b", "thriller", 0, 1) }, "b a " },
	{ "three fresh clicks beat seven older purchases",
		{ R("1", "romance", "purchase"), R("2", "romance", "purchase"), R("3", "romance", "purchase"),
			R("4", "romance", "purchase"), R("5", "romance", "purchase"),
			R("6", "romance", "purchase"), R("7", "romance", "purchase"),
			R("t1", "thriller", "click"), R("t2", "thriller", "click"),
			R("t3", "thriller", "click") },
		{ C("r8", "romance", 9, 9), C("r9", "romance", 8, 8), C("t4", "thriller", 0, 0),
			C("t5", "thriller", 0, 0) },
		"t4 t5 r8 r9 " },
	{ "three fresh dwells, too",
		{ R("1", "romance", "purchase"), R("2", "romance", "purchase"), R("3", "romance", "purchase"),
			R("4", "romance", "purchase"), R("5", "romance", "purchase"),
			R("6", "romance", "purchase"), R("7", "romance", "purchase"),
			R("t1", "thriller", "dwell"), R("t2", "thriller", "dwell"),
			R("t3", "thriller", "dwell") },
		{ C("r8", "romance", 9, 9), C("t4", "thriller", 0, 0) }, "t4 r8 " },
	{ "visited together decides inside a category", { R("s", "x", "click") },
		{ C("a", "x", 0, 5), C("b", "x", 2, 0), C("c", "x", 1, 0) }, "b c a " },
	{ "bought never comes, whatever came after", { R("a", "x", "PURCHASE"), R("a", "x", "CLICK") },
		{ C("a", "x", 9, 9), C("b", "y", 0, 0) }, "b " },
	{ "skipped last never comes", { R("a", "x", "click"), R("a", "x", "skip") },
		{ C("a", "x", 9, 9), C("b", "y", 0, 0) }, "b " },
	{ "a skip taken back", { R("a", "x", "skip"), R("a", "x", "click") }, { C("a", "x", 0, 1) }, "a " },
	{ "what was looked at comes last", { R("a", "x", "click") },
		{ C("a", "x", 0, 9), C("b", "y", 0, 0), C("c", "x", 0, 0) }, "c b a " },
	{ "a skipped category comes behind", { R("a", "x", "skip") },
		{ C("b", "x", 0, 9), C("c", "y", 0, 0) }, "c b " },
	{ "types unknown count as a click", { R("s", "x", "watched") },
		{ C("a", "y", 0, 9), C("b", "x", 0, 0) }, "b a " },
	{ "only what was bought", { R("a", "x", "purchase") }, { C("a", "x", 1, 1) }, "" },
};

static size_t length(const void *list, size_t size, size_t max)
{
	size_t n = 0;
	const char *id;

	/* Both structs begin with item_id. */
	while (n < max && (memcpy(&id, (const char *)list + n * size, sizeof id), id))
		n++;
	return n;
}

static void order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct rank_result out[10];
		char got[100] = "";
		size_t n = rank_items(r->recent, length(r->recent, sizeof *r->recent, 12), r->candidates,
			length(r->candidates, sizeof *r->candidates, 10), out, 10);
		for (size_t k = 0; k < n; k++) {
			strncat(got, out[k].item->item_id, 10);
			strncat(got, " ", 2);
			if (out[k].confidence < 0 || out[k].confidence > 1 ||
				(k && out[k].confidence > out[k - 1].confidence))
				fail_msg("%s: confidence %f at %zu", r->name, out[k].confidence, k);
		}
		if (strcmp(got, r->order) != 0)
			fail_msg("%s: %s, not %s", r->name, got, r->order);
	}
}

static void count_is_a_limit(void **state)
{
	static const struct rank_candidate c[] = { C("a", "", 0, 1), C("b", "", 0, 2), C("c", "", 0, 3) };
	struct rank_result out[2];

	(void)state;
	assert_int_equal(rank_items(NULL, 0, c, 3, out, 2), 2);
	assert_string_equal(out[0].item->item_id, "c");
	assert_string_equal(out[1].item->item_id, "b");
	assert_int_equal(rank_items(NULL, 0, NULL, 0, out, 2), 0);
}

static void age_fades(void **state)
{
	static const struct rank_recent recent[] = { { "a", "old", "click", 30.0 * 86400 },
		{ "b", "new", "click", 60 } };

	(void)state;
	assert_true(rank_recency(recent, 2, 0) < 0.1);
	assert_true(rank_recency(recent, 2, 1) > 0.99);
	assert_int_equal(rank_event_weight("PURCHASE"), 30);
	assert_true(rank_event_weight("purchase") > rank_event_weight("click"));
	assert_true(rank_event_weight("click") > rank_event_weight("dwell"));
	assert_true(rank_event_weight("dwell") > 0 && rank_event_weight("skip") < 0);
}

static void printed(void **state)
{
	static const struct rank_recent recent[] = { R("s\"1", "thriller", "click") };
	static const struct rank_candidate c[] = {
		{ .item_id = "n", .category = "thriller", .near = 1, .because = "s\"1" },
		C("t\"2", "thriller", 0, 0), C("p", "", 0, 1)
	};
	struct rank_result out[5];
	struct buf text = BUF_INIT(BUF_MAX_ANSWER);
	const cJSON *item;
	size_t n = rank_items(recent, 1, c, 3, out, 5), i = 0;

	(void)state;
	assert_true(rank_print(&text, out, n));
	cJSON *array = json_tree(text.p, text.len, NULL);
	assert_true(cJSON_IsArray(array));
	static const char *const ids[] = { "n", "t\"2", "p" }, *const reasons[] = {
		"Because of s\"1: ", "Because of your latest interest in thriller.", "Popular now."
	};
	cJSON_ArrayForEach(item, array)
	{
		double confidence;
		assert_int_equal(cJSON_GetArraySize(item), 4);
		assert_string_equal(json_str(item, "item_id"), ids[i]);
		assert_non_null(json_str(item, "category"));
		if (strncmp(json_str(item, "reasoning"), reasons[i], strlen(reasons[i])) != 0)
			fail_msg("%s", json_str(item, "reasoning"));
		assert_true(json_num(item, "confidence_score", &confidence));
		assert_true(confidence >= 0 && confidence <= 1);
		i++;
	}
	assert_int_equal(i, 3);
	cJSON_Delete(array);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(order), cmocka_unit_test(count_is_a_limit),
		cmocka_unit_test(age_fades), cmocka_unit_test(printed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
