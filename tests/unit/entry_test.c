/* entry_test.c - cache entries: fresh only while the TTL lies ahead, objects whoever wrote them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rec/entry.h"

#define NOW_S 1767322800 /* 2026-01-02T03:00:00Z */
#define NOW_US ((int64_t)NOW_S * 1000000 + 500000)

static cJSON *tree(const char *json)
{
	struct err e = { 0 };
	cJSON *t = json_tree(json, strlen(json), &e);

	if (!t)
		fail_msg("%s: %s", json, e.msg);
	return t;
}

#define RECS                                                                                                 \
	"\"recommendations\":{\"L\":[{\"M\":{\"item_id\":{\"S\":\"a\"},\"confidence_score\":{\"N\":\"0."     \
	"90\"}}}]}"

static const struct {
	const char *name, *item;
	enum entry_state state;
	int64_t age_s, expired_ms;
	const char *generated_at, *recs;
} rows[] = {
	{ "ttl a second ahead", "{" RECS ",\"ttl\":{\"N\":\"1767322801\"}}", ENTRY_FRESH, -1, 0, "",
		"[{\"item_id\":\"a\",\"confidence_score\":0.90}]" },
	{ "ttl now", "{" RECS ",\"ttl\":{\"N\":\"1767322800\"}}", ENTRY_EXPIRED, -1, 500, "", NULL },
	{ "ttl two hours ago", "{" RECS ",\"ttl\":{\"N\":\"1767315600\"}}", ENTRY_EXPIRED, -1, 7200500, "",
		NULL },
	{ "ttl with a fraction", "{" RECS ",\"ttl\":{\"N\":\"1767322801.9\"}}", ENTRY_FRESH, -1, 0, "",
		NULL },
	{ "ttl with an exponent", "{" RECS ",\"ttl\":{\"N\":\"1.8E9\"}}", ENTRY_FRESH, -1, 0, "", NULL },
	{ "ttl beyond all numbers", "{" RECS ",\"ttl\":{\"N\":\"9E+125\"}}", ENTRY_FRESH, -1, 0, "", NULL },
	{ "ttl far below", "{" RECS ",\"ttl\":{\"N\":\"-9223372036854775807\"}}", ENTRY_EXPIRED, -1,
		INT64_MAX, "", NULL },
	{ "ttl a string", "{" RECS ",\"ttl\":{\"S\":\"1767322801\"}}", ENTRY_EXPIRED, -1, INT64_MAX, "",
		NULL },
	{ "no ttl", "{" RECS "}", ENTRY_EXPIRED, -1, INT64_MAX, "", NULL },
	{ "no ttl, generated_at tells", "{" RECS ",\"generated_at\":{\"S\":\"2026-01-02T02:59:58.5Z\"}}",
		ENTRY_EXPIRED, 2, 2000, "2026-01-02T02:59:58.5Z", NULL },
	{ "isoformat",
		"{" RECS ",\"ttl\":{\"N\":\"1767322801\"},\"generated_at\":{\"S\":\"2026-01-02T02:00:00."
		"000001+00:00\"}}",
		ENTRY_FRESH, 3600, 0, "2026-01-02T02:00:00.000001+00:00", NULL },
	{ "isoformat without offset is UTC",
		"{" RECS ",\"ttl\":{\"N\":\"1767322801\"},\"generated_at\":{\"S\":\"2026-01-02T02:00:00\"}}",
		ENTRY_FRESH, 3600, 0, "2026-01-02T02:00:00Z", NULL },
	{ "generated ahead of now",
		"{" RECS ",\"ttl\":{\"N\":\"1767322801\"},\"generated_at\":{\"S\":\"2026-01-02T04:00:00Z\"}}",
		ENTRY_FRESH, 0, 0, "2026-01-02T04:00:00Z", NULL },
	{ "generated_at no time",
		"{" RECS ",\"ttl\":{\"N\":\"1767322801\"},\"generated_at\":{\"S\":\"today\\u001b[2J\"}}",
		ENTRY_FRESH, -1, 0, "", NULL },
	{ "strings become objects",
		"{\"recommendations\":{\"L\":[{\"S\":\"p1\"},{\"N\":\"3\"},{\"S\":\"p2\"}]},\"ttl\":{\"N\":"
		"\"1767322801\"}}",
		ENTRY_FRESH, -1, 0, "", "[{\"item_id\":\"p1\"},{\"item_id\":\"p2\"}]" },
	{ "empty list", "{\"recommendations\":{\"L\":[]},\"ttl\":{\"N\":\"1767322801\"}}", ENTRY_UNUSABLE, -1,
		0, "", NULL },
	{ "numbers only", "{\"recommendations\":{\"L\":[{\"N\":\"1\"}]},\"ttl\":{\"N\":\"1767322801\"}}",
		ENTRY_UNUSABLE, -1, 0, "", NULL },
	{ "a string for a list", "{\"recommendations\":{\"S\":\"[]\"}}", ENTRY_UNUSABLE, -1, 0, "", NULL },
	{ "nothing", "{}", ENTRY_UNUSABLE, -1, 0, "", NULL },
};

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cJSON *item = tree(rows[i].item);
		struct buf recs = BUF_INIT(BUF_MAX_LINE);
		struct entry got;

		entry_read(&got, item, NOW_US);
		if (got.state != rows[i].state || got.age_s != rows[i].age_s ||
			got.expired_for_ms != rows[i].expired_ms ||
			strcmp(got.generated_at, rows[i].generated_at))
			fail_msg("%s: state %d age %lld expired %lld generated %s", rows[i].name, got.state,
				(long long)got.age_s, (long long)got.expired_for_ms, got.generated_at);
		if ((got.state == ENTRY_UNUSABLE) != (got.recommendations == NULL))
			fail_msg("%s: recommendations", rows[i].name);
		if (rows[i].recs && (!json_print(&recs, got.recommendations) || strcmp(recs.p, rows[i].recs)))
			fail_msg("%s: %s", rows[i].name, recs.p);
		buf_release(&recs);
		entry_release(&got);
		cJSON_Delete(item);
	}
}

