/* store_stream.c - the stream contract on the embedded store: shards, records, retention. */
#include "local/local.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "local/db.h"
#include "local/hashkey.h"

#define RETENTION_US (INT64_C(7) * 24 * 3600 * 1000000)
#define READ_RECORDS 10000
#define READ_BYTES ((size_t)10 << 20)
#define RECORD_BYTES ((size_t)10 << 20)
#define KEY_CHARS 256
#define SHARDS_DEFAULT 4
#define SHARDS_MAX 1000
#define TRIM_EXTRA 64 /* records that one put may delete beyond its own number */

struct local_stream {
	struct stream base;
	struct store *store;
};

static int find_stream(struct db *d, struct local_stream *s, int64_t *id, int64_t *created_s, struct err *e)
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

/* What one shard is to a writer. */
struct target {
	int64_t id;
	hashkey start, end;
	char name[SHARD_ID_MAX];
};

static void column_text(sqlite3_stmt *st, int i, char *out, size_t size)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	snprintf(out, size, "%s", s ? s : "");
}

static int open_targets(struct db *d, int64_t stream, struct target **out, size_t *n, struct err *e)
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
		struct target *t = *out + (*n)++;
		char start[HASH_KEY_MAX], end[HASH_KEY_MAX];
		t->id = sqlite3_column_int64(st, 0);
		column_text(st, 1, t->name, sizeof t->name);
		column_text(st, 2, start, sizeof start);
		column_text(st, 3, end, sizeof end);
		if (!hashkey_parse(start, &t->start) || !hashkey_parse(end, &t->end))
			t->start = 1, t->end = 0;
	}
	return rc;
}

/* Characters of UTF-8; any bytes are counted, for the limit only. */
static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int check_put(const struct put *p, hashkey *hash, struct err *e)
{
	size_t n = p->partition_key ? characters(p->partition_key) : 0;

	if (n < 1 || n > KEY_CHARS)
		return err_set(e, ERR_REFUSED, "ValidationException",
			"the partition key has %zu characters; 1 to %d may be", n, KEY_CHARS);
	if (p->len > RECORD_BYTES)
		return err_set(e, ERR_REFUSED, "ValidationException", "the record has %zu bytes, over 10 MiB",
			p->len);
	if (!p->explicit_hash_key)
		*hash = hashkey_of(p->partition_key);
	else if (!hashkey_parse(p->explicit_hash_key, hash))
		return err_set(e, ERR_REFUSED, "ValidationException",
			"the explicit hash key \"%.60s\" is no number below 2^128", p->explicit_hash_key);
	return 0;
}

/* Arrival never goes back, also when the clock does: positions by time are found by halving. */
static int read_tip(struct db *d, int64_t *seq, int64_t *arrival_us, struct err *e)
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

static int write_tip(struct db *d, int64_t seq, int64_t arrival_us, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "UPDATE tip SET seq = ?1, arrival_us = ?2", e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, seq);
	sqlite3_bind_int64(st, 2, arrival_us);
	return db_run(d, st, e);
}

static int insert_record(struct db *d, const struct target *t, int64_t seq, int64_t arrival_us,
	const struct put *p, struct err *e)
{
	sqlite3_stmt *st = db_stmt(
		d, "INSERT INTO record(seq, shard, arrival_us, key, data) VALUES(?1, ?2, ?3, ?4, ?5)", e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, seq);
	sqlite3_bind_int64(st, 2, t->id);
	sqlite3_bind_int64(st, 3, arrival_us);
	db_text(st, 4, p->partition_key);
	sqlite3_bind_blob64(st, 5, p->len ? p->data : "", p->len, SQLITE_STATIC);
	return db_run(d, st, e);
}

