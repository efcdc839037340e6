/* hashkey.c - 128-bit hash keys as decimal text. */
#include "base/hashkey.h"

#include <stdint.h>
#include <string.h>

#include "base/digest.h"

#define HASHKEY_MAX (~(hashkey)0)

hashkey hashkey_of(const char *partition_key)
{
	uint8_t sum[16];
	hashkey v = 0;

	md5(partition_key, strlen(partition_key), sum);
	for (int i = 0; i < 16; i++)
		v = v << 8 | sum[i];
	return v;
}

bool hashkey_parse(const char *s, hashkey *out)
{
	hashkey v = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		unsigned digit = (unsigned)(*s - '0');
		if (v > (HASHKEY_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

void hashkey_format(hashkey v, char out[HASHKEY_TEXT])
{
	char text[HASHKEY_TEXT];
	size_t i = sizeof text;

	text[--i] = '\0';
	do {
		text[--i] = (char)('0' + (int)(v % 10));
		v /= 10;
	} while (v);
	memcpy(out, text + i, sizeof text - i);
}

void hashkey_range(unsigned i, unsigned n, hashkey *start, hashkey *end)
{
	hashkey width = n == 1 ? HASHKEY_MAX : HASHKEY_MAX / n + (HASHKEY_MAX % n == n - 1);

	*start = width * i;
	*end = i + 1 == n ? HASHKEY_MAX : width * (i + 1) - 1;
}