static void test_write(void **state)
{
	cJSON *recs = tree("[{\"item_id\":\"a\",\"confidence_score\":0.90}]");
	cJSON *item = entry_item("acct", "k", recs, NOW_US, 3600, 7, "abc"), *bare;
	struct buf out = BUF_INIT(BUF_MAX_LINE);
	struct entry got;

	(void)state;
	json_print(&out, item);
	assert_string_equal(out.p,
		"{\"acct\":{\"S\":\"k\"}," RECS ",\"generated_at\":{\"S\":\"2026-01-02T03:00:00."
		"500000Z\"},\"ttl\":{\"N\":\"1767326400\"},\"version\":{\"N\":\"7\"},\"prompt_hash\":"
		"{\"S\":\"abc\"}}");
	entry_read(&got, item, NOW_US + 1000000);
	assert_int_equal(got.state, ENTRY_FRESH);
	assert_int_equal(got.age_s, 1);
	entry_release(&got);
	bare = entry_item("acct", "k", recs, NOW_US, 0, -1, NULL);
	assert_null(av_get_n(bare, "version"));
	assert_null(av_get_s(bare, "prompt_hash"));
	entry_read(&got, bare, NOW_US);
	assert_int_equal(got.state, ENTRY_EXPIRED);
	entry_release(&got);
	cJSON_Delete(bare);
	cJSON_Delete(item);
	cJSON_Delete(recs);
	buf_release(&out);
}

static void test_line(void **state)
{
	cJSON *recs = tree("[{\"item_id\":\"a\"}]");
	struct buf out = BUF_INIT(BUF_MAX_LINE);

	(void)state;
	assert_true(entry_line(&out, "user_id", "u\"1", recs, "cache", "2026-01-02T03:00:00Z", 12));
	assert_string_equal(out.p,
		"{\"user_id\":\"u\\\"1\",\"recommendations\":[{\"item_id\":\"a\"}],\"source\":"
		"\"cache\",\"generated_at\":\"2026-01-02T03:00:00Z\",\"cache_age_sec\":12}");
	buf_reset(&out);
	assert_true(entry_line(&out, "k", "u", recs, "fallback", NULL, -1));
	assert_string_equal(out.p,
		"{\"k\":\"u\",\"recommendations\":[{\"item_id\":\"a\"}],\"source\":\"fallback\","
		"\"generated_at\":null,\"cache_age_sec\":null}");
	cJSON_Delete(recs);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
