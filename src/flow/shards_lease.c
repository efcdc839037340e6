/* shards_lease.c - leases that the shard follower holds: renewing, handing over, taking over what is handed to us, the end.
 *
 * A worker that asks for a shard of ours starts a handoff as KCL 3 has it: leaseOwner is the next owner, checkpointOwner is we.
 * We hand on no more, go on renewing, and give way as soon as all that was handed on is committed: nothing is delivered
 * twice. Where the pipe does not drain, the next owner takes the lease by force in the end, as the KCL does. */
#include "flow/shards_int.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "flow/owner.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HAND_FAILOVERS 3 /* the KCL: 30 s, at its default of 10 s */
#define HAND_POLL_MS 500
/* So many leases are renewed one after the other; more by as many threads as the KCL has. */
#define RENEW_ALONE 16
#define RENEW_THREADS 20

/* To be worked on by us. */
static bool is_ours(const struct follow *f, const struct lease *row)
{
	return !strcmp(row->checkpoint_owner[0] ? row->checkpoint_owner : row->owner, f->c.owner);
}

/* ---- renewing: on the ticker's thread, so that a blocked pipe does not lose leases ---- */

struct renewal {
	struct lane_job job; /* first */
	struct follow *f;
	struct fshard *s;
	struct lease l;
	unsigned tenure;
};

static void renewed(struct renewal *r, int64_t at, int rc, const struct err *e)
{
	struct follow *f = r->f;
	struct fshard *s = r->s;
	pthread_mutex_lock(&f->mu);
	bool ours = s->owned && s->tenure == r->tenure;
	if (ours && !rc) {
		s->lease.counter = r->l.counter;
		s->lease.seen_ms = r->l.seen_ms;
		s->lease.renewed_ms_epoch = r->l.renewed_ms_epoch;
		atomic_store(&s->renewed, at);
		pthread_cond_broadcast(&f->cond);
	}
	if (ours && !s->giving && (!rc || cond_failed(e)))
		group_row(f, s, &r->l);
	pthread_mutex_unlock(&f->mu);
	if (!rc || cond_failed(e))
		log_outage("lease table", true, NULL);
	else
		log_outage("lease table", false, e);
}

/* A handoff that has begun is found by a renewal that fails; the next one knows of it. */
static void renew_one(struct lane_job *job, void *arg)
{
	struct renewal *r = (struct renewal *)job;
	(void)arg;
	for (int i = 0; i < 2; i++) {
		struct err e = { 0 };
		struct lease was = r->l;
		int64_t at = clock_mono_ms();
		int rc = lease_renew(r->f->c.group, &r->l, &e);
		renewed(r, at, rc, &e);
		if (!rc || !cond_failed(&e) || !is_ours(r->f, &r->l))
			break;
		if (r->l.counter != was.counter) {
			if (lease_no_handoff(r->f->c.group, &r->l, &e) && !cond_failed(&e))
				log_note("%s: still marked as handed over: %s", r->l.shard_id, e.msg);
			break;
		}
	}
}

static void renewal_done(struct lane_job *job, void *arg)
{
	(void)arg;
	free(job);
}

static struct renewal **due_renewals(struct follow *f, size_t *n)
{
	int64_t now = clock_mono_ms();
	*n = 0;
	pthread_mutex_lock(&f->mu);
	struct renewal **v = mem_array(f->n + 1, sizeof *v);
	for (size_t i = 0; i < f->n; i++) {
		struct fshard *s = f->v[i];
		int64_t age = now - atomic_load(&s->renewed);
		if (!s->owned || age < f->c.failover_ms / 3 - f->c.failover_ms / 20)
			continue;
		struct renewal *r = v[(*n)++] = mem_alloc(sizeof *r);
		r->f = f;
		r->s = s;
		r->l = s->lease;
		r->tenure = s->tenure;
	}
	pthread_mutex_unlock(&f->mu);
	return v;
}

