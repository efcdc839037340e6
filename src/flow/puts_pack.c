/* puts_pack.c - which records of a lane share an entry of a call, and what becomes of those that were stored elsewhere. */
#include "flow/puts_pack.h"

#include "base/log.h"
#include "flow/shardmap.h"
#include "rec/aggregate.h"

#include <stdlib.h>
#include <string.h>

#define NO_ENTRY UINT32_MAX
#define KEY_SLOTS (2 * PACK_RECORDS)

struct entry {
	uint32_t first, last, n;     /* the records in it: indexes in taken, linked by pack.next */
	size_t bytes;                /* no less than it will have as an aggregate */
	const struct shard *shard;   /* NULL: not known */
	char hash_key[HASHKEY_TEXT]; /* of the first record */
};
struct key_slot {
	const struct rec *r; /* the first of its key */
	uint32_t entry;      /* that holds all of its records; NO_ENTRY: no more of them */
};

struct pack {
	struct shard_list *list; /* of the call; NULL: there is none */
	struct entry *v;
	size_t n;
	uint32_t *entry, *next, *sub; /* of each in taken */
	hashkey *hash;
	uint32_t *open; /* of each open shard: its entry that takes more, or NO_ENTRY */
	size_t nopen;
	struct key_slot *keys; /* with order_key */
	struct aggregate_writer writer;
	struct buf data; /* the aggregates of the call */
};

struct pack *pack_new(const struct puts_conf *c)
{
	struct pack *p = mem_alloc(sizeof *p);
	p->v = mem_array(c->batch_records, sizeof *p->v);
	p->entry = mem_array(PACK_RECORDS, sizeof *p->entry);
	p->next = mem_array(PACK_RECORDS, sizeof *p->next);
	p->sub = mem_array(PACK_RECORDS, sizeof *p->sub);
	p->hash = mem_array(PACK_RECORDS, sizeof *p->hash);
	p->keys = c->order_key ? mem_array(KEY_SLOTS, sizeof *p->keys) : NULL;
	aggregate_writer_init(&p->writer, c->aggregate_bytes);
	buf_init(&p->data, c->batch_bytes + c->aggregate_bytes);
	return p;
}

void pack_free(struct pack *p, struct shardmap *map)
{
	if (!p)
		return;
	shardmap_release(map, p->list);
	free(p->v);
	free(p->entry);
	free(p->next);
	free(p->sub);
	free(p->hash);
	free(p->open);
	free(p->keys);
	aggregate_writer_release(&p->writer);
	buf_release(&p->data);
	free(p);
}

/* ---- choosing ---- */

static struct user_record user_record_of(const struct rec *r)
{
	return (struct user_record){ .key = r->key,
		.key_len = strlen(r->key),
		.hash_key = r->hash_key,
		.hash_key_len = r->hash_key ? strlen(r->hash_key) : 0,
		.data = r->data,
		.len = r->len };
}

static void begin(struct lane *l)
{
	struct pack *p = l->pack;
	p->n = 0;
	shardmap_release(l->q->map, p->list);
	p->list = shardmap_get(l->q->map);
	size_t nopen = p->list ? p->list->nopen : 0;
	if (nopen > p->nopen)
		p->open = mem_realloc(p->open, nopen * sizeof *p->open);
	p->nopen = nopen;
	for (size_t i = 0; i < nopen; i++)
		p->open[i] = NO_ENTRY;
	if (p->keys)
		memset(p->keys, 0, KEY_SLOTS * sizeof *p->keys);
}

static struct key_slot *slot_of(struct pack *p, const struct rec *r)
{
	size_t i = (r->hash >> 7) & (KEY_SLOTS - 1);
	while (p->keys[i].r && (p->keys[i].r->hash != r->hash || strcmp(p->keys[i].r->key, r->key) != 0))
		i = (i + 1) & (KEY_SLOTS - 1);
	return &p->keys[i];
}

/* The index of the open shard for r; nopen: not known. */
static size_t shard_of(const struct pack *p, const struct rec *r, hashkey *h)
{
	if (!r->hash_key)
		*h = hashkey_of(r->key);
	else if (!hashkey_parse(r->hash_key, h))
		return p->nopen;
	return p->list ? shard_list_find(p->list, *h) : p->nopen;
}

/* The entry of that shard with room for a record of that cost. */
static uint32_t open_entry(const struct lane *l, size_t shard, size_t cost)
{
	const struct pack *p = l->pack;
	uint32_t at = shard < p->nopen ? p->open[shard] : NO_ENTRY;
	bool fits = at != NO_ENTRY && p->v[at].bytes + cost <= l->q->c.aggregate_bytes;
	return fits ? at : NO_ENTRY;
}

static uint32_t new_entry(struct lane *l, size_t shard, hashkey h)
{
	struct pack *p = l->pack;
	struct entry *en = &p->v[p->n];
	*en = (struct entry){ .first = NO_ENTRY, .bytes = AGGREGATE_OVERHEAD };
	if (shard < p->nopen) {
		en->shard = &p->list->all.v[p->list->open[shard].shard];
		hashkey_format(h, en->hash_key);
		/* Also one that is too large for more: what follows goes behind it, not into an earlier one. */
		p->open[shard] = (uint32_t)p->n;
	}
	return (uint32_t)p->n++;
}

static void add(struct lane *l, uint32_t at, size_t i, struct rec *r, hashkey h, size_t cost)
{
	struct pack *p = l->pack;
	struct entry *en = &p->v[at];
	if (en->n)
		p->next[en->last] = (uint32_t)i;
	else
		en->first = (uint32_t)i;
	en->last = (uint32_t)i;
	l->taken[i] = r;
	p->next[i] = NO_ENTRY;
	p->entry[i] = at;
	p->sub[i] = en->n++;
	p->hash[i] = h;
	en->bytes += cost;
}

