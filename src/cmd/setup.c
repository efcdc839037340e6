/* setup.c - create what is missing, wait until it is there, say what was done. */
#include "cmd/setup.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 500

struct setup_opts {
	const char *stream, *profiles, *cache;
	struct opt_list groups;
	uint64_t shards;
	int64_t wait_ms;
	bool dry_run;
	uint64_t reshard;
	const char *split, *at, *merge;
};
static struct setup_opts o;

#define INTO(member) offsetof(struct setup_opts, member)
static const struct opt table[] = {
	{ 's', "stream", "NAME", OPT_STR, INTO(stream), "RECAGENT_STREAM", "user-interactions", NULL,
		"stream of events", 0, 0 },
	{ 0, "shards", "N", OPT_UINT, INTO(shards), NULL, "4", NULL, "shards of a new stream", 1, 10000 },
	{ 'p', "profiles", "TABLE", OPT_STR, INTO(profiles), "PROFILES_TABLE", "user-profiles", NULL,
		"table of the profiles", 0, 0 },
	{ 'c', "cache", "TABLE", OPT_STR, INTO(cache), "REC_CACHE_TABLE", "rec-cache", NULL,
		"table of the cache", 0, 0 },
	{ 'g', "group", "NAME", OPT_LIST, INTO(groups), NULL, NULL, NULL, "lease table of a consumer group",
		0, 0 },
	{ 0, "reshard", "N", OPT_UINT, INTO(reshard), NULL, NULL, NULL,
		"bring the stream to N shards, and do nothing else", 1, 10000 },
	{ 0, "split", "SHARD", OPT_STR, INTO(split), NULL, NULL, NULL,
		"split a shard of the stream, and do nothing else", 0, 0 },
	{ 0, "at", "HASH", OPT_STR, INTO(at), NULL, NULL, NULL,
		"hash key at which the second half begins (the middle)", 0, 0 },
	{ 0, "merge", "SHARD,SHARD", OPT_STR, INTO(merge), NULL, NULL, NULL,
		"merge two neighbouring shards, and do nothing else", 0, 0 },
	{ 'n', "dry-run", NULL, OPT_FLAG, INTO(dry_run), NULL, NULL, NULL, "say what would be done", 0, 0 },
	{ 0, "wait", "TIME", OPT_MS, INTO(wait_ms), NULL, "5m", NULL,
		"longest wait for something to become active", 0, 86400e3 },
	{ 0 },
};

static bool missing(const struct err *e)
{
	return strcmp(e->code, "ResourceNotFoundException") == 0;
}

int setup_say(struct ctx *c, const char *kind, const char *name, const char *what, struct err *e)
{
	struct buf b = BUF_INIT(BUF_MAX_SMALL);
	buf_printf(&b, "%s %s: %s", kind, name, what);
	int rc = out_line(c->out, b.p, b.len, e);
	if (rc == 0)
		rc = out_soft_flush(c->out, e);
	buf_release(&b);
	return rc;
}

/* Ask for the state until it is ACTIVE; a thing that was just made may not be found for a moment. */
static int wait_active(int (*state)(void *thing, char status[32], struct err *e), void *thing,
	const char *name, struct err *e)
{
	int64_t until = clock_mono_ms() + o.wait_ms;
	for (;;) {
		char status[32] = "";
		int rc = state(thing, status, e);
		if (rc == 0 && (strcmp(status, "ACTIVE") == 0 || strcmp(status, "UPDATING") == 0))
			return 0;
		if (rc && !missing(e) && e->cls != ERR_UNAVAILABLE)
			return rc;
		if (clock_mono_ms() >= until)
			return err_set(e, ERR_UNAVAILABLE, "timeout", "%s is not active yet", name);
		err_clear(e);
		if (!clock_sleep_ms(POLL_MS))
			return err_set(e, ERR_STOPPED, "", "interrupted");
	}
}

static int stream_state(void *thing, char status[32], struct err *e)
{
	struct stream_info info;
	int rc = stream_describe(thing, &info, e);
	if (rc == 0)
		memcpy(status, info.status, sizeof info.status);
	return rc;
}

