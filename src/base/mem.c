/* mem.c - allocation that ends the process when there is none left, and the arena. */
#include "base/mem.h"
#include "base/err.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No stdio and no exit handlers here: both may allocate. */
_Noreturn static void out_of_memory(void)
{
	static const char text[] = "recagent: out of memory\n";
	ssize_t w = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)w;
	_exit(EXIT_LOCAL);
}

void *mem_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *mem_realloc(void *p, size_t n)
{
	void *q = realloc(p, n ? n : 1);

	if (!q)
		out_of_memory();
	return q;
}

void *mem_array(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1); /* calloc checks the product */

	if (!p)
		out_of_memory();
	return p;
}

char *mem_strdup(const char *s)
{
	return s ? mem_dup(s, strlen(s)) : NULL;
}

char *mem_dup(const void *p, size_t n)
{
	char *q;

	if (n == SIZE_MAX)
		out_of_memory();
	q = mem_realloc(NULL, n + 1);
	if (n)
		memcpy(q, p, n);
	q[n] = '\0';
	return q;
}

void mem_wipe(void *p, size_t n)
{
	volatile unsigned char *v = p;

	while (n--)
		*v++ = 0;
}

#define ARENA_ALIGN ((size_t)16)
#define ARENA_BLOCK ((size_t)16 << 10)
#define ARENA_KEEP ((size_t)64 << 10)

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	size_t pad; /* keeps data 16-byte aligned */
	unsigned char data[];
};

_Static_assert(offsetof(struct arena_block, data) % 16 == 0, "arena data must be 16-byte aligned");

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b = a->head;

	if (n > SIZE_MAX / 2)
		out_of_memory();
	n = (n + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (!b || b->size - b->used < n) {
		size_t size = b ? b->size * 2 : ARENA_BLOCK;

		if (size > ARENA_KEEP)
			size = ARENA_KEEP;
		if (size < n)
			size = n;
		b = mem_realloc(NULL, sizeof(*b) + size);
		b->next = a->head;
		b->used = 0;
		b->size = size;
		a->head = b;
	}
	void *p = b->data + b->used;
	b->used += n;
	a->used += n;
	return p;
}

char *arena_dup(struct arena *a, const void *p, size_t n)
{
	char *q = arena_alloc(a, n + 1);

	if (n)
		memcpy(q, p, n);
	q[n] = '\0';
	return q;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
	p[0] = '\0';
	if (n >= 0)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL;

	while (a->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		if (b->size <= ARENA_KEEP && (!keep || b->size > keep->size)) {
			free(keep);
			keep = b;
		} else {
			free(b);
		}
	}
	if (keep) {
		keep->used = 0;
		keep->next = NULL;
	}
	a->head = keep;
	a->used = 0;
}

void arena_release(struct arena *a)
{
	while (a->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	a->used = 0;
}
