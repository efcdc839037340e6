/* fake_flow.h - an in-memory stream that can be resharded and made to misbehave, and an in-memory table. For the tests of
 * src/flow: everything is static, each test program has its own. */
#ifndef RECAGENT_TESTS_FAKE_FLOW_H
#define RECAGENT_TESTS_FAKE_FLOW_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "port/stream.h"
#include "port/table.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef FAKE_SHARDS /* and rows */
#define FAKE_SHARDS 128
#endif

/* ---- stream ---- */

struct fake_record {
	char seq[SEQ_MAX], data[64];
	int64_t arrival_ms;
};
struct fake_shard {
	struct shard s;
	struct fake_record *v;
	size_t n;
	bool expired; /* no longer listed; reads as ended */
	int reads;
};
struct fake_stream {
	struct stream base;
	int64_t created_s; /* 0 unknown */
	pthread_mutex_t mu;
	struct fake_shard v[FAKE_SHARDS];
	size_t n;
	int64_t seq;          /* the next one */
	size_t answer;        /* most records of one answer */
	unsigned throttle;    /* every so many reads fail */
	unsigned odd_end;     /* every so many reads of an open shard say that it ended */
	unsigned repeat;      /* every so many reads begin one record too early */
	bool never_ends;      /* closed shards read as open and empty */
	bool stale_list;      /* the list is as it was when this was set */
	unsigned list_fails;  /* so many lists fail */
	unsigned put_on_read; /* so many records arrive with each read: a producer that never stops */
	unsigned reads, lists;
	struct err fail; /* when set: what every read fails with */
	char broken_shard[SHARD_ID_MAX];
};

static inline struct fake_stream *fake_of(struct stream *s)
{
	return (struct fake_stream *)s;
}

static inline struct fake_shard *fake_find(struct fake_stream *f, const char *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->v[i].s.id, id))
			return &f->v[i];
	return NULL;
}

static inline int fake_shards(struct stream *base, struct shards *out, struct err *e)
{
	struct fake_stream *f = fake_of(base);
	pthread_mutex_lock(&f->mu);
	f->lists++;
	int rc = 0;
	if (f->list_fails) {
		f->list_fails--;
		rc = err_set(e, ERR_UNAVAILABLE, "LimitExceededException", "list refused by the test");
	} else {
		out->v = mem_array(f->n + 1, sizeof *out->v);
		for (size_t i = 0; i < f->n; i++)
			if (!f->v[i].expired)
				out->v[out->n++] = f->v[i].s;
	}
	pthread_mutex_unlock(&f->mu);
	return rc;
}

static inline void fake_put_locked(
	struct fake_stream *f, struct fake_shard *s, const char *data, int64_t arrival_ms)
{
	s->v = mem_realloc(s->v, (s->n + 1) * sizeof *s->v);
	struct fake_record *r = &s->v[s->n++];
	*r = (struct fake_record){ .arrival_ms = arrival_ms ? arrival_ms : clock_now_ms() };
	/* Lengths differ on purpose: sequence numbers compare by length first. */
	snprintf(r->seq, sizeof r->seq, "%" PRId64, f->seq++);
	snprintf(r->data, sizeof r->data, "%s", data);
}

static inline size_t fake_start(const struct fake_shard *s, const struct position *p)
{
	size_t i = 0;
	if (p->kind == POS_LATEST)
		return s->n;
	for (; i < s->n; i++) {
		if (p->kind == POS_TRIM_HORIZON)
			break;
		if (p->kind == POS_AT_TIME && s->v[i].arrival_ms >= p->time_ms)
			break;
		if (p->kind == POS_AFTER_SEQ && sequence_compare(s->v[i].seq, p->seq) > 0)
			break;
		if (p->kind == POS_AT_SEQ && sequence_compare(s->v[i].seq, p->seq) >= 0)
			break;
	}
	return i;
}

static inline int fake_trouble(struct fake_stream *f, struct fake_shard *s, struct err *e)
{
	f->reads++;
	if (f->fail.cls != ERR_NONE && (!f->broken_shard[0] || (s && !strcmp(f->broken_shard, s->s.id)))) {
		*e = f->fail;
		return -1;
	}
	if (f->throttle && f->reads % f->throttle == 0)
		return err_set(e, ERR_UNAVAILABLE, "ProvisionedThroughputExceededException", "slow down");
	return 0;
}

