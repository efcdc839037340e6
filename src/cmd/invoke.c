/* invoke.c - ask the agent for each prompt, check what it says, and keep it in the cache. */
#include "base/digest.h"
#include "cmd/filter.h"
#include "flow/cache.h"
#include "rec/answer.h"
#include "rec/prompt_line.h"
#include "rec/session.h"
#include <stddef.h>

struct invoke_opts {
	const char *cache, *profiles;
	uint64_t workers, count;
	int64_t ttl_ms, timeout_ms;
	int session;
};
static struct invoke_opts o;

#define INTO(member) offsetof(struct invoke_opts, member)
static const struct opt table[] = {
	{ 'c', "cache", "TABLE", OPT_STR, INTO(cache), "REC_CACHE_TABLE", "rec-cache", NULL,
		"table of the cache", 0, 0 },
	{ 'p', "profiles", "TABLE", OPT_STR, INTO(profiles), "PROFILES_TABLE", "user-profiles", NULL,
		"table of the profiles, for the embedded agent", 0, 0 },
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
	struct agent *agent;
	struct table *cache;
	struct outage agent_outage, cache_outage;
};

struct job {
	struct filter_job f; /* first */
	struct prompt_line prompt;
	bool asked;
	int64_t model_ms;
	struct cached cached;
};

static int read_prompt(struct filter_job *f, struct err *e)
{
	return prompt_line_read(&((struct job *)f)->prompt, f->in.line, f->in.len, e);
}

static int ask(struct job *j, struct buf *text, struct err *e)
{
	const struct run *r = j->f.arg;
	char session[SESSION_LEN];
	if (o.session == 1)
		uuid_v4(session);
	else
		session_for_key(j->f.ev.key_text, session);
	const struct agent_question q = { .key = j->f.ev.key_text,
		.key_name = j->f.c->opt.key,
		.profiles = o.profiles,
		.session = session,
		.prompt = j->prompt.text.p,
		.prompt_len = j->prompt.text.len,
		.count = (size_t)o.count,
		.timeout_ms = o.timeout_ms };
	int64_t t0 = clock_mono_ms();
	buf_reset(text);
	int rc = agent_ask(r->agent, &q, text, e);
	j->asked = true;
	j->model_ms = clock_mono_ms() - t0;
	return rc;
}

static int keep(struct job *j, const struct answer *a)
{
	struct run *r = j->f.arg;
	const struct cache_entry entry = { .key_name = j->f.c->opt.key,
		.key = j->f.ev.key_text,
		.recommendations = a->items,
		.ttl_s = o.ttl_ms / 1000,
		.version = j->prompt.version,
		.prompt_hash = j->prompt.hash };
	struct hold hold = { .outage = &r->cache_outage };
	int rc;
	while ((rc = cache_put(r->cache, &entry, &j->cached, &j->f.err)) && filter_again(&j->f, &hold))
		;
	if (rc == 0)
		hold_over(&hold);
	return rc;
}

static void work(struct filter_job *f)
{
	struct job *j = (struct job *)f;
	struct run *r = f->arg;
	struct hold hold = { .outage = &r->agent_outage };
	struct buf text = BUF_INIT(BUF_MAX_ANSWER);
	struct answer a = { 0 };
	int rc;
	while ((rc = ask(j, &text, &f->err)) && filter_again(f, &hold))
		;
	if (rc == 0) {
		hold_over(&hold);
		f->answered = true;
		rc = answer_parse(text.p ? text.p : "", text.len, (size_t)o.count, &a, &f->err);
	}
	if (rc == 0) {
		f->answered = false;
		keep(j, &a);
	}
	answer_release(&a);
	buf_release(&text);
}

static const char *status_of(const struct job *j)
{
	return j->f.err.cls != ERR_NONE ? "error"
	       : j->f.lane.superseded   ? "superseded"
	       : j->cached.outdated     ? "outdated"
					: "stored";
}

/* The cache entry's members behind KEY. */
static void add_entry(struct buf *out, const cJSON *entry)
{
	static const char *const names[] = { "recommendations", "generated_at", "ttl", "version",
		"prompt_hash" };
	for (size_t i = 0; entry && i < ARRAY_LEN(names); i++) {
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(entry, names[i]);
		if (!v)
			continue;
		buf_printf(out, ",\"%s\":", names[i]);
		json_print(out, v);
	}
}

static void write_result(const struct filter_job *f, struct buf *out)
{
	const struct job *j = (const struct job *)f;
	buf_char(out, '{');
	if (f->ev.key.type != JSON_NONE) {
		json_quote_str(out, f->ev.key.name);
		buf_char(out, ':');
		buf_add(out, f->in.line + f->ev.key.off, f->ev.key.len);
		buf_char(out, ',');
	}
	buf_printf(out, "\"status\":\"%s\"", status_of(j));
	add_entry(out, j->cached.entry);
	if (f->err.cls != ERR_NONE) {
		buf_str(out, ",\"error\":");
		error_json(out, &f->err);
	}
	if (j->asked)
		buf_printf(out, ",\"model_ms\":%lld", (long long)j->model_ms);
	filter_add_member(out, f, "event_id", &f->ev.event_id);
	if (f->in.source)
		filter_add_member(out, f, "_source", &f->ev.source_m);
	buf_char(out, '}');
}

static void release(struct filter_job *f)
{
	struct job *j = (struct job *)f;
	prompt_line_release(&j->prompt);
	cached_release(&j->cached);
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	const struct filter_conf fc = { .job_size = sizeof(struct job),
		.workers = (unsigned)o.workers,
		.window = 4096,
		.window_bytes = 8 << 20,
		.coalesce = true,
		.read = read_prompt,
		.work = work,
		.write = write_result,
		.release = release };
	struct run r = { .agent_outage = { .what = "agent" }, .cache_outage = { .what = "cache" } };
	struct err e = { 0 };
	enum exit_code status;
	if (argc > 1)
		err_set(&e, ERR_USAGE, "", "one AGENT only: what is %s?", argv[1]);
	if (e.cls != ERR_NONE || open_agent(c->ports, argc ? argv[0] : NULL, &r.agent, &e) ||
		open_table(c->ports, o.cache, c->opt.key, &r.cache, &e))
		status = fail(&e);
	else
		status = filter_run(c, &fc, &r);
	agent_close(r.agent);
	table_close(r.cache);
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
