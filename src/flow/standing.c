/* standing.c - join the list of shards with the rows of a group, and judge. */
#include "flow/standing.h"

#include "base/lanes.h"
#include "base/mem.h"
#include "flow/lag.h"
#include "flow/owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 16   /* tips asked for at once */
#define LOOK_MS 1000 /* between two looks at counters */

const char *standing_word(enum shard_standing s)
{
	static const char *const words[] = { [STANDING_NEW] = "new",
		[STANDING_WAITING] = "waiting",
		[STANDING_UNOWNED] = "unowned",
		[STANDING_READING] = "reading",
		[STANDING_EXPIRED] = "expired",
		[STANDING_ENDED] = "ended",
		[STANDING_SKIPPED] = "skipped",
		[STANDING_GONE] = "gone" };

	return words[s];
}

void standings_free(struct standings *s)
{
	leases_free(&s->rows);
	free(s->v);
	*s = (struct standings){ 0 };
}

static int by_id(const void *a, const void *b)
{
	const struct standing *x = a, *y = b;

	return strcmp(x->shard.id, y->shard.id);
}

static int id_of(const void *id, const void *b)
{
	const struct standing *y = b;

	return strcmp(id, y->shard.id);
}

struct standing *standings_find(const struct standings *s, const char *shard_id)
{
	return *shard_id && s->n ? bsearch(shard_id, s->v, s->n, sizeof *s->v, id_of) : NULL;
}

/* ---- rows ---- */

static int scan(const struct standing_conf *c, struct leases *rows, struct err *e)
{
	struct leases now;

	if (leases_scan(c->group, rows, &now, e)) {
		if (!strcmp(e->code, "ResourceNotFoundException"))
			err_set(e, ERR_FAILED, "ResourceNotFoundException",
				"group %s does not exist; make it with: recagent setup --group %s",
				c->group->name, c->group->name);
		return -1;
	}
	leases_free(rows);
	*rows = now;
	return 0;
}

/* A row that another program has taken over keeps the time of our last renewal. */
enum owner_sign owner_sign(const struct lease *l, int64_t table_now, int64_t failover_ms)
{
	if (!l->owner[0])
		return OWNER_NONE;
	if (owner_dead(l->owner))
		return OWNER_SILENT;
	if (!l->renewed_ms_epoch || !owner_gentle(l->owner))
		return OWNER_UNKNOWN;
	return table_now - l->renewed_ms_epoch > failover_ms ? OWNER_SILENT : OWNER_ALIVE;
}

/* What one scan after another has shown. */
struct watched {
	int64_t since_ms, for_ms; /* monotonic, of the first scan; how long counters were watched */
};

/* A counter that was seen to move decides, and one that stood still for long enough, whatever the times say. */
static enum owner_sign sign_of(
	const struct standing_conf *c, const struct watched *w, const struct lease *l, int64_t table_now)
{
	if (l->owner[0] && l->seen_ms > w->since_ms)
		return OWNER_ALIVE;
	if (l->owner[0] && w->for_ms >= c->failover_ms)
		return OWNER_SILENT;
	return owner_sign(l, table_now, c->failover_ms);
}

static bool in_doubt(const struct standing_conf *c, const struct watched *w, const struct leases *rows)
{
	int64_t now = table_now_ms(c->group);

	for (size_t i = 0; i < rows->n; i++) {
		if (lease_is_end(&rows->v[i]))
			continue;
		enum owner_sign sign = sign_of(c, w, &rows->v[i], now);
		if (c->unknown_only ? sign == OWNER_UNKNOWN : sign != OWNER_ALIVE)
			return true;
	}
	return false;
}

/* Look again until each lease that is not known to be alive has moved, or the time is over. */
static int scan_and_watch(
	const struct standing_conf *c, struct leases *rows, struct watched *w, struct err *e)
{
	if (scan(c, rows, e))
		return -1;
	w->since_ms = clock_mono_ms();
	while (w->for_ms < c->wait_ms && in_doubt(c, w, rows)) {
		int64_t left = c->wait_ms - w->for_ms;
		if (!clock_sleep_ms(left < LOOK_MS ? left : LOOK_MS))
			return err_set(e, ERR_STOPPED, "", "interrupted");
		if (scan(c, rows, e))
			return -1;
		w->for_ms = clock_mono_ms() - w->since_ms;
	}
	return 0;
}

/* ---- the join ---- */

