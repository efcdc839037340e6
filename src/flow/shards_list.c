/* shards_list.c - lineage in the shard follower: lists, where each shard starts, children after parents, the end of all. */
#include "flow/shards_int.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void follow_begin(struct fshard *s, const struct position *p)
{
	s->start = *p;
	s->cur = (struct cursor){ .next = *p };
	memcpy(s->cur.shard_id, s->s.id, sizeof s->cur.shard_id);
	s->last_seq[0] = 0;
	s->last_sub = 0;
	if (p->kind == POS_AFTER_SEQ) {
		memcpy(s->last_seq, p->seq, sizeof s->last_seq);
		s->last_sub = p->sub;
		s->cur.next.kind = POS_AT_SEQ; /* an aggregate that was read in part */
	}
}

/* Without a group. A shard that appears in a later list began after this run did. */
static void place(struct follow *f, struct fshard *s)
{
	struct position p = { .kind = POS_TRIM_HORIZON };
	s->state = FS_WAIT;
	if (f->c.since.kind == WHEN_TIME && (!f->passed || f->c.since.us > f->start_ms * 1000)) {
		p.kind = POS_AT_TIME;
		p.time_ms = f->c.since.us / 1000;
	} else if (f->c.since.kind == WHEN_LATEST && !f->passed) {
		p.kind = POS_LATEST;
		if (s->closed)
			s->state = FS_SKIP;
	}
	follow_begin(s, &p);
}

static void merge(struct follow *f, const struct shards *l)
{
	for (size_t i = 0; i < f->n; i++)
		f->v[i]->listed = false;
	for (size_t i = 0; i < l->n; i++) {
		struct fshard *s = follow_find(f, l->v[i].id);
		bool fresh = !s;
		if (fresh)
			s = follow_add(f, &l->v[i]);
		/* Readers use the id without the lock, so a known entry is never written whole. */
		memcpy(s->s.end_seq, l->v[i].end_seq, sizeof s->s.end_seq);
		memcpy(s->s.start_hash, l->v[i].start_hash, sizeof s->s.start_hash);
		memcpy(s->s.end_hash, l->v[i].end_hash, sizeof s->s.end_hash);
		s->listed = true;
		s->closed = l->v[i].end_seq[0] != 0;
		if (fresh && !f->c.group)
			place(f, s);
	}
	follow_link(f);
}

/* An end that the list contradicts is none: a server may answer without an iterator by mistake. */
static void doubt_endings(struct follow *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct fshard *s = f->v[i];
		if (s->state != FS_ENDING || s->closed || !s->listed)
			continue;
		log_note("%s: read as ended but listed as open, asking again", s->s.id);
		s->cur.iterator[0] = 0;
		s->state = FS_READY;
		s->due_ms = clock_mono_ms() + 1000;
		pthread_cond_broadcast(&f->cond);
	}
}

void follow_announce(struct follow *f, struct fshard *s)
{
	pthread_mutex_lock(&f->mu);
	unsigned n = s->tenure;
	bool due = n > 1 && s->announced != n;
	s->announced = n;
	pthread_mutex_unlock(&f->mu);
	if (due && f->c.on_tenure)
		f->c.on_tenure(s->s.id, n, f->c.arg);
}

/* Since it was read to its end it may have been lost, or be on its way to another worker, who will see the end, too. */
static int hand_on_end(struct follow *f, struct fshard *s, struct err *e)
{
	int rc = 0;
	pthread_mutex_lock(&f->out_mu);
	pthread_mutex_lock(&f->mu);
	bool may = s->state == FS_ENDING && group_valid(f, s);
	pthread_mutex_unlock(&f->mu);
	if (may)
		follow_announce(f, s);
	if (may && f->c.on_shard_end)
		rc = f->c.on_shard_end(s->s.id, f->c.arg, e);
	pthread_mutex_lock(&f->mu);
	if (may) {
		s->state = atomic_load(&s->lost) ? FS_LOST : FS_ENDED;
		f->last_ms = clock_mono_ms();
	}
	pthread_mutex_unlock(&f->mu);
	pthread_mutex_unlock(&f->out_mu);
	return rc;
}

static int hand_on_ends(struct follow *f, struct fshard *const *ends, size_t n, struct err *e)
{
	for (size_t i = 0; i < n && !follow_ending(f); i++)
		if (hand_on_end(f, ends[i], e))
			return -1;
	return 0;
}

