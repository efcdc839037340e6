/* digest.c - hashes, base64, random bytes and UUIDs.
 *
 * libcrypto's low-level hash functions are called on purpose: the first EVP call of a process loads the
 * provider machinery, more than a millisecond, which is longer than a whole local command takes; and
 * they work for MD5 where a FIPS policy hides it (Kinesis's hash keys need MD5, not for security). */
#define OPENSSL_API_COMPAT 0x10101000L
#include "base/digest.h"
#include "base/mem.h"
#include <errno.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zlib.h>

static const char hex_digits[] = "0123456789abcdef";

void hex_encode(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = hex_digits[p[i] >> 4];
		out[2 * i + 1] = hex_digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

void sha256(const void *p, size_t n, uint8_t out[SHA256_LEN])
{
	SHA256_CTX c;

	SHA256_Init(&c);
	SHA256_Update(&c, p, n);
	SHA256_Final(out, &c);
}

void sha256_hex(const void *p, size_t n, char out[65])
{
	uint8_t h[SHA256_LEN];

	sha256(p, n, h);
	hex_encode(h, sizeof(h), out);
}

/* RFC 2104 with SHA-256's block of 64 bytes. */
void hmac_sha256(const void *key, size_t keylen, const void *p, size_t n, uint8_t out[SHA256_LEN])
{
	uint8_t block[64] = { 0 }, inner[SHA256_LEN];
	SHA256_CTX c;

	if (keylen > sizeof(block))
		sha256(key, keylen, block);
	else if (keylen)
		memcpy(block, key, keylen);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	SHA256_Init(&c);
	SHA256_Update(&c, block, sizeof(block));
	SHA256_Update(&c, p, n);
	SHA256_Final(inner, &c);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&c);
	SHA256_Update(&c, block, sizeof(block));
	SHA256_Update(&c, inner, sizeof(inner));
	SHA256_Final(out, &c);
	mem_wipe(block, sizeof(block));
	mem_wipe(&c, sizeof(c));
}

void sha1_hex(const void *p, size_t n, char out[41])
{
	uint8_t h[SHA_DIGEST_LENGTH];
	SHA_CTX c;

	SHA1_Init(&c);
	SHA1_Update(&c, p, n);
	SHA1_Final(h, &c);
	hex_encode(h, sizeof(h), out);
}

void md5(const void *p, size_t n, uint8_t out[16])
{
	MD5_CTX c;

	MD5_Init(&c);
	MD5_Update(&c, p, n);
	MD5_Final(out, &c);
}

uint32_t crc32_of(const void *p, size_t n)
{
	return (uint32_t)crc32_z(0, p, n);
}

/* ---- base64 ---- */

static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t b64_encoded_len(size_t n)
{
	return (n / 3 + (n % 3 != 0)) * 4;
}

/* Two digits at once, for 12 bits: half the look-ups. Filled once, since spelt out it would be 512 lines. */
static char b64_pairs[4096][2];
static pthread_once_t b64_once = PTHREAD_ONCE_INIT;

static void b64_fill(void)
{
	for (size_t i = 0; i < 4096; i++) {
		b64_pairs[i][0] = b64_digits[i >> 6];
		b64_pairs[i][1] = b64_digits[i & 63];
	}
}

/* Six bytes to eight digits. */
static inline void b64_six(const uint8_t *p, char *o)
{
	uint64_t v = (uint64_t)p[0] << 40 | (uint64_t)p[1] << 32 | (uint64_t)p[2] << 24 |
		     (uint64_t)p[3] << 16 | (uint64_t)p[4] << 8 | p[5];

	memcpy(o, b64_pairs[v >> 36], 2);
	memcpy(o + 2, b64_pairs[v >> 24 & 4095], 2);
	memcpy(o + 4, b64_pairs[v >> 12 & 4095], 2);
	memcpy(o + 6, b64_pairs[v & 4095], 2);
}

bool b64_encode(struct buf *out, const void *src, size_t n)
{
	const uint8_t *p = src;

	if (!buf_reserve(out, b64_encoded_len(n)))
		return false;
	char *o = out->p + out->len;
	if (n >= 6)
		pthread_once(&b64_once, b64_fill);
	for (; n >= 6; n -= 6, p += 6, o += 8)
		b64_six(p, o);
	for (; n >= 3; n -= 3, p += 3, o += 4) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		o[0] = b64_digits[v >> 18];
		o[1] = b64_digits[v >> 12 & 63];
		o[2] = b64_digits[v >> 6 & 63];
		o[3] = b64_digits[v & 63];
	}
	if (n) {
		uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);

		o[0] = b64_digits[v >> 18];
		o[1] = b64_digits[v >> 12 & 63];
		o[2] = n == 2 ? b64_digits[v >> 6 & 63] : '=';
		o[3] = '=';
		o += 4;
	}
	*o = '\0';
	out->len = (size_t)(o - out->p);
	return true;
}

#define XX 0x80000000u
/* clang-format off */
static const uint32_t b64_values[256] = {
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX, XX, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX,
	XX,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, XX,
	XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
};
/* clang-format on */

