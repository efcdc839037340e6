/* The embedded agent: what it counts, what it answers, that it stays right with crashes and company. */
#include "local_help.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "local/prompt_lines.h"

#define ITEMS 12

struct answer_items { /* as the answer had them */
	char id[ITEMS][64], category[ITEMS][64];
	size_t n;
};

static struct agent *open_agent_here(void)
{
	struct agent *a;

	OK(local_open_agent(test_store, &a, e));
	return a;
}

static struct answer_items ask(struct agent *a, const char *key, const char *prompt, size_t count)
{
	struct agent_question q = {
		.key = key, .prompt = prompt, .prompt_len = strlen(prompt), .count = count
	};
	struct buf text = BUF_INIT(BUF_MAX_ANSWER);
	struct answer_items out = { .n = 0 };
	const cJSON *item;
	double last = 1;

	OK(agent_ask(a, &q, &text, e));
	cJSON *array = json_tree(text.p, text.len, NULL);
	assert_true(cJSON_IsArray(array));
	cJSON_ArrayForEach(item, array)
	{
		double confidence;
		assert_true(out.n < ITEMS);
		assert_int_equal(cJSON_GetArraySize(item), 4);
		snprintf(out.id[out.n], 64, "%s", json_str(item, "item_id"));
		snprintf(out.category[out.n++], 64, "%s", json_str(item, "category"));
		assert_true(strlen(json_str(item, "reasoning")) > 10);
		assert_true(json_num(item, "confidence_score", &confidence));
		assert_true(confidence >= 0 && confidence <= last);
		last = confidence;
	}
	cJSON_Delete(array);
	buf_release(&text);
	return out;
}

static bool has(const struct answer_items *a, const char *id)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->id[i], id))
			return true;
	return false;
}

static void event(
	struct stream *s, const char *user, const char *item, const char *type, const char *category)
{
	char line[400];

	snprintf(line, sizeof line,
		"{\"user_id\":\"%s\",\"item_id\":\"%s\",\"event_type\":\"%s\",\"metadata\":{\"category\":\"%"
		"s\"}}",
		user, item, type, category);
	put_text(s, user, line);
}

/* Eight films of each genre, each watched by a few; romances are far more popular. */
static void fill(struct stream *s)
{
	static const char *const genres[] = { "thriller", "romance", "western" };
	char user[16], item[32];

	for (int u = 0; u < 12; u++)
		for (int g = 0; g < 3; g++)
			for (int i = 0; i < 8; i++) {
				if (g != 1 && (u + i) % 4)
					continue;
				snprintf(user, sizeof user, "u%d", u);
				snprintf(item, sizeof item, "%s-%d", genres[g], i);
				event(s, user, item, "click", genres[g]);
			}
}

static void no_store(void **state)
{
	struct agent_question q = { .key = "u", .prompt = "", .count = 5 };
	struct buf text = BUF_INIT(BUF_MAX_ANSWER);
	struct agent *a = open_agent_here();

	(void)state;
	FAILS(agent_ask(a, &q, &text, e), ERR_FAILED, "ResourceNotFoundException");
	agent_close(a);
	buf_release(&text);
}

static void small_catalogues(void **state)
{
	struct stream *s = make_stream("user-interactions", 2);
	struct agent *a = open_agent_here();
	struct answer_items got = ask(a, "u", "no lines", 5);

	(void)state;
	assert_int_equal(got.n, 3);
	assert_string_equal(got.id[0], "popular_001");
	event(s, "u", "one", "click", "x");
	event(s, "v", "two", "click", "x");
	got = ask(a, "u", "no lines", 5);
	assert_int_equal(got.n, 2);
	assert_string_equal(got.id[0], "two"); /* the other was looked at just now */
	event(s, "u", "two", "purchase", "x");
	event(s, "u", "one", "skip", "x");
	got = ask(a, "u", "no lines", 5);
	assert_string_equal(got.id[0], "popular_001");
	agent_close(a);
	stream_close(s);
}

