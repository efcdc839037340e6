/* sigv4_canonical.h - the parts of a canonical request, for sigv4.c only. Pure. */
#ifndef RECAGENT_NET_SIGV4_CANONICAL_H
#define RECAGENT_NET_SIGV4_CANONICAL_H

#include "base/buf.h"
#include <stddef.h>

/* Add the encoded path: as it is, or without empty and dot segments and encoded once more. */
bool canonical_path(struct buf *out, const char *path, size_t n, bool as_is);

/* Add the query: every name and value with exactly one encoding, sorted by name, then by value. */
bool canonical_query(struct buf *out, const char *query, size_t n);

struct signed_header {
	const char *name, *value; /* borrowed */
};

/* Sorts h, then adds "name:value\n" of each name to lines and "name;name" to names. Headers of one name
 * become one line with their values in the order of h. */
bool canonical_headers(struct buf *lines, struct buf *names, struct signed_header *h, size_t n);

#endif
