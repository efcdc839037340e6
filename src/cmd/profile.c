/* profile.c - show a profile, set its preferences, forget a user. */
#include "cmd/cmd.h"
#include "rec/event.h"
#include <stddef.h>
#include <string.h>

struct profile_opts {
	const char *profiles, *cache;
};
static struct profile_opts o;

#define INTO(member) offsetof(struct profile_opts, member)
static const struct opt table[] = {
	{ 'p', "profiles", "TABLE", OPT_STR, INTO(profiles), "PROFILES_TABLE", "user-profiles", NULL,
		"table of the profiles", 0, 0 },
	{ 'c', "cache", "TABLE", OPT_STR, INTO(cache), "REC_CACHE_TABLE", "rec-cache", NULL,
		"table of the cache", 0, 0 },
	{ 0 },
};

static int get(struct ctx *c, struct table *t, const char *key, struct err *e)
{
	cJSON *item = NULL;
	char shown[200];
	struct buf b = BUF_INIT(BUF_MAX_LINE);
	int rc = table_get(t, key, true, &item, e);
	if (rc == 0 && !item)
		rc = err_set(e, ERR_FAILED, "no-profile", "no profile of %s", key_for_message(key, shown));
	if (rc == 0) {
		cJSON *plain = av_item_to_json(item);
		json_print(&b, plain);
		cJSON_Delete(plain);
		rc = out_line(c->out, b.p, b.len, e);
	}
	cJSON_Delete(item);
	buf_release(&b);
	return rc;
}

/* Preferences belong to the operator: written without touching what prompt keeps, and without its version. */
static int set(struct table *t, const char *key, const char *text, struct err *e)
{
	struct buf b = BUF_INIT(BUF_MAX_FILE);
	int rc = strcmp(text, "-") == 0 ? read_file("-", &b, e) : (buf_str(&b, text), 0);
	cJSON *plain = rc == 0 ? json_tree(b.p ? b.p : "", b.len, e) : NULL;
	buf_release(&b);
	if (rc == 0 && !cJSON_IsObject(plain)) {
		cJSON_Delete(plain);
		if (e->cls == ERR_NONE)
			err_set(e, ERR_USAGE, "", "no JSON object");
		e->cls = ERR_USAGE;
		return err_prefix(e, "preferences: ");
	}
	if (rc)
		return rc;
	struct changes ch = { 0 };
	change_set(&ch, "preferences", av_from_json(plain));
	rc = table_update(t, key, &ch, NULL, e);
	changes_release(&ch);
	cJSON_Delete(plain);
	return rc;
}

static int forget(struct ctx *c, struct table *t, const char *key, struct err *e)
{
	struct table *cache = NULL;
	int rc = table_delete(t, key, NULL, e);
	if (rc == 0)
		rc = open_table(c->ports, o.cache, c->opt.key, &cache, e);
	if (rc == 0)
		rc = table_delete(cache, key, NULL, e);
	table_close(cache);
	return rc;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct table *t = NULL;
	struct err e = { 0 };
	const char *verb = argc > 0 ? argv[0] : "";
	int want = strcmp(verb, "set") == 0 ? 3 : 2;
	int rc = 0;
	if (strcmp(verb, "get") != 0 && strcmp(verb, "set") != 0 && strcmp(verb, "forget") != 0)
		rc = err_set(&e, ERR_USAGE, "", "get, set or forget? see recagent profile --help");
	else if (argc != want || !argv[1][0])
		rc = err_set(&e, ERR_USAGE, "", "%s takes KEY%s", verb,
			want == 3 ? " and a JSON object, or -" : "");
	if (rc == 0)
		rc = open_table(c->ports, o.profiles, c->opt.key, &t, &e);
	if (rc == 0)
		rc = *verb == 'g'   ? get(c, t, argv[1], &e)
		     : *verb == 's' ? set(t, argv[1], argv[2], &e)
				    : forget(c, t, argv[1], &e);
	table_close(t);
	return rc ? fail(&e) : EXIT_DONE;
}

const struct cmd cmd_profile = {
	.name = "profile",
	.summary = "show a profile, set its preferences, forget a user",
	.operands = "get KEY | set KEY JSON | forget KEY",
	.opts = table,
	.into = &o,
	.flags = CMD_KEY | CMD_PORTS,
	.run = run,
};
