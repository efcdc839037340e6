/* common.c - the options that commands share, their help, and picking a command by name. */
#include "cmd/cmd.h"
#include "cmd/help.h"
#include <stddef.h>
#include <string.h>

#define INTO(member) offsetof(struct common, member)

/* need: a row is for commands with one of these flags, 0: for all; unless: but not with these. */
struct common_row {
	unsigned need, unless;
	struct opt opt;
};

static const struct common_row rows[] = {
	{ CMD_KEY, 0,
		{ 'k', "key", "FIELD", OPT_STR, INTO(key), "RECAGENT_KEY", "user_id", NULL,
			"member that names whose event it is", 0, 0 } },
	{ CMD_PORTS, 0,
		{ 'L', "local", "DIR", OPT_STR, INTO(local), "RECAGENT_LOCAL", NULL, "DIR",
			"work on the embedded store in DIR, not on AWS", 0, 0 } },
	{ CMD_PORTS, 0,
		{ 0, "region", "REGION", OPT_STR, INTO(region), NULL, NULL, NULL, "AWS region", 0, 0 } },
	{ CMD_PORTS, 0,
		{ 0, "profile", "NAME", OPT_STR, INTO(profile), NULL, NULL, NULL,
			"profile of the shared AWS files", 0, 0 } },
	{ CMD_PORTS, 0,
		{ 0, "endpoint-url", "URL", OPT_STR, INTO(endpoint_url), NULL, NULL, NULL,
			"send every AWS request there", 0, 0 } },
	{ CMD_PORTS, 0,
		{ 0, "connect-timeout", "TIME", OPT_MS, INTO(connect_ms), NULL, "3100ms", NULL,
			"longest wait for a connection", 1, 3600e3 } },
	{ CMD_PORTS, 0,
		{ 0, "read-timeout", "TIME", OPT_MS, INTO(read_ms), NULL, "60s", NULL,
			"longest wait for the next byte of an answer", 1, 86400e3 } },
	{ CMD_PORTS, 0,
		{ 0, "max-attempts", "N", OPT_UINT, INTO(max_attempts), NULL, NULL, NULL,
			"attempts of one AWS call", 1, 100 } },
	{ CMD_LINES_IN, CMD_SHORT_LINES,
		{ 0, "max-line", "SIZE", OPT_SIZE, INTO(max_line), NULL, "16MiB", NULL, "refuse longer lines",
			64, 16777216 } },
	{ CMD_SHORT_LINES, 0,
		{ 0, "max-line", "SIZE", OPT_SIZE, INTO(max_line), NULL, "2MiB", NULL, "refuse longer lines",
			64, 16777216 } },
	{ CMD_LINES_IN | CMD_RECORDS_IN, 0,
		{ 0, "dead-letter", "FILE", OPT_STR, INTO(dead_letter), NULL, NULL, "FILE",
			"append lines that can't be used", 0, 0 } },
	{ CMD_HOLD, 0,
		{ 0, "give-up", "TIME", OPT_MS, INTO(give_up_ms), NULL, "30s", NULL,
			"longest outage before a line fails", 0, 0 } },
	{ CMD_FILTER | CMD_SOURCE, 0,
		{ 0, "grace", "TIME", OPT_MS, INTO(grace_ms), NULL, "30s", NULL,
			"longest wait for a clean end after a signal", 0, 0 } },
	{ CMD_LINES_OUT, 0,
		{ 0, "ledger", "FILE", OPT_STR, INTO(ledger), NULL, NULL, "FILE",
			"append the closing balance as JSON", 0, 0 } },
	{ CMD_LINES_OUT, 0,
		{ 0, "progress", NULL, OPT_FLAG, INTO(progress), NULL, NULL, NULL,
			"show counts while running, on a terminal", 0, 0 } },
	{ 0, 0,
		{ 'v', "verbose", NULL, OPT_COUNT, INTO(verbose), NULL, NULL, NULL,
			"say what is done; -vv traces requests", 0, 0 } },
	{ 0, 0, { 'h', "help", NULL, OPT_FLAG, INTO(help), NULL, NULL, NULL, "show this help", 0, 0 } },
};

const struct opt *common_table(unsigned flags)
{
	static struct opt table[ARRAY_LEN(rows) + 1];
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].need == 0 || (rows[i].need & flags)) && !(rows[i].unless & flags))
			table[n++] = rows[i].opt;
	table[n] = (struct opt){ 0 };
	return table;
}

const struct cmd *cmd_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

void help_command(struct buf *out, const struct cmd *c)
{
	buf_printf(out, "usage: recagent %s [OPTION...]%s%s\n\n%c%s.\n\nOptions:\n", c->name,
		c->operands[0] ? " " : "", c->operands, c->summary[0] - 'a' + 'A', c->summary + 1);
	opts_help(out, c->opts);
	buf_str(out, "\nCommon options:\n");
	opts_help(out, common_table(c->flags));
	buf_printf(out,
		"\nExit status: 0 done, 1 some lines refused or failed, 2 usage, 3 local I/O, 4 AWS\n"
		"refused, 5 AWS unreachable; all of them are in recagent-%s(1).\n",
		c->name);
}

void help_overview(struct buf *out)
{
	buf_str(out, "usage: recagent COMMAND [OPTION...] [ARGUMENT...]\n\n"
		     "Real-time recommendations from a stream of events, in small commands that\n"
		     "speak NDJSON and compose by pipes:\n\n"
		     "  recagent consume --group recs | recagent prompt | recagent invoke | recagent "
		     "ack\n\nCommands:\n");
	for (size_t i = 0; commands[i]; i++)
		buf_printf(out, "  %-11s %s\n", commands[i]->name, commands[i]->summary);
	buf_str(out,
		"\n`recagent COMMAND --help` shows a command's options; `recagent version` the version.\n"
		"With --local DIR everything runs on an embedded store, without AWS.\n");
}
