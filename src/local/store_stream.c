/* store_stream.c - the stream contract on the embedded store: streams and their shards. */
#include "local/local.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "local/store_stream.h"

#define SHARDS_DEFAULT 4

int stream_find(struct db *d, struct local_stream *s, int64_t *id, int64_t *created_s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT id, created_s FROM stream WHERE name = ?1", e);

	if (!st)
		return -1;
	db_text(st, 1, s->base.name);
	int rc = db_step(d, st, e);
	if (rc == 0)
		return store_missing(s->store, "stream", s->base.name, e);
	if (rc < 0)
		return -1;
	*id = sqlite3_column_int64(st, 0);
	if (created_s)
		*created_s = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return 0;
}

/* Arrival never goes back, also when the clock does: positions by time are found by halving. */
int stream_tip(struct db *d, int64_t *seq, int64_t *arrival_us, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT seq, arrival_us FROM tip", e);

	if (!st)
		return -1;
	int rc = db_step(d, st, e);
	if (rc != 1)
		return rc < 0 ? -1 : db_fail(d, SQLITE_CORRUPT, e);
	*seq = sqlite3_column_int64(st, 0);
	*arrival_us = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return 0;
}

int stream_set_tip(struct db *d, int64_t seq, int64_t arrival_us, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "UPDATE tip SET seq = ?1, arrival_us = ?2", e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, seq);
	sqlite3_bind_int64(st, 2, arrival_us);
	return db_run(d, st, e);
}

static void take_shard(sqlite3_stmt *st, struct shard *h)
{
	db_column(st, 0, h->id, sizeof h->id);
	db_column(st, 1, h->parent, sizeof h->parent);
	db_column(st, 2, h->adjacent, sizeof h->adjacent);
	db_column(st, 3, h->start_hash, sizeof h->start_hash);
	db_column(st, 4, h->end_hash, sizeof h->end_hash);
	db_column(st, 5, h->start_seq, sizeof h->start_seq);
	db_column(st, 6, h->end_seq, sizeof h->end_seq);
}

static int list_shards(struct db *d, struct local_stream *s, struct shards *out, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"SELECT name, parent, adjacent, start_hash, end_hash, start_seq, end_seq"
		" FROM shard WHERE stream = ?1 ORDER BY id",
		e);
	size_t cap = 0;
	int64_t id;
	int rc;

	if (!st || stream_find(d, s, &id, NULL, e))
		return -1;
	sqlite3_bind_int64(st, 1, id);
	while ((rc = db_step(d, st, e)) == 1) {
		if (out->n == cap) {
			cap = cap ? cap * 2 : 8;
			out->v = mem_realloc(out->v, cap * sizeof *out->v);
		}
		take_shard(st, &out->v[out->n++]);
	}
	if (rc < 0) {
		free(out->v);
		*out = (struct shards){ 0 };
	}
	return rc;
}

static int shards(struct stream *base, struct shards *out, struct err *e)
{
	struct local_stream *s = (struct local_stream *)base;
	struct db *d = store_reader(s->store, e);
	int rc = d ? list_shards(d, s, out, e) : -1;

	store_reader_done(s->store, d);
	return rc;
}

static int describe_in(struct db *d, struct local_stream *s, struct stream_info *out, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT count(*) FROM shard WHERE stream = ?1 AND end_seq IS NULL", e);
	int64_t id;

	if (!st || stream_find(d, s, &id, &out->created_s, e))
		return -1;
	sqlite3_bind_int64(st, 1, id);
	if (db_step(d, st, e) != 1)
		return -1;
	out->open_shards = (size_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	snprintf(out->name, sizeof out->name, "%s", s->base.name);
	snprintf(out->status, sizeof out->status, "ACTIVE");
	snprintf(out->arn, sizeof out->arn, "arn:aws:kinesis:local:000000000000:stream/%s", s->base.name);
	return 0;
}

static int describe(struct stream *base, struct stream_info *out, struct err *e)
{
	struct local_stream *s = (struct local_stream *)base;
	struct db *d = store_reader(s->store, e);
	int rc = d ? describe_in(d, s, out, e) : -1;

	store_reader_done(s->store, d);
	return rc;
}

int stream_open_shards(struct db *d, int64_t stream, struct open_shard **out, size_t *n, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"SELECT id, name, start_hash, end_hash FROM shard WHERE stream = ?1 AND end_seq IS NULL", e);
	size_t cap = 0;
	int rc;

	*out = NULL;
	*n = 0;
	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, stream);
	while ((rc = db_step(d, st, e)) == 1) {
		if (*n == cap) {
			cap = cap ? cap * 2 : 8;
			*out = mem_realloc(*out, cap * sizeof **out);
		}
		struct open_shard *h = *out + (*n)++;
		char start[HASH_KEY_MAX], end[HASH_KEY_MAX];
		h->id = sqlite3_column_int64(st, 0);
		db_column(st, 1, h->name, sizeof h->name);
		db_column(st, 2, start, sizeof start);
		db_column(st, 3, end, sizeof end);
		if (!hashkey_parse(start, &h->start) || !hashkey_parse(end, &h->end))
			h->start = 1, h->end = 0;
	}
	return rc;
}