bool b64_decode(struct buf *out, const char *src, size_t n)
{
	const uint8_t *p = (const uint8_t *)src;
	size_t pad, full;
	uint32_t bad = 0;

	if (n % 4)
		return false;
	pad = n && p[n - 1] == '=' ? (p[n - 2] == '=' ? 2 : 1) : 0;
	if (!buf_reserve(out, n / 4 * 3 - pad))
		return false;
	if (!n)
		return true;
	uint8_t *o = (uint8_t *)out->p + out->len;
	for (full = n / 4 - (pad != 0); full; full--, p += 4, o += 3) {
		uint32_t a = b64_values[p[0]], b = b64_values[p[1]], c = b64_values[p[2]],
			 d = b64_values[p[3]];
		uint32_t v = a << 18 | b << 12 | c << 6 | d;

		bad |= a | b | c | d;
		o[0] = (uint8_t)(v >> 16);
		o[1] = (uint8_t)(v >> 8);
		o[2] = (uint8_t)v;
	}
	if (pad) {
		uint32_t a = b64_values[p[0]], b = b64_values[p[1]], c = pad == 1 ? b64_values[p[2]] : 0;
		uint32_t v = a << 18 | b << 12 | c << 6;

		/* Bits that the padding leaves over must be zero: one value has one text. */
		bad |= a | b | c | ((pad == 1 ? v & 0xff : v & 0xffff) ? XX : 0);
		*o++ = (uint8_t)(v >> 16);
		if (pad == 1)
			*o++ = (uint8_t)(v >> 8);
	}
	if (!(bad & XX))
		out->len = (size_t)(o - (uint8_t *)out->p);
	out->p[out->len] = '\0';
	return !(bad & XX);
}

/* ---- random ---- */

/* The one sequence of RECAGENT_SEED, shared by all threads. */
static struct {
	pthread_once_t once;
	pthread_mutex_t lock;
	bool on;
	uint64_t state;
} seeded = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

static void seed_read(void)
{
	const char *s = getenv("RECAGENT_SEED");

	if (s && *s) {
		seeded.on = true;
		seeded.state = strtoull(s, NULL, 10);
	}
}

static uint64_t seeded_next(void) /* splitmix64 */
{
	uint64_t z = seeded.state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void system_random(uint8_t *p, size_t n)
{
	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* no kernel that we run on refuses; ids must never repeat */
		p += got;
		n -= (size_t)got;
	}
}

void random_bytes(void *out, size_t n)
{
	/* An id needs 10 bytes; one system call serves dozens of them. */
	static _Thread_local struct {
		uint8_t bytes[512];
		size_t left;
	} pool;
	uint8_t *p = out;

	pthread_once(&seeded.once, seed_read);
	if (seeded.on) {
		pthread_mutex_lock(&seeded.lock);
		for (size_t i = 0; i < n; i += 8) {
			uint64_t v = seeded_next();
			memcpy(p + i, &v, n - i < 8 ? n - i : 8);
		}
		pthread_mutex_unlock(&seeded.lock);
		return;
	}
	if (n > sizeof(pool.bytes) / 4) {
		system_random(p, n);
		return;
	}
	if (pool.left < n) {
		system_random(pool.bytes, sizeof(pool.bytes));
		pool.left = sizeof(pool.bytes);
	}
	pool.left -= n;
	memcpy(p, pool.bytes + pool.left, n);
	memset(pool.bytes + pool.left, 0, n);
}

double random_unit(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return (double)(v >> 11) * 0x1p-53;
}

static void uuid_text(const uint8_t b[16], char out[UUID_LEN + 1])
{
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = hex_digits[b[i] >> 4];
		*out++ = hex_digits[b[i] & 15];
	}
	*out = '\0';
}

void uuid_v4(char out[UUID_LEN + 1])
{
	uint8_t b[16];

	random_bytes(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	uuid_text(b, out);
}

#define V7_LOW_BITS 62
#define V7_LOW_MASK (((uint64_t)1 << V7_LOW_BITS) - 1)

/* The last id made: 48 bits of time, 12 and 62 bits that start random and only grow within one
 * millisecond (RFC 9562, 6.2, method 2). Shared, since ids of one process grow strictly. */
static struct {
	pthread_mutex_t lock;
	uint64_t ms, high, low;
} v7 = { .lock = PTHREAD_MUTEX_INITIALIZER };

void uuid_v7(int64_t unix_ms, char out[UUID_LEN + 1])
{
	uint64_t ms = unix_ms < 0 ? 0 : (uint64_t)unix_ms & 0xffffffffffffu;
	uint64_t r[2];
	uint8_t b[16];

	random_bytes(r, sizeof(r));
	pthread_mutex_lock(&v7.lock);
	if (ms > v7.ms || (!v7.high && !v7.low)) {
		v7.ms = ms > v7.ms ? ms : v7.ms;
		v7.high = r[0] & 0x7ff;
		v7.low = r[1] & V7_LOW_MASK;
	} else {
		v7.low += (r[1] & 0xffffffffu) + 1;
		if (v7.low >> V7_LOW_BITS) {
			v7.low &= V7_LOW_MASK;
			if (++v7.high > 0xfff) {
				v7.high = 0;
				v7.ms++;
			}
		}
	}
	uint64_t t = v7.ms << 16 | 0x7000 | v7.high;
	uint64_t u = (uint64_t)2 << V7_LOW_BITS | v7.low;
	pthread_mutex_unlock(&v7.lock);
	for (size_t i = 0; i < 8; i++) {
		b[i] = (uint8_t)(t >> (56 - 8 * i));
		b[8 + i] = (uint8_t)(u >> (56 - 8 * i));
	}
	uuid_text(b, out);
}
