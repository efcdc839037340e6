/* table.c - dispatch of the table contract to its adapter; builders of conditions and changes. */
#include "port/table.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

void cond_test(struct cond *c, const char *attr, enum cond_op op, cJSON *value)
{
	assert(c->n < ARRAY_LEN(c->v));
	c->v[c->n++] = (struct cond_test){ .attr = attr, .op = op, .value = value };
}

void cond_release(struct cond *c)
{
	for (size_t i = 0; i < c->n; i++)
		cJSON_Delete(c->v[i].value);
	*c = (struct cond){ 0 };
}

static void change(struct changes *c, const char *attr, cJSON *value, bool add)
{
	assert(c->n < ARRAY_LEN(c->v));
	c->v[c->n++] = (struct change){ .attr = attr, .value = value, .add = add };
}

void change_set(struct changes *c, const char *attr, cJSON *value)
{
	change(c, attr, value, false);
}

void change_add(struct changes *c, const char *attr, int64_t by)
{
	change(c, attr, av_n(by), true);
}

void change_remove(struct changes *c, const char *attr)
{
	change(c, attr, NULL, false);
}

void changes_release(struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		cJSON_Delete(c->v[i].value);
	*c = (struct changes){ 0 };
}

int table_get(struct table *t, const char *key, bool consistent, cJSON **item, struct err *e)
{
	*item = NULL;
	return t->ops->get(t, key, consistent, item, e);
}

int table_get_many(
	struct table *t, const char *const *keys, size_t n, bool consistent, cJSON **items, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		items[i] = NULL;
	if (!n)
		return 0;
	int rc = t->ops->get_many(t, keys, n, consistent, items, e);
	for (size_t i = 0; rc && i < n; i++) {
		cJSON_Delete(items[i]);
		items[i] = NULL;
	}
	return rc;
}

int table_put(struct table *t, const cJSON *item, const struct cond *c, struct err *e)
{
	return t->ops->put(t, item, c, e);
}

int table_update(
	struct table *t, const char *key, const struct changes *ch, const struct cond *c, struct err *e)
{
	return t->ops->update(t, key, ch, c, e);
}

int table_delete(struct table *t, const char *key, const struct cond *c, struct err *e)
{
	return t->ops->del(t, key, c, e);
}

int table_scan(struct table *t, table_on_item *fn, void *arg, struct err *e)
{
	return t->ops->scan(t, fn, arg, e);
}

int table_describe(struct table *t, struct table_info *out, struct err *e)
{
	*out = (struct table_info){ 0 };
	return t->ops->describe(t, out, e);
}

int table_create(struct table *t, struct err *e)
{
	return t->ops->create(t, e);
}

int table_enable_ttl(struct table *t, const char *attr, struct err *e)
{
	return t->ops->enable_ttl(t, attr, e);
}

int table_popular(struct table *t, size_t n, cJSON *array, struct err *e)
{
	return t->ops->popular ? t->ops->popular(t, n, array, e) : 0;
}

int64_t table_now_ms(struct table *t)
{
	return t->ops->now_ms ? t->ops->now_ms(t) : clock_now_ms();
}

void table_close(struct table *t)
{
	if (t)
		t->ops->close(t);
}

bool cond_failed(const struct err *e)
{
	return e->cls == ERR_FAILED && !strcmp(e->code, "ConditionalCheckFailedException");
}
