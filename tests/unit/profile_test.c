/* profile_test.c - profiles: each event once, in event-time order, within the window and the item limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rec/profile.h"

#define NOW_US ((int64_t)1767322800 * 1000000) /* 2026-01-02T03:00:00Z */

static const struct profile_limits window20 = { .history = 20 };

static cJSON *tree(const char *json)
{
	struct err e = { 0 };
	cJSON *t = json_tree(json, strlen(json), &e);

	if (!t)
		fail_msg("%s: %s", json, e.msg);
	return t;
}

static void load(struct profile *p, const char *item)
{
	struct err e = { 0 };

	if (profile_load(p, item ? tree(item) : NULL, &e))
		fail_msg("%s: %s", item, e.msg);
}

static enum profile_result apply(
	struct profile *p, const char *line, const struct profile_limits *lim, struct err *e)
{
	struct event ev;
	struct err ignored = { 0 };
	enum profile_result r;

	if (event_parse(&ev, line, strlen(line), "user_id", EVENT_NEED_KEY | EVENT_STORED, &ignored))
		fail_msg("%s: %s", line, ignored.msg);
	r = profile_apply(p, &ev, line, lim, NOW_US, e ? e : &ignored);
	event_release(&ev);
	return r;
}

/* Write back and read again, as a store would. */
static void store(struct profile *p)
{
	cJSON *item = p->item ? cJSON_Duplicate(p->item, true) : tree("{\"user_id\":{\"S\":\"u\"}}");
	cJSON *ch = profile_changes(p, NOW_US), *c;
	struct err e = { 0 };

	while ((c = ch->child)) {
		char *name = mem_strdup(c->string);

		json_add(item, name, cJSON_DetachItemViaPointer(ch, c));
		free(name);
	}
	cJSON_Delete(ch);
	profile_release(p);
	if (profile_load(p, item, &e))
		fail_msg("%s", e.msg);
}

/* The item_ids of the history, separated by blanks. */
static const char *items(const struct profile *p, char *out, size_t size)
{
	const cJSON *n;

	*out = '\0';
	cJSON_ArrayForEach(n, cJSON_GetObjectItem(p->history, "L"))
	{
		size_t at = strlen(out);
		const char *id = av_get_s(cJSON_GetObjectItem(n, "M"), "item_id");

		snprintf(out + at, size - at, "%s%s", at ? " " : "", id ? id : "?");
	}
	return out;
}

static void check_items(const char *name, const struct profile *p, const char *want)
{
	char got[4096];

	if (strcmp(items(p, got, sizeof(got)), want))
		fail_msg("%s: history is %s, wanted %s", name, got, want);
}

static char *print(const cJSON *t)
{
	struct buf b = BUF_INIT(BUF_MAX_LINE);

	json_print(&b, t);
	return buf_take(&b);
}

static void test_first_event(void **state)
{
	static const char line[] =
		"{\"event_id\":\"e1\",\"user_id\":\"u\",\"item_id\":\"i1\",\"event_type\":\"click\","
		"\"timestamp\":"
		"\"2026-01-01T00:00:00Z\",\"metadata\":{\"price\":14.990,\"big\":1e400,\"deep\":[null,true]},"
		"\"_source\":{\"stream\":\"s\",\"shard_id\":\"h\",\"sequence_number\":\"9\","
		"\"arrival\":\"2026-01-01T00:00:01Z\"}}";
	struct profile p;
	cJSON *ch;
	char *got;

	(void)state;
	load(&p, NULL);
	assert_int_equal(apply(&p, line, &window20, NULL), PROFILE_APPLIED);
	assert_int_equal(p.version, 1);
	assert_false(p.had_version);
	ch = profile_changes(&p, NOW_US);
	got = print(ch);
	assert_string_equal(got, "{\"history\":{\"L\":[{\"M\":{\"event_id\":{\"S\":\"e1\"},\"item_id\":{"
				 "\"S\":\"i1\"},\"event_type\":"
				 "{\"S\":\"click\"},\"timestamp\":{\"S\":\"2026-01-01T00:00:00Z\"},"
				 "\"metadata\":{\"M\":{\"price\":{"
				 "\"N\":\"14.990\"},\"big\":{\"S\":\"1e400\"},\"deep\":{\"L\":[{\"NULL\":"
				 "true},{\"BOOL\":true}]}}}}}]},"
				 "\"version\":{\"N\":\"1\"},\"applied\":{\"N\":\"1\"},\"marks\":{\"L\":[{"
				 "\"M\":{\"shard\":{\"S\":\"s/h\"},"
				 "\"sequence\":{\"S\":\"9\"},\"subsequence\":{\"N\":\"0\"}}}]},\"recent_"
				 "ids\":{\"L\":[{\"S\":\"e1\"}]},"
				 "\"updated_at\":{\"S\":\"2026-01-02T03:00:00.000000Z\"}}");
	free(got);
	cJSON_Delete(ch);
	profile_release(&p);
}

