/* stream_read.c - reading a shard of the embedded store: positions, pages, idle polls. */
#include "local/store_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define READ_RECORDS 10000
#define READ_BYTES ((size_t)10 << 20)

/* The first sequence number that arrived at time_us or later; INT64_MAX when none has. */
static int seq_at_time(struct db *d, int64_t time_us, int64_t *seq, struct err *e)
{
	sqlite3_stmt *st =
		db_stmt(d, "SELECT seq, arrival_us FROM record WHERE seq >= ?1 ORDER BY seq LIMIT 1", e);
	int64_t low = 0, high, arrival;

	if (!st || stream_tip(d, &high, &arrival, e))
		return -1;
	high++;
	while (low < high) {
		int64_t mid = low + (high - low) / 2;
		sqlite3_bind_int64(st, 1, mid);
		int rc = db_step(d, st, e);
		if (rc < 0)
			return -1;
		if (rc == 0 || sqlite3_column_int64(st, 1) >= time_us)
			high = mid;
		else
			low = sqlite3_column_int64(st, 0) + 1;
		sqlite3_reset(st);
	}
	sqlite3_bind_int64(st, 1, low);
	int rc = db_step(d, st, e);
	*seq = rc == 1 ? sqlite3_column_int64(st, 0) : INT64_MAX;
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static int parse_seq(const char *s, int64_t *out, struct err *e)
{
	char *end;

	*out = strtoll(s, &end, 10);
	if (!*s || *s == '-' || *end || *out == INT64_MAX)
		return err_set(e, ERR_FAILED, "InvalidArgumentException",
			"\"%.60s\" is no sequence number of this store", s);
	return 0;
}

/* Behind the tip nothing can have been read: following such a position would pass over what comes next. */
static int parse_position(struct db *d, const char *s, int64_t *out, struct err *e)
{
	int64_t tip, arrival;

	if (parse_seq(s, out, e) || stream_tip(d, &tip, &arrival, e))
		return -1;
	if (*out > tip)
		return err_set(e, ERR_FAILED, "InvalidArgumentException",
			"sequence number %.60s is not of this store, which ends at %" PRId64, s, tip);
	return 0;
}

int stream_resolve(struct db *d, struct position *p, int64_t *after, struct err *e)
{
	int64_t arrival;

	switch (p->kind) {
	case POS_TRIM_HORIZON: *after = 0; return 0;
	case POS_LATEST:
		if (stream_tip(d, after, &arrival, e))
			return -1;
		break;
	case POS_AT_TIME:
		if (seq_at_time(d, p->time_ms * 1000, after, e))
			return -1;
		if (*after == INT64_MAX)
			return 0;
		--*after;
		break;
	case POS_AT_SEQ:
		if (parse_position(d, p->seq, after, e))
			return -1;
		if (*after > 0)
			--*after;
		return 0;
	default: return parse_position(d, p->seq, after, e);
	}
	*p = (struct position){ .kind = POS_AFTER_SEQ };
	snprintf(p->seq, sizeof p->seq, "%" PRId64, *after);
	return 0;
}

static void take_row(sqlite3_stmt *st, struct records *out, size_t *cap)
{
	struct record *r;

	if (out->n == *cap) {
		struct record *old = out->v;
		*cap = *cap ? *cap * 4 : 64;
		out->v = arena_alloc(&out->arena, *cap * sizeof *r);
		if (old)
			memcpy(out->v, old, out->n * sizeof *r);
	}
	r = &out->v[out->n++];
	*r = (struct record){ .len = (size_t)sqlite3_column_bytes(st, 3) };
	r->sequence_number = arena_printf(&out->arena, "%" PRId64, (int64_t)sqlite3_column_int64(st, 0));
	r->arrival_us = sqlite3_column_int64(st, 1);
	const char *key = (const char *)sqlite3_column_text(st, 2);
	r->partition_key = arena_dup(&out->arena, key ? key : "", (size_t)sqlite3_column_bytes(st, 2));
	const void *data = sqlite3_column_blob(st, 3);
	r->data = arena_dup(&out->arena, data ? data : "", r->len);
}

static int read_rows(
	struct db *d, int64_t shard, int64_t after, size_t limit, struct records *out, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"SELECT seq, arrival_us, key, data FROM record WHERE shard = ?1 AND seq > ?2 ORDER BY seq",
		e);
	size_t cap = 0, bytes = 0;
	int rc = -1;

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, shard);
	sqlite3_bind_int64(st, 2, after);
	while (!out->full && (rc = db_step(d, st, e)) == 1) {
		size_t len = (size_t)sqlite3_column_bytes(st, 3);
		if (out->n == limit || (out->n && bytes + len > READ_BYTES)) {
			out->full = true;
			break;
		}
		bytes += len;
		take_row(st, out, &cap);
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static int read_shard(struct db *d, struct local_stream *s, struct cursor *c, size_t limit,
	struct records *out, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"SELECT h.id, h.end_seq FROM stream t JOIN shard h ON h.stream = t.id"
		" WHERE t.name = ?1 AND h.name = ?2",
		e);
	int64_t stream, after;

	if (!st)
		return -1;
	db_text(st, 1, s->base.name);
	db_text(st, 2, c->shard_id);
	int rc = db_step(d, st, e);
	if (rc == 0) { /* gone by retention; unless the whole stream is */
		out->ended = true;
		return stream_find(d, s, &stream, NULL, e);
	}
	if (rc < 0)
		return -1;
	int64_t shard = sqlite3_column_int64(st, 0);
	bool closed = sqlite3_column_type(st, 1) != SQLITE_NULL;
	sqlite3_reset(st);
	if (stream_resolve(d, &c->next, &after, e) || read_rows(d, shard, after, limit, out, e))
		return -1;
	out->ended = closed && !out->full;
	if (!out->n)
		return 0;
	const struct record *last = &out->v[out->n - 1];
	c->next = (struct position){ .kind = POS_AFTER_SEQ };
	snprintf(c->next.seq, sizeof c->next.seq, "%s", last->sequence_number);
	if (out->full) {
		int64_t behind = (clock_now_us() - last->arrival_us) / 1000;
		out->behind_ms = behind > 0 ? behind : 0;
	}
	return 0;
}