void group_renew(void *arg)
{
	struct follow *f = arg;
	size_t n;
	struct renewal **v = due_renewals(f, &n);
	struct lanes_conf conf = {
		.workers = RENEW_THREADS, .window = n, .work = renew_one, .done = renewal_done
	};
	struct lanes *lanes = n > RENEW_ALONE ? lanes_open(&conf) : NULL;
	for (size_t i = 0; i < n; i++) {
		if (lanes) {
			lanes_submit(lanes, &v[i]->job, 0);
			continue;
		}
		renew_one(&v[i]->job, NULL);
		free(v[i]);
	}
	if (lanes)
		lanes_close(lanes);
	free(v);
}

/* ---- handoffs ---- */

bool group_caught_up(const struct fshard *s, const struct lease *row)
{
	if (lease_is_end(row) || s->state == FS_ENDED)
		return lease_is_end(row);
	return !s->handed ||
	       checkpoint_compare(row->checkpoint, row->checkpoint_sub, s->last_seq, s->last_sub) >= 0;
}

/* mu held. The shard is the next owner's. */
static void handed_over(struct follow *f, struct fshard *s, const struct lease *row)
{
	s->owned = false;
	atomic_store(&s->handing, false);
	if (s->state != FS_ENDED || !lease_is_end(row))
		s->state = FS_WAIT;
	s->lease = *row;
	s->lease.checkpoint_owner[0] = 0;
	s->lease.counter++;
	s->live = true; /* it has asked for it just now */
	f->pass_soon = true;
	log_note("%s: handed over to %s", s->s.id, row->owner);
}

static int hand_over(struct follow *f, struct fshard *s, struct err *e)
{
	struct lease row;
	bool found;
	if (lease_get(f->c.group, s->s.id, &row, &found, e))
		return -1;
	pthread_mutex_lock(&f->mu);
	bool still = s->owned && found && !strcmp(row.checkpoint_owner, f->c.owner);
	if (s->owned && found && !still && row.counter == s->lease.counter)
		group_row(f, s, &row);
	/* Taken by one who has not asked: a renewal will tell. */
	bool may = still && !strcmp(row.owner, s->lease.owner) && s->state != FS_BUSY &&
		   group_caught_up(s, &row);
	s->giving = may;
	pthread_mutex_unlock(&f->mu);
	if (!may)
		return 0;
	int rc = lease_hand_over(f->c.group, &row, e);
	pthread_mutex_lock(&f->mu);
	s->giving = false;
	if (!rc)
		handed_over(f, s, &row);
	pthread_mutex_unlock(&f->mu);
	return rc && !cond_failed(e) ? -1 : 0; /* a false condition: the next step looks again */
}

/* mu held. What has become of a lease that is to be ours; true when it may be taken. */
static bool may_take_over(struct follow *f, struct fshard *s, const struct lease *row, int64_t now)
{
	int64_t seen = row->counter == s->lease.counter ? s->lease.seen_ms : row->seen_ms;
	s->lease = *row;
	s->lease.seen_ms = seen;
	s->coming = !strcmp(row->owner, f->c.owner) && !lease_is_end(row);
	if (!s->coming || s->state == FS_BUSY)
		return false;
	return !row->checkpoint_owner[0] || now - s->coming_ms > HAND_FAILOVERS * f->c.failover_ms ||
	       now - seen > f->c.failover_ms || owner_dead(row->checkpoint_owner);
}

static int take_over(struct follow *f, struct fshard *s, struct err *e)
{
	struct lease row;
	bool found;
	if (lease_get(f->c.group, s->s.id, &row, &found, e))
		return -1;
	int64_t now = clock_mono_ms();
	pthread_mutex_lock(&f->mu);
	s->coming = s->coming && found;
	bool may = found && may_take_over(f, s, &row, now);
	pthread_mutex_unlock(&f->mu);
	if (!may)
		return 0;
	if (lease_take_again(f->c.group, &row, f->c.owner, group_next_tenure(s, &row), e))
		return cond_failed(e) || e->cls == ERR_LEASE_LOST ? 0 : -1;
	pthread_mutex_lock(&f->mu);
	group_taken(f, s, &row, now);
	f->pass_soon = true; /* it may start */
	pthread_mutex_unlock(&f->mu);
	return 0;
}

