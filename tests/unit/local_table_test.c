/* Tables of the embedded store: conditions, updates, limits, scans, TTL, several writers. */
#include "local_help.h"

#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "base/clock.h"

static cJSON *item_of(const char *text)
{
	cJSON *item = json_tree(text, strlen(text), NULL);

	assert_non_null(item);
	return item;
}

static void put_json(struct table *t, const char *text)
{
	cJSON *item = item_of(text);

	OK(table_put(t, item, NULL, e));
	cJSON_Delete(item);
}

static void expect(struct table *t, const char *key, const char *text)
{
	struct buf b = BUF_INIT(BUF_MAX_LINE);
	cJSON *item;

	OK(table_get(t, key, true, &item, e));
	if (!text) {
		assert_null(item);
		return;
	}
	assert_non_null(item);
	json_print(&b, item);
	assert_string_equal(b.p, text);
	buf_release(&b);
	cJSON_Delete(item);
}

static void nothing_there(void **state)
{
	struct table *t;
	cJSON *item, *popular = cJSON_CreateArray();
	struct table_info info;
	struct err why = { 0 };
	struct stat st;

	(void)state;
	OK(local_open_table(test_store, "rec-cache", "user_id", &t, e));
	FAILS(table_get(t, "u", false, &item, e), ERR_FAILED, "ResourceNotFoundException");
	FAILS(table_delete(t, "u", NULL, e), ERR_FAILED, "ResourceNotFoundException");
	FAILS(table_describe(t, &info, e), ERR_FAILED, "ResourceNotFoundException");
	table_get(t, "u", false, &item, &why);
	assert_non_null(strstr(why.msg, "recagent setup --local "));
	OK(table_popular(t, 3, popular, e));
	assert_int_equal(stat(test_store, &st), -1);
	table_close(make_table("other", "k"));
	FAILS(table_get(t, "u", false, &item, e), ERR_FAILED, "ResourceNotFoundException");
	OK(table_popular(t, 3, popular, e));
	assert_int_equal(cJSON_GetArraySize(popular), 0);
	cJSON_Delete(popular);
	table_close(t);
}

static void put_get_delete(void **state)
{
	struct table *t = make_table("t", "k"), *wrong;
	cJSON *item;

	(void)state;
	expect(t, "a", NULL);
	put_json(t, "{\"k\":{\"S\":\"a\"},\"n\":{\"N\":\"1E+2\"},\"l\":{\"L\":[{\"NULL\":true},{\"BOOL\":"
		    "false}]}}");
	expect(t, "a",
		"{\"k\":{\"S\":\"a\"},\"n\":{\"N\":\"1E+2\"},\"l\":{\"L\":[{\"NULL\":true},{\"BOOL\":false}]}"
		"}");
	put_json(t, "{\"k\":{\"S\":\"a\"},\"s\":{\"S\":\"\\u00e9\\n\"}}");
	expect(t, "a", "{\"k\":{\"S\":\"a\"},\"s\":{\"S\":\"\u00e9\\n\"}}");
	OK(table_delete(t, "a", NULL, e));
	OK(table_delete(t, "a", NULL, e));
	expect(t, "a", NULL);
	FAILS(table_create(t, e), ERR_FAILED, "ResourceInUseException");
	OK(local_open_table(test_store, "t", "other", &wrong, e));
	FAILS(table_get(wrong, "a", true, &item, e), ERR_FAILED, "ValidationException");
	FAILS(table_get(t, "", true, &item, e), ERR_FAILED, "ValidationException");
	item = item_of("{\"other\":{\"S\":\"a\"}}");
	FAILS(table_put(t, item, NULL, e), ERR_FAILED, "ValidationException");
	cJSON_Delete(item);
	table_close(wrong);
	table_close(t);
}

