/* s3_priv.h - what the files of the S3 adapter share. */
#ifndef RECAGENT_AWS_S3_PRIV_H
#define RECAGENT_AWS_S3_PRIV_H

#include "aws/s3.h"
#include "base/buf.h"

struct s3 {
	struct blob base;
	struct aws_client *client;
	char bucket[256];
	char host_prefix[260]; /* "bucket." with the virtual-hosted style, else "" */
};

/* Where a key (NULL: the bucket) is: the encoded path for the style in use. */
bool s3_path(const struct s3 *s, const char *key, struct buf *out);
const char *s3_host_prefix(const struct s3 *s);

int s3_list(
	struct blob *b, const char *prefix, const char *after, blob_on_item *fn, void *arg, struct err *e);
int s3_get(struct blob *b, const char *name, blob_on_bytes *fn, void *arg, struct err *e);

#endif
