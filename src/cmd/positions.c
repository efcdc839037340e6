/* positions.c - the positions of a group: shown, moved, compared. */
#include "cmd/positions.h"
#include <stddef.h>
#include <string.h>

static struct positions_opts o;

#define INTO(member) offsetof(struct positions_opts, member)
static const struct opt table[] = {
	{ 'g', "group", "G", OPT_STR, INTO(group), NULL, NULL, NULL, "the group; must be given", 0, 0 },
	{ 'f', "format", "FORM", OPT_CHOICE, INTO(format), NULL, "auto", "auto|json|table",
		"auto: a table at a terminal, else NDJSON", 0, 0 },
	{ 'm', "max-lag", "TIME|N", OPT_STR, INTO(max_lag), NULL, NULL, NULL,
		"show: exit with 10 when further behind", 0, 0 },
	{ 0, "stuck", "TIME", OPT_MS, INTO(stuck_ms), NULL, "5m", NULL,
		"show: a last commit so old, with records that wait, is stuck", 1, 31536000e3 },
	{ 'w', "wait", "TIME", OPT_MS, INTO(wait_ms), NULL, "0", NULL,
		"show: watch doubtful leases for so long", 0, 3600e3 },
	{ 0, "failover", "TIME", OPT_MS, INTO(failover_ms), NULL, "10s", NULL,
		"a worker silent for so long has lost its shards", 200, 3600e3 },
	{ 's', "shard", "SHARD", OPT_STR, INTO(shard), NULL, NULL, NULL,
		"set: the shard, by its id or number", 0, 0 },
	{ 't', "to", "POSITION", OPT_STR, INTO(to), NULL, NULL, NULL, "set, reset: where to go on from", 0,
		0 },
	{ 0, "force", NULL, OPT_FLAG, INTO(force), NULL, NULL, NULL,
		"set, reset: take the shards away from a worker that holds them", 0, 0 },
	{ 'n', "dry-run", NULL, OPT_FLAG, INTO(dry_run), NULL, NULL, NULL,
		"set, reset: say what would be done", 0, 0 },
	{ 0, "with", "G|FILE", OPT_STR, INTO(with), NULL, NULL, NULL,
		"diff: the other group, or what show wrote (./FILE, -)", 0, 0 },
	{ 0 },
};

struct standing_conf positions_conf(const struct positions *r)
{
	return (struct standing_conf){ .stream = r->stream, .group = r->group, .failover_ms = o.failover_ms };
}

static const struct verb {
	const char *name;
	enum exit_code (*run)(struct positions *r);
	bool shard, to, with; /* which options it needs; the others' are refused */
} verbs[] = {
	{ "diff", positions_diff, false, false, true },
	{ "reset", positions_move, false, true, false },
	{ "set", positions_move, true, true, false },
	{ "show", positions_show, false, false, false },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int needs(const struct verb *v, const char *option, const char *value, bool needed, struct err *e)
{
	if (needed && !value)
		return err_set(e, ERR_USAGE, "", "%s: %s is missing", v->name, option);
	if (!needed && value)
		return err_set(e, ERR_USAGE, "", "%s takes no %s", v->name, option);
	return 0;
}

static int check(const struct verb *v, int argc, char **argv, struct err *e)
{
	if (!v)
		return err_set(e, ERR_USAGE, "", "show, set, reset or diff? see recagent positions --help");
	if (argc > 2)
		return err_set(e, ERR_USAGE, "", "one SOURCE only: what is %s?", argv[2]);
	if ((o.force || o.dry_run) && !v->to)
		return err_set(
			e, ERR_USAGE, "", "%s takes no %s", v->name, o.force ? "--force" : "--dry-run");
	if (o.max_lag && v->run != positions_show)
		return err_set(e, ERR_USAGE, "", "%s takes no --max-lag", v->name);
	return needs(v, "--group", o.group, true, e) || needs(v, "--shard", o.shard, v->shard, e) ||
			       needs(v, "--to", o.to, v->to, e) || needs(v, "--with", o.with, v->with, e)
		       ? -1
		       : 0;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct positions r = { .c = c, .o = &o };
	struct err e = { 0 };
	const struct verb *v = argc > 0 ? find_verb(argv[0]) : NULL;
	int rc = check(v, argc, argv, &e);
	if (rc == 0)
		rc = open_stream(c->ports, default_stream(argc - 1, argv + 1), &r.stream, &e);
	if (rc == 0)
		rc = open_table(c->ports, o.group, LEASE_KEY, &r.group, &e);
	enum exit_code status = rc ? fail(&e) : v->run(&r);
	standings_free(&r.s);
	table_close(r.group);
	stream_close(r.stream);
	return status;
}

const struct cmd cmd_positions = {
	.name = "positions",
	.summary = "show and move the positions of a group",
	.operands = "show | set | reset | diff [SOURCE]",
	.opts = table,
	.into = &o,
	.flags = CMD_PORTS,
	.run = run,
};