/* With order_key all records of one key in a call must share its fate, so they share one entry or wait for the next call. */
static bool may_join(struct pack *p, const struct rec *r, uint32_t at)
{
	if (!p->keys)
		return true;
	struct key_slot *k = slot_of(p, r);
	if (!k->r || k->entry == at)
		return !k->r || at != NO_ENTRY;
	k->entry = NO_ENTRY;
	return false;
}

static void note_key(struct pack *p, const struct rec *r, uint32_t at)
{
	struct key_slot *k = p->keys ? slot_of(p, r) : NULL;
	if (k && !k->r)
		*k = (struct key_slot){ r, at };
}

size_t pack_choose(struct lane *l)
{
	const struct puts_conf *c = &l->q->c;
	struct pack *p = l->pack;
	size_t n = 0, bytes = 0;
	begin(l);
	for (struct rec *r = l->head; r && n < PACK_RECORDS; r = r->lane_next) {
		struct user_record u = user_record_of(r);
		size_t cost = aggregate_cost(&u);
		hashkey h = 0;
		if (n && bytes + cost + AGGREGATE_OVERHEAD > c->batch_bytes)
			break;
		if (r->waits)
			continue;
		size_t shard = shard_of(p, r, &h);
		uint32_t at = open_entry(l, shard, cost);
		if (!may_join(p, r, at) || !lane_takes_key(l, r))
			continue;
		if (at == NO_ENTRY && p->n == c->batch_records)
			break;
		if (at == NO_ENTRY) {
			at = new_entry(l, shard, h);
			bytes += AGGREGATE_OVERHEAD;
		}
		add(l, at, n++, r, h, cost);
		note_key(p, r, at);
		bytes += cost;
	}
	return n;
}

/* ---- the batch ---- */

static void fill_single(struct put *b, const struct rec *r)
{
	b->data = r->data;
	b->len = r->len;
	b->partition_key = r->key;
	b->explicit_hash_key = r->hash_key;
}

static bool fill_aggregate(struct lane *l, struct entry *en, struct put *b)
{
	struct pack *p = l->pack;
	size_t start = p->data.len;
	for (uint32_t i = en->first; i != NO_ENTRY; i = p->next[i]) {
		struct user_record u = user_record_of(l->taken[i]);
		aggregate_add(&p->writer, &u);
	}
	if (!aggregate_finish(&p->writer, &p->data))
		return false;
	b->data = p->data.p + start;
	b->len = p->data.len - start;
	b->partition_key = AGGREGATE_KEY;
	b->explicit_hash_key = en->hash_key;
	return true;
}

int pack_fill(struct lane *l, size_t *n, struct err *e)
{
	struct pack *p = l->pack;
	size_t most = 0;
	for (size_t i = 0; i < p->n; i++)
		most += p->v[i].n > 1 ? p->v[i].bytes : 0;
	buf_reset(&p->data);
	buf_reserve(&p->data, most); /* so that it does not move */
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].n == 1)
			fill_single(&l->batch[i], l->taken[p->v[i].first]);
		else if (!fill_aggregate(l, &p->v[i], &l->batch[i]))
			return err_set(e, ERR_INTERNAL, "", "an aggregate is larger than was reckoned");
	}
	*n = p->n;
	return 0;
}

/* ---- after the call ---- */

static bool all_within(const struct pack *p, const struct entry *en, const struct shard_range *range)
{
	for (uint32_t i = en->first; i != NO_ENTRY; i = p->next[i])
		if (p->hash[i] < range->first || p->hash[i] > range->last)
			return false;
	return true;
}

static bool elsewhere(const struct entry *en, const struct put *b)
{
	return en->shard && b->err.cls == ERR_NONE && strcmp(en->shard->id, b->shard_id) != 0;
}

/* The range of a shard that something was stored in. One that is not listed came since: list again, once. */
static bool find_range(
	struct shardmap *map, struct shard_list **now, const char *shard_id, struct shard_range *range)
{
	for (int tries = 0; tries < 2; tries++) {
		if (!*now)
			*now = shardmap_get(map);
		if (!*now)
			return false;
		if (shard_list_range(*now, shard_id, range))
			return true;
		shardmap_wrong(map, *now);
		shardmap_release(map, *now);
		*now = NULL;
	}
	return false;
}

void pack_check(struct lane *l)
{
	struct pack *p = l->pack;
	struct shardmap *map = l->q->map;
	struct shard_list *now = NULL;
	struct shard_range range;
	for (size_t i = 0; i < p->n; i++) {
		struct put *b = &l->batch[i];
		if (!elsewhere(&p->v[i], b))
			continue;
		shardmap_wrong(map, p->list);
		if (p->v[i].n == 1 ||
			(find_range(map, &now, b->shard_id, &range) && all_within(p, &p->v[i], &range)))
			continue;
		log_note("%s: %u records went to %s instead of %s, sending them again", l->q->c.stream->name,
			(unsigned)p->v[i].n, b->shard_id, p->v[i].shard->id);
		err_set(&b->err, ERR_UNAVAILABLE, "wrong-shard", "the stream was resharded");
	}
	shardmap_release(map, now);
	shardmap_release(map, p->list);
	p->list = NULL;
}

struct put *pack_entry_of(struct lane *l, size_t i, bool *packed, uint64_t *sub)
{
	struct pack *p = l->pack;
	*packed = p->v[p->entry[i]].n > 1;
	*sub = p->sub[i];
	return &l->batch[p->entry[i]];
}
