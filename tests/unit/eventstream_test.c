/* eventstream_test.c - the decoder against published vectors and recorded answers of Bedrock, against every
 * prefix and every flipped bit of a message, and fed in pieces of every size. */
#include "base/buf.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/eventstream.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vectors.h"

static void vector_path(char *out, size_t max, const char *tail)
{
	char rel[512];

	snprintf(rel, sizeof rel, "eventstream/%s", tail);
	vectors_path(out, max, rel);
}

static void read_file(const char *path, struct buf *out)
{
	char chunk[16384];
	size_t n;
	FILE *f = fopen(path, "rb");

	if (!f)
		fail_msg("cannot open %s (set RECAGENT_SHARED)", path);
	buf_init(out, BUF_MAX_HTTP);
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(out, chunk, n);
	buf_str(out, "");
	fclose(f);
}

static int64_t number(const cJSON *obj, const char *key, const char *where)
{
	int64_t v = 0;

	if (!json_int(obj, key, &v))
		fail_msg("%s: no number %s", where, key);
	return v;
}

static void check_bytes(const char *where, const char *what, const cJSON *want, const void *p, size_t n)
{
	struct buf raw = BUF_INIT(BUF_MAX_HTTP);
	const char *text = cJSON_GetStringValue(want);

	if (!text || !b64_decode(&raw, text, strlen(text)))
		fail_msg("%s: %s is not base64", where, what);
	if (raw.len != n || (n && memcmp(raw.p, p, n) != 0))
		fail_msg("%s: %s differs", where, what);
	buf_release(&raw);
}

static void check_header(const char *where, const cJSON *want, const struct es_header *h)
{
	const char *name = json_str(want, "name");
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(want, "value");

	if (!name || strlen(name) != h->name_len || memcmp(name, h->name, h->name_len) != 0)
		fail_msg("%s: header name '%.*s', want '%s'", where, (int)h->name_len, h->name, name);
	if (number(want, "type", where) != (int64_t)h->type)
		fail_msg("%s: header %s has type %d", where, name, (int)h->type);
	if (h->type == ES_BYTES || h->type == ES_STRING || h->type == ES_UUID)
		check_bytes(where, name, value, h->value, h->value_len);
	else if (h->type != ES_TRUE && h->type != ES_FALSE && number(want, "value", where) != h->integer)
		fail_msg("%s: header %s is %lld", where, name, (long long)h->integer);
}

/* The published JSON form of a frame; checksums there are signed or unsigned. */
static void check_message(const char *where, const cJSON *want, const struct es_message *m)
{
	const cJSON *headers = cJSON_GetObjectItemCaseSensitive(want, "headers");

	if (number(want, "total_length", where) != (int64_t)m->total_len ||
		number(want, "headers_length", where) != (int64_t)m->headers_len ||
		(uint32_t)number(want, "prelude_crc", where) != m->prelude_crc ||
		(uint32_t)number(want, "message_crc", where) != m->message_crc)
		fail_msg("%s: a length or checksum differs", where);
	if ((size_t)cJSON_GetArraySize(headers) != m->nheaders)
		fail_msg("%s: %zu headers", where, m->nheaders);
	for (size_t i = 0; i < m->nheaders; i++)
		check_header(where, cJSON_GetArrayItem(headers, (int)i), &m->headers[i]);
	check_bytes(where, "payload", cJSON_GetObjectItemCaseSensitive(want, "payload"), m->payload,
		m->payload_len);
}

static void for_each_file(const char *tail, const char *suffix, void (*fn)(const char *path), int at_least)
{
	char dir[512], path[1024];
	int count = 0;
	DIR *d;

	vector_path(dir, sizeof dir, tail);
	d = opendir(dir);
	if (!d)
		fail_msg("cannot open %s (set RECAGENT_SHARED)", dir);
	for (struct dirent *ent; (ent = readdir(d));) {
		size_t n = strlen(ent->d_name), s = strlen(suffix);
		if (ent->d_name[0] == '.' || n < s || strcmp(ent->d_name + n - s, suffix) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, ent->d_name);
		fn(path);
		count++;
	}
	closedir(d);
	print_message("# %s: %d files\n", tail, count);
	assert_true(count >= at_least);
}

static void check_positive(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	char tail[256], json_path[1024];
	struct buf bin, json;
	struct es_decoder d;
	struct es_message m;
	struct err e = { 0 };
	cJSON *want;

	snprintf(tail, sizeof tail, "vectors/decoded/positive/%s", name);
	vector_path(json_path, sizeof json_path, tail);
	read_file(path, &bin);
	read_file(json_path, &json);
	want = json_tree(json.p, json.len, &e);
	if (!want)
		fail_msg("%s: %s", json_path, e.msg);
	es_init(&d);
	assert_int_equal(es_feed(&d, bin.p, bin.len, &e), 0);
	if (es_next(&d, &m, &e) != 1)
		fail_msg("%s: not decoded: %s", name, e.msg);
	check_message(name, want, &m);
	assert_int_equal(es_next(&d, &m, &e), 0);
	assert_int_equal(es_finish(&d, &e), 0);
	es_release(&d);
	cJSON_Delete(want);
	buf_release(&bin);
	buf_release(&json);
}

