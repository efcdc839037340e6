/* shards_rows.c - which lease rows there must be: missing ones are made, children of what has ended named, old ones deleted.
 *
 * Rows are made oldest generation first; a child's row appears when a parent ends (KCL's rule), so a table that another
 * program goes on with is never ahead of what was read. */
#include "flow/shards_int.h"

#include "base/digest.h"
#include "base/log.h"

#include <string.h>

#define CLEAN_MS 300000    /* between two cleanings, and the least age of an ended row */
#define GARBAGE_MS 1800000 /* of one whose shard is gone */

static bool row_over(const struct fshard *p)
{
	return lease_is_end(&p->lease) || p->state == FS_ENDED ||
	       (p->state == FS_ENDING && (p->closed || !p->listed));
}

/* A child of a parent with a row: from its first record, unless the parent had nothing behind the time asked for. With two
 * parents it waits until both have rows: a parent without one counts as expired, and would not be waited for. One that is no
 * longer listed never gets one. */
static bool child_start(const struct fshard *s, struct position *start)
{
	bool over = false, late = false, lacking = false;
	int64_t ms = 0;
	for (int i = 0; i < 2; i++) {
		const struct fshard *p = s->up[i];
		if (!p || !p->has_lease) {
			lacking = lacking || (p && p->listed);
			continue;
		}
		over = over || row_over(p);
		late = late || p->handed || !p->lease.initial_ms ||
		       (lease_begun(&p->lease) && !lease_is_end(&p->lease));
		ms = p->lease.initial_ms;
	}
	*start = (struct position){ .kind = late ? POS_TRIM_HORIZON : POS_AT_TIME, .time_ms = late ? 0 : ms };
	return over && !lacking;
}

/* Where a group starts: what an earlier, interrupted start resolved, else what was asked for. In a table that has rows, a
 * shard without relatives there is one whose ancestors' rows were cleaned up, or have expired with their shards: nobody has
 * read it, whatever was asked for at the start. */
static struct position first_start(const struct follow *f)
{
	struct position p = { .kind = POS_TRIM_HORIZON };
	for (size_t i = 0; i < f->leases.n; i++)
		if (f->leases.v[i].initial_ms) {
			p.kind = POS_AT_TIME;
			p.time_ms = f->leases.v[i].initial_ms;
			return p;
		}
	if (f->leases.n)
		return p;
	if (f->c.since.kind == WHEN_LATEST) {
		p.kind = POS_LATEST;
		p.time_ms = f->start_ms;
	} else if (f->c.since.kind == WHEN_TIME) {
		p.kind = POS_AT_TIME;
		p.time_ms = f->c.since.us / 1000 > 0 ? f->c.since.us / 1000 : 1;
	}
	return p;
}

static bool wants_row(struct follow *f, const struct fshard *s, struct position *start)
{
	if (s->has_lease || !s->listed)
		return false;
	if ((s->up[0] && s->up[0]->has_lease) || (s->up[1] && s->up[1]->has_lease))
		return child_start(s, start);
	/* An old shard whose row was cleaned up long ago must not be read again: its descendants tell. */
	if (follow_relative_leased(f, s))
		return false;
	*start = first_start(f);
	return start->kind != POS_LATEST || !s->closed;
}

/* Of a shard that has ended here, before its end is handed on and then committed. */
static int name_children(struct follow *f, const struct fshard *s, struct err *e)
{
	const char *ids[2];
	size_t n = 0;
	pthread_mutex_lock(&f->mu);
	bool due = s->owned && s->state == FS_ENDING && row_over(s) && !s->lease.children[0][0];
	for (struct fshard *c = s->down; due && c && n < 2; c = follow_child(s, c))
		ids[n++] = c->s.id;
	pthread_mutex_unlock(&f->mu);
	return n ? lease_set_children(f->c.group, s->s.id, ids, n, e) : 0;
}

/* Lists come parents first, so a row made here keeps its descendants from getting one. */
int group_rows(struct follow *f, bool *made, struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		struct position start;
		struct fshard *s = f->v[i];
		pthread_mutex_lock(&f->mu);
		bool wants = wants_row(f, s, &start);
		pthread_mutex_unlock(&f->mu);
		if (!wants)
			continue;
		if (lease_create(f->c.group, &s->s, f->arn, f->created_s, &start, e))
			return -1;
		s->has_lease = *made = true;
		s->lease.initial_ms = start.time_ms; /* child_start asks before the next scan */
	}
	for (size_t i = 0; i < f->n; i++)
		if (name_children(f, f->v[i], e))
			return -1;
	return 0;
}

/* ---- cleaning ---- */

static bool aged(const struct follow *f, const struct lease *row, int64_t ms)
{
	int64_t at = row->checkpointed_ms_epoch;
	return !at || table_now_ms(f->c.group) - at > ms;
}

/* KCL's rule for what is done with: no row of a parent, and each child begun, so that nothing leads back to it. */
static bool is_spent(const struct follow *f, const struct lease *row)
{
	size_t children = 0;
	for (int i = 0; i < 2; i++)
		if (row->parents[i][0] && leases_find(&f->leases, row->parents[i]))
			return false;
	for (int i = 0; i < 2; i++) {
		const struct lease *child =
			row->children[i][0] ? leases_find(&f->leases, row->children[i]) : NULL;
		if (row->children[i][0] && (!child || !lease_begun(child)))
			return false;
		children += child != NULL;
	}
	return children && aged(f, row, CLEAN_MS);
}

/* The shard has gone with its retention. Its row still leads to children that have none yet. */
static bool is_garbage(const struct follow *f, const struct lease *row)
{
	const struct fshard *s = follow_find(f, row->shard_id);
	if (!s || s->listed || !aged(f, row, GARBAGE_MS))
		return false;
	for (const struct fshard *c = s->down; c; c = follow_child(s, c))
		if (c->listed && !c->has_lease)
			return false;
	return true;
}

static bool any_to_go_on(const struct leases *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!lease_is_end(&l->v[i]))
			return true;
	return false;
}

/* Streams are resharded daily, and what has ended must not stay for ever. An empty table would be a new group, so there must
 * be a row that goes on. f->leases still has what is deleted here: parents go now, their children the next time. */
int group_clean(struct follow *f, struct err *e)
{
	int64_t now = clock_mono_ms();
	if (now < f->clean_due_ms)
		return 0;
	f->clean_due_ms = now + CLEAN_MS + (int64_t)(random_unit() * CLEAN_MS / 10);
	for (size_t i = 0, n = any_to_go_on(&f->leases) ? f->leases.n : 0; i < n; i++) {
		const struct lease *row = &f->leases.v[i];
		if (!lease_is_end(row))
			continue;
		pthread_mutex_lock(&f->mu);
		bool gone = is_spent(f, row) || is_garbage(f, row);
		pthread_mutex_unlock(&f->mu);
		if (!gone)
			continue;
		log_note("%s: read to its end and followed by its children, its row goes", row->shard_id);
		if (lease_delete(f->c.group, row, e))
			return -1;
	}
	return 0;
}
