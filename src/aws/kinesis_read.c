/* kinesis_read.c - GetRecords: iterators and their renewal, records, the end of a shard. */
#include "aws/kinesis_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

#define ITERATOR_LIFE_MS (270 * 1000) /* the service's is 300 s */
#define RECORDS_MAX 10000             /* what one answer may hold */
#define LATEST_MARGIN_MS 1000         /* a Date header's grain */
/* Servers that never end a closed shard are found out by listing: after so many empty reads, so often. */
#define EMPTY_READS 3
#define LIST_EVERY_MS 1000
#define LIST_EVERY_AWS_MS 30000

static void position_members(cJSON *body, const struct position *p, int64_t now_ms)
{
	static const char *const types[] = { [POS_TRIM_HORIZON] = "TRIM_HORIZON",
		[POS_LATEST] = "LATEST",
		[POS_AT_TIME] = "AT_TIMESTAMP",
		[POS_AT_SEQ] = "AT_SEQUENCE_NUMBER",
		[POS_AFTER_SEQ] = "AFTER_SEQUENCE_NUMBER" };
	int64_t ms = p->time_ms < now_ms ? p->time_ms : now_ms; /* a time ahead is refused */
	char text[40];

	cJSON_AddStringToObject(body, "ShardIteratorType", types[p->kind]);
	if (p->kind == POS_AT_SEQ || p->kind == POS_AFTER_SEQ)
		cJSON_AddStringToObject(body, "StartingSequenceNumber", p->seq);
	if (p->kind == POS_AT_TIME) {
		snprintf(text, sizeof text, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
		cJSON_AddItemToObject(body, "Timestamp", cJSON_CreateRaw(text));
	}
}

static int ask_iterator(struct kinesis *k, struct cursor *c, const struct position *p, struct err *e)
{
	cJSON *body = cJSON_CreateObject(), *answer = NULL;
	int rc;

	cJSON_AddStringToObject(body, "StreamName", k->base.name);
	cJSON_AddStringToObject(body, "ShardId", c->shard_id);
	position_members(body, p, aws_client_now_ms(k->client));
	rc = aws_json(k->client, "Kinesis_20131202.GetShardIterator", body, &answer, e);
	const char *it = json_str(answer, "ShardIterator");
	if (!rc && (!it || !*it || strlen(it) >= sizeof c->iterator))
		rc = err_set(e, ERR_UNAVAILABLE, "bad-answer",
			"kinesis: GetShardIterator: no iterator in the answer");
	if (!rc) {
		snprintf(c->iterator, sizeof c->iterator, "%s", it);
		c->iterator_ms = clock_mono_ms();
	}
	cJSON_Delete(answer);
	cJSON_Delete(body);
	return rc;
}

static int get_iterator(struct kinesis *k, struct cursor *c, struct err *e)
{
	const struct position latest = { .kind = POS_LATEST };
	int64_t start = clock_mono_ms();
	int rc = ask_iterator(k, c, &c->next, e);

	/* A time of just now can be ahead of the service's clock by less than its Date header shows. */
	if (rc && c->next.kind == POS_AT_TIME && !strcmp(e->code, "InvalidArgumentException") &&
		c->next.time_ms > aws_client_now_ms(k->client) - 5000)
		rc = ask_iterator(k, c, &latest, e);
	/* An iterator that is lost before its first record must not jump to what is latest by then. */
	if (!rc && c->next.kind == POS_LATEST)
		c->next = (struct position){ .kind = POS_AT_TIME,
			.time_ms =
				aws_client_now_ms(k->client) - (clock_mono_ms() - start) - LATEST_MARGIN_MS };
	return rc;
}

/* Epoch seconds, whole or with a fraction, to microseconds. */
static int64_t arrival_us(const struct walk_text *t)
{
	int64_t whole = 0, frac = 0, unit = 1000000;
	size_t i = 0;

	for (; i < t->n && i < 12 && t->p[i] >= '0' && t->p[i] <= '9'; i++)
		whole = whole * 10 + (t->p[i] - '0');
	if (i < t->n && t->p[i] == '.')
		for (i++; i < t->n && t->p[i] >= '0' && t->p[i] <= '9'; i++)
			if (unit > 1) {
				unit /= 10;
				frac += unit * (t->p[i] - '0');
			}
	if (i == t->n)
		return whole * 1000000 + frac;
	char text[40];
	snprintf(text, sizeof text, "%.*s", (int)(t->n < 39 ? t->n : 39), t->p);
	double d = strtod(text, NULL); /* 1.7E9: allowed, never seen */
	return d > 0 && d < 1e11 ? (int64_t)(d * 1e6) : 0;
}

/* Memory for an answer's texts: as much as the answer itself, so that decoding can't run out. */
struct texts {
	char *p, *end;
};

/* NULL: no text that a C string can hold. */
static const char *keep_text(struct texts *m, const struct walk_text *t)
{
	char *at = m->p;

	if (!walk_copy(t, at, (size_t)(m->end - m->p)))
		return NULL;
	m->p += strlen(at) + 1;
	return at;
}

/* What can't be decoded is kept as it came: a single such record must not hold up its shard for ever. */
static void keep_data(struct texts *m, const struct walk_text *t, struct record *r)
{
	size_t room = (size_t)(m->end - m->p), n = t->n;
	struct buf b = { .p = m->p, .cap = room, .max = room - 1 }; /* never grows: see struct texts */
	struct buf plain = BUF_INIT(t->n + 2);
	const char *p = t->p;

	if (t->escaped && json_unescape(&plain, t->p - 1, t->n + 2, NULL)) { /* '/' may come as "\/" */
		p = plain.p;
		n = plain.len;
	}
	if (n && !b64_decode(&b, p, n)) {
		r->unusable = "its data is no base64";
		memcpy(m->p, p, n);
		b.len = n;
	}
	buf_release(&plain);
	m->p[b.len] = '\0';
	r->data = m->p;
	r->len = b.len;
	m->p += b.len + 1;
}

static void read_record(struct walk *w, struct texts *m, struct record *r)
{
	struct walk_text name, t;
	const char *sequence = NULL, *key = "";
	bool first = true;

	*r = (struct record){ .sequence_number = "", .partition_key = "", .data = "" };
	if (!walk_object(w)) {
		w->bad = true;
		return;
	}
	while (walk_member(w, &first, &name)) {
		if (walk_is(&name, "Data")) {
			if (walk_string(w, &t))
				keep_data(m, &t, r);
		} else if (walk_is(&name, "SequenceNumber")) {
			if (walk_string(w, &t))
				sequence = keep_text(m, &t);
		} else if (walk_is(&name, "PartitionKey")) {
			if (walk_string(w, &t))
				key = keep_text(m, &t);
		} else if (walk_is(&name, "ApproximateArrivalTimestamp")) {
			if (walk_number(w, &t) && t.p)
				r->arrival_us = arrival_us(&t);
		} else {
			walk_skip(w);
		}
	}
	if (!sequence || !sequence[0])
		w->bad = true; /* without a position there is no way behind it */
	else
		r->sequence_number = sequence;
	if (key)
		r->partition_key = key;
	else
		r->unusable = "its partition key is no text";
}

static void read_records(struct walk *w, struct texts *m, struct records *out)
{
	size_t cap = 0;
	bool first = true;

	if (!walk_array(w))
		return;
	while (walk_element(w, &first)) {
		if (out->n == cap) {
			size_t more = cap ? cap * 4 : 512;
			struct record *v = arena_alloc(&out->arena, more * sizeof *v);
			if (cap)
				memcpy(v, out->v, cap * sizeof *v);
			out->v = v;
			cap = more;
		}
		read_record(w, m, &out->v[out->n]);
		if (w->bad)
			return;
		out->n++;
	}
}

struct answer {
	char next[1024]; /* "": none */
	bool children;
};

static int read_answer(const struct buf *body, struct records *out, struct answer *a, struct err *e)
{
	struct walk w;
	struct walk_text name, t;
	struct texts m;
	bool first = true;

	m.p = arena_alloc(&out->arena, body->len + 16);
	m.end = m.p + body->len + 16;
	walk_init(&w, body->p, body->len);
	if (!walk_object(&w))
		w.bad = true;
	while (walk_member(&w, &first, &name)) {
		if (walk_is(&name, "Records")) {
			read_records(&w, &m, out);
		} else if (walk_is(&name, "NextShardIterator")) {
			if (walk_string(&w, &t) && !walk_copy(&t, a->next, sizeof a->next))
				w.bad = true;
		} else if (walk_is(&name, "MillisBehindLatest")) {
			if (walk_number(&w, &t) && t.p)
				out->behind_ms = strtoll(t.p, NULL, 10);
		} else {
			a->children = a->children || walk_is(&name, "ChildShards");
			walk_skip(&w);
		}
	}
	if (!w.bad)
		return 0;
	out->n = 0;
	return err_set(e, ERR_UNAVAILABLE, "bad-answer", "the answer is not as documented");
}

static int get_records(struct kinesis *k, const struct cursor *c, size_t limit, struct records *out,
	struct answer *a, struct err *e)
{
	struct buf body = BUF_INIT(BUF_MAX_SMALL);
	struct aws_call call = { .target = "Kinesis_20131202.GetRecords" };
	int rc;

	buf_str(&body, "{\"ShardIterator\":");
	json_quote_str(&body, c->iterator);
	if (limit)
		buf_printf(&body, ",\"Limit\":%zu", limit);
	buf_char(&body, '}');
	call.body = body.p;
	call.body_len = body.len;
	rc = aws_send(k->client, &call, e);
	if (!rc && read_answer(&call.resp.body, out, a, e))
		rc = err_prefix(e, "kinesis %s: GetRecords: ", aws_client_region(k->client));
	http_resp_release(&call.resp);
	buf_release(&body);
	return rc;
}

/* No next iterator is the end if the listing agrees: a reply that lost it must not end an open shard. */
static int confirm_end(struct kinesis *k, struct cursor *c, const struct answer *a, struct records *out)
{
	enum shard_state state = SHARD_UNKNOWN;
	int64_t asked;
	struct err ignored;

	if (!a->children && (kinesis_shard_state(k, c->shard_id, clock_mono_ms(), &state, &asked, &ignored) ||
				    state == SHARD_OPEN)) {
		c->iterator[0] = '\0'; /* ask again from where we are */
		return 0;
	}
	out->ended = true;
	return 0;
}

/* At the tip with nothing new: is this a closed shard whose server never says so? It is when the shard was
 * known closed before this read was sent, since nothing is added to it after that. */
static void look_for_end(struct kinesis *k, struct cursor *c, int64_t sent, struct records *out)
{
	int64_t every = aws_client_custom(k->client) ? LIST_EVERY_MS : LIST_EVERY_AWS_MS, asked = 0;
	enum shard_state state = SHARD_UNKNOWN;
	struct err ignored;

	if (out->n || out->behind_ms > 0) {
		c->empty_reads = 0;
		return;
	}
	if (++c->empty_reads < EMPTY_READS)
		return;
	if (!kinesis_shard_state(k, c->shard_id, sent - every, &state, &asked, &ignored) && asked < sent)
		out->ended = state == SHARD_CLOSED || state == SHARD_GONE;
}

static int take_answer(struct kinesis *k, struct cursor *c, const struct answer *a, size_t limit,
	int64_t sent, struct records *out)
{
	size_t most = limit && limit < RECORDS_MAX ? limit : RECORDS_MAX;

	if (out->n) {
		c->next = (struct position){ .kind = POS_AFTER_SEQ };
		snprintf(c->next.seq, sizeof c->next.seq, "%s", out->v[out->n - 1].sequence_number);
	}
	out->full = out->n >= most || out->behind_ms > 0;
	if (!a->next[0])
		return confirm_end(k, c, a, out);
	memcpy(c->iterator, a->next, sizeof c->iterator);
	c->iterator_ms = clock_mono_ms();
	look_for_end(k, c, sent, out);
	return 0;
}

/* ResourceNotFoundException is the stream's or the shard's; only the listing tells which. */
static int maybe_gone(struct kinesis *k, const struct cursor *c, struct records *out, struct err *e)
{
	enum shard_state state;
	int64_t asked;
	struct err listing;

	if (strcmp(e->code, "ResourceNotFoundException") != 0)
		return -1;
	if (kinesis_shard_state(k, c->shard_id, clock_mono_ms(), &state, &asked, &listing)) {
		*e = listing;
		return -1;
	}
	if (state != SHARD_GONE)
		return -1;
	out->ended = true;
	return 0;
}

static bool iterator_is_bad(const struct err *e)
{
	return !strcmp(e->code, "ExpiredIteratorException") || !strcmp(e->code, "InvalidArgumentException");
}

int kinesis_read(struct stream *s, struct cursor *c, size_t limit, struct records *out, struct err *e)
{
	struct kinesis *k = (struct kinesis *)s;
	struct answer a = { 0 };
	bool renewed = false;
	int64_t sent;

	if (limit > RECORDS_MAX)
		limit = RECORDS_MAX;
	for (;;) {
		if (c->iterator[0] && clock_mono_ms() - c->iterator_ms > ITERATOR_LIFE_MS)
			c->iterator[0] = '\0';
		if (!c->iterator[0]) {
			renewed = true;
			if (get_iterator(k, c, e))
				return maybe_gone(k, c, out, e);
		}
		sent = clock_mono_ms();
		if (!get_records(k, c, limit, out, &a, e))
			return take_answer(k, c, &a, limit, sent, out);
		/* A server that loses its iterators answers them with 500 for good; a throttle keeps them. */
		if (iterator_is_bad(e) || (e->http >= 500 && !aws_code_is_throttle(e->code)))
			c->iterator[0] = '\0';
		if (iterator_is_bad(e) && !renewed)
			continue;
		/* One that was given a moment ago: this machine has slept in between, or the server's clock has. */
		if (!strcmp(e->code, "ExpiredIteratorException"))
			e->cls = ERR_UNAVAILABLE;
		return maybe_gone(k, c, out, e);
	}
}