static int check_stream(const struct standing_conf *c, struct standings *s, struct err *e)
{
	const char *arn = s->info.arn[0] ? s->info.arn : c->stream->name;

	for (size_t i = 0; i < s->rows.n; i++) {
		const struct lease *l = &s->rows.v[i];
		if (l->stream_arn[0] && strcmp(l->stream_arn, arn) != 0)
			return err_set(e, ERR_USAGE, "", "group %s belongs to %s, not to %s", c->group->name,
				l->stream_arn, arn);
		s->anew = s->anew || (s->info.created_s && l->stream_created_s &&
					     l->stream_created_s != s->info.created_s);
	}
	return 0;
}

static void join(struct standings *s, const struct shards *list)
{
	s->v = mem_array(list->n + s->rows.n + 1, sizeof *s->v);
	for (size_t i = 0; i < list->n; i++)
		s->v[s->n++] = (struct standing){ .shard = list->v[i], .listed = true };
	qsort(s->v, s->n, sizeof *s->v, by_id);
	size_t listed = s->n;
	for (size_t i = 0; i < s->rows.n && !s->anew; i++) {
		const struct lease *l = &s->rows.v[i];
		struct standing *h = bsearch(l->shard_id, s->v, listed, sizeof *s->v, id_of);
		if (!h) {
			h = &s->v[s->n++];
			memcpy(h->shard.id, l->shard_id, sizeof h->shard.id);
			memcpy(h->shard.parent, l->parents[0], sizeof h->shard.parent);
			memcpy(h->shard.adjacent, l->parents[1], sizeof h->shard.adjacent);
		}
		h->has_row = true;
		h->row = *l;
		if (l->initial_ms)
			s->initial_ms = l->initial_ms;
	}
	qsort(s->v, s->n, sizeof *s->v, by_id);
}

/* Ids grow from parents to children: one way up and one way down find who has relatives with rows. */
static void find_relatives(struct standings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct standing *h = &s->v[i];
		const char *const ids[2] = { h->shard.parent, h->shard.adjacent };
		for (int k = 0; k < 2; k++) {
			const struct standing *p = standings_find(s, ids[k]);
			h->has_above = h->has_above || (p && (p->has_row || p->has_above));
		}
	}
	for (size_t i = s->n; i-- > 0;) {
		const struct standing *h = &s->v[i];
		const char *const ids[2] = { h->shard.parent, h->shard.adjacent };
		for (int k = 0; k < 2; k++) {
			struct standing *p = standings_find(s, ids[k]);
			if (p)
				p->has_below = p->has_below || h->has_row || h->has_below;
		}
	}
}

/* ---- states ---- */

/* A parent without a row holds up only those that have none themselves: so do the rows' makers, here and in the KCL. */
static bool unfinished(const struct standing *h, const struct standing *parent)
{
	return parent->state != STANDING_ENDED && parent->state != STANDING_SKIPPED &&
	       (parent->has_row || !h->has_row);
}

static bool waits(const struct standings *s, const struct standing *h)
{
	const struct standing *p = standings_find(s, h->shard.parent);
	const struct standing *q = standings_find(s, h->shard.adjacent);

	return (p && unfinished(h, p)) || (q && unfinished(h, q));
}

static enum shard_standing state_of(const struct standings *s, const struct standing *h)
{
	if (h->has_row && lease_is_end(&h->row))
		return STANDING_ENDED;
	if (h->has_row && !h->listed)
		return STANDING_GONE;
	if (waits(s, h))
		return STANDING_WAITING;
	if (!h->has_row)
		return h->has_below ? STANDING_SKIPPED : STANDING_NEW;
	switch (h->sign) {
	case OWNER_NONE: return STANDING_UNOWNED;
	case OWNER_SILENT: return STANDING_EXPIRED;
	default: return STANDING_READING;
	}
}

/* Where a shard without a row will begin. As long as nothing of its parents was read, their beginning is its own. */
static struct position begins_at(const struct standings *s, const struct standing *h)
{
	const char *const ids[2] = { h->shard.parent, h->shard.adjacent };
	int64_t ms = h->has_above ? 0 : s->initial_ms;

	if (h->has_row)
		return lease_position(&h->row);
	for (int k = 0; k < 2; k++) {
		const struct standing *p = standings_find(s, ids[k]);
		if (p && p->has_row && !strspn(p->row.checkpoint, "0123456789") && !lease_is_end(&p->row))
			ms = p->row.initial_ms;
	}
	return (struct position){ .kind = ms ? POS_AT_TIME : POS_TRIM_HORIZON, .time_ms = ms };
}

static void judge_states(const struct standing_conf *c, const struct watched *w, struct standings *s)
{
	int64_t now = table_now_ms(c->group);

	for (size_t i = 0; i < s->n; i++) {
		struct standing *h = &s->v[i];
		h->sign = h->has_row ? sign_of(c, w, &h->row, now) : OWNER_NONE;
		if (!h->row.owner[0] || owner_gentle(h->row.owner)) {
			h->renewed_ms = h->row.renewed_ms_epoch;
			h->committed_ms = h->row.checkpointed_ms_epoch;
		}
		h->state = state_of(s, h);
		h->at = begins_at(s, h);
	}
}