static bool parent_done(const struct follow *f, const struct fshard *p)
{
	if (!p || p->state == FS_ENDED || p->state == FS_SKIP)
		return true;
	return f->c.group && (!p->has_lease || lease_is_end(&p->lease));
}

static void promote(struct follow *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct fshard *s = f->v[i];
		if (s->state != FS_WAIT || (f->c.group && !s->owned))
			continue;
		if (!parent_done(f, s->up[0]) || !parent_done(f, s->up[1]))
			continue;
		s->state = FS_READY;
		s->due_ms = clock_mono_ms();
		pthread_cond_broadcast(&f->cond);
	}
}

/* Lists the stream, brings the leases up to date, hands on shard ends, starts what may start. */
int follow_pass(struct follow *f, struct err *e)
{
	struct shards l = { 0 };
	size_t n = 0;
	pthread_mutex_lock(&f->mu);
	struct fshard **ends = mem_array(f->n + 1, sizeof *ends);
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i]->state == FS_ENDING)
			ends[n++] = f->v[i];
	pthread_mutex_unlock(&f->mu);
	int rc = stream_shards(f->c.stream, &l, e);
	if (!rc) {
		pthread_mutex_lock(&f->mu);
		merge(f, &l);
		doubt_endings(f);
		size_t kept = 0;
		for (size_t i = 0; i < n; i++)
			if (ends[i]->state == FS_ENDING)
				ends[kept++] = ends[i];
		n = kept;
		pthread_mutex_unlock(&f->mu);
		if (f->c.group)
			rc = group_pass(f, e);
		if (!rc)
			rc = hand_on_ends(f, ends, n, e);
	}
	if (!rc) {
		pthread_mutex_lock(&f->mu);
		promote(f);
		f->passed = true;
		pthread_mutex_unlock(&f->mu);
	}
	free(l.v);
	free(ends);
	return rc;
}

/* All that we may hold stands at its end: what is free stays so in a run that ends by itself. */
static bool has_its_fill(const struct follow *f)
{
	size_t n = 0;
	for (size_t i = 0; f->c.max_shards && i < f->n; i++)
		n += f->v[i]->owned && f->v[i]->state == FS_TIP;
	return f->c.max_shards && n >= f->c.max_shards;
}

/* Nothing more will come of it in a run that ends by itself, whatever becomes of its parents. A lease that its owner renews
 * is that owner's business; a row that is not there comes, if at all, when a parent has ended, here or elsewhere. */
static bool settled_alone(const struct follow *f, const struct fshard *s, bool fill)
{
	switch (s->state) {
	case FS_ENDED:
	case FS_TIP:
	case FS_SKIP:
	case FS_LOST: return true;
	case FS_NEW:
	case FS_WAIT: return f->c.group && !s->owned && (!s->has_lease || s->live || fill);
	default: return false;
	}
}

static bool waits_for_parents(const struct follow *f, const struct fshard *s)
{
	return s->state == FS_WAIT && (!f->c.group || s->owned);
}

/* A child of a shard that is settled without having been read to its end never starts. */
static bool settled_by_parent(const struct fshard *s)
{
	for (int i = 0; i < 2; i++) {
		const struct fshard *p = s->up[i];
		if (p && p->settled && p->state != FS_ENDED && p->state != FS_SKIP)
			return true;
	}
	return false;
}

/* From parents to children until nothing changes: lists come parents first, so two rounds do, however deep the lineage of a
 * stream that is resharded daily. */
static bool all_settled(struct follow *f)
{
	bool all = false, changed = true, fill = has_its_fill(f);
	for (size_t i = 0; i < f->n; i++) {
		struct fshard *s = f->v[i];
		s->settled = settled_alone(f, s, fill);
		if (!s->settled && !waits_for_parents(f, s))
			return false;
	}
	while (!all && changed) {
		all = true;
		changed = false;
		for (size_t i = 0; i < f->n; i++) {
			struct fshard *s = f->v[i];
			if (!s->settled && settled_by_parent(s))
				s->settled = changed = true;
			all = all && s->settled;
		}
	}
	return all;
}

bool follow_finished(struct follow *f)
{
	pthread_mutex_lock(&f->mu);
	bool all = f->passed && all_settled(f);
	pthread_mutex_unlock(&f->mu);
	return all;
}
