/* reposition.c - positions moved by hand: what is to be written where, and the conditional writes. */
#include "flow/reposition.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 10 /* against a worker that renews or commits between our read and our write */

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* ---- the target ---- */

static int sequence_target(const char *text, struct target *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n >= SEQ_MAX || (n > 1 && *text == '0'))
		return err_set(e, ERR_USAGE, "", "--to %.140s: no sequence number", text);
	snprintf(out->checkpoint, sizeof out->checkpoint, "%.*s", (int)n, text);
	if (!slash)
		return 0;
	char *end;
	if (!is_number(slash + 1) || strlen(slash + 1) > 18)
		return err_set(e, ERR_USAGE, "", "--to %.140s: no subsequence number behind /", text);
	out->sub = strtoull(slash + 1, &end, 10);
	return 0;
}

int target_parse(const char *text, bool one, int64_t now_ms, struct target *out, struct err *e)
{
	struct when w;
	size_t digits = strspn(text, "0123456789");

	*out = (struct target){ 0 };
	if (digits && (!text[digits] || text[digits] == '/'))
		return one ? sequence_target(text, out, e)
			   : err_set(e, ERR_USAGE, "",
				     "--to %.40s: a sequence number is of one shard; a time needs a unit",
				     text);
	if (!strcmp(text, "end")) {
		snprintf(out->checkpoint, sizeof out->checkpoint, CP_SHARD_END);
		return one ? 0 : err_set(e, ERR_USAGE, "", "--to end: only a closed shard has one");
	}
	if (!when_parse(text, &w))
		return err_set(e, ERR_USAGE, "", "--to %.40s: trim-horizon, latest%s or a time", text,
			one ? ", end, a sequence number" : "");
	const char *word = w.kind == WHEN_TRIM_HORIZON ? CP_TRIM_HORIZON
			   : w.kind == WHEN_LATEST     ? CP_LATEST
						       : CP_AT_TIMESTAMP;
	snprintf(out->checkpoint, sizeof out->checkpoint, "%s", word);
	if (w.kind == WHEN_LATEST)
		out->time_ms = now_ms;
	if (w.kind == WHEN_TIME)
		out->time_ms = w.us / 1000 > 0 ? w.us / 1000 : 1;
	if (out->time_ms > now_ms) { /* all that comes until then would be passed over, for ever */
		char now[TIME_TEXT];
		time_format_ms(now_ms, now);
		return err_set(e, ERR_USAGE, "", "--to %.40s: that is yet to come, it is %s now", text, now);
	}
	return 0;
}

static struct position position_of(const struct target *to)
{
	const struct lease l = { .initial_ms = to->time_ms, .checkpoint_sub = to->sub };
	struct lease at = l;

	memcpy(at.checkpoint, to->checkpoint, sizeof at.checkpoint);
	return lease_position(&at);
}

/* ---- the plan ---- */

static void add(struct moves *m, const struct standings *s, const struct standing *h, bool remove)
{
	const struct lease *row = leases_find(&s->rows, h->shard.id);

	m->v = mem_realloc(m->v, (m->n + 1) * sizeof *m->v);
	m->v[m->n] = (struct move){ .h = h, .has_row = row != NULL, .remove = remove };
	if (row)
		m->v[m->n].was = *row;
	m->n++;
}

/* A sequence number that was never given out would pass over all that comes until then, and one of another shard is refused
 * by the service only when the next worker asks. */
static int check_sequence(
	const struct standing_conf *c, const struct shard *h, const struct target *to, struct err *e)
{
	const struct position p = position_of(to);
	struct shard_lag lag;

	if ((h->start_seq[0] && sequence_compare(to->checkpoint, h->start_seq) < 0) ||
		(h->end_seq[0] && sequence_compare(to->checkpoint, h->end_seq) > 0))
		return err_set(e, ERR_USAGE, "", "%s is not of %s, which goes from %s to %s", to->checkpoint,
			h->id, h->start_seq, h->end_seq[0] ? h->end_seq : "its tip");
	if (!stream_lag(c->stream, h, &p, &lag, e))
		return 0;
	return e->cls == ERR_FAILED ? (e->cls = ERR_USAGE, err_prefix(e, "%s: ", h->id)) : -1;
}

