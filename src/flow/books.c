/* books.c - entering lines of a run's stages by event, and the account of them. */
#include "flow/books.h"

#include "base/json.h"
#include "base/map.h"
#include "flow/books_int.h"
#include "port/stream.h"
#include "rec/event.h"

#include <stdlib.h>
#include <string.h>

const char *const books_kinds[BOOKS_KINDS] = { "publish", "consume", "prompt", "invoke", "ack", "dead",
	"ledger" };
const char *const books_states[BOOKS_STATES] = { "done", "swallowed", "dead-letter", "failed", "under-way",
	"missing" };

struct books *books_new(uint64_t max_events)
{
	struct books *b = mem_alloc(sizeof *b);
	b->max_events = max_events;
	return b;
}

void books_free(struct books *b)
{
	if (!b)
		return;
	free(b->events);
	arena_release(&b->arena);
	free(b);
}

/* What is read of a line. */
struct parsed {
	struct json_object obj;
	struct json_member id, source, seq, shard, sub, spooled, error, status, data, balances;
	struct source src;
	struct buf text; /* event_id, unescaped */
	bool has_id;
};

/* ---- events and places ---- */

static struct entry *new_entry(struct books *b, struct err *e)
{
	if (b->n >= b->max_events) {
		err_set(e, ERR_LOCAL, "too-many",
			"more than %llu events: audit fewer files, or raise --max-events",
			(unsigned long long)b->max_events);
		return NULL;
	}
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 1024;
		b->events = mem_realloc(b->events, b->cap * sizeof(struct entry *));
	}
	struct entry *en = arena_alloc(&b->arena, sizeof *en);
	memset(en, 0, sizeof *en);
	b->events[b->n++] = en;
	return en;
}

/* By event_id; without one by its place. A record that got its event_id on the way is known by both. */
static struct entry *entry_of(struct books *b, const struct parsed *x, const struct place *p, struct err *e)
{
	struct entry *en = p ? p->entry : NULL;
	if (!x->has_id)
		return en ? en : new_entry(b, e);
	struct map_entry *m = map_at(&b->ids, &b->arena, x->text.p, x->text.len);
	if (m->value)
		return m->value;
	m->key = arena_dup(&b->arena, x->text.p, x->text.len);
	if (!en || en->id)
		en = new_entry(b, e);
	if (en)
		en->id = m->key;
	return m->value = en;
}

static struct shard_book *shard_of(struct books *b, const char *id)
{
	struct map_entry *m = map_at(&b->shards, &b->arena, id, strlen(id));
	if (m->value)
		return m->value;
	struct shard_book *s = arena_alloc(&b->arena, sizeof *s);
	memset(s, 0, sizeof *s);
	s->id = arena_dup(&b->arena, id, strlen(id));
	m->key = s->id;
	return m->value = s;
}

/* A place in the stream: made when it is first seen. NULL: the source has none. */
static struct place *place_of(struct books *b, const struct source *s)
{
	struct buf key = BUF_INIT(BUF_MAX_SMALL);
	if (!s->shard_id || !s->sequence_number)
		return NULL;
	buf_str(&key, s->shard_id);
	buf_char(&key, ' ');
	buf_str(&key, s->sequence_number);
	buf_char(&key, ' ');
	buf_uint(&key, s->subsequence);
	struct map_entry *m = map_at(&b->places, &b->arena, key.p, key.len);
	struct place *p = m->value;
	if (!p) {
		p = arena_alloc(&b->arena, sizeof *p);
		memset(p, 0, sizeof *p);
		p->shard = shard_of(b, s->shard_id);
		p->seq = arena_dup(&b->arena, s->sequence_number, strlen(s->sequence_number));
		p->sub = s->subsequence;
		m->key = arena_dup(&b->arena, key.p, key.len);
		m->value = p;
	}
	buf_release(&key);
	return p;
}

static void add_place(struct entry *en, struct place *p)
{
	if (!p || p->entry)
		return;
	p->entry = en;
	p->next = en->places;
	en->places = p;
}

/* ---- lines ---- */

static int parse(struct parsed *x, const char *line, size_t n, struct err *e)
{
	struct json_member m[] = { { .name = "event_id" }, { .name = "_source" },
		{ .name = "sequence_number" }, { .name = "shard_id" }, { .name = "subsequence_number" },
		{ .name = "spooled" }, { .name = "error" }, { .name = "status" }, { .name = "data" } };
	*x = (struct parsed){ .text = BUF_INIT(BUF_MAX_LINE) };
	if (json_scan_object(line, n, m, ARRAY_LEN(m), &x->obj, e))
		return -1;
	x->id = m[0];
	x->source = m[1];
	x->seq = m[2];
	x->shard = m[3];
	x->sub = m[4];
	x->spooled = m[5];
	x->error = m[6];
	x->status = m[7];
	x->data = m[8];
	x->has_id = x->id.type == JSON_STRING && json_unescape(&x->text, line + x->id.off, x->id.len, NULL);
	return x->source.type == JSON_OBJECT ? source_parse(&x->src, line + x->source.off, x->source.len, e)
					     : 0;
}

static void parsed_release(struct parsed *x)
{
	source_release(&x->src);
	buf_release(&x->text);
}

static bool yes(const struct json_member *m)
{
	return m->type != JSON_NONE && m->type != JSON_NULL && m->type != JSON_FALSE;
}

