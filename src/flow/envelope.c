/* envelope.c - records to event lines. One scan and one copy a record; what is constant for a shard is built once. */
#include "flow/envelope.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "flow/record_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {           /* one shard */
	const char *key; /* the caller's pointer of the last call */
	char id[SHARD_ID_MAX];
	struct buf head; /* `{"stream":..,"shard_id":..` */
	char seq[SEQ_MAX];
	uint64_t sub;
	unsigned tenure; /* 0: the first */
	bool unmarked;
};

struct envelope {
	char *stream;
	struct buf tail; /* `,"group":..,"owner":..`, or empty */
	struct place **v;
	size_t n, last;
	struct buf source, flat, line;
};

struct envelope *envelope_new(const char *stream, const char *group, const char *owner)
{
	struct envelope *v = mem_alloc(sizeof *v);
	v->stream = mem_strdup(stream);
	buf_init(&v->tail, BUF_MAX_SMALL);
	buf_init(&v->source, BUF_MAX_SMALL);
	buf_init(&v->flat, BUF_MAX_LINE);
	buf_init(&v->line, BUF_MAX_LINE);
	if (group) {
		buf_str(&v->tail, ",\"group\":");
		json_quote_str(&v->tail, group);
		buf_str(&v->tail, ",\"owner\":");
		json_quote_str(&v->tail, owner);
	}
	return v;
}

void envelope_free(struct envelope *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n; i++) {
		buf_release(&v->v[i]->head);
		free(v->v[i]);
	}
	free(v->v);
	free(v->stream);
	buf_release(&v->tail);
	buf_release(&v->source);
	buf_release(&v->flat);
	buf_release(&v->line);
	free(v);
}

static struct place *place_new(struct envelope *v, const char *shard_id)
{
	struct place *p = mem_alloc(sizeof *p);
	p->key = shard_id;
	snprintf(p->id, sizeof p->id, "%s", shard_id);
	buf_init(&p->head, BUF_MAX_SMALL);
	buf_str(&p->head, "{\"stream\":");
	json_quote_str(&p->head, v->stream);
	buf_str(&p->head, ",\"shard_id\":");
	json_quote_str(&p->head, shard_id);
	v->v = mem_realloc(v->v, (v->n + 1) * sizeof(struct place *));
	v->last = v->n;
	return v->v[v->n++] = p;
}

static struct place *place_of(struct envelope *v, const char *shard_id)
{
	if (v->last < v->n && v->v[v->last]->key == shard_id && !strcmp(v->v[v->last]->id, shard_id))
		return v->v[v->last];
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i]->id, shard_id)) {
			v->v[i]->key = shard_id;
			v->last = i;
			return v->v[i];
		}
	return place_new(v, shard_id);
}

static void start_source(struct envelope *v, const struct place *p)
{
	buf_reset(&v->source);
	buf_add(&v->source, p->head.p, p->head.len);
	if (!p->seq[0])
		return;
	buf_str(&v->source, ",\"sequence_number\":\"");
	buf_str(&v->source, p->seq);
	buf_str(&v->source, "\",\"subsequence_number\":");
	buf_uint(&v->source, p->sub);
}

static void end_source(struct envelope *v, const struct place *p, struct buf *out)
{
	buf_add(out, v->tail.p, v->tail.len);
	if (p && p->tenure)
		buf_printf(out, ",\"tenure\":%u", p->tenure);
}

static void build_source(struct envelope *v, struct place *p, const struct record *r)
{
	size_t n = strlen(r->sequence_number);
	if (n < sizeof p->seq)
		memcpy(p->seq, r->sequence_number, n + 1);
	p->sub = r->subsequence;
	p->unmarked = true;
	start_source(v, p);
	buf_str(&v->source, ",\"partition_key\":");
	json_quote_str(&v->source, r->partition_key);
	if (r->arrival_us) {
		char when[TIME_TEXT];
		if (r->arrival_us % 1000)
			time_format_us(r->arrival_us, when);
		else
			time_format_ms(r->arrival_us / 1000, when);
		buf_str(&v->source, ",\"arrival\":\"");
		buf_str(&v->source, when);
		buf_char(&v->source, '"');
	}
	end_source(v, p, &v->source);
	buf_char(&v->source, '}');
}

const struct buf *envelope_source(struct envelope *v, const char *shard_id, const struct record *r)
{
	build_source(v, place_of(v, shard_id), r);
	return &v->source;
}

const struct buf *envelope_line(struct envelope *v, const char *shard_id, const struct record *r)
{
	build_source(v, place_of(v, shard_id), r);
	buf_reset(&v->line);
	bool fits = record_line(&v->line, &v->flat, r->data, r->len, v->source.p, v->source.len);
	return fits && !v->source.over ? &v->line : NULL;
}

void envelope_tenure(struct envelope *v, const char *shard_id, unsigned n)
{
	struct place *p = place_of(v, shard_id);
	p->tenure = n;
	p->seq[0] = 0;
	p->sub = 0;
	p->unmarked = false;
}

const struct buf *envelope_mark(struct envelope *v, const char *shard_id, const char *mark)
{
	struct place *p = shard_id ? place_of(v, shard_id) : NULL;
	if (p) {
		p->unmarked = false;
		start_source(v, p);
	} else {
		buf_reset(&v->source);
		buf_str(&v->source, "{\"stream\":");
		json_quote_str(&v->source, v->stream);
	}
	buf_reset(&v->line);
	buf_str(&v->line, "{\"_source\":");
	buf_add(&v->line, v->source.p, v->source.len);
	end_source(v, p, &v->line);
	buf_printf(&v->line, ",\"mark\":\"%s\"}}", mark);
	return &v->line;
}

const char *envelope_unmarked(const struct envelope *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i]->unmarked)
			return v->v[i]->id;
	return NULL;
}
