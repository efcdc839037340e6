/* stream_write.c - putting records on a stream of the embedded store. */
#include "local/store_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "local/retention.h"

#define RECORD_BYTES ((size_t)10 << 20)
#define KEY_CHARS 256
#define TRIM_EXTRA 64 /* records that one put may delete beyond its own number */

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

static int insert_record(struct db *d, const struct open_shard *t, int64_t seq, int64_t arrival_us,
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

static const struct open_shard *target_of(const struct open_shard *t, size_t n, hashkey hash)
{
	for (size_t i = 0; i < n; i++)
		if (hash >= t[i].start && hash <= t[i].end)
			return &t[i];
	return NULL;
}

static int put_one(struct db *d, const struct open_shard *targets, size_t ntargets, int64_t *seq,
	int64_t arrival_us, struct put *p, struct err *e)
{
	hashkey hash;

	if (check_put(p, &hash, &p->err))
		return 0;
	const struct open_shard *t = target_of(targets, ntargets, hash);
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
	struct open_shard *targets = NULL;
	size_t ntargets = 0;
	int64_t stream, seq, arrival_us, now_us = clock_now_us();

	if (stream_find(d, s, &stream, NULL, e) || stream_tip(d, &seq, &arrival_us, e))
		return -1;
	if (now_us > arrival_us)
		arrival_us = now_us;
	int rc = stream_open_shards(d, stream, &targets, &ntargets, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = put_one(d, targets, ntargets, &seq, arrival_us, &v[i], e);
	free(targets);
	if (rc == 0)
		rc = stream_set_tip(d, seq, arrival_us, e);
	if (rc == 0)
		rc = retention_step(d, seq, now_us, n * 2 + TRIM_EXTRA, e);
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