static void conditions(void **state)
{
	/* On {"n":{"N":"10"},"s":{"S":"b"},"z":{"NULL":true}}. */
	static const struct {
		const char *name, *attr;
		enum cond_op op;
		const char *value;
		bool holds;
	} rows[] = {
		{ "exists", "n", COND_EXISTS, NULL, true },
		{ "exists, missing", "x", COND_EXISTS, NULL, false },
		{ "null exists", "z", COND_EXISTS, NULL, true },
		{ "missing", "x", COND_MISSING, NULL, true },
		{ "missing, there", "n", COND_MISSING, NULL, false },
		{ "N by value", "n", COND_EQ, "{\"N\":\"1e1\"}", true },
		{ "N is not S", "n", COND_EQ, "{\"S\":\"10\"}", false },
		{ "N less, not as text", "n", COND_LT, "{\"N\":\"9\"}", false },
		{ "N less", "n", COND_LT, "{\"N\":\"10.5\"}", true },
		{ "N less, equal", "n", COND_LT, "{\"N\":\"10\"}", false },
		{ "N at most", "n", COND_LE, "{\"N\":\"10.0\"}", true },
		{ "N more", "n", COND_GT, "{\"N\":\"-11\"}", true },
		{ "N more, of many digits", "n", COND_GT,
			"{\"N\":\"9.9999999999999999999999999999999999999\"}", true },
		{ "S less", "s", COND_LT, "{\"S\":\"c\"}", true },
		{ "S by bytes", "s", COND_GT, "{\"S\":\"Z\"}", true },
		{ "S equal", "s", COND_EQ, "{\"S\":\"b\"}", true },
		{ "S against N", "s", COND_GT, "{\"N\":\"0\"}", false },
		{ "missing is not less", "x", COND_LT, "{\"N\":\"1\"}", false },
		{ "missing is not at most", "x", COND_LE, "{\"N\":\"1\"}", false },
		{ "missing is not equal", "x", COND_EQ, "{\"N\":\"1\"}", false },
		{ "NULL has no order", "z", COND_LE, "{\"NULL\":true}", false },
	};
	struct table *t = make_table("t", "k");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cond c = { 0 };
		struct changes ch = { 0 };
		struct err why = { 0 };
		put_json(t, "{\"k\":{\"S\":\"a\"},\"n\":{\"N\":\"10\"},\"s\":{\"S\":\"b\"},\"z\":{\"NULL\":"
			    "true}}");
		cond_test(&c, rows[i].attr, rows[i].op, rows[i].value ? item_of(rows[i].value) : NULL);
		change_set(&ch, "done", av_n(1));
		int rc = table_update(t, "a", &ch, &c, &why);
		if ((rc == 0) != rows[i].holds || (rc && !cond_failed(&why)))
			fail_msg("%s: %d %s", rows[i].name, rc, why.msg);
		cJSON *item;
		OK(table_get(t, "a", true, &item, e));
		if ((av_get_n(item, "done") != NULL) != rows[i].holds)
			fail_msg("%s: applied or not", rows[i].name);
		cJSON_Delete(item);
		cond_release(&c);
		changes_release(&ch);
	}
	table_close(t);
}

static void joined_conditions(void **state)
{
	struct table *t = make_table("t", "k");
	struct cond c = { .any = true };
	cJSON *item = item_of("{\"k\":{\"S\":\"a\"},\"v\":{\"N\":\"2\"}}");

	(void)state;
	cond_test(&c, "k", COND_MISSING, NULL);
	cond_test(&c, "v", COND_LE, av_n(2));
	OK(table_put(t, item, &c, e)); /* no item */
	OK(table_put(t, item, &c, e)); /* 2 <= 2 */
	put_json(t, "{\"k\":{\"S\":\"a\"},\"v\":{\"N\":\"3\"}}");
	FAILS(table_put(t, item, &c, e), ERR_FAILED, "ConditionalCheckFailedException");
	FAILS(table_delete(t, "a", &c, e), ERR_FAILED, "ConditionalCheckFailedException");
	c.any = false;
	FAILS(table_put(t, item, &c, e), ERR_FAILED, "ConditionalCheckFailedException");
	expect(t, "a", "{\"k\":{\"S\":\"a\"},\"v\":{\"N\":\"3\"}}");
	cond_release(&c);
	cJSON_Delete(item);
	table_close(t);
}

