/* shards_group.c - the shard follower's leases: making rows, taking, renewing, losing, waiting for commits, giving up.
 *
 * Rows are made oldest generation first; a child's row appears when a parent ends (KCL's rule), so a table that another
 * program goes on with is never ahead of what was read. Shares between several workers: not yet. */
#include "flow/shards_int.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "flow/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool group_valid(const struct follow *f, const struct fshard *s)
{
	if (!f->c.group)
		return true;
	return s->owned && !atomic_load(&s->lost) && clock_mono_ms() - s->renewed_ms < f->c.failover_ms;
}

/* mu held. */
static void lose(struct follow *f, struct fshard *s, const char *to)
{
	s->owned = false;
	atomic_store(&s->lost, true);
	if (s->state != FS_BUSY)
		s->state = FS_LOST;
	if (*to)
		log_say("%s: lease lost to %s, reading it no further", s->s.id, to);
	else
		log_say("%s: lease given up by another process, reading it no further", s->s.id);
	follow_wake(f);
}

/* ---- renewing: on the ticker's thread, so that a blocked pipe does not lose leases ---- */

static void renewed(
	struct follow *f, struct fshard *s, const struct lease *l, int64_t at, int rc, const struct err *e)
{
	pthread_mutex_lock(&f->mu);
	if (!rc) {
		s->lease.counter = l->counter;
		s->lease.seen_ms = l->seen_ms;
		s->renewed_ms = at;
		pthread_cond_broadcast(&f->cond);
	} else if (cond_failed(e) && s->owned && !follow_ending(f)) {
		lose(f, s, "another worker");
	} else if (cond_failed(e)) {
		s->owned = false; /* released behind us, as ack does at the end */
	}
	pthread_mutex_unlock(&f->mu);
	if (!rc || cond_failed(e))
		log_outage("lease table", true, NULL);
	else
		log_outage("lease table", false, e);
}

void group_renew(void *arg)
{
	struct follow *f = arg;
	struct err e;
	pthread_mutex_lock(&f->mu);
	for (size_t i = 0; i < f->n; i++) {
		struct fshard *s = f->v[i];
		int64_t now = clock_mono_ms();
		if (!s->owned || now - s->renewed_ms < f->c.failover_ms / 3 - f->c.failover_ms / 20)
			continue;
		struct lease l = s->lease;
		pthread_mutex_unlock(&f->mu);
		err_clear(&e);
		int rc = lease_renew(f->c.group, &l, &e);
		renewed(f, s, &l, now, rc, &e);
		pthread_mutex_lock(&f->mu);
	}
	pthread_mutex_unlock(&f->mu);
}

/* ---- what a scan says ---- */

static struct fshard *from_row(struct follow *f, const struct lease *l)
{
	struct shard s = { 0 };
	memcpy(s.id, l->shard_id, sizeof s.id);
	memcpy(s.parent, l->parents[0], sizeof s.parent);
	memcpy(s.adjacent, l->parents[1], sizeof s.adjacent);
	return follow_add(f, &s);
}

static void adopt_row(struct follow *f, const struct lease *l)
{
	struct fshard *s = follow_find(f, l->shard_id);
	if (!s)
		s = from_row(f, l);
	s->has_lease = true;
	if (s->owned) {
		if (strcmp(l->owner, f->c.owner) != 0) {
			lose(f, s, l->owner);
			return;
		}
		memcpy(s->lease.checkpoint, l->checkpoint, sizeof l->checkpoint);
		s->lease.checkpoint_sub = l->checkpoint_sub;
		if (lease_is_end(l) && s->state == FS_ENDED)
			s->owned = false; /* all done: nothing to renew */
		return;
	}
	s->live = l->owner[0] && !strcmp(l->owner, s->lease.owner) && l->counter != s->lease.counter;
	s->lease = *l;
	if (lease_is_end(l) && (s->state == FS_NEW || s->state == FS_WAIT))
		s->state = FS_ENDED;
}

static int check_arn(const struct follow *f, const struct leases *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].stream_arn[0] && strcmp(l->v[i].stream_arn, f->arn) != 0)
			return err_set(e, ERR_USAGE, "", "group %s belongs to %s, not to %s",
				f->c.group->name, l->v[i].stream_arn, f->arn);
	return 0;
}

/* Rows of an earlier stream of this name: their sequence numbers would be refused, and what is in the new stream has never
 * been read. *any: some were there, and are gone now or someone else's business. */
static int drop_rows_of_earlier(struct follow *f, const struct leases *l, bool *any, struct err *e)
{
	*any = false;
	for (size_t i = 0; i < l->n; i++) {
		const struct lease *row = &l->v[i];
		if (!f->created_s || !row->stream_created_s || row->stream_created_s == f->created_s)
			continue;
		if (!f->said_anew)
			log_say("stream %s was made anew since group %s read it: starting over",
				f->c.stream->name, f->c.group->name);
		f->said_anew = *any = true;
		if (lease_delete(f->c.group, row, e))
			return -1;
	}
	return 0;
}

