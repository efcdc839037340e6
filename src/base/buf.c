/* buf.c - the growing byte buffer with a ceiling. */
#include "base/buf.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST ((size_t)64)

void buf_init(struct buf *b, size_t max)
{
	*b = BUF_INIT(max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->over = false;
	if (b->p)
		b->p[0] = '\0';
}

void buf_release(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT(b->max);
}

bool buf_reserve(struct buf *b, size_t more)
{
	if (b->over)
		return false;
	if (more > b->max || b->len > b->max - more) {
		b->over = true;
		return false;
	}
	size_t need = b->len + more + 1; /* max is far below SIZE_MAX or the line above said no */
	if (need == 0) {
		b->over = true;
		return false;
	}
	if (need <= b->cap)
		return true;
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (b->max < SIZE_MAX && cap > b->max + 1)
		cap = b->max + 1;
	b->p = mem_realloc(b->p, cap);
	b->cap = cap;
	b->p[b->len] = '\0';
	return true;
}

bool buf_add(struct buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n))
		return false;
	if (n)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
	return true;
}

bool buf_char(struct buf *b, char c)
{
	if (!buf_reserve(b, 1))
		return false;
	b->p[b->len++] = c;
	b->p[b->len] = '\0';
	return true;
}

bool buf_uint(struct buf *b, uint64_t n)
{
	char text[20], *p = text + sizeof(text);

	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	return buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

bool buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;

	if (b->over)
		return false;
	va_copy(again, ap);
	/* Most texts fit into what is there; the others are measured by the first try. */
	size_t room = b->p ? b->cap - b->len : 0;
	int n = vsnprintf(b->p ? b->p + b->len : NULL, room, fmt, ap);
	if (n < 0) {
		b->over = true;
	} else if ((size_t)n < room && (size_t)n <= b->max - b->len) {
		b->len += (size_t)n;
	} else if (buf_reserve(b, (size_t)n)) {
		vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	if (b->p)
		b->p[b->len] = '\0';
	return !b->over;
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bool ok = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return ok;
}

char *buf_take(struct buf *b)
{
	char *p = b->p ? b->p : mem_dup("", 0);

	*b = BUF_INIT(b->max);
	return p;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
	} else if (n) {
		memmove(b->p, b->p + n, b->len - n);
		b->len -= n;
	}
	if (b->p)
		b->p[b->len] = '\0';
}
