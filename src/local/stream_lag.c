/* stream_lag.c - how far a position is behind the tip of a shard of the embedded store: counted. */
#include "local/store_stream.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

/* 1 and the shard's id, 0 when it is gone. */
static int shard_row(
	struct db *d, const struct local_stream *s, const char *shard, int64_t *id, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"SELECT h.id FROM stream t JOIN shard h ON h.stream = t.id"
		" WHERE t.name = ?1 AND h.name = ?2",
		e);

	if (!st)
		return -1;
	db_text(st, 1, s->base.name);
	db_text(st, 2, shard);
	int rc = db_step(d, st, e);
	if (rc == 1)
		*id = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc;
}

static int count(struct db *d, int64_t shard, int64_t after, struct shard_lag *out, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT count(*) FROM record WHERE shard = ?1 AND seq > ?2", e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, shard);
	sqlite3_bind_int64(st, 2, after);
	int rc = db_step(d, st, e);
	if (rc == 1)
		out->records = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

/* The first record behind the position tells how long it waits by now. */
static int age(
	struct db *d, int64_t shard, int64_t after, int64_t now_ms, struct shard_lag *out, struct err *e)
{
	sqlite3_stmt *st = db_stmt(
		d, "SELECT arrival_us FROM record WHERE shard = ?1 AND seq > ?2 ORDER BY seq LIMIT 1", e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, shard);
	sqlite3_bind_int64(st, 2, after);
	int rc = db_step(d, st, e);
	if (rc == 1) {
		out->ms = now_ms - sqlite3_column_int64(st, 0) / 1000;
		out->ms = out->ms > 0 ? out->ms : 1;
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static int tip(struct db *d, int64_t shard, struct shard_lag *out, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT seq FROM record WHERE shard = ?1 ORDER BY seq DESC LIMIT 1", e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, shard);
	int rc = db_step(d, st, e);
	if (rc == 1)
		snprintf(out->tip, sizeof out->tip, "%" PRId64, (int64_t)sqlite3_column_int64(st, 0));
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

int stream_lag_of(struct stream *base, const struct shard *h, const struct position *p, struct shard_lag *out,
	struct err *e)
{
	struct local_stream *s = (struct local_stream *)base;
	struct position from = *p;
	int64_t now_ms = stream_now_ms(base), shard, after;
	struct db *d = store_reader(s->store, e);

	if (!d)
		return -1;
	int rc = stream_begin_read(d, e);
	int there = rc ? -1 : shard_row(d, s, h->id, &shard, e);
	rc = there < 0 ? -1 : 0;
	if (there == 1)
		rc = stream_resolve(d, &from, &after, e) || count(d, shard, after, out, e) ||
				     (out->records && age(d, shard, after, now_ms, out, e)) ||
				     tip(d, shard, out, e)
			     ? -1
			     : 0;
	store_reader_done(s->store, d);
	return rc;
}
