/* blob.c - dispatch of the object store contract to its adapter. */
#include "port/blob.h"

int blob_list(
	struct blob *b, const char *prefix, const char *after, blob_on_item *fn, void *arg, struct err *e)
{
	return b->ops->list(b, prefix ? prefix : "", after, fn, arg, e);
}

int blob_get(struct blob *b, const char *name, blob_on_bytes *fn, void *arg, struct err *e)
{
	return b->ops->get(b, name, fn, arg, e);
}

void blob_close(struct blob *b)
{
	if (b)
		b->ops->close(b);
}
