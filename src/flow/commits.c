/* commits.c - positions of lines that have come through, gathered per shard and written forward only.
 *
 * A worker may lose a shard, get it back, and hand on lines of it again while lines of its first tenure are still on their
 * way here, all under one owner's name. These must not count for the new one: meanwhile the position may have been set back
 * by hand. So lines say of which tenure they are, and a row of which tenure its lease is. Within one, a line that has come
 * through says that all of the shard up to it is dealt with: a tenure starts at the row's checkpoint, and hands on what
 * follows without a gap and in order.
 *
 * A refused commit is tried again when more of the shard comes, and at the end, when the new owner may have come as far. */
#include "flow/commits.h"

#include "base/mem.h"
#include "flow/leases.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct group {
	char *name;
	struct table *table;
};

struct entry { /* one shard as one owner reads it */
	size_t group;
	char *owner, shard_id[SHARD_ID_MAX];
	char want[SEQ_MAX], done[SEQ_MAX]; /* done: committed by us; "" nothing yet */
	uint64_t want_sub, done_sub;
	uint64_t tenure;  /* which time it is that the owner has it; 0: the first */
	bool parents_due; /* its parents' ends are still to be written */
	bool lost;        /* refused: another worker has the shard */
	bool again;       /* lost, but more has come: it may be ours again */
	bool said;        /* that it is lost */
};

struct commits {
	commits_open_table *open;
	void *arg;
	pthread_mutex_t mu, io; /* io: one round of writes at a time; mu inside it */
	struct group *groups;
	size_t ngroups;
	struct entry **v;
	size_t n, last;
};

static int open_in_ports(void *arg, const char *group, struct table **out, struct err *e)
{
	return open_table(arg, group, LEASE_KEY, out, e);
}

struct commits *commits_new(struct ports *p)
{
	return commits_new_with(open_in_ports, p);
}

struct commits *commits_new_with(commits_open_table *fn, void *arg)
{
	struct commits *c = mem_alloc(sizeof *c);
	c->open = fn;
	c->arg = arg;
	pthread_mutex_init(&c->mu, NULL);
	pthread_mutex_init(&c->io, NULL);
	return c;
}

void commits_free(struct commits *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->ngroups; i++) {
		table_close(c->groups[i].table);
		free(c->groups[i].name);
	}
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i]->owner);
		free(c->v[i]);
	}
	free(c->groups);
	free(c->v);
	pthread_mutex_destroy(&c->mu);
	pthread_mutex_destroy(&c->io);
	free(c);
}

static size_t group_index(struct commits *c, const char *name)
{
	for (size_t i = 0; i < c->ngroups; i++)
		if (!strcmp(c->groups[i].name, name))
			return i;
	c->groups = mem_realloc(c->groups, (c->ngroups + 1) * sizeof *c->groups);
	c->groups[c->ngroups] = (struct group){ .name = mem_strdup(name) };
	return c->ngroups++;
}

static bool is_entry(const struct commits *c, const struct entry *en, const struct source *s)
{
	return !strcmp(en->shard_id, s->shard_id) && !strcmp(en->owner, s->owner ? s->owner : "") &&
	       !strcmp(c->groups[en->group].name, s->group);
}

/* Lines of a shard come in runs: the last entry is tried first. */
static struct entry *entry_of(struct commits *c, const struct source *s)
{
	if (c->last < c->n && is_entry(c, c->v[c->last], s))
		return c->v[c->last];
	for (size_t i = 0; i < c->n; i++)
		if (is_entry(c, c->v[i], s)) {
			c->last = i;
			return c->v[i];
		}
	struct entry *en = mem_alloc(sizeof *en);
	en->group = group_index(c, s->group);
	en->owner = mem_strdup(s->owner ? s->owner : "");
	memcpy(en->shard_id, s->shard_id, strlen(s->shard_id) + 1);
	en->parents_due = true;
	c->v = mem_realloc(c->v, (c->n + 1) * sizeof(struct entry *));
	c->v[c->n] = en;
	c->last = c->n++;
	return en;
}

static bool is_position(const char *s)
{
	size_t n = strlen(s);
	return n && n < SEQ_MAX && strspn(s, "0123456789") == n;
}

