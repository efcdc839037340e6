/* buf.h - a byte buffer that grows up to a ceiling given at init.
 *
 * Invariant: p is NULL or p[len] is NUL. When an append would pass the ceiling nothing is added and
 * the buffer is marked `over` for good (until reset), so a ladder of appends needs one check at its
 * end. Contents may hold NULs. Not thread-safe. */
#ifndef RECAGENT_BASE_BUF_H
#define RECAGENT_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char *p;
	size_t len, cap, max;
	bool over;
};

/* Ceilings in bytes, all in one place. */
#define BUF_MAX_LINE ((size_t)17 << 20)   /* an output line: 16 MiB and what we splice in */
#define BUF_MAX_HTTP ((size_t)64 << 20)   /* an HTTP body in either direction */
#define BUF_MAX_ANSWER ((size_t)4 << 20)  /* a model's answer */
#define BUF_MAX_PROMPT ((size_t)25 << 20) /* Bedrock's own limit for inputText */
#define BUF_MAX_SMALL ((size_t)64 << 10)  /* names, keys, headers, messages */
#define BUF_MAX_FILE ((size_t)16 << 20)   /* a file read whole: template, config, fallback */

#define BUF_INIT(ceiling) ((struct buf){ .max = (ceiling) })

void buf_init(struct buf *b, size_t max);
void buf_reset(struct buf *b);                /* empty, keeps the memory */
void buf_release(struct buf *b);              /* gives the memory back; usable again afterwards */
bool buf_reserve(struct buf *b, size_t more); /* room for `more` bytes; false = over */
bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_char(struct buf *b, char c);
bool buf_uint(struct buf *b, uint64_t n); /* in decimal; printf costs as much as all else of a line */
bool buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
char *buf_take(struct buf *b);             /* the bytes, now the caller's to free(); b is empty */
void buf_consume(struct buf *b, size_t n); /* drop n bytes from the front */

/* Here, so that a literal's length is known when it is compiled. */
static inline bool buf_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

#endif