#define AT(id, item, time, rest)                                                                             \
	"{\"user_id\":\"u\",\"event_id\":\"" id "\",\"item_id\":\"" item                                     \
	"\",\"timestamp\":\"2026-01-01T" time "Z\"" rest "}"
#define POSITION(shard, seq, sub)                                                                            \
	",\"_source\":{\"stream\":\"s\",\"shard_id\":\"" shard "\",\"sequence_number\":\"" seq               \
	"\",\"subsequence_number\":" sub "}"

static void test_order(void **state)
{
	static const char *const lines[] = {
		AT("1", "a", "10:00:00", ""),
		AT("2", "b", "12:00:00", ""),
		AT("3", "late", "11:00:00", ""),
		AT("4", "tie", "11:00:00", ""),
		AT("5", "first", "09:00:00", ""),
		AT("6", "ahead", "23:00:00", ",\"_source\":{\"arrival\":\"2026-01-01T11:30:00Z\"}"),
		AT("7", "arrived-late", "09:30:00", ",\"_source\":{\"arrival\":\"2026-01-01T23:30:00Z\"}"),
		"{\"user_id\":\"u\",\"item_id\":\"by-arrival\",\"_source\":{\"arrival\":\"2026-01-01T10:30:"
		"00Z\"}}",
		"{\"user_id\":\"u\",\"item_id\":\"now\"}",
	};
	struct profile p;

	(void)state;
	load(&p, NULL);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_int_equal(apply(&p, lines[i], &window20, NULL), PROFILE_APPLIED);
		store(&p);
	}
	check_items("order", &p, "first arrived-late a by-arrival late tie ahead b now");
	assert_int_equal(p.version, ARRAY_LEN(lines));
	profile_release(&p);
}

static void test_known(void **state)
{
	static const struct {
		const char *name, *line;
		enum profile_result want;
	} rows[] = {
		{ "first", AT("1", "a", "10:00:00", POSITION("h1", "100", "0")), PROFILE_APPLIED },
		{ "again", AT("1", "a", "10:00:00", POSITION("h1", "100", "0")), PROFILE_KNOWN },
		{ "same id, later position", AT("1", "a", "10:00:00", POSITION("h1", "101", "0")),
			PROFILE_KNOWN },
		{ "same position, other id", AT("2", "b", "10:00:00", POSITION("h1", "100", "0")),
			PROFILE_KNOWN },
		{ "lower position", AT("3", "b", "10:00:00", POSITION("h1", "99", "9")), PROFILE_KNOWN },
		{ "higher subsequence", AT("4", "b", "10:00:01", POSITION("h1", "100", "1")),
			PROFILE_APPLIED },
		{ "lower subsequence", AT("5", "b", "10:00:00", POSITION("h1", "100", "0")), PROFILE_KNOWN },
		{ "more digits", AT("6", "c", "10:00:02", POSITION("h1", "1000", "0")), PROFILE_APPLIED },
		{ "fewer digits", AT("7", "d", "10:00:02", POSITION("h1", "999", "0")), PROFILE_KNOWN },
		{ "zeros in front", AT("7", "d", "10:00:02", POSITION("h1", "001000", "0")), PROFILE_KNOWN },
		{ "128 bits",
			AT("8", "e", "10:00:03",
				POSITION("h1", "49590338271490256608559692538361571095921575989136588898",
					"0")),
			PROFILE_APPLIED },
		{ "128 bits, one less",
			AT("9", "e", "10:00:03",
				POSITION("h1", "49590338271490256608559692538361571095921575989136588897",
					"0")),
			PROFILE_KNOWN },
		{ "other shard", AT("10", "f", "10:00:04", POSITION("h2", "5", "0")), PROFILE_APPLIED },
		{ "no position, known id", AT("10", "f", "10:00:04", ""), PROFILE_KNOWN },
		{ "no position, new id", AT("11", "g", "10:00:05", ""), PROFILE_APPLIED },
	};
	struct profile p;

	(void)state;
	load(&p, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t before = p.version;
		enum profile_result got = apply(&p, rows[i].line, &window20, NULL);

		if (got != rows[i].want || p.version != before + (got == PROFILE_APPLIED))
			fail_msg("%s: %d, version %lld", rows[i].name, got, (long long)p.version);
		store(&p);
	}
	check_items("known", &p, "a b c e f g");
	profile_release(&p);
}

