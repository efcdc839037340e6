/* json_text.h - what the JSON sources share: skipping plain text, one UTF-8 character, string ends.
 * Private to base/json*.c. Pure. */
#ifndef RECAGENT_BASE_JSON_TEXT_H
#define RECAGENT_BASE_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef const unsigned char *bytes;

/* First byte in [p, end) that a JSON string can't hold as plain ASCII: a control, '"', '\\' or >= 0x80.
 * Eight at a time: each term sets a byte's top bit for one kind; a borrow can only come from a byte
 * below that is itself a hit, so the lowest marked byte is always a true one. */
static inline bytes json_skip_plain(bytes p, bytes end)
{
	const uint64_t ones = 0x0101010101010101u;

#ifdef __SSE2__
	/* Sixteen at a time; as signed bytes those from 0x80 on are below 0x20, too. */
	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i hit = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
				_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
		unsigned mask = (unsigned)_mm_movemask_epi8(hit);

		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#endif
	while (end - p >= 8) {
		uint64_t w, hit;

		memcpy(&w, p, 8);
		hit = (w | (w - ones * 0x20) | ((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones)) &
		      ones * 0x80;
		if (hit) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			return p + (__builtin_ctzll(hit) >> 3);
#else
			break;
#endif
		}
		p += 8;
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* Length of the UTF-8 character at p (RFC 3629: no overlongs, no surrogates, at most U+10FFFF);
 * 0: malformed; -1: the text ends inside it. */
static inline int utf8_length(bytes p, bytes end)
{
	unsigned char c = *p, lo = 0x80, hi = 0xbf;
	int n;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (c == 0xe0)
		lo = 0xa0;
	else if (c == 0xed)
		hi = 0x9f;
	else if (c == 0xf0)
		lo = 0x90;
	else if (c == 0xf4)
		hi = 0x8f;
	for (int i = 1; i < n; i++) {
		if (end - p <= i)
			return -1;
		if (p[i] < lo || p[i] > hi)
			return 0;
		lo = 0x80;
		hi = 0xbf;
	}
	return n;
}

/* The closing quote of a scanned string; p stands behind the opening one. */
static inline bytes json_string_end(bytes p, bytes end)
{
	while ((p = json_skip_plain(p, end)) < end && *p != '"')
		p += *p == '\\' ? 2 : 1;
	return p;
}

static inline bool json_is_space(unsigned char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

#endif
