/* store_agent.c - the agent contract on the embedded store: gather candidates from the counts, rank, print. */
#include "local/local.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "local/counts.h"
#include "base/map.h"
#include "local/prompt_lines.h"
#include "local/user_state.h"

#define CATCH_UP_MS 250  /* one question counts so long at most; the next goes on */
#define NEAR_USED 20     /* neighbours looked at per recent item */
#define CATEGORIES_MAX 3 /* of the latest interactions */
#define COUNT_DEFAULT 5
#define COUNT_MAX 100

struct local_agent {
	struct agent base;
	struct store *store;
	pthread_mutex_t counting; /* one thread counts, the others answer from what there is */
};

struct candidates {
	struct rank_candidate *v;
	size_t n, cap;
	struct map by_id; /* to the index */
	double *best;     /* the largest single contribution to near, per candidate */
};

struct gather { /* one question */
	struct db *d;
	struct arena *arena;
	const struct user_state *user;
	struct candidates c;
	int64_t most; /* items asked of each list, so many that enough are left after exclusions */
	struct err *e;
};

static void catch_up(struct local_agent *a, const char *key_name)
{
	int64_t until = clock_mono_ms() + CATCH_UP_MS;
	bool more = true;

	while (more && clock_mono_ms() < until) {
		struct err e = { 0 };
		struct db *d = store_reader(a->store, &e);
		int behind = d ? counts_behind(d, &e) : -1;
		store_reader_done(a->store, d);
		if (behind != 1 || pthread_mutex_trylock(&a->counting))
			return;
		/* What can't be counted now is counted by a later question; the answer does not depend on it. */
		if (counts_step(a->store, key_name, &more, &e))
			more = false;
		pthread_mutex_unlock(&a->counting);
	}
}

static struct rank_candidate *candidate_at(struct gather *g, int64_t id, size_t *index)
{
	int64_t *key = arena_alloc(g->arena, sizeof *key);
	*key = id;
	struct map_entry *at = map_at(&g->c.by_id, g->arena, key, sizeof *key);

	if (!at->value) {
		if (g->c.n == g->c.cap) {
			g->c.cap = g->c.cap ? g->c.cap * 2 : 256;
			g->c.v = mem_realloc(g->c.v, g->c.cap * sizeof *g->c.v);
			g->c.best = mem_realloc(g->c.best, g->c.cap * sizeof *g->c.best);
		}
		g->c.v[g->c.n] = (struct rank_candidate){ 0 };
		g->c.best[g->c.n] = 0;
		/* Its place, not its address: the list moves as it grows. */
		size_t *place = arena_alloc(g->arena, sizeof *place);
		*place = g->c.n++;
		at->value = place;
	}
	*index = *(size_t *)at->value;
	return &g->c.v[*index];
}

/* Columns: id, item, category, score. */
static void add_row(struct gather *g, sqlite3_stmt *st)
{
	int64_t id = sqlite3_column_int64(st, 0);
	size_t i;

	if (user_state_refuses_id(g->user, id))
		return;
	struct rank_candidate *c = candidate_at(g, id, &i);
	if (c->item_id)
		return;
	const char *item = (const char *)sqlite3_column_text(st, 1);
	c->item_id = arena_dup(g->arena, item ? item : "", (size_t)sqlite3_column_bytes(st, 1));
	const char *category = (const char *)sqlite3_column_text(st, 2);
	c->category = arena_dup(g->arena, category ? category : "", (size_t)sqlite3_column_bytes(st, 2));
	c->popularity = fmax(sqlite3_column_double(st, 3), 0);
}

static int add_rows(struct gather *g, sqlite3_stmt *st)
{
	int rc;

	while ((rc = db_step(g->d, st, g->e)) == 1)
		add_row(g, st);
	return rc;
}

static int add_popular(struct gather *g)
{
	sqlite3_stmt *st = db_stmt(
		g->d, "SELECT id, item, category, score FROM agent_item ORDER BY score DESC LIMIT ?1", g->e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, g->most);
	return add_rows(g, st);
}

static int add_category(struct gather *g, const char *category)
{
	sqlite3_stmt *st = db_stmt(g->d,
		"SELECT id, item, category, score FROM agent_item WHERE category = ?1"
		" ORDER BY score DESC LIMIT ?2",
		g->e);

	if (!st)
		return -1;
	db_text(st, 1, category);
	sqlite3_bind_int64(st, 2, g->most);
	return add_rows(g, st);
}

/* The categories of the latest interactions, newest first. */
static int add_categories(struct gather *g)
{
	const char *done[CATEGORIES_MAX];
	size_t n = 0;

	for (size_t i = g->user->nrecent; i-- > 0 && n < CATEGORIES_MAX;) {
		const struct rank_recent *r = &g->user->recent[i];
		bool known = !*r->category || rank_event_weight(r->type) <= 0;
		for (size_t k = 0; k < n; k++)
			known = known || !strcmp(done[k], r->category);
		if (known)
			continue;
		done[n++] = r->category;
		if (add_category(g, r->category))
			return -1;
	}
	return 0;
}

