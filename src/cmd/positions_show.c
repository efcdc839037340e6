/* positions_show.c - where a group stands: a line a shard, and a status for monitors. */
#include "cmd/positions.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SAY_MOST 10 /* shards of one trouble that are named */

static int parse_max_lag(struct positions *r, struct err *e)
{
	uint64_t n = 0;
	r->max_records = r->max_ms = -1;
	if (!r->o->max_lag)
		return 0;
	if (*r->o->max_lag && strspn(r->o->max_lag, "0123456789") == strlen(r->o->max_lag)) {
		if (strlen(r->o->max_lag) > 18 || !size_parse(r->o->max_lag, &n))
			return err_set(e, ERR_USAGE, "", "--max-lag %.40s: too large", r->o->max_lag);
		r->max_records = (int64_t)n;
		if (!stream_counts(r->stream))
			return err_set(e, ERR_USAGE, "",
				"--max-lag %s: Kinesis does not tell how many records; give a time, such as "
				"30s",
				r->o->max_lag);
	} else if (!duration_parse(r->o->max_lag, &r->max_ms)) {
		return err_set(e, ERR_USAGE, "", "--max-lag %.40s: neither a time nor a number of records",
			r->o->max_lag);
	}
	return 0;
}

static void parents_json(struct listing *l, const struct standing *h)
{
	struct buf b = BUF_INIT(BUF_MAX_SMALL);
	buf_char(&b, '[');
	if (h->shard.parent[0])
		json_quote_str(&b, h->shard.parent);
	if (h->shard.adjacent[0]) {
		buf_str(&b, h->shard.parent[0] ? "," : "");
		json_quote_str(&b, h->shard.adjacent);
	}
	buf_char(&b, ']');
	listing_raw(l, "parents", b.p);
	buf_release(&b);
}

static void show_cells(struct listing *l, const struct standing *h, int64_t now_ms)
{
	char text[LISTING_CELL], span[32], owner[OWNER_MAX], state[32];
	snprintf(state, sizeof state, "%s%s", standing_word(h->state), h->stuck ? ", stuck" : "");
	listing_cell(l, h->shard.id);
	listing_cell(l, state);
	listing_cell(l, owner_text(h->row.owner, owner));
	listing_cell(l, checkpoint_text(h->row.checkpoint, h->row.checkpoint_sub, h->row.initial_ms, text));
	snprintf(text, sizeof text, "%lld", (long long)h->lag.records);
	listing_cell(l, h->lag.records >= 0 ? text : "?");
	listing_cell(l, h->lag.ms >= 0 ? span_text(h->lag.ms, span) : "?");
	int64_t ago = now_ms > h->renewed_ms ? now_ms - h->renewed_ms : 0;
	snprintf(text, sizeof text, "%s ago", span_text(ago, span));
	listing_cell(l, h->renewed_ms ? text : "");
}

static int show_one(struct positions *r, struct listing *l, const struct standing *h, struct err *e)
{
	if (l->table) {
		show_cells(l, h, table_now_ms(r->group));
		return listing_end(l, e);
	}
	bool in_row =
		strcmp(h->row.checkpoint, CP_AT_TIMESTAMP) == 0 || strcmp(h->row.checkpoint, CP_LATEST) == 0;
	listing_str(l, "group", r->group->name);
	listing_str(l, "stream", r->stream->name);
	listing_str(l, "shard_id", h->shard.id);
	listing_str(l, "state", standing_word(h->state));
	listing_str(l, "owner", h->row.owner);
	listing_str(l, "checkpoint", h->row.checkpoint);
	listing_int(l, "subsequence", h->has_row ? (int64_t)h->row.checkpoint_sub : -1);
	listing_time(l, "since", in_row ? h->row.initial_ms : 0);
	listing_str(l, "tip", h->lag.tip);
	listing_int(l, "lag_records", h->lag.records);
	listing_int(l, "lag_ms", h->lag.ms);
	listing_time(l, "renewed", h->renewed_ms);
	listing_time(l, "checkpointed", h->committed_ms);
	parents_json(l, h);
	listing_str(l, "stuck", h->stuck ? h->why : "");
	return listing_end(l, e);
}

struct verdict {
	size_t stuck, behind, unknown;
	int64_t records, ms; /* in all; of the worst shard */
	struct err err;      /* of the first shard that could not be looked at */
};

