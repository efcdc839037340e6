/* aggregate_test.c - aggregated records: what is read of well-formed and other bytes, whose shard, and the way back. */
#include "base/digest.h"
#include "base/hashkey.h"
#include "base/mem.h"
#include "check.h"
#include "flow/unpack.h"
#include "rec/aggregate.h"

#include <stdlib.h>

/* Hex, with blanks between, to bytes. */
static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	for (unsigned v; sscanf(hex, " %2x", &v) == 1; hex += 2) {
		out[n++] = (uint8_t)v;
		hex += strspn(hex, " ");
	}
	return n;
}

static size_t frame(const uint8_t *proto, size_t n, uint8_t *out)
{
	memcpy(out, "\xf3\x89\x9a\xc2", 4);
	memcpy(out + 4, proto, n);
	md5(proto, n, out + 4 + n);
	return n + AGGREGATE_OVERHEAD;
}

/* "raw", or each record as key[#hash]=data; and "!" behind where it stopped at damage. */
static void read_all(const void *p, size_t n, char *out, size_t size)
{
	char *copy = mem_dup(p, n); /* of its own, so that a step outside is seen */
	struct aggregate a;
	struct user_record r;
	size_t at = 0;
	snprintf(out, size, "raw");
	if (aggregate_open(&a, copy, n)) {
		out[0] = '\0';
		while (aggregate_next(&a, &r))
			at += (size_t)snprintf(out + at, size - at, "%.*s%s%.*s=%.*s;", (int)r.key_len, r.key,
				r.hash_key ? "#" : "", (int)r.hash_key_len, r.hash_key ? r.hash_key : "",
				(int)r.len, r.data);
		if (a.damaged)
			snprintf(out + at, size - at, "!");
	}
	aggregate_close(&a);
	free(copy);
}

#define KEYS "0a 01 61 0a 02 62 62 "
#define HASHES "12 01 35 12 02 31 37 "