static inline int fake_read(
	struct stream *base, struct cursor *c, size_t limit, struct records *out, struct err *e)
{
	struct fake_stream *f = fake_of(base);
	pthread_mutex_lock(&f->mu);
	struct fake_shard *s = fake_find(f, c->shard_id);
	int rc = fake_trouble(f, s, e);
	if (rc || !s || s->expired) {
		out->ended = !rc;
		pthread_mutex_unlock(&f->mu);
		return rc;
	}
	s->reads++;
	for (unsigned i = 0; i < f->put_on_read && !s->s.end_seq[0]; i++)
		fake_put_locked(f, s, "endless", 0);
	size_t i = fake_start(s, &c->next);
	if (i && f->repeat && c->next.kind == POS_AFTER_SEQ && f->reads % f->repeat == 0)
		i--;
	size_t most = f->answer && f->answer < limit ? f->answer : limit;
	if (c->next.kind == POS_LATEST) {
		c->next = (struct position){ .kind = POS_AFTER_SEQ };
		snprintf(c->next.seq, SEQ_MAX, "%" PRId64, f->seq - 1);
	}
	size_t n = s->n - i < most ? s->n - i : most;
	out->v = arena_alloc(&out->arena, (n + 1) * sizeof *out->v);
	for (size_t k = 0; k < n; k++) {
		const struct fake_record *r = &s->v[i + k];
		out->v[k] =
			(struct record){ .sequence_number = arena_dup(&out->arena, r->seq, strlen(r->seq)),
				.partition_key = "k",
				.arrival_us = r->arrival_ms * 1000,
				.data = arena_dup(&out->arena, r->data, strlen(r->data)),
				.len = strlen(r->data) };
	}
	out->n = n;
	out->full = i + n < s->n;
	out->behind_ms = i + n < s->n ? 1000 : 0;
	if (n) {
		c->next = (struct position){ .kind = POS_AFTER_SEQ };
		memcpy(c->next.seq, s->v[i + n - 1].seq, SEQ_MAX);
	}
	out->ended = s->s.end_seq[0] && i + n == s->n && !f->never_ends;
	if (!s->s.end_seq[0] && f->odd_end && f->reads % f->odd_end == 0)
		out->ended = true;
	pthread_mutex_unlock(&f->mu);
	return 0;
}

static inline int fake_describe(struct stream *base, struct stream_info *out, struct err *e)
{
	(void)e;
	out->created_s = ((struct fake_stream *)base)->created_s;
	snprintf(out->arn, sizeof out->arn, "arn:fake:%s", base->name);
	return 0;
}

static inline int64_t fake_now(struct stream *base)
{
	(void)base;
	return clock_now_ms();
}

static inline void fake_close(struct stream *base)
{
	(void)base;
}

static const struct stream_ops fake_stream_ops = {
	.shards = fake_shards,
	.read = fake_read,
	.describe = fake_describe,
	.now_ms = fake_now,
	.close = fake_close,
};

static inline struct fake_shard *fake_add(struct fake_stream *f, const char *parent, const char *adjacent)
{
	assert_true(f->n < ARRAY_LEN(f->v));
	struct fake_shard s = { 0 }; /* the parents' names may stand in the same array */
	snprintf(s.s.id, sizeof s.s.id, "shardId-%012zu", f->n);
	snprintf(s.s.parent, sizeof s.s.parent, "%s", parent);
	snprintf(s.s.adjacent, sizeof s.s.adjacent, "%s", adjacent);
	snprintf(s.s.start_hash, sizeof s.s.start_hash, "0");
	snprintf(s.s.end_hash, sizeof s.s.end_hash, "1");
	snprintf(s.s.start_seq, sizeof s.s.start_seq, "%" PRId64, f->seq);
	f->v[f->n] = s;
	return &f->v[f->n++];
}

static inline void fake_stream_init(struct fake_stream *f, unsigned shards)
{
	*f = (struct fake_stream){ .seq = 95, .answer = 3 };
	f->base.ops = &fake_stream_ops;
	f->base.min_poll_ms = 1;
	snprintf(f->base.name, sizeof f->base.name, "clicks");
	pthread_mutex_init(&f->mu, NULL);
	for (unsigned i = 0; i < shards; i++)
		fake_add(f, "", "");
}

static inline void fake_stream_release(struct fake_stream *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i].v);
	pthread_mutex_destroy(&f->mu);
}

/* n records on a shard: "SHARD.K" with K counting within the shard. */
static inline void fake_fill(struct fake_stream *f, size_t shard, int n)
{
	pthread_mutex_lock(&f->mu);
	for (int i = 0; i < n; i++) {
		char data[64];
		snprintf(data, sizeof data, "%zu.%zu", shard, f->v[shard].n);
		fake_put_locked(f, &f->v[shard], data, 0);
	}
	pthread_mutex_unlock(&f->mu);
}

