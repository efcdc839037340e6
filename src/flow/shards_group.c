/* shards_group.c - the shard follower as one worker of a group: what a scan says of its leases, which it takes, which it lost. */
#include "flow/shards_int.h"

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/owner.h"
#include "flow/shares.h"

#include <stdio.h>
#include <string.h>

#define OWNERS_WATCHED 32
#define STEAL_ONE 1 /* the KCL's maxLeasesToStealAtOneTime */

bool group_flows(const struct follow *f, struct fshard *s)
{
	return !f->c.group || (!atomic_load(&s->lost) && !atomic_load(&s->handing) &&
				      clock_mono_ms() - atomic_load(&s->renewed) < f->c.failover_ms);
}

bool group_valid(const struct follow *f, const struct fshard *s)
{
	return !f->c.group || (s->owned && group_flows(f, (struct fshard *)s));
}

/* mu held. */
static void lose(struct follow *f, struct fshard *s, const char *to)
{
	s->owned = false;
	atomic_store(&s->handing, false);
	if (follow_ending(f))
		return; /* released behind us, as ack does at the end */
	atomic_store(&s->lost, true);
	if (s->state != FS_BUSY)
		s->state = FS_LOST;
	if (*to)
		log_say("%s: lease lost to %s, reading it no further", s->s.id, to);
	else
		log_say("%s: lease given up by another process, reading it no further", s->s.id);
	follow_wake(f);
}

