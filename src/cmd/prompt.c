/* prompt.c - apply each event to its user's profile, once, and render what the model is asked. */
#include "base/digest.h"
#include "base/lanes.h"
#include "cmd/cmd.h"
#include "rec/template.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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
	struct ctx *c;
	struct table *profiles;
	struct template *template;
	struct buf line; /* of the reporting thread */
	struct err output;
	bool broken;
};

struct job {
	struct lane_job lane; /* first */
	struct run *r;
	struct event ev;
	uint64_t no;
	char *line;
	size_t len;
	struct buf prompt; /* empty: too few events yet */
	int64_t version;
	struct err err;
};

static int render(
	const struct run *r, const struct profile *p, const char *key, struct buf *out, struct err *e)
{
	struct template_input in = { .key = key,
		.preferences = profile_preferences(p),
		.history = p->history,
		.recent = (size_t)o.recent,
		.count = (size_t)o.count,
		.now_us = clock_now_us() };
	return template_render(r->template, &in, out, e);
}

/* Write what profile_apply changed, under the condition that nobody wrote in between. */
static int store(const struct run *r, const struct profile *p, const char *key, struct err *e)
{
	struct changes ch = { 0 };
	struct cond cond = { 0 };
	cJSON *attrs = profile_changes(p, clock_now_us());
	for (const cJSON *a = attrs->child; a; a = a->next)
		change_set(&ch, a->string, cJSON_Duplicate(a, true)); /* borrows the name */
	if (p->had_version)
		cond_test(&cond, "version", COND_EQ, av_n(p->version - 1));
	else
		cond_test(&cond, "version", COND_MISSING, NULL);
	int rc = table_update(r->profiles, key, &ch, &cond, e);
	changes_release(&ch);
	cond_release(&cond);
	cJSON_Delete(attrs);
	return rc;
}

/* One attempt: read, apply, write, render. A write whose reply was lost is found as a known event when the caller
 * tries again. */
static int apply_once(struct job *j, struct err *e)
{
	const struct run *r = j->r;
	const struct profile_limits lim = { .history = (size_t)o.history };
	struct profile p = { 0 };
	cJSON *item = NULL;
	if (table_get(r->profiles, j->ev.key_text, true, &item, e))
		return -1;
	int rc = profile_load(&p, item, e);
	if (rc == 0) {
		enum profile_result res = profile_apply(&p, &j->ev, j->line, &lim, clock_now_us(), e);
		rc = res == PROFILE_REFUSED   ? -1
		     : res == PROFILE_APPLIED ? store(r, &p, j->ev.key_text, e)
					      : 0;
	}
	j->version = p.version;
	if (rc == 0 && p.applied >= (int64_t)o.min_events)
		rc = render(r, &p, j->ev.key_text, &j->prompt, e);
	profile_release(&p);
	return rc;
}

static void work(struct lane_job *lane, void *arg)
{
	struct job *j = (struct job *)lane;
	struct hold hold = { 0 };
	bool from_group = j->ev.source.group != NULL;
	(void)arg;
	for (;;) {
		err_clear(&j->err);
		buf_reset(&j->prompt);
		if (apply_once(j, &j->err) == 0)
			break;
		if (cond_failed(&j->err)) {
			clock_sleep_ms(
				(int64_t)(random_unit() * 20)); /* another writer of this user: read again */
			continue;
		}
		if (!hold_on(j->r->c, &hold, "profiles", from_group, &j->err))
			return;
	}
	hold_over(&hold, "profiles");
}

static void add_member(struct buf *b, const char *name, const struct job *j, const struct json_member *m)
{
	if (m->type == JSON_NONE)
		return;
	buf_printf(b, ",\"%s\":", name);
	buf_add(b, j->line + m->off, m->len);
}

static void write_prompt(struct run *r, const struct job *j)
{
	struct buf *b = &r->line;
	char hash[65];
	sha256_hex(j->prompt.p, j->prompt.len, hash);
	buf_char(b, '{');
	json_quote_str(b, r->c->opt.key);
	buf_char(b, ':');
	buf_add(b, j->line + j->ev.key.off, j->ev.key.len);
	buf_str(b, ",\"prompt\":");
	json_quote(b, j->prompt.p, j->prompt.len);
	add_member(b, "event_id", j, &j->ev.event_id);
	add_member(b, "timestamp", j, &j->ev.timestamp);
	buf_printf(b, ",\"version\":%lld,\"prompt_hash\":\"%s\"", (long long)j->version, hash);
	add_member(b, "_source", j, &j->ev.source_m);
	buf_char(b, '}');
}