bool commits_usable(const struct source *s)
{
	if (!s->present || !s->group || !s->shard_id)
		return true;
	if (s->sequence_number && !is_position(s->sequence_number))
		return false;
	return s->shard_id[0] && strlen(s->shard_id) < SHARD_ID_MAX && s->subsequence <= INT64_MAX;
}

void commits_note(struct commits *c, const struct source *s)
{
	if (!s->present || !s->group || !s->group[0] || !s->shard_id || !commits_usable(s))
		return;
	const char *at = s->sequence_number;
	uint64_t sub = s->subsequence;
	if (s->mark && !strcmp(s->mark, "shard-end")) {
		at = CP_SHARD_END;
		sub = 0;
	} else if (!at) {
		return;
	}
	pthread_mutex_lock(&c->mu);
	struct entry *en = entry_of(c, s);
	if (s->tenure < en->tenure) {
		pthread_mutex_unlock(&c->mu);
		return;
	}
	if (s->tenure > en->tenure) {
		en->want[0] = en->done[0] = 0;
		en->lost = en->said = false;
		en->parents_due = true;
		en->tenure = s->tenure;
	}
	if (!en->want[0] || checkpoint_compare(at, sub, en->want, en->want_sub) > 0) {
		memcpy(en->want, at, strlen(at) + 1);
		en->want_sub = sub;
	}
	en->again = true;
	pthread_mutex_unlock(&c->mu);
}

static bool is_behind(const struct entry *en)
{
	return en->want[0] &&
	       (!en->done[0] || checkpoint_compare(en->want, en->want_sub, en->done, en->done_sub) > 0);
}

static bool is_new(const struct entry *en)
{
	return is_behind(en) && (!en->lost || en->again);
}

/* io held. Tables stay open; entries never move. */
static int table_of(struct commits *c, size_t group, struct table **out, struct err *e)
{
	pthread_mutex_lock(&c->mu);
	const char *name = c->groups[group].name;
	*out = c->groups[group].table;
	pthread_mutex_unlock(&c->mu);
	if (*out)
		return 0;
	if (c->open(c->arg, name, out, e))
		return -1;
	pthread_mutex_lock(&c->mu);
	c->groups[group].table = *out;
	pthread_mutex_unlock(&c->mu);
	return 0;
}

/* A line of a child says that its reader has read the parents to their end, if the parents are the same reader's, and not
 * for another time: then it is their own marks that count. */
static int end_parents(struct table *t, const struct entry *en, struct err *e)
{
	struct lease child, parent;
	bool found;
	if (lease_get(t, en->shard_id, &child, &found, e))
		return -1;
	for (int i = 0; found && i < 2 && child.parents[i][0]; i++) {
		bool there;
		if (lease_get(t, child.parents[i], &parent, &there, e))
			return -1;
		if (!there || lease_is_end(&parent) || !en->owner[0] || strcmp(parent.owner, en->owner) != 0)
			continue;
		if (lease_checkpoint_of(t, child.parents[i], en->owner, 1, CP_SHARD_END, 0, e) &&
			e->cls != ERR_LEASE_LOST)
			return -1;
	}
	return 0;
}

struct due { /* what was noted of a shard when the round came to it */
	char want[SEQ_MAX];
	uint64_t sub, tenure;
};

/* io held. */
static int commit(struct commits *c, struct entry *en, const struct due *d, struct err *e)
{
	struct table *t;
	if (table_of(c, en->group, &t, e))
		return -1;
	if (en->parents_due && end_parents(t, en, e))
		return -1;
	const char *owner = en->owner[0] ? en->owner : NULL;
	int rc = lease_checkpoint_of(t, en->shard_id, owner, d->tenure, d->want, d->sub, e);
	pthread_mutex_lock(&c->mu);
	if (en->tenure != d->tenure) {
		if (rc && e->cls == ERR_LEASE_LOST)
			rc = 0; /* and has it back */
	} else if (!rc) {
		memcpy(en->done, d->want, sizeof en->done);
		en->done_sub = d->sub;
		en->parents_due = en->lost = en->said = false;
	} else if (e->cls == ERR_LEASE_LOST) {
		en->lost = true;
		if (en->said)
			rc = 0;
		en->said = true;
	}
	pthread_mutex_unlock(&c->mu);
	return rc;
}