/* Writers pay for retention in small steps, a little faster than they add. */
static int trim(struct db *d, int64_t now_us, size_t most, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT arrival_us FROM record ORDER BY seq LIMIT 1", e);

	if (!st)
		return -1;
	int rc = db_step(d, st, e);
	bool old = rc == 1 && sqlite3_column_int64(st, 0) < now_us - RETENTION_US;
	sqlite3_reset(st);
	if (rc < 0 || !old)
		return rc < 0 ? -1 : 0;
	st = db_stmt(d,
		"DELETE FROM record WHERE seq IN"
		" (SELECT seq FROM record ORDER BY seq LIMIT ?2) AND arrival_us < ?1",
		e);
	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, now_us - RETENTION_US);
	sqlite3_bind_int64(st, 2, (int64_t)most);
	return db_run(d, st, e);
}

static const struct target *target_of(const struct target *t, size_t n, hashkey hash)
{
	for (size_t i = 0; i < n; i++)
		if (hash >= t[i].start && hash <= t[i].end)
			return &t[i];
	return NULL;
}

static int put_one(struct db *d, const struct target *targets, size_t ntargets, int64_t *seq,
	int64_t arrival_us, struct put *p, struct err *e)
{
	hashkey hash;

	if (check_put(p, &hash, &p->err))
		return 0;
	const struct target *t = target_of(targets, ntargets, hash);
	if (!t)
		return err_set(e, ERR_LOCAL, "store-damaged", "no open shard takes the hash key of %.60s",
			p->partition_key);
	if (insert_record(d, t, *seq + 1, arrival_us, p, e))
		return -1;
	++*seq;
	snprintf(p->shard_id, sizeof p->shard_id, "%s", t->name);
	snprintf(p->sequence_number, sizeof p->sequence_number, "%" PRId64, *seq);
	return 0;
}

