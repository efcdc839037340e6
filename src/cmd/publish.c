/* publish.c - event lines, or one event from flags, to a stream; a receipt per line. */
#include "cmd/receipt.h"
#include "cmd/report.h"
#include "cmd/spooled.h"
#include "flow/outgoing.h"
#include "rec/new_event.h"
#include <stddef.h>
#include <stdlib.h>

#define AGGREGATE_BYTES 51200 /* as the Kinesis Producer Library has it */

struct publish_opts {
	const char *user, *item, *type, *event_id, *timestamp, *partition_key, *hash_key;
	struct opt_list meta;
	const char *spool;
	uint64_t batch_records, batch_bytes, record_bytes, lanes, spool_max;
	int64_t linger_ms, spool_after_ms;
	int order;
	bool quiet, aggregate;
};
static struct publish_opts o;

#define INTO(member) offsetof(struct publish_opts, member)
static const struct opt table[] = {
	{ 'u', "user", "U", OPT_STR, INTO(user), NULL, NULL, NULL,
		"publish one event of this KEY, not standard input", 0, 0 },
	{ 'i', "item", "I", OPT_STR, INTO(item), NULL, NULL, NULL, "its item_id", 0, 0 },
	{ 't', "type", "T", OPT_STR, INTO(type), NULL, NULL, NULL, "its event_type", 0, 0 },
	{ 'm', "meta", "K=V", OPT_LIST, INTO(meta), NULL, NULL, NULL,
		"a member of its metadata; JSON, else a string", 0, 0 },
	{ 0, "event-id", "ID", OPT_STR, INTO(event_id), NULL, NULL, NULL, "its event_id", 0, 0 },
	{ 0, "timestamp", "TIME", OPT_STR, INTO(timestamp), NULL, NULL, NULL, "its timestamp", 0, 0 },
	{ 0, "partition-key", "FIELD", OPT_STR, INTO(partition_key), NULL, NULL, NULL,
		"member that is the partition key; else the line's own, else KEY", 0, 0 },
	{ 0, "explicit-hash-key", "FIELD", OPT_STR, INTO(hash_key), NULL, NULL, NULL,
		"member that is the explicit hash key", 0, 0 },
	{ 0, "batch-records", "N", OPT_UINT, INTO(batch_records), NULL, "500", NULL,
		"most records of one call", 1, 500 },
	{ 0, "batch-bytes", "SIZE", OPT_SIZE, INTO(batch_bytes), NULL, "5MiB", NULL, "most bytes of one call",
		1024, 10485760 },
	{ 0, "record-bytes", "SIZE", OPT_SIZE, INTO(record_bytes), NULL, "1MiB", NULL,
		"refuse records that are larger with their key", 1, 10485760 },
	{ 0, "linger", "TIME", OPT_MS, INTO(linger_ms), NULL, "100ms", NULL,
		"longest wait for a batch to fill", 0, 60e3 },
	{ 'j', "lanes", "N", OPT_UINT, INTO(lanes), NULL, "4", NULL, "calls in flight at once", 1, 64 },
	{ 0, "order", "HOW", OPT_CHOICE, INTO(order), NULL, "batch", "batch|key",
		"key: a key's order under any partial failure", 0, 0 },
	{ 'A', "aggregate", NULL, OPT_FLAG, INTO(aggregate), NULL, NULL, NULL,
		"many events in one record, as the Kinesis Producer Library does it", 0, 0 },
	{ 0, "spool", "DIR", OPT_STR, INTO(spool), NULL, NULL, "DIR",
		"keep what the stream does not take on disk, and send it later", 0, 0 },
	{ 0, "spool-after", "TIME", OPT_MS, INTO(spool_after_ms), NULL, "5s", NULL,
		"how long a line is held before it is spooled", 0, 86400e3 },
	{ 0, "spool-max", "SIZE", OPT_SIZE, INTO(spool_max), NULL, "1GiB", NULL, "most bytes of the spool",
		65536, 1e15 },
	{ 'q', "quiet", NULL, OPT_FLAG, INTO(quiet), NULL, NULL, NULL, "no receipts, marks only", 0, 0 },
	{ 0 },
};

struct run {
	struct ctx *c;
	struct spooled spooled;
	struct puts *puts;
	struct outgoing outgoing; /* of the reading thread */
	struct report report;     /* of the reporting thread */
};

/* It is as safe as in the stream, whatever becomes of the output. */
static bool spooled(struct run *r)
{
	ledger_count(r->c, COUNT_SPOOLED);
	return !report_stopped(&r->report);
}

static void done(const struct put_result *res, void *job, void *arg)
{
	struct run *r = arg;
	struct pending *p = job;
	struct buf *out = &r->report.line;
	if (p->is_mark) {
		report_mark(&r->report);
		buf_add(out, p->origin.line, p->origin.len);
	} else if (res->kept ? spooled(r)
			     : report_settle(&r->report, &p->origin, res->err, p->from_group, false)) {
		if (!o.quiet)
			receipt_write(out, p, res);
		else if (p->origin.source)
			mark_line(out, p->origin.source, p->origin.source_len, "done");
	}
	report_write(&r->report);
}

