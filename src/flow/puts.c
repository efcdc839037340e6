/* puts.c - many records to a stream: what was submitted, in its order, until it is reported. */
#include "flow/puts_int.h"
#include "base/clock.h"
#include "flow/shardmap.h"
#include <stdlib.h>
#include <string.h>

#define REUSE_MOST ((size_t)1024) /* larger blocks go back to malloc */

struct puts *puts_open(const struct puts_conf *c)
{
	struct puts *q = mem_alloc(sizeof *q);
	pthread_condattr_t attr;
	q->c = *c;
	for (q->keys = 16; q->keys < 2 * c->batch_records;)
		q->keys *= 2;
	q->map = c->aggregate_bytes ? shardmap_new(c->stream) : NULL;
	q->pace = pace_new(c->stream, q->map, c->retry_ms ? c->retry_ms : RETRY_FIRST_MS);
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->space, NULL);
	pthread_cond_init(&q->reported, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	for (unsigned i = 0; i < c->lanes; i++) {
		q->lanes[i].q = q;
		pthread_cond_init(&q->lanes[i].wake, &attr);
	}
	pthread_condattr_destroy(&attr);
	return q;
}

/* ---- reporting ---- */

void rec_set_error(struct rec *r, const struct err *e, struct trouble **shared)
{
	if (!*shared) {
		*shared = mem_alloc(sizeof **shared);
		(*shared)->err = *e;
	}
	(*shared)->refs++;
	r->why = *shared;
}

/* Take what is finished at the front; the number of records, *last the last of them. */
static size_t take_finished(struct puts *q, struct rec **last, size_t *bytes)
{
	size_t n = 0;
	*bytes = 0;
	for (struct rec *r = q->head; r && r->finished; r = r->next, n++) {
		*last = r;
		*bytes += r->cost;
	}
	if (!n)
		return 0;
	q->head = (*last)->next;
	if (!q->head)
		q->tail = NULL;
	(*last)->next = NULL;
	return n;
}

static void report_one(struct puts *q, struct rec *r)
{
	struct put_result res = {
		.shard_id = "", .sequence_number = "", .err = r->why ? &r->why->err : NULL, .kept = r->kept
	};
	if (r->why)
		res.in = (struct put_in){ .data = r->data,
			.len = r->len,
			.partition_key = r->key,
			.explicit_hash_key = r->hash_key };
	if (r->receipt) {
		res.shard_id = r->receipt;
		res.sequence_number = r->receipt + strlen(r->receipt) + 1;
		res.packed = r->packed;
		res.subsequence = r->sub;
	}
	q->c.done(&res, r->job, q->c.arg);
	if (r->receipt != r->data)
		free(r->receipt);
	if (r->why && --r->why->refs == 0)
		free(r->why);
}

/* Report these, free the large ones and put the others in front of the spare ones. The lock is not held. */
static void report_run(struct puts *q, struct rec *r, struct rec **spare, struct rec **spare_last)
{
	*spare = NULL;
	for (struct rec *next; r; r = next) {
		next = r->next;
		report_one(q, r);
		if (r->size > REUSE_MOST) {
			free(r);
			continue;
		}
		if (!*spare)
			*spare_last = r;
		r->next = *spare;
		*spare = r;
	}
}

void puts_report(struct puts *q)
{
	size_t n, bytes;
	if (q->reporting || !q->head || !q->head->finished)
		return;
	q->reporting = true;
	for (struct rec *r = q->head, *last, *spare; (n = take_finished(q, &last, &bytes)); r = q->head) {
		pthread_mutex_unlock(&q->lock);
		report_run(q, r, &spare, &last);
		pthread_mutex_lock(&q->lock);
		if (spare) {
			last->next = q->spare;
			q->spare = spare;
		}
		q->n -= n;
		q->bytes -= bytes;
		pthread_cond_broadcast(&q->space);
		if (q->c.idle && !(q->head && q->head->finished)) {
			pthread_mutex_unlock(&q->lock);
			q->c.idle(q->c.arg);
			pthread_mutex_lock(&q->lock);
		}
	}
	q->reporting = false;
	pthread_cond_broadcast(&q->reported);
}

