/* prompt.c - apply each event to its user's profile, once, and render what the model is asked. */
#include "base/digest.h"
#include "cmd/filter.h"
#include "flow/profiles.h"
#include "rec/prompt_line.h"
#include <stddef.h>
#include <time.h>

#define MOST_RACES 12 /* in a row; someone wins each, so more of them are no race */

struct prompt_opts {
	const char *profiles, *template, *render;
	uint64_t history, recent, min_events, count, workers;
};
static struct prompt_opts o;

#define INTO(member) offsetof(struct prompt_opts, member)
static const struct opt table[] = {
	{ 'p', "profiles", "TABLE", OPT_STR, INTO(profiles), "PROFILES_TABLE", "user-profiles", NULL,
		"table of the profiles", 0, 0 },
	{ 0, "history", "N", OPT_UINT, INTO(history), NULL, "20", NULL,
		"events kept in a profile, 0 for no limit", 0, 100000 },
	{ 0, "recent", "N", OPT_UINT, INTO(recent), NULL, "10", NULL, "events shown in a prompt", 1, 100000 },
	{ 0, "min-events", "N", OPT_UINT, INTO(min_events), NULL, "3", NULL,
		"events a user needs before the model is asked", 0, 0 },
	{ 0, "template", "FILE", OPT_STR, INTO(template), NULL, NULL, "FILE", "text of the prompt", 0, 0 },
	{ 0, "count", "N", OPT_UINT, INTO(count), NULL, "5", NULL, "items to ask for", 1, 100 },
	{ 'j', "jobs", "N", OPT_UINT, INTO(workers), NULL, "16", NULL, "profiles worked on at once", 1, 256 },
	{ 0, "render", "KEY", OPT_STR, INTO(render), NULL, NULL, NULL,
		"show the prompt of a stored profile, and end", 0, 0 },
	{ 0 },
};

struct run {
	struct profiles profiles;
	struct outage outage;
};

struct job {
	struct filter_job f; /* first */
	struct applied applied;
};

static int start(struct filter_job *f, struct err *e)
{
	(void)e;
	buf_init(&((struct job *)f)->applied.prompt, BUF_MAX_PROMPT);
	return 0;
}

/* Full jitter, 20 ms at first, a second at most; also behind a signal, when a sleep of clock.h is none. */
static void wait_race(unsigned races)
{
	double most = races < 6 ? 20.0 * (1u << (races - 1)) : 1000;
	nanosleep(&(const struct timespec){ .tv_nsec = (long)(random_unit() * most * 999999) }, NULL);
}

static void work(struct filter_job *f)
{
	struct job *j = (struct job *)f;
	struct run *r = f->arg;
	struct hold hold = { .outage = &r->outage };
	unsigned races = 0;
	while (profiles_apply(&r->profiles, &f->ev, f->in.line, &j->applied, &f->err)) {
		if (cond_failed(&f->err) &&
			++races <= MOST_RACES) { /* another writer of this user: read again */
			err_clear(&f->err);
			wait_race(races);
			continue;
		}
		if (cond_failed(&f->err))
			err_set(&f->err, ERR_UNAVAILABLE, "contention",
				"the profile's version was another one each time that it was written");
		races = 0;
		if (!filter_again(f, &hold))
			return;
	}
	hold_over(&hold);
}

static void write_prompt(const struct filter_job *f, struct buf *out)
{
	const struct job *j = (const struct job *)f;
	if (f->err.cls == ERR_NONE && !j->applied.cold)
		prompt_line_write(out, f->in.line, &f->ev, j->applied.prompt.p ? j->applied.prompt.p : "",
			j->applied.prompt.len, j->applied.version);
	else if (f->err.cls == ERR_NONE || f->in.source)
		mark_line(out, f->in.source, f->in.source_len, "done");
}

static void release(struct filter_job *f)
{
	buf_release(&((struct job *)f)->applied.prompt);
}

static enum exit_code show(struct ctx *c, const struct profiles *ps)
{
	struct err e = { 0 };
	struct buf text = BUF_INIT(BUF_MAX_PROMPT);
	int rc = profiles_prompt(ps, o.render, &text, &e);
	if (rc == 0)
		rc = out_line(c->out, text.p ? text.p : "", text.len, &e);
	buf_release(&text);
	return rc ? fail(&e) : EXIT_DONE;
}

static int load_template(struct template **t, struct err *e)
{
	struct buf text = BUF_INIT(BUF_MAX_FILE);
	int rc = o.template ? read_file(o.template, &text, e) : 0;
	if (rc == 0)
		rc = template_parse(t, o.template ? (text.p ? text.p : "") : NULL, text.len, o.template, e);
	buf_release(&text);
	return rc;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct run r = { .profiles = { .history = (size_t)o.history,
				 .recent = (size_t)o.recent,
				 .count = (size_t)o.count,
				 .min_events = o.min_events < INT64_MAX ? (int64_t)o.min_events : INT64_MAX },
		.outage = { .what = "profiles" } };
	struct profiles *ps = &r.profiles;
	const struct filter_conf fc = { .job_size = sizeof(struct job),
		.workers = (unsigned)o.workers,
		.window = 2048,
		.window_bytes = 8 << 20,
		.read = start,
		.work = work,
		.write = write_prompt,
		.release = release };
	struct err e = { 0 };
	enum exit_code status;
	if (argc > 0)
		err_set(&e, ERR_USAGE, "", "what is %s?", argv[0]);
	if (e.cls != ERR_NONE || load_template(&ps->template, &e) ||
		open_table(c->ports, o.profiles, c->opt.key, &ps->table, &e))
		status = fail(&e);
	else
		status = o.render ? show(c, ps) : filter_run(c, &fc, &r);
	table_close(ps->table);
	template_free(ps->template);
	return status;
}

const struct cmd cmd_prompt = {
	.name = "prompt",
	.summary = "apply events to profiles, once each, and render prompts",
	.operands = "",
	.opts = table,
	.into = &o,
	.flags = CMD_LINES_IN | CMD_LINES_OUT | CMD_KEY | CMD_PORTS | CMD_FILTER | CMD_HOLD,
	.run = run,
};
