/* ctx.c - what main prepares for a command and settles after it. */
#include "base/lanes.h"
#include "base/stop.h"
#include "cmd/cmd.h"
#include "cmd/help.h"
#include "cmd/watch.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROGRESS_MS 250

/* A closed descriptor 0, 1 or 2 would be given to the next socket or database. The stand-ins are opened the
 * wrong way round, so that using them still fails and is noticed. */
static void keep_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
				_exit(EXIT_LOCAL);
}

static enum exit_code print_text(struct buf *text)
{
	struct err e = { 0 };
	struct out *o = out_open_fd(STDOUT_FILENO, "standard output");
	if (text->len && text->p[text->len - 1] == '\n')
		text->len--;
	int rc = out_line(o, text->p, text->len, &e);
	if (out_close(o, rc ? NULL : &e) || rc) {
		buf_release(text);
		return fail(&e);
	}
	buf_release(text);
	return EXIT_DONE;
}

static enum exit_code no_command(const char *word)
{
	struct err e = { 0 };
	if (word)
		err_set(&e, ERR_USAGE, "", "no command %s; see recagent help", word);
	else
		err_set(&e, ERR_USAGE, "", "which command? see recagent help");
	return fail(&e);
}

/* Who watched the counts sees where they ended, -v or not. */
static void print_balance(const struct ctx *c, bool balances)
{
	const struct ledger *l = &c->ledger;
	char spooled[48] = "";
	if (!c->progress && log_verbosity() < 1)
		return;
	if (l->has_spool)
		snprintf(spooled, sizeof spooled, " + %llu spooled", (unsigned long long)l->spooled);
	log_say("%llu in = %llu out%s + %llu refused + %llu failed%s (%llu marks)", (unsigned long long)l->in,
		(unsigned long long)l->out, spooled, (unsigned long long)l->refused,
		(unsigned long long)l->failed, balances ? "" : ": does not balance",
		(unsigned long long)l->marks);
}

static void show_progress(void *arg)
{
	const struct ctx *c = arg;
	const struct ledger *l = &c->ledger;
	log_progress("%llu in, %llu out, %llu refused, %llu failed", (unsigned long long)l->in,
		(unsigned long long)l->out, (unsigned long long)l->refused, (unsigned long long)l->failed);
}

static int write_ledger(struct ctx *c, enum exit_code status, bool balances, struct err *e)
{
	const struct ledger *l = &c->ledger;
	struct buf b = BUF_INIT(BUF_MAX_SMALL);
	char when[TIME_TEXT];
	time_format_ms(clock_now_ms(), when);
	buf_printf(&b,
		"{\"command\":\"%s\",\"in\":%llu,\"out\":%llu,\"refused\":%llu,\"failed\":%llu,\"marks\":%"
		"llu,"
		"\"balances\":%s,\"exit_status\":%d,",
		c->cmd->name, (unsigned long long)l->in, (unsigned long long)l->out,
		(unsigned long long)l->refused, (unsigned long long)l->failed, (unsigned long long)l->marks,
		balances ? "true" : "false", (int)status);
	if (l->has_spool)
		buf_printf(&b, "\"spooled\":%llu,\"drained\":%llu,\"left\":%llu,",
			(unsigned long long)l->spooled, (unsigned long long)l->drained,
			(unsigned long long)l->left);
	buf_printf(&b, "\"ended_at\":\"%s\"}", when);
	struct out *o = out_open_file(c->opt.ledger, e);
	int rc = o ? out_line(o, b.p, b.len, e) : -1;
	if (o && out_close(o, rc ? NULL : e))
		rc = -1;
	buf_release(&b);
	return rc;
}

/* The books of a command that moves lines: an imbalance is our own mistake and never passes as success. */
static enum exit_code settle(struct ctx *c, enum exit_code status)
{
	const struct ledger *l = &c->ledger;
	bool balances = l->in == l->out + l->spooled + l->refused + l->failed;
	struct err e = { 0 };
	if (status == EXIT_DONE && (l->refused || l->failed))
		status = EXIT_SOME;
	if (!(c->cmd->flags & CMD_LINES_OUT))
		return status;
	if (!balances && (status == EXIT_DONE || status == EXIT_SOME || status == EXIT_SPOOLED)) {
		err_set(&e, ERR_INTERNAL, "", "lines do not balance: please report this");
		status = fail(&e);
	}
	print_balance(c, balances);
	if (c->opt.ledger && write_ledger(c, status, balances, &e)) {
		enum exit_code s = fail(&e);
		status = status == EXIT_DONE || status == EXIT_SOME || status == EXIT_SPOOLED ? s : status;
	}
	return status;
}

