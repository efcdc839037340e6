/* stream_reshard.c - splits and merges in the embedded store: one transaction each, also for many at once. */
#include "local/store_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct work { /* v: the open shards, in the order of their hash keys */
	struct db *d;
	struct local_stream *s;
	struct err *e;
	int64_t stream, seq, arrival_us;
	unsigned next; /* number of the next child */
	struct open_shard *v;
	size_t n;
};

static int by_start(const void *a, const void *b)
{
	const struct open_shard *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* The highest number was given to a shard that is open, or to one whose row is still there. */
static int next_number(struct work *w)
{
	sqlite3_stmt *st = db_stmt(w->d, "SELECT max(name) FROM shard WHERE stream = ?1", w->e);
	char name[SHARD_ID_MAX];

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, w->stream);
	if (db_step(w->d, st, w->e) != 1)
		return -1;
	db_column(st, 0, name, sizeof name);
	sqlite3_reset(st);
	const char *dash = strrchr(name, '-');
	w->next = dash ? (unsigned)strtoul(dash + 1, NULL, 10) + 1 : 0;
	return 0;
}

static int begin(struct work *w)
{
	if (stream_find(w->d, w->s, &w->stream, NULL, w->e) ||
		stream_tip(w->d, &w->seq, &w->arrival_us, w->e) ||
		stream_open_shards(w->d, w->stream, &w->v, &w->n, w->e))
		return -1;
	qsort(w->v, w->n, sizeof *w->v, by_start);
	return next_number(w);
}

static int close_shard(struct work *w, const struct open_shard *h)
{
	sqlite3_stmt *st = db_stmt(w->d, "UPDATE shard SET end_seq = ?2 WHERE id = ?1", w->e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, h->id);
	sqlite3_bind_int64(st, 2, ++w->seq); /* above its last record's, and no record's */
	return db_run(w->d, st, w->e);
}

static int open_child(struct work *w, struct open_shard *h, hashkey start, hashkey end, const char *parent,
	const char *adjacent)
{
	*h = (struct open_shard){ .start = start, .end = end };
	return stream_add_shard(w->d, w->stream, w->next++, h, parent, adjacent, ++w->seq, w->e);
}

static int split(struct work *w, size_t i, hashkey at)
{
	struct open_shard parent = w->v[i];

	w->v = mem_realloc(w->v, (w->n + 1) * sizeof *w->v);
	memmove(w->v + i + 1, w->v + i, (w->n - i) * sizeof *w->v);
	w->n++;
	if (close_shard(w, &parent) || open_child(w, &w->v[i], parent.start, at - 1, parent.name, ""))
		return -1;
	return open_child(w, &w->v[i + 1], at, parent.end, parent.name, "");
}

/* i and the next one; first: the one that is named as the parent, the other being adjacent. */
static int merge(struct work *w, size_t i, size_t first)
{
	struct open_shard low = w->v[i], high = w->v[i + 1];
	const struct open_shard *parent = first == i ? &low : &high, *adjacent = first == i ? &high : &low;

	memmove(w->v + i + 1, w->v + i + 2, (w->n - i - 2) * sizeof *w->v);
	w->n--;
	if (close_shard(w, parent) || close_shard(w, adjacent))
		return -1;
	return open_child(w, &w->v[i], low.start, high.end, parent->name, adjacent->name);
}

/* The open shard of that name, or why there is none. */
static int find_open(struct work *w, const char *name, size_t *i)
{
	for (*i = 0; *i < w->n; ++*i)
		if (!strcmp(w->v[*i].name, name))
			return 0;
	sqlite3_stmt *st = db_stmt(w->d, "SELECT 1 FROM shard WHERE stream = ?1 AND name = ?2", w->e);
	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, w->stream);
	db_text(st, 2, name);
	int rc = db_step(w->d, st, w->e);
	if (rc < 0)
		return -1;
	sqlite3_reset(st);
	if (rc == 1)
		return err_set(w->e, ERR_FAILED, "InvalidArgumentException", "%s is closed already", name);
	return err_set(w->e, ERR_FAILED, "ResourceNotFoundException", "there is no shard %.80s in stream %s",
		name, w->s->base.name);
}