static void done(struct lane_job *lane, void *arg)
{
	struct job *j = (struct job *)lane;
	struct run *r = arg;
	const char *source = j->ev.source_m.len ? j->line + j->ev.source_m.off : NULL;
	size_t source_len = j->ev.source_m.len;
	struct err e = { 0 };
	int rc = 0;
	buf_reset(&r->line);
	if (j->ev.is_mark) {
		ledger_count(r->c, COUNT_MARKS);
		buf_add(&r->line, j->line, j->len);
	} else if (j->err.cls != ERR_NONE) {
		rc = trouble(r->c, j->no, j->line, j->len, source, source_len, &j->err, &e);
		if (source)
			mark_line(&r->line, source, source_len, "done");
	} else {
		ledger_count(r->c, COUNT_OUT);
		if (j->prompt.len)
			write_prompt(r, j);
		else
			mark_line(&r->line, source, source_len, "done");
	}
	if (rc == 0 && r->line.len && !r->broken)
		rc = out_line(r->c->out, r->line.p, r->line.len, &e);
	if (rc && !r->broken) {
		r->output = e;
		r->broken = true;
	}
	event_release(&j->ev);
	buf_release(&j->prompt);
	free(j->line);
	free(j);
}

static void idle(void *arg)
{
	struct run *r = arg;
	if (!r->broken && out_soft_flush(r->c->out, &r->output))
		r->broken = true;
}

static void submit(struct run *r, struct lanes *lanes, const struct line *l)
{
	struct job *j = mem_alloc(sizeof *j);
	j->r = r;
	j->no = l->no;
	j->line = mem_dup(l->p, l->len);
	j->len = l->len;
	buf_init(&j->prompt, BUF_MAX_PROMPT);
	if (check_line(r->c, l, &j->err) == 0)
		event_parse(&j->ev, j->line, j->len, r->c->opt.key, EVENT_NEED_KEY | EVENT_STORED, &j->err);
	if (!j->ev.is_mark)
		ledger_count(r->c, COUNT_IN);
	j->lane.skip_work = j->ev.is_mark || j->err.cls != ERR_NONE;
	if (!j->lane.skip_work) {
		j->lane.key = j->ev.key_text;
		j->lane.keylen = strlen(j->ev.key_text);
	}
	lanes_submit(lanes, &j->lane, j->len + sizeof *j);
}

static enum exit_code filter(struct run *r)
{
	const struct lanes_conf lc = { .workers = (unsigned)o.workers,
		.window = 2048,
		.window_bytes = 4 << 20,
		.work = work,
		.done = done,
		.idle = idle,
		.arg = r };
	struct lanes *lanes = lanes_open(&lc);
	struct line l;
	struct err e = { 0 };
	int got = 1;
	while (!r->broken && (got = next_line(r->c, &l, &e)) > 0)
		submit(r, lanes, &l);
	lanes_close(lanes);
	if (r->broken)
		return fail(&r->output);
	return got < 0 ? fail(&e) : EXIT_DONE;
}

static enum exit_code show(struct run *r)
{
	struct profile p = { 0 };
	struct err e = { 0 };
	cJSON *item = NULL;
	char shown[200];
	struct buf text = BUF_INIT(BUF_MAX_PROMPT);
	int rc = table_get(r->profiles, o.render, true, &item, &e);
	if (rc == 0 && !item)
		rc = err_set(
			&e, ERR_FAILED, "no-profile", "no profile of %s", key_for_message(o.render, shown));
	if (rc == 0)
		rc = profile_load(&p, item, &e);
	if (rc == 0)
		rc = render(r, &p, o.render, &text, &e);
	if (rc == 0)
		rc = out_line(r->c->out, text.p, text.len, &e);
	profile_release(&p);
	buf_release(&text);
	return rc ? fail(&e) : EXIT_DONE;
}

static int load_template(struct run *r, struct err *e)
{
	struct buf text = BUF_INIT(BUF_MAX_FILE);
	int rc = o.template ? read_file(o.template, &text, e) : 0;
	if (rc == 0)
		rc = template_parse(
			&r->template, o.template ? (text.p ? text.p : "") : NULL, text.len, o.template, e);
	buf_release(&text);
	return rc;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct run r = { .c = c, .line = BUF_INIT(BUF_MAX_LINE) };
	struct err e = { 0 };
	enum exit_code status;
	if (argc > 0)
		err_set(&e, ERR_USAGE, "", "what is %s?", argv[0]);
	if (e.cls != ERR_NONE || load_template(&r, &e) ||
		open_table(c->ports, o.profiles, c->opt.key, &r.profiles, &e))
		status = fail(&e);
	else
		status = o.render ? show(&r) : filter(&r);
	table_close(r.profiles);
	template_free(r.template);
	buf_release(&r.line);
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
