/* puts_pack_test.c - publish's aggregates on a stream that is resharded, fails and hides its shards: what a reader that follows
 * the rules of the Kinesis Client Library then sees. */
#include "check.h"

#include "base/clock.h"
#include "base/hashkey.h"
#include "base/mem.h"
#include "flow/puts.h"
#include "flow/shardmap.h"
#include "flow/unpack.h"
#include "rec/aggregate.h"

#include <pthread.h>
#include <stdlib.h>

#define MANY 4000
#define SHARDS 64
#define AGGREGATE 51200

struct fake {
	struct stream base;
	pthread_mutex_t lock;
	struct shard shards[SHARDS];
	size_t nshards;
	int calls, lists, entries, aggregates, dropped, most_entries;
	size_t most_bytes, most_aggregate;
	int seen[4 * MANY], nseen; /* numbers, as a reader gets them */
	struct place {
		char shard[SHARD_ID_MAX];
		int seq;
		uint64_t sub;
	} at[MANY]; /* of each number, where it was seen last */
	int seq;
	unsigned seed, partial, whole, reshard; /* in a hundred */
	int reshard_at;                         /* a call */
	bool no_list, stale_list;
	size_t listed; /* with stale_list: what is shown */
	const char *bad;
	struct shard stale[SHARDS];
};

struct world {
	struct fake f;
	struct puts *puts;
	int reported, failed;
	char error[64];
	struct place receipt[MANY];
	bool packed[MANY];
};

static unsigned chance(struct fake *f)
{
	f->seed = f->seed * 1103515245 + 12345;
	return f->seed / 65536 % 100;
}

/* ---- the stream ---- */

static struct shard *add_shard(struct fake *f, hashkey first, hashkey last)
{
	assert_true(f->nshards < SHARDS);
	struct shard *s = &f->shards[f->nshards];
	*s = (struct shard){ 0 };
	snprintf(s->id, sizeof s->id, "shardId-%012zu", f->nshards++);
	hashkey_format(first, s->start_hash);
	hashkey_format(last, s->end_hash);
	return s;
}

static void range_of(const struct shard *s, hashkey *first, hashkey *last)
{
	assert_true(hashkey_parse(s->start_hash, first) && hashkey_parse(s->end_hash, last));
}

static void split(struct fake *f, struct shard *s)
{
	hashkey first, last;
	range_of(s, &first, &last);
	snprintf(s->end_seq, sizeof s->end_seq, "1");
	add_shard(f, first, first + (last - first) / 2);
	add_shard(f, first + (last - first) / 2 + 1, last);
}

/* The shard, which is open, and its neighbour above become one; no neighbour: nothing happens. */
static void merge(struct fake *f, struct shard *s)
{
	hashkey first, last, next_first, next_last;
	range_of(s, &first, &last);
	for (size_t i = 0; i < f->nshards; i++) {
		struct shard *o = &f->shards[i];
		range_of(o, &next_first, &next_last);
		if (o->end_seq[0] || next_first != last + 1 || !(last + 1))
			continue;
		snprintf(s->end_seq, sizeof s->end_seq, "1");
		snprintf(o->end_seq, sizeof o->end_seq, "1");
		add_shard(f, first, next_last);
		return;
	}
}

static void reshard(struct fake *f)
{
	size_t i = chance(f) * f->nshards / 100;
	if (f->nshards + 2 > SHARDS || f->shards[i].end_seq[0])
		return;
	if (chance(f) < 60)
		split(f, &f->shards[i]);
	else
		merge(f, &f->shards[i]);
}

static int list(struct stream *s, struct shards *out, struct err *e)
{
	struct fake *f = (struct fake *)s;
	pthread_mutex_lock(&f->lock);
	f->lists++;
	int rc = f->no_list ? err_set(e, ERR_FAILED, "AccessDeniedException", "not allowed by the test") : 0;
	if (!rc) {
		const struct shard *from = f->stale_list ? f->stale : f->shards;
		out->n = f->stale_list ? f->listed : f->nshards;
		out->v = (void *)mem_dup(from, out->n * sizeof *from);
	}
	pthread_mutex_unlock(&f->lock);
	return rc;
}

