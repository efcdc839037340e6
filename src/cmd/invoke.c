/* invoke.c - ask the agent for each prompt, check what it says, and keep it in the cache. */
#include "base/digest.h"
#include "base/lanes.h"
#include "cmd/cmd.h"
#include "rec/answer.h"
#include "rec/entry.h"
#include "rec/event.h"
#include "rec/session.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct invoke_opts {
	const char *cache;
	uint64_t workers, count;
	int64_t ttl_ms, timeout_ms;
	int session;
};
static struct invoke_opts o;

#define INTO(member) offsetof(struct invoke_opts, member)
static const struct opt table[] = {
	{ 'c', "cache", "TABLE", OPT_STR, INTO(cache), "REC_CACHE_TABLE", "rec-cache", NULL,
		"table of the cache", 0, 0 },
	{ 'j', "jobs", "N", OPT_UINT, INTO(workers), NULL, "16", NULL, "questions asked at once", 1, 1024 },
	{ 0, "ttl", "TIME", OPT_MS, INTO(ttl_ms), NULL, "3600s", NULL, "how long an answer stays fresh", 1000,
		0 },
	{ 0, "count", "N", OPT_UINT, INTO(count), NULL, "5", NULL, "items kept of an answer", 1, 100 },
	{ 0, "timeout", "TIME", OPT_MS, INTO(timeout_ms), NULL, "60s", NULL, "longest wait for an answer", 1,
		3600e3 },
	{ 0, "session", "HOW", OPT_CHOICE, INTO(session), NULL, "key", "key|call",
		"a session per KEY, or a new one per call", 0, 0 },
	{ 0 },
};

struct run {
	struct ctx *c;
	struct agent *agent;
	struct table *cache;
	struct buf line;
	struct err output;
	bool broken;
};

struct job {
	struct lane_job lane; /* first */
	struct run *r;
	uint64_t no;
	char *line;
	size_t len;
	struct event ev; /* KEY, event_id, _source */
	struct json_member prompt, version_m, hash;
	struct buf text; /* the prompt */
	int64_t version; /* -1: none */
	char prompt_hash[130];
	int64_t model_ms;
	cJSON *entry; /* the plain cache entry, when there is one */
	const char *status;
	struct err err;
};

/* No entry, or none with a version, or not a newer one, or an expired one: then this answer may stand. */
static int store(struct job *j, const cJSON *item, int64_t now_s, struct err *e)
{
	struct cond cond = { .any = true };
	cond_test(&cond, j->r->c->opt.key, COND_MISSING, NULL);
	cond_test(&cond, "version", COND_MISSING, NULL);
	if (j->version >= 0)
		cond_test(&cond, "version", COND_LE, av_n(j->version));
	cond_test(&cond, "ttl", COND_LT, av_n(now_s));
	int rc = table_put(j->r->cache, item, &cond, e);
	cond_release(&cond);
	return rc;
}

static int ask(struct job *j, struct buf *answer, struct err *e)
{
	char session[SESSION_LEN];
	if (o.session == 1)
		uuid_v4(session);
	else
		session_for_key(j->ev.key_text, session);
	const struct agent_question q = { .key = j->ev.key_text,
		.session = session,
		.prompt = j->text.p,
		.prompt_len = j->text.len,
		.count = (size_t)o.count,
		.timeout_ms = o.timeout_ms };
	int64_t t0 = clock_mono_ms();
	buf_reset(answer);
	int rc = agent_ask(j->r->agent, &q, answer, e);
	j->model_ms = clock_mono_ms() - t0;
	return rc;
}

static int keep(struct job *j, const struct answer *a, struct err *e)
{
	struct hold hold = { 0 };
	int64_t now_us = clock_now_us();
	cJSON *item = entry_item(j->r->c->opt.key, j->ev.key_text, a->items, now_us, o.ttl_ms / 1000,
		j->version, j->prompt_hash[0] ? j->prompt_hash : NULL);
	int rc;
	while ((rc = store(j, item, now_us / 1000000, e)) &&
		hold_on(j->r->c, &hold, "cache", j->ev.source.group, e))
		err_clear(e);
	hold_over(&hold, "cache");
	j->status = "stored";
	if (rc && cond_failed(e)) {
		err_clear(e);
		j->status = "outdated";
		rc = 0;
	}
	j->entry = av_item_to_json(item);
	cJSON_Delete(item);
	return rc;
}

