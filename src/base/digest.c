/* digest.c - hashes, random bytes and UUIDs.
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

void uuid_v8(const void *p, size_t n, char out[UUID_LEN + 1])
{
	uint8_t b[SHA256_LEN];

	sha256(p, n, b);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x80);
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