static void test_marks_kept(void **state)
{
	char line[400];
	struct profile p;

	(void)state;
	load(&p, NULL);
	for (int i = 0; i < 9; i++) { /* h0 is used again before the ninth shard comes: h1 goes */
		snprintf(line, sizeof(line), AT("%d", "x", "10:00:00", POSITION("h%d", "5", "0")), i, i);
		assert_int_equal(apply(&p, line, &window20, NULL), PROFILE_APPLIED);
		if (i == 7)
			apply(&p, AT("z", "x", "10:00:00", POSITION("h0", "6", "0")), &window20, NULL);
		store(&p);
	}
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(p.marks, "L")), PROFILE_MARKS);
	assert_int_equal(apply(&p, AT("n", "x", "10:00:00", POSITION("h0", "6", "0")), &window20, NULL),
		PROFILE_KNOWN);
	assert_int_equal(apply(&p, AT("m", "x", "10:00:00", POSITION("h1", "5", "0")), &window20, NULL),
		PROFILE_APPLIED);
	profile_release(&p);
}

static void test_ids_kept(void **state)
{
	static const struct profile_limits one = { .history = 1 };
	char line[200];
	struct profile p;

	(void)state;
	load(&p, NULL);
	for (int i = 0; i <= PROFILE_RECENT_IDS; i++) {
		snprintf(line, sizeof(line), AT("%d", "x", "10:00:%02d", ""), i, i < 59 ? i : 59);
		assert_int_equal(apply(&p, line, &one, NULL), PROFILE_APPLIED);
	}
	assert_int_equal(apply(&p, AT("1", "x", "10:00:00", ""), &one, NULL), PROFILE_KNOWN);
	assert_int_equal(apply(&p, AT("0", "x", "10:00:00", ""), &one, NULL), PROFILE_APPLIED);
	profile_release(&p);
}

/* An archive without positions, read again: what the history holds is known, however many ids came since. */
static void test_archive_again(void **state)
{
	char line[200], before[4096], after[4096];
	struct profile p;

	(void)state;
	load(&p, NULL);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 200; i++) {
			snprintf(line, sizeof(line), AT("%d", "i%d", "10:%02d:%02d", ""), i, i, i / 60,
				i % 60);
			assert_int_not_equal(apply(&p, line, &window20, NULL), PROFILE_REFUSED);
		}
		items(&p, round ? after : before, sizeof(before));
	}
	assert_string_equal(before, after);
	profile_release(&p);
}

static void test_window(void **state)
{
	static const struct profile_limits three = { .history = 3 }, none = { 0 };
	char line[200];
	struct profile p;

	(void)state;
	load(&p, NULL);
	for (int i = 1; i <= 5; i++) {
		snprintf(line, sizeof(line), AT("%d", "i%d", "10:00:%02d", ""), i, i, 10 * i);
		apply(&p, line, &three, NULL);
	}
	check_items("last three", &p, "i3 i4 i5");
	assert_int_equal(apply(&p, AT("old", "old", "09:00:00", ""), &three, NULL), PROFILE_APPLIED);
	check_items("older than a full window", &p, "i3 i4 i5");
	assert_int_equal(p.version, 6);
	assert_int_equal(p.applied, 6);
	assert_int_equal(apply(&p, AT("old", "old", "09:00:00", ""), &three, NULL), PROFILE_KNOWN);
	apply(&p, AT("mid", "mid", "10:00:35", ""), &three, NULL);
	check_items("in the middle", &p, "mid i4 i5");
	for (int i = 0; i < 50; i++) {
		snprintf(line, sizeof(line), AT("w%d", "w%d", "11:00:%02d", ""), i, i, i);
		apply(&p, line, &none, NULL);
	}
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(p.history, "L")), 53);
	apply(&p, AT("x", "x", "12:00:00", ""), &three, NULL);
	check_items("a smaller window", &p, "w48 w49 x");
	profile_release(&p);
}

