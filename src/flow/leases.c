/* leases.c - lease rows in the Kinesis Client Library's layout: reading them, and its conditional writes.
 *
 * Left out: pendingCheckpoint* (removed at a checkpoint, never written), throughputKBps, graceful handoff (a row
 * with a checkpointOwner is not renewed: its lease counts as lost). */
#include "flow/leases.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT_TRIES 5

void leases_free(struct leases *l)
{
	free(l->v);
	*l = (struct leases){ 0 };
}

/* A lease begins with its shard_id, so a bare id compares, too. */
static int by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

struct lease *leases_find(const struct leases *l, const char *shard_id)
{
	return l->n ? bsearch(shard_id, l->v, l->n, sizeof *l->v, by_id) : NULL;
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static int rank(const char *cp)
{
	if (!strcmp(cp, CP_SHARD_END))
		return 4;
	if (is_number(cp))
		return 3;
	if (!strcmp(cp, CP_LATEST))
		return 2;
	if (!strcmp(cp, CP_TRIM_HORIZON))
		return 1;
	return !strcmp(cp, CP_AT_TIMESTAMP) ? 0 : -1;
}

int checkpoint_compare(const char *a, uint64_t asub, const char *b, uint64_t bsub)
{
	int ra = rank(a), rb = rank(b);
	if (ra != rb || ra != 3)
		return (ra > rb) - (ra < rb);
	int c = sequence_compare(a, b);
	return c ? c : (asub > bsub) - (asub < bsub);
}

bool lease_is_end(const struct lease *l)
{
	return !strcmp(l->checkpoint, CP_SHARD_END);
}

bool lease_expired(const struct lease *l, int64_t now_mono_ms, int64_t failover_ms)
{
	return !l->owner[0] || now_mono_ms - l->seen_ms > failover_ms;
}

struct position lease_position(const struct lease *l)
{
	struct position p = { .kind = POS_TRIM_HORIZON };
	if (is_number(l->checkpoint)) {
		p.kind = POS_AFTER_SEQ;
		memcpy(p.seq, l->checkpoint, sizeof p.seq);
		p.sub = l->checkpoint_sub;
	} else if (l->initial_ms && strcmp(l->checkpoint, CP_TRIM_HORIZON) != 0) {
		p.kind = POS_AT_TIME;
		p.time_ms = l->initial_ms;
	} else if (!strcmp(l->checkpoint, CP_LATEST)) {
		p.kind = POS_LATEST;
	}
	return p;
}

/* ---- rows to leases ---- */

static bool copy_attr(const cJSON *item, const char *name, char *out, size_t size)
{
	const char *s = av_get_s(item, name);
	return s && (size_t)snprintf(out, size, "%s", s) < size;
}

static void copy_set(const cJSON *item, const char *name, char out[2][SHARD_ID_MAX])
{
	const cJSON *set = av_get(item, name, "SS");
	for (int i = 0; i < 2; i++) {
		const cJSON *s = cJSON_GetArrayItem(set, i);
		if (cJSON_IsString(s))
			snprintf(out[i], SHARD_ID_MAX, "%s", s->valuestring);
	}
}

/* What is nice to know; none of it decides about positions. */
static void more_from_item(const cJSON *item, struct lease *l)
{
	(void)av_get_int(item, "initialTimestamp", &l->initial_ms);
	(void)copy_attr(item, "streamARN", l->stream_arn, sizeof l->stream_arn);
	(void)av_get_int(item, "streamCreated", &l->stream_created_s);
	(void)copy_attr(item, "startingHashKey", l->start_hash, sizeof l->start_hash);
	(void)copy_attr(item, "endingHashKey", l->end_hash, sizeof l->end_hash);
	(void)av_get_int(item, "ownerSwitchesSinceCheckpoint", &l->owner_switches);
	(void)av_get_int(item, "renewalTimestamp", &l->renewed_ms_epoch);
	(void)av_get_int(item, "checkpointTimestamp", &l->checkpointed_ms_epoch);
	l->moved = av_get_n(item, LEASE_MOVED) != NULL;
	copy_set(item, "parentShardId", l->parents);
	copy_set(item, "childShardIds", l->children);
}

static int lease_from_item(const cJSON *item, struct lease *l, struct err *e)
{
	int64_t sub = 0;
	*l = (struct lease){ 0 };
	if (!copy_attr(item, LEASE_KEY, l->shard_id, sizeof l->shard_id))
		return err_set(e, ERR_FAILED, "", "lease table: a row has no usable " LEASE_KEY);
	if (!copy_attr(item, "checkpoint", l->checkpoint, sizeof l->checkpoint) || rank(l->checkpoint) < 0)
		return err_set(e, ERR_FAILED, "", "lease table: %s has no usable checkpoint", l->shard_id);
	if (!av_get_int(item, "leaseCounter", &l->counter))
		return err_set(e, ERR_FAILED, "", "lease table: %s has no leaseCounter", l->shard_id);
	if (av_get_s(item, "leaseOwner") && !copy_attr(item, "leaseOwner", l->owner, sizeof l->owner))
		return err_set(
			e, ERR_FAILED, "", "lease table: the leaseOwner of %s is too long", l->shard_id);
	if (av_get_s(item, "checkpointOwner") &&
		!copy_attr(item, "checkpointOwner", l->checkpoint_owner, sizeof l->checkpoint_owner))
		return err_set(
			e, ERR_FAILED, "", "lease table: the checkpointOwner of %s is too long", l->shard_id);
	if (av_get_int(item, "checkpointSubSequenceNumber", &sub) && sub > 0)
		l->checkpoint_sub = (uint64_t)sub;
	more_from_item(item, l);
	return 0;
}

struct scan {
	const struct leases *old;
	struct leases *out;
	size_t cap;
	int64_t now_ms;
	struct err *e;
	int rc;
};

static int on_row(const cJSON *item, void *arg)
{
	struct scan *s = arg;
	struct lease l;
	const char *type = av_get_s(item, "entityType");
	if (type && strcmp(type, "LEASE") != 0)
		return 0;
	s->rc = lease_from_item(item, &l, s->e);
	if (s->rc)
		return 1;
	const struct lease *was = s->old ? leases_find(s->old, l.shard_id) : NULL;
	l.seen_ms = was && was->counter == l.counter ? was->seen_ms : s->now_ms;
	if (s->out->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->out->v = mem_realloc(s->out->v, s->cap * sizeof *s->out->v);
	}
	s->out->v[s->out->n++] = l;
	return 0;
}

int leases_scan(struct table *t, const struct leases *old, struct leases *out, struct err *e)
{
	struct scan s = { .old = old, .out = out, .now_ms = clock_mono_ms(), .e = e };
	*out = (struct leases){ 0 };
	int rc = table_scan(t, on_row, &s, e);
	if (!rc)
		rc = s.rc;
	if (rc)
		leases_free(out);
	else if (out->n)
		qsort(out->v, out->n, sizeof *out->v, by_id);
	return rc;
}

int lease_get(struct table *t, const char *shard_id, struct lease *out, bool *found, struct err *e)
{
	cJSON *item = NULL;
	int rc = table_get(t, shard_id, true, &item, e);
	*found = !rc && item;
	if (*found)
		rc = lease_from_item(item, out, e);
	if (!rc && *found)
		out->seen_ms = clock_mono_ms();
	cJSON_Delete(item);
	return rc;
}

/* ---- the writes ---- */

static void add_parents(cJSON *item, const struct shard *s)
{
	if (!s->parent[0] && !s->adjacent[0])
		return; /* sets can't be empty */
	cJSON *set = cJSON_AddArrayToObject(cJSON_AddObjectToObject(item, "parentShardId"), "SS");
	if (s->parent[0])
		cJSON_AddItemToArray(set, cJSON_CreateString(s->parent));
	if (s->adjacent[0] && strcmp(s->adjacent, s->parent) != 0)
		cJSON_AddItemToArray(set, cJSON_CreateString(s->adjacent));
}

static const char *sentinel(const struct position *p)
{
	switch (p->kind) {
	case POS_LATEST: return CP_LATEST;
	case POS_AT_TIME: return CP_AT_TIMESTAMP;
	case POS_AT_SEQ:
	case POS_AFTER_SEQ: return p->seq;
	default: return CP_TRIM_HORIZON;
	}
}

int lease_create(struct table *t, const struct shard *s, const char *stream_arn, int64_t stream_created_s,
	const struct position *start, struct err *e)
{
	struct cond c = { 0 };
	cJSON *item = cJSON_CreateObject();
	cJSON_AddItemToObject(item, LEASE_KEY, av_s(s->id));
	cJSON_AddItemToObject(item, "leaseCounter", av_n(0));
	cJSON_AddItemToObject(item, "ownerSwitchesSinceCheckpoint", av_n(0));
	cJSON_AddItemToObject(item, "checkpoint", av_s(sentinel(start)));
	cJSON_AddItemToObject(item, "checkpointSubSequenceNumber", av_n((int64_t)start->sub));
	if (start->time_ms)
		cJSON_AddItemToObject(item, "initialTimestamp", av_n(start->time_ms));
	add_parents(item, s);
	if (s->start_hash[0] && s->end_hash[0]) {
		cJSON_AddItemToObject(item, "startingHashKey", av_s(s->start_hash));
		cJSON_AddItemToObject(item, "endingHashKey", av_s(s->end_hash));
	}
	if (stream_arn && *stream_arn)
		cJSON_AddItemToObject(item, "streamARN", av_s(stream_arn));
	if (stream_created_s)
		cJSON_AddItemToObject(item, "streamCreated", av_n(stream_created_s));
	cond_test(&c, LEASE_KEY, COND_MISSING, NULL);
	int rc = table_put(t, item, &c, e);
	cond_release(&c);
	cJSON_Delete(item);
	return rc && cond_failed(e) ? 0 : rc;
}

int lease_delete(struct table *t, const struct lease *l, struct err *e)
{
	struct cond c = { 0 };
	cond_test(&c, "leaseCounter", COND_EQ, av_n(l->counter));
	int rc = table_delete(t, l->shard_id, &c, e);
	cond_release(&c);
	return rc && cond_failed(e) ? 0 : rc;
}

/* A lost answer makes our own write look like a stranger's at the next try, so a failed condition is read back. */
static int settle(struct table *t, int rc, struct lease *l, const char *owner, int64_t counter, struct err *e)
{
	struct err why = *e, got;
	struct lease now;
	bool found;
	if (!rc || !cond_failed(e))
		return rc;
	if (lease_get(t, l->shard_id, &now, &found, &got)) {
		*e = got;
		return -1;
	}
	if (found && now.counter == counter && !strcmp(now.owner, owner)) {
		*l = now;
		return 0;
	}
	*e = why;
	return rc;
}

int lease_take(struct table *t, struct lease *l, const char *owner, struct err *e)
{
	struct changes ch = { 0 };
	struct cond c = { 0 };
	struct err mine;
	bool found;
	if (!e)
		e = &mine;
	change_set(&ch, "leaseCounter", av_n(l->counter + 1));
	change_set(&ch, "leaseOwner", av_s(owner));
	change_set(&ch, "renewalTimestamp", av_n(table_now_ms(t)));
	change_remove(&ch, "checkpointOwner");
	change_remove(&ch, LEASE_MOVED);
	if (l->owner[0] && strcmp(l->owner, owner) != 0)
		change_add(&ch, "ownerSwitchesSinceCheckpoint", 1);
	cond_test(&c, "leaseCounter", COND_EQ, av_n(l->counter));
	int rc = settle(t, table_update(t, l->shard_id, &ch, &c, e), l, owner, l->counter + 1, e);
	changes_release(&ch);
	cond_release(&c);
	if (rc)
		return rc;
	/* The old owner's last commit may be newer than the scan; behind the take nobody but us can move it. */
	rc = lease_get(t, l->shard_id, l, &found, e);
	if (!rc && !found)
		rc = err_set(e, ERR_LEASE_LOST, "", "shard %s: its lease row is gone", l->shard_id);
	return rc;
}

int lease_renew(struct table *t, struct lease *l, struct err *e)
{
	struct changes ch = { 0 };
	struct cond c = { 0 };
	struct err mine;
	if (!e)
		e = &mine;
	int64_t next = l->counter + 1;
	change_set(&ch, "leaseCounter", av_n(next));
	change_set(&ch, "renewalTimestamp", av_n(table_now_ms(t)));
	cond_test(&c, "leaseCounter", COND_EQ, av_n(l->counter));
	cond_test(&c, "leaseOwner", COND_EQ, av_s(l->owner));
	cond_test(&c, "checkpointOwner", COND_MISSING, NULL);
	int rc = settle(t, table_update(t, l->shard_id, &ch, &c, e), l, l->owner, next, e);
	changes_release(&ch);
	cond_release(&c);
	if (!rc) {
		l->counter = next;
		l->seen_ms = clock_mono_ms();
	}
	return rc;
}

static int release(
	struct table *t, const char *shard_id, const char *owner, const int64_t *counter, struct err *e)
{
	struct changes ch = { 0 };
	struct cond c = { 0 };
	change_remove(&ch, "leaseOwner");
	change_add(&ch, "leaseCounter", 1);
	cond_test(&c, "leaseOwner", COND_EQ, av_s(owner));
	if (counter)
		cond_test(&c, "leaseCounter", COND_EQ, av_n(*counter));
	int rc = table_update(t, shard_id, &ch, &c, e);
	changes_release(&ch);
	cond_release(&c);
	return rc;
}

int lease_release(struct table *t, const struct lease *l, struct err *e)
{
	return release(t, l->shard_id, l->owner, &l->counter, e);
}

int lease_release_owner(struct table *t, const char *shard_id, const char *owner, struct err *e)
{
	struct err mine;
	if (!e)
		e = &mine;
	int rc = release(t, shard_id, owner, NULL, e);
	return rc && cond_failed(e) ? 0 : rc;
}

static int write_checkpoint(
	struct table *t, const struct lease *was, const char *checkpoint, uint64_t sub, struct err *e)
{
	struct changes ch = { 0 };
	struct cond c = { 0 };
	change_set(&ch, "checkpoint", av_s(checkpoint));
	change_set(&ch, "checkpointSubSequenceNumber", av_n((int64_t)sub));
	change_set(&ch, "checkpointTimestamp", av_n(table_now_ms(t)));
	change_set(&ch, "ownerSwitchesSinceCheckpoint", av_n(0));
	change_remove(&ch, "pendingCheckpoint");
	change_remove(&ch, "pendingCheckpointSubSequenceNumber");
	change_remove(&ch, "pendingCheckpointState");
	if (was->owner[0])
		cond_test(&c, "leaseOwner", COND_EQ, av_s(was->owner));
	else
		cond_test(&c, "leaseOwner", COND_MISSING, NULL);
	if (!was->owner[0] && !was->moved)
		cond_test(&c, LEASE_MOVED, COND_MISSING, NULL);
	cond_test(&c, "checkpoint", COND_EQ, av_s(was->checkpoint));
	int rc = table_update(t, was->shard_id, &ch, &c, e);
	changes_release(&ch);
	cond_release(&c);
	return rc;
}

int lease_checkpoint(struct table *t, const char *shard_id, const char *owner, const char *checkpoint,
	uint64_t sub, struct err *e)
{
	struct lease was;
	struct err mine;
	bool found;
	if (!e)
		e = &mine;
	for (int i = 0; i < CHECKPOINT_TRIES; i++) {
		if (lease_get(t, shard_id, &was, &found, e))
			return -1;
		if (!found)
			return err_set(e, ERR_LEASE_LOST, "", "shard %s: its lease row is gone", shard_id);
		if (owner && was.owner[0] && strcmp(was.owner, owner) != 0)
			return err_set(
				e, ERR_LEASE_LOST, "", "shard %s: %s owns it now", shard_id, was.owner);
		if (owner && !was.owner[0] && was.moved)
			return err_set(
				e, ERR_LEASE_LOST, "", "shard %s: its position was moved by hand", shard_id);
		if (checkpoint_compare(checkpoint, sub, was.checkpoint, was.checkpoint_sub) <= 0)
			return 0;
		if (!write_checkpoint(t, &was, checkpoint, sub, e))
			return 0;
		if (!cond_failed(e))
			return -1;
	}
	return err_set(e, ERR_UNAVAILABLE, "", "shard %s: its lease row keeps changing", shard_id);
}