static int check_one(const struct standing_conf *c, const struct standings *s, const struct standing *h,
	const struct target *to, struct err *e)
{
	if (s->anew)
		return err_set(e, ERR_USAGE, "",
			"the group's positions are of an earlier stream %s: reset them first",
			c->stream->name);
	if (!h || !h->listed)
		return err_set(e, ERR_USAGE, "", "stream %s has no such shard%s", c->stream->name,
			h ? " any more" : "");
	if (!s->rows.n) /* what the others would begin at would be taken from this one's row */
		return err_set(e, ERR_USAGE, "",
			"group %s has not begun: reset it first, which places every shard", c->group->name);
	if (!strcmp(to->checkpoint, CP_SHARD_END) && !h->shard.end_seq[0])
		return err_set(e, ERR_USAGE, "", "%s is open: it has no end yet", h->shard.id);
	if (!h->has_row && !h->has_above &&
		(standings_find(s, h->shard.parent) || standings_find(s, h->shard.adjacent)))
		return err_set(e, ERR_USAGE, "",
			"the parents of %s have not been begun, and would be passed over: set them first",
			h->shard.id);
	return is_number(to->checkpoint) ? check_sequence(c, &h->shard, to, e) : 0;
}

int moves_one(const struct standing_conf *c, const struct standings *s, const char *shard_id,
	const struct target *to, struct moves *out, struct err *e)
{
	const struct standing *h = standings_find(s, shard_id);

	*out = (struct moves){ .to = *to };
	if (check_one(c, s, h, to, e))
		return -1;
	add(out, s, h, false);
	return 0;
}

/* Which shards a group has rows of at its beginning: at the tip the open ones, else the oldest of each line, whose children
 * follow when they end. */
static bool begins_with(const struct standings *s, const struct standing *h, const struct target *to)
{
	const struct standing *p = standings_find(s, h->shard.parent);
	const struct standing *q = standings_find(s, h->shard.adjacent);

	if (!h->listed)
		return false;
	if (!strcmp(to->checkpoint, CP_LATEST))
		return !h->shard.end_seq[0];
	return !(p && p->listed) && !(q && q->listed);
}

void moves_all(const struct standings *s, const struct target *to, struct moves *out)
{
	*out = (struct moves){ .to = *to };
	for (size_t i = s->n; i-- > 0;) {
		bool begins = begins_with(s, &s->v[i], to);
		if (begins || leases_find(&s->rows, s->v[i].shard.id))
			add(out, s, &s->v[i], !begins);
	}
}

int moves_check_idle(const struct moves *m, struct err *e)
{
	size_t held = 0;
	const struct move *first = NULL;

	for (size_t i = 0; i < m->n; i++) {
		const struct move *v = &m->v[i];
		if (!v->has_row || lease_is_end(&v->was) || v->h->sign != OWNER_ALIVE)
			continue;
		first = first ? first : v;
		held++;
	}
	if (!held)
		return 0;
	if (held > 1)
		return err_set(e, ERR_LEASE_LOST, "",
			"%zu shards are held by workers that renew, %s by %s: stop them first, or use "
			"--force",
			held, first->h->shard.id, first->was.owner);
	return err_set(e, ERR_LEASE_LOST, "", "%s is held by %s, which renews: stop it first, or use --force",
		first->h->shard.id, first->was.owner);
}

/* ---- the writes ---- */

static void as_it_was(struct cond *c, const struct lease *was)
{
	cond_test(c, "leaseCounter", COND_EQ, av_n(was->counter));
	cond_test(c, "checkpoint", COND_EQ, av_s(was->checkpoint));
	if (was->owner[0])
		cond_test(c, "leaseOwner", COND_EQ, av_s(was->owner));
	else
		cond_test(c, "leaseOwner", COND_MISSING, NULL);
}

