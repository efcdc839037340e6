/* cache_get.c - what the serving path reads: the cache entry if it is fresh, else a fallback, always in time. */
#include "cmd/cmd.h"
#include "cmd/served.h"
#include "cmd/watch.h"
#include "rec/event.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS_AT_ONCE 100 /* BatchGetItem takes no more */

struct cache_get_opts {
	const char *cache, *fallback;
	int64_t max_stale_ms, timeout_ms;
	bool consistent, strict;
};
static struct cache_get_opts o;

#define INTO(member) offsetof(struct cache_get_opts, member)
static const struct opt table[] = {
	{ 'c', "cache", "TABLE", OPT_STR, INTO(cache), "REC_CACHE_TABLE", "rec-cache", NULL,
		"table of the cache", 0, 0 },
	{ 'f', "fallback", "FILE", OPT_STR, INTO(fallback), NULL, NULL, "FILE",
		"JSON array to serve when there is no entry", 0, 0 },
	{ 0, "max-stale", "TIME", OPT_MS, INTO(max_stale_ms), NULL, "0", NULL,
		"serve an entry that expired no longer ago, as stale", 0, 0 },
	{ 0, "timeout", "TIME", OPT_MS, INTO(timeout_ms), NULL, "1s", NULL,
		"longest wait before the fallback", 1, 3600e3 },
	{ 0, "consistent", NULL, OPT_FLAG, INTO(consistent), NULL, NULL, NULL, "read the latest write", 0,
		0 },
	{ 0, "strict", NULL, OPT_FLAG, INTO(strict), NULL, NULL, NULL,
		"exit status 1 or the error's when a fallback was served", 0, 0 },
	{ 0 },
};

struct run {
	struct ctx *c;
	struct lookup *lookup;
	struct served served;
	struct buf line;
	enum exit_code worst; /* under --strict */
	bool quiet;           /* many keys: no message for each miss */
	uint64_t misses, keys;
};

/* A file that can't be used must not stop the serving: it is said once, and the next fallback serves. */
static void load_fallback(struct run *r)
{
	struct err e = { 0 };
	if (!o.fallback || served_file(&r->served, o.fallback, &e) == 0)
		return;
	err_prefix(&e, "--fallback: ");
	log_error(&e);
	r->worst = EXIT_USAGE;
}

static int answer(struct run *r, const char *key, const cJSON *item, const struct err *trouble, struct err *e)
{
	char shown[200];
	buf_reset(&r->line);
	r->keys++;
	const char *why = served_line(&r->served, &r->line, key, item, trouble);
	if (why) {
		r->misses++;
		if (r->worst == EXIT_DONE)
			r->worst = trouble ? err_exit(trouble) : EXIT_SOME;
		if (!r->quiet)
			log_say("%s: %s, serving the fallback", key_for_message(key, shown), why);
	}
	return out_line(r->c->out, r->line.p, r->line.len, e);
}

static int answer_all(struct run *r, const char *const *keys, size_t n, struct err *e)
{
	struct err why = { 0 };
	cJSON **items = mem_array(n ? n : 1, sizeof(cJSON *));
	int bad = lookup_get(r->lookup, keys, n, items, &why), rc = 0;
	served_again(&r->served);
	if (bad && n > 1)
		log_error(&why);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = answer(r, keys[i], items[i], bad ? &why : NULL, e);
	for (size_t i = 0; i < n; i++)
		cJSON_Delete(items[i]);
	free(items);
	return rc;
}

/* A line names a key as it is, or as a JSON string, or is an object that has KEY. */
static char *key_of_line(const struct run *r, const struct line *l, struct err *e)
{
	struct json_member m = { .name = r->c->opt.key };
	struct json_object obj;
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	const char *p = l->p;
	size_t n = l->len;
	bool nul = false, ok = true;
	if (check_line(r->c, l, e))
		return NULL;
	if (*p == '{') {
		if (json_scan_object(p, n, &m, 1, &obj, e))
			return NULL;
		ok = m.type == JSON_STRING;
		p += m.off;
		n = m.len;
	}
	if (ok && *p == '"' && json_scan(p, n, NULL, NULL) == 0)
		ok = json_unescape(&text, p, n, &nul) && !nul;
	else if (ok)
		ok = utf8_valid(p, n) && !memchr(p, 0, n) && buf_add(&text, p, n);
	if (!ok || !text.len) {
		buf_release(&text);
		err_set(e, ERR_REFUSED, "bad-key", "line names no %s", r->c->opt.key);
		return NULL;
	}
	return buf_take(&text);
}

static int refuse_line(struct run *r, const struct line *l, const struct err *why, struct err *e)
{
	const struct origin bad = { .no = l->no, .line = l->p, .len = l->len, .cut = l->too_long };
	return trouble(r->c, &bad, why, e);
}

static int answer_lines(struct run *r, struct err *e)
{
	const char *keys[KEYS_AT_ONCE];
	struct line l;
	size_t n = 0;
	int got, rc = 0;
	r->quiet = true;
	r->c->watch = watch_start(r->c);
	do {
		got = next_line(r->c, &l, e);
		while (got > 0) {
			struct err why = { 0 };
			char *k = key_of_line(r, &l, &why);
			if (k)
				keys[n++] = k;
			else if ((rc = refuse_line(r, &l, &why, e)))
				break;
			/* Take what is there already, and wait for nothing: someone may be typing. */
			if (n == KEYS_AT_ONCE || lines_next(r->c->in, &l, 0, false, e) != LINES_LINE)
				break;
		}
		if (n && rc == 0)
			rc = answer_all(r, keys, n, e);
		while (n)
			free((void *)(uintptr_t)keys[--n]);
	} while (got > 0 && rc == 0);
	if (r->misses)
		log_say("%llu of %llu keys were served the fallback", (unsigned long long)r->misses,
			(unsigned long long)r->keys);
	return got < 0 ? -1 : rc;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct run r = { .c = c, .line = BUF_INIT(BUF_MAX_LINE) };
	struct err e = { 0 };
	if (argc == 0) {
		err_set(&e, ERR_USAGE, "", "which KEY? see recagent cache-get --help");
		return fail(&e);
	}
	r.lookup = lookup_open(c->ports, o.cache, c->opt.key, o.timeout_ms, o.consistent);
	r.served =
		(struct served){ .key_name = c->opt.key, .max_stale_ms = o.max_stale_ms, .lookup = r.lookup };
	load_fallback(&r);
	int rc = argc == 1 && strcmp(argv[0], "-") == 0
			 ? answer_lines(&r, &e)
			 : answer_all(&r, (const char *const *)argv, (size_t)argc, &e);
	if (lookup_close(r.lookup))
		c->ports = NULL; /* a call is stuck in them for good: leave them to the end of the process */
	served_release(&r.served);
	buf_release(&r.line);
	if (rc)
		return fail(&e);
	return o.strict ? r.worst : EXIT_DONE;
}

const struct cmd cmd_cache_get = {
	.name = "cache-get",
	.summary = "read recommendations from the cache, else a fallback",
	.operands = "KEY... | -",
	.opts = table,
	.into = &o,
	.flags = CMD_LINES_IN | CMD_KEY | CMD_PORTS | CMD_FILTER,
	.run = run,
};
