/* item_fuzz.c - libFuzzer target: any JSON as an item of a table: as plain JSON and back, and as a row of a lease table.
 *
 * Checked: no bad access; a plain object that is stored and read is the same again, by value; a row is a lease within its
 * limits or an error with a message. */
#include "base/av.h"
#include "base/mem.h"
#include "flow/leases.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

struct one { /* a table of one item */
	struct table t;
	const cJSON *item;
};

static int scan(struct table *t, table_on_item *fn, void *arg, struct err *e)
{
	(void)e;
	fn(((struct one *)t)->item, arg);
	return 0;
}

static const struct table_ops ops = { .scan = scan };

static void as_row(const cJSON *item)
{
	struct one o = { .t = { .ops = &ops, .name = "group" }, .item = item };
	struct leases l = { 0 };
	struct err e = { 0 };
	if (leases_scan(&o.t, NULL, &l, &e)) {
		check(e.cls != ERR_NONE && e.msg[0]);
		return;
	}
	for (size_t i = 0; i < l.n; i++) {
		struct position p = lease_position(&l.v[i]);
		check(l.v[i].shard_id[0] &&
			checkpoint_compare(l.v[i].checkpoint, 0, l.v[i].checkpoint, 0) == 0);
		check(p.kind != POS_AFTER_SEQ || p.seq[0]);
	}
	leases_free(&l);
}

static void as_value(const cJSON *plain)
{
	cJSON *typed = av_from_json(plain);
	check(typed != NULL);
	cJSON *back = av_to_json(typed), *again = back ? av_from_json(back) : NULL;
	check(again && av_equal(typed, again));
	check(av_value_size(typed) == av_value_size(again));
	cJSON_Delete(typed);
	cJSON_Delete(back);
	cJSON_Delete(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e = { 0 };
	cJSON *tree = json_tree((const char *)data, n, &e);
	if (tree) {
		as_value(tree);
		if (cJSON_IsObject(tree)) {
			as_row(tree);
			cJSON_Delete(av_item_to_json(tree));
			(void)av_item_size(tree);
		}
	}
	cJSON_Delete(tree);
	return 0;
}