static int put_all(struct db *d, struct local_stream *s, struct put *v, size_t n, struct err *e)
{
	struct target *targets = NULL;
	size_t ntargets = 0;
	int64_t stream, seq, arrival_us, now_us = clock_now_us();

	if (find_stream(d, s, &stream, NULL, e) || read_tip(d, &seq, &arrival_us, e))
		return -1;
	if (now_us > arrival_us)
		arrival_us = now_us;
	int rc = open_targets(d, stream, &targets, &ntargets, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = put_one(d, targets, ntargets, &seq, arrival_us, &v[i], e);
	free(targets);
	if (rc == 0)
		rc = write_tip(d, seq, arrival_us, e);
	if (rc == 0)
		rc = trim(d, now_us, n * 2 + TRIM_EXTRA, e);
	return rc;
}

static int put(struct stream *base, struct put *v, size_t n, struct err *e)
{
	struct local_stream *s = (struct local_stream *)base;
	struct db *d = store_begin(s->store, false, e);

	int rc = d ? store_end(s->store, d, put_all(d, s, v, n, e), e) : -1;
	for (size_t i = 0; rc && i < n; i++)
		v[i].shard_id[0] = v[i].sequence_number[0] = '\0';
	return rc;
}

/* The first sequence number that arrived at time_us or later; INT64_MAX when none has. */
static int seq_at_time(struct db *d, int64_t time_us, int64_t *seq, struct err *e)
{
	sqlite3_stmt *st =
		db_stmt(d, "SELECT seq, arrival_us FROM record WHERE seq >= ?1 ORDER BY seq LIMIT 1", e);
	int64_t low = 0, high, arrival;

	if (!st || read_tip(d, &high, &arrival, e))
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

/* Where to read from: behind *after. A position by time stays one until something has arrived by then. */
static int resolve(struct db *d, struct position *p, int64_t *after, struct err *e)
{
	int64_t arrival;

	switch (p->kind) {
	case POS_TRIM_HORIZON: *after = 0; return 0;
	case POS_LATEST:
		if (read_tip(d, after, &arrival, e))
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
		if (parse_seq(p->seq, after, e))
			return -1;
		if (*after > 0)
			--*after;
		return 0;
	default: return parse_seq(p->seq, after, e);
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
		return find_stream(d, s, &stream, NULL, e);
	}
	if (rc < 0)
		return -1;
	int64_t shard = sqlite3_column_int64(st, 0);
	bool closed = sqlite3_column_type(st, 1) != SQLITE_NULL;
	sqlite3_reset(st);
	if (resolve(d, &c->next, &after, e) || read_rows(d, shard, after, limit, out, e))
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

static int begin_read(struct db *d, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "BEGIN", e);

	return st ? db_run(d, st, e) : -1;
}

static int read_stream(
	struct stream *base, struct cursor *c, size_t limit, struct records *out, struct err *e)
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
		rc = begin_read(d, e);
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

static void take_shard(sqlite3_stmt *st, struct shard *h)
{
	column_text(st, 0, h->id, sizeof h->id);
	column_text(st, 1, h->parent, sizeof h->parent);
	column_text(st, 2, h->adjacent, sizeof h->adjacent);
	column_text(st, 3, h->start_hash, sizeof h->start_hash);
	column_text(st, 4, h->end_hash, sizeof h->end_hash);
	column_text(st, 5, h->start_seq, sizeof h->start_seq);
	column_text(st, 6, h->end_seq, sizeof h->end_seq);
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

	if (!st || find_stream(d, s, &id, NULL, e))
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

	if (!st || find_stream(d, s, &id, &out->created_s, e))
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

static int add_shard(struct db *d, int64_t stream, unsigned i, unsigned n, int64_t start_seq, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"INSERT INTO shard(stream, name, start_hash, end_hash, start_seq) VALUES(?1, ?2, ?3, ?4, ?5)",
		e);
	char name[SHARD_ID_MAX], start_text[HASHKEY_TEXT], end_text[HASHKEY_TEXT];
	hashkey start, end;

	if (!st)
		return -1;
	hashkey_range(i, n, &start, &end);
	hashkey_format(start, start_text);
	hashkey_format(end, end_text);
	snprintf(name, sizeof name, "shardId-%012u", i);
	sqlite3_bind_int64(st, 1, stream);
	db_text(st, 2, name);
	db_text(st, 3, start_text);
	db_text(st, 4, end_text);
	sqlite3_bind_int64(st, 5, start_seq);
	return db_run(d, st, e);
}

static int create_in(struct db *d, struct local_stream *s, unsigned n, struct err *e)
{
	sqlite3_stmt *st =
		db_stmt(d, "INSERT INTO stream(name, created_s) VALUES(?1, ?2) ON CONFLICT DO NOTHING", e);
	int64_t seq, arrival_us;

	if (!st || read_tip(d, &seq, &arrival_us, e))
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
	for (unsigned i = 0; i < n; i++)
		if (add_shard(d, stream, i, n, ++seq, e))
			return -1;
	return write_tip(d, seq, arrival_us, e);
}

static int create(struct stream *base, unsigned n, struct err *e)
{
	struct local_stream *s = (struct local_stream *)base;

	if (n == 0)
		n = SHARDS_DEFAULT;
	if (n > SHARDS_MAX)
		return err_set(e, ERR_FAILED, "LimitExceededException", "a stream has at most %d shards",
			SHARDS_MAX);
	struct db *d = store_begin(s->store, true, e);
	return d ? store_end(s->store, d, create_in(d, s, n, e), e) : -1;
}

static int64_t now_ms(struct stream *base)
{
	(void)base;
	return clock_now_ms();
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
		.read = read_stream,
		.put = put,
		.describe = describe,
		.create = create,
		.now_ms = now_ms,
		.close = close_stream };
	struct local_stream *s = mem_alloc(sizeof *s);

	(void)e;
	s->base.ops = &ops;
	snprintf(s->base.name, sizeof s->base.name, "%s", name);
	snprintf(s->base.host, sizeof s->base.host, "%s", dir);
	s->base.min_poll_ms = 5;
	s->store = store_new(dir, true);
	*out = &s->base;
	return 0;
}
