/* replay.c - event lines from an archive, from files, or from a stream since a time. */
#include "base/stop.h"
#include "cmd/cmd.h"
#include "flow/archive.h"
#include "flow/envelope.h"
#include "flow/record_line.h"
#include "flow/selection.h"
#include "flow/shards.h"
#include "rec/event.h"
#include "rec/letter.h"
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct replay_opts {
	struct when since, until;
	const char *speed, *key_is, *type, *after;
	uint64_t max_record;
	int64_t give_up_ms;
	bool dead_letters;
};
static struct replay_opts o;

#define LOOK_UP_MS 500

#define INTO(member) offsetof(struct replay_opts, member)
static const struct opt table[] = {
	{ 's', "since", "TIME", OPT_WHEN, INTO(since), NULL, NULL, NULL, "only events of that time or later",
		0, 0 },
	{ 'u', "until", "TIME", OPT_WHEN, INTO(until), NULL, NULL, NULL, "only events before that time", 0,
		0 },
	{ 'x', "speed", "N", OPT_STR, INTO(speed), NULL, "max", NULL, "N times as fast as it was, or max", 0,
		0 },
	{ 0, "key-is", "U", OPT_STR, INTO(key_is), NULL, NULL, NULL, "only events of this KEY", 0, 0 },
	{ 't', "type", "T", OPT_STR, INTO(type), NULL, NULL, NULL, "only events of this event_type", 0, 0 },
	{ 'a', "after", "OBJECT[:LINE]", OPT_STR, INTO(after), NULL, NULL, NULL,
		"go on behind this object or line of it", 0, 0 },
	{ 'd', "dead-letters", NULL, OPT_FLAG, INTO(dead_letters), NULL, NULL, NULL,
		"SOURCE holds dead letters: the lines in them", 0, 0 },
	{ 0, "max-record", "SIZE", OPT_SIZE, INTO(max_record), NULL, "16MiB", NULL, "refuse longer records",
		64, 16777216 },
	{ 0, "give-up", "TIME", OPT_MS, INTO(give_up_ms), NULL, "30s", NULL, "longest outage before it ends",
		1, 86400e3 },
	{ 0 },
};

struct run {
	struct ctx *c;
	struct selection selection;
	struct pace pace;
	struct envelope *envelope; /* of a stream */
	struct buf line, flat, source, inner;
};

/* Is it wanted, and has its turn come? 1 yes, 0 no, -1 with e; e untouched: a signal came first. */
static int its_turn(struct run *r, const char *p, size_t n, struct err *e)
{
	int64_t us;
	if (!selection_has(&r->selection, p, n, &us))
		return 0;
	int64_t wait = pace_wait_ms(&r->pace, us), until = clock_mono_ms() + wait;
	if (wait > 0 && out_soft_flush(r->c->out, e))
		return -1;
	for (; wait > 0; wait = until - clock_mono_ms()) {
		if (!clock_sleep_ms(wait < LOOK_UP_MS ? wait : LOOK_UP_MS))
			return -1;
		if (input_left(r->c) == READER_GONE)
			return err_set(e, ERR_PIPE, "", "reader gone");
	}
	return 1;
}

/* 0 go on, 1 end, -1 with e. */
static int write_line(struct run *r, const struct buf *line, struct err *e)
{
	if (out_line(r->c->out, line->p, line->len, e))
		return -1;
	ledger_count(r->c, COUNT_IN); /* one that nobody took has not come in */
	ledger_count(r->c, COUNT_OUT);
	return stop_requested() ? 1 : 0;
}

/* A record that is refused leaves a mark, so that a later run can go on behind it. */
static int refuse(struct run *r, const struct archive_record *a, const struct err *why, struct err *e)
{
	const struct origin bad = { .no = a->value.no,
		.line = a->value.p,
		.len = a->value.len,
		.source = r->source.p,
		.source_len = r->source.len,
		.cut = a->value.too_long };
	if (trouble(r->c, &bad, why, e))
		return -1;
	ledger_count(r->c, COUNT_MARKS);
	buf_reset(&r->line);
	mark_line(&r->line, r->source.p, r->source.len, "done");
	return out_line(r->c->out, r->line.p, r->line.len, e);
}