/* An outage is said by the renewals; the next step tries again. */
void group_hands(struct follow *f)
{
	bool any = false;
	int rc = 0;
	atomic_store(&f->hands, false);
	for (size_t i = 0; i < f->n && !rc; i++) {
		struct fshard *s = f->v[i];
		struct err e = { 0 };
		pthread_mutex_lock(&f->mu);
		bool out = s->owned && atomic_load(&s->handing), in = s->coming && !s->owned;
		pthread_mutex_unlock(&f->mu);
		if (out)
			rc = hand_over(f, s, &e);
		else if (in)
			rc = take_over(f, s, &e);
		any = any || out || in;
	}
	if (any)
		atomic_store(&f->hands, true);
	int64_t pause = f->c.failover_ms / 20 < HAND_POLL_MS ? f->c.failover_ms / 20 : HAND_POLL_MS;
	f->hand_due_ms = clock_mono_ms() + (pause < 20 ? 20 : pause);
}

/* ---- the end ---- */

static bool all_caught_up(struct follow *f, const struct leases *rows)
{
	bool all = true;
	pthread_mutex_lock(&f->mu);
	for (size_t i = 0; i < f->n; i++) {
		const struct lease *row = leases_find(rows, f->v[i]->s.id);
		if (f->v[i]->owned && row && is_ours(f, row) && !group_caught_up(f->v[i], row))
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

/* mu held. row: NULL when it is gone. */
static bool is_lost(const struct follow *f, struct fshard *s, const struct lease *row)
{
	if (row && group_caught_up(s, row))
		return false;
	return atomic_load(&s->lost) || (s->owned && !(row && is_ours(f, row)));
}

size_t group_lost(struct follow *f)
{
	struct err e = { 0 };
	struct leases rows = { 0 };
	size_t n = 0;
	bool known = !leases_scan(f->c.group, NULL, &rows, &e);
	pthread_mutex_lock(&f->mu);
	for (size_t i = 0; i < f->n; i++) {
		struct fshard *s = f->v[i];
		n += known ? is_lost(f, s, leases_find(&rows, s->s.id)) : atomic_load(&s->lost);
	}
	pthread_mutex_unlock(&f->mu);
	leases_free(&rows);
	return n;
}

/* What is ours and fully committed, or was only coming. */
static int give_up(struct follow *f, const struct fshard *s, const struct lease *row, struct err *e)
{
	bool next = !strcmp(row->owner, f->c.owner), old = !strcmp(row->checkpoint_owner, f->c.owner);
	if (s->owned && group_caught_up(s, row)) {
		if (old)
			return lease_hand_over(f->c.group, row, e);
		if (next && !row->checkpoint_owner[0])
			return lease_release(f->c.group, row, e);
	}
	if (s->coming && !s->owned && next)
		return row->checkpoint_owner[0] ? lease_hand_back(f->c.group, row, e)
						: lease_release(f->c.group, row, e);
	return 0;
}

void group_release(struct follow *f)
{
	struct err e = { 0 };
	struct leases rows = { 0 };
	bool any = false;
	for (size_t i = 0; i < f->n; i++)
		any = any || f->v[i]->owned || f->v[i]->coming;
	if (!any || leases_scan(f->c.group, NULL, &rows, &e))
		return;
	for (size_t i = 0; i < f->n; i++) {
		const struct fshard *s = f->v[i];
		const struct lease *row = leases_find(&rows, s->s.id);
		/* A false condition: ack was quicker, or another worker. */
		if (row && give_up(f, s, row, &e) && !cond_failed(&e))
			log_note("%s: lease not given up: %s", s->s.id, e.msg);
	}
	leases_free(&rows);
}