static void work(struct lane_job *lane, void *arg)
{
	struct job *j = (struct job *)lane;
	struct hold hold = { 0 };
	struct buf text = BUF_INIT(BUF_MAX_ANSWER);
	struct answer a = { 0 };
	int rc;
	(void)arg;
	while ((rc = ask(j, &text, &j->err)) && hold_on(j->r->c, &hold, "agent", j->ev.source.group, &j->err))
		err_clear(&j->err);
	hold_over(&hold, "agent");
	if (rc == 0)
		rc = answer_parse(text.p ? text.p : "", text.len, (size_t)o.count, &a, &j->err);
	if (rc == 0)
		keep(j, &a, &j->err);
	answer_release(&a);
	buf_release(&text);
}

/* The members of the result line behind KEY and status. */
static void write_entry(struct run *r, const struct job *j)
{
	static const char *const names[] = { "recommendations", "generated_at", "ttl", "version",
		"prompt_hash" };
	struct buf *b = &r->line;
	for (size_t i = 0; j->entry && i < ARRAY_LEN(names); i++) {
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(j->entry, names[i]);
		if (!v)
			continue;
		buf_printf(b, ",\"%s\":", names[i]);
		json_print(b, v);
	}
	if (j->err.cls != ERR_NONE) {
		buf_str(b, ",\"error\":");
		error_json(b, &j->err);
	}
	if (!j->lane.superseded && j->text.len)
		buf_printf(b, ",\"model_ms\":%lld", (long long)j->model_ms);
}

static void write_result(struct run *r, const struct job *j)
{
	struct buf *b = &r->line;
	buf_char(b, '{');
	if (j->ev.key.type != JSON_NONE) {
		json_quote_str(b, r->c->opt.key);
		buf_char(b, ':');
		buf_add(b, j->line + j->ev.key.off, j->ev.key.len);
		buf_char(b, ',');
	}
	buf_printf(b, "\"status\":\"%s\"", j->status);
	write_entry(r, j);
	if (j->ev.event_id.type != JSON_NONE) {
		buf_str(b, ",\"event_id\":");
		buf_add(b, j->line + j->ev.event_id.off, j->ev.event_id.len);
	}
	if (j->ev.source_m.len) {
		buf_str(b, ",\"_source\":");
		buf_add(b, j->line + j->ev.source_m.off, j->ev.source_m.len);
	}
	buf_char(b, '}');
}

static void done(struct lane_job *lane, void *arg)
{
	struct job *j = (struct job *)lane;
	struct run *r = arg;
	struct err e = { 0 };
	int rc = 0;
	buf_reset(&r->line);
	if (j->ev.is_mark) {
		ledger_count(r->c, COUNT_MARKS);
		buf_add(&r->line, j->line, j->len);
	} else {
		if (j->err.cls != ERR_NONE) {
			j->status = "error";
			rc = trouble(r->c, j->no, j->line, j->len,
				j->ev.source_m.len ? j->line + j->ev.source_m.off : NULL, j->ev.source_m.len,
				&j->err, &e);
		} else {
			ledger_count(r->c, COUNT_OUT);
			j->status = j->lane.superseded ? "superseded" : j->status;
		}
		write_result(r, j);
	}
	if (rc == 0 && !r->broken)
		rc = out_line(r->c->out, r->line.p, r->line.len, &e);
	if (rc && !r->broken) {
		r->output = e;
		r->broken = true;
	}
	cJSON_Delete(j->entry);
	event_release(&j->ev);
	buf_release(&j->text);
	free(j->line);
	free(j);
}