static void forms(void **state)
{
	(void)state;
	static const struct {
		const char *row, *hex, *want;
	} rows[] = {
		{ "one record", "0a 01 61 1a 05 08 00 1a 01 78", "a=x;" },
		{ "keys shared", KEYS "1a 05 08 01 1a 01 78 1a 05 08 00 1a 01 79 1a 05 08 01 1a 01 7a",
			"bb=x;a=y;bb=z;" },
		{ "explicit hash keys", KEYS HASHES "1a 07 08 00 10 01 1a 01 78 1a 05 08 01 1a 01 79",
			"a#17=x;bb=y;" },
		{ "tables behind the records", "1a 07 08 01 10 00 1a 01 78 " HASHES KEYS, "bb#5=x;" },
		{ "tables between the records", "1a 05 08 01 1a 01 78 " KEYS "1a 05 08 00 1a 01 79",
			"bb=x;a=y;" },
		{ "a key twice in the table", "0a 01 61 0a 01 61 1a 05 08 01 1a 01 78", "a=x;" },
		{ "fields of a record in another order", KEYS "1a 05 1a 01 78 08 01", "bb=x;" },
		{ "a field twice: the last counts", KEYS "1a 0a 08 00 1a 01 77 08 01 1a 01 78", "bb=x;" },
		{ "empty data", "0a 01 61 1a 04 08 00 1a 00", "a=;" },
		{ "an empty key", "0a 00 1a 05 08 00 1a 01 78", "=x;" },
		{ "tags are skipped", "0a 01 61 1a 0d 08 00 1a 01 78 22 06 0a 01 6b 12 01 76", "a=x;" },
		{ "unknown fields of each kind",
			"28 ff 01 31 01 02 03 04 05 06 07 08 3a 02 68 69 45 01 02 03 04 0a 01 61 "
			"1a 0c 08 00 1a 01 78 28 01 32 03 01 02 03",
			"a=x;" },
		{ "an unknown group, one in it", "2b 08 01 33 38 05 34 2c 0a 01 61 1a 05 08 00 1a 01 78",
			"a=x;" },
		{ "a known number of another kind is unknown", "08 07 0a 01 61 1a 07 08 00 1a 01 78 18 05",
			"a=x;" },
		{ "a varint that is longer than it need be", "0a 81 00 61 1a 06 08 80 00 1a 01 78", "a=x;" },
		{ "no records", "0a 01 61", "" },
		{ "an index behind the table stops it",
			KEYS "1a 05 08 00 1a 01 78 1a 05 08 02 1a 01 79 1a 05 08 01 1a 01 7a", "a=x;!" },
		{ "a hash index behind its table stops it",
			KEYS "1a 05 08 00 1a 01 78 1a 07 08 00 10 00 1a 01 79", "a=x;!" },
		{ "an index of 2^32 is none", "0a 01 61 1a 09 08 80 80 80 80 10 1a 01 78", "!" },
		{ "a record without an index", "0a 01 61 1a 03 1a 01 78", "raw" },
		{ "a record without data", "0a 01 61 1a 02 08 00", "raw" },
		{ "a tag without a key", "0a 01 61 1a 0a 08 00 1a 01 78 22 03 12 01 76", "raw" },
		{ "a length behind the end", "0a 01 61 1a 06 08 00 1a 01 78", "raw" },
		{ "a length of 2^64 - 1", "0a ff ff ff ff ff ff ff ff ff 01 61", "raw" },
		{ "data behind the record's end", "0a 01 61 1a 05 08 00 1a 02 78", "raw" },
		{ "a varint without an end", "0a 01 61 28 ff ff ff ff ff ff ff ff ff ff ff 01", "raw" },
		{ "cut inside a varint", "0a 01 61 28 ff", "raw" },
		{ "field number 0", "0a 01 61 02 01 61", "raw" },
		{ "wire type 6", "0a 01 61 2e 01", "raw" },
		{ "a fixed field that is cut", "0a 01 61 31 01 02", "raw" },
		{ "a group that does not end", "0a 01 61 2b 08 01", "raw" },
		{ "a group that another one ends", "0a 01 61 2b 34", "raw" },
		{ "an end without a group", "0a 01 61 2c", "raw" },
		{ "a key that is no UTF-8", "0a 01 ff 1a 05 08 00 1a 01 78", "raw" },
		{ "a key with U+0000", "0a 03 61 00 61 1a 05 08 00 1a 01 78", "raw" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t proto[256], data[300];
		char got[256];
		size_t n = frame(proto, from_hex(rows[i].hex, proto), data);
		read_all(data, n, got, sizeof got);
		CHECK_STR(rows[i].row, got, rows[i].want);
	}
}

static void deep_groups(void **state)
{
	(void)state;
	static const struct {
		const char *row;
		size_t depth;
		const char *want;
	} rows[] = { { "64 groups", 64, "a=x;" }, { "65 groups", 65, "raw" } };
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t proto[256], data[300];
		char got[64];
		size_t n = from_hex("0a 01 61 1a 05 08 00 1a 01 78", proto);
		memset(proto + n, 0x2b, rows[i].depth);
		memset(proto + n + rows[i].depth, 0x2c, rows[i].depth);
		n = frame(proto, n + 2 * rows[i].depth, data);
		read_all(data, n, got, sizeof got);
		CHECK_STR(rows[i].row, got, rows[i].want);
	}
}

/* Each bit turned and each prefix: nothing of it is read. */
static void damage(void **state)
{
	(void)state;
	uint8_t proto[64], data[100];
	char got[64], row[32];
	size_t n = frame(proto, from_hex("0a 01 61 1a 05 08 00 1a 01 78", proto), data);
	for (size_t bit = 0; bit < n * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		snprintf(row, sizeof row, "bit %zu", bit);
		read_all(data, n, got, sizeof got);
		CHECK_STR(row, got, "raw");
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < n; len++) {
		snprintf(row, sizeof row, "%zu bytes", len);
		read_all(data, len, got, sizeof got);
		CHECK_STR(row, got, "raw");
	}
	n = frame(proto, 0, data);
	read_all(data, n, got, sizeof got);
	CHECK_STR("no protobuf at all", got, "raw");
}

#define MAX128 "340282366920938463463374607431768211455"
#define MD5_OF_A "16955237001963240173058271559858726497" /* 0cc175b9c0f1b6a831c399e269772661 */

