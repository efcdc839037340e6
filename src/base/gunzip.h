/* gunzip.h - undo gzip on a stream of bytes, as often as it was done.
 *
 * What does not begin with gzip's magic bytes passes through. Several members in a row, zero padding behind the last, and gzip
 * inside gzip (CloudWatch Logs through Firehose) are undone. Memory is bounded whatever is fed. One stream per decoder;
 * not thread-safe. Source: RFC 1952. */
#ifndef RECAGENT_BASE_GUNZIP_H
#define RECAGENT_BASE_GUNZIP_H

#include "base/err.h"
#include <stddef.h>

/* Return 0 to go on; anything else ends the feeding and is handed back. */
typedef int gunzip_sink(const char *p, size_t n, void *arg, struct err *e);

struct gunzip;
struct gunzip *gunzip_new(gunzip_sink *fn, void *arg);
/* 0, what the sink returned, or -1 (ERR_REFUSED "bad-gzip"). */
int gunzip_feed(struct gunzip *g, const char *p, size_t n, struct err *e);
/* End of input: -1 (ERR_REFUSED "truncated-gzip") inside a member. What was decoded until then has been handed on. */
int gunzip_finish(struct gunzip *g, struct err *e);
void gunzip_free(struct gunzip *g);

#endif