/* The iterator says: on connection C nothing new had come by its data version V behind position P. As long as
 * all three are the same, an idle poll costs one look at shared memory. */
static int idle_token(struct db *d, const struct cursor *c, char *out, size_t size, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "PRAGMA data_version", e);

	if (!st || db_step(d, st, e) != 1)
		return -1;
	snprintf(out, size, "%u %" PRId64 " %d %" PRId64 " %s", d->id, (int64_t)sqlite3_column_int64(st, 0),
		(int)c->next.kind, c->next.time_ms, c->next.seq);
	sqlite3_reset(st);
	return 0;
}

int stream_begin_read(struct db *d, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "BEGIN", e);

	return st ? db_run(d, st, e) : -1;
}

int stream_read_from(struct stream *base, struct cursor *c, size_t limit, struct records *out, struct err *e)
{
	struct local_stream *s = (struct local_stream *)base;
	struct position before = c->next;
	char token[256] = "";
	struct db *d = store_reader(s->store, e);

	if (!d)
		return -1;
	int rc = idle_token(d, c, token, sizeof token, e);
	if (rc == 0 && *c->iterator && !strcmp(token, c->iterator)) {
		store_reader_done(s->store, d);
		return 0;
	}
	if (limit == 0 || limit > READ_RECORDS)
		limit = READ_RECORDS;
	if (rc == 0)
		rc = stream_begin_read(d, e);
	if (rc == 0)
		rc = read_shard(d, s, c, limit, out, e);
	c->iterator[0] = '\0';
	/* The version was looked up before the read: what came in between is found by the next one. */
	if (rc == 0 && !out->n && !out->ended && !memcmp(&before, &c->next, sizeof before))
		snprintf(c->iterator, sizeof c->iterator, "%s", token);
	store_reader_done(s->store, d);
	if (rc)
		c->next = before;
	return rc;
}
