/* consume.c - a stream's records as event lines, each with its `_source`; with a group, from where the group stands. */
#include "base/lanes.h"
#include "base/mem.h"
#include "base/stop.h"
#include "cmd/autocommit.h"
#include "cmd/watch.h"
#include "flow/envelope.h"
#include "flow/owner.h"
#include "flow/shards.h"
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct consume_opts {
	struct when since, until;
	bool end, no_marks, raw;
	uint64_t count, threads, max_shards;
	const char *group;
	int commit;
	int64_t poll_ms, idle_mark_ms, failover_ms, give_up_ms;
};
static struct consume_opts o;
enum { COMMIT_PIPE, COMMIT_AUTO };

#define GIVE_UP_MS 30000
#define SILENT_MARKS 10 /* idle times without a mark, then comes one that says nothing: is anybody there? */

#define INTO(member) offsetof(struct consume_opts, member)
static const struct opt table[] = {
	{ 's', "since", "WHEN", OPT_WHEN, INTO(since), NULL, NULL, NULL,
		"start there [the group's position, else trim-horizon]", 0, 0 },
	{ 'u', "until", "WHEN", OPT_WHEN, INTO(until), NULL, NULL, NULL,
		"stop each shard at the first record from then on", 0, 0 },
	{ 'e', "end", NULL, OPT_FLAG, INTO(end), NULL, NULL, NULL,
		"stop at what is the end of the stream now", 0, 0 },
	{ 'n', "count", "COUNT", OPT_UINT, INTO(count), NULL, NULL, NULL, "stop after so many events", 1, 0 },
	{ 'g', "group", "G", OPT_STR, INTO(group), NULL, NULL, NULL,
		"go on from the position of this group; ack moves it", 0, 0 },
	{ 0, "commit", "HOW", OPT_CHOICE, INTO(commit), NULL, "pipe", "pipe|auto",
		"auto: moves it itself, for what is in the file", 0, 0 },
	{ 0, "poll", "TIME", OPT_MS, INTO(poll_ms), NULL, NULL, NULL,
		"wait between looks at a shard's end [250ms, embedded store 50ms]", 1, 3600e3 },
	{ 'j', "threads", "N", OPT_UINT, INTO(threads), NULL, "4", NULL, "shards read at once", 1, 64 },
	{ 0, "idle-mark", "TIME", OPT_MS, INTO(idle_mark_ms), NULL, "1s", NULL,
		"with a group: silence after which a mark is written", 10, 3600e3 },
	{ 0, "failover", "TIME", OPT_MS, INTO(failover_ms), NULL, "10s", NULL,
		"with a group: a worker silent for so long has lost its shards", 200, 3600e3 },
	{ 0, "max-shards", "N", OPT_UINT, INTO(max_shards), NULL, NULL, NULL,
		"with a group: take no more shards than so many", 1, 1e6 },
	{ 'r', "raw", NULL, OPT_FLAG, INTO(raw), NULL, NULL, NULL,
		"records as they are: aggregates whole, as data_b64", 0, 0 },
	{ 0, "give-up", "TIME", OPT_MS, INTO(give_up_ms), NULL, NULL, NULL,
		"longest outage before it ends [30s if it ends by itself, else none]", 1, 86400e3 },
	{ 0, "no-marks", NULL, OPT_FLAG, INTO(no_marks), NULL, NULL, NULL, "event lines only", 0, 0 },
	{ 0 },
};

struct run {
	struct ctx *c;
	struct envelope *envelope;
	struct autocommit *commits; /* with --commit auto */
	unsigned silent;            /* idle times in a row without a mark */
};

static int write_mark(struct run *r, const char *shard_id, const char *mark, struct err *e)
{
	const struct buf *line = envelope_mark(r->envelope, shard_id, mark);
	if (o.no_marks)
		return 0;
	ledger_count(r->c, COUNT_MARKS);
	return out_line(r->c->out, line->p, line->len, e);
}

/* Only with its dead letter on disk does the position go behind it. */
static int refuse(struct run *r, const char *shard_id, const struct record *rec, struct err *e)
{
	if (trouble_record(r->c, shard_id, rec, envelope_source(r->envelope, shard_id, rec), e) ||
		write_mark(r, shard_id, "done", e))
		return -1;
	autocommit_note(r->commits, shard_id, rec);
	return 0;
}

static int on_record(const char *shard_id, const struct record *rec, void *arg, struct err *e)
{
	struct run *r = arg;
	if (rec->unusable)
		return refuse(r, shard_id, rec, e);
	const struct buf *line = envelope_line(r->envelope, shard_id, rec);
	if (!line)
		return err_set(e, ERR_INTERNAL, "", "%s: record %s is too long for a line", shard_id,
			rec->sequence_number);
	r->silent = 0;
	if (out_line(r->c->out, line->p, line->len, e))
		return -1;
	ledger_count(r->c, COUNT_IN); /* one that nobody took has not come in */
	ledger_count(r->c, COUNT_OUT);
	autocommit_note(r->commits, shard_id, rec);
	return o.count && r->c->ledger.out >= o.count;
}