static inline void fake_end(struct fake_stream *f, size_t shard)
{
	snprintf(f->v[shard].s.end_seq, SEQ_MAX, "%" PRId64, f->seq++);
}

static inline void fake_split(struct fake_stream *f, size_t shard)
{
	pthread_mutex_lock(&f->mu);
	fake_end(f, shard);
	fake_add(f, f->v[shard].s.id, "");
	fake_add(f, f->v[shard].s.id, "");
	pthread_mutex_unlock(&f->mu);
}

static inline void fake_merge(struct fake_stream *f, size_t a, size_t b)
{
	pthread_mutex_lock(&f->mu);
	fake_end(f, a);
	fake_end(f, b);
	fake_add(f, f->v[a].s.id, f->v[b].s.id);
	pthread_mutex_unlock(&f->mu);
}

/* Split and merged again, n times over: 2^n ways lead from the first shard to the last. */
static inline void fake_diamonds(struct fake_stream *f, int n)
{
	for (int i = 0; i < n; i++) {
		fake_split(f, f->n - 1);
		fake_merge(f, f->n - 2, f->n - 1);
	}
}

/* ---- table ---- */

struct fake_table {
	struct table base;
	pthread_mutex_t mu;
	cJSON *items[FAKE_SHARDS];
	size_t n;
	bool missing;
	int down;                                    /* so many calls are refused; -1: all */
	bool lose_reply;                             /* the next write is done, but its answer is lost */
	void (*before_update)(struct fake_table *t); /* called once, unlocked: somebody gets in between */
	unsigned updates;
};

static inline struct fake_table *table_of_base(struct table *t)
{
	return (struct fake_table *)t;
}

static inline int fake_down(struct fake_table *t, struct err *e)
{
	if (t->missing)
		return err_set(e, ERR_FAILED, "ResourceNotFoundException", "no such table");
	if (t->down == 0)
		return 0;
	if (t->down > 0)
		t->down--;
	return err_set(e, ERR_UNAVAILABLE, "InternalServerError", "table down by the test");
}

static inline cJSON **fake_item(struct fake_table *t, const char *key)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(av_get_s(t->items[i], t->base.key_attr), key))
			return &t->items[i];
	return NULL;
}

static inline bool fake_test(const cJSON *item, const struct cond_test *c)
{
	const cJSON *is = item ? cJSON_GetObjectItemCaseSensitive(item, c->attr) : NULL;
	switch (c->op) {
	case COND_EXISTS: return is != NULL;
	case COND_MISSING: return is == NULL;
	case COND_EQ: return is && av_equal(is, c->value);
	default: fail_msg("condition not known to the fake"); return false;
	}
}

static inline int fake_cond(const cJSON *item, const struct cond *c, struct err *e)
{
	bool ok = !c || !c->n || !c->any;
	for (size_t i = 0; c && i < c->n; i++)
		ok = c->any ? ok || fake_test(item, &c->v[i]) : ok && fake_test(item, &c->v[i]);
	return ok ? 0 : err_set(e, ERR_FAILED, "ConditionalCheckFailedException", "condition is false");
}

static inline int fake_get(struct table *base, const char *key, bool consistent, cJSON **item, struct err *e)
{
	struct fake_table *t = table_of_base(base);
	assert_true(consistent);
	pthread_mutex_lock(&t->mu);
	int rc = fake_down(t, e);
	cJSON **p = rc ? NULL : fake_item(t, key);
	*item = p ? cJSON_Duplicate(*p, true) : NULL;
	pthread_mutex_unlock(&t->mu);
	return rc;
}

static inline int fake_replied(struct fake_table *t, int rc, struct err *e)
{
	if (rc || !t->lose_reply)
		return rc;
	t->lose_reply = false;
	return err_set(e, ERR_UNAVAILABLE, "timeout", "answer lost by the test");
}

static inline int fake_put_item(struct table *base, const cJSON *item, const struct cond *c, struct err *e)
{
	struct fake_table *t = table_of_base(base);
	pthread_mutex_lock(&t->mu);
	int rc = fake_down(t, e);
	cJSON **old = rc ? NULL : fake_item(t, av_get_s(item, base->key_attr));
	if (!rc)
		rc = fake_cond(old ? *old : NULL, c, e);
	if (!rc) {
		assert_true(t->n < ARRAY_LEN(t->items));
		if (!old)
			old = &t->items[t->n++];
		cJSON_Delete(*old);
		*old = cJSON_Duplicate(item, true);
		rc = fake_replied(t, rc, e);
	}
	pthread_mutex_unlock(&t->mu);
	return rc;
}

