/* digest_test.c - hashes by their published vectors, base64, ids. */
#include "check.h"

#include "base/digest.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdlib.h>

static void test_hashes(void **state)
{
	(void)state;
	static const struct {
		const char *in, *sha256, *sha1, *md5;
		uint32_t crc;
	} rows[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			"da39a3ee5e6b4b0d3255bfef95601890afd80709", "d41d8cd98f00b204e9800998ecf8427e", 0 },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
			"a9993e364706816aba3e25717850c26c9cd0d89d", "900150983cd24fb0d6963f7d28e17f72",
			0x352441c2 },
		{ "123456789", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
			"f7c3bc1d808e04732adf679965ccc34ca7ae3441", "25f9e794323b453885f5181f1b624d0b",
			0xcbf43926 },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		size_t n = strlen(rows[i].in);
		uint8_t m[16];
		char hex[65];

		sha256_hex(rows[i].in, n, hex);
		CHECK_STR(rows[i].in, hex, rows[i].sha256);
		sha1_hex(rows[i].in, n, hex);
		CHECK_STR(rows[i].in, hex, rows[i].sha1);
		md5(rows[i].in, n, m);
		hex_encode(m, sizeof(m), hex);
		CHECK_STR(rows[i].in, hex, rows[i].md5);
		CHECK_INT(rows[i].in, crc32_of(rows[i].in, n), rows[i].crc);
	}
}

/* RFC 4231 */
static void test_hmac(void **state)
{
	(void)state;
	char key[131], hex[65];
	uint8_t out[SHA256_LEN];

	memset(key, 0x0b, 20);
	hmac_sha256(key, 20, "Hi There", 8, out);
	hex_encode(out, sizeof(out), hex);
	assert_string_equal(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
	hex_encode(out, sizeof(out), hex);
	assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
	hex_encode(out, sizeof(out), hex);
	assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_b64(void **state)
{
	(void)state;
	static const struct {
		const char *plain, *text;
	} rows[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfb", "//77" } };
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=Zg=", "Zm=v",
		"Zm9v\n", " Zm9", "Zm9v====", "Zm-_", "Zh==", "Zm9=", "Zm9vZg==Zm9v", "\xc3\xa9\xc3\xa9" };
	struct buf b = BUF_INIT(100);

	for (size_t i = 0; i < ROWS(rows); i++) {
		buf_reset(&b);
		buf_str(&b, "<");
		CHECK(rows[i].text, b64_encode(&b, rows[i].plain, strlen(rows[i].plain)));
		CHECK_STR(rows[i].text, b.p + 1, rows[i].text);
		CHECK_INT(rows[i].text, b64_encoded_len(strlen(rows[i].plain)), strlen(rows[i].text));
		buf_reset(&b);
		buf_str(&b, "<");
		CHECK(rows[i].text, b64_decode(&b, rows[i].text, strlen(rows[i].text)));
		CHECK_STR(rows[i].text, b.p + 1, rows[i].plain);
	}
	for (size_t i = 0; i < ROWS(bad); i++) {
		buf_reset(&b);
		buf_str(&b, "<");
		CHECK(bad[i], !b64_decode(&b, bad[i], strlen(bad[i])));
		CHECK_STR(bad[i], b.p, "<");
	}
	assert_false(b64_decode(&b, "Zg\0=", 4));
	buf_release(&b);
	buf_init(&b, 5);
	assert_false(b64_encode(&b, "abcd", 4));
	buf_release(&b);
}

/* Every length, since blocks of several sizes are encoded in different ways; against the definition, bit by bit. */
static void test_b64_lengths(void **state)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct buf b = BUF_INIT(BUF_MAX_SMALL);

	(void)state;
	for (size_t n = 0; n < 400; n++) {
		uint8_t *bytes = mem_alloc(n); /* its end is a block's end: reading on is noticed */
		char want[600];
		size_t len = 0;

		random_bytes(bytes, n);
		for (size_t bit = 0; bit < n * 8; bit += 6) {
			unsigned v = 0;
			for (size_t k = bit; k < bit + 6; k++)
				v = v << 1 | (k < n * 8 && (bytes[k / 8] & 128 >> k % 8));
			want[len++] = digits[v];
		}
		while (len % 4)
			want[len++] = '=';
		want[len] = '\0';
		buf_reset(&b);
		assert_true(b64_encode(&b, bytes, n));
		assert_string_equal(b.p ? b.p : "", want);
		free(bytes);
	}
	buf_release(&b);
}

static void test_b64_round_trip(void **state)
{
	(void)state;
	struct buf a = BUF_INIT(1000), b = BUF_INIT(1000);
	uint8_t bytes[300];

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		random_bytes(bytes, n);
		buf_reset(&a);
		buf_reset(&b);
		assert_true(b64_encode(&a, bytes, n));
		assert_true(b64_decode(&b, a.p, a.len));
		assert_int_equal(b.len, n);
		if (n)
			assert_memory_equal(b.p, bytes, n);
	}
	buf_release(&a);
	buf_release(&b);
}

static void check_uuid(const char *s, char version)
{
	assert_int_equal(strlen(s), UUID_LEN);
	assert_int_equal(strspn(s, "0123456789abcdef-"), UUID_LEN);
	assert_true(s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-');
	assert_int_equal(s[14], version);
	assert_non_null(strchr("89ab", s[19]));
}

static void test_uuid(void **state)
{
	(void)state;
	char a[UUID_LEN + 1], last[UUID_LEN + 1] = "";

	uuid_v4(a);
	check_uuid(a, '4');
	uuid_v7(0x0123456789ab, a);
	check_uuid(a, '7');
	assert_memory_equal(a, "01234567-89ab-7", 15);
	/* Many in one millisecond, and with a clock that goes back. */
	for (int i = 0; i < 20000; i++) {
		uuid_v7(0x0123456789ab + (i % 100 == 99 ? -i : i / 1000), a);
		check_uuid(a, '7');
		assert_true(strcmp(a, last) > 0);
		memcpy(last, a, sizeof(a));
	}
}

#define THREADS 4
#define PER_THREAD 5000

static void *make_ids(void *arg)
{
	char(*ids)[UUID_LEN + 1] = arg;

	for (int i = 0; i < PER_THREAD; i++)
		uuid_v7(1700000000000, ids[i]);
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void test_uuid_threads(void **state)
{
	(void)state;
	char(*ids)[UUID_LEN + 1] = mem_array(THREADS * PER_THREAD, sizeof(*ids));
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, make_ids, ids + i * PER_THREAD);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	qsort(ids, THREADS * PER_THREAD, sizeof(*ids), by_text);
	for (int i = 1; i < THREADS * PER_THREAD; i++)
		assert_true(strcmp(ids[i - 1], ids[i]) < 0);
	free(ids);
}

static void test_random(void **state)
{
	(void)state;
	uint8_t a[64], b[64];
	double low = 1, high = 0;

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (int i = 0; i < 1000; i++) {
		double v = random_unit();

		assert_true(v >= 0 && v < 1);
		low = v < low ? v : low;
		high = v > high ? v : high;
	}
	assert_true(low < 0.1 && high > 0.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_b64),
		cmocka_unit_test(test_b64_lengths),
		cmocka_unit_test(test_b64_round_trip),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_uuid_threads),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
