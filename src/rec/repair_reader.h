/* repair_reader.h - what repair.c and repair_text.c share; for nobody else. */
#ifndef RECAGENT_REC_REPAIR_READER_H
#define RECAGENT_REC_REPAIR_READER_H

#include "rec/repair.h"

#include <string.h>

/* Where a value stands: decides which characters can follow it. */
enum place { IN_OBJECT, IN_ARRAY, IN_PAREN, IN_KEY, ALONE };

struct reader {
	const char *s;
	size_t n, i;
	struct buf *out;
	unsigned depth;
	unsigned inner; /* quotation marks kept as text so far */
	bool bold;
};

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

static inline bool at(const char *s, size_t n, size_t i, const char *what)
{
	size_t len = strlen(what);
	return i <= n && n - i >= len && !memcmp(s + i, what, len);
}

/* The string at r->i, written with its quotes. */
enum repair_result repair_string(struct reader *r, enum place place);

#endif
