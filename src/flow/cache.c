/* cache.c - the conditional write of a cache entry. */
#include "flow/cache.h"
#include "base/clock.h"
#include "rec/entry.h"

static int put_if_newest(
	struct table *t, const struct cache_entry *in, const cJSON *item, int64_t now_s, struct err *e)
{
	struct cond cond = { .any = true };
	cond_test(&cond, in->key_name, COND_MISSING, NULL);
	cond_test(&cond, "version", COND_MISSING, NULL);
	if (in->version >= 0)
		cond_test(&cond, "version", COND_LE, av_n(in->version));
	cond_test(&cond, "ttl", COND_LT, av_n(now_s));
	int rc = table_put(t, item, &cond, e);
	cond_release(&cond);
	return rc;
}

int cache_put(struct table *t, const struct cache_entry *in, struct cached *out, struct err *e)
{
	int64_t now_us = clock_now_us();
	const char *hash = in->prompt_hash[0] ? in->prompt_hash : NULL;
	cJSON *item =
		entry_item(in->key_name, in->key, in->recommendations, now_us, in->ttl_s, in->version, hash);
	int rc = put_if_newest(t, in, item, now_us / 1000000, e);
	out->outdated = rc && cond_failed(e);
	if (out->outdated) {
		err_clear(e);
		rc = 0;
	}
	cJSON_Delete(out->entry);
	out->entry = rc ? NULL : av_item_to_json(item);
	cJSON_Delete(item);
	return rc;
}

void cached_release(struct cached *c)
{
	cJSON_Delete(c->entry);
	c->entry = NULL;
}
