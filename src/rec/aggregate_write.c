/* aggregate_write.c - write aggregated records: tables in which each key stands once, then the records. */
#include "rec/aggregate.h"

#include "base/digest.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define TAG_KEY 0x0a
#define TAG_HASH_KEY 0x12
#define TAG_RECORD 0x1a
#define TAG_KEY_INDEX 0x08
#define TAG_HASH_KEY_INDEX 0x10
#define TAG_DATA 0x1a
#define INDEX_MOST 3 /* bytes of an index below 2^21 */

static size_t varint_len(uint64_t v)
{
	size_t n = 1;
	while (v >>= 7)
		n++;
	return n;
}

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		buf_char(b, (char)(v | 0x80));
	buf_char(b, (char)v);
}

static void put_bytes(struct buf *b, char tag, const void *p, size_t n)
{
	buf_char(b, tag);
	put_varint(b, n);
	if (n)
		buf_add(b, p, n);
}

static size_t bytes_len(size_t n)
{
	return 1 + varint_len(n) + n;
}

/* ---- tables ---- */

static void table_rehash(struct text_table *t)
{
	free(t->slots);
	t->nslots = t->nslots ? t->nslots * 2 : 64;
	t->slots = mem_array(t->nslots, sizeof *t->slots);
	for (size_t k = 0; k < t->n; k++) {
		size_t i = t->v[k].sum & (t->nslots - 1);
		while (t->slots[i])
			i = (i + 1) & (t->nslots - 1);
		t->slots[i] = (uint32_t)k + 1;
	}
}

static size_t table_add(struct text_table *t, char tag, const char *p, size_t n, uint32_t sum, size_t slot)
{
	put_bytes(&t->fields, tag, p, n);
	if (t->fields.over)
		return 0;
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 32;
		t->v = mem_realloc(t->v, t->cap * sizeof *t->v);
	}
	t->v[t->n] = (struct text_place){ (uint32_t)(t->fields.len - n), (uint32_t)n, sum };
	t->slots[slot] = (uint32_t)++t->n;
	return t->n - 1;
}

/* The index of a text, which is added when it is new. */
static size_t table_index(struct text_table *t, char tag, const char *p, size_t n)
{
	uint32_t sum = crc32_of(p, n);
	if (2 * (t->n + 1) > t->nslots)
		table_rehash(t);
	size_t i = sum & (t->nslots - 1);
	for (; t->slots[i]; i = (i + 1) & (t->nslots - 1)) {
		const struct text_place *at = &t->v[t->slots[i] - 1];
		if (at->sum == sum && at->len == n && !memcmp(t->fields.p + at->off, p, n))
			return t->slots[i] - 1;
	}
	return table_add(t, tag, p, n, sum, i);
}

static void table_reset(struct text_table *t)
{
	buf_reset(&t->fields);
	t->n = 0;
	if (t->nslots)
		memset(t->slots, 0, t->nslots * sizeof *t->slots);
}

static void table_release(struct text_table *t)
{
	buf_release(&t->fields);
	free(t->v);
	free(t->slots);
	*t = (struct text_table){ 0 };
}

/* ---- the aggregate ---- */

void aggregate_writer_init(struct aggregate_writer *w, size_t max_bytes)
{
	*w = (struct aggregate_writer){ 0 };
	buf_init(&w->keys.fields, max_bytes);
	buf_init(&w->hash_keys.fields, max_bytes);
	buf_init(&w->records, max_bytes);
}

void aggregate_writer_release(struct aggregate_writer *w)
{
	table_release(&w->keys);
	table_release(&w->hash_keys);
	buf_release(&w->records);
}

void aggregate_add(struct aggregate_writer *w, const struct user_record *r)
{
	size_t hash_key = 0, len, key = table_index(&w->keys, TAG_KEY, r->key, r->key_len);
	len = 1 + varint_len(key) + bytes_len(r->len);
	if (r->hash_key) {
		hash_key = table_index(&w->hash_keys, TAG_HASH_KEY, r->hash_key, r->hash_key_len);
		len += 1 + varint_len(hash_key);
	}
	buf_char(&w->records, TAG_RECORD);
	put_varint(&w->records, len);
	buf_char(&w->records, TAG_KEY_INDEX);
	put_varint(&w->records, key);
	if (r->hash_key) {
		buf_char(&w->records, TAG_HASH_KEY_INDEX);
		put_varint(&w->records, hash_key);
	}
	put_bytes(&w->records, TAG_DATA, r->data, r->len);
	w->n++;
}

bool aggregate_finish(struct aggregate_writer *w, struct buf *out)
{
	const struct buf *const parts[] = { &w->keys.fields, &w->hash_keys.fields, &w->records };
	uint8_t sum[16];
	size_t start = out->len + 4;
	bool over = false;
	buf_add(out, "\xf3\x89\x9a\xc2", 4);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		over = over || parts[i]->over;
		if (parts[i]->len)
			buf_add(out, parts[i]->p, parts[i]->len);
	}
	if (!out->over) {
		md5(out->p + start, out->len - start, sum);
		buf_add(out, sum, sizeof sum);
	}
	table_reset(&w->keys);
	table_reset(&w->hash_keys);
	buf_reset(&w->records);
	w->n = 0;
	return !over && !out->over;
}

size_t aggregate_cost(const struct user_record *r)
{
	size_t len = 1 + INDEX_MOST + bytes_len(r->len), tables = bytes_len(r->key_len);
	if (r->hash_key) {
		len += 1 + INDEX_MOST;
		tables += bytes_len(r->hash_key_len);
	}
	return tables + bytes_len(len);
}