struct reading {
	struct fake *f;
	const struct shard *shard;
	int n;
};

static bool see(const struct record *r, void *arg)
{
	struct reading *g = arg;
	char text[16];
	snprintf(text, sizeof text, "%.*s", r->len < 15 ? (int)r->len : 15, r->data);
	int no = atoi(text);
	if (no < 0 || no >= MANY || (size_t)g->f->nseen == ROWS(g->f->seen)) {
		g->f->bad = "not one of ours";
		return false;
	}
	g->f->seen[g->f->nseen++] = no;
	struct place *p = &g->f->at[no];
	snprintf(p->shard, sizeof p->shard, "%s", g->shard->id);
	p->seq = g->f->seq;
	p->sub = r->subsequence;
	g->n++;
	return true;
}

/* What an entry must be, whatever happens to it. */
static void check_entry(struct fake *f, const struct put *p)
{
	struct aggregate a;
	struct user_record u;
	char hash[HASHKEY_TEXT];
	f->entries++;
	if (!aggregate_open(&a, p->data, p->len))
		return;
	f->aggregates++;
	if (p->len > f->most_aggregate)
		f->most_aggregate = p->len;
	char key[AGGREGATE_KEY_MAX + 1] = "";
	if (aggregate_next(&a, &u) && !u.hash_key) {
		memcpy(key, u.key, u.key_len);
		hashkey_format(hashkey_of(key), hash);
	} else {
		snprintf(hash, sizeof hash, "%.*s", (int)u.hash_key_len, u.hash_key ? u.hash_key : "");
	}
	if (a.nrecords < 2)
		f->bad = "an aggregate of one";
	if (strcmp(p->partition_key, "a") != 0 || !p->explicit_hash_key ||
		strcmp(p->explicit_hash_key, hash) != 0)
		f->bad = "keys of an aggregate";
	aggregate_close(&a);
}

static void store(struct fake *f, struct put *p)
{
	hashkey h, first, last;
	if (!p->explicit_hash_key || !hashkey_parse(p->explicit_hash_key, &h))
		h = hashkey_of(p->partition_key);
	const struct shard *s = NULL;
	for (size_t i = 0; i < f->nshards; i++) {
		range_of(&f->shards[i], &first, &last);
		if (!f->shards[i].end_seq[0] && h >= first && h <= last)
			s = &f->shards[i];
	}
	assert_non_null(s);
	f->seq++;
	snprintf(p->shard_id, sizeof p->shard_id, "%s", s->id);
	snprintf(p->sequence_number, sizeof p->sequence_number, "%d", f->seq);
	struct record r = { .sequence_number = p->sequence_number,
		.partition_key = p->partition_key,
		.data = p->data,
		.len = p->len };
	struct reading g = { f, s, 0 };
	f->dropped += unpack_record(&r, s->start_hash, s->end_hash, see, &g) == UNPACK_ELSEWHERE;
}

static int put(struct stream *base, struct put *v, size_t n, struct err *e)
{
	struct fake *f = (struct fake *)base;
	size_t bytes = 0;
	pthread_mutex_lock(&f->lock);
	f->calls++;
	if (f->calls == f->reshard_at)
		for (size_t i = f->nshards; i-- > 0;)
			split(f, &f->shards[i]);
	if (chance(f) < f->reshard)
		reshard(f);
	bool fail = chance(f) < f->whole;
	for (size_t i = 0; i < n; i++) {
		bytes += v[i].len + strlen(v[i].partition_key);
		check_entry(f, &v[i]);
		if (fail)
			continue;
		if (chance(f) < f->partial)
			err_set(&v[i].err, ERR_UNAVAILABLE, "Throttled", "slow down");
		else
			store(f, &v[i]);
	}
	f->most_entries = (int)n > f->most_entries ? (int)n : f->most_entries;
	f->most_bytes = bytes > f->most_bytes ? bytes : f->most_bytes;
	pthread_mutex_unlock(&f->lock);
	return fail ? err_set(e, ERR_UNAVAILABLE, "Throttled", "slow down") : 0;
}

static const struct stream_ops ops = { .put = put, .shards = list };

/* ---- a run ---- */

