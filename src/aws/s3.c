/* s3.c - the object store contract on S3: opening, and how a bucket is addressed. */
#include "aws/s3_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/sigv4.h"

bool s3_path(const struct s3 *s, const char *key, struct buf *out)
{
	buf_char(out, '/');
	if (!s->host_prefix[0]) {
		buf_str(out, s->bucket);
		if (key)
			buf_char(out, '/');
	}
	if (key)
		uri_encode(out, key, strlen(key), true);
	return !out->over;
}

const char *s3_host_prefix(const struct s3 *s)
{
	return s->host_prefix[0] ? s->host_prefix : NULL;
}

/* Only such a name can stand before a host and under its certificate: a dot would leave the wildcard. */
static bool is_host_label(const char *bucket)
{
	size_t n = strlen(bucket);

	if (n < 3 || n > 63 || bucket[0] == '-' || bucket[n - 1] == '-')
		return false;
	return strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool is_address_or_local(const char *host)
{
	return host[0] == '[' || !strcmp(host, "localhost") || strspn(host, "0123456789.") == strlen(host);
}

static bool path_style(const struct aws_shared *shared, const struct s3 *s)
{
	const char *style = aws_shared_nested(shared, "s3", "addressing_style");

	if (style && !strcmp(style, "path"))
		return true;
	return !is_host_label(s->bucket) ||
	       (aws_client_custom(s->client) && is_address_or_local(aws_client_host(s->client)));
}

static void close_blob(struct blob *b)
{
	struct s3 *s = (struct s3 *)b;

	aws_client_close(s->client);
	free(s);
}

int s3_open(struct aws_shared *shared, const char *bucket, struct blob **out, struct err *e)
{
	static const struct blob_ops ops = { .list = s3_list, .get = s3_get, .close = close_blob };
	struct s3 *s = mem_alloc(sizeof *s);

	/* The client learns the bucket's region, so it is this bucket's own. */
	if (aws_client_open(&s->client, shared, AWS_S3, e)) {
		free(s);
		return -1;
	}
	s->base.ops = &ops;
	snprintf(s->bucket, sizeof s->bucket, "%s", bucket);
	snprintf(s->base.uri, sizeof s->base.uri, "s3://%s", bucket);
	if (!path_style(shared, s))
		snprintf(s->host_prefix, sizeof s->host_prefix, "%s.", bucket);
	*out = &s->base;
	return 0;
}