static void ranges(void **state)
{
	(void)state;
	static const struct {
		const char *row, *hash /* of the second record; NULL: by key */, *first, *last;
		bool want;
	} rows[] = {
		{ "all of the space", NULL, "0", MAX128, true },
		{ "both ends are inside", NULL, MD5_OF_A, MD5_OF_A, true },
		{ "below", NULL, "16955237001963240173058271559858726498", MAX128, false },
		{ "above", NULL, "0", "16955237001963240173058271559858726496", false },
		{ "an explicit one elsewhere", "5", MD5_OF_A, MAX128, false },
		{ "an explicit one inside", "16955237001963240173058271559858726498", MD5_OF_A, MAX128,
			true },
		{ "leading zeros", "0005", "5", MAX128, true },
		{ "2^128 is nowhere", "340282366920938463463374607431768211456", "0", MAX128, false },
		{ "more digits than any", "99999999999999999999999999999999999999999999", "0", MAX128,
			false },
		{ "no number can't be judged", "x", "0", MAX128, true },
		{ "no range", "5", "", "", true },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct aggregate_writer w;
		struct aggregate a;
		struct buf out = BUF_INIT(1000);
		struct user_record r = { .key = "a", .key_len = 1, .data = "x", .len = 1 };
		aggregate_writer_init(&w, 1000);
		aggregate_add(&w, &r);
		r.hash_key = rows[i].hash;
		r.hash_key_len = rows[i].hash ? strlen(rows[i].hash) : 0;
		aggregate_add(&w, &r);
		CHECK(rows[i].row, aggregate_finish(&w, &out));
		CHECK(rows[i].row, aggregate_open(&a, out.p, out.len));
		CHECK_INT(rows[i].row, aggregate_belongs(&a, rows[i].first, rows[i].last), rows[i].want);
		CHECK(rows[i].row, aggregate_next(&a, &r) && aggregate_next(&a, &r));
		aggregate_close(&a);
		aggregate_writer_release(&w);
		buf_release(&out);
	}
}

/* ---- the way back ---- */

#define MANY 300

static struct user_record sent[MANY];
static char texts[MANY][3][64];

static uint64_t random_below(uint64_t n)
{
	uint64_t v;
	random_bytes(&v, sizeof v);
	return v % n;
}

static size_t make_records(void)
{
	size_t n = 1 + random_below(MANY);
	for (size_t i = 0; i < n; i++) {
		struct user_record *r = &sent[i];
		*r = (struct user_record){ .key = texts[i][0], .data = texts[i][2], .len = random_below(64) };
		r->key_len = (size_t)snprintf(texts[i][0], 64, "k%llu", (unsigned long long)random_below(40));
		random_bytes(texts[i][2], r->len);
		if (random_below(3) == 0) {
			r->hash_key = texts[i][1];
			r->hash_key_len = (size_t)snprintf(
				texts[i][1], 64, "%llu", (unsigned long long)random_below(30));
		}
	}
	return n;
}

static bool same_text(const char *a, size_t na, const char *b, size_t nb)
{
	return na == nb && (!na || memcmp(a, b, na) == 0) && !a == !b;
}

static void round_trip(void **state)
{
	(void)state;
	struct aggregate_writer w;
	struct buf out = BUF_INIT(1 << 20);
	aggregate_writer_init(&w, 1 << 20);
	for (int round = 0; round < 500; round++) {
		struct aggregate a;
		struct user_record r;
		size_t n = make_records(), most = AGGREGATE_OVERHEAD;
		char row[32];
		snprintf(row, sizeof row, "round %d", round);
		buf_reset(&out);
		for (size_t i = 0; i < n; i++) {
			aggregate_add(&w, &sent[i]);
			most += aggregate_cost(&sent[i]);
		}
		CHECK(row, aggregate_finish(&w, &out) && out.len <= most);
		CHECK(row, aggregate_open(&a, out.p, out.len));
		CHECK(row, a.nrecords == n && a.nkeys <= 40 && a.nhash_keys <= 30);
		for (size_t i = 0; i < n; i++) {
			CHECK(row, a.next == i && aggregate_next(&a, &r));
			CHECK(row, same_text(r.key, r.key_len, sent[i].key, sent[i].key_len));
			CHECK(row, same_text(r.hash_key, r.hash_key_len, sent[i].hash_key,
					   sent[i].hash_key_len));
			CHECK(row, same_text(r.data, r.len, sent[i].data, sent[i].len));
		}
		CHECK(row, !aggregate_next(&a, &r) && !a.damaged);
		aggregate_close(&a);
	}
	aggregate_writer_release(&w);
	buf_release(&out);
}