static void updates(void **state)
{
	struct table *t = make_table("t", "k");
	struct changes ch = { 0 };

	(void)state;
	change_set(&ch, "s", av_s("x"));
	change_add(&ch, "n", 5);
	change_remove(&ch, "gone");
	OK(table_update(t, "a", &ch, NULL, e)); /* makes it */
	expect(t, "a", "{\"k\":{\"S\":\"a\"},\"s\":{\"S\":\"x\"},\"n\":{\"N\":\"5\"}}");
	changes_release(&ch);
	change_add(&ch, "n", -7);
	change_remove(&ch, "s");
	OK(table_update(t, "a", &ch, NULL, e));
	expect(t, "a", "{\"k\":{\"S\":\"a\"},\"n\":{\"N\":\"-2\"}}");
	changes_release(&ch);
	change_set(&ch, "s", av_s("not to be seen"));
	change_add(&ch, "k", 1);
	FAILS(table_update(t, "a", &ch, NULL, e), ERR_FAILED, "ValidationException");
	changes_release(&ch);
	put_json(t, "{\"k\":{\"S\":\"b\"},\"n\":{\"S\":\"text\"}}");
	change_add(&ch, "n", 1);
	FAILS(table_update(t, "b", &ch, NULL, e), ERR_FAILED, "ValidationException");
	changes_release(&ch);
	expect(t, "a", "{\"k\":{\"S\":\"a\"},\"n\":{\"N\":\"-2\"}}");
	table_close(t);
}

static void size_limit(void **state)
{
	struct table *t = make_table("t", "k");
	char *big = calloc(1, AV_ITEM_MAX + 1);
	struct changes ch = { 0 };

	(void)state;
	memset(big, 'x', AV_ITEM_MAX - 3); /* "k" + "a" + "v" + this = the limit */
	change_set(&ch, "v", av_s(big));
	OK(table_update(t, "a", &ch, NULL, e));
	changes_release(&ch);
	big[AV_ITEM_MAX - 3] = 'x';
	change_set(&ch, "v", av_s(big));
	FAILS(table_update(t, "a", &ch, NULL, e), ERR_FAILED, "ValidationException");
	changes_release(&ch);
	cJSON *item;
	OK(table_get(t, "a", true, &item, e));
	assert_int_equal(strlen(av_get_s(item, "v")), AV_ITEM_MAX - 3);
	cJSON_Delete(item);
	free(big);
	table_close(t);
}

static int count_items(const cJSON *item, void *arg)
{
	size_t *n = arg;

	assert_non_null(av_get_s(item, "k"));
	return ++*n == n[1];
}

static int delete_items(const cJSON *item, void *arg)
{
	OK(table_delete(arg, av_get_s(item, "k"), NULL, e));
	return 0;
}

static void scan_and_many(void **state)
{
	struct table *t = make_table("t", "k"), *beside = make_table("beside", "k");
	char text[100];
	size_t n[2] = { 0, 0 };

	(void)state;
	for (int i = 0; i < 600; i++) {
		snprintf(text, sizeof text, "{\"k\":{\"S\":\"key%d\"}}", i);
		put_json(t, text);
	}
	put_json(beside, "{\"k\":{\"S\":\"key0\"},\"beside\":{\"BOOL\":true}}");
	OK(table_scan(t, count_items, n, e));
	assert_int_equal(n[0], 600);
	n[0] = 0;
	n[1] = 300;
	OK(table_scan(t, count_items, n, e));
	assert_int_equal(n[0], 300);
	const char *keys[] = { "key3", "none", "key599", "key3" };
	cJSON *items[4];
	OK(table_get_many(t, keys, 4, false, items, e));
	assert_string_equal(av_get_s(items[0], "k"), "key3");
	assert_null(items[1]);
	assert_string_equal(av_get_s(items[2], "k"), "key599");
	assert_string_equal(av_get_s(items[3], "k"), "key3");
	for (int i = 0; i < 4; i++)
		cJSON_Delete(items[i]);
	OK(table_scan(t, delete_items, t, e)); /* the table may be used from inside */
	n[0] = n[1] = 0;
	OK(table_scan(t, count_items, n, e));
	assert_int_equal(n[0], 0);
	expect(beside, "key0", "{\"k\":{\"S\":\"key0\"},\"beside\":{\"BOOL\":true}}");
	table_close(t);
	table_close(beside);
}

