/* positions_diff.c - two groups, or a group now and as show saw it: which is ahead, and by how much. */
#include "cmd/positions.h"
#include "flow/lag.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One side's position of a shard, like a row. */
struct side {
	char shard_id[SHARD_ID_MAX];
	struct lease row;   /* checkpoint "": not begun */
	struct position at; /* where its reader would begin */
	bool skipped;       /* done with, without a row */
};
struct sides {
	struct side *v;
	size_t n;
};

static const char *const words[] = { "with", "same", "group" }; /* which is ahead: -1, 0, 1 */

/* ---- the other side ---- */

static void add(struct sides *s, const struct side *one)
{
	s->v = mem_realloc(s->v, (s->n + 1) * sizeof *s->v);
	s->v[s->n++] = *one;
}

static void from_standings(const struct standings *s, struct sides *out)
{
	for (size_t i = 0; i < s->n; i++) {
		struct side one = { .row = s->v[i].row, .at = s->v[i].at };
		memcpy(one.shard_id, s->v[i].shard.id, sizeof one.shard_id);
		one.skipped = s->v[i].state == STANDING_SKIPPED;
		add(out, &one);
	}
}

static const struct side *find(const struct sides *s, const char *shard_id)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].shard_id, shard_id) == 0)
			return &s->v[i];
	return NULL;
}

static bool copy(char *out, size_t size, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	if (n >= size)
		return false;
	memcpy(out, text ? text : "", n + 1);
	return true;
}

static bool is_checkpoint(const char *s)
{
	size_t n = strlen(s);
	return !n || strspn(s, "0123456789") == n || checkpoint_compare(s, 0, CP_AT_TIMESTAMP, 0) > 0 ||
	       strcmp(s, CP_AT_TIMESTAMP) == 0;
}

/* A line that show wrote. */
static int parse_line(const struct positions *r, const char *p, size_t n, struct side *out, struct err *e)
{
	cJSON *tree = json_tree(p, n, e);
	const char *since = json_str(tree, "since"), *stream = json_str(tree, "stream"),
		   *state = json_str(tree, "state");
	int64_t sub = 0, us = 0;
	int rc = 0;
	*out = (struct side){ 0 };
	if (!tree)
		rc = -1;
	else if (!json_str(tree, "shard_id") ||
		 !copy(out->shard_id, sizeof out->shard_id, json_str(tree, "shard_id")) ||
		 !copy(out->row.checkpoint, sizeof out->row.checkpoint, json_str(tree, "checkpoint")) ||
		 !is_checkpoint(out->row.checkpoint) || (since && !time_parse(since, strlen(since), &us)))
		rc = err_set(e, ERR_USAGE, "", "no line of positions show");
	else if (stream && strcmp(stream, r->stream->name) != 0)
		rc = err_set(e, ERR_USAGE, "", "positions in stream %s, not in %s", stream, r->stream->name);
	if (rc == 0) {
		if (json_int(tree, "subsequence", &sub) && sub > 0)
			out->row.checkpoint_sub = (uint64_t)sub;
		out->row.initial_ms = us / 1000;
		out->at = out->row.checkpoint[0] ? lease_position(&out->row)
						 : (struct position){ .kind = POS_TRIM_HORIZON };
		out->skipped = state && strcmp(state, standing_word(STANDING_SKIPPED)) == 0;
	}
	cJSON_Delete(tree);
	return rc;
}

static int from_file(const struct positions *r, struct sides *out, struct err *e)
{
	struct buf text = BUF_INIT(BUF_MAX_FILE);
	int rc = read_file(r->o->with, &text, e);
	const char *p = text.p ? text.p : "", *end = p + text.len;
	for (uint64_t no = 1; rc == 0 && p < end; no++) {
		struct side one;
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((lf ? lf : end) - p);
		if (n && parse_line(r, p, n, &one, e)) {
			e->cls = ERR_USAGE;
			rc = err_prefix(e, "%s, line %" PRIu64 ": ", r->o->with, no);
		} else if (n) {
			add(out, &one);
		}
		p += n + (lf != NULL);
	}
	if (rc == 0 && !out->n)
		rc = err_set(e, ERR_USAGE, "", "%s: no line of positions show", r->o->with);
	buf_release(&text);
	return rc;
}

static int from_group(struct positions *r, struct sides *out, struct err *e)
{
	struct standing_conf c = positions_conf(r);
	struct standings s = { 0 };
	struct table *other = NULL;
	int rc = open_table(r->c->ports, r->o->with, LEASE_KEY, &other, e);
	c.group = other;
	if (rc == 0)
		rc = standings_read(&c, &s, e);
	if (rc == 0)
		from_standings(&s, out);
	standings_free(&s);
	table_close(other);
	return rc;
}

static int read_sides(struct positions *r, struct sides *mine, struct sides *with, struct err *e)
{
	struct standing_conf c = positions_conf(r);
	bool file = name_kind(r->o->with, NULL) == NAME_PATH;
	/* What show saw was before now: read in this order a group that goes on is never behind itself. */
	if (file ? from_file(r, with, e) : from_group(r, with, e))
		return -1;
	if (standings_read(&c, &r->s, e))
		return -1;
	from_standings(&r->s, mine);
	for (size_t i = 0; i < with->n; i++) {
		struct side none = { .at = { .kind = POS_TRIM_HORIZON } };
		memcpy(none.shard_id, with->v[i].shard_id, sizeof none.shard_id);
		if (!find(mine, none.shard_id))
			add(mine, &none);
	}
	return 0;
}

/* ---- the comparison ---- */