static void done(const struct put_result *r, void *job, void *arg)
{
	struct world *w = arg;
	int no = *(int *)job;
	if (no != w->reported++)
		w->f.bad = "reported out of order";
	if (r->err) {
		w->failed++;
		snprintf(w->error, sizeof w->error, "%s", r->err->code);
		return;
	}
	snprintf(w->receipt[no].shard, sizeof w->receipt[no].shard, "%s", r->shard_id);
	w->receipt[no].seq = atoi(r->sequence_number);
	w->receipt[no].sub = r->subsequence;
	w->packed[no] = r->packed;
}

static struct world *world_new(struct puts_conf *c, unsigned shards)
{
	struct world *w = mem_alloc(sizeof *w);
	w->f.base.ops = &ops;
	snprintf(w->f.base.name, sizeof w->f.base.name, "clicks");
	pthread_mutex_init(&w->f.lock, NULL);
	w->f.seed = 1;
	for (unsigned i = 0; i < shards; i++) {
		hashkey first, last;
		hashkey_range(i, shards, &first, &last);
		add_shard(&w->f, first, last);
	}
	if (!c->lanes)
		c->lanes = 1;
	if (!c->batch_records)
		c->batch_records = 500;
	if (!c->batch_bytes)
		c->batch_bytes = 5 << 20;
	if (!c->window_records)
		c->window_records = MANY;
	if (!c->give_up_ms)
		c->give_up_ms = 30000;
	c->aggregate_bytes = AGGREGATE;
	c->window_bytes = 64 << 20;
	c->grace_ms = 30000;
	c->retry_ms = 1;
	c->want_receipts = true;
	c->stream = &w->f.base;
	c->done = done;
	c->arg = w;
	w->puts = puts_open(c);
	return w;
}

/* Record `no`, padded to len bytes; hash: its explicit hash key, or NULL. */
static void submit(struct world *w, int no, const char *key, const char *hash, size_t len)
{
	static char data[80000];
	int n = snprintf(data, sizeof data, "%d ", no);
	if ((size_t)n < len)
		memset(data + n, 'x', len - (size_t)n);
	else
		len = (size_t)n;
	const struct put_in in = {
		.data = data, .len = len, .partition_key = key, .explicit_hash_key = hash
	};
	*(int *)puts_make(w->puts, &in, sizeof no) = no;
	puts_submit(w->puts);
}

static void submit_many(struct world *w, int from, int to, int keys, size_t len)
{
	char key[16];
	for (int i = from; i < to; i++) {
		snprintf(key, sizeof key, "k%d", i % keys);
		submit(w, i, key, NULL, len);
	}
}

static void close_world(struct world *w)
{
	puts_close(w->puts);
	w->puts = NULL;
}

static void free_world(struct world *w)
{
	if (w->puts)
		close_world(w);
	pthread_mutex_destroy(&w->f.lock);
	free(w);
}

/* Each of n is seen, once unless more is allowed; where its receipt says; and in the order of its key. */
static void check_seen(const char *row, const struct world *w, int n, int keys, bool in_order, bool twice_ok)
{
	char *times = mem_alloc((size_t)n);
	int *last = mem_array((size_t)keys, sizeof *last);
	CHECK_STR(row, w->f.bad ? w->f.bad : "", "");
	CHECK_INT(row, w->reported, n);
	CHECK_INT(row, w->failed, 0);
	for (int i = 0; i < keys; i++)
		last[i] = -1;
	for (int i = 0; i < w->f.nseen; i++) {
		int no = w->f.seen[i];
		if (times[no]++ && !twice_ok)
			fail_msg("%s: %d is seen twice", row, no);
		if (in_order && last[no % keys] > no)
			fail_msg("%s: %d is seen behind %d", row, no, last[no % keys]);
		last[no % keys] = no;
	}
	for (int i = 0; i < n; i++) {
		const struct place *want = &w->f.at[i], *got = &w->receipt[i];
		if (!times[i])
			fail_msg("%s: %d is never seen", row, i);
		if (strcmp(want->shard, got->shard) != 0 || want->seq != got->seq || want->sub != got->sub)
			fail_msg("%s: %d is at %s %d.%llu, its receipt says %s %d.%llu", row, i, want->shard,
				want->seq, (unsigned long long)want->sub, got->shard, got->seq,
				(unsigned long long)got->sub);
	}
	free(times);
	free(last);
}

