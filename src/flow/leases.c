/* leases.c - lease rows in the Kinesis Client Library's layout: reading them, their order, what a checkpoint means. */
#include "flow/leases.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTER_MOST ((int64_t)1 << 62) /* no worker has counted so far, and all go on counting */

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

bool lease_begun(const struct lease *l)
{
	return rank(l->checkpoint) >= 3;
}

bool lease_expired(const struct lease *l, int64_t now_mono_ms, int64_t failover_ms)
{
	return (!l->owner[0] && !l->checkpoint_owner[0]) || now_mono_ms - l->seen_ms > failover_ms;
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

/* What a row may have or not. */
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
	(void)av_get_int(item, LEASE_TENURE, &l->tenure);
	l->moved = av_get_n(item, LEASE_MOVED) != NULL;
	copy_set(item, "parentShardId", l->parents);
	copy_set(item, "childShardIds", l->children);
}

static int lease_from_item(const struct table *t, const cJSON *item, struct lease *l, struct err *e)
{
	int64_t sub = 0;
	*l = (struct lease){ 0 };
	if (!copy_attr(item, LEASE_KEY, l->shard_id, sizeof l->shard_id))
		return err_set(e, ERR_FAILED, "", "lease table %s: a row has no usable " LEASE_KEY, t->name);
	if (strchr(l->shard_id, ':'))
		return err_set(e, ERR_FAILED, "",
			"lease table %s: %s is a row of a program that reads several streams; a group reads "
			"one",
			t->name, l->shard_id);
	if (!copy_attr(item, "checkpoint", l->checkpoint, sizeof l->checkpoint) || rank(l->checkpoint) < 0)
		return err_set(e, ERR_FAILED, "", "lease table %s: %s has no usable checkpoint", t->name,
			l->shard_id);
	if (!av_get_int(item, "leaseCounter", &l->counter) || l->counter > COUNTER_MOST)
		return err_set(e, ERR_FAILED, "", "lease table %s: %s has no usable leaseCounter", t->name,
			l->shard_id);
	if (av_get_s(item, "leaseOwner") && !copy_attr(item, "leaseOwner", l->owner, sizeof l->owner))
		return err_set(e, ERR_FAILED, "", "lease table %s: the leaseOwner of %s is too long", t->name,
			l->shard_id);
	if (av_get_s(item, "checkpointOwner") &&
		!copy_attr(item, "checkpointOwner", l->checkpoint_owner, sizeof l->checkpoint_owner))
		return err_set(e, ERR_FAILED, "", "lease table %s: the checkpointOwner of %s is too long",
			t->name, l->shard_id);
	if (av_get_int(item, "checkpointSubSequenceNumber", &sub) && sub > 0)
		l->checkpoint_sub = (uint64_t)sub;
	more_from_item(item, l);
	return 0;
}

struct scan {
	const struct table *table;
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
	s->rc = lease_from_item(s->table, item, &l, s->e);
	if (s->rc)
		return 1;
	const struct lease *was = s->old ? leases_find(s->old, l.shard_id) : NULL;
	l.seen_ms = was && was->counter == l.counter ? was->seen_ms
		    : was || l.owner[0]              ? s->now_ms
						     : LEASE_NEVER_SEEN;
	if (s->out->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->out->v = mem_realloc(s->out->v, s->cap * sizeof *s->out->v);
	}
	s->out->v[s->out->n++] = l;
	return 0;
}

int leases_scan(struct table *t, const struct leases *old, struct leases *out, struct err *e)
{
	struct scan s = { .table = t, .old = old, .out = out, .now_ms = clock_mono_ms(), .e = e };
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
		rc = lease_from_item(t, item, out, e);
	if (!rc && *found)
		out->seen_ms = clock_mono_ms();
	cJSON_Delete(item);
	return rc;
}
