/* text.c - hostile text, one character at a time. */
#include "rec/text.h"

/* The least code point that a sequence of this many bytes may hold; fewer would be an overlong form. */
static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };

size_t text_next(const char *s, size_t n, uint32_t *cp)
{
	unsigned char c = (unsigned char)s[0];
	size_t len = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
	uint32_t v = len == 1 ? c : len ? (uint32_t)c & (0x7fU >> len) : 0;

	*cp = TEXT_BAD;
	if (!len || len > n)
		return 1;
	for (size_t i = 1; i < len; i++) {
		unsigned char t = (unsigned char)s[i];

		if ((t & 0xc0) != 0x80)
			return 1;
		v = v << 6 | (t & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 1;
	*cp = v;
	return len;
}

bool text_is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f);
}

bool text_is_hostile(uint32_t cp)
{
	return text_is_control(cp) || cp == 0x061c || cp == 0x200e || cp == 0x200f || cp == 0x2028 ||
	       cp == 0x2029 || (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) ||
	       cp == 0xfeff || (cp >= 0xe0000 && cp <= 0xe0fff) || cp == TEXT_BAD;
}

size_t text_chars(const char *s, size_t n)
{
	size_t chars = 0;

	for (size_t i = 0; i < n; i++)
		chars += ((unsigned char)s[i] & 0xc0) != 0x80;
	return chars;
}
