/* ack.c - the end of a pipe: commits the position of each line that has come through.
 *
 * Every command writes its output in the order of its input, so a line here says that all lines before it are dealt with, too.
 * That is why a line that can't be read is only counted: the next good line of its shard moves the position past it. */
#include "cmd/committer.h"
#include <stddef.h>
#include <string.h>

struct ack_opts {
	int64_t interval_ms;
	bool tee;
};
static struct ack_opts o;

#define INTO(member) offsetof(struct ack_opts, member)
static const struct opt table[] = {
	{ 0, "interval", "TIME", OPT_MS, INTO(interval_ms), NULL, "1s", NULL, "time between two commits", 10,
		3600e3 },
	{ 't', "tee", NULL, OPT_FLAG, INTO(tee), NULL, NULL, NULL, "write every line on to standard output",
		0, 0 },
	{ 0 },
};

struct run {
	struct ctx *c;
	struct committer k;
	bool group_lines, ended, warned;
};

static void note(struct run *r, const struct source *s)
{
	if (!s->present && !r->warned) {
		log_say("a line has no _source: its position can't be committed (said once)");
		r->warned = true;
	}
	if (s->group) {
		r->group_lines = true;
		r->ended = s->mark && !strcmp(s->mark, "end");
	}
	commits_note(r->k.commits, s);
}

static int take_line(struct run *r, const struct line *l, struct err *e)
{
	struct json_member m = { .name = "_source" };
	struct json_object obj;
	struct source s = { 0 };
	struct err why = { 0 };
	int rc = check_line(r->c, l, &why);
	if (rc == 0)
		rc = json_scan_object(l->p, l->len, &m, 1, &obj, &why);
	if (rc == 0 && m.type != JSON_NONE)
		rc = source_parse(&s, l->p + m.off, m.len, &why);
	if (rc == 0 && !commits_usable(&s))
		rc = err_set(&why, ERR_REFUSED, "bad-position",
			"_source has a group, but no position that can be committed");
	bool mark = rc == 0 && s.mark;
	if (!mark)
		ledger_count(r->c, COUNT_IN);
	if (rc) {
		rc = trouble(r->c,
			&(struct origin){ .no = l->no, .line = l->p, .len = l->len, .cut = l->too_long },
			&why, e);
	} else {
		if (o.tee)
			rc = out_line(r->c->out, l->p, l->len, e);
		if (rc == 0) {
			note(r, &s);
			ledger_count(r->c, mark ? COUNT_MARKS : COUNT_OUT);
		}
	}
	source_release(&s);
	return rc;
}

static enum exit_code verdict(struct run *r)
{
	struct err e = { 0 };
	if (committer_lost(&r->k, &e))
		return fail(&e);
	if (r->group_lines && !r->ended) {
		log_say("input ended without the mark end: what is missing will be delivered again");
		return EXIT_NO_END;
	}
	return EXIT_DONE;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct line l;
	struct run r = { .c = c };
	if (argc > 0) {
		err_set(&e, ERR_USAGE, "", "no operands: what is %s?", argv[0]);
		return fail(&e);
	}
	committer_start(&r.k, c, o.interval_ms);
	int got = 0, rc = 0;
	while (rc == 0 && (got = next_line(c, &l, &e)) > 0)
		rc = take_line(&r, &l, &e);
	committer_stop(&r.k);
	if (rc == 0 && e.cls == ERR_NONE && !committer_is_fatal(&r.k, &e))
		rc = out_flush(c->out, &e);
	bool bad = rc || got < 0 || e.cls != ERR_NONE;
	struct err late = { 0 };
	if (committer_finish(&r.k, &late) && !bad) {
		e = late;
		bad = true;
	}
	enum exit_code status = bad ? fail(&e) : verdict(&r);
	committer_release(&r.k);
	return status;
}

const struct cmd cmd_ack = {
	.name = "ack",
	.summary = "commit the position of the lines that have come through",
	.operands = "",
	.opts = table,
	.into = &o,
	.flags = CMD_LINES_IN | CMD_LINES_OUT | CMD_PORTS | CMD_FILTER,
	.run = run,
};
