/* publish.c - event lines, or one event from flags, to a stream; a receipt per line. */
#include "base/digest.h"
#include "cmd/cmd.h"
#include "flow/puts.h"
#include "rec/event.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct publish_opts {
	const char *user, *item, *type, *event_id, *timestamp, *partition_key, *hash_key;
	struct opt_list meta;
	uint64_t batch_records, batch_bytes, record_bytes, lanes;
	int64_t linger_ms;
	int order;
	bool quiet;
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
	{ 'q', "quiet", NULL, OPT_FLAG, INTO(quiet), NULL, NULL, NULL, "no receipts, marks only", 0, 0 },
	{ 0 },
};

/* One line under way; its texts stand behind it in the same block. */
struct job {
	uint64_t no;
	const char *event_id, *source, *line; /* source, line: NULL when not needed */
	size_t source_len, line_len;
	bool is_mark;
};

struct run {
	struct ctx *c;
	struct puts *puts;
	struct buf data, line, key, hash; /* of the reading thread */
	struct buf receipt;               /* of the reporting thread */
	struct err last, output;          /* the last failure; what broke standard output */
	bool broken;
};

static struct job *make_job(
	const struct run *r, const struct event *ev, const struct line *l, const char *event_id)
{
	size_t id = strlen(event_id), src = ev->source_m.len, line = r->c->dead || ev->is_mark ? l->len : 0;
	struct job *j = mem_alloc(sizeof *j + id + src + line + 3);
	char *p = (char *)(j + 1);
	j->no = l->no;
	j->event_id = memcpy(p, event_id, id);
	p += id + 1;
	if (src) {
		j->source = memcpy(p, l->p + ev->source_m.off, src);
		j->source_len = src;
		p += src + 1;
	}
	if (line) {
		j->line = memcpy(p, l->p, line);
		j->line_len = line;
	}
	j->is_mark = ev->is_mark;
	return j;
}

static void write_receipt(struct run *r, const struct job *j, const struct put_result *res)
{
	struct buf *b = &r->receipt;
	buf_printf(b, "{\"line\":%llu", (unsigned long long)j->no);
	if (j->event_id[0]) {
		buf_str(b, ",\"event_id\":");
		json_quote_str(b, j->event_id);
	}
	if (res->err) {
		buf_str(b, ",\"error\":");
		error_json(b, res->err);
	} else {
		buf_str(b, ",\"shard_id\":\"");
		buf_str(b, res->shard_id);
		buf_str(b, "\",\"sequence_number\":\"");
		buf_str(b, res->sequence_number);
		buf_char(b, '"');
	}
	if (j->source) {
		buf_str(b, ",\"_source\":");
		buf_add(b, j->source, j->source_len);
	}
	buf_char(b, '}');
}

static void done(const struct put_result *res, void *job, void *arg)
{
	struct run *r = arg;
	struct job *j = job;
	struct err e = { 0 };
	int rc = 0;
	buf_reset(&r->receipt);
	if (j->is_mark) {
		ledger_count(r->c, COUNT_MARKS);
		buf_add(&r->receipt, j->line, j->line_len);
	} else {
		if (res->err) {
			r->last = *res->err;
			rc = trouble(
				r->c, j->no, j->line, j->line_len, j->source, j->source_len, res->err, &e);
		} else {
			ledger_count(r->c, COUNT_OUT);
		}
		if (!o.quiet)
			write_receipt(r, j, res);
		else if (j->source)
			mark_line(&r->receipt, j->source, j->source_len, "done");
	}
	if (rc == 0 && r->receipt.len && !r->broken)
		rc = out_line(r->c->out, r->receipt.p, r->receipt.len, &e);
	if (rc && !r->broken) {
		r->output = e;
		r->broken = true; /* go on with what is under way: its records are in the stream */
	}
	free(j);
}

static void idle(void *arg)
{
	struct run *r = arg;
	struct err e = { 0 };
	if (!r->broken && out_soft_flush(r->c->out, &e)) {
		r->output = e;
		r->broken = true;
	}
}

static void outage(const struct err *e, void *arg)
{
	struct run *r = arg;
	(void)r;
	log_outage("stream", !e, e);
}

