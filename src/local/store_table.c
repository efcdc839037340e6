/* store_table.c - the table contract on the embedded store: items as typed JSON, conditions and updates each in
 * one write transaction, with DynamoDB's meanings and limits. */
#include "local/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "local/db.h"
#include "local/item_rules.h"

#define KEY_BYTES 2048
#define PAGE_ITEMS 256
#define PAGE_BYTES ((size_t)1 << 20)
#define TTL_GRACE_S (INT64_C(2) * 24 * 3600) /* how long DynamoDB may leave an expired item, too */
#define SWEEP 4                              /* expired items that one write removes */

struct local_table {
	struct table base;
	struct store *store;
};

struct found { /* the table, and one item of it */
	int64_t table;
	char ttl_attr[256];
	cJSON *item;
};

static int check_key(const char *key, struct err *e)
{
	size_t n = key ? strlen(key) : 0;

	if (n < 1 || n > KEY_BYTES)
		return err_set(e, ERR_FAILED, "ValidationException", "a key of %zu bytes; 1 to %d may be", n,
			KEY_BYTES);
	return 0;
}

static int check_schema(struct local_table *t, const char *stored, struct err *e)
{
	if (stored && !strcmp(stored, t->base.key_attr))
		return 0;
	return err_set(e, ERR_FAILED, "ValidationException", "the key of table %s is %.80s, not %.80s",
		t->base.name, stored ? stored : "", t->base.key_attr);
}

static int tree_of(sqlite3_stmt *st, int column, cJSON **out, struct err *e)
{
	const char *text = (const char *)sqlite3_column_text(st, column);

	*out = json_tree(text ? text : "", (size_t)sqlite3_column_bytes(st, column), e);
	if (*out)
		return 0;
	if (e)
		e->cls = ERR_LOCAL;
	return err_prefix(e, "an item of the store is damaged: ");
}

/* One statement finds the table, its key's name and the item. out->item is NULL when there is none. */
static int find(struct db *d, struct local_table *t, const char *key, struct found *out, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"SELECT t.id, t.key_attr, t.ttl_attr, i.item FROM tbl t"
		" LEFT JOIN item i ON i.tbl = t.id AND i.key = ?2 WHERE t.name = ?1",
		e);

	*out = (struct found){ 0 };
	if (!st)
		return -1;
	db_text(st, 1, t->base.name);
	db_text(st, 2, key);
	int rc = db_step(d, st, e);
	if (rc == 0)
		return store_missing(t->store, "table", t->base.name, e);
	if (rc < 0)
		return -1;
	const char *ttl = (const char *)sqlite3_column_text(st, 2);
	snprintf(out->ttl_attr, sizeof out->ttl_attr, "%s", ttl ? ttl : "");
	out->table = sqlite3_column_int64(st, 0);
	rc = check_schema(t, (const char *)sqlite3_column_text(st, 1), e);
	if (rc == 0 && sqlite3_column_type(st, 3) != SQLITE_NULL)
		rc = tree_of(st, 3, &out->item, e);
	sqlite3_reset(st);
	return rc;
}

static int get(struct table *base, const char *key, bool consistent, cJSON **item, struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	struct found f = { 0 };

	(void)consistent;
	if (check_key(key, e))
		return -1;
	struct db *d = store_reader(t->store, e);
	int rc = d ? find(d, t, key, &f, e) : -1;
	store_reader_done(t->store, d);
	*item = f.item;
	return rc;
}

static int get_many(
	struct table *base, const char *const *keys, size_t n, bool consistent, cJSON **items, struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	struct db *d = store_reader(t->store, e);
	int rc = d ? 0 : -1;

	(void)consistent;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct found f = { 0 };
		rc = check_key(keys[i], e);
		if (rc == 0)
			rc = find(d, t, keys[i], &f, e);
		items[i] = f.item;
	}
	store_reader_done(t->store, d);
	return rc;
}

static int sweep(struct db *d, struct err *e)
{
	sqlite3_stmt *st =
		db_stmt(d, "DELETE FROM item WHERE id IN (SELECT id FROM item WHERE ttl_s < ?1 LIMIT ?2)", e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, clock_now_s() - TTL_GRACE_S);
	sqlite3_bind_int64(st, 2, SWEEP);
	return db_run(d, st, e);
}