static int scan(struct follow *f, struct err *e)
{
	struct leases now;
	bool earlier;
	if (leases_scan(f->c.group, &f->leases, &now, e)) {
		if (!strcmp(e->code, "ResourceNotFoundException"))
			err_set(e, ERR_FAILED, "ResourceNotFoundException",
				"group %s does not exist; make it with: recagent setup --group %s",
				f->c.group->name, f->c.group->name);
		return -1;
	}
	leases_free(&f->leases);
	f->leases = now;
	if (check_arn(f, &now, e) || drop_rows_of_earlier(f, &now, &earlier, e))
		return -1;
	if (earlier)
		return scan(f, e);
	pthread_mutex_lock(&f->mu);
	for (size_t i = 0; i < f->n; i++)
		f->v[i]->has_lease = false;
	for (size_t i = 0; i < now.n; i++)
		adopt_row(f, &now.v[i]);
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i]->owned && !f->v[i]->has_lease)
			lose(f, f->v[i], "nobody: its row is gone");
	pthread_mutex_unlock(&f->mu);
	return 0;
}

/* ---- rows that are missing ---- */

/* A generation has several ways to the next one, so each relative is looked at once only: the paths through a stream that
 * was split and merged every day are more than can be walked. */
static bool relative_leased(struct follow *f, const struct fshard *s,
	bool is_relative(const struct fshard *near, const struct fshard *far))
{
	struct fshard **found = mem_array(f->n + 1, sizeof *found);
	size_t n = 0;
	bool leased = false;
	for (size_t i = 0; i < f->n; i++)
		f->v[i]->visited = f->v[i] == s;
	const struct fshard *near = s;
	for (size_t at = 0; near && !leased; near = at < n ? found[at++] : NULL)
		for (size_t i = 0; i < f->n && !leased; i++) {
			struct fshard *far = f->v[i];
			if (far->visited || !is_relative(near, far))
				continue;
			far->visited = true;
			found[n++] = far;
			leased = far->has_lease;
		}
	free(found);
	return leased;
}

static bool is_parent(const struct fshard *s, const struct fshard *p)
{
	return !strcmp(s->s.parent, p->s.id) || !strcmp(s->s.adjacent, p->s.id);
}

static bool is_child(const struct fshard *s, const struct fshard *c)
{
	return is_parent(c, s);
}

static bool row_over(const struct fshard *p)
{
	return lease_is_end(&p->lease) || p->state == FS_ENDED ||
	       (p->state == FS_ENDING && (p->closed || !p->listed));
}

/* A child of a parent with a row: from its first record, unless the parent had nothing behind the time asked for. With two
 * parents it waits until both have rows: a parent without one counts as expired, and would not be waited for. One that is no
 * longer listed never gets one. */
static bool child_start(const struct follow *f, const struct fshard *s, struct position *start)
{
	const struct fshard *p[2] = { follow_find(f, s->s.parent), follow_find(f, s->s.adjacent) };
	bool over = false, late = false, lacking = false;
	int64_t ms = 0;
	for (int i = 0; i < 2; i++) {
		if (!p[i] || !p[i]->has_lease) {
			lacking = lacking || (p[i] && p[i]->listed);
			continue;
		}
		over = over || row_over(p[i]);
		late = late || p[i]->handed || !p[i]->lease.initial_ms;
		ms = p[i]->lease.initial_ms;
	}
	*start = (struct position){ .kind = late ? POS_TRIM_HORIZON : POS_AT_TIME, .time_ms = late ? 0 : ms };
	return over && !lacking;
}

/* Where a group starts: what an earlier, interrupted start resolved, else what was asked for. */
static struct position first_start(const struct follow *f)
{
	struct position p = { .kind = POS_TRIM_HORIZON };
	for (size_t i = 0; i < f->leases.n; i++)
		if (f->leases.v[i].initial_ms) {
			p.kind = POS_AT_TIME;
			p.time_ms = f->leases.v[i].initial_ms;
			return p;
		}
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
	const struct fshard *p[2] = { follow_find(f, s->s.parent), follow_find(f, s->s.adjacent) };
	if (s->has_lease || !s->listed || s->state == FS_LOST)
		return false;
	if ((p[0] && p[0]->has_lease) || (p[1] && p[1]->has_lease))
		return child_start(f, s, start);
	/* An old shard whose row was cleaned up long ago must not be read again: its descendants tell. */
	if (relative_leased(f, s, is_parent) || relative_leased(f, s, is_child))
		return false;
	*start = first_start(f);
	return start->kind != POS_LATEST || !s->closed;
}

/* Lists come parents first, so a row made here keeps its descendants from getting one. */
static int make_rows(struct follow *f, bool *made, struct err *e)
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
	return 0;
}

/* ---- taking ---- */

static void say_waiting(struct follow *f, struct fshard *s)
{
	f->waiting = true;
	if (s->waited)
		return;
	bool said = false;
	for (size_t i = 0; i < f->n; i++)
		said = said || (f->v[i]->waited && !strcmp(f->v[i]->lease.owner, s->lease.owner));
	s->waited = true;
	if (!said)
		log_say("waiting for shards that %s holds", s->lease.owner);
}