/* The text of a member by name, for --partition-key and --explicit-hash-key. */
static int member_text(const struct line *l, const char *name, struct buf *out, struct err *e)
{
	struct json_member m = { .name = name };
	struct json_object obj;
	bool nul = false;
	if (json_scan_object(l->p, l->len, &m, 1, &obj, e))
		return -1;
	if (m.type == JSON_NUMBER)
		buf_add(out, l->p + m.off, m.len);
	else if (m.type != JSON_STRING || !json_unescape(out, l->p + m.off, m.len, &nul) || nul || !out->len)
		return err_set(e, ERR_REFUSED, "bad-key", "%s is missing or is no text", name);
	return 0;
}

static bool valid_hash_key(const char *s)
{
	static const char most[] = "340282366920938463463374607431768211455";
	size_t n = strspn(s, "0123456789");
	if (s[n] || n == 0 || (n > 1 && s[0] == '0') || n > strlen(most))
		return false;
	return n < strlen(most) || strcmp(s, most) <= 0;
}

static size_t characters(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int keys(struct run *r, const struct event *ev, const struct line *l, struct put_in *in, struct err *e)
{
	buf_reset(&r->key);
	buf_reset(&r->hash);
	in->partition_key = ev->source.partition_key ? ev->source.partition_key : ev->key_text;
	if (o.partition_key) {
		if (member_text(l, o.partition_key, &r->key, e))
			return -1;
		in->partition_key = r->key.p;
	}
	if (!in->partition_key || characters(in->partition_key) > KEY_MAX_CHARS)
		return err_set(e, ERR_REFUSED, "bad-key", "partition key is missing or over %d characters",
			KEY_MAX_CHARS);
	if (o.hash_key) {
		if (member_text(l, o.hash_key, &r->hash, e))
			return -1;
		if (!valid_hash_key(r->hash.p))
			return err_set(e, ERR_REFUSED, "bad-key", "%s is no decimal below 2^128", o.hash_key);
		in->explicit_hash_key = r->hash.p;
	}
	if (in->len + strlen(in->partition_key) > o.record_bytes)
		return err_set(e, ERR_REFUSED, "record-too-large",
			"%zu bytes with its partition key, more than %llu",
			in->len + strlen(in->partition_key), (unsigned long long)o.record_bytes);
	return 0;
}

/* The record's bytes: the completed event, or what data_b64 holds. */
static int record_bytes(
	struct run *r, const struct event *ev, const struct line *l, char id[UUID_LEN + 1], struct err *e)
{
	char now[TIME_TEXT];
	buf_reset(&r->data);
	if (ev->is_data) {
		if (!b64_decode(&r->data, l->p + ev->data_b64.off + 1, ev->data_b64.len - 2))
			return err_set(e, ERR_REFUSED, "bad-base64", "data_b64 is no base64");
		return 0;
	}
	bool need_id = ev->event_id.type == JSON_NONE, need_time = ev->timestamp.type == JSON_NONE;
	if (need_id)
		uuid_v7(clock_now_ms(), id);
	if (need_time)
		time_format_us(clock_now_us(), now);
	if (!event_complete(&r->data, ev, l->p, need_id ? id : NULL, need_time ? now : NULL))
		return err_set(e, ERR_REFUSED, "line-too-long", "event is too long");
	return 0;
}

static void one_line(struct run *r, const struct line *l)
{
	struct event ev = { 0 };
	struct err why = { 0 };
	struct put_in in = { 0 };
	char id[UUID_LEN + 1] = "";
	int rc = check_line(r->c, l, &why);
	if (rc == 0)
		rc = event_parse(&ev, l->p, l->len, r->c->opt.key, EVENT_NEED_KEY | EVENT_DATA_OK, &why);
	if (rc == 0 && !ev.is_mark)
		rc = record_bytes(r, &ev, l, id, &why);
	in.data = r->data.p;
	in.len = r->data.len;
	if (rc == 0 && !ev.is_mark)
		rc = keys(r, &ev, l, &in, &why);
	if (rc || ev.is_mark)
		in.err = &why;
	in.hold_for_ever = ev.source.group != NULL;
	if (!ev.is_mark)
		ledger_count(r->c, COUNT_IN);
	puts_submit(r->puts, &in, make_job(r, &ev, l, id[0] ? id : ev.event_id_text ? ev.event_id_text : ""));
	event_release(&ev);
}

/* The event that the flags describe, as a line. */
static int line_from_flags(struct ctx *c, struct buf *b, struct err *e)
{
	const char *const members[][2] = { { "event_id", o.event_id }, { c->opt.key, o.user },
		{ "item_id", o.item }, { "event_type", o.type }, { "timestamp", o.timestamp } };
	buf_char(b, '{');
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!members[i][1])
			continue;
		buf_str(b, b->len > 1 ? "," : "");
		json_quote_str(b, members[i][0]);
		buf_char(b, ':');
		json_quote_str(b, members[i][1]);
	}
	for (size_t i = 0; i < o.meta.n; i++) {
		const char *eq = strchr(o.meta.v[i], '=');
		if (!eq || eq == o.meta.v[i])
			return err_set(e, ERR_USAGE, "", "--meta: not K=V: %s", o.meta.v[i]);
		buf_str(b, i ? "," : ",\"metadata\":{");
		json_quote(b, o.meta.v[i], (size_t)(eq - o.meta.v[i]));
		buf_char(b, ':');
		if (json_scan(eq + 1, strlen(eq + 1), NULL, NULL) == 0)
			buf_str(b, eq + 1);
		else
			json_quote_str(b, eq + 1);
	}
	buf_str(b, o.meta.n ? "}}" : "}");
	return 0;
}

