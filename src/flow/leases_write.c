/* leases_write.c - the Kinesis Client Library's conditional writes of lease rows.
 *
 * Left out: pendingCheckpoint* (removed at a checkpoint, never written) and throughputKBps. */
#include "flow/leases.h"

#include "base/mem.h"

#include <string.h>

#define CHECKPOINT_TRIES 5
#define ANY_TENURE UINT64_MAX

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

/* A lost answer makes our own write look like a stranger's at the next try, so a failed condition is read back. Our name as the
 * old owner may be older than that: KCL 2 takes a lease in a handoff and leaves it standing, but not our time of renewal. */
static int settle(struct table *t, int rc, struct lease *l, const char *owner, int64_t counter, struct err *e)
{
	struct err why = *e;
	struct lease now = { 0 };
	bool found;
	if (!rc || !cond_failed(e))
		return rc;
	if (lease_get(t, l->shard_id, &now, &found, e))
		return -1;
	*e = why;
	bool anew = now.renewed_ms_epoch != l->renewed_ms_epoch;
	memcpy(now.shard_id, l->shard_id, sizeof now.shard_id);
	*l = now;
	bool ours = !strcmp(now.owner, owner) || (!strcmp(now.checkpoint_owner, owner) && anew);
	return found && ours && now.counter == counter ? 0 : rc;
}

int lease_take(struct table *t, struct lease *l, const char *owner, struct err *e)
{
	return lease_take_again(t, l, owner, 1, e);
}

int lease_take_again(struct table *t, struct lease *l, const char *owner, unsigned n, struct err *e)
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
	if (n > 1)
		change_set(&ch, LEASE_TENURE, av_n(n));
	else
		change_remove(&ch, LEASE_TENURE);
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
		return err_set(e, ERR_LEASE_LOST, "", "shard %s: its lease row is gone", l->shard_id);
	if (!rc && strcmp(l->owner, owner) != 0 && strcmp(l->checkpoint_owner, owner) != 0)
		return err_set(
			e, ERR_LEASE_LOST, "", "shard %s: %s has taken it at once", l->shard_id, l->owner);
	return rc;
}

int lease_renew(struct table *t, struct lease *l, struct err *e)
{
	struct changes ch = { 0 };
	struct cond c = { 0 };
	struct err mine;
	char me[OWNER_MAX];
	bool handing = l->checkpoint_owner[0];
	if (!e)
		e = &mine;
	memcpy(me, handing ? l->checkpoint_owner : l->owner, sizeof me);
	int64_t next = l->counter + 1, now = table_now_ms(t);
	change_set(&ch, "leaseCounter", av_n(next));
	change_set(&ch, "renewalTimestamp", av_n(now));
	cond_test(&c, "leaseCounter", COND_EQ, av_n(l->counter));
	cond_test(&c, "leaseOwner", COND_EQ, av_s(l->owner));
	cond_test(&c, "checkpointOwner", handing ? COND_EQ : COND_MISSING, handing ? av_s(me) : NULL);
	int rc = table_update(t, l->shard_id, &ch, &c, e);
	if (!rc)
		l->renewed_ms_epoch = now;
	rc = settle(t, rc, l, me, next, e);
	changes_release(&ch);
	cond_release(&c);
	if (!rc) {
		l->counter = next;
		l->seen_ms = clock_mono_ms();
	}
	return rc;
}

/* ---- giving up, and handing over ---- */

/* The owners as read, and maybe the counter: what every write below is conditional on. */
static void as_read(struct cond *c, const struct lease *l, bool counter)
{
	cond_test(c, LEASE_KEY, COND_EXISTS, NULL);
	cond_test(c, "leaseOwner", l->owner[0] ? COND_EQ : COND_MISSING, l->owner[0] ? av_s(l->owner) : NULL);
	cond_test(c, "checkpointOwner", l->checkpoint_owner[0] ? COND_EQ : COND_MISSING,
		l->checkpoint_owner[0] ? av_s(l->checkpoint_owner) : NULL);
	if (counter)
		cond_test(c, "leaseCounter", COND_EQ, av_n(l->counter));
}

static int write_as_read(
	struct table *t, const struct lease *l, bool counter, struct changes *ch, struct err *e)
{
	struct cond c = { 0 };
	as_read(&c, l, counter);
	int rc = table_update(t, l->shard_id, ch, &c, e);
	cond_release(&c);
	changes_release(ch);
	return rc;
}

int lease_hand_start(struct table *t, struct lease *l, const char *next, struct err *e)
{
	struct changes ch = { 0 };
	struct lease now;
	bool found;
	change_set(&ch, "leaseOwner", av_s(next));
	change_set(&ch, "checkpointOwner", av_s(l->owner));
	int rc = write_as_read(t, l, false, &ch, e);
	if (rc && !cond_failed(e))
		return rc;
	struct err why = *e;
	if (lease_get(t, l->shard_id, &now, &found, e))
		return -1;
	bool ours = found && !strcmp(now.owner, next) && !strcmp(now.checkpoint_owner, l->owner);
	if (!ours && rc)
		*e = why;
	else if (!ours)
		err_set(e, ERR_LEASE_LOST, "", "shard %s: its lease has changed at once", l->shard_id);
	else
		*l = now;
	return ours ? 0 : -1;
}

