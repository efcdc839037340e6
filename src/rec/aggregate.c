/* aggregate.c - read aggregated records: the protobuf in them, field by field. */
#include "rec/aggregate.h"

#include "base/digest.h"
#include "base/hashkey.h"
#include "base/mem.h"
#include "rec/text.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 64 /* nested groups that are skipped; nobody is known to write any */

static const uint8_t magic[4] = { 0xf3, 0x89, 0x9a, 0xc2 };

/* ---- protobuf ---- */

enum wire { VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 };

struct view {
	const uint8_t *p, *end;
};
struct field {
	uint32_t number;
	enum wire wire;
	uint64_t value;    /* VARINT */
	struct view bytes; /* BYTES */
};

static bool read_varint(struct view *v, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; v->p < v->end && shift < 70; shift += 7) {
		uint8_t b = *v->p++;
		*out |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct view *v, uint64_t n)
{
	if (n > (uint64_t)(v->end - v->p))
		return false;
	v->p += n;
	return true;
}

static bool read_tag(struct view *v, struct field *f)
{
	uint64_t tag;
	if (!read_varint(v, &tag) || tag > UINT32_MAX)
		return false;
	f->number = (uint32_t)tag >> 3;
	f->wire = (enum wire)(tag & 7);
	return f->number != 0;
}

/* A value that is no group. */
static bool read_value(struct view *v, struct field *f)
{
	switch (f->wire) {
	case VARINT: return read_varint(v, &f->value);
	case FIXED64: return skip(v, 8);
	case FIXED32: return skip(v, 4);
	case BYTES:
		if (!read_varint(v, &f->value))
			return false;
		f->bytes.p = v->p;
		f->bytes.end = v->p + (skip(v, f->value) ? f->value : 0);
		return (uint64_t)(f->bytes.end - f->bytes.p) == f->value;
	default: return false;
	}
}

static bool skip_group(struct view *v, uint32_t number)
{
	uint32_t open[GROUPS_MAX];
	size_t depth = 0;
	open[depth++] = number;
	while (depth) {
		struct field f;
		if (!read_tag(v, &f))
			return false;
		if (f.wire == GROUP) {
			if (depth == GROUPS_MAX)
				return false;
			open[depth++] = f.number;
		} else if (f.wire == GROUP_END) {
			if (f.number != open[--depth])
				return false;
		} else if (!read_value(v, &f)) {
			return false;
		}
	}
	return true;
}

/* The next field that is no group; false at the end, and *bad when that is not the end of the message. */
static bool next_field(struct view *v, struct field *f, bool *bad)
{
	while (v->p < v->end) {
		*bad = !read_tag(v, f) || (f->wire == GROUP ? !skip_group(v, f->number) : !read_value(v, f));
		if (*bad || f->wire != GROUP)
			return !*bad;
	}
	return false;
}

static bool is_field(const struct field *f, uint32_t number, enum wire wire)
{
	return f->number == number && f->wire == wire;
}

/* ---- the messages ---- */

struct record_fields {
	uint64_t key, hash_key;
	bool has_key, has_hash_key, has_data;
	struct view data;
};

static bool tag_ok(struct view v)
{
	struct field f;
	bool bad = false, has_key = false;
	while (next_field(&v, &f, &bad))
		has_key = has_key || is_field(&f, 1, BYTES);
	return has_key && !bad;
}

/* A field that comes twice: the last one counts. */
static bool read_record(struct view v, struct record_fields *r)
{
	struct field f;
	bool bad = false;
	*r = (struct record_fields){ 0 };
	while (next_field(&v, &f, &bad)) {
		if (is_field(&f, 1, VARINT)) {
			r->key = f.value;
			r->has_key = true;
		} else if (is_field(&f, 2, VARINT)) {
			r->hash_key = f.value;
			r->has_hash_key = true;
		} else if (is_field(&f, 3, BYTES)) {
			r->data = f.bytes;
			r->has_data = true;
		} else if (is_field(&f, 4, BYTES) && !tag_ok(f.bytes)) {
			return false;
		}
	}
	return !bad && r->has_key && r->has_data;
}

/* Keys leave as C strings and JSON. */
static bool is_text(struct view v)
{
	size_t n = (size_t)(v.end - v.p);
	uint32_t cp = 0;
	if (n > AGGREGATE_KEY_MAX || memchr(v.p, 0, n))
		return false;
	for (size_t i = 0; i < n && cp != TEXT_BAD;)
		i += text_next((const char *)v.p + i, n - i, &cp);
	return cp != TEXT_BAD;
}

struct table {
	uint32_t **v;
	size_t *n, cap;
};

static void note(struct table *t, uint32_t at)
{
	if (*t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		*t->v = mem_realloc(*t->v, t->cap * sizeof **t->v);
	}
	(*t->v)[(*t->n)++] = at;
}

