/* ack.c - the end of a pipe: commits the position of each line that has come through.
 *
 * Every command writes its output in the order of its input, so a line here says that all lines before it are dealt with, too.
 * That is why a line that can't be read is only counted: the next good line of its shard moves the position past it. */
#include "base/lanes.h"
#include "base/stop.h"
#include "cmd/cmd.h"
#include "flow/commits.h"
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

struct ack_opts {
	int64_t interval_ms;
	bool tee;
};
static struct ack_opts o;

#define LAST_ROUND_MS 2000

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
	struct commits *commits;
	pthread_mutex_t mu; /* guards fatal: set by the ticker */
	struct err fatal;
	bool group_lines, ended, warned;
};

/* One round of commits. An outage is held, a lost lease said; anything else is fatal. */
static void commit(void *arg)
{
	struct run *r = arg;
	struct err e = { 0 };
	if (!commits_flush(r->commits, &e)) {
		log_outage("commits", true, NULL);
	} else if (e.cls == ERR_UNAVAILABLE) {
		log_outage("commits", false, &e);
	} else if (e.cls == ERR_LEASE_LOST) {
		log_error(&e);
	} else {
		pthread_mutex_lock(&r->mu);
		r->fatal = e;
		pthread_mutex_unlock(&r->mu);
		leave_input(r->c, LEAVE);
	}
}

static bool is_fatal(struct run *r, struct err *e)
{
	pthread_mutex_lock(&r->mu);
	bool fatal = r->fatal.cls != ERR_NONE;
	if (fatal)
		*e = r->fatal;
	pthread_mutex_unlock(&r->mu);
	return fatal;
}

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
	commits_note(r->commits, s);
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

/* What is left of --grace after a signal, but enough for a last round of writes. */
static int64_t time_for_commits(const struct ctx *c)
{
	int64_t age = stop_age_ms(), grace = c->opt.grace_ms, left = age < 0 ? grace : grace - age;
	int64_t least = grace < LAST_ROUND_MS ? grace : LAST_ROUND_MS;
	return left > least ? left : least;
}

/* After the end of input: again each second until all is written, at most --grace. */
static int finish(struct run *r, struct err *e)
{
	int64_t until = clock_mono_ms() + time_for_commits(r->c);
	stop_now(); /* from here on --grace counts for calls that hang, too */
	for (;;) {
		struct err mine = { 0 };
		int rc = commits_release(r->commits, &mine);
		if (rc && mine.cls == ERR_LEASE_LOST) {
			log_error(&mine);
			continue; /* said once for a shard, which is done with now */
		}
		if (rc == 0) {
			log_outage("commits", true, NULL);
			return 0;
		}
		size_t left = commits_uncommitted(r->commits);
		if (mine.cls != ERR_UNAVAILABLE || clock_mono_ms() >= until) {
			*e = mine;
			if (left)
				err_prefix(e, "position of %zu shard%s not committed: ", left,
					left == 1 ? "" : "s");
			return -1;
		}
		log_outage("commits", false, &mine);
		nanosleep(&(const struct timespec){ .tv_sec = 1 }, NULL);
	}
}

static enum exit_code verdict(struct run *r)
{
	struct err e = { 0 };
	size_t lost = commits_lost(r->commits);
	if (lost)
		err_set(&e, ERR_LEASE_LOST, "",
			"lines of %zu shard%s not committed: another worker has taken over and gets them "
			"again",
			lost, lost == 1 ? " are" : "s are");
	if (e.cls != ERR_NONE)
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
	struct run r = { .c = c, .mu = PTHREAD_MUTEX_INITIALIZER };
	if (argc > 0) {
		err_set(&e, ERR_USAGE, "", "no operands: what is %s?", argv[0]);
		return fail(&e);
	}
	r.commits = commits_new(c->ports);
	struct ticker *t = ticker_start(o.interval_ms, commit, &r);
	int got = 0, rc = 0;
	while (rc == 0 && (got = next_line(c, &l, &e)) > 0)
		rc = take_line(&r, &l, &e);
	ticker_stop(t, false);
	if (rc == 0 && e.cls == ERR_NONE && !is_fatal(&r, &e))
		rc = out_flush(c->out, &e);
	bool bad = rc || got < 0 || e.cls != ERR_NONE;
	struct err late = { 0 };
	if (finish(&r, &late) && !bad) {
		e = late;
		bad = true;
	}
	enum exit_code status = bad ? fail(&e) : verdict(&r);
	commits_free(r.commits);
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