static int read_all(struct run *r, struct err *e)
{
	struct line l;
	int got;
	if (o.user) {
		buf_reset(&r->line);
		if (line_from_flags(r->c, &r->line, e))
			return -1;
		l = (struct line){ .p = r->line.p, .len = r->line.len, .no = 1 };
		one_line(r, &l);
		return 0;
	}
	while (!r->broken && (got = next_line(r->c, &l, e)) > 0)
		one_line(r, &l);
	return r->broken ? 0 : got;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct stream *s = NULL;
	struct run r = { .c = c,
		.data = BUF_INIT(BUF_MAX_LINE),
		.line = BUF_INIT(BUF_MAX_LINE),
		.key = BUF_INIT(BUF_MAX_SMALL),
		.hash = BUF_INIT(BUF_MAX_SMALL),
		.receipt = BUF_INIT(BUF_MAX_LINE) };
	if (argc > 1)
		err_set(&e, ERR_USAGE, "", "one TARGET only: what is %s?", argv[1]);
	else if (!o.user && (o.item || o.type || o.meta.n || o.event_id || o.timestamp))
		err_set(&e, ERR_USAGE, "", "an event from flags needs --user");
	if (e.cls != ERR_NONE || open_stream(c->ports, default_stream(argc, argv), &s, &e))
		return fail(&e);
	struct puts_conf pc = { .stream = s,
		.lanes = (unsigned)o.lanes,
		.batch_records = (size_t)o.batch_records,
		.batch_bytes = (size_t)o.batch_bytes,
		.window_records = 16384,
		.window_bytes = (size_t)o.lanes << 20,
		.linger_ms = o.user ? 0 : o.linger_ms,
		.give_up_ms = c->opt.give_up_ms,
		.order_key = o.order == 1,
		.want_receipts = !o.quiet,
		.done = done,
		.idle = idle,
		.outage = outage,
		.arg = &r };
	r.puts = puts_open(&pc);
	int rc = read_all(&r, &e);
	puts_close(r.puts);
	stream_close(s);
	buf_release(&r.data), buf_release(&r.line), buf_release(&r.key), buf_release(&r.hash),
		buf_release(&r.receipt);
	if (rc)
		return fail(&e);
	if (r.broken)
		return fail(&r.output);
	/* When the service took nothing at all, its own status says more than "some lines failed". */
	return c->ledger.failed && !c->ledger.out ? err_exit(&r.last) : EXIT_DONE;
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