static int table_state(void *thing, char status[32], struct err *e)
{
	struct table_info info;
	int rc = table_describe(thing, &info, e);
	if (rc == 0)
		memcpy(status, info.status, sizeof info.status);
	return rc;
}

static int make_stream(struct ctx *c, struct stream *s, struct err *e)
{
	struct stream_info info;
	if (stream_describe(s, &info, e) == 0)
		return setup_say(c, "stream", s->name, "is there", e);
	if (!missing(e))
		return -1;
	err_clear(e);
	if (o.dry_run)
		return setup_say(c, "stream", s->name, "would be created", e);
	/* Someone else may create it at the same moment. */
	if (stream_create(s, (unsigned)o.shards, e) && strcmp(e->code, "ResourceInUseException") != 0)
		return -1;
	err_clear(e);
	return wait_active(stream_state, s, s->name, e) ? -1 : setup_say(c, "stream", s->name, "created", e);
}

static int make_ttl(struct ctx *c, struct table *t, const struct table_info *info, struct err *e)
{
	if (info->ttl_enabled)
		return 0;
	if (o.dry_run)
		return setup_say(c, "table", t->name, "time to live would be switched on", e);
	if (table_enable_ttl(t, "ttl", e)) {
		/* Time to live only sweeps up; whether an entry is fresh is judged when it is read. */
		if (strcmp(e->code, "UnknownOperationException") != 0)
			return -1;
		err_clear(e);
		return setup_say(c, "table", t->name, "time to live is not supported here", e);
	}
	return setup_say(c, "table", t->name, "time to live on ttl switched on", e);
}

static int make_table(struct ctx *c, struct table *t, bool ttl, struct err *e)
{
	struct table_info info = { 0 };
	if (table_describe(t, &info, e) == 0) {
		if (strcmp(info.key_attribute, t->key_attr) != 0)
			return err_set(e, ERR_FAILED, "wrong-key", "table %s has the key %s, not %s", t->name,
				info.key_attribute, t->key_attr);
		if (setup_say(c, "table", t->name, "is there", e))
			return -1;
	} else if (!missing(e)) {
		return -1;
	} else {
		err_clear(e);
		if (o.dry_run) {
			if (setup_say(c, "table", t->name, "would be created", e))
				return -1;
		} else {
			if (table_create(t, e) && strcmp(e->code, "ResourceInUseException") != 0)
				return -1;
			err_clear(e);
			if (wait_active(table_state, t, t->name, e) ||
				setup_say(c, "table", t->name, "created", e))
				return -1;
		}
	}
	return ttl ? make_ttl(c, t, &info, e) : 0;
}

static int one_table(struct ctx *c, const char *name, const char *key, bool ttl, struct err *e)
{
	struct table *t = NULL;
	int rc = open_table(c->ports, name, key, &t, e);
	if (rc == 0)
		rc = make_table(c, t, ttl, e);
	table_close(t);
	return rc;
}

static int tables(struct ctx *c, struct err *e)
{
	int rc = one_table(c, o.profiles, c->opt.key, false, e);
	if (rc == 0)
		rc = one_table(c, o.cache, c->opt.key, true, e);
	for (size_t i = 0; i < o.groups.n && rc == 0; i++)
		rc = one_table(c, o.groups.v[i], "leaseKey", false, e);
	return rc;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct stream *s = NULL;
	const struct setup_reshard r = { o.reshard, o.split, o.at, o.merge, o.dry_run, o.wait_ms };
	bool reshard = r.count || r.split || r.merge;
	int rc = argc ? err_set(&e, ERR_USAGE, "", "what is %s?", argv[0]) : setup_reshard_check(&r, &e);
	if (rc == 0)
		rc = open_stream(c->ports, o.stream, &s, &e);
	if (rc == 0)
		rc = reshard ? setup_reshard_run(c, s, &r, &e) : make_stream(c, s, &e);
	stream_close(s);
	if (rc == 0 && !reshard)
		rc = tables(c, &e);
	return rc ? fail(&e) : EXIT_DONE;
}

const struct cmd cmd_setup = {
	.name = "setup",
	.summary = "create the stream and the tables that are missing",
	.operands = "",
	.opts = table,
	.into = &o,
	.flags = CMD_KEY | CMD_PORTS | CMD_SOURCE,
	.run = run,
};