struct gap {
	int ahead;           /* -1 the other, 0 the same, 1 the group; 2 unknown */
	int64_t records, ms; /* between them; -1 unknown */
};

static int sign(int64_t n)
{
	return (n > 0) - (n < 0);
}

/* Both to the tip, and the rest is in between. */
static int measure(const struct positions *r, const struct shard *h, const struct side *a,
	const struct side *b, struct gap *g, struct err *e)
{
	struct shard_lag la = { 0 }, lb = { 0 };
	bool end_a = lease_is_end(&a->row) || a->skipped, end_b = lease_is_end(&b->row) || b->skipped;
	if ((!end_a && lag_of(r->stream, h, &a->at, &la, e)) ||
		(!end_b && lag_of(r->stream, h, &b->at, &lb, e)))
		return -1;
	if (la.records >= 0 && lb.records >= 0)
		g->records = llabs(la.records - lb.records);
	g->ms = llabs(la.ms - lb.ms);
	/* The place of a time among sequence numbers is known by what is behind it. */
	if (g->ahead == 2 && g->records >= 0)
		g->ahead = sign(lb.records - la.records);
	else if (g->ahead == 2 && (la.ms == 0) != (lb.ms == 0))
		g->ahead = la.ms == 0 ? 1 : -1;
	return 0;
}

/* By the texts alone: two numbers, or what is before or behind all numbers. */
static int order(const struct side *a, const struct side *b)
{
	const char *x = a->row.checkpoint, *y = b->row.checkpoint;
	if (a->skipped || b->skipped)
		return a->skipped == b->skipped ? 0 : a->skipped ? 1 : -1;
	if (strcmp(x, y) == 0 && a->row.checkpoint_sub == b->row.checkpoint_sub &&
		(a->at.kind != POS_AT_TIME || a->at.time_ms == b->at.time_ms))
		return 0;
	if (!*x || !*y)
		return *x ? 1 : -1;
	if (a->at.kind == POS_AT_TIME && b->at.kind == POS_AT_TIME && *x != 'S' && *y != 'S')
		return sign(a->at.time_ms - b->at.time_ms);
	if ((a->at.kind == POS_AT_TIME || a->at.kind == POS_LATEST || b->at.kind == POS_AT_TIME ||
		    b->at.kind == POS_LATEST) &&
		!lease_is_end(&a->row) && !lease_is_end(&b->row))
		return 2;
	return checkpoint_compare(x, a->row.checkpoint_sub, y, b->row.checkpoint_sub);
}

static int say(struct positions *r, struct listing *l, const struct side *a, const struct side *b,
	const struct gap *g, struct err *e)
{
	char text[LISTING_CELL], span[32];
	const char *ahead = g->ahead == 2 ? "unknown" : words[g->ahead + 1];
	if (l->table) {
		listing_cell(l, a->shard_id);
		listing_cell(l,
			checkpoint_text(a->row.checkpoint, a->row.checkpoint_sub, a->row.initial_ms, text));
		listing_cell(l,
			checkpoint_text(b->row.checkpoint, b->row.checkpoint_sub, b->row.initial_ms, text));
		listing_cell(l, ahead);
		snprintf(text, sizeof text, "%" PRId64, g->records);
		listing_cell(l, g->records >= 0 ? text : "?");
		listing_cell(l, g->ms >= 0 ? span_text(g->ms, span) : "?");
		return listing_end(l, e);
	}
	listing_str(l, "group", r->group->name);
	listing_str(l, "with", r->o->with);
	listing_str(l, "stream", r->stream->name);
	listing_str(l, "shard_id", a->shard_id);
	listing_str(l, "ahead", ahead);
	listing_str(l, "checkpoint", a->row.checkpoint);
	listing_int(l, "subsequence", a->row.checkpoint[0] ? (int64_t)a->row.checkpoint_sub : -1);
	listing_str(l, "with_checkpoint", b->row.checkpoint);
	listing_int(l, "with_subsequence", b->row.checkpoint[0] ? (int64_t)b->row.checkpoint_sub : -1);
	listing_int(l, "records", g->records);
	listing_int(l, "ms", g->ms);
	return listing_end(l, e);
}

static int compare_one(struct positions *r, struct listing *l, const struct side *a, const struct side *b,
	bool *differs, struct err *e)
{
	const struct standing *h = standings_find(&r->s, a->shard_id);
	struct gap g = { .ahead = order(a, b), .records = 0, .ms = 0 };
	if (g.ahead != 0) {
		g.records = g.ms = -1;
		if (h && h->listed && measure(r, &h->shard, a, b, &g, e))
			return -1;
	}
	*differs = *differs || g.ahead != 0;
	return say(r, l, a, b, &g, e);
}

enum exit_code positions_diff(struct positions *r)
{
	static const char *const heads[] = { "SHARD", "POSITION", "WITH", "AHEAD", "RECORDS", "TIME", NULL };
	static const struct side none = { .at = { .kind = POS_TRIM_HORIZON } };
	struct sides mine = { 0 }, with = { 0 };
	struct err e = { 0 };
	struct listing l;
	bool differs = false;
	int rc = read_sides(r, &mine, &with, &e);
	listing_init(&l, r->c, (enum positions_format)r->o->format, heads);
	for (size_t i = 0; i < mine.n && rc == 0; i++) {
		const struct side *b = find(&with, mine.v[i].shard_id);
		rc = compare_one(r, &l, &mine.v[i], b ? b : &none, &differs, &e);
	}
	rc = listing_close(&l, rc, &e);
	free(mine.v);
	free(with.v);
	return rc ? fail(&e) : differs ? EXIT_SOME : EXIT_DONE;
}