/* A copy of a short text value, "" when there is none. */
static void text_of(const char *line, const struct json_member *m, char *out, size_t size)
{
	size_t n = m->type == JSON_STRING ? m->len - 2 : 0;
	if (n >= size)
		n = 0;
	memcpy(out, line + m->off + 1, n);
	out[n] = '\0';
}

static void pass(struct shard_book *s, enum books_kind stage, const char *seq, uint64_t sub)
{
	struct reach *r = &s->reach[stage];
	int c = r->seq ? sequence_compare(seq, r->seq) : 1;
	if (c > 0 || (c == 0 && sub > r->sub))
		*r = (struct reach){ .seq = seq, .sub = sub };
}

static int enter_receipt(struct books *b, struct parsed *x, const char *line, struct err *e)
{
	char shard[SHARD_ID_MAX], seq[SEQ_MAX], sub[24];
	struct place *p = NULL;
	text_of(line, &x->shard, shard, sizeof shard);
	text_of(line, &x->seq, seq, sizeof seq);
	if (shard[0] && seq[0]) {
		size_t n = x->sub.type == JSON_NUMBER && x->sub.len < sizeof sub ? x->sub.len : 0;
		memcpy(sub, line + x->sub.off, n);
		sub[n] = '\0';
		p = place_of(b, &(struct source){ .shard_id = shard,
					.sequence_number = seq,
					.subsequence = strtoull(sub, NULL, 10) });
	}
	if (!p && !yes(&x->spooled) && !yes(&x->error))
		return err_set(e, ERR_REFUSED, "bad-receipt",
			"no receipt: neither sequence_number, spooled nor error");
	if (!x->has_id && !p)
		return 0; /* a line that was refused before it had an id */
	struct entry *en = entry_of(b, x, p, e);
	if (!en)
		return -1;
	if (yes(&x->error)) {
		en->failed |= 1u << BOOKS_PUBLISH;
		return 0;
	}
	en->spooled = en->spooled || !p;
	en->stored = en->stored || p;
	en->seen[BOOKS_PUBLISH]++;
	add_place(en, p);
	return 0;
}

static int enter_stage(
	struct books *b, enum books_kind stage, struct parsed *x, const char *line, struct err *e)
{
	struct place *p = place_of(b, &x->src);
	if (p)
		pass(p->shard, stage, p->seq, p->sub);
	if (x->src.mark) {
		b->ended[stage] = !strcmp(x->src.mark, "end");
		b->marks[stage]++;
		if (p && p->marks[stage] < UINT16_MAX)
			p->marks[stage]++;
		return 0;
	}
	b->ended[stage] = false;
	b->lines[stage]++;
	if (!x->has_id && !p)
		return err_set(
			e, ERR_REFUSED, "no-id", "neither event_id nor a position: it can't be followed");
	struct entry *en = entry_of(b, x, p, e);
	if (!en)
		return -1;
	add_place(en, p);
	if (p && p->lines[stage] < UINT16_MAX && p->lines[stage]++)
		en->redelivered = true;
	en->seen[stage]++;
	if (stage >= BOOKS_INVOKE && x->status.type == JSON_STRING && x->status.len == 7 &&
		!memcmp(line + x->status.off, "\"error\"", 7))
		en->failed |= 1u << stage;
	else
		en->failed &= ~(1u << stage); /* a later try went well */
	return 0;
}

/* The whole line is in `data`, as text; its event_id is what names the event, or the one that it was given on its way. */
static int enter_dead(struct books *b, struct parsed *x, const char *line, struct err *e)
{
	struct buf inner = BUF_INIT(BUF_MAX_LINE);
	struct json_member id = { .name = "event_id" };
	struct json_object obj;
	struct place *p = place_of(b, &x->src);
	bool own = x->data.type == JSON_STRING &&
		   json_unescape(&inner, line + x->data.off, x->data.len, NULL) &&
		   json_scan_object(inner.p, inner.len, &id, 1, &obj, NULL) == 0 && id.type == JSON_STRING;
	if (own) {
		buf_reset(&x->text);
		x->has_id = json_unescape(&x->text, inner.p + id.off, id.len, NULL);
	}
	buf_release(&inner);
	if (!x->has_id && !p) {
		b->unidentified++;
		return 0;
	}
	struct entry *en = entry_of(b, x, p, e);
	if (!en)
		return -1;
	add_place(en, p);
	en->dead = true;
	return 0;
}

int books_enter(struct books *b, enum books_kind kind, const char *line, size_t n, struct err *e)
{
	struct parsed x;
	if (kind == BOOKS_LEDGER)
		return ledger_enter(b, line, n, e);
	if (kind < BOOKS_STAGES)
		b->given[kind] = true;
	int rc = parse(&x, line, n, e);
	if (rc == 0 && kind == BOOKS_DEAD)
		rc = enter_dead(b, &x, line, e);
	else if (rc == 0 && kind == BOOKS_PUBLISH && !x.src.mark) {
		b->lines[kind]++;
		rc = enter_receipt(b, &x, line, e);
	} else if (rc == 0 && kind == BOOKS_PUBLISH)
		b->marks[kind]++;
	else if (rc == 0)
		rc = enter_stage(b, kind, &x, line, e);
	parsed_release(&x);
	return rc;
}