static void test_positive(void **state)
{
	(void)state;
	for_each_file("vectors/encoded/positive", "", check_positive, 7);
}

static void check_negative(const char *path)
{
	struct buf bin;
	struct es_decoder d;
	struct es_message m;
	struct err e = { 0 };

	read_file(path, &bin);
	es_init(&d);
	assert_int_equal(es_feed(&d, bin.p, bin.len, &e), 0);
	if (es_next(&d, &m, &e) != -1)
		fail_msg("%s: accepted", path);
	assert_int_equal(e.cls, ERR_UNAVAILABLE);
	assert_string_equal(e.code, "bad-frame");
	assert_int_equal(es_next(&d, &m, &e), -1);
	assert_int_equal(es_feed(&d, "x", 1, &e), -1);
	assert_int_equal(es_finish(&d, &e), -1);
	es_release(&d);
	buf_release(&bin);
}

static void test_negative(void **state)
{
	(void)state;
	for_each_file("vectors/encoded/negative", "", check_negative, 9);
}

static long recorded_frames;

/* piece 0: all at once */
static void decode_recorded(const char *path, const struct buf *bin, const struct buf *json, size_t piece)
{
	const char *line = json->p;
	struct es_decoder d;
	struct es_message m;
	struct err e = { 0 };
	int rc = 0;

	es_init(&d);
	for (size_t off = 0; off < bin->len && rc >= 0;) {
		size_t n = piece && piece < bin->len - off ? piece : bin->len - off;
		assert_int_equal(es_feed(&d, bin->p + off, n, &e), 0);
		off += n;
		while ((rc = es_next(&d, &m, &e)) == 1) {
			size_t len = strcspn(line, "\n");
			cJSON *want = json_tree(line, len, &e);
			if (!want)
				fail_msg("%s: one message more than recorded", path);
			check_message(path, want, &m);
			cJSON_Delete(want);
			line += len + (line[len] == '\n');
			recorded_frames++;
		}
	}
	if (*line)
		fail_msg("%s: messages are missing from: %.60s (%s)", path, line, e.msg);
	if (rc == 0 && es_finish(&d, &e))
		rc = -1;
	if (rc < 0 && !strstr(path, "model-48"))
		fail_msg("%s: %s", path, e.msg);
	es_release(&d);
}

static void check_recorded(const char *path)
{
	struct buf bin, json;
	char json_path[1024];

	snprintf(json_path, sizeof json_path, "%.*s.frames.ndjson", (int)(strlen(path) - 4), path);
	read_file(path, &bin);
	read_file(json_path, &json);
	decode_recorded(path, &bin, &json, 0);
	decode_recorded(path, &bin, &json, 1000);
	if (bin.len < 20000)
		decode_recorded(path, &bin, &json, 1);
	buf_release(&bin);
	buf_release(&json);
}