static void ttl(void **state)
{
	struct table *t = make_table("t", "k");
	struct table_info info;
	char text[100];
	static const struct {
		const char *key;
		int64_t ago_s;
		bool kept;
	} rows[] = { { "fresh", -100, true }, { "stale", 3600, true }, { "old", 3 * 86400, false } };

	(void)state;
	OK(table_describe(t, &info, e));
	assert_false(info.ttl_enabled);
	OK(table_enable_ttl(t, "ttl", e));
	OK(table_enable_ttl(t, "ttl", e));
	OK(table_describe(t, &info, e));
	assert_true(info.ttl_enabled);
	assert_string_equal(info.ttl_attribute, "ttl");
	assert_string_equal(info.key_attribute, "k");
	assert_string_equal(info.status, "ACTIVE");
	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof text, "{\"k\":{\"S\":\"%s\"},\"ttl\":{\"N\":\"%lld\"}}", rows[i].key,
			(long long)(clock_now_s() - rows[i].ago_s));
		put_json(t, text);
	}
	put_json(t, "{\"k\":{\"S\":\"another\"}}"); /* a write sweeps */
	for (size_t i = 0; i < 3; i++) {
		cJSON *item;
		OK(table_get(t, rows[i].key, true, &item, e));
		if ((item != NULL) != rows[i].kept)
			fail_msg("%s", rows[i].key);
		cJSON_Delete(item);
	}
	table_close(t);
}

#define WRITERS 4
#define EACH 50

/* Adds 1 to v, EACH times, as prompt does it: read, compute, write if the version is unchanged. 0 when all went well. */
static int add_by_version(struct table *t)
{
	for (int i = 0; i < EACH;) {
		struct changes ch = { 0 };
		struct cond c = { 0 };
		struct err e = { 0 };
		cJSON *item;
		int64_t v = 0;
		if (table_get(t, "row", true, &item, &e))
			return 1;
		av_get_int(item, "v", &v);
		cond_test(&c, "v", item ? COND_EQ : COND_MISSING, item ? av_n(v) : NULL);
		change_set(&ch, "v", av_n(v + 1));
		int rc = table_update(t, "row", &ch, &c, &e);
		cJSON_Delete(item);
		cond_release(&c);
		changes_release(&ch);
		if (rc == 0)
			i++;
		else if (!cond_failed(&e))
			return 2;
	}
	return 0;
}

static void no_lost_update(void **state)
{
	struct table *t = make_table("t", "k");
	pid_t pids[WRITERS];

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct table *mine;
			if (local_open_table(test_store, "t", "k", &mine, NULL))
				_exit(9);
			_exit(add_by_version(mine));
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;
		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	expect(t, "row", "{\"k\":{\"S\":\"row\"},\"v\":{\"N\":\"200\"}}");
	table_close(t);
}

static void *thread_adds(void *arg)
{
	return add_by_version(arg) ? arg : NULL;
}

static void threads(void **state)
{
	struct table *t = make_table("t", "k");
	pthread_t threads[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, thread_adds, t);
	for (int i = 0; i < 8; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	expect(t, "row", "{\"k\":{\"S\":\"row\"},\"v\":{\"N\":\"400\"}}");
	table_close(t);
}

/* A read-only use leaves the database's bytes alone. */
static void get_writes_nothing(void **state)
{
	struct table *t = make_table("t", "k");
	char path[400];
	struct stat before, after;

	(void)state;
	put_json(t, "{\"k\":{\"S\":\"a\"}}");
	table_close(t);
	snprintf(path, sizeof path, "%s/recagent.db", test_store);
	assert_int_equal(stat(path, &before), 0);
	OK(local_open_table(test_store, "t", "k", &t, e));
	expect(t, "a", "{\"k\":{\"S\":\"a\"}}");
	table_close(t);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	snprintf(path, sizeof path, "%s/recagent.db-wal", test_store);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(nothing_there), TEST(put_get_delete), TEST(conditions),
		TEST(joined_conditions), TEST(updates), TEST(size_limit), TEST(scan_and_many), TEST(ttl),
		TEST(no_lost_update), TEST(threads), TEST(get_writes_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