static int write_position(struct table *t, const struct lease *was, const struct target *to, struct err *e)
{
	static const char *const gone[] = { "leaseOwner", "checkpointOwner", "pendingCheckpoint",
		"pendingCheckpointSubSequenceNumber", "pendingCheckpointState" };
	struct changes ch = { 0 };
	struct cond c = { 0 };
	int64_t now = table_now_ms(t);

	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		change_remove(&ch, gone[i]);
	change_set(&ch, "leaseCounter", av_n(was->counter + 1));
	change_set(&ch, "checkpoint", av_s(to->checkpoint));
	change_set(&ch, "checkpointSubSequenceNumber", av_n((int64_t)to->sub));
	change_set(&ch, "ownerSwitchesSinceCheckpoint", av_n(0));
	change_set(&ch, "checkpointTimestamp", av_n(now));
	change_set(&ch, LEASE_MOVED, av_n(now));
	if (to->time_ms)
		change_set(&ch, "initialTimestamp", av_n(to->time_ms));
	else
		change_remove(&ch, "initialTimestamp");
	as_it_was(&c, was);
	int rc = table_update(t, was->shard_id, &ch, &c, e);
	changes_release(&ch);
	cond_release(&c);
	return rc;
}

static int remove_row(struct table *t, const struct lease *was, struct err *e)
{
	struct cond c = { 0 };

	as_it_was(&c, was);
	int rc = table_delete(t, was->shard_id, &c, e);
	cond_release(&c);
	return rc;
}

/* Somebody may be first, and does not matter as long as the row then says what we want. */
static int create_row(const struct standing_conf *c, const struct standings *s, const struct move *m,
	const struct target *to, struct err *e)
{
	struct position p = position_of(to);
	struct lease now;
	bool found;

	if (!strcmp(to->checkpoint, CP_LATEST))
		p.kind = POS_LATEST;
	if (!strcmp(to->checkpoint, CP_SHARD_END)) { /* a row takes any text for a sequence number */
		p = (struct position){ .kind = POS_AFTER_SEQ };
		memcpy(p.seq, to->checkpoint, sizeof p.seq);
	}
	const char *arn = s->info.arn[0] ? s->info.arn : c->stream->name;
	if (lease_create(c->group, &m->h->shard, arn, s->info.created_s, &p, e) ||
		lease_get(c->group, m->h->shard.id, &now, &found, e))
		return -1;
	if (found && !strcmp(now.checkpoint, to->checkpoint) && now.checkpoint_sub == to->sub &&
		now.initial_ms == to->time_ms)
		return 0;
	return err_set(e, ERR_LEASE_LOST, "",
		"%s: a worker has begun it meanwhile: stop it, and do this again", m->h->shard.id);
}

static bool is_done(const struct move *m, const struct lease *now, const struct target *to)
{
	return now->counter == m->was.counter + 1 && !now->owner[0] &&
	       !strcmp(now->checkpoint, to->checkpoint) && now->checkpoint_sub == to->sub;
}

/* The row is not as it was read: is that our own write, a commit (which does not count the row on), or a worker? */
static int look_again(
	struct table *t, struct move *m, const struct target *to, bool force, bool *done, struct err *e)
{
	struct lease now;
	bool found;

	if (lease_get(t, m->was.shard_id, &now, &found, e))
		return -1;
	*done = found ? !m->remove && is_done(m, &now, to) : m->remove;
	if (*done)
		return 0;
	if (!found)
		return err_set(e, ERR_LEASE_LOST, "", "%s: its row has gone meanwhile: do this again",
			m->was.shard_id);
	if (!force && now.counter != m->was.counter)
		return err_set(e, ERR_LEASE_LOST, "",
			"%s: a worker has come in between: stop it, and do this again", m->was.shard_id);
	m->was = now;
	return 0;
}

static int change_row(struct table *t, struct move *m, const struct target *to, bool force, struct err *e)
{
	for (int i = 0; i < TRIES; i++) {
		bool done = false;
		int rc = m->remove ? remove_row(t, &m->was, e) : write_position(t, &m->was, to, e);
		if (!rc || !cond_failed(e))
			return rc;
		err_clear(e);
		if (look_again(t, m, to, force, &done, e))
			return -1;
		if (done)
			return 0;
	}
	return err_set(e, ERR_UNAVAILABLE, "", "%s: its row keeps changing", m->was.shard_id);
}

int move_make(const struct standing_conf *c, const struct standings *s, struct move *m,
	const struct target *to, bool force, struct err *e)
{
	if (!m->has_row)
		return create_row(c, s, m, to, e);
	if (!s->anew || m->remove)
		return change_row(c->group, m, to, force, e);
	/* Nothing of a row of an earlier stream is of use. */
	struct move old = *m;
	old.remove = true;
	return change_row(c->group, &old, to, force, e) ? -1 : create_row(c, s, m, to, e);
}