static char *big_line(int i, size_t bytes)
{
	size_t size = bytes + 300;
	char *line = mem_alloc(size), *fill = mem_alloc(bytes + 1);

	memset(fill, 'x', bytes);
	snprintf(line, size, AT("big%d", "b%d", "1%d:%02d:00", ",\"metadata\":{\"f\":\"%s\"}"), i, i, i / 60,
		i % 60, fill);
	free(fill);
	return line;
}

static void test_item_limit(void **state)
{
	struct profile p;
	struct err e = { 0 };
	cJSON *item;
	char *line;

	(void)state;
	load(&p, "{\"user_id\":{\"S\":\"u\"},\"preferences\":{\"M\":{\"likes\":{\"S\":\"everything\"}}}}");
	for (int i = 0; i < 40; i++) {
		size_t size;

		line = big_line(i, 25000);
		if (apply(&p, line, &window20, &e) != PROFILE_APPLIED)
			fail_msg("event %d: %s", i, e.msg);
		free(line);
		store(&p);
		item = cJSON_Duplicate(p.item, true);
		json_add(item, "history", cJSON_Duplicate(p.history, true));
		json_add(item, "marks", cJSON_Duplicate(p.marks, true));
		json_add(item, "recent_ids", cJSON_Duplicate(p.recent_ids, true));
		size = av_item_size(item) + 100;
		cJSON_Delete(item);
		if (size > AV_ITEM_MAX || (i >= 16 && size < AV_ITEM_MAX - 30000))
			fail_msg("after event %d the item has %zu bytes", i, size);
	}
	assert_non_null(profile_preferences(&p));
	assert_int_equal(p.version, 40);
	line = big_line(50, AV_ITEM_MAX);
	assert_int_equal(apply(&p, line, &window20, &e), PROFILE_REFUSED);
	assert_string_equal(e.code, "item-too-large");
	assert_non_null(strstr(e.msg, "409600"));
	assert_int_equal(p.version, 40);
	free(line);
	line = big_line(51, AV_ITEM_MAX - 8000);
	assert_int_equal(apply(&p, line, &window20, &e), PROFILE_APPLIED);
	check_items("room made for a large one", &p, "b51");
	free(line);
	profile_release(&p);
}

/* What is not kept need not fit. */
static void test_old_and_large(void **state)
{
	static const struct profile_limits one = { .history = 1 };
	char *line = big_line(0, AV_ITEM_MAX);
	struct profile p;

	(void)state;
	load(&p, NULL);
	apply(&p, AT("1", "a", "20:00:00", ""), &one, NULL);
	assert_int_equal(apply(&p, line, &one, NULL), PROFILE_APPLIED);
	assert_int_equal(p.version, 2);
	check_items("old and large", &p, "a");
	free(line);
	profile_release(&p);
}

/* Nested n deep, the metadata object itself counted. */
static char *deep_line(int n)
{
	char *line = mem_alloc(4096);
	size_t at = (size_t)snprintf(line, 4096, "{\"user_id\":\"u\",\"metadata\":{\"a\":");

	for (int i = 1; i < n; i++)
		line[at++] = '[';
	for (int i = 1; i < n; i++)
		line[at++] = ']';
	if (n == 1)
		line[at++] = '1';
	memcpy(line + at, "}}", 3);
	return line;
}

static void test_unstorable(void **state)
{
	static const struct {
		const char *name, *metadata, *message;
	} rows[] = {
		{ "U+0000", "{\"a\":[\"x\\u0000\"]}", "metadata: U+0000" },
		{ "U+0000 in a name", "{\"a\\u0000\":1}", "metadata: U+0000" },
		{ "a name twice", "{\"b\":1,\"a\":{\"x\":1,\"y\":2,\"x\":3}}", "metadata holds \"x\" twice" },
	};
	struct profile p;

	(void)state;
	load(&p, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[200];
		struct err e = { 0 };

		snprintf(line, sizeof(line), "{\"user_id\":\"u\",\"metadata\":%s}", rows[i].metadata);
		if (apply(&p, line, &window20, &e) != PROFILE_REFUSED || e.cls != ERR_REFUSED ||
			strncmp(e.msg, rows[i].message, strlen(rows[i].message)))
			fail_msg("%s: %s", rows[i].name, e.msg);
	}
	assert_int_equal(p.version, 0);
	for (int depth = PROFILE_MAX_DEPTH; depth <= PROFILE_MAX_DEPTH + 1; depth++) {
		char *line = deep_line(depth);
		struct err e = { 0 };

		assert_int_equal(apply(&p, line, &window20, &e),
			depth > PROFILE_MAX_DEPTH ? PROFILE_REFUSED : PROFILE_APPLIED);
		free(line);
	}
	profile_release(&p);
}

