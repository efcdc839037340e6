/* counts.c - one step of counting: read records, change the counts in memory, write what changed. */
#include "local/counts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/map.h"
#include "local/counted_event.h"
#include "rec/aggregate.h"
#include "rec/rank.h"

/* Popularity fades by half in two weeks. Instead of shrinking all old scores, new ones grow: the scores of items keep their
 * order, and a double has room until the year 2060. */
#define FADE_START_US (INT64_C(1735689600) * 1000000) /* 2025-01-01 */
#define FADE_HALF_US (14.0 * 24 * 3600 * 1e6)

struct item {
	int64_t id;
	const char *category;
	double score;
	bool dirty;
};
struct near {
	struct counts_near v[COUNTS_NEAR];
	size_t n;
	bool dirty;
};

struct step {
	struct db *d;
	struct err *e;
	struct arena arena;
	struct map items, nears, users; /* by item_id, by id, by key */
};

static size_t parse_near(const char *text, struct counts_near *out, size_t most)
{
	size_t n = 0;

	while (n < most && *text) {
		char *end;
		out[n].id = strtoll(text, &end, 10);
		if (*end != ':')
			break;
		out[n++].weight = strtoll(end + 1, &end, 10);
		text = *end == ' ' ? end + 1 : end;
		if (*end != ' ')
			break;
	}
	return n;
}

size_t counts_near_parse(const char *text, struct counts_near *out, size_t most)
{
	return parse_near(text, out, most);
}

void counts_user_parse(const char *recent, const char *bought, struct counts_user *out)
{
	out->nrecent = out->nbought = 0;
	while (*recent && out->nrecent < COUNTS_RECENT) {
		struct counts_seen *s = &out->recent[out->nrecent];
		char *end;
		s->id = strtoll(recent, &end, 10);
		size_t n = *end == ':' ? strcspn(end + 1, ": ") : 0;
		if (n == 0 || n >= sizeof s->type || end[1 + n] != ':')
			break;
		memcpy(s->type, end + 1, n);
		s->type[n] = '\0';
		s->us = strtoll(end + 2 + n, &end, 10);
		out->nrecent++;
		recent = *end == ' ' ? end + 1 : "";
	}
	while (*bought && out->nbought < COUNTS_BOUGHT) {
		char *end;
		out->bought[out->nbought++] = strtoll(bought, &end, 10);
		bought = *end == ' ' ? end + 1 : "";
	}
}

int counts_behind(struct db *d, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT t.seq > p.seq FROM tip t, agent_position p", e);

	if (!st || db_step(d, st, e) != 1)
		return -1;
	int behind = sqlite3_column_int(st, 0);
	sqlite3_reset(st);
	return behind;
}

static int item_insert(struct step *s, const char *text, const char *category, int64_t *id)
{
	sqlite3_stmt *st =
		db_stmt(s->d, "INSERT INTO agent_item(item, category, score) VALUES(?1, ?2, 0)", s->e);

	if (!st)
		return -1;
	db_text(st, 1, text);
	db_text(st, 2, category);
	if (db_run(s->d, st, s->e))
		return -1;
	*id = sqlite3_last_insert_rowid(s->d->h);
	return 0;
}

static struct item *item_at(struct step *s, const char *text, const char *category)
{
	struct map_entry *at = map_at(&s->items, &s->arena, text, strlen(text));
	sqlite3_stmt *st;

	if (at->value)
		return at->value;
	struct item *it = arena_alloc(&s->arena, sizeof *it);
	*it = (struct item){ .category = category };
	st = db_stmt(s->d, "SELECT id, category, score FROM agent_item WHERE item = ?1", s->e);
	if (!st)
		return NULL;
	db_text(st, 1, text);
	int rc = db_step(s->d, st, s->e);
	if (rc == 1) {
		const char *stored = (const char *)sqlite3_column_text(st, 1);
		it->id = sqlite3_column_int64(st, 0);
		it->category =
			arena_dup(&s->arena, stored ? stored : "", (size_t)sqlite3_column_bytes(st, 1));
		it->score = sqlite3_column_double(st, 2);
		sqlite3_reset(st);
	} else if (rc < 0 || item_insert(s, text, category, &it->id)) {
		return NULL;
	}
	at->value = it;
	return it;
}