static void test_recorded(void **state)
{
	(void)state;
	for_each_file("recorded", ".bin", check_recorded, 20);
	print_message("# %ld frames compared\n", recorded_frames);
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* A message with right checksums around these headers and payload. */
static size_t frame(uint8_t *out, const void *headers, size_t nh, const void *payload, size_t np)
{
	size_t total = nh + np + 16;

	put32(out, (uint32_t)total);
	put32(out + 4, (uint32_t)nh);
	put32(out + 8, crc32_of(out, 8));
	if (nh)
		memcpy(out + 12, headers, nh);
	if (np)
		memcpy(out + 12 + nh, payload, np);
	put32(out + total - 4, crc32_of(out, total - 4));
	return total;
}

static const char sample_headers[] = "\x05"
				     ":type\x07\x00\x05"
				     "event\x03num\x04\xff\xff\xff\xfe";
#define SAMPLE_HEADERS (sizeof sample_headers - 1)

static void test_prefixes(void **state)
{
	uint8_t msg[128];
	size_t len = frame(msg, sample_headers, SAMPLE_HEADERS, "payload", 7);

	(void)state;
	for (size_t n = 0; n <= len; n++) {
		struct es_decoder d;
		struct es_message m;
		struct err e = { 0 };
		int rc, want = n == len;
		es_init(&d);
		assert_int_equal(es_feed(&d, msg, n, &e), 0);
		rc = es_next(&d, &m, &e);
		if (rc != want)
			fail_msg("prefix of %zu bytes: es_next gave %d", n, rc);
		rc = es_finish(&d, &e);
		if (rc != (n == 0 || n == len ? 0 : -1))
			fail_msg("prefix of %zu bytes: es_finish gave %d", n, rc);
		if (rc)
			assert_string_equal(e.code, "truncated");
		es_release(&d);
	}
}

static void test_bit_flips(void **state)
{
	uint8_t msg[128];
	size_t len = frame(msg, sample_headers, SAMPLE_HEADERS, "payload", 7);

	(void)state;
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct es_decoder d;
		struct es_message m;
		struct err e = { 0 };
		int rc;
		msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
		es_init(&d);
		assert_int_equal(es_feed(&d, msg, len, &e), 0);
		rc = es_next(&d, &m, &e);
		if (rc != -1)
			fail_msg("bit %zu flipped: es_next gave %d", bit, rc);
		es_release(&d);
		msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void test_pieces(void **state)
{
	uint8_t stream[512];
	size_t len = 0;

	(void)state;
	len += frame(stream + len, sample_headers, SAMPLE_HEADERS, "one", 3);
	len += frame(stream + len, NULL, 0, NULL, 0);
	len += frame(stream + len, sample_headers, SAMPLE_HEADERS, "three", 5);
	for (size_t piece = 1; piece <= len; piece++) {
		struct es_decoder d;
		struct es_message m;
		struct err e = { 0 };
		size_t sizes[4] = { 0 }, count = 0;
		es_init(&d);
		for (size_t off = 0; off < len; off += piece) {
			assert_int_equal(
				es_feed(&d, stream + off, piece < len - off ? piece : len - off, &e), 0);
			while (es_next(&d, &m, &e) == 1 && count < 4)
				sizes[count++] = m.payload_len;
		}
		if (count != 3 || sizes[0] != 3 || sizes[1] != 0 || sizes[2] != 5 || es_finish(&d, &e))
			fail_msg("in pieces of %zu: %zu messages", piece, count);
		es_release(&d);
	}
}

static void test_find(void **state)
{
	uint8_t msg[128];
	size_t len = frame(msg, sample_headers, SAMPLE_HEADERS, "payload", 7);
	struct es_decoder d;
	struct es_message m;
	struct err e = { 0 };

	(void)state;
	es_init(&d);
	es_feed(&d, msg, len, &e);
	assert_int_equal(es_next(&d, &m, &e), 1);
	assert_true(es_header_is(&m, ":type", "event"));
	assert_false(es_header_is(&m, ":type", "even"));
	assert_false(es_header_is(&m, ":type", "events"));
	assert_false(es_header_is(&m, "num", ""));
	assert_null(es_header(&m, ":typ"));
	assert_int_equal(es_header(&m, "num")->integer, -2);
	es_release(&d);
}

static int decode_one(const uint8_t *p, size_t n)
{
	struct es_decoder d;
	struct es_message m;
	struct err e = { 0 };
	int rc;

	es_init(&d);
	es_feed(&d, p, n, &e);
	rc = es_next(&d, &m, &e);
	es_release(&d);
	return rc;
}

static void test_limits(void **state)
{
	static const struct {
		const char *name, *headers;
		size_t len;
	} rows[] = {
		{ "name of no length", "\0\x00", 2 },
		{ "name longer than the headers",
			"\x05"
			"ab\x00",
			4 },
		{ "no type", "\x01x", 2 },
		{ "type 10", "\x01x\x0a", 3 },
		{ "int cut", "\x01x\x04\0\0\0", 6 },
		{ "uuid cut",
			"\x01x\x09"
			"0123456789abcde",
			18 },
		{ "string length cut", "\x01x\x07\0", 4 },
		{ "string cut", "\x01x\x07\0\x02y", 6 },
		{ "twice", "\x01x\x00\x01x\x01", 6 },
	};
	uint8_t msg[1024], headers[512], prelude[12];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (decode_one(msg, frame(msg, rows[i].headers, rows[i].len, NULL, 0)) != -1)
			fail_msg("%s: accepted", rows[i].name);
	for (size_t i = 0; i <= ES_MAX_HEADERS; i++)
		memcpy(headers + 3 * i, (uint8_t[]){ 1, (uint8_t)(i + 1), ES_TRUE }, 3);
	assert_int_equal(decode_one(msg, frame(msg, headers, 3 * ES_MAX_HEADERS, NULL, 0)), 1);
	assert_int_equal(decode_one(msg, frame(msg, headers, 3 * ES_MAX_HEADERS + 3, NULL, 0)), -1);
	/* Lengths with a right checksum are refused at once, not waited for. */
	for (int i = 0; i < 4; i++) {
		static const uint32_t lens[][2] = { { ES_MAX_MESSAGE + 1, 0 }, { 15, 0 }, { 20, 5 },
			{ 200000, ES_MAX_HEADERS_LEN + 1 } };
		put32(prelude, lens[i][0]);
		put32(prelude + 4, lens[i][1]);
		put32(prelude + 8, crc32_of(prelude, 8));
		if (decode_one(prelude, sizeof prelude) != -1)
			fail_msg("lengths %u and %u accepted", lens[i][0], lens[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_positive),
		cmocka_unit_test(test_negative),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("eventstream", tests, NULL, NULL);
}