static void records_for_a_shard_share_an_entry(void **state)
{
	(void)state;
	struct puts_conf c = { .linger_ms = 60000 };
	struct world *w = world_new(&c, 4);
	submit_many(w, 0, 400, 50, 100);
	close_world(w);
	check_seen("plain", w, 400, 50, true, false);
	assert_int_equal(w->f.calls, 1);
	assert_int_equal(w->f.entries, 4);
	assert_int_equal(w->f.aggregates, 4);
	assert_int_equal(w->f.lists, 1);
	assert_true(w->packed[0]);
	free_world(w);
}

static void sizes_keep_their_bounds(void **state)
{
	(void)state;
	static const struct {
		const char *row;
		size_t batch_records, batch_bytes, len;
		int n, most_entries;
		size_t most_bytes, most_aggregate;
		bool aggregates;
	} rows[] = {
		{ "aggregates are filled", 500, 5 << 20, 1000, 300, 500, 5 << 20, AGGREGATE, true },
		{ "few entries a call", 3, 5 << 20, 1000, 300, 3, 5 << 20, AGGREGATE, true },
		{ "few bytes a call", 500, 20000, 1000, 300, 500, 20000, 20000, true },
		{ "two just fit", 500, 5 << 20, 25560, 20, 500, 5 << 20, AGGREGATE, true },
		{ "two just don't", 500, 5 << 20, 25591, 20, 500, 5 << 20, 0, false },
		{ "too large for any", 500, 5 << 20, 60000, 20, 500, 5 << 20, 0, false },
		{ "larger than a call", 500, 2000, 3000, 20, 1, 3002, 0, false },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct puts_conf c = { .linger_ms = 60000,
			.batch_records = rows[i].batch_records,
			.batch_bytes = rows[i].batch_bytes };
		struct world *w = world_new(&c, 2);
		submit_many(w, 0, rows[i].n, 9, rows[i].len);
		close_world(w);
		check_seen(rows[i].row, w, rows[i].n, 9, true, false);
		CHECK(rows[i].row, w->f.most_entries <= rows[i].most_entries);
		CHECK(rows[i].row, w->f.most_bytes <= rows[i].most_bytes);
		CHECK(rows[i].row, w->f.most_aggregate <= rows[i].most_aggregate);
		CHECK_INT(rows[i].row, w->f.aggregates > 0, rows[i].aggregates);
		free_world(w);
	}
}

static void explicit_hash_keys_decide(void **state)
{
	(void)state;
	static const char *const hashes[] = { "0", "340282366920938463463374607431768211455", NULL };
	struct puts_conf c = { .linger_ms = 60000 };
	struct world *w = world_new(&c, 4);
	for (int i = 0; i < 30; i++)
		submit(w, i, "k", hashes[i % 3], 0);
	close_world(w);
	check_seen("hash keys", w, 30, 3, true, false);
	assert_int_equal(w->f.aggregates, 3);
	assert_string_equal(w->receipt[0].shard, "shardId-000000000000");
	assert_string_equal(w->receipt[1].shard, "shardId-000000000003");
	free_world(w);
}

static void one_alone_is_put_as_it_is(void **state)
{
	(void)state;
	struct puts_conf c = { 0 };
	struct world *w = world_new(&c, 1);
	submit(w, 0, "key", NULL, 0);
	close_world(w);
	check_seen("alone", w, 1, 1, true, false);
	assert_int_equal(w->f.aggregates, 0);
	assert_false(w->packed[0]);
	free_world(w);
}

static void after_a_split_what_went_wrong_is_sent_again(void **state)
{
	(void)state;
	struct puts_conf c = { .linger_ms = 60000 };
	struct world *w = world_new(&c, 2);
	submit_many(w, 0, 200, 50, 100);
	puts_drain(w->puts);
	w->f.reshard_at = w->f.calls + 1;
	submit_many(w, 200, 400, 50, 100);
	close_world(w);
	check_seen("split", w, 400, 50, true, false);
	assert_int_equal(w->f.dropped, 2);
	assert_int_equal(w->f.lists, 2);
	assert_int_equal(w->f.aggregates, 2 + 2 + 4);
	free_world(w);
}

