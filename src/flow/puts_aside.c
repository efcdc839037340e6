/* puts_aside.c - a lane's records that the stream does not take, and those that must stay behind them: kept elsewhere. */
#include "base/clock.h"
#include "flow/puts_int.h"

#define SEEN 64 /* words */

static bool due(struct lane *l, const struct rec *r, int64_t now)
{
	const struct puts_aside *a = l->q->c.aside;
	if (!r->failed_ms)
		return false;
	int64_t at = r->failed_ms + a->after_ms;
	if (now < at && (!l->due_ms || at < l->due_ms))
		l->due_ms = at;
	return now >= at;
}

/* A set of hashes, roughly: keys that share a bit share their fate, which costs time and nothing else. */
static bool in_set(const uint64_t set[SEEN], uint32_t hash)
{
	return set[hash / 64 % SEEN] >> hash % 64 & 1;
}

static void into_set(uint64_t set[SEEN], uint32_t hash)
{
	set[hash / 64 % SEEN] |= (uint64_t)1 << hash % 64;
}

/* Must r wait behind what is aside? Once a record must, so must all later ones of its key, also when just now nothing is aside
 * any more. */
static bool must_wait(const struct puts_aside *a, const struct rec *r, uint64_t seen[SEEN])
{
	if (!in_set(seen, r->hash) && !a->behind(a->arg, r->hash))
		return false;
	into_set(seen, r->hash);
	return true;
}

static void take(struct lane *l, size_t n, struct rec *r)
{
	l->taken[n] = r;
	l->hashes[n] = r->hash;
	l->batch[n].data = r->data;
	l->batch[n].len = r->len;
	l->batch[n].partition_key = r->key;
	l->batch[n].explicit_hash_key = r->hash_key;
}

/* Has something waited long enough while nothing goes through? Asked before the first record is chosen: those ahead of it must
 * not stay when later ones of their keys go. */
static bool goes_down(struct lane *l, int64_t now)
{
	const struct puts_aside *a = l->q->c.aside;
	struct rec *r = l->down ? l->head : NULL;
	while (r && !due(l, r, now))
		r = r->lane_next;
	if (r)
		a->shut_down(a->arg);
	return r != NULL;
}

/* Choose from the whole lane, in its order, what is not to be sent now; each record learns whether it must wait. */
static size_t choose_kept(struct lane *l, int64_t now, bool all)
{
	const struct puts_aside *a = l->q->c.aside;
	uint64_t seen[SEEN] = { 0 }, ahead[SEEN] = { 0 };
	size_t n = 0, bytes = 0;
	bool full = false;
	all = all || goes_down(l, now);
	l->due_ms = 0;
	l->waiting = false;
	for (struct rec *r = l->head; r; r = r->lane_next) {
		r->waits = must_wait(a, r, seen);
		l->waiting |= r->waits;
		/* The pace may have held up a record that was not its key's next; it must not go before those ahead of it. */
		bool late = due(l, r, now) && !in_set(ahead, r->hash);
		if (!all && !r->waits && !late) {
			into_set(ahead, r->hash);
			continue;
		}
		full = full || n == l->q->c.batch_records || (n && bytes + r->in_call > l->q->c.batch_bytes);
		if (full)
			continue;
		take(l, n++, r);
		bytes += r->in_call;
	}
	return n;
}

/* There is no room: records are held here, as if there were nothing aside, and fail when their time is up. */
static size_t hold_or_fail(struct lane *l, size_t n, int64_t now, bool hurried, const struct err *e)
{
	struct trouble *shared = NULL;
	size_t done = 0;
	for (size_t i = 0; i < n; i++) {
		struct rec *r = l->taken[i];
		if (!r->failed_ms)
			r->failed_ms = now;
		if (!hurried && (r->hold || now - r->failed_ms < l->q->c.give_up_ms))
			continue;
		rec_set_error(r, e, &shared);
		r->settled = true;
		l->taken[done++] = r;
	}
	return done;
}

size_t lane_keep(struct lane *l)
{
	const struct puts_aside *a = l->q->c.aside;
	int64_t now = clock_mono_ms();
	bool hurried = lane_hurried(l, now);
	struct err e;
	if (!hurried && !l->waiting && !(l->due_ms && now >= l->due_ms) && !a->busy(a->arg))
		return 0;
	size_t n = choose_kept(l, now, hurried || a->shut(a->arg));
	if (n == 0)
		return 0;
	err_clear(&e);
	size_t done = n;
	l->no_room = a->keep(a->arg, l->batch, l->hashes, n, &e) != 0;
	if (l->no_room)
		done = hold_or_fail(l, n, now, hurried, &e);
	else
		for (size_t i = 0; i < n; i++)
			l->taken[i]->settled = l->taken[i]->kept = true;
	lane_unlink(l, done);
	return done;
}