static int check_record(const struct archive_record *a, struct err *why)
{
	if (a->value.too_long)
		return err_set(why, ERR_REFUSED, "record-too-long",
			"%s: record is longer than --max-record %llu bytes", a->object,
			(unsigned long long)o.max_record);
	if (json_scan_object(a->value.p, a->value.len, NULL, 0, &(struct json_object){ 0 }, why))
		return err_prefix(why, "%s: ", a->object);
	return 0;
}

/* The record's line into r->line. 1 it is there, 0 not wanted, -1 with e, 2 it is bad and why says it. */
static int archived_line(struct run *r, const struct archive_record *a, struct err *why, struct err *e)
{
	struct json_object obj;
	struct json_member source;
	const char *p = a->value.p;
	size_t n = a->value.len;
	if (check_record(a, why))
		return 2;
	if (o.dead_letters) {
		buf_reset(&r->inner);
		if (letter_line(&r->inner, &obj, &source, p, n, why)) {
			err_prefix(why, "%s: ", a->object);
			return 2;
		}
		p = r->inner.p;
		n = r->inner.len;
	}
	int turn = its_turn(r, p, n, e);
	if (turn <= 0)
		return turn;
	/* A position of its own would count as one of the stream; it is the archive's now. */
	bool fits = o.dead_letters ? line_with_source(&r->line, p, &obj, &source, r->source.p, r->source.len)
				   : record_line(&r->line, &r->flat, p, n, r->source.p, r->source.len);
	if (!fits)
		err_set(why, ERR_REFUSED, "record-too-long", "%s: record is too long for a line", a->object);
	return fits ? 1 : 2;
}

static int on_archived(const struct archive_record *a, void *arg, struct err *e)
{
	struct run *r = arg;
	struct err why = { 0 };
	buf_reset(&r->line);
	buf_reset(&r->source);
	buf_str(&r->source, "{\"object\":");
	json_quote_str(&r->source, a->object);
	buf_printf(&r->source, ",\"line\":%llu}", (unsigned long long)a->value.no);
	int got = archived_line(r, a, &why, e);
	if (got <= 0)
		return got == 0 ? 0 : e->cls == ERR_NONE ? 1 : -1;
	if (got != 2)
		return write_line(r, &r->line, e);
	ledger_count(r->c, COUNT_IN);
	return refuse(r, a, &why, e);
}

static int on_bad_object(const char *object, const struct err *why, void *arg, struct err *e)
{
	struct run *r = arg;
	const struct origin bad = { .line = object, .len = strlen(object) };
	struct err full = *why;
	err_prefix(&full, "%s: ", object);
	ledger_count(r->c, COUNT_IN);
	return trouble(r->c, &bad, &full, e);
}

static int on_streamed(const char *shard_id, const struct record *rec, void *arg, struct err *e)
{
	struct run *r = arg;
	if (rec->unusable)
		return trouble_record(r->c, shard_id, rec, envelope_source(r->envelope, shard_id, rec), e);
	int turn = its_turn(r, rec->data, rec->len, e);
	if (turn <= 0)
		return turn == 0 ? 0 : e->cls == ERR_NONE ? 1 : -1;
	const struct buf *line = envelope_line(r->envelope, shard_id, rec);
	if (!line)
		return err_set(e, ERR_INTERNAL, "", "record is too long");
	return write_line(r, line, e);
}

static int on_idle(void *arg, struct err *e)
{
	struct run *r = arg;
	return out_soft_flush(r->c->out, e);
}