/* The whole message is looked at before anything of it is handed on, since tables may stand behind the records. */
static bool index_message(struct aggregate *a)
{
	struct table keys = { &a->keys, &a->nkeys, 0 }, hash_keys = { &a->hash_keys, &a->nhash_keys, 0 };
	struct view v = { a->p, a->end };
	struct record_fields r;
	struct field f;
	bool bad = false;
	for (const uint8_t *at = v.p; next_field(&v, &f, &bad); at = v.p) {
		bool key = is_field(&f, 1, BYTES), hash_key = is_field(&f, 2, BYTES);
		if ((key || hash_key) && !is_text(f.bytes))
			return false;
		if (key || hash_key)
			note(key ? &keys : &hash_keys, (uint32_t)(at - a->p));
		else if (is_field(&f, 3, BYTES) && !read_record(f.bytes, &r))
			return false;
		a->nrecords += is_field(&f, 3, BYTES);
	}
	return !bad;
}

bool aggregate_open(struct aggregate *a, const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum[16];
	*a = (struct aggregate){ 0 };
	if (n <= AGGREGATE_OVERHEAD || n > UINT32_MAX || memcmp(b, magic, sizeof magic) != 0)
		return false;
	a->p = a->at = b + sizeof magic;
	a->end = b + n - sizeof sum;
	md5(a->p, (size_t)(a->end - a->p), sum);
	if (!memcmp(sum, a->end, sizeof sum) && index_message(a))
		return true;
	aggregate_close(a);
	return false;
}

void aggregate_close(struct aggregate *a)
{
	free(a->keys);
	free(a->hash_keys);
	*a = (struct aggregate){ 0 };
}

void aggregate_rewind(struct aggregate *a)
{
	a->at = a->p;
	a->next = 0;
	a->damaged = false;
}

static bool entry(const struct aggregate *a, const uint32_t *table, size_t n, uint64_t i, const char **text,
	size_t *len)
{
	bool bad = false;
	struct field f;
	if (i >= n)
		return false;
	struct view v = { a->p + table[i], a->end };
	next_field(&v, &f, &bad);
	*text = (const char *)f.bytes.p;
	*len = (size_t)(f.bytes.end - f.bytes.p);
	return true;
}

bool aggregate_next(struct aggregate *a, struct user_record *r)
{
	struct view v = { a->at, a->end };
	struct record_fields in;
	struct field f;
	bool bad = false;
	*r = (struct user_record){ 0 };
	if (a->damaged)
		return false;
	do {
		if (!next_field(&v, &f, &bad))
			return false;
	} while (!is_field(&f, 3, BYTES));
	read_record(f.bytes, &in);
	a->damaged = !entry(a, a->keys, a->nkeys, in.key, &r->key, &r->key_len) ||
		     (in.has_hash_key && !entry(a, a->hash_keys, a->nhash_keys, in.hash_key, &r->hash_key,
						 &r->hash_key_len));
	if (a->damaged)
		return false;
	r->data = (const char *)in.data.p;
	r->len = (size_t)(in.data.end - in.data.p);
	a->at = v.p;
	a->next++;
	return true;
}

/* ---- whose shard ---- */

static hashkey hash_of_bytes(const char *p, size_t n)
{
	uint8_t sum[16];
	hashkey v = 0;
	md5(p, n, sum);
	for (size_t i = 0; i < sizeof sum; i++)
		v = v << 8 | sum[i];
	return v;
}

/* 1: *out; 0: a number that no shard has; -1: no number. */
static int parse_hash(const char *p, size_t n, hashkey *out)
{
	char text[HASHKEY_TEXT];
	size_t digits = 0;
	while (digits < n && p[digits] >= '0' && p[digits] <= '9')
		digits++;
	if (digits < n || !n)
		return -1;
	for (; n > 1 && *p == '0'; n--)
		p++;
	if (n >= sizeof text)
		return 0;
	memcpy(text, p, n);
	text[n] = '\0';
	return hashkey_parse(text, out);
}

bool aggregate_belongs(struct aggregate *a, const char *first_hash, const char *last_hash)
{
	struct user_record r;
	hashkey first, last, h;
	bool belongs = true;
	const char *key = NULL; /* of the record before: often the same */
	if (!hashkey_parse(first_hash, &first) || !hashkey_parse(last_hash, &last))
		return true;
	aggregate_rewind(a);
	while (belongs && aggregate_next(a, &r)) {
		int known = 1;
		if (r.hash_key)
			known = parse_hash(r.hash_key, r.hash_key_len, &h);
		else if (r.key == key)
			continue;
		else
			h = hash_of_bytes(r.key, r.key_len);
		if (known < 0)
			break; /* what can't be judged is not dropped */
		key = r.hash_key ? NULL : r.key;
		belongs = known && h >= first && h <= last;
	}
	aggregate_rewind(a);
	return belongs;
}
