/* mem.h - allocation that does not fail, and a bump arena.
 *
 * Out of memory ends the process with one line on standard error and EXIT_LOCAL: delivery is
 * at-least-once, so dying cleanly is safe and a half-done recovery is not. Thread-safe, except that
 * one arena belongs to one thread at a time. */
#ifndef RECAGENT_BASE_MEM_H
#define RECAGENT_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);              /* zeroed; n 0 gives a valid pointer */
void *mem_realloc(void *p, size_t n);   /* not zeroed beyond the old size */
void *mem_array(size_t n, size_t size); /* zeroed, overflow checked */
char *mem_strdup(const char *s);        /* NULL gives NULL */
char *mem_dup(const void *p, size_t n); /* n bytes and a NUL behind them */
void mem_wipe(void *p, size_t n);       /* overwrite a secret; not optimised away */
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Memory that is given back all at once: one per line or batch. Zeroed struct = empty arena. */
struct arena {
	struct arena_block *head;
	size_t used; /* bytes handed out since the last reset */
};
void *arena_alloc(struct arena *a, size_t n);              /* 16-byte aligned, not zeroed */
char *arena_dup(struct arena *a, const void *p, size_t n); /* with a NUL behind */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull(2)));
void arena_reset(struct arena *a); /* keeps one block of at most 64 KiB for the next use */
void arena_release(struct arena *a);

#endif