int stream_add_shard(struct db *d, int64_t stream, unsigned number, struct open_shard *h, const char *parent,
	const char *adjacent, int64_t start_seq, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"INSERT INTO shard(stream, name, parent, adjacent, start_hash, end_hash, start_seq)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		e);
	char start[HASHKEY_TEXT], end[HASHKEY_TEXT];

	if (!st)
		return -1;
	hashkey_format(h->start, start);
	hashkey_format(h->end, end);
	snprintf(h->name, sizeof h->name, "shardId-%012u", number);
	sqlite3_bind_int64(st, 1, stream);
	db_text(st, 2, h->name);
	db_text(st, 3, parent);
	db_text(st, 4, adjacent);
	db_text(st, 5, start);
	db_text(st, 6, end);
	sqlite3_bind_int64(st, 7, start_seq);
	if (db_run(d, st, e))
		return -1;
	h->id = sqlite3_last_insert_rowid(d->h);
	return 0;
}

static int create_in(struct db *d, struct local_stream *s, unsigned n, struct err *e)
{
	sqlite3_stmt *st =
		db_stmt(d, "INSERT INTO stream(name, created_s) VALUES(?1, ?2) ON CONFLICT DO NOTHING", e);
	int64_t seq, arrival_us;

	if (!st || stream_tip(d, &seq, &arrival_us, e))
		return -1;
	db_text(st, 1, s->base.name);
	sqlite3_bind_int64(st, 2, clock_now_s());
	if (db_run(d, st, e))
		return -1;
	if (!sqlite3_changes(d->h))
		return err_set(e, ERR_FAILED, "ResourceInUseException", "there is a stream %s already",
			s->base.name);
	int64_t stream = sqlite3_last_insert_rowid(d->h);
	/* A shard's starting number is no record's. */
	for (unsigned i = 0; i < n; i++) {
		struct open_shard h = { 0 };
		hashkey_range(i, n, &h.start, &h.end);
		if (stream_add_shard(d, stream, i, &h, "", "", ++seq, e))
			return -1;
	}
	return stream_set_tip(d, seq, arrival_us, e);
}

static int create(struct stream *base, unsigned n, struct err *e)
{
	struct local_stream *s = (struct local_stream *)base;

	if (n == 0)
		n = SHARDS_DEFAULT;
	if (n > STREAM_SHARDS_MAX)
		return err_set(e, ERR_FAILED, "LimitExceededException", "a stream has at most %d shards",
			STREAM_SHARDS_MAX);
	struct db *d = store_begin(s->store, true, e);
	return d ? store_end(s->store, d, create_in(d, s, n, e), e) : -1;
}

/* Behind a clock that was set back arrival times go on from where they were: by the clock alone all that is put meanwhile
 * would seem to come later than now. */
static int64_t look_ahead(struct local_stream *s)
{
	struct err ignored = { 0 };
	struct db *d = store_reader(s->store, &ignored);
	int64_t seq, arrival_us = 0, now = clock_now_ms();

	if (d && stream_tip(d, &seq, &arrival_us, &ignored))
		arrival_us = 0;
	store_reader_done(s->store, d);
	return arrival_us / 1000 > now ? arrival_us / 1000 - now : 0;
}

static int64_t now_ms(struct stream *base)
{
	struct local_stream *s = (struct local_stream *)base;

	if (atomic_load(&s->ahead_ms) < 0)
		atomic_store(&s->ahead_ms, look_ahead(s));
	return clock_now_ms() + atomic_load(&s->ahead_ms);
}

static void close_stream(struct stream *base)
{
	struct local_stream *s = (struct local_stream *)base;

	store_free(s->store);
	free(s);
}

int local_open_stream(const char *dir, const char *name, struct stream **out, struct err *e)
{
	static const struct stream_ops ops = { .shards = shards,
		.read = stream_read_from,
		.put = stream_put_to,
		.lag = stream_lag_of,
		.describe = describe,
		.create = create,
		.reshard = stream_reshard_in,
		.now_ms = now_ms,
		.close = close_stream };
	struct local_stream *s = mem_alloc(sizeof *s);

	(void)e;
	s->base.ops = &ops;
	snprintf(s->base.name, sizeof s->base.name, "%s", name);
	snprintf(s->base.host, sizeof s->base.host, "%s", dir);
	s->base.min_poll_ms = 5;
	s->store = store_new(dir, true);
	atomic_init(&s->ahead_ms, -1);
	*out = &s->base;
	return 0;
}