static void three_thrillers(void **state)
{
	static const char prompt[] = "Recent interactions, most recent last:\n"
				     "- PURCHASE item=romance-0 category=romance\n"
				     "- CLICK item=romance-1 category=romance\n"
				     "- CLICK item=romance-2 category=romance\n"
				     "- CLICK item=thriller-0 category=thriller\n"
				     "- CLICK item=thriller-1 category=thriller\n"
				     "- CLICK item=thriller-2 category=thriller\n";
	struct stream *s = make_stream("user-interactions", 4);
	struct agent *a = open_agent_here();

	(void)state;
	fill(s);
	struct answer_items got = ask(a, "newcomer", prompt, 5);
	assert_int_equal(got.n, 5);
	for (size_t i = 0; i < 5; i++) {
		if (strcmp(got.category[i], "thriller") != 0)
			fail_msg("%s at %zu", got.id[i], i);
		assert_false(!strcmp(got.id[i], "thriller-0") || !strcmp(got.id[i], "thriller-1") ||
			     !strcmp(got.id[i], "thriller-2"));
	}
	got = ask(a, "newcomer", prompt, 10);
	assert_int_equal(got.n, 10);
	assert_false(has(&got, "romance-0"));
	/* The same from the events seen, when the prompt has no lines. */
	for (int i = 0; i < 3; i++)
		event(s, "other",
			i == 0   ? "thriller-5"
			: i == 1 ? "thriller-6"
				 : "thriller-7",
			"click", "thriller");
	got = ask(a, "other", "A template of one's own", 5);
	assert_int_equal(got.n, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(got.category[i], "thriller");
	agent_close(a);
	stream_close(s);
}

static void never_what_was_bought(void **state)
{
	struct stream *s = make_stream("user-interactions", 1);
	struct table *profiles = make_table("user-profiles", "user_id");
	struct agent *a = open_agent_here();
	static const char text[] =
		"{\"user_id\":{\"S\":\"u\"},\"history\":{\"L\":[{\"M\":{\"item_id\":{\"S\":\"thriller-1\"},"
		"\"event_type\":{\"S\":\"purchase\"}}},{\"M\":{\"item_id\":{\"S\":\"thriller-2\"},"
		"\"event_type\":{\"S\":\"click\"}}}]}}";

	(void)state;
	fill(s);
	event(s, "u", "thriller-0", "purchase", "thriller");
	for (int i = 0; i < 30; i++) /* long ago by now */
		event(s, "u", "thriller-7", "click", "thriller");
	event(s, "u", "thriller-3", "skip", "thriller");
	cJSON *item = json_tree(text, strlen(text), NULL);
	OK(table_put(profiles, item, NULL, e));
	cJSON_Delete(item);
	static const char *const prompts[] = { "- CLICK item=thriller-7 category=thriller\n"
					       "- PURCHASE item=thriller-4 category=thriller\n",
		"none" };
	for (size_t i = 0; i < 2; i++) {
		struct answer_items got = ask(a, "u", prompts[i], 12);
		assert_int_equal(got.n, 12);
		assert_false(has(&got, "thriller-0")); /* bought, by the events */
		assert_false(has(&got, "thriller-1")); /* bought, by the profile */
		assert_false(has(&got, "thriller-3")); /* skipped */
		assert_true(has(&got, "thriller-2"));
		assert_true(has(&got, "thriller-4") == (i == 1)); /* bought, by the prompt */
	}
	struct answer_items got = ask(a, "somebody else", "none", 12);
	assert_int_equal(got.n, 12);
	agent_close(a);
	table_close(profiles);
	stream_close(s);
}

/* The question names KEY's member and the table of the profiles: what the partition key is does not matter. */
static void other_names(void **state)
{
	static const char bought[] =
		"{\"card\":\"c\",\"item_id\":\"thriller-0\",\"event_type\":\"purchase\"}";
	static const char text[] = "{\"card\":{\"S\":\"c\"},\"history\":{\"L\":[{\"M\":{\"item_id\":{\"S\":"
				   "\"thriller-1\"},\"event_type\":{\"S\":\"purchase\"}}}]}}";
	struct stream *s = make_stream("user-interactions", 1);
	struct table *profiles = make_table("cards", "card");
	struct agent *a = open_agent_here();
	struct agent_question q = { .key = "c",
		.key_name = "card",
		.profiles = "cards",
		.prompt = "none",
		.prompt_len = 4,
		.count = 24 };
	struct buf answer = BUF_INIT(BUF_MAX_ANSWER);

	(void)state;
	fill(s);
	put_text(s, "another key", bought);
	cJSON *item = json_tree(text, strlen(text), NULL);
	OK(table_put(profiles, item, NULL, e));
	cJSON_Delete(item);
	OK(agent_ask(a, &q, &answer, e));
	assert_non_null(strstr(answer.p, "\"thriller-2\""));
	assert_null(strstr(answer.p, "\"thriller-0\"")); /* by the events of card c */
	assert_null(strstr(answer.p, "\"thriller-1\"")); /* by its profile */
	buf_release(&answer);
	agent_close(a);
	table_close(profiles);
	stream_close(s);
}

static void together(void **state)
{
	struct stream *s = make_stream("user-interactions", 1), *second = make_stream("second", 1);
	struct agent *a = open_agent_here();
	char user[16], item[16];

	(void)state;
	/* No categories. tea goes with cups; twenty other things are more popular. */
	for (int u = 0; u < 10; u++) {
		snprintf(user, sizeof user, "u%d", u);
		put_text(second, user, "{\"item_id\":\"tea\",\"event_type\":\"click\"}");
		put_text(second, user, "{\"item_id\":\"cup\",\"event_type\":\"click\"}");
	}
	for (int i = 0; i < 400; i++) {
		snprintf(user, sizeof user, "v%d", i);
		snprintf(item, sizeof item, "thing%d", i % 20);
		event(s, user, item, "click", "");
	}
	put_text(s, "k", "not JSON");
	put_text(s, "k", "{\"item_id\":\"\\u0007bell\",\"event_type\":\"click\"}");
	put_text(s, "k", "{\"item_id\":\"untyped\"}");
	put_text(s, "k", "");
	struct answer_items got = ask(a, "w", "- CLICK item=tea category=\"\"\n", 5);
	assert_string_equal(got.id[0], "cup");
	assert_int_equal(got.n, 5);
	agent_close(a);
	stream_close(s);
	stream_close(second);
}

static void popular_items(void **state)
{
	struct stream *s = make_stream("user-interactions", 1);
	struct table *t = make_table("rec-cache", "user_id");
	struct agent *a = open_agent_here();
	cJSON *array = cJSON_CreateArray();

	(void)state;
	event(s, "a", "x", "click", "c1");
	event(s, "b", "y", "purchase", "c2");
	event(s, "b", "z", "skip", "c2");
	ask(a, "u", "", 5);
	OK(table_popular(t, 5, array, e));
	assert_int_equal(cJSON_GetArraySize(array), 2);
	assert_string_equal(json_str(cJSON_GetArrayItem(array, 0), "item_id"), "y");
	assert_string_equal(json_str(cJSON_GetArrayItem(array, 0), "category"), "c2");
	assert_string_equal(json_str(cJSON_GetArrayItem(array, 1), "item_id"), "x");
	cJSON_Delete(array);
	agent_close(a);
	table_close(t);
	stream_close(s);
}

static void lines_of_a_prompt(void **state)
{
	static const struct {
		const char *prompt, *want;
	} rows[] = {
		{ "", "" },
		{ "- CLICK item=a category=b\n- SKIP item=c", "CLICK a b;SKIP c ;" },
		{ "- CLICK item=\"a \\\"b\\u00e9\" category=\"\"\r\n", "CLICK a \"b\u00e9 ;" },
		{ "- CLICK category=b item=a at=2026\n", "CLICK a b;" },
		{ "- CLICK item=\n- CLICK category=x\n- CLICK\n-\n- \n--\n", "" },
		{ "- CLICK item=\"never ends\n- DWELL item=a\n", "DWELL a ;" },
		{ "  - CLICK item=a\n-CLICK item=a\nCLICK item=a\n", "" },
		{ "- CLICK item=a\\u0022 category=b\n", "CLICK a\\u0022 b;" },
		{ "- CLICK item=\"\\ud800\" category=b\n", "" },
		{ "- one must not item=x\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct rank_recent out[PROMPT_LINES_MAX];
		char got[200] = "";
		size_t n = prompt_lines(&arena, rows[i].prompt, strlen(rows[i].prompt), out);
		for (size_t k = 0; k < n; k++) {
			size_t used = strlen(got);
			snprintf(got + used, sizeof got - used, "%s %s %s;", out[k].type, out[k].item_id,
				out[k].category);
		}
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s, not %s", rows[i].prompt, got, rows[i].want);
		arena_release(&arena);
	}
	/* Of many lines the last ones. */
	struct buf many = BUF_INIT(BUF_MAX_LINE);
	struct arena arena = { 0 };
	struct rank_recent out[PROMPT_LINES_MAX];
	for (int i = 0; i < 100; i++)
		buf_printf(&many, "- CLICK item=i%d\n", i);
	assert_int_equal(prompt_lines(&arena, many.p, many.len, out), PROMPT_LINES_MAX);
	assert_string_equal(out[0].item_id, "i68");
	assert_string_equal(out[PROMPT_LINES_MAX - 1].item_id, "i99");
	arena_release(&arena);
	buf_release(&many);
}

/* All counts as one text, whatever rows they are in. */
static void counts_text(struct buf *out)
{
	static const char *const queries[] = { "SELECT item, category, score FROM agent_item ORDER BY item",
		"SELECT i.item, n.near FROM agent_near n JOIN agent_item i USING(id) ORDER BY 1",
		"SELECT key, bought FROM agent_user ORDER BY key" };
	char path[400];
	sqlite3 *h;

	snprintf(path, sizeof path, "%s/recagent.db", test_store);
	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	for (size_t q = 0; q < ARRAY_LEN(queries); q++) {
		sqlite3_stmt *st;
		assert_int_equal(sqlite3_prepare_v2(h, queries[q], -1, &st, NULL), SQLITE_OK);
		while (sqlite3_step(st) == SQLITE_ROW)
			for (int i = 0; i < sqlite3_column_count(st); i++)
				buf_printf(out, "%s%c", (const char *)sqlite3_column_text(st, i),
					i ? '\n' : ' ');
		sqlite3_finalize(st);
	}
	sqlite3_close(h);
}

static int asking_process(void)
{
	struct agent *a;
	struct err e = { 0 };
	struct agent_question q = { .key = "u", .prompt = "", .count = 5 };

	if (local_open_agent(test_store, &a, &e))
		return 1;
	for (int i = 0; i < 200; i++) {
		struct buf text = BUF_INIT(BUF_MAX_ANSWER);
		if (agent_ask(a, &q, &text, &e))
			return 2;
		buf_release(&text);
	}
	agent_close(a);
	return 0;
}

static void fill_more(struct stream *s)
{
	for (int i = 0; i < 90; i++)
		fill(s);
}

/* An ask counts for a quarter of a second at most; so many are enough on any machine. */
#define CATCH_UP_ASKS 20

/* Whoever counts, by turns and killed half way: each event is counted once. */
static void counted_once(void **state)
{
	struct stream *s = make_stream("user-interactions", 4);
	struct buf once = BUF_INIT(BUF_MAX_LINE), killed = BUF_INIT(BUF_MAX_LINE);
	struct agent *a;

	(void)state;
	fill_more(s);
	a = open_agent_here();
	for (int i = 0; i < CATCH_UP_ASKS; i++)
		ask(a, "u", "", 5);
	agent_close(a);
	counts_text(&once);
	assert_true(once.len > 500);
	/* Again from nothing. */
	char path[400];
	sqlite3 *h;
	snprintf(path, sizeof path, "%s/recagent.db", test_store);
	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(h,
			"UPDATE agent_position SET seq = 0; DELETE FROM agent_item; DELETE FROM agent_near;"
			"DELETE FROM agent_user",
			NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(h);
	srand(3);
	for (int i = 0; i < 15; i++) {
		pid_t pids[2];
		for (int k = 0; k < 2; k++) {
			pids[k] = fork();
			if (pids[k] == 0)
				_exit(asking_process());
		}
		nanosleep(&(struct timespec){ .tv_nsec = 500000 + rand() % 6000000 }, NULL);
		kill(pids[0], SIGKILL);
		kill(pids[1], SIGKILL);
		waitpid(pids[0], NULL, 0);
		waitpid(pids[1], NULL, 0);
	}
	for (int i = 0; i < CATCH_UP_ASKS; i++)
		assert_int_equal(asking_process(), 0);
	counts_text(&killed);
	assert_string_equal(killed.p, once.p);
	buf_release(&once);
	buf_release(&killed);
	stream_close(s);
}

static void *thread_asks(void *arg)
{
	struct agent_question q = { .key = "u1",
		.prompt = "- CLICK item=thriller-0 category=thriller\n",
		.prompt_len = 42,
		.count = 5 };

	for (int i = 0; i < 40; i++) {
		struct buf text = BUF_INIT(BUF_MAX_ANSWER);
		if (agent_ask(arg, &q, &text, NULL) || !text.len)
			return arg;
		buf_release(&text);
	}
	return NULL;
}

static void threads(void **state)
{
	struct stream *s = make_stream("user-interactions", 4);
	struct agent *a = open_agent_here();
	pthread_t t[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		pthread_create(&t[i], NULL, thread_asks, a);
	fill(s);
	for (int i = 0; i < 16; i++) {
		void *failed;
		pthread_join(t[i], &failed);
		assert_null(failed);
	}
	agent_close(a);
	stream_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(no_store), TEST(small_catalogues), TEST(three_thrillers),
		TEST(never_what_was_bought), TEST(other_names), TEST(together), TEST(popular_items),
		cmocka_unit_test(lines_of_a_prompt), TEST(counted_once), TEST(threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
