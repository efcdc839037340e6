/* digest.h - SHA-256, HMAC, MD5, SHA-1, CRC-32, hex, base64, random bytes and UUIDs (over libcrypto, zlib).
 * Pure but for the random ones; thread-safe.
 * RECAGENT_SEED=N in the environment makes random numbers repeatable (tests only). */
#ifndef RECAGENT_BASE_DIGEST_H
#define RECAGENT_BASE_DIGEST_H

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32
void sha256(const void *p, size_t n, uint8_t out[SHA256_LEN]);
void sha256_hex(const void *p, size_t n, char out[65]);
void hmac_sha256(const void *key, size_t keylen, const void *p, size_t n, uint8_t out[SHA256_LEN]);
void sha1_hex(const void *p, size_t n, char out[41]);
void md5(const void *p, size_t n, uint8_t out[16]);
uint32_t crc32_of(const void *p, size_t n); /* zlib polynomial */

void hex_encode(const uint8_t *p, size_t n, char *out); /* 2n+1 bytes, lower case */

size_t b64_encoded_len(size_t n); /* with padding, without NUL */
bool b64_encode(struct buf *out, const void *p, size_t n);
/* Strict standard alphabet with padding; false on anything else (out is then unchanged) or when over. */
bool b64_decode(struct buf *out, const char *p, size_t n);

/* Unpredictable bytes, or the seeded sequence. */
void random_bytes(void *p, size_t n);
double random_unit(void); /* [0,1) */
#define UUID_LEN 36
void uuid_v4(char out[UUID_LEN + 1]);
/* RFC 9562 version 7 of that time; ids made by one process grow strictly. */
void uuid_v7(int64_t unix_ms, char out[UUID_LEN + 1]);
/* RFC 9562 version 8: the same for the same bytes (the first bits of their SHA-256). */
void uuid_v8(const void *p, size_t n, char out[UUID_LEN + 1]);

#endif
