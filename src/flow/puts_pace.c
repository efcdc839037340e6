/* puts_pace.c - a lane's records and the pace of their shards. */
#include "base/clock.h"
#include "flow/puts_pack.h"
#include <string.h>

#define SEEN 64 /* words */

/* May the record go now? Its wait counts as the stream's not taking it; an outage of its shard gives it up like any other. */
static bool granted(struct lane *l, struct rec *r, int64_t now)
{
	const struct puts_conf *c = &l->q->c;
	int64_t since;
	if (pace_take(l->q->pace, &r->slot, r->key, r->hash_key, now, &l->next_ms, &since))
		return true;
	if (c->aside) {
		r->failed_ms = r->failed_ms ? r->failed_ms : now;
		lane_note_due(l, r);
	} else if (!r->hold && now - since >= c->give_up_ms) {
		r->failed_ms = since;
		return true;
	}
	return false;
}

/* Only the records of a slow shard wait, so that it does not hold up the others. Where one waits all later ones of its key do. */
void lane_pace(struct lane *l)
{
	uint64_t seen[SEEN] = { 0 };
	int64_t now = clock_mono_ms();
	size_t n = 0, most = lane_hurried(l, now) ? SIZE_MAX : l->q->c.batch_records;
	if (!l->paced && !pace_active(l->q->pace))
		return;
	l->paced = false;
	l->next_ms = INT64_MAX;
	for (struct rec *r = l->head; r; r = r->lane_next) {
		uint64_t *word = &seen[r->hash / 64 % SEEN], bit = (uint64_t)1 << r->hash % 64;
		if (l->waiting && r->waits)
			continue; /* as lane_keep has just found */
		bool room = n < most && !(*word & bit);
		r->granted = r->granted || (room && (most == SIZE_MAX || granted(l, r, now)));
		r->waits = !room || !r->granted;
		n += !r->waits;
		l->paced |= r->waits;
		*word |= r->waits ? bit : 0;
	}
}

static bool is_refusal(const struct err *e)
{
	return e->cls == ERR_UNAVAILABLE && (strstr(e->code, "Throughput") || strstr(e->code, "Thrott"));
}

bool lane_pace_learn(struct lane *l, size_t n, int64_t began_ms)
{
	struct pace *p = l->q->pace;
	int64_t now = clock_mono_ms();
	bool active = pace_active(p), other = false;
	for (size_t i = 0; i < n; i++) {
		struct rec *r = l->taken[i];
		bool packed;
		uint64_t sub;
		const struct put *b = l->pack ? pack_entry_of(l, i, &packed, &sub) : &l->batch[i];
		r->granted = false;
		if (is_refusal(&b->err))
			pace_refused(p, &r->slot, r->key, r->hash_key, began_ms, now);
		else if (b->err.cls != ERR_NONE)
			other = true;
		else if (active)
			pace_stored(p, &r->slot, now);
	}
	return other;
}