static void idle(void *arg)
{
	report_flush(&((struct run *)arg)->report);
}

static void outage(const struct err *e, void *arg)
{
	(void)arg;
	log_outage("stream", !e, e);
}

static void one_line(struct run *r, const struct line *l)
{
	const struct outgoing_conf oc = { .partition_field = o.partition_key,
		.hash_field = o.hash_key,
		.max_record = (size_t)o.record_bytes };
	struct event ev;
	struct err why;
	struct put_in in = { 0 };
	const char *id = "";
	err_clear(&why);
	int rc = check_line(r->c, l, &why);
	if (rc)
		memset(&ev, 0, sizeof ev);
	else
		rc = event_parse(&ev, l->p, l->len, r->c->opt.key, EVENT_NEED_KEY | EVENT_DATA_OK, &why);
	if (rc == 0 && !ev.is_mark) {
		rc = outgoing_make(&r->outgoing, &oc, &ev, l->p, l->len, &in, &why);
		id = rc ? "" : r->outgoing.event_id;
	}
	if (ev.event_id_text)
		id = ev.event_id_text;
	if (rc || ev.is_mark)
		in.err = &why;
	in.hold_for_ever = ev.source.group != NULL;
	if (!ev.is_mark)
		ledger_count(r->c, COUNT_IN);
	bool keep_line = r->c->dead || ev.is_mark;
	pending_fill(puts_make(r->puts, &in, pending_size(l, &ev, id, keep_line)), l, &ev, id, keep_line);
	puts_submit(r->puts);
	event_release(&ev);
}

static int publish_flags(struct run *r, struct err *e)
{
	const struct new_event ne = { .key_name = r->c->opt.key,
		.key = o.user,
		.event_id = o.event_id,
		.item_id = o.item,
		.event_type = o.type,
		.timestamp = o.timestamp,
		.meta = o.meta.v,
		.nmeta = o.meta.n };
	struct buf b = BUF_INIT(BUF_MAX_LINE);
	int rc = new_event_line(&b, &ne, e);
	if (rc == 0)
		one_line(r, &(struct line){ .p = b.p, .len = b.len, .no = 1 });
	buf_release(&b);
	return rc;
}

static int publish_lines(struct run *r, struct err *e)
{
	struct line l;
	int got = 1;
	while (!report_stopped(&r->report) && (got = next_line(r->c, &l, e)) > 0)
		one_line(r, &l);
	return got;
}

static bool leaving(void *arg)
{
	return input_left(((struct run *)arg)->c) != STAY;
}

static enum exit_code publish(struct run *r, const struct puts_conf *pc)
{
	struct err e = { 0 };
	outgoing_init(&r->outgoing);
	report_init(&r->report, r->c);
	r->puts = puts_open(pc);
	int got = o.user ? publish_flags(r, &e) : publish_lines(r, &e);
	puts_close(r->puts);
	enum exit_code status = report_status(&r->report, got, &e);
	report_flush(&r->report);
	report_release(&r->report);
	outgoing_release(&r->outgoing);
	return status;
}

static enum exit_code put_on(struct ctx *c, struct stream *s)
{
	struct run r = { .c = c };
	struct err e = { 0 };
	struct puts_conf pc = { .stream = s,
		.lanes = (unsigned)o.lanes,
		.batch_records = (size_t)o.batch_records,
		.batch_bytes = (size_t)o.batch_bytes,
		.aggregate_bytes = o.aggregate ? AGGREGATE_BYTES : 0,
		.window_records = (size_t)o.lanes << 12,
		.window_bytes = (size_t)o.lanes << 20,
		.linger_ms = o.user ? 0 : o.linger_ms,
		.give_up_ms = c->opt.give_up_ms,
		.grace_ms = c->opt.grace_ms,
		.order_key = o.order == 1,
		.want_receipts = !o.quiet,
		.done = done,
		.idle = idle,
		.outage = outage,
		.leaving = leaving,
		.arg = &r };
	if (spooled_open(&r.spooled, c, o.spool, o.spool_max, o.spool_after_ms, &pc, &e))
		return fail(&e);
	enum exit_code status = publish(&r, &pc);
	return spooled_close(&r.spooled, status);
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct stream *s = NULL;
	if (argc > 1)
		err_set(&e, ERR_USAGE, "", "one TARGET only: what is %s?", argv[1]);
	else if (!o.user && (o.item || o.type || o.meta.n || o.event_id || o.timestamp))
		err_set(&e, ERR_USAGE, "", "an event from flags needs --user");
	if (e.cls != ERR_NONE || open_stream(c->ports, default_stream(argc, argv), &s, &e))
		return fail(&e);
	enum exit_code status = put_on(c, s);
	stream_close(s);
	return status;
}

const struct cmd cmd_publish = {
	.name = "publish",
	.summary = "put event lines on a stream, a receipt for each",
	.operands = "[TARGET]",
	.opts = table,
	.into = &o,
	.flags = CMD_LINES_IN | CMD_LINES_OUT | CMD_SHORT_LINES | CMD_KEY | CMD_PORTS | CMD_FILTER | CMD_HOLD,
	.run = run,
};