static void open_wake(struct ctx *c)
{
	if (pipe(c->wake)) {
		c->wake[0] = c->wake[1] = 0;
		return;
	}
	for (int i = 0; i < 2; i++)
		fcntl(c->wake[i], F_SETFD, FD_CLOEXEC);
}

static int open_ctx(struct ctx *c, struct err *e)
{
	const struct common *o = &c->opt;
	struct ports_conf pc = { .local = o->local,
		.region = o->region,
		.profile = o->profile,
		.endpoint_url = o->endpoint_url,
		.connect_ms = o->connect_ms,
		.read_ms = o->read_ms,
		.max_attempts = (int)o->max_attempts };
	if (c->cmd->flags & CMD_PORTS)
		c->ports = ports_new(&pc);
	if (c->cmd->flags & CMD_LINES_IN) {
		c->in = lines_open(STDIN_FILENO, (size_t)o->max_line);
		open_wake(c);
	}
	c->out = out_open_fd(STDOUT_FILENO, "standard output");
	if (o->dead_letter && !(c->dead = out_open_file(o->dead_letter, e)))
		return err_prefix(e, "--dead-letter: ");
	if (o->progress && isatty(STDERR_FILENO))
		c->progress = ticker_start(PROGRESS_MS, show_progress, c);
	if (c->cmd->flags & CMD_LINES_OUT)
		c->watch = watch_start(c);
	return 0;
}

static enum exit_code close_ctx(struct ctx *c, enum exit_code status)
{
	struct err e = { 0 };
	watch_stop(c->watch);
	if (c->progress)
		ticker_stop(c->progress, false);
	log_progress(NULL);
	if (c->out && out_close(c->out, &e) && (status == EXIT_DONE || status == EXIT_SOME))
		status = fail(&e);
	if (c->dead && out_close(c->dead, &e) && (status == EXIT_DONE || status == EXIT_SOME))
		status = fail(&e);
	if (c->cut_short && (status == EXIT_DONE || status == EXIT_SOME))
		status = EXIT_NO_END;
	if (c->in)
		lines_close(c->in);
	for (int i = 0; i < 2; i++)
		if (c->wake[i] > 0)
			close(c->wake[i]);
	ports_free(c->ports);
	return status;
}

static enum exit_code run_command(const struct cmd *cmd, int argc, char **argv)
{
	struct ctx c = { .cmd = cmd };
	struct err e = { 0 };
	const struct opt_set sets[] = { { cmd->opts, cmd->into }, { common_table(cmd->flags), &c.opt } };
	log_init(cmd->name, 0);
	int first = opts_parse(sets, 2, argc, argv, &e);
	enum exit_code status;
	if (first >= 0 && c.opt.help) {
		struct buf b = BUF_INIT(BUF_MAX_SMALL);
		help_command(&b, cmd);
		opts_release(sets, 2);
		return print_text(&b);
	}
	log_init(cmd->name, c.opt.verbose);
	bool ready = first >= 0 && open_ctx(&c, &e) == 0;
	status = ready ? cmd->run(&c, argc - first, argv + first) : fail(&e);
	status = close_ctx(&c, status);
	if (ready)
		status = settle(&c, status);
	opts_release(sets, 2);
	return status;
}

static enum exit_code run_help(int argc, char **argv)
{
	struct buf b = BUF_INIT(BUF_MAX_SMALL);
	const struct cmd *c = argc > 0 ? cmd_find(argv[0]) : NULL;
	if (argc > 0 && !c)
		return no_command(argv[0]);
	if (c)
		help_command(&b, c);
	else
		help_overview(&b);
	return print_text(&b);
}

int cmd_main(int argc, char **argv)
{
	static char fallback[] = "recagent";
	char *none[] = { fallback, NULL };
	if (argc < 1) {
		argc = 1;
		argv = none;
	}
	keep_standard_fds();
	/* Credentials live in this process's memory: no core dumps. */
	setrlimit(RLIMIT_CORE, &(const struct rlimit){ 0, 0 });
	json_init();
	stop_install();
	log_init(NULL, 0);
	const char *base = strrchr(argv[0], '/');
	base = base ? base + 1 : argv[0];
	if (strncmp(base, "recagent-", 9) == 0)
		base += 9;
	const struct cmd *c = cmd_find(base);
	if (c)
		return (int)run_command(c, argc, argv);
	if (argc < 2)
		return (int)no_command(NULL);
	const char *word = argv[1];
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
		return (int)run_help(argc - 2, argv + 2);
	if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0 || strcmp(word, "-V") == 0) {
		struct buf b = BUF_INIT(BUF_MAX_SMALL);
		buf_str(&b, "recagent " RECAGENT_VERSION);
		return (int)print_text(&b);
	}
	c = cmd_find(word);
	if (!c)
		return (int)no_command(word);
	return (int)run_command(c, argc - 1, argv + 1);
}
