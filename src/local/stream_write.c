/* stream_write.c - putting records on a stream of the embedded store, and retention. */
#include "local/store_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "local/hashkey.h"

#define RETENTION_US (INT64_C(7) * 24 * 3600 * 1000000)
#define RECORD_BYTES ((size_t)10 << 20)
#define KEY_CHARS 256
#define TRIM_EXTRA 64 /* records that one put may delete beyond its own number */

/* What one shard is to a writer. */
struct target {
	int64_t id;
	hashkey start, end;
	char name[SHARD_ID_MAX];
};

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
		db_column(st, 1, t->name, sizeof t->name);
		db_column(st, 2, start, sizeof start);
		db_column(st, 3, end, sizeof end);
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

	if (stream_find(d, s, &stream, NULL, e) || stream_tip(d, &seq, &arrival_us, e))
		return -1;
	if (now_us > arrival_us)
		arrival_us = now_us;
	int rc = open_targets(d, stream, &targets, &ntargets, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = put_one(d, targets, ntargets, &seq, arrival_us, &v[i], e);
	free(targets);
	if (rc == 0)
		rc = stream_set_tip(d, seq, arrival_us, e);
	if (rc == 0)
		rc = trim(d, now_us, n * 2 + TRIM_EXTRA, e);
	return rc;
}

int stream_put_to(struct stream *base, struct put *v, size_t n, struct err *e)
{
	struct local_stream *s = (struct local_stream *)base;
	struct db *d = store_begin(s->store, false, e);

	int rc = d ? store_end(s->store, d, put_all(d, s, v, n, e), e) : -1;
	for (size_t i = 0; rc && i < n; i++)
		v[i].shard_id[0] = v[i].sequence_number[0] = '\0';
	return rc;
}