static struct near *near_at(struct step *s, int64_t id)
{
	struct map_entry *at = map_at(&s->nears, &s->arena, &id, sizeof id);

	if (at->value)
		return at->value;
	at->key = arena_dup(&s->arena, &id, sizeof id);
	struct near *near = arena_alloc(&s->arena, sizeof *near);
	near->n = 0;
	near->dirty = false;
	sqlite3_stmt *st = db_stmt(s->d, "SELECT near FROM agent_near WHERE id = ?1", s->e);
	if (!st)
		return NULL;
	sqlite3_bind_int64(st, 1, id);
	int rc = db_step(s->d, st, s->e);
	if (rc < 0)
		return NULL;
	if (rc == 1) {
		near->n = parse_near((const char *)sqlite3_column_text(st, 0), near->v, COUNTS_NEAR);
		sqlite3_reset(st);
	}
	at->value = near;
	return near;
}

/* A full list gives up its lightest neighbour, whose weight the new one inherits ("space saving"): what
 * is visited together often gets to stay although only so many are kept. */
static int near_add(struct step *s, int64_t id, int64_t other, int64_t weight)
{
	struct near *near = near_at(s, id);
	size_t least = 0, i;

	if (!near)
		return -1;
	near->dirty = true;
	for (i = 0; i < near->n && near->v[i].id != other; i++)
		if (near->v[i].weight < near->v[least].weight)
			least = i;
	if (i == near->n && near->n == COUNTS_NEAR) {
		i = least;
		near->v[i].id = other;
	} else if (i == near->n) {
		near->v[near->n++] = (struct counts_near){ .id = other };
	}
	near->v[i].weight += weight;
	return 0;
}

static struct counts_user *user_at(struct step *s, const char *key)
{
	struct map_entry *at = map_at(&s->users, &s->arena, key, strlen(key));

	if (at->value)
		return at->value;
	struct counts_user *user = arena_alloc(&s->arena, sizeof *user);
	user->nrecent = user->nbought = 0;
	sqlite3_stmt *st = db_stmt(s->d, "SELECT recent, bought FROM agent_user WHERE key = ?1", s->e);
	if (!st)
		return NULL;
	db_text(st, 1, key);
	int rc = db_step(s->d, st, s->e);
	if (rc < 0)
		return NULL;
	if (rc == 1) {
		counts_user_parse((const char *)sqlite3_column_text(st, 0),
			(const char *)sqlite3_column_text(st, 1), user);
		sqlite3_reset(st);
	}
	at->value = user;
	return user;
}

static void user_bought(struct counts_user *u, int64_t id)
{
	for (size_t i = 0; i < u->nbought; i++)
		if (u->bought[i] == id)
			return;
	if (u->nbought == COUNTS_BOUGHT)
		memmove(u->bought, u->bought + 1, --u->nbought * sizeof *u->bought);
	u->bought[u->nbought++] = id;
}

static void user_saw(struct counts_user *u, int64_t id, const char *type, int64_t us)
{
	if (u->nrecent == COUNTS_RECENT)
		memmove(u->recent, u->recent + 1, --u->nrecent * sizeof *u->recent);
	struct counts_seen *seen = &u->recent[u->nrecent++];
	*seen = (struct counts_seen){ .id = id, .us = us };
	snprintf(seen->type, sizeof seen->type, "%s", type);
}

