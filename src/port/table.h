/* table.h - the contract of a key-value table with conditional writes: DynamoDB, or the embedded store.
 *
 * One string hash key, no range key. Items are cJSON objects of typed attribute values (av.h). A condition
 * is a list of tests joined all by AND or all by OR. Thread-safe. Source: DynamoDB API reference. */
#ifndef RECAGENT_PORT_TABLE_H
#define RECAGENT_PORT_TABLE_H

#include "base/av.h"
#include "base/err.h"
#include <stdint.h>

enum cond_op { COND_EXISTS, COND_MISSING, COND_EQ, COND_LT, COND_LE, COND_GT };
struct cond_test {
	const char *attr;
	enum cond_op op;
	cJSON *value; /* typed, owned by whoever built the condition; NULL for EXISTS and MISSING */
};
struct cond {
	bool any; /* true: OR, false: AND */
	struct cond_test v[6];
	size_t n; /* 0: no condition */
};
void cond_test(struct cond *c, const char *attr, enum cond_op op, cJSON *value); /* takes value */
void cond_release(struct cond *c);

struct change { /* one attribute of an update */
	const char *attr;
	cJSON *value; /* typed: SET; NULL: REMOVE */
	bool add;     /* ADD (numbers) instead of SET */
};
struct changes {
	struct change v[24];
	size_t n;
};
void change_set(struct changes *c, const char *attr, cJSON *value); /* takes value */
void change_add(struct changes *c, const char *attr, int64_t by);
void change_remove(struct changes *c, const char *attr);
void changes_release(struct changes *c);

struct table_info {
	char status[32], ttl_attribute[256], key_attribute[256];
	bool ttl_enabled;
};

typedef int table_on_item(const cJSON *item, void *arg); /* non-zero ends the scan, 0 goes on */

struct table;
struct table_ops {
	int (*get)(struct table *t, const char *key, bool consistent, cJSON **item, struct err *e);
	int (*get_many)(struct table *t, const char *const *keys, size_t n, bool consistent, cJSON **items,
		struct err *e);
	int (*put)(struct table *t, const cJSON *item, const struct cond *c, struct err *e);
	int (*update)(struct table *t, const char *key, const struct changes *ch, const struct cond *c,
		struct err *e);
	int (*del)(struct table *t, const char *key, const struct cond *c, struct err *e);
	int (*scan)(struct table *t, table_on_item *fn, void *arg, struct err *e);
	int (*describe)(struct table *t, struct table_info *out, struct err *e);
	int (*create)(struct table *t, struct err *e);
	int (*enable_ttl)(struct table *t, const char *attr, struct err *e);
	int (*popular)(struct table *t, size_t n, cJSON *array, struct err *e); /* may be NULL */
	int64_t (*now_ms)(struct table *t); /* NULL: this machine's clock */
	void (*close)(struct table *t);
};
struct table { /* adapters embed this first */
	const struct table_ops *ops;
	char name[256];
	char key_attr[256];
};

/* *item: a new tree, or NULL when there is none (that is no error). */
int table_get(struct table *t, const char *key, bool consistent, cJSON **item, struct err *e);
/* items[i] answers keys[i] (NULL: none); keys may repeat; any n, split into calls inside; unprocessed keys are
 * asked again. On error all items are NULL. */
int table_get_many(
	struct table *t, const char *const *keys, size_t n, bool consistent, cJSON **items, struct err *e);
/* A false condition is ERR_FAILED with code ConditionalCheckFailedException: cond_failed(e). */
int table_put(struct table *t, const cJSON *item, const struct cond *c, struct err *e);
int table_update(
	struct table *t, const char *key, const struct changes *ch, const struct cond *c, struct err *e);
int table_delete(struct table *t, const char *key, const struct cond *c, struct err *e);
int table_scan(struct table *t, table_on_item *fn, void *arg, struct err *e); /* every page, consistent */
int table_describe(struct table *t, struct table_info *out, struct err *e);   /* ResourceNotFoundException */
int table_create(struct table *t, struct err *e);                             /* on demand; does not wait */
int table_enable_ttl(struct table *t, const char *attr, struct err *e);       /* fine when it is on already */
int64_t table_now_ms(struct table *t);                                        /* the service's clock */
void table_close(struct table *t);
bool cond_failed(const struct err *e);

/* Popular items of the store for a fallback, best first: appends up to n {"item_id","category"} objects to the
 * plain array. Only the embedded store has them; elsewhere nothing is added. */
int table_popular(struct table *t, size_t n, cJSON *array, struct err *e);

#endif