static void test_metadata_forms(void **state)
{
	struct profile p;
	const cJSON *list;

	(void)state;
	load(&p, NULL);
	apply(&p, AT("1", "a", "10:00:00", ",\"metadata\":null"), &window20, NULL);
	apply(&p, AT("2", "b", "10:00:01", ""), &window20, NULL);
	list = cJSON_GetObjectItem(p.history, "L");
	for (const cJSON *n = list->child; n; n = n->next)
		assert_non_null(av_get(cJSON_GetObjectItem(n, "M"), "metadata", "M"));
	assert_null(av_get_s(cJSON_GetObjectItem(list->child, "M"), "event_type"));
	profile_release(&p);
}

/* What the published Python pipeline left in the table. */
static void test_take_over(void **state)
{
	static const char item[] =
		"{\"user_id\":{\"S\":\"u\"},\"preferences\":{\"M\":{}},\"other\":{\"N\":\"5\"},\"history\":{"
		"\"L\":["
		"{\"M\":{\"item_id\":{\"S\":\"p2\"},\"timestamp\":{\"S\":\"2026-01-01T02:00:00.000001+00:"
		"00\"},"
		"\"metadata\":{\"M\":{\"price\":{\"N\":\"14.99\"}}}}},"
		"{\"S\":\"odd\"},"
		"{\"M\":{\"item_id\":{\"S\":\"p1\"},\"timestamp\":{\"S\":\"2026-01-01T01:00:00+00:00\"}}},"
		"{\"M\":{\"item_id\":{\"S\":\"timeless\"}}}]}}";
	struct profile p;
	cJSON *ch;

	(void)state;
	load(&p, item);
	assert_false(p.had_version);
	assert_int_equal(p.version, 0);
	assert_int_equal(p.applied, 3);
	check_items("in order", &p, "p1 timeless p2");
	assert_int_equal(apply(&p, AT("1", "new", "01:30:00", ""), &window20, NULL), PROFILE_APPLIED);
	check_items("an event between", &p, "p1 timeless new p2");
	assert_int_equal(p.version, 1);
	assert_int_equal(p.applied, 4);
	ch = profile_changes(&p, NOW_US);
	assert_null(cJSON_GetObjectItem(ch, "preferences"));
	assert_null(cJSON_GetObjectItem(ch, "other"));
	cJSON_Delete(ch);
	store(&p);
	assert_true(p.had_version);
	assert_non_null(av_get_n(p.item, "other"));
	profile_release(&p);
}

static void test_load_errors(void **state)
{
	static const char *const rows[] = {
		"{\"user_id\":{\"S\":\"u\"},\"history\":{\"S\":\"x\"}}",
		"{\"user_id\":{\"S\":\"u\"},\"history\":{\"M\":{}}}",
		"{\"user_id\":{\"S\":\"u\"},\"version\":{\"S\":\"1\"}}",
		"{\"user_id\":{\"S\":\"u\"},\"version\":{\"N\":\"1.5\"}}",
		"{\"user_id\":{\"S\":\"u\"},\"version\":{\"N\":\"-1\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct profile p;
		struct err e = { 0 };

		if (!profile_load(&p, tree(rows[i]), &e) || e.cls != ERR_FAILED)
			fail_msg("%s: %s", rows[i], e.msg);
		profile_release(&p);
	}
}