static int split_named(struct work *w, const struct reshard *what)
{
	hashkey at;
	size_t i;

	if (find_open(w, what->shard, &i))
		return -1;
	if (!hashkey_parse(what->at, &at) || at <= w->v[i].start || at > w->v[i].end)
		return err_set(w->e, ERR_FAILED, "InvalidArgumentException",
			"the hash key %.60s does not lie inside %s", what->at, what->shard);
	if (w->n >= STREAM_SHARDS_MAX)
		return err_set(w->e, ERR_FAILED, "LimitExceededException", "a stream has at most %d shards",
			STREAM_SHARDS_MAX);
	return split(w, i, at);
}

static int merge_named(struct work *w, const struct reshard *what)
{
	size_t i, j;

	if (find_open(w, what->shard, &i) || find_open(w, what->adjacent, &j))
		return -1;
	if (i + 1 != j && j + 1 != i)
		return err_set(w->e, ERR_FAILED, "InvalidArgumentException", "%s and %s are no neighbours",
			what->shard, what->adjacent);
	return merge(w, i < j ? i : j, i);
}

static bool is_border(const hashkey *starts, size_t n, hashkey v)
{
	for (size_t i = 0; i < n; i++)
		if (starts[i] == v)
			return true;
	return false;
}

/* Split at every new border that lies inside a shard, the middle one first, so that a lineage stays short. */
static int split_at(struct work *w, const hashkey *starts, size_t n)
{
	for (size_t i = 0; i < w->n;) {
		size_t first = 0, end;
		while (first < n && starts[first] <= w->v[i].start)
			first++;
		for (end = first; end < n && starts[end] <= w->v[i].end;)
			end++;
		if (first == end)
			i++;
		else if (split(w, i, starts[first + (end - first) / 2]))
			return -1;
	}
	return 0;
}

/* Merge neighbours between which there is no border any more, by rounds, for the same reason. */
static int merge_between(struct work *w, const hashkey *starts, size_t n)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i + 1 < w->n; i++) {
			if (is_border(starts, n, w->v[i + 1].start))
				continue;
			if (merge(w, i, i))
				return -1;
			changed = true;
		}
	}
	return 0;
}

static int to_count(struct work *w, unsigned count)
{
	if (count < 1 || count > STREAM_SHARDS_MAX)
		return err_set(w->e, ERR_FAILED, "LimitExceededException", "a stream has 1 to %d shards",
			STREAM_SHARDS_MAX);
	hashkey *starts = mem_array(count, sizeof *starts), end;
	for (unsigned i = 0; i < count; i++)
		hashkey_range(i, count, &starts[i], &end);
	int rc = split_at(w, starts, count);
	if (rc == 0)
		rc = merge_between(w, starts, count);
	free(starts);
	return rc;
}

static int reshard_in(struct work *w, const struct reshard *what)
{
	int rc = begin(w);

	if (rc == 0) {
		switch (what->kind) {
		case RESHARD_SPLIT: rc = split_named(w, what); break;
		case RESHARD_MERGE: rc = merge_named(w, what); break;
		default: rc = to_count(w, what->count);
		}
	}
	if (rc == 0)
		rc = stream_set_tip(w->d, w->seq, w->arrival_us, w->e);
	free(w->v);
	return rc;
}

int stream_reshard_in(struct stream *base, const struct reshard *what, struct err *e)
{
	struct local_stream *s = (struct local_stream *)base;
	struct work w = { .s = s, .e = e };

	w.d = store_begin(s->store, false, e);
	return w.d ? store_end(s->store, w.d, reshard_in(&w, what), e) : -1;
}