static bool may_take(struct follow *f, struct fshard *s)
{
	if (!s->has_lease || s->owned || lease_is_end(&s->lease) ||
		(s->state != FS_NEW && s->state != FS_WAIT))
		return false;
	if (lease_expired(&s->lease, clock_mono_ms(), f->c.failover_ms) || owner_dead(s->lease.owner))
		return true;
	say_waiting(f, s);
	return false;
}

static void taken(struct follow *f, struct fshard *s, const struct lease *l, int64_t at)
{
	struct position p = lease_position(l);
	if (!strcmp(l->checkpoint, CP_AT_TIMESTAMP) && !l->initial_ms && f->c.since.kind == WHEN_TIME) {
		p.kind = POS_AT_TIME;
		p.time_ms = f->c.since.us / 1000;
	}
	s->lease = *l;
	s->state = FS_ENDED;
	if (lease_is_end(l))
		return;
	s->owned = true;
	s->live = false;
	s->renewed_ms = at;
	s->state = FS_WAIT;
	follow_begin(s, &p);
}

static int take(struct follow *f, struct err *e)
{
	f->waiting = false;
	for (size_t i = 0; i < f->n; i++) {
		struct fshard *s = f->v[i];
		pthread_mutex_lock(&f->mu);
		bool may = may_take(f, s);
		struct lease l = s->lease;
		pthread_mutex_unlock(&f->mu);
		if (!may)
			continue;
		int64_t at = clock_mono_ms();
		if (lease_take(f->c.group, &l, f->c.owner, e)) {
			if (!cond_failed(e) && e->cls != ERR_LEASE_LOST)
				return -1;
			f->waiting = true;
			continue;
		}
		pthread_mutex_lock(&f->mu);
		taken(f, s, &l, at);
		pthread_mutex_unlock(&f->mu);
	}
	return 0;
}

int group_pass(struct follow *f, struct err *e)
{
	bool made = false;
	if (!f->arn[0]) {
		struct stream_info info = { 0 };
		if (stream_describe(f->c.stream, &info, e))
			return -1;
		snprintf(f->arn, sizeof f->arn, "%s", info.arn[0] ? info.arn : f->c.stream->name);
		f->created_s = info.created_s;
	}
	int rc = scan(f, e);
	if (!rc)
		rc = make_rows(f, &made, e);
	if (!rc && made)
		rc = scan(f, e);
	return rc ? rc : take(f, e);
}

/* ---- the end ---- */

/* Does the row hold all that was handed on of the shard? */
static bool caught_up(const struct fshard *s, const struct lease *row)
{
	if (lease_is_end(row) || s->state == FS_ENDED)
		return lease_is_end(row);
	return !s->handed ||
	       checkpoint_compare(row->checkpoint, row->checkpoint_sub, s->last_seq, s->last_sub) >= 0;
}

static bool all_caught_up(struct follow *f, const struct leases *rows)
{
	bool all = true;
	pthread_mutex_lock(&f->mu);
	for (size_t i = 0; i < f->n; i++) {
		const struct lease *row = leases_find(rows, f->v[i]->s.id);
		if (f->v[i]->owned && row && !strcmp(row->owner, f->c.owner) && !caught_up(f->v[i], row))
			all = false;
	}
	pthread_mutex_unlock(&f->mu);
	return all;
}

void follow_drain(struct follow *f)
{
	if (!f->c.group)
		return;
	int64_t age = stop_age_ms(); /* some of --grace may have gone into a slow pipe already */
	int64_t until = clock_mono_ms() + f->c.grace_ms - (age > 0 ? age : 0), pause = 20;
	for (;;) {
		struct err e = { 0 };
		struct leases rows = { 0 };
		bool done = !leases_scan(f->c.group, NULL, &rows, &e) && all_caught_up(f, &rows);
		leases_free(&rows);
		int64_t left = until - clock_mono_ms();
		if (done || left <= 0)
			return;
		struct timespec t = { .tv_nsec = (long)(pause < left ? pause : left) * 1000000 };
		nanosleep(&t, NULL); /* not cut short by the signal that brought us here */
		pause = pause < 400 ? pause * 2 : 400;
	}
}

void group_release(struct follow *f)
{
	struct err e = { 0 };
	struct leases rows = { 0 };
	bool any = false;
	for (size_t i = 0; i < f->n; i++)
		any = any || f->v[i]->owned;
	if (!any || leases_scan(f->c.group, NULL, &rows, &e))
		return;
	for (size_t i = 0; i < f->n; i++) {
		const struct fshard *s = f->v[i];
		const struct lease *row = leases_find(&rows, s->s.id);
		if (!s->owned || !row || strcmp(row->owner, f->c.owner) != 0 || !caught_up(s, row))
			continue;
		/* A false condition: ack was quicker, or another worker. */
		if (lease_release(f->c.group, row, &e) && !cond_failed(&e))
			log_note("%s: lease not given up: %s", s->s.id, e.msg);
	}
	leases_free(&rows);
}
