/* blob.h - the contract of a store of named objects: S3, a folder, or s3:// under the embedded store.
 * Thread-safe. */
#ifndef RECAGENT_PORT_BLOB_H
#define RECAGENT_PORT_BLOB_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct blob_item {
	const char *name; /* the whole key, or the path below the folder */
	uint64_t size;
	int64_t modified_s;
};
/* Objects in byte order of their names. Return 0 to go on, 1 to end without error, -1 with e set. */
typedef int blob_on_item(const struct blob_item *item, void *arg, struct err *e);
/* The next bytes of an object. Return 0 to go on, 1 to end without error, -1 with e set. */
typedef int blob_on_bytes(const char *p, size_t n, void *arg, struct err *e);

struct blob;
struct blob_ops {
	int (*list)(struct blob *b, const char *prefix, const char *after, blob_on_item *fn, void *arg,
		struct err *e);
	int (*get)(struct blob *b, const char *name, blob_on_bytes *fn, void *arg, struct err *e);
	void (*close)(struct blob *b);
};
struct blob { /* adapters embed this first */
	const struct blob_ops *ops;
	char uri[1200]; /* s3://BUCKET, or the folder: what `object` in _source starts with */
};

/* All objects whose names begin with prefix and sort after `after` (NULL: all), page by page. */
int blob_list(
	struct blob *b, const char *prefix, const char *after, blob_on_item *fn, void *arg, struct err *e);
/* One object. A connection lost half way is taken up again at the byte where it broke (range request with the
 * same entity tag), so fn sees each byte once. */
int blob_get(struct blob *b, const char *name, blob_on_bytes *fn, void *arg, struct err *e);
void blob_close(struct blob *b);

#endif