static void idle(void *arg)
{
	struct run *r = arg;
	if (!r->broken && out_soft_flush(r->c->out, &r->output))
		r->broken = true;
}

/* A prompt line's own members, beyond what every event line has. */
static int read_prompt(struct job *j, struct err *e)
{
	struct json_member m[] = { { .name = "prompt" }, { .name = "version" }, { .name = "prompt_hash" } };
	struct json_object obj;
	struct buf hash = BUF_INIT(sizeof j->prompt_hash - 1);
	bool nul = false;
	if (json_scan_object(j->line, j->len, m, ARRAY_LEN(m), &obj, e))
		return -1;
	if (m[0].type != JSON_STRING || m[0].len <= 2)
		return err_set(e, ERR_REFUSED, "bad-prompt", "prompt is missing, empty or no string");
	if (!json_unescape(&j->text, j->line + m[0].off, m[0].len, &nul))
		return err_set(e, ERR_REFUSED, "bad-prompt", "prompt is over %zu bytes", j->text.max);
	if (m[1].type != JSON_NONE && m[1].type != JSON_NULL) {
		char *end = NULL;
		j->version = m[1].type == JSON_NUMBER ? strtoll(j->line + m[1].off, &end, 10) : -1;
		if (j->version < 0 || end != j->line + m[1].off + m[1].len)
			return err_set(e, ERR_REFUSED, "bad-version", "version is no whole number");
	}
	if (m[2].type == JSON_STRING && json_unescape(&hash, j->line + m[2].off, m[2].len, &nul) && !nul &&
		hash.len)
		memcpy(j->prompt_hash, hash.p, hash.len + 1);
	buf_release(&hash);
	return 0;
}

static void submit(struct run *r, struct lanes *lanes, const struct line *l)
{
	struct job *j = mem_alloc(sizeof *j);
	j->r = r;
	j->no = l->no;
	j->line = mem_dup(l->p, l->len);
	j->len = l->len;
	j->version = -1;
	buf_init(&j->text, BUF_MAX_PROMPT);
	int rc = check_line(r->c, l, &j->err);
	if (rc == 0)
		rc = event_parse(
			&j->ev, j->line, j->len, r->c->opt.key, EVENT_NEED_KEY | EVENT_STORED, &j->err);
	if (rc == 0 && !j->ev.is_mark)
		rc = read_prompt(j, &j->err);
	if (!j->ev.is_mark)
		ledger_count(r->c, COUNT_IN);
	j->lane.skip_work = rc != 0 || j->ev.is_mark;
	if (!j->lane.skip_work) {
		j->lane.key = j->ev.key_text;
		j->lane.keylen = strlen(j->ev.key_text);
	}
	lanes_submit(lanes, &j->lane, 2 * j->len + sizeof *j);
}

static enum exit_code filter(struct run *r)
{
	const struct lanes_conf lc = { .workers = (unsigned)o.workers,
		.window = 4096,
		.window_bytes = 8 << 20,
		.coalesce = true,
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

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct run r = { .c = c, .line = BUF_INIT(BUF_MAX_LINE) };
	struct err e = { 0 };
	enum exit_code status;
	if (argc > 1)
		err_set(&e, ERR_USAGE, "", "one AGENT only: what is %s?", argv[1]);
	if (e.cls != ERR_NONE || open_agent(c->ports, argc ? argv[0] : NULL, &r.agent, &e) ||
		open_table(c->ports, o.cache, c->opt.key, &r.cache, &e))
		status = fail(&e);
	else
		status = filter(&r);
	agent_close(r.agent);
	table_close(r.cache);
	buf_release(&r.line);
	return status;
}

const struct cmd cmd_invoke = {
	.name = "invoke",
	.summary = "ask the agent, check its answers and cache them",
	.operands = "[AGENT]",
	.opts = table,
	.into = &o,
	.flags = CMD_LINES_IN | CMD_LINES_OUT | CMD_KEY | CMD_PORTS | CMD_FILTER | CMD_HOLD,
	.run = run,
};