static int store_item(struct db *d, const struct found *f, const char *key, const cJSON *item, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"INSERT INTO item(tbl, key, item, ttl_s) VALUES(?1, ?2, ?3, ?4)"
		" ON CONFLICT(tbl, key) DO UPDATE SET item = excluded.item, ttl_s = excluded.ttl_s",
		e);
	struct buf text = BUF_INIT(BUF_MAX_FILE);
	int64_t ttl;

	if (!st)
		return -1;
	if (av_item_size(item) > AV_ITEM_MAX)
		return err_set(e, ERR_FAILED, "ValidationException",
			"the item has %zu bytes; %zu is the most", av_item_size(item), AV_ITEM_MAX);
	if (!json_print(&text, item)) {
		buf_release(&text);
		return err_set(e, ERR_FAILED, "ValidationException", "the item's text is too long");
	}
	sqlite3_bind_int64(st, 1, f->table);
	db_text(st, 2, key);
	sqlite3_bind_text64(st, 3, text.p, text.len, SQLITE_STATIC, SQLITE_UTF8);
	if (*f->ttl_attr && av_get_int(item, f->ttl_attr, &ttl))
		sqlite3_bind_int64(st, 4, ttl);
	else
		sqlite3_bind_null(st, 4);
	int rc = db_run(d, st, e);
	buf_release(&text);
	return rc ? rc : sweep(d, e);
}

static int put(struct table *base, const cJSON *item, const struct cond *c, struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	const char *key = av_get_s(item, base->key_attr);
	struct found f = { 0 };

	if (check_key(key, e))
		return -1;
	struct db *d = store_begin(t->store, false, e);
	if (!d)
		return -1;
	int rc = find(d, t, key, &f, e);
	if (rc == 0)
		rc = item_check(c, f.item, e);
	if (rc == 0)
		rc = store_item(d, &f, key, item, e);
	cJSON_Delete(f.item);
	return store_end(t->store, d, rc, e);
}

static int update(struct table *base, const char *key, const struct changes *changes, const struct cond *c,
	struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	struct found f = { 0 };

	if (check_key(key, e))
		return -1;
	struct db *d = store_begin(t->store, false, e);
	if (!d)
		return -1;
	int rc = find(d, t, key, &f, e);
	if (rc == 0)
		rc = item_check(c, f.item, e);
	if (rc == 0 && !f.item) {
		f.item = cJSON_CreateObject();
		item_set(f.item, base->key_attr, av_s(key));
	}
	if (rc == 0)
		rc = item_apply(f.item, base->key_attr, changes, e);
	if (rc == 0)
		rc = store_item(d, &f, key, f.item, e);
	cJSON_Delete(f.item);
	return store_end(t->store, d, rc, e);
}

static int del(struct table *base, const char *key, const struct cond *c, struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	struct found f = { 0 };

	if (check_key(key, e))
		return -1;
	struct db *d = store_begin(t->store, false, e);
	if (!d)
		return -1;
	int rc = find(d, t, key, &f, e);
	if (rc == 0)
		rc = item_check(c, f.item, e);
	if (rc == 0 && f.item) {
		sqlite3_stmt *st = db_stmt(d, "DELETE FROM item WHERE tbl = ?1 AND key = ?2", e);
		rc = st ? 0 : -1;
		if (st) {
			sqlite3_bind_int64(st, 1, f.table);
			db_text(st, 2, key);
			rc = db_run(d, st, e);
		}
	}
	cJSON_Delete(f.item);
	return store_end(t->store, d, rc, e);
}

struct page {
	char *after; /* the last key taken */
	cJSON *items[PAGE_ITEMS];
	size_t n;
};

static int read_page(struct db *d, int64_t table, struct page *p, struct err *e)
{
	sqlite3_stmt *st =
		db_stmt(d, "SELECT key, item FROM item WHERE tbl = ?1 AND key > ?2 ORDER BY key LIMIT ?3", e);
	size_t bytes = 0;
	int rc = -1;

	p->n = 0;
	if (!st)
		return -1;
	char *after = mem_strdup(p->after);
	sqlite3_bind_int64(st, 1, table);
	db_text(st, 2, after);
	sqlite3_bind_int64(st, 3, PAGE_ITEMS);
	while (bytes < PAGE_BYTES && (rc = db_step(d, st, e)) == 1) {
		if (tree_of(st, 1, &p->items[p->n], e)) {
			rc = -1;
			break;
		}
		p->n++;
		bytes += (size_t)sqlite3_column_bytes(st, 1);
		free(p->after);
		p->after = mem_strdup((const char *)sqlite3_column_text(st, 0));
	}
	sqlite3_reset(st);
	free(after);
	return rc < 0 ? -1 : 0;
}