/* ---- submitting ---- */

uint32_t puts_key_hash(const char *key)
{
	uint32_t h = 2166136261u;
	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return h ^ h >> 15;
}

/* A block of that size at least, with nothing set but `size`. */
static struct rec *take_block(struct puts *q, size_t size)
{
	struct rec *r = size <= REUSE_MOST ? q->mine : NULL;
	if (r) {
		q->mine = r->next;
		if (r->size >= size)
			return r;
		free(r);
	}
	size = (size + 127) & ~(size_t)127; /* so that a record that is a little longer fits next time */
	r = mem_realloc(NULL, size);
	r->size = size;
	return r;
}

static char *append(char **p, const char *s, size_t n)
{
	char *at = *p;
	if (n)
		memcpy(at, s, n);
	at[n] = '\0';
	*p = at + n + 1;
	return at;
}

void *puts_make(struct puts *q, const struct put_in *in, size_t job_len)
{
	size_t klen = in->partition_key ? strlen(in->partition_key) : 0;
	size_t hlen = in->explicit_hash_key ? strlen(in->explicit_hash_key) : 0;
	size_t len = in->err ? 0 : in->len, room = len + klen + hlen + 3;
	struct rec *r = take_block(q, sizeof *r + job_len + room);
	struct trouble *why = NULL;
	size_t size = r->size;
	char *p = r->job + job_len;
	*r = (struct rec){ .size = size, .data = p, .len = len, .room = room, .hold = in->hold_for_ever };
	append(&p, in->data, len);
	r->key = append(&p, in->partition_key, klen);
	r->hash = puts_key_hash(r->key);
	if (hlen)
		r->hash_key = append(&p, in->explicit_hash_key, hlen);
	r->in_call = len + klen;
	r->cost = sizeof *r + job_len + room;
	if (in->err) {
		rec_set_error(r, in->err, &why);
		r->finished = true;
	}
	q->made = r;
	return r->job;
}

static void press(struct puts *q)
{
	q->pressed = true;
	for (unsigned i = 0; i < q->c.lanes; i++)
		pthread_cond_signal(&q->lanes[i].wake);
}

void puts_submit(struct puts *q)
{
	struct rec *r = q->made;
	q->made = NULL;
	pthread_mutex_lock(&q->lock);
	while (q->n && (q->n >= q->c.window_records || q->bytes + r->cost > q->c.window_bytes)) {
		press(q);
		pthread_cond_wait(&q->space, &q->lock);
	}
	q->pressed = false;
	if (q->tail)
		q->tail->next = r;
	else
		q->head = r;
	q->tail = r;
	q->n++;
	q->bytes += r->cost;
	if (r->finished)
		puts_report(q);
	else
		lane_add(&q->lanes[r->hash % q->c.lanes], r);
	if (!q->mine) {
		q->mine = q->spare;
		q->spare = NULL;
	}
	pthread_mutex_unlock(&q->lock);
}

void puts_drain(struct puts *q)
{
	pthread_mutex_lock(&q->lock);
	q->draining = true;
	press(q);
	while (q->n || q->reporting)
		pthread_cond_wait(&q->reported, &q->lock);
	q->draining = q->pressed = false;
	pthread_mutex_unlock(&q->lock);
}

void puts_abandon(struct puts *q)
{
	pthread_mutex_lock(&q->lock);
	atomic_store(&q->abandoned, true);
	press(q);
	pthread_mutex_unlock(&q->lock);
}

static void free_blocks(struct rec *r)
{
	for (struct rec *next; r; r = next) {
		next = r->next;
		free(r);
	}
}

void puts_close(struct puts *q)
{
	puts_drain(q);
	pthread_mutex_lock(&q->lock);
	q->closing = true;
	press(q);
	pthread_mutex_unlock(&q->lock);
	for (unsigned i = 0; i < q->c.lanes; i++)
		lane_end(&q->lanes[i]);
	pace_free(q->pace);
	shardmap_free(q->map);
	free_blocks(q->spare);
	free_blocks(q->mine);
	pthread_cond_destroy(&q->space);
	pthread_cond_destroy(&q->reported);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