static int from_stream(struct run *r, const char *name, struct err *e)
{
	struct stream *s = NULL;
	struct follow *f = NULL;
	if (o.dead_letters)
		return err_set(e, ERR_USAGE, "",
			"--dead-letters: they are in files or on S3; a file is named ./%s", name);
	if (o.after)
		return err_set(e, ERR_USAGE, "", "--after is for archives; a stream takes --since");
	int rc = open_stream(r->c->ports, name, &s, e);
	if (rc == 0) {
		r->envelope = envelope_new(s->name, NULL, NULL);
		struct follow_conf fc = { .stream = s,
			.since = o.since,
			.until = o.until,
			.end_at_tip = true,
			.give_up_ms = o.give_up_ms,
			.poll_ms = 250,
			.threads = 4,
			.on_record = on_streamed,
			.on_idle = on_idle,
			.arg = r };
		f = follow_open(&fc, e);
		rc = f ? follow_run(f, e) : -1;
	}
	follow_close(f);
	envelope_free(r->envelope);
	stream_close(s);
	return rc;
}

static int from_archive(struct run *r, const char *name, struct err *e)
{
	struct blob *b = NULL;
	struct buf prefix = BUF_INIT(BUF_MAX_SMALL);
	int rc = open_blob(r->c->ports, name, &b, &prefix, e);
	if (rc == 0) {
		const struct archive_conf ac = { .blob = b,
			.prefix = prefix.p ? prefix.p : "",
			.after = o.after,
			.since = o.since,
			.until = o.until,
			.max_record = (size_t)o.max_record,
			.give_up_ms = o.give_up_ms,
			.on_record = on_archived,
			.on_bad_object = on_bad_object,
			.arg = r };
		rc = archive_read(&ac, e);
	}
	blob_close(b);
	buf_release(&prefix);
	return rc;
}

/* Each line that is refused would be read again. */
static bool feeds_itself(const struct run *r, const char *name)
{
	struct stat in, out;
	const char *dead = r->c->opt.dead_letter;
	return dead && stat(name, &in) == 0 && stat(dead, &out) == 0 && in.st_dev == out.st_dev &&
	       in.st_ino == out.st_ino;
}

static int replay(struct run *r, const char *name, struct err *e)
{
	const char *rest;
	enum name_kind kind = name_kind(name, &rest);
	if (kind == NAME_PATH && feeds_itself(r, name))
		return err_set(e, ERR_USAGE, "", "--dead-letter %s is what is read: name another file", name);
	if (strcmp(name, "-") == 0)
		return err_set(e, ERR_USAGE, "", "standard input is no SOURCE: what comes there are lines");
	if (kind == NAME_S3 || kind == NAME_PATH)
		return from_archive(r, name, e);
	int rc = from_stream(r, name, e);
	if (rc < 0 && kind == NAME_PLAIN && e->cls == ERR_FAILED && access(name, F_OK) == 0)
		err_prefix(e, "a file is named ./%s; ", name);
	return rc;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	static const char end[] = "{\"_source\":{\"mark\":\"end\"}}";
	struct err e = { 0 };
	struct run r = { .c = c,
		.selection = { o.since, o.until, c->opt.key, o.key_is, o.type },
		.line = BUF_INIT(BUF_MAX_LINE),
		.flat = BUF_INIT(BUF_MAX_LINE),
		.source = BUF_INIT(BUF_MAX_SMALL),
		.inner = BUF_INIT(BUF_MAX_LINE) };
	int rc = pace_parse(&r.pace, o.speed, &e);
	if (rc == 0 && argc != 1)
		rc = err_set(
			&e, ERR_USAGE, "", "one SOURCE, please: s3://BUCKET/PREFIX, a path, or a stream");
	if (rc == 0)
		rc = replay(&r, argv[0], &e);
	if (rc >= 0) {
		ledger_count(c, COUNT_MARKS);
		rc = out_line(c->out, end, sizeof end - 1, &e);
	}
	buf_release(&r.line);
	buf_release(&r.flat);
	buf_release(&r.source);
	buf_release(&r.inner);
	return rc < 0 ? fail(&e) : EXIT_DONE;
}

const struct cmd cmd_replay = {
	.name = "replay",
	.summary = "read events again: from S3, from files, from a stream",
	.operands = "SOURCE",
	.opts = table,
	.into = &o,
	.flags = CMD_LINES_OUT | CMD_RECORDS_IN | CMD_SOURCE | CMD_KEY | CMD_PORTS,
	.run = run,
};