static void too_large(void **state)
{
	(void)state;
	struct aggregate_writer w;
	struct buf out = BUF_INIT(1 << 20);
	const struct user_record r = { .key = "key", .key_len = 3, .data = texts[0][0], .len = 64 };
	aggregate_writer_init(&w, 100);
	aggregate_add(&w, &r);
	aggregate_add(&w, &r);
	CHECK("records over the ceiling", !aggregate_finish(&w, &out));
	buf_reset(&out);
	struct user_record long_key = { .key = texts[0][0], .key_len = 150, .data = "x", .len = 1 };
	aggregate_add(&w, &long_key);
	aggregate_add(&w, &r);
	CHECK("a table over the ceiling", !aggregate_finish(&w, &out));
	buf_reset(&out);
	aggregate_add(&w, &r);
	CHECK("usable again", aggregate_finish(&w, &out) && out.len == 20 + 5 + 2 + 2 + 66);
	aggregate_writer_release(&w);
	buf_release(&out);
}

/* ---- as the follower sees them ---- */

static char seen[256];
static int stop_after;

static bool note(const struct record *r, void *arg)
{
	(void)arg;
	size_t n = strlen(seen);
	if (r->unusable)
		snprintf(seen + n, sizeof seen - n, "%s.%llu %s unusable;", r->sequence_number,
			(unsigned long long)r->subsequence, r->partition_key);
	else
		snprintf(seen + n, sizeof seen - n, "%s.%llu %s %.*s;", r->sequence_number,
			(unsigned long long)r->subsequence, r->partition_key, (int)r->len, r->data);
	return --stop_after != 0;
}

static void unpacking(void **state)
{
	(void)state;
	static const struct {
		const char *row, *hex, *last;
		int stop;
		enum unpacked want;
		const char *seen;
	} rows[] = {
		{ "plain", NULL, MAX128, 0, UNPACK_ALL, "7.0 outer plain;" },
		{ "plain, stopped", NULL, MAX128, 1, UNPACK_STOPPED, "7.0 outer plain;" },
		{ "aggregate", KEYS "1a 05 08 01 1a 01 78 1a 05 08 00 1a 01 79", MAX128, 0, UNPACK_ALL,
			"7.0 bb x;7.1 a y;" },
		{ "stopped", KEYS "1a 05 08 01 1a 01 78 1a 05 08 00 1a 01 79", MAX128, 1, UNPACK_STOPPED,
			"7.0 bb x;" },
		{ "elsewhere, whole", "0a 01 61 " HASHES "1a 07 08 00 10 00 1a 01 78 1a 05 08 00 1a 01 79",
			"5", 0, UNPACK_ELSEWHERE, "" },
		{ "damaged", KEYS "1a 05 08 01 1a 01 78 1a 05 08 07 1a 01 79", MAX128, 0, UNPACK_ALL,
			"7.0 bb x;7.1 outer unusable;" },
		{ "damaged, stopped at", KEYS "1a 05 08 01 1a 01 78 1a 05 08 07 1a 01 79", MAX128, 2,
			UNPACK_STOPPED, "7.0 bb x;7.1 outer unusable;" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t proto[256], data[300];
		struct record r = { .sequence_number = "7",
			.partition_key = "outer",
			.data = rows[i].hex ? (const char *)data : "plain" };
		r.len = rows[i].hex ? frame(proto, from_hex(rows[i].hex, proto), data) : 5;
		seen[0] = '\0';
		stop_after = rows[i].stop;
		CHECK_INT(rows[i].row, unpack_record(&r, "0", rows[i].last, note, NULL), rows[i].want);
		CHECK_STR(rows[i].row, seen, rows[i].seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(deep_groups),
		cmocka_unit_test(damage),
		cmocka_unit_test(ranges),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(too_large),
		cmocka_unit_test(unpacking),
	};
	return cmocka_run_group_tests_name("aggregate", tests, NULL, NULL);
}
