/* base64.c - base64 of RFC 4648, strict in what it reads. */
#include "base/digest.h"
#include <pthread.h>
#include <string.h>

static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t b64_encoded_len(size_t n)
{
	return (n / 3 + (n % 3 != 0)) * 4;
}

/* On x86-64 with AVX2, 24 bytes at a time: base64 is else the largest part of what publish does to a record besides its hash. */
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define HAVE_WIDE 1
static bool b64_wide;

/* Whole groups of three; how many of the n bytes were encoded. Reads no byte behind the n. */
__attribute__((target("avx2"))) static size_t b64_encode_wide(const uint8_t *p, size_t n, char *o)
{
	/* Each 32-bit lane gets three bytes, in the order 1 0 2 1, so that two multiplications move the four groups of six
	 * bits to the bytes they belong to. */
	const __m256i spread = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, 1, 0, 2, 1,
		4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
	/* What is to be added to a value, by its class: 0 for a-z, 1 to 10 for 0-9, 11 for +, 12 for /, 13 for A-Z. */
	const __m256i shift = _mm256_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
		'0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0, 'a' - 26,
		'0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
		'0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
	size_t left = n;

	for (; left >= 28; left -= 24, p += 24, o += 32) {
		__m256i v = _mm256_inserti128_si256(
			_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p)),
			_mm_loadu_si128((const __m128i *)(const void *)(p + 12)), 1);
		v = _mm256_shuffle_epi8(v, spread);
		v = _mm256_or_si256(_mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)),
					    _mm256_set1_epi32(0x04000040)),
			_mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)),
				_mm256_set1_epi32(0x01000010)));
		__m256i class = _mm256_subs_epu8(v, _mm256_set1_epi8(51));
		class = _mm256_or_si256(class,
			_mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), v), _mm256_set1_epi8(13)));
		_mm256_storeu_si256(
			(__m256i *)(void *)o, _mm256_add_epi8(_mm256_shuffle_epi8(shift, class), v));
	}
	return n - left;
}
#endif

/* Two digits at once, for 12 bits: half the look-ups. Filled once, since spelt out it would be 512 lines. */
static char b64_pairs[4096][2];
static pthread_once_t b64_once = PTHREAD_ONCE_INIT;

static void b64_fill(void)
{
	for (size_t i = 0; i < 4096; i++) {
		b64_pairs[i][0] = b64_digits[i >> 6];
		b64_pairs[i][1] = b64_digits[i & 63];
	}
#ifdef HAVE_WIDE
	b64_wide = __builtin_cpu_supports("avx2");
#endif
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
#ifdef HAVE_WIDE
	if (b64_wide && n >= 32) {
		size_t done = b64_encode_wide(p, n, o);
		p += done;
		n -= done;
		o += done / 3 * 4;
	}
#endif
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