/* ---- lags ---- */

struct lag_job {
	struct lane_job job;
	struct stream *stream;
	struct standing *h;
};

static void measure(struct lane_job *job, void *arg)
{
	struct lag_job *j = (struct lag_job *)job;
	struct standing *h = j->h;

	(void)arg;
	if (lag_of(j->stream, &h->shard, &h->at, &h->lag, &h->lag_err))
		h->lag.ms = h->lag.records = -1;
}

static void measured(struct lane_job *job, void *arg)
{
	(void)arg;
	free(job);
}

static void measure_all(const struct standing_conf *c, struct standings *s)
{
	struct lanes_conf lc = { .workers = WORKERS, .window = 64, .work = measure, .done = measured };
	struct lanes *l = lanes_open(&lc);

	for (size_t i = 0; i < s->n; i++) {
		struct standing *h = &s->v[i];
		memcpy(h->lag.tip, h->shard.end_seq, sizeof h->lag.tip);
		if (!h->listed || h->state == STANDING_ENDED || h->state == STANDING_SKIPPED)
			continue;
		struct lag_job *j = mem_alloc(sizeof *j);
		j->stream = c->stream;
		j->h = h;
		lanes_submit(l, &j->job, 0);
	}
	lanes_close(l);
}

/* ---- stuck ---- */

static bool nobody_reads(const struct standing *h)
{
	return h->state == STANDING_NEW || h->state == STANDING_UNOWNED || h->state == STANDING_EXPIRED ||
	       (h->state == STANDING_GONE && (h->sign == OWNER_NONE || h->sign == OWNER_SILENT));
}

/* Whoever at the end of its lines of unfinished parents is read by nobody, if anyone is. Parents have been looked at. */
static const struct standing *held_by(const struct standings *s, const struct standing *h)
{
	const char *const ids[2] = { h->shard.parent, h->shard.adjacent };

	for (int k = 0; k < 2 && h->state == STANDING_WAITING; k++) {
		const struct standing *p = standings_find(s, ids[k]);
		if (!p || !unfinished(h, p))
			continue;
		if (nobody_reads(p))
			return p;
		if (p->held_by)
			return p->held_by;
	}
	return NULL;
}

static bool commits_stand(const struct standing_conf *c, const struct standing *h, int64_t now)
{
	return h->state == STANDING_READING && h->committed_ms && h->lag.ms > c->stuck_ms &&
	       now - h->committed_ms > c->stuck_ms;
}

static void judge_stuck(const struct standing_conf *c, struct standings *s)
{
	int64_t now = table_now_ms(c->group);

	for (size_t i = 0; i < s->n; i++) {
		struct standing *h = &s->v[i];
		h->held_by = held_by(s, h);
		if (h->lag.ms <= 0)
			continue;
		h->stuck = true;
		if (h->held_by)
			snprintf(h->why, sizeof h->why, "it waits for %.128s, which nobody reads",
				h->held_by->shard.id);
		else if (h->state == STANDING_EXPIRED)
			snprintf(h->why, sizeof h->why, "its owner renews no more");
		else if (nobody_reads(h))
			snprintf(h->why, sizeof h->why, "nobody owns it");
		else if (commits_stand(c, h, now))
			snprintf(h->why, sizeof h->why,
				"its owner renews, but the last commit is %" PRId64 " s old",
				(now - h->committed_ms) / 1000);
		else
			h->stuck = false;
	}
}

/* Rows first, then the list: a shard that appears in between has no row yet, and not the other way round. */
static int read_all(const struct standing_conf *c, struct standings *out, struct shards *list,
	struct watched *w, struct err *e)
{
	if (scan_and_watch(c, &out->rows, w, e) || stream_describe(c->stream, &out->info, e) ||
		stream_shards(c->stream, list, e))
		return -1;
	return check_stream(c, out, e);
}

int standings_read(const struct standing_conf *c, struct standings *out, struct err *e)
{
	struct shards list = { 0 };
	struct watched w = { 0 };

	*out = (struct standings){ 0 };
	int rc = read_all(c, out, &list, &w, e);
	if (!rc)
		join(out, &list);
	free(list.v);
	if (rc) {
		standings_free(out);
		return rc;
	}
	find_relatives(out);
	judge_states(c, &w, out);
	for (size_t i = 0; i < out->n && !c->with_lag; i++)
		out->v[i].lag.ms = out->v[i].lag.records = -1;
	if (c->with_lag) {
		measure_all(c, out);
		judge_stuck(c, out);
	}
	return 0;
}