/* Count the item together with the user's few items before it. */
static int together(struct step *s, const struct counts_user *u, int64_t id, int weight)
{
	int64_t done[COUNTS_TOGETHER];
	size_t n = 0;

	for (size_t i = u->nrecent; i-- > 0 && n < COUNTS_TOGETHER;) {
		int64_t other = u->recent[i].id;
		bool known = other == id || rank_event_weight(u->recent[i].type) <= 0;
		for (size_t k = 0; k < n; k++)
			known = known || done[k] == other;
		if (known)
			continue;
		done[n++] = other;
		if (near_add(s, id, other, weight) || near_add(s, other, id, weight))
			return -1;
	}
	return 0;
}

static int count_event(struct step *s, const struct counted_event *ev, const char *key, int64_t us)
{
	struct item *it = item_at(s, ev->item, ev->category);
	struct counts_user *user = user_at(s, key);
	int weight = rank_event_weight(ev->type);

	if (!it || !user)
		return -1;
	it->dirty = true;
	it->score += weight * exp2(fmin(fmax((double)(us - FADE_START_US) / FADE_HALF_US, -900), 900));
	if (*ev->category)
		it->category = ev->category;
	if (weight > 0 && together(s, user, it->id, weight))
		return -1;
	user_saw(user, it->id, ev->type, us);
	if (!strcasecmp(ev->type, "purchase"))
		user_bought(user, it->id);
	return 0;
}

static int write_items(struct step *s)
{
	sqlite3_stmt *st =
		db_stmt(s->d, "UPDATE agent_item SET category = ?2, score = ?3 WHERE id = ?1", s->e);
	int rc = st ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < s->items.cap; i++) {
		const struct item *it = s->items.slot[i].value;
		if (!it || !it->dirty)
			continue;
		sqlite3_bind_int64(st, 1, it->id);
		db_text(st, 2, it->category);
		sqlite3_bind_double(st, 3, it->score);
		rc = db_run(s->d, st, s->e);
	}
	return rc;
}

static int heavier(const void *pa, const void *pb)
{
	const struct counts_near *a = pa, *b = pb;

	if (a->weight != b->weight)
		return a->weight < b->weight ? 1 : -1;
	return (a->id > b->id) - (a->id < b->id);
}

static int write_nears(struct step *s)
{
	sqlite3_stmt *st = db_stmt(s->d, "INSERT OR REPLACE INTO agent_near(id, near) VALUES(?1, ?2)", s->e);
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	int rc = st ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < s->nears.cap; i++) {
		struct near *near = s->nears.slot[i].value;
		int64_t id;
		if (!near || !near->dirty)
			continue;
		memcpy(&id, s->nears.slot[i].key, sizeof id);
		qsort(near->v, near->n, sizeof *near->v, heavier);
		buf_reset(&text);
		for (size_t k = 0; k < near->n; k++)
			buf_printf(&text, "%s%" PRId64 ":%" PRId64, k ? " " : "", near->v[k].id,
				near->v[k].weight);
		sqlite3_bind_int64(st, 1, id);
		db_text(st, 2, text.p);
		rc = db_run(s->d, st, s->e);
	}
	buf_release(&text);
	return rc;
}

static void print_user(const struct counts_user *u, struct buf *recent, struct buf *bought)
{
	buf_reset(recent);
	buf_reset(bought);
	buf_str(recent, "");
	buf_str(bought, "");
	for (size_t i = 0; i < u->nrecent; i++)
		buf_printf(recent, "%s%" PRId64 ":%s:%" PRId64, i ? " " : "", u->recent[i].id,
			u->recent[i].type, u->recent[i].us);
	for (size_t i = 0; i < u->nbought; i++)
		buf_printf(bought, "%s%" PRId64, i ? " " : "", u->bought[i]);
}

