/* positions_move.c - set a shard's position, or begin a group anew; a line says from where to where. */
#include "cmd/positions.h"
#include "flow/reposition.h"
#include <stdlib.h>
#include <string.h>

static int plan(struct positions *r, struct moves *m, struct err *e)
{
	struct standing_conf c = positions_conf(r);
	struct target to;
	char id[SHARD_ID_MAX];
	if (target_parse(r->o->to, r->o->shard != NULL, stream_now_ms(r->stream), &to, e))
		return -1;
	c.unknown_only = true;
	c.wait_ms = r->o->force || r->o->dry_run ? 0 : r->o->failover_ms;
	if (standings_read(&c, &r->s, e))
		return -1;
	if (!r->o->shard) {
		moves_all(&r->s, &to, m);
		return 0;
	}
	shard_full_id(id, r->o->shard, strlen(r->o->shard));
	return moves_one(&c, &r->s, id, &to, m, e);
}

static int say(
	struct positions *r, struct listing *l, const struct move *m, const struct target *to, struct err *e)
{
	char text[LISTING_CELL], owner[OWNER_MAX];
	const struct lease *was = &m->was;
	bool timed = strcmp(was->checkpoint, CP_AT_TIMESTAMP) == 0 || strcmp(was->checkpoint, CP_LATEST) == 0;
	if (l->table) {
		listing_cell(l, m->h->shard.id);
		listing_cell(l, checkpoint_text(was->checkpoint, was->checkpoint_sub, was->initial_ms, text));
		listing_cell(l, m->remove ? "after its parents"
					  : checkpoint_text(to->checkpoint, to->sub, to->time_ms, text));
		listing_cell(l, owner_text(was->owner, owner));
		return listing_end(l, e);
	}
	listing_str(l, "group", r->group->name);
	listing_str(l, "stream", r->stream->name);
	listing_str(l, "shard_id", m->h->shard.id);
	listing_str(l, "from", was->checkpoint);
	listing_int(l, "from_subsequence", m->has_row ? (int64_t)was->checkpoint_sub : -1);
	listing_time(l, "from_since", timed ? was->initial_ms : 0);
	listing_str(l, "to", m->remove ? "" : to->checkpoint);
	listing_int(l, "to_subsequence", m->remove ? -1 : (int64_t)to->sub);
	listing_time(l, "to_since", m->remove ? 0 : to->time_ms);
	listing_str(l, "owner", was->owner);
	listing_raw(l, "moved", r->o->dry_run ? "false" : "true");
	return listing_end(l, e);
}

static void hint(const struct positions *r, const struct moves *m)
{
	const struct move *one = m->v;
	struct err e = { 0 };
	if (r->o->dry_run && moves_check_idle(m, &e))
		log_say("%s", e.msg);
	if (r->o->shard && one->has_row && lease_is_end(&one->was) &&
		strcmp(m->to.checkpoint, CP_SHARD_END) != 0)
		log_note("%s: its children stand where they are, and go on when it has been read again",
			one->h->shard.id);
}

enum exit_code positions_move(struct positions *r)
{
	static const char *const heads[] = { "SHARD", "FROM", "TO", "TAKEN FROM", NULL };
	struct standing_conf c = positions_conf(r);
	struct moves m = { 0 };
	struct err e = { 0 };
	struct listing l;
	if (plan(r, &m, &e) || (!r->o->force && !r->o->dry_run && moves_check_idle(&m, &e))) {
		free(m.v);
		return fail(&e);
	}
	hint(r, &m);
	listing_init(&l, r->c, (enum positions_format)r->o->format, heads);
	int rc = 0;
	size_t done = 0;
	for (; done < m.n && rc == 0; done += rc == 0) {
		if (!r->o->dry_run)
			rc = move_make(&c, &r->s, &m.v[done], &m.to, r->o->force, &e);
		if (rc == 0)
			rc = say(r, &l, &m.v[done], &m.to, &e);
	}
	if (rc && done)
		err_prefix(&e, "after %zu of %zu shards: ", done, m.n);
	rc = listing_close(&l, rc, &e);
	free(m.v);
	return rc ? fail(&e) : EXIT_DONE;
}