int lease_hand_over(struct table *t, const struct lease *l, struct err *e)
{
	struct changes ch = { 0 };
	change_remove(&ch, "checkpointOwner");
	change_add(&ch, "leaseCounter", 1);
	return write_as_read(t, l, false, &ch, e);
}

int lease_no_handoff(struct table *t, const struct lease *l, struct err *e)
{
	struct changes ch = { 0 };
	change_remove(&ch, "checkpointOwner");
	return write_as_read(t, l, false, &ch, e);
}

int lease_hand_back(struct table *t, const struct lease *l, struct err *e)
{
	struct changes ch = { 0 };
	change_set(&ch, "leaseOwner", av_s(l->checkpoint_owner));
	change_remove(&ch, "checkpointOwner");
	return write_as_read(t, l, false, &ch, e);
}

static int release(struct table *t, const struct lease *l, bool counter, struct err *e)
{
	struct changes ch = { 0 };
	change_remove(&ch, "leaseOwner");
	change_add(&ch, "leaseCounter", 1);
	return write_as_read(t, l, counter, &ch, e);
}

int lease_release(struct table *t, const struct lease *l, struct err *e)
{
	return release(t, l, true, e);
}

int lease_release_owner(struct table *t, const char *shard_id, const char *owner, struct err *e)
{
	struct lease l;
	struct err mine;
	bool found;
	int rc = 0;
	if (!e)
		e = &mine;
	if (lease_get(t, shard_id, &l, &found, e))
		return -1;
	if (found && !strcmp(l.checkpoint_owner, owner))
		rc = lease_hand_over(t, &l, e);
	else if (found && !strcmp(l.owner, owner))
		rc = l.checkpoint_owner[0] ? lease_hand_back(t, &l, e) : release(t, &l, false, e);
	return rc && cond_failed(e) ? 0 : rc;
}

int lease_set_children(struct table *t, const char *shard_id, const char *const *ids, size_t n, struct err *e)
{
	struct changes ch = { 0 };
	struct cond c = { 0 };
	cJSON *set = cJSON_CreateObject(), *v = cJSON_AddArrayToObject(set, "SS");
	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(v, cJSON_CreateString(ids[i]));
	change_set(&ch, "childShardIds", set);
	cond_test(&c, LEASE_KEY, COND_EXISTS, NULL);
	int rc = table_update(t, shard_id, &ch, &c, e);
	changes_release(&ch);
	cond_release(&c);
	return rc && cond_failed(e) ? 0 : rc;
}

/* ---- checkpoints ---- */

static uint64_t number_of(uint64_t tenure)
{
	return tenure ? tenure : 1;
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
	as_read(&c, was, false);
	if (!was->owner[0] && !was->moved)
		cond_test(&c, LEASE_MOVED, COND_MISSING, NULL);
	if (was->owner[0])
		cond_test(&c, LEASE_TENURE, was->tenure ? COND_EQ : COND_MISSING,
			was->tenure ? av_n(was->tenure) : NULL);
	cond_test(&c, "checkpoint", COND_EQ, av_s(was->checkpoint));
	int rc = table_update(t, was->shard_id, &ch, &c, e);
	changes_release(&ch);
	cond_release(&c);
	return rc;
}

int lease_checkpoint(struct table *t, const char *shard_id, const char *owner, const char *checkpoint,
	uint64_t sub, struct err *e)
{
	return lease_checkpoint_of(t, shard_id, owner, ANY_TENURE, checkpoint, sub, e);
}

/* May a position that owner handed on be written, by what the row says? */
static int check_owner(const struct lease *was, const char *owner, uint64_t tenure, struct err *e)
{
	const char *id = was->shard_id;
	if (!owner)
		return 0;
	if (was->owner[0] && strcmp(was->owner, owner) != 0 && strcmp(was->checkpoint_owner, owner) != 0)
		return err_set(e, ERR_LEASE_LOST, "", "shard %s: %s owns it now", id, was->owner);
	if (was->owner[0] && tenure != ANY_TENURE && number_of(tenure) != number_of((uint64_t)was->tenure))
		return err_set(e, ERR_LEASE_LOST, "", "shard %s: it was lost and taken again since", id);
	if (!was->owner[0] && was->moved)
		return err_set(e, ERR_LEASE_LOST, "", "shard %s: its position was moved by hand", id);
	/* Made anew by a reset, or for a stream that was made anew: what was handed on before says nothing of it. */
	if (!was->owner[0] && !was->counter)
		return err_set(e, ERR_LEASE_LOST, "", "shard %s: its lease row is new", id);
	return 0;
}

int lease_checkpoint_of(struct table *t, const char *shard_id, const char *owner, uint64_t tenure,
	const char *checkpoint, uint64_t sub, struct err *e)
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
		if (checkpoint_compare(checkpoint, sub, was.checkpoint, was.checkpoint_sub) <= 0)
			return 0;
		if (check_owner(&was, owner, tenure, e))
			return -1;
		if (!write_checkpoint(t, &was, checkpoint, sub, e))
			return 0;
		if (!cond_failed(e))
			return -1;
	}
	return err_set(e, ERR_UNAVAILABLE, "", "shard %s: its lease row keeps changing", shard_id);
}
