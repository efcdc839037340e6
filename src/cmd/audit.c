/* audit.c - reconcile what the stages of a run wrote, event by event: what is missing, doubled, or still under way. */
#include "base/mem.h"
#include "base/stop.h"
#include "cmd/cmd.h"
#include "flow/books.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct audit_opts {
	uint64_t max_events;
	bool all;
};
static struct audit_opts o;

#define INTO(member) offsetof(struct audit_opts, member)
static const struct opt table[] = {
	{ 'a', "all", NULL, OPT_FLAG, INTO(all), NULL, NULL, NULL,
		"a line for every event, not only for trouble", 0, 0 },
	{ 0, "max-events", "N", OPT_UINT, INTO(max_events), NULL, "10000000", NULL,
		"most events kept in memory", 1, 1e9 },
	{ 0 },
};

#define LINE_MAX_BYTES ((size_t)2 * BUF_MAX_LINE) /* a dead letter holds a whole line, escaped */

static int kind_of(const char *operand, const char **path, struct err *e)
{
	const char *eq = strchr(operand, '=');
	for (int k = 0; eq && k < BOOKS_KINDS; k++)
		if (strlen(books_kinds[k]) == (size_t)(eq - operand) &&
			!strncmp(operand, books_kinds[k], (size_t)(eq - operand))) {
			*path = eq + 1;
			return eq[1] ? k : err_set(e, ERR_USAGE, "", "%s: which file?", operand);
		}
	return err_set(e, ERR_USAGE, "",
		"%s: what is it? STAGE=FILE, with publish, consume, prompt, invoke, ack, dead or ledger",
		operand);
}

/* A line that can't be read is said and counted; the rest of the file still counts. */
static int enter_lines(
	struct ctx *c, struct books *b, enum books_kind kind, const char *path, int fd, struct err *e)
{
	struct lines *in = lines_open(fd, LINE_MAX_BYTES);
	struct line l;
	int got;
	while ((got = lines_next(in, &l, -1, true, e)) == LINES_LINE) {
		struct err why = { 0 };
		if (l.too_long)
			err_set(&why, ERR_REFUSED, "too-long", "longer than %zu bytes", LINE_MAX_BYTES);
		if (!l.too_long && books_enter(b, kind, l.p, l.len, &why) == 0)
			continue;
		if (why.cls != ERR_REFUSED) {
			*e = why;
			got = LINES_ERROR;
			break;
		}
		err_prefix(&why, "%s: ", path);
		log_line_error(l.no, &why);
		ledger_count(c, COUNT_REFUSED);
	}
	lines_close(in);
	if (got == LINES_STOPPED)
		return err_set(e, ERR_STOPPED, "", "stopped");
	return got == LINES_ERROR ? -1 : 0;
}

static int enter_file(struct ctx *c, struct books *b, const char *operand, struct err *e)
{
	const char *path = NULL;
	int kind = kind_of(operand, &path, e);
	if (kind < 0)
		return -1;
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(e, ERR_USAGE, errno, "%s: cannot open", path);
	int rc = enter_lines(c, b, (enum books_kind)kind, path, fd, e);
	if (!is_stdin)
		close(fd);
	return rc;
}

static int on_event(const struct books_event *v, void *arg, struct err *e)
{
	struct ctx *c = arg;
	struct buf b = BUF_INIT(BUF_MAX_LINE);
	bool fine = (v->state == BOOKS_DONE || v->state == BOOKS_SWALLOWED) && v->copies < 2;
	if (fine && !o.all)
		return 0;
	buf_str(&b, "{\"event_id\":");
	if (v->event_id)
		json_quote_str(&b, v->event_id);
	else
		buf_str(&b, "null");
	buf_printf(&b, ",\"state\":\"%s\",\"at\":\"%s\",\"copies\":%u,\"redelivered\":%s,\"seen\":{",
		books_states[v->state], books_kinds[v->at], v->copies, v->redelivered ? "true" : "false");
	const char *comma = "";
	for (int k = 0; k < BOOKS_STAGES; k++)
		if (v->seen[k]) {
			buf_printf(&b, "%s\"%s\":%u", comma, books_kinds[k], v->seen[k]);
			comma = ",";
		}
	buf_char(&b, '}');
	if (v->shard_id) {
		buf_str(&b, ",\"shard_id\":");
		json_quote_str(&b, v->shard_id);
		buf_str(&b, ",\"sequence_number\":");
		json_quote_str(&b, v->sequence_number);
		buf_printf(&b, ",\"subsequence_number\":%llu", (unsigned long long)v->subsequence);
	}
	buf_char(&b, '}');
	int rc = out_line(c->out, b.p, b.len, e);
	buf_release(&b);
	return rc;
}

static int on_ledger(const char *why, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	log_say("%s", why);
	return 0;
}

static int write_sum(struct ctx *c, const struct books_sum *s, struct err *e)
{
	struct buf b = BUF_INIT(BUF_MAX_SMALL);
	buf_printf(&b, "{\"events\":%llu", (unsigned long long)s->events);
	for (int i = 0; i < BOOKS_STATES; i++) {
		char name[16];
		size_t n = strlen(books_states[i]);
		for (size_t j = 0; j <= n; j++)
			name[j] = books_states[i][j] == '-' ? '_' : books_states[i][j];
		buf_printf(&b, ",\"%s\":%llu", name, (unsigned long long)s->states[i]);
	}
	buf_printf(&b,
		",\"doubled\":%llu,\"redelivered\":%llu,\"unidentified\":%llu,\"ledgers\":%llu,"
		"\"unbalanced\":%llu}",
		(unsigned long long)s->doubled, (unsigned long long)s->redelivered,
		(unsigned long long)s->unidentified, (unsigned long long)s->ledgers,
		(unsigned long long)s->unbalanced);
	int rc = out_line(c->out, b.p, b.len, e);
	buf_release(&b);
	return rc ? rc : out_flush(c->out, e);
}

static enum exit_code verdict(const struct ctx *c, const struct books_sum *s)
{
	struct err e = { 0 };
	if (s->states[BOOKS_MISSING] || s->unbalanced) {
		err_set(&e, ERR_INTERNAL, "", "events missing: %llu; ledgers that do not balance: %llu",
			(unsigned long long)s->states[BOOKS_MISSING], (unsigned long long)s->unbalanced);
		return fail(&e);
	}
	if (c->ledger.refused || s->states[BOOKS_FAILED] || s->states[BOOKS_DEAD_LETTER])
		return EXIT_SOME;
	return s->states[BOOKS_UNDER_WAY] ? EXIT_BEHIND : EXIT_DONE;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct books_sum sum = { 0 };
	int rc = 0;
	if (argc < 1)
		rc = err_set(
			&e, ERR_USAGE, "", "nothing to audit: name what the stages wrote, as STAGE=FILE");
	struct books *b = books_new(o.max_events);
	for (int i = 0; rc == 0 && i < argc; i++)
		rc = enter_file(c, b, argv[i], &e);
	if (rc == 0)
		rc = books_close(b, &sum, on_event, on_ledger, c, &e);
	if (rc == 0)
		rc = write_sum(c, &sum, &e);
	books_free(b);
	return rc ? fail(&e) : verdict(c, &sum);
}

const struct cmd cmd_audit = {
	.name = "audit",
	.summary = "reconcile what the stages of a run wrote, event by event",
	.operands = "STAGE=FILE...",
	.opts = table,
	.into = &o,
	.flags = 0,
	.run = run,
};