static void after_a_merge_nothing_is_sent_again(void **state)
{
	(void)state;
	struct puts_conf c = { .linger_ms = 60000 };
	struct world *w = world_new(&c, 2);
	submit_many(w, 0, 200, 50, 100);
	puts_drain(w->puts);
	merge(&w->f, &w->f.shards[0]);
	submit_many(w, 200, 400, 50, 100);
	puts_drain(w->puts);
	submit_many(w, 400, 600, 50, 100);
	close_world(w);
	check_seen("merge", w, 600, 50, true, false);
	assert_int_equal(w->f.dropped, 0);
	assert_int_equal(w->f.lists, 2);
	assert_int_equal(w->f.aggregates, 2 + 2 + 1); /* and the next call knows */
	free_world(w);
}

static void without_a_list_they_go_one_by_one(void **state)
{
	(void)state;
	struct puts_conf c = { .linger_ms = 60000 };
	struct world *w = world_new(&c, 2);
	w->f.no_list = true;
	submit_many(w, 0, 1200, 50, 100);
	close_world(w);
	check_seen("no list", w, 1200, 50, true, false);
	assert_int_equal(w->f.aggregates, 0);
	assert_int_equal(w->f.entries, 1200);
	assert_int_equal(w->f.lists, 1); /* and not for each call */
	free_world(w);
}

static void a_list_that_stays_wrong_ends_in_giving_up(void **state)
{
	(void)state;
	struct puts_conf c = { .linger_ms = 60000, .give_up_ms = 200 };
	struct world *w = world_new(&c, 1);
	memcpy(w->f.stale, w->f.shards, sizeof w->f.stale);
	w->f.stale_list = true;
	w->f.listed = 1;
	w->f.reshard_at = 1;
	submit_many(w, 0, 100, 50, 100);
	close_world(w);
	assert_int_equal(w->reported, 100);
	assert_int_equal(w->failed, 100);
	assert_int_equal(w->f.nseen, 0);
	assert_string_equal(w->error, "wrong-shard");
	free_world(w);
}

static void random_trouble(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 120; seed++) {
		bool order_key = seed % 2, hide = seed % 5 == 0;
		unsigned partial = seed % 3 ? 20 : 0;
		struct puts_conf c = { .lanes = 1 + seed % 4,
			.batch_records = 1 + seed % 17,
			.linger_ms = seed % 3,
			.window_records = 16 + seed % 150,
			.order_key = order_key };
		struct world *w = world_new(&c, 1 + seed % 5);
		char row[64];
		snprintf(row, sizeof row, "seed %u", seed);
		w->f.seed = seed;
		w->f.partial = partial;
		w->f.whole = seed % 7 * 3;
		w->f.reshard = seed % 4 * 5;
		for (int i = 0; i < 600; i++) {
			char key[16];
			snprintf(key, sizeof key, "k%d", i % 23);
			if (hide && i % 100 == 50) {
				pthread_mutex_lock(&w->f.lock);
				w->f.no_list = !w->f.no_list;
				pthread_mutex_unlock(&w->f.lock);
			}
			submit(w, i, key, NULL, i % 37 ? 20 : 30000);
		}
		close_world(w);
		check_seen(row, w, 600, 23, order_key && !hide, hide);
		free_world(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_for_a_shard_share_an_entry),
		cmocka_unit_test(sizes_keep_their_bounds),
		cmocka_unit_test(explicit_hash_keys_decide),
		cmocka_unit_test(one_alone_is_put_as_it_is),
		cmocka_unit_test(after_a_split_what_went_wrong_is_sent_again),
		cmocka_unit_test(after_a_merge_nothing_is_sent_again),
		cmocka_unit_test(without_a_list_they_go_one_by_one),
		cmocka_unit_test(a_list_that_stays_wrong_ends_in_giving_up),
		cmocka_unit_test(random_trouble),
	};
	return cmocka_run_group_tests_name("puts_pack", tests, NULL, NULL);
}
