/* user_state.c - gather what is known of one user. */
#include "local/user_state.h"

#include <string.h>
#include <strings.h>

#include "base/av.h"
#include "base/clock.h"

static int load_events(struct user_state *u, struct db *d, const char *key, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT recent, bought FROM agent_user WHERE key = ?1", e);

	if (!st)
		return -1;
	db_text(st, 1, key);
	int rc = db_step(d, st, e);
	if (rc != 1)
		return rc;
	counts_user_parse((const char *)sqlite3_column_text(st, 0), (const char *)sqlite3_column_text(st, 1),
		&u->events);
	sqlite3_reset(st);
	return 0;
}

static const char *column_dup(struct arena *a, sqlite3_stmt *st, int i)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	return arena_dup(a, s ? s : "", (size_t)sqlite3_column_bytes(st, i));
}

static int events_as_recent(struct user_state *u, struct db *d, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT item, category FROM agent_item WHERE id = ?1", e);
	int64_t now = clock_now_us();

	for (size_t i = 0; st && i < u->events.nrecent; i++) {
		const struct counts_seen *s = &u->events.recent[i];
		sqlite3_bind_int64(st, 1, s->id);
		int rc = db_step(d, st, e);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		u->recent_id[u->nrecent] = s->id;
		u->recent[u->nrecent++] = (struct rank_recent){ .item_id = column_dup(a, st, 0),
			.category = column_dup(a, st, 1),
			.type = arena_dup(a, s->type, strlen(s->type)),
			.age_s = s->us < now ? (double)(now - s->us) / 1e6 : 0 };
		sqlite3_reset(st);
	}
	return st ? 0 : -1;
}

/* The prompt's items have no ids, and a template of one's own may leave out the category. */
static int look_up_recent(struct user_state *u, struct db *d, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT id, category FROM agent_item WHERE item = ?1", e);

	for (size_t i = 0; st && i < u->nrecent; i++) {
		db_text(st, 1, u->recent[i].item_id);
		int rc = db_step(d, st, e);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		u->recent_id[i] = sqlite3_column_int64(st, 0);
		if (!*u->recent[i].category)
			u->recent[i].category = column_dup(a, st, 1);
		sqlite3_reset(st);
	}
	return st ? 0 : -1;
}

static void take_purchases(struct user_state *u, struct arena *a, const cJSON *item)
{
	const cJSON *history = av_get(item, "history", "L"), *entry;
	size_t cap = (size_t)cJSON_GetArraySize(history);

	u->bought = arena_alloc(a, (cap + 1) * sizeof *u->bought);
	cJSON_ArrayForEach(entry, history)
	{
		const cJSON *map = cJSON_GetObjectItemCaseSensitive(entry, "M");
		const char *type = av_get_s(map, "event_type"), *id = av_get_s(map, "item_id");
		if (type && id && !strcasecmp(type, "purchase"))
			u->bought[u->nbought++] = arena_dup(a, id, strlen(id));
	}
}

static int load_profile(struct user_state *u, struct db *d, struct arena *a, const char *profiles,
	const char *key, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d,
		"SELECT i.item FROM tbl t JOIN item i ON i.tbl = t.id WHERE t.name = ?1 AND i.key = ?2", e);

	if (!st)
		return -1;
	db_text(st, 1, profiles);
	db_text(st, 2, key);
	int rc = db_step(d, st, e);
	if (rc != 1)
		return rc;
	const char *text = (const char *)sqlite3_column_text(st, 0);
	cJSON *item = json_tree(text ? text : "", (size_t)sqlite3_column_bytes(st, 0), NULL);
	sqlite3_reset(st);
	if (item)
		take_purchases(u, a, item);
	cJSON_Delete(item);
	return 0;
}

int user_state_load(struct user_state *u, struct db *d, struct arena *arena, const struct agent_question *q,
	struct err *e)
{
	const char *key = q->key ? q->key : "";

	u->nrecent = prompt_lines(arena, q->prompt, q->prompt_len, u->recent);
	if (load_events(u, d, key, e) ||
		load_profile(u, d, arena, q->profiles ? q->profiles : "user-profiles", key, e))
		return -1;
	return u->nrecent ? look_up_recent(u, d, arena, e) : events_as_recent(u, d, arena, e);
}

bool user_state_refuses_id(const struct user_state *u, int64_t id)
{
	for (size_t i = 0; i < u->events.nbought; i++)
		if (u->events.bought[i] == id)
			return true;
	for (size_t i = u->events.nrecent; i-- > 0;)
		if (u->events.recent[i].id == id)
			return !strcasecmp(u->events.recent[i].type, "skip");
	return false;
}

bool user_state_refuses(const struct user_state *u, const char *item_id)
{
	for (size_t i = 0; i < u->nbought; i++)
		if (!strcmp(u->bought[i], item_id))
			return true;
	return false;
}