void group_row(struct follow *f, struct fshard *s, const struct lease *row)
{
	bool old = !strcmp(row->checkpoint_owner, f->c.owner);
	bool ours = !strcmp(row->owner, f->c.owner) && !row->checkpoint_owner[0];
	/* A handoff begins without touching the counter; who takes a lease raises it, and KCL 2, which knows nothing of
	 * handoffs, leaves checkpointOwner as it stands. */
	if (row->counter != s->lease.counter || (!old && !ours)) {
		lose(f, s, strcmp(row->owner, f->c.owner) != 0 ? row->owner : "");
		return;
	}
	memcpy(s->lease.owner, row->owner, sizeof row->owner);
	memcpy(s->lease.checkpoint_owner, row->checkpoint_owner, sizeof row->checkpoint_owner);
	if (old == atomic_load(&s->handing))
		return;
	atomic_store(&s->handing, old);
	if (old)
		log_note("%s: to be handed over to %s", s->s.id, row->owner);
	else
		log_note("%s: stays here after all", s->s.id);
	pthread_cond_broadcast(&f->cond);
	atomic_store(&f->hands, true);
	follow_wake(f);
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

/* A scan may be older than what the renewing thread has learnt since. */
static void adopt_held(struct follow *f, struct fshard *s, const struct lease *l)
{
	bool foreign = strcmp(l->owner, f->c.owner) != 0 && strcmp(l->checkpoint_owner, f->c.owner) != 0;
	if (foreign) {
		lose(f, s, l->owner);
		return;
	}
	if (l->counter == s->lease.counter)
		group_row(f, s, l);
	memcpy(s->lease.checkpoint, l->checkpoint, sizeof l->checkpoint);
	s->lease.checkpoint_sub = l->checkpoint_sub;
	if (lease_is_end(l) && s->state == FS_ENDED && !l->checkpoint_owner[0])
		s->owned = false; /* all done: nothing to renew */
}

static void adopt_row(struct follow *f, const struct lease *l)
{
	struct fshard *s = follow_find(f, l->shard_id);
	if (!s)
		s = from_row(f, l);
	s->has_lease = true;
	if (s->owned) {
		adopt_held(f, s, l);
		return;
	}
	bool coming = !strcmp(l->owner, f->c.owner) && !lease_is_end(l);
	if (coming && !s->coming)
		s->coming_ms = clock_mono_ms();
	s->coming = coming;
	if (coming)
		atomic_store(&f->hands, true);
	s->live = l->owner[0] && !strcmp(l->owner, s->lease.owner) && l->counter != s->lease.counter;
	s->lease = *l;
	if (lease_is_end(l) && (s->state == FS_NEW || s->state == FS_WAIT || s->state == FS_LOST))
		s->state = FS_ENDED;
	else if (!lease_is_end(l) && s->state == FS_ENDED)
		s->state = FS_WAIT; /* its position was set back */
}

static void adopt_rows(struct follow *f)
{
	pthread_mutex_lock(&f->mu);
	for (size_t i = 0; i < f->n; i++)
		f->v[i]->has_lease = false;
	for (size_t i = 0; i < f->leases.n; i++)
		adopt_row(f, &f->leases.v[i]);
	for (size_t i = 0; i < f->n; i++) {
		struct fshard *s = f->v[i];
		if (s->has_lease)
			continue;
		s->coming = false;
		if (s->owned && s->state == FS_ENDED)
			s->owned = false; /* cleaned up behind its end */
		else if (s->owned)
			lose(f, s, "nobody: its row is gone");
	}
	follow_link(f);
	pthread_mutex_unlock(&f->mu);
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
	adopt_rows(f);
	return 0;
}

/* ---- taking ---- */

/* A row that was moved by hand has been begun before: lines of its children may be under way, and must not end it (commits.c). */
unsigned group_next_tenure(const struct fshard *s, const struct lease *row)
{
	return s->tenure ? s->tenure + 1 : row->moved ? 2 : 1;
}

void group_taken(struct follow *f, struct fshard *s, const struct lease *l, int64_t at)
{
	struct position p = lease_position(l);
	if (!strcmp(l->checkpoint, CP_AT_TIMESTAMP) && !l->initial_ms && f->c.since.kind == WHEN_TIME) {
		p.kind = POS_AT_TIME;
		p.time_ms = f->c.since.us / 1000;
	}
	s->lease = *l;
	s->coming = false;
	s->state = FS_ENDED;
	if (lease_is_end(l))
		return;
	s->tenure = l->tenure > 1 ? (unsigned)l->tenure : 1;
	if (atomic_load(&s->lost))
		log_say("%s: its lease is ours again, reading on from the last commit", s->s.id);
	s->owned = true;
	s->live = false;
	s->handed = false;
	atomic_store(&s->lost, false);
	atomic_store(&s->handing, false);
	atomic_store(&s->renewed, at);
	s->state = FS_WAIT;
	follow_begin(s, &p);
}

/* mu held. A shard that a reader still has is taken at the next pass. */
static bool may_take(const struct fshard *s)
{
	return s && s->has_lease && !s->owned && !s->coming && !lease_is_end(&s->lease) &&
	       s->state != FS_BUSY;
}

/* 1 taken, 0 not, -1 an outage. */
static int take_one(struct follow *f, const struct lease *row, struct err *e)
{
	pthread_mutex_lock(&f->mu);
	struct fshard *s = follow_find(f, row->shard_id);
	bool may = may_take(s);
	pthread_mutex_unlock(&f->mu);
	if (!may)
		return 0;
	struct lease l = *row;
	int64_t at = clock_mono_ms();
	if (lease_take_again(f->c.group, &l, f->c.owner, group_next_tenure(s, &l), e)) {
		if (!cond_failed(e) && e->cls != ERR_LEASE_LOST)
			return -1;
		f->waiting = true; /* someone was quicker */
		return 0;
	}
	pthread_mutex_lock(&f->mu);
	group_taken(f, s, &l, at);
	pthread_mutex_unlock(&f->mu);
	return 1;
}

/* The row is read again: since the scan its owner has renewed it, or lost it to a third one. */
static int steal_one(struct follow *f, const struct lease *row, bool gentle, struct err *e)
{
	struct lease now;
	bool found;
	if (lease_get(f->c.group, row->shard_id, &now, &found, e))
		return -1;
	if (!found || strcmp(now.owner, row->owner) != 0 || lease_is_end(&now) ||
		strcmp(now.checkpoint_owner, row->checkpoint_owner) != 0)
		return 0;
	if (!gentle)
		return take_one(f, &now, e);
	pthread_mutex_lock(&f->mu);
	struct fshard *s = follow_find(f, row->shard_id);
	bool may = may_take(s);
	pthread_mutex_unlock(&f->mu);
	if (!may)
		return 0;
	if (lease_hand_start(f->c.group, &now, f->c.owner, e))
		return cond_failed(e) || e->cls == ERR_LEASE_LOST ? 0 : -1;
	log_note("%s: asked for at %s", row->shard_id, row->owner);
	pthread_mutex_lock(&f->mu);
	s->coming = true;
	s->coming_ms = clock_mono_ms();
	s->lease = now;
	pthread_mutex_unlock(&f->mu);
	atomic_store(&f->hands, true);
	return 0;
}

static void say_waiting(struct follow *f, const struct shares *plan)
{
	f->waiting = f->waiting || plan->foreign;
	if (plan->mine || !plan->foreign || plan->take || atomic_load(&f->hands) || f->said_waiting)
		return;
	for (size_t i = 0; i < f->leases.n; i++) {
		const struct lease *l = &f->leases.v[i];
		if (!l->owner[0] || lease_is_end(l) || !strcmp(l->owner, f->c.owner))
			continue;
		log_say("waiting for shards that %s holds", l->owner);
		f->said_waiting = true;
		return;
	}
}

bool group_any_dead(struct follow *f)
{
	const char *seen[OWNERS_WATCHED];
	size_t n = 0, k;
	for (size_t i = 0; i < f->leases.n && n < OWNERS_WATCHED; i++) {
		const struct lease *l = &f->leases.v[i];
		if (!l->owner[0] || lease_is_end(l) || !strcmp(l->owner, f->c.owner))
			continue;
		for (k = 0; k < n && strcmp(seen[k], l->owner) != 0; k++)
			;
		if (k < n)
			continue;
		if (owner_dead(l->owner))
			return true;
		seen[n++] = l->owner;
	}
	return false;
}

/* Runs that end by themselves leave living workers what they have. */
static int share(struct follow *f, struct err *e)
{
	int64_t now = clock_mono_ms(), failover = f->c.failover_ms;
	struct shares_conf c = { .me = f->c.owner,
		.now_ms = now,
		.failover_ms = failover,
		.max = f->c.max_shards,
		.max_steal = STEAL_ONE,
		.dead = owner_dead,
		.gentle = owner_gentle,
		.chance = random_unit };
	struct shares plan;
	int rc = 0;
	bool any = false;
	shares_plan(&f->leases, &c, &plan);
	f->waiting = false;
	for (size_t i = 0; rc >= 0 && i < plan.take; i++) {
		rc = take_one(f, &f->leases.v[plan.v[i]], e);
		any = any || rc > 0;
	}
	if (rc >= 0 && plan.steal && !follow_bounded(f) && now >= f->steal_due_ms) {
		f->steal_due_ms = now + (plan.gentle ? failover : (failover + 25) * 2);
		for (size_t i = 0; rc >= 0 && i < plan.steal; i++)
			rc = steal_one(f, &f->leases.v[plan.v[i]], plan.gentle, e);
	}
	if (plan.more && any)
		f->pass_soon = true;
	if (rc >= 0)
		say_waiting(f, &plan);
	shares_free(&plan);
	return rc < 0 ? -1 : 0;
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
		rc = group_rows(f, &made, e);
	if (!rc && made)
		rc = scan(f, e);
	if (!rc)
		rc = share(f, e);
	return rc ? rc : group_clean(f, e);
}
