/* shares.c - the Kinesis Client Library's rules for sharing leases: targets, very old leases, stealing. */
#include "flow/shares.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct worker {
	const char *name;
	size_t n; /* leases that have not run out */
	bool dead;
};

struct plan {
	const struct leases *l;
	const struct shares_conf *c;
	struct worker *workers; /* sorted by name */
	size_t nworkers, living;
	size_t nleases;
	size_t *avail, navail; /* nobody's, or run out */
	size_t *old, nold;     /* of these, for so long that shares don't count */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct worker *)a)->name, ((const struct worker *)b)->name);
}

static struct worker *worker_of(const struct plan *p, const char *name)
{
	const struct worker key = { .name = name };
	return bsearch(&key, p->workers, p->nworkers, sizeof key, by_name);
}

/* Each owner once, and always us. */
static void list_workers(struct plan *p)
{
	size_t n = 0;
	p->workers = mem_array(p->l->n + 1, sizeof *p->workers);
	p->workers[n++].name = p->c->me;
	for (size_t i = 0; i < p->l->n; i++)
		if (p->l->v[i].owner[0] && !lease_is_end(&p->l->v[i]))
			p->workers[n++].name = p->l->v[i].owner;
	qsort(p->workers, n, sizeof *p->workers, by_name);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(p->workers[i].name, p->workers[p->nworkers - 1].name) != 0)
			p->workers[p->nworkers++].name = p->workers[i].name;
	for (size_t i = 0; i < p->nworkers; i++)
		p->workers[i].dead = strcmp(p->workers[i].name, p->c->me) != 0 && p->c->dead &&
				     p->c->dead(p->workers[i].name);
}

/* In a handoff the one who still works on it renews, or has died with it. */
static bool run_out(const struct plan *p, const struct lease *l)
{
	if (lease_expired(l, p->c->now_ms, p->c->failover_ms))
		return true;
	const struct worker *w = worker_of(p, l->owner);
	return w && w->dead && !l->checkpoint_owner[0];
}

static void sort_leases(struct plan *p)
{
	p->avail = mem_array(p->l->n + 1, sizeof *p->avail);
	p->old = mem_array(p->l->n + 1, sizeof *p->old);
	for (size_t i = 0; i < p->l->n; i++) {
		const struct lease *l = &p->l->v[i];
		if (lease_is_end(l))
			continue;
		p->nleases++;
		bool mine = !strcmp(l->owner, p->c->me);
		if (mine || !run_out(p, l)) {
			if (l->owner[0])
				worker_of(p, l->owner)->n++;
			continue;
		}
		p->avail[p->navail++] = i;
		if (p->c->now_ms - l->seen_ms > SHARES_VERY_OLD * p->c->failover_ms)
			p->old[p->nold++] = i;
	}
	for (size_t i = 0; i < p->nworkers; i++)
		p->living += p->workers[i].n || !strcmp(p->workers[i].name, p->c->me);
}

static void shuffle(const struct plan *p, size_t *v, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = (size_t)(p->c->chance() * (double)i), was = v[i - 1];
		k = k < i ? k : i - 1;
		v[i - 1] = v[k];
		v[k] = was;
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* v becomes the answer, n of it. */
static size_t choose(const struct plan *p, struct shares *out, const size_t *v, size_t nv, size_t n)
{
	memcpy(out->v, v, nv * sizeof *v);
	shuffle(p, out->v, nv);
	return least(n, nv);
}

static const struct worker *most_loaded(const struct plan *p)
{
	const struct worker *most = NULL;
	for (size_t i = 0; i < p->nworkers; i++)
		if (strcmp(p->workers[i].name, p->c->me) != 0 && (!most || p->workers[i].n > most->n))
			most = &p->workers[i];
	return most;
}

/* In a handoff. Who does not hand over has not asked one who does either: it has taken the lease in the midst of a handoff,
 * as KCL 2 may, which leaves checkpointOwner behind. */
static bool on_its_way(const struct plan *p, const struct lease *l)
{
	return l->checkpoint_owner[0] &&
	       !(p->c->gentle && !p->c->gentle(l->owner) && p->c->gentle(l->checkpoint_owner));
}

/* From the most loaded only, and down to the target; but two short of it are helped by one of a full share, too, lest a
 * late worker stay without any. */
static void steal(const struct plan *p, size_t need, struct shares *out)
{
	const struct worker *from = most_loaded(p);
	if (!from || from->n < out->target || !from->n)
		return;
	size_t n = least(need, from->n - out->target);
	if (!n && need > 1)
		n = 1;
	out->gentle = p->c->gentle && p->c->gentle(from->name);
	n = least(n, out->gentle ? (need + 1) / 2 : p->c->max_steal);
	size_t *v = mem_array(p->l->n + 1, sizeof *v), nv = 0;
	for (size_t i = 0; i < p->l->n; i++) {
		const struct lease *l = &p->l->v[i];
		if (!lease_is_end(l) && !on_its_way(p, l) && !strcmp(l->owner, from->name))
			v[nv++] = i;
	}
	out->steal = choose(p, out, v, nv, n);
	free(v);
}

void shares_plan(const struct leases *l, const struct shares_conf *c, struct shares *out)
{
	struct plan p = { .l = l, .c = c };
	*out = (struct shares){ .v = mem_array(l->n + 1, sizeof *out->v) };
	list_workers(&p);
	sort_leases(&p);
	size_t max = c->max ? c->max : SIZE_MAX;
	out->mine = worker_of(&p, c->me)->n;
	out->foreign = p.nleases - out->mine - p.navail;
	out->target = p.living >= p.nleases ? 1 : (p.nleases + p.living - 1) / p.living;
	out->target = least(out->target, max);
	size_t need = out->target > out->mine ? out->target - out->mine : 0;
	if (p.nold)
		out->take = choose(&p, out, p.old, p.nold, max > out->mine ? max - out->mine : 0);
	else if (need && p.navail)
		out->take = choose(&p, out, p.avail, p.navail, need);
	else if (need)
		steal(&p, need, out);
	out->more = out->take && p.navail > out->take && out->mine + out->take < out->target;
	free(p.workers);
	free(p.avail);
	free(p.old);
}

void shares_free(struct shares *s)
{
	free(s->v);
	*s = (struct shares){ 0 };
}