static void test_wrote(void **state)
{
	static const char line[] = AT("1", "a", "10:00:00", POSITION("h", "5", "2"));
	static const char no_id[] = "{\"user_id\":\"u\",\"_source\":{\"stream\":\"s\",\"shard_id\":\"h\","
				    "\"sequence_number\":\"6\"}}";
	struct event ev, other;
	struct err e = { 0 };
	struct profile p;
	cJSON *stored;

	(void)state;
	load(&p, NULL);
	apply(&p, line, &window20, NULL);
	stored = profile_changes(&p, NOW_US);
	event_parse(&ev, line, strlen(line), "user_id", 0, &e);
	event_parse(&other, no_id, strlen(no_id), "user_id", 0, &e);
	assert_true(profile_wrote(stored, 1, &ev));
	assert_false(profile_wrote(stored, 2, &ev));
	assert_false(profile_wrote(stored, 1, &other));
	assert_false(profile_wrote(NULL, 1, &ev));
	cJSON_Delete(stored);
	apply(&p, no_id, &window20, NULL);
	stored = profile_changes(&p, NOW_US);
	assert_true(profile_wrote(stored, 2, &other));
	assert_true(profile_wrote(stored, 2, &ev)); /* its id is still the newest one */
	cJSON_Delete(stored);
	event_release(&ev);
	event_release(&other);
	profile_release(&p);
}

/* ---- property: whatever is delivered again, and however shards are mixed, the history is the same ---- */

enum { EVENTS = 12, SHARDS = 3 };

struct delivery {
	int shard[EVENTS], minute[EVENTS]; /* of event i, whose sequence number is i + 1 */
	size_t window;
	uint32_t random;
};

static uint32_t draw(struct delivery *d, uint32_t below)
{
	d->random = d->random * 1664525 + 1013904223;
	return (d->random >> 8) % below;
}

static void deliver(struct profile *p, const struct delivery *d, int i)
{
	struct profile_limits lim = { .history = d->window };
	char line[400];

	snprintf(line, sizeof(line), AT("e%d", "i%d", "10:%02d:00", POSITION("h%d", "%d", "0")), i, i,
		d->minute[i], d->shard[i], i + 1);
	apply(p, line, &lim, NULL);
}

/* What must come out: by time, ties by position, the last ones. Times of different shards never tie. */
static void expected(const struct delivery *d, char *out, size_t size)
{
	size_t skip = EVENTS > d->window ? EVENTS - d->window : 0;

	*out = '\0';
	for (int minute = 0; minute < 60; minute++)
		for (int i = 0; i < EVENTS; i++) {
			size_t at = strlen(out);

			if (d->minute[i] != minute || (skip && skip--))
				continue;
			snprintf(out + at, size - at, "%si%d", at ? " " : "", i);
		}
}

static void one_round(struct delivery *d, uint32_t seed)
{
	int next[SHARDS] = { 0 }, left = EVENTS, next_of;
	char want[512], name[64];
	struct profile p;

	d->random = seed;
	d->window = 1 + draw(d, EVENTS + 3);
	for (int i = 0; i < EVENTS; i++) {
		d->shard[i] = (int)draw(d, SHARDS);
		d->minute[i] = (int)draw(d, 8) * SHARDS + d->shard[i];
	}
	load(&p, NULL);
	while (left) {
		int shard = (int)draw(d, SHARDS), from;

		for (next_of = next[shard]; next_of < EVENTS && d->shard[next_of] != shard;)
			next_of++;
		if (next_of == EVENTS)
			continue;
		/* A crash: the shard is delivered again from some earlier position on. */
		from = draw(d, 4) ? next_of : (int)draw(d, (uint32_t)next_of + 1);
		for (int i = from; i <= next_of; i++)
			if (d->shard[i] == shard)
				deliver(&p, d, i);
		next[shard] = next_of + 1;
		left--;
		if (!draw(d, 4))
			store(&p);
	}
	expected(d, want, sizeof(want));
	snprintf(name, sizeof(name), "seed %u", seed);
	check_items(name, &p, want);
	assert_int_equal(p.version, EVENTS);
	profile_release(&p);
}

static void test_property(void **state)
{
	struct delivery d;

	(void)state;
	for (uint32_t seed = 1; seed <= 10000; seed++)
		one_round(&d, seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_event),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_marks_kept),
		cmocka_unit_test(test_ids_kept),
		cmocka_unit_test(test_archive_again),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_item_limit),
		cmocka_unit_test(test_old_and_large),
		cmocka_unit_test(test_unstorable),
		cmocka_unit_test(test_metadata_forms),
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_load_errors),
		cmocka_unit_test(test_wrote),
		cmocka_unit_test(test_property),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