/* fn runs between the pages' transactions, so that it may use the table itself. */
static int scan(struct table *base, table_on_item *fn, void *arg, struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	struct page p = { .after = mem_strdup("") };
	bool stop = false;
	int rc;

	do {
		struct found f = { 0 };
		struct db *d = store_reader(t->store, e);
		p.n = 0;
		rc = d ? find(d, t, "", &f, e) : -1;
		cJSON_Delete(f.item);
		if (rc == 0)
			rc = read_page(d, f.table, &p, e);
		store_reader_done(t->store, d);
		for (size_t i = 0; i < p.n; i++) {
			stop = stop || rc || fn(p.items[i], arg);
			cJSON_Delete(p.items[i]);
		}
	} while (rc == 0 && !stop && p.n);
	free(p.after);
	return rc;
}

static int describe(struct table *base, struct table_info *out, struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	struct found f = { 0 };
	struct db *d = store_reader(t->store, e);
	int rc = d ? find(d, t, "", &f, e) : -1;

	store_reader_done(t->store, d);
	cJSON_Delete(f.item);
	if (rc)
		return rc;
	snprintf(out->status, sizeof out->status, "ACTIVE");
	snprintf(out->key_attribute, sizeof out->key_attribute, "%s", base->key_attr);
	snprintf(out->ttl_attribute, sizeof out->ttl_attribute, "%s", f.ttl_attr);
	out->ttl_enabled = *f.ttl_attr;
	return 0;
}

static int create(struct table *base, struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	struct db *d = store_begin(t->store, true, e);

	if (!d)
		return -1;
	sqlite3_stmt *st =
		db_stmt(d, "INSERT INTO tbl(name, key_attr) VALUES(?1, ?2) ON CONFLICT DO NOTHING", e);
	int rc = st ? 0 : -1;
	if (st) {
		db_text(st, 1, base->name);
		db_text(st, 2, base->key_attr);
		rc = db_run(d, st, e);
	}
	if (rc == 0 && !sqlite3_changes(d->h))
		rc = err_set(
			e, ERR_FAILED, "ResourceInUseException", "there is a table %s already", base->name);
	return store_end(t->store, d, rc, e);
}

static int enable_ttl(struct table *base, const char *attr, struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	struct found f = { 0 };
	struct db *d = store_begin(t->store, false, e);

	if (!d)
		return -1;
	int rc = find(d, t, "", &f, e);
	cJSON_Delete(f.item);
	sqlite3_stmt *st = rc == 0 ? db_stmt(d, "UPDATE tbl SET ttl_attr = ?2 WHERE id = ?1", e) : NULL;
	if (!st)
		return store_end(t->store, d, -1, e);
	sqlite3_bind_int64(st, 1, f.table);
	db_text(st, 2, attr);
	return store_end(t->store, d, db_run(d, st, e), e);
}

/* Quick and read-only: what the agent has counted so far. No store yet is no error of a fallback. */
static int popular(struct table *base, size_t n, cJSON *array, struct err *e)
{
	struct local_table *t = (struct local_table *)base;
	struct err why = { 0 };
	struct db *d = store_reader(t->store, &why);
	if (!d && !strcmp(why.code, "ResourceNotFoundException"))
		return 0;
	sqlite3_stmt *st = d ? db_stmt(d,
				       "SELECT item, category FROM agent_item WHERE score > 0"
				       " ORDER BY score DESC, item LIMIT ?1",
				       &why)
			     : NULL;
	int rc = -1;

	if (st) {
		sqlite3_bind_int64(st, 1, (int64_t)n);
		while ((rc = db_step(d, st, &why)) == 1) {
			cJSON *o = cJSON_CreateObject();
			cJSON_AddStringToObject(o, "item_id", (const char *)sqlite3_column_text(st, 0));
			cJSON_AddStringToObject(o, "category", (const char *)sqlite3_column_text(st, 1));
			cJSON_AddItemToArray(array, o);
		}
	}
	store_reader_done(t->store, d);
	if (rc && e)
		*e = why;
	return rc;
}

static void close_table(struct table *base)
{
	struct local_table *t = (struct local_table *)base;

	store_free(t->store);
	free(t);
}

int local_open_table(
	const char *dir, const char *name, const char *key_attr, struct table **out, struct err *e)
{
	static const struct table_ops ops = { .get = get,
		.get_many = get_many,
		.put = put,
		.update = update,
		.del = del,
		.scan = scan,
		.describe = describe,
		.create = create,
		.enable_ttl = enable_ttl,
		.popular = popular,
		.close = close_table };
	struct local_table *t = mem_alloc(sizeof *t);

	(void)e;
	t->base.ops = &ops;
	snprintf(t->base.name, sizeof t->base.name, "%s", name);
	snprintf(t->base.key_attr, sizeof t->base.key_attr, "%s", key_attr);
	t->store = store_new(dir, true);
	*out = &t->base;
	return 0;
}