static int write_users(struct step *s)
{
	sqlite3_stmt *st = db_stmt(
		s->d, "INSERT OR REPLACE INTO agent_user(key, recent, bought) VALUES(?1, ?2, ?3)", s->e);
	struct buf recent = BUF_INIT(BUF_MAX_SMALL), bought = BUF_INIT(BUF_MAX_SMALL);
	int rc = st ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < s->users.cap; i++) {
		const struct map_entry *at = &s->users.slot[i];
		if (!at->value)
			continue;
		print_user(at->value, &recent, &bought);
		sqlite3_bind_text(st, 1, at->key, (int)at->keylen, SQLITE_STATIC);
		sqlite3_bind_text(st, 2, recent.p ? recent.p : "", (int)recent.len, SQLITE_STATIC);
		sqlite3_bind_text(st, 3, bought.p ? bought.p : "", (int)bought.len, SQLITE_STATIC);
		rc = db_run(s->d, st, s->e);
	}
	buf_release(&recent);
	buf_release(&bought);
	return rc;
}

static int count_data(struct step *s, const char *key_name, const char *key, size_t key_len, const char *data,
	size_t n, int64_t arrival_us)
{
	struct counted_event ev;

	if (!counted_event(&s->arena, data, n, key_name, &ev))
		return 0;
	if (!ev.key)
		ev.key = arena_dup(&s->arena, key, key_len);
	return count_event(s, &ev, ev.key, arrival_us);
}

/* A record, or each of those in it. Columns: seq, arrival_us, key, data. */
static int count_record(struct step *s, const char *key_name, sqlite3_stmt *st)
{
	const char *data = sqlite3_column_blob(st, 3), *key = (const char *)sqlite3_column_text(st, 2);
	size_t n = (size_t)sqlite3_column_bytes(st, 3), key_len = (size_t)sqlite3_column_bytes(st, 2);
	int64_t arrival_us = sqlite3_column_int64(st, 1);
	struct aggregate a;
	struct user_record u;
	int rc = 0;

	if (!data)
		return 0;
	if (!aggregate_open(&a, data, n))
		return count_data(s, key_name, key ? key : "", key_len, data, n, arrival_us);
	while (rc == 0 && aggregate_next(&a, &u))
		rc = count_data(s, key_name, u.key, u.key_len, u.data, u.len, arrival_us);
	aggregate_close(&a);
	return rc;
}

/* Read the next records; *position becomes the last one's, or the store's tip when that is reached. */
static int read_records(struct step *s, const char *key_name, int64_t *position, bool *more)
{
	sqlite3_stmt *st = db_stmt(s->d,
		"SELECT seq, arrival_us, key, data FROM record WHERE seq > (SELECT seq FROM agent_position)"
		" ORDER BY seq LIMIT ?1",
		s->e);
	int64_t n = 0;
	int rc;

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, COUNTS_STEP);
	while ((rc = db_step(s->d, st, s->e)) == 1) {
		n++;
		*position = sqlite3_column_int64(st, 0);
		if (count_record(s, key_name, st)) {
			rc = -1;
			break;
		}
	}
	sqlite3_reset(st);
	*more = n == COUNTS_STEP;
	return rc;
}

static int write_position(struct step *s, int64_t position, bool at_tip)
{
	sqlite3_stmt *st = db_stmt(s->d,
		"UPDATE agent_position SET seq = CASE WHEN ?2 THEN (SELECT seq FROM tip) ELSE ?1 END", s->e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, position);
	sqlite3_bind_int(st, 2, at_tip);
	return db_run(s->d, st, s->e);
}

int counts_step(struct store *store, const char *key_name, bool *more, struct err *e)
{
	struct step s = { .e = e };
	int64_t position = 0;

	*more = false;
	s.d = store_begin(store, false, e);
	if (!s.d)
		return -1;
	int rc = read_records(&s, key_name, &position, more);
	if (rc == 0)
		rc = write_items(&s);
	if (rc == 0)
		rc = write_nears(&s);
	if (rc == 0)
		rc = write_users(&s);
	if (rc == 0)
		rc = write_position(&s, position, !*more);
	rc = store_end(store, s.d, rc, e);
	arena_release(&s.arena);
	return rc;
}