static struct verdict judge(const struct positions *r)
{
	struct verdict v = { 0 };
	for (size_t i = 0; i < r->s.n; i++) {
		const struct standing *h = &r->s.v[i];
		if (h->lag_err.cls != ERR_NONE && v.err.cls == ERR_NONE)
			v.err = h->lag_err;
		v.stuck += h->stuck;
		v.unknown += h->lag.ms < 0;
		v.records = v.records < 0 || h->lag.records < 0 ? -1 : v.records + h->lag.records;
		v.ms = h->lag.ms > v.ms ? h->lag.ms : v.ms;
		v.behind += r->max_ms >= 0 && h->lag.ms > r->max_ms;
	}
	return v;
}

/* Why the exit status is what it is; of many shards the first few. */
static void say_why(const struct positions *r)
{
	size_t said = 0, all = 0;
	for (size_t i = 0; i < r->s.n; i++) {
		const struct standing *h = &r->s.v[i];
		char span[32];
		all += h->stuck;
		if (!h->stuck || said == SAY_MOST)
			continue;
		said++;
		log_say("%s: stuck %s behind: %s", h->shard.id, span_text(h->lag.ms, span), h->why);
	}
	if (all > said)
		log_say("and %zu more stuck", all - said);
}

static void summarise(const struct positions *r, const struct verdict *v)
{
	size_t n[STANDING_GONE + 1] = { 0 };
	struct buf b = BUF_INIT(BUF_MAX_SMALL);
	char span[32];
	for (size_t i = 0; i < r->s.n; i++)
		n[r->s.v[i].state]++;
	buf_printf(&b, "group %s on %s: %zu shard%s", r->group->name, r->stream->name, r->s.n,
		r->s.n == 1 ? "" : "s");
	for (size_t i = 0; i <= STANDING_GONE; i++)
		if (n[i])
			buf_printf(&b, ", %zu %s", n[i], standing_word((enum shard_standing)i));
	if (v->ms == 0)
		buf_str(&b, "; not behind");
	else if (v->records >= 0)
		buf_printf(&b, "; %lld records behind, by %s", (long long)v->records, span_text(v->ms, span));
	else
		buf_printf(&b, "; behind by %s", span_text(v->ms, span));
	if (v->unknown)
		buf_printf(&b, " (%zu unknown)", v->unknown);
	log_say("%s", b.p);
	buf_release(&b);
}

static enum exit_code verdict(const struct positions *r)
{
	struct verdict v = judge(r);
	char span[32];
	if (log_verbosity() > 0 || isatty(STDERR_FILENO))
		summarise(r, &v);
	if (v.err.cls != ERR_NONE)
		log_error(&v.err);
	if (v.stuck) {
		say_why(r);
		return EXIT_STUCK;
	}
	if (v.behind) {
		log_say("%zu shard%s more than %s behind, up to %s", v.behind, v.behind == 1 ? "" : "s",
			r->o->max_lag, span_text(v.ms, span));
		return EXIT_BEHIND;
	}
	if (r->max_records >= 0 && v.records > r->max_records) {
		log_say("%lld records behind, more than %s", (long long)v.records, r->o->max_lag);
		return EXIT_BEHIND;
	}
	return v.err.cls != ERR_NONE ? err_exit(&v.err) : EXIT_DONE;
}

enum exit_code positions_show(struct positions *r)
{
	static const char *const heads[] = { "SHARD", "STATE", "OWNER", "CHECKPOINT", "BEHIND", "LAG",
		"RENEWED", NULL };
	struct standing_conf sc = positions_conf(r);
	sc.stuck_ms = r->o->stuck_ms;
	sc.wait_ms = r->o->wait_ms;
	sc.with_lag = true;
	struct err e = { 0 };
	struct listing l;
	if (parse_max_lag(r, &e) || standings_read(&sc, &r->s, &e))
		return fail(&e);
	if (r->s.anew)
		log_say("stream %s was made anew since group %s read it: its positions count for nothing",
			r->stream->name, r->group->name);
	listing_init(&l, r->c, (enum positions_format)r->o->format, heads);
	int rc = 0;
	for (size_t i = 0; i < r->s.n && rc == 0; i++)
		rc = show_one(r, &l, &r->s.v[i], &e);
	return listing_close(&l, rc, &e) ? fail(&e) : verdict(r);
}