/* The i-th entry, when it has something new; NULL else. Past the last: *end. */
static struct entry *pick(struct commits *c, size_t i, struct due *d, bool *end)
{
	struct entry *en = NULL;
	pthread_mutex_lock(&c->mu);
	*end = i >= c->n;
	if (!*end && is_new(c->v[i])) {
		en = c->v[i];
		en->again = false;
		memcpy(d->want, en->want, sizeof d->want);
		d->sub = en->want_sub;
		d->tenure = en->tenure;
	}
	pthread_mutex_unlock(&c->mu);
	return en;
}

int commits_flush(struct commits *c, struct err *e)
{
	struct due d;
	bool end = false;
	int rc = 0, lost = 0;
	pthread_mutex_lock(&c->io);
	for (size_t i = 0; !end; i++) {
		struct err mine = { 0 };
		struct entry *en = pick(c, i, &d, &end);
		if (!en || !commit(c, en, &d, &mine))
			continue;
		if (!rc && e)
			*e = mine;
		rc = -1;
		if (mine.cls != ERR_LEASE_LOST)
			break;
		lost++;
	}
	pthread_mutex_unlock(&c->io);
	if (lost > 1 && e)
		err_prefix(e, "%d shards taken by other workers, among them ", lost);
	return rc;
}

/* io held. Is owner one whose lines came through here, with nothing of this row still to be written? */
static bool may_release(struct commits *c, size_t group, const struct lease *row, const char *owner)
{
	bool seen = false, open = false;
	pthread_mutex_lock(&c->mu);
	for (size_t i = 0; i < c->n; i++) {
		const struct entry *en = c->v[i];
		if (en->group != group || !en->owner[0] || strcmp(en->owner, owner) != 0)
			continue;
		seen = true;
		open = open || (!strcmp(en->shard_id, row->shard_id) && is_behind(en));
	}
	pthread_mutex_unlock(&c->mu);
	return seen && !open;
}

/* io held. In a handoff it has two owners. */
static int release_row(
	struct commits *c, size_t group, struct table *t, const struct lease *row, struct err *e)
{
	const char *const names[2] = { row->checkpoint_owner, row->owner };
	for (int i = 0; i < 2; i++)
		if (names[i][0] && may_release(c, group, row, names[i]))
			return lease_release_owner(t, row->shard_id, names[i], e);
	return 0;
}

int commits_release(struct commits *c, struct err *e)
{
	pthread_mutex_lock(&c->mu);
	for (size_t i = 0; i < c->n; i++)
		c->v[i]->again = true; /* who has it may have come as far by now */
	pthread_mutex_unlock(&c->mu);
	int rc = commits_flush(c, e);
	pthread_mutex_lock(&c->io);
	for (size_t g = 0; g < c->ngroups; g++) {
		struct leases rows = { 0 };
		struct table *t;
		struct err mine = { 0 };
		bool bad = table_of(c, g, &t, &mine) || leases_scan(t, NULL, &rows, &mine);
		for (size_t i = 0; !bad && i < rows.n; i++)
			bad = release_row(c, g, t, &rows.v[i], &mine);
		leases_free(&rows);
		if (bad && !rc && e)
			*e = mine;
		rc = bad ? -1 : rc;
	}
	pthread_mutex_unlock(&c->io);
	return rc;
}

size_t commits_lost(struct commits *c)
{
	size_t n = 0;
	pthread_mutex_lock(&c->mu);
	for (size_t i = 0; i < c->n; i++)
		n += c->v[i]->lost && is_behind(c->v[i]);
	pthread_mutex_unlock(&c->mu);
	return n;
}

size_t commits_uncommitted(struct commits *c)
{
	size_t n = 0;
	pthread_mutex_lock(&c->mu);
	for (size_t i = 0; i < c->n; i++)
		n += !c->v[i]->lost && is_behind(c->v[i]);
	pthread_mutex_unlock(&c->mu);
	return n;
}