static inline void fake_apply(cJSON *item, const struct change *c)
{
	int64_t n = 0, by = 0;
	if (c->add) {
		cJSON *delta = cJSON_CreateObject();
		cJSON_AddItemReferenceToObject(delta, "by", c->value);
		av_get_int(delta, "by", &by);
		av_get_int(item, c->attr, &n);
		cJSON_Delete(delta);
	}
	cJSON_DeleteItemFromObjectCaseSensitive(item, c->attr);
	if (c->add)
		cJSON_AddItemToObject(item, c->attr, av_n(n + by));
	else if (c->value)
		cJSON_AddItemToObject(item, c->attr, cJSON_Duplicate(c->value, true));
}

static inline int fake_update(
	struct table *base, const char *key, const struct changes *ch, const struct cond *c, struct err *e)
{
	struct fake_table *t = table_of_base(base);
	if (t->before_update) {
		void (*fn)(struct fake_table *) = t->before_update;
		t->before_update = NULL;
		fn(t);
	}
	pthread_mutex_lock(&t->mu);
	t->updates++;
	int rc = fake_down(t, e);
	cJSON **p = rc ? NULL : fake_item(t, key);
	if (!rc)
		rc = fake_cond(p ? *p : NULL, c, e);
	if (!rc) {
		assert_non_null(p);
		for (size_t i = 0; i < ch->n; i++)
			fake_apply(*p, &ch->v[i]);
		rc = fake_replied(t, rc, e);
	}
	pthread_mutex_unlock(&t->mu);
	return rc;
}

static inline int fake_delete(struct table *base, const char *key, const struct cond *c, struct err *e)
{
	struct fake_table *t = table_of_base(base);
	pthread_mutex_lock(&t->mu);
	int rc = fake_down(t, e);
	cJSON **p = rc ? NULL : fake_item(t, key);
	if (!rc)
		rc = fake_cond(p ? *p : NULL, c, e);
	if (!rc && p) {
		cJSON_Delete(*p);
		*p = t->items[--t->n];
		t->items[t->n] = NULL; /* a put that takes the place frees what is there */
	}
	pthread_mutex_unlock(&t->mu);
	return rc;
}

static inline int fake_scan(struct table *base, table_on_item *fn, void *arg, struct err *e)
{
	struct fake_table *t = table_of_base(base);
	pthread_mutex_lock(&t->mu);
	int rc = fake_down(t, e);
	for (size_t i = 0; !rc && i < t->n; i++)
		if (fn(t->items[i], arg))
			break;
	pthread_mutex_unlock(&t->mu);
	return rc;
}

static inline void fake_table_close(struct table *t)
{
	(void)t;
}

static const struct table_ops fake_table_ops = {
	.get = fake_get,
	.put = fake_put_item,
	.update = fake_update,
	.del = fake_delete,
	.scan = fake_scan,
	.close = fake_table_close,
};

static inline void fake_table_init(struct fake_table *t)
{
	*t = (struct fake_table){ 0 };
	t->base.ops = &fake_table_ops;
	snprintf(t->base.name, sizeof t->base.name, "recs");
	snprintf(t->base.key_attr, sizeof t->base.key_attr, "leaseKey");
	pthread_mutex_init(&t->mu, NULL);
}

static inline void fake_table_release(struct fake_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		cJSON_Delete(t->items[i]);
	pthread_mutex_destroy(&t->mu);
}

/* Text of an attribute, S or N, or "". */
static inline const char *fake_attr(struct fake_table *t, const char *key, const char *attr)
{
	cJSON **p = fake_item(t, key);
	const char *s = p ? av_get_s(*p, attr) : NULL;
	const char *n = p ? av_get_n(*p, attr) : NULL;
	return s ? s : n ? n : "";
}

static inline void fake_set(struct fake_table *t, const char *key, const char *attr, cJSON *value)
{
	pthread_mutex_lock(&t->mu);
	cJSON **p = fake_item(t, key);
	assert_non_null(p);
	cJSON_DeleteItemFromObjectCaseSensitive(*p, attr);
	if (value)
		cJSON_AddItemToObject(*p, attr, value);
	pthread_mutex_unlock(&t->mu);
}

#endif