/* What goes with one recent item, as shares of all that goes with it. */
static int add_near_of(struct gather *g, const struct rank_recent *r, int64_t id, double weight)
{
	struct counts_near near[COUNTS_NEAR];
	double total = 0;
	sqlite3_stmt *st = db_stmt(g->d, "SELECT near FROM agent_near WHERE id = ?1", g->e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	int rc = db_step(g->d, st, g->e);
	if (rc != 1)
		return rc;
	size_t n = counts_near_parse((const char *)sqlite3_column_text(st, 0), near, COUNTS_NEAR);
	sqlite3_reset(st);
	for (size_t i = 0; i < n; i++)
		total += (double)near[i].weight;
	for (size_t i = 0; i < n && i < NEAR_USED; i++) {
		size_t at;
		if (user_state_refuses_id(g->user, near[i].id))
			continue;
		struct rank_candidate *c = candidate_at(g, near[i].id, &at);
		double part = weight * (double)near[i].weight / total;
		c->near += part;
		if (part > g->c.best[at]) {
			g->c.best[at] = part;
			c->because = r->item_id;
		}
	}
	return 0;
}

static int add_near(struct gather *g)
{
	const struct user_state *u = g->user;

	for (size_t i = 0; i < u->nrecent; i++) {
		double weight = rank_recency(u->recent, u->nrecent, i) * rank_event_weight(u->recent[i].type);
		if (weight > 0 && u->recent_id[i] && add_near_of(g, &u->recent[i], u->recent_id[i], weight))
			return -1;
	}
	return 0;
}

/* Neighbours come as ids only. */
static int name_candidates(struct gather *g)
{
	sqlite3_stmt *st =
		db_stmt(g->d, "SELECT id, item, category, score FROM agent_item WHERE id = ?1", g->e);

	for (size_t i = 0; st && i < g->c.by_id.cap; i++) {
		const struct map_entry *at = &g->c.by_id.slot[i];
		if (!at->key || g->c.v[*(size_t *)at->value].item_id)
			continue;
		int64_t id;
		memcpy(&id, at->key, sizeof id);
		sqlite3_bind_int64(st, 1, id);
		if (add_rows(g, st))
			return -1;
	}
	return st ? 0 : -1;
}

/* Leave out what stayed without a name and what the user's texts exclude. */
static void drop_refused(struct gather *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->c.n; i++)
		if (g->c.v[i].item_id && !user_state_refuses(g->user, g->c.v[i].item_id))
			g->c.v[kept++] = g->c.v[i];
	g->c.n = kept;
}

static int gather(struct gather *g)
{
	if (add_near(g) || add_categories(g) || add_popular(g) || name_candidates(g))
		return -1;
	drop_refused(g);
	return 0;
}

static bool print_builtin(struct buf *answer)
{
	static const struct rank_candidate items[] = { { .item_id = "popular_001", .category = "general" },
		{ .item_id = "popular_002", .category = "general" },
		{ .item_id = "popular_003", .category = "general" } };
	struct rank_result results[ARRAY_LEN(items)];

	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		results[i] = (struct rank_result){ .item = &items[i], .confidence = 0.05 };
	return rank_print(answer, results, ARRAY_LEN(items));
}

static int answer_in(
	struct db *d, const struct agent_question *q, struct arena *arena, struct buf *answer, struct err *e)
{
	size_t count = q->count == 0 ? COUNT_DEFAULT : q->count > COUNT_MAX ? COUNT_MAX : q->count;
	struct rank_result results[COUNT_MAX];
	struct user_state user = { 0 };
	sqlite3_stmt *begin = db_stmt(d, "BEGIN", e);

	if (!begin || db_run(d, begin, e) || user_state_load(&user, d, arena, q, e))
		return -1;
	struct gather g = { .d = d, .arena = arena, .user = &user, .e = e };
	g.most = (int64_t)(count * 4 + user.nrecent + user.events.nbought + user.nbought);
	int rc = gather(&g);
	if (rc == 0) {
		size_t n = rank_items(user.recent, user.nrecent, g.c.v, g.c.n, results, count);
		bool ok = n ? rank_print(answer, results, n) : print_builtin(answer);
		rc = ok ? 0 : err_set(e, ERR_FAILED, "too-long", "the answer is too long");
	}
	free(g.c.v);
	free(g.c.best);
	return rc;
}

static int ask(struct agent *base, const struct agent_question *q, struct buf *answer, struct err *e)
{
	struct local_agent *a = (struct local_agent *)base;
	struct arena arena = { 0 };

	catch_up(a, q->key_name ? q->key_name : "user_id");
	struct db *d = store_reader(a->store, e);
	int rc = d ? answer_in(d, q, &arena, answer, e) : -1;
	store_reader_done(a->store, d);
	arena_release(&arena);
	return rc;
}

static void close_agent(struct agent *base)
{
	struct local_agent *a = (struct local_agent *)base;

	store_free(a->store);
	pthread_mutex_destroy(&a->counting);
	free(a);
}

int local_open_agent(const char *dir, struct agent **out, struct err *e)
{
	static const struct agent_ops ops = { .ask = ask, .close = close_agent };
	struct local_agent *a = mem_alloc(sizeof *a);

	(void)e;
	a->base.ops = &ops;
	snprintf(a->base.name, sizeof a->base.name, "the embedded agent");
	a->store = store_new(dir, false);
	pthread_mutex_init(&a->counting, NULL);
	*out = &a->base;
	return 0;
}