static int on_shard_end(const char *shard_id, void *arg, struct err *e)
{
	struct run *r = arg;
	if (write_mark(r, shard_id, "shard-end", e))
		return -1;
	autocommit_note(r->commits, shard_id, NULL);
	return out_soft_flush(r->c->out, e);
}

static void on_tenure(const char *shard_id, unsigned n, void *arg)
{
	struct run *r = arg;
	envelope_tenure(r->envelope, shard_id, n);
	autocommit_tenure(r->commits, shard_id, n);
}

static int on_flush(void *arg, struct err *e)
{
	struct run *r = arg;
	return autocommit_check(r->commits, e) ? -1 : out_soft_flush(r->c->out, e);
}

static int on_idle(void *arg, struct err *e)
{
	struct run *r = arg;
	const char *shard_id;
	while (o.group && (shard_id = envelope_unmarked(r->envelope))) {
		r->silent = 0;
		if (write_mark(r, shard_id, "done", e))
			return -1;
	}
	/* A later stage that has died is seen by a foreign filter in front of it only when there is something to write. */
	if (o.group && !out_is_file(r->c->out) && ++r->silent > SILENT_MARKS) {
		r->silent = 0;
		if (write_mark(r, NULL, "done", e))
			return -1;
	}
	if (out_soft_flush(r->c->out, e) || autocommit_check(r->commits, e))
		return -1;
	return out_reader_gone(r->c->out) ? err_set(e, ERR_PIPE, "", "reader gone") : 0;
}

/* The pipe behind us sees its end of input; the number stays taken, so that nothing else is opened as standard output. A thread
 * that polls the pipe would keep it open. */
static void close_stdout(struct ctx *c)
{
	watch_stop(c->watch);
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		close(fd);
	}
	c->watch = watch_start(c);
}

/* A run that ends by itself has somebody waiting for its end, as cron does; one that follows holds on for ever. */
static int64_t give_up_ms(void)
{
	bool ends = o.end || o.until.kind != WHEN_UNSET;
	return o.give_up_ms ? o.give_up_ms : ends ? GIVE_UP_MS : 0;
}

static int follow(struct run *r, struct stream *s, struct table *group, const char *owner, struct err *e)
{
	struct follow_conf fc = { .stream = s,
		.group = group,
		.owner = owner,
		.since = o.since,
		.until = o.until,
		.raw = o.raw,
		.end_at_tip = o.end,
		.poll_ms = o.poll_ms,
		.threads = (unsigned)o.threads,
		.idle_mark_ms = o.idle_mark_ms,
		.grace_ms = r->c->opt.grace_ms,
		.failover_ms = o.failover_ms,
		.max_shards = (size_t)o.max_shards,
		.give_up_ms = give_up_ms(),
		.on_record = on_record,
		.on_shard_end = on_shard_end,
		.on_tenure = on_tenure,
		.on_flush = on_flush,
		.on_idle = on_idle,
		.arg = r };
	struct follow *f = follow_open(&fc, e);
	int rc = f ? follow_run(f, e) : -1;
	if (rc == 0)
		rc = write_mark(r, NULL, "end", e);
	if (rc == 0)
		rc = out_flush(r->c->out, e);
	rc = autocommit_close(r->commits, rc, e);
	if (rc == 0 && group && !out_is_file(r->c->out)) {
		stop_now(); /* from here on --grace counts */
		close_stdout(r->c);
		follow_drain(f);
	}
	follow_close(f);
	return rc;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct stream *s = NULL;
	struct table *group = NULL;
	char owner[OWNER_MAX] = "";
	int rc = 0;
	if (argc > 1)
		rc = err_set(&e, ERR_USAGE, "", "one SOURCE only: what is %s?", argv[1]);
	else if (!o.group && o.commit == COMMIT_AUTO)
		rc = err_set(&e, ERR_USAGE, "", "--commit auto: only a --group has positions");
	else if (o.group && o.no_marks && o.commit == COMMIT_PIPE)
		rc = err_set(&e, ERR_USAGE, "", "--no-marks: a group's positions move by marks, too");
	else if (o.group && o.raw)
		rc = err_set(&e, ERR_USAGE, "", "--raw: a group's positions are inside of aggregates, too");
	if (rc == 0)
		rc = open_stream(c->ports, default_stream(argc, argv), &s, &e);
	if (rc == 0 && o.group) {
		owner_new(owner);
		rc = open_table(c->ports, o.group, LEASE_KEY, &group, &e);
	}
	if (rc == 0) {
		struct run r = { .c = c, .envelope = envelope_new(s->name, o.group, owner) };
		if (o.commit == COMMIT_AUTO && !(r.commits = autocommit_open(c, o.group, owner, &e)))
			rc = -1;
		if (rc == 0)
			rc = follow(&r, s, group, owner, &e);
		envelope_free(r.envelope);
	}
	table_close(group);
	stream_close(s);
	return rc ? fail(&e) : EXIT_DONE;
}

const struct cmd cmd_consume = {
	.name = "consume",
	.summary = "follow a stream: its records as event lines",
	.operands = "[SOURCE]",
	.opts = table,
	.into = &o,
	.flags = CMD_LINES_OUT | CMD_RECORDS_IN | CMD_SOURCE | CMD_PORTS,
	.run = run,
};
