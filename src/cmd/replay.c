/* replay.c - event lines from an archive, from files, or from a stream since a time. */
#include "base/stop.h"
#include "cmd/cmd.h"
#include "flow/archive.h"
#include "flow/record_line.h"
#include "flow/shards.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct replay_opts {
	struct when since, until;
	const char *speed, *key_is, *type, *after;
	uint64_t max_record;
};
static struct replay_opts o;

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
	{ 0, "max-record", "SIZE", OPT_SIZE, INTO(max_record), NULL, "16MiB", NULL, "refuse longer records",
		64, 16777216 },
	{ 0 },
};

struct run {
	struct ctx *c;
	double speed; /* 0: as fast as it goes */
	int64_t first_event_us, started_ms;
	struct buf line, source;
	const char *stream;
};

/* Is the event one that was asked for? Sets *us to its time, 0 when it has none. */
static bool wanted(const struct run *r, const char *p, size_t n, int64_t *us)
{
	struct json_member m[] = { { .name = r->c->opt.key }, { .name = "event_type" },
		{ .name = "timestamp" } };
	const char *const want[] = { o.key_is, o.type };
	struct json_object obj;
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	bool ok = true;
	*us = 0;
	if (json_scan_object(p, n, m, ARRAY_LEN(m), &obj, NULL))
		return !o.key_is && !o.type; /* what is no object is judged further on */
	for (size_t i = 0; i < ARRAY_LEN(want) && ok; i++) {
		if (!want[i])
			continue;
		buf_reset(&text);
		ok = m[i].type == JSON_STRING && json_unescape(&text, p + m[i].off, m[i].len, NULL) &&
		     text.len == strlen(want[i]) && memcmp(text.p, want[i], text.len) == 0;
	}
	buf_release(&text);
	if (m[2].type == JSON_STRING)
		time_parse(p + m[2].off + 1, m[2].len - 2, us);
	if (*us && o.since.kind == WHEN_TIME && *us < o.since.us)
		return false;
	return ok && !(*us && o.until.kind == WHEN_TIME && *us >= o.until.us);
}

/* Wait until the event's turn has come. False: a signal came first. */
static bool pace(struct run *r, int64_t us, struct err *e)
{
	if (!r->speed || !us)
		return true;
	if (!r->first_event_us) {
		r->first_event_us = us;
		r->started_ms = clock_mono_ms();
	}
	double after_ms = (double)(us - r->first_event_us) / 1000 / r->speed;
	int64_t wait = r->started_ms + (int64_t)after_ms - clock_mono_ms();
	if (wait <= 0)
		return true;
	return out_soft_flush(r->c->out, e) == 0 && clock_sleep_ms(wait);
}

/* One record, whatever it came from: 0 go on, 1 end, -1 with e. source: the _source object's text. */
static int replay_record(struct run *r, const char *p, size_t n, struct err *e)
{
	int64_t us;
	struct err why = { 0 };
	if (!wanted(r, p, n, &us))
		return 0;
	if (!pace(r, us, &why)) {
		*e = why;
		return why.cls == ERR_NONE ? 1 : -1;
	}
	ledger_count(r->c, COUNT_IN);
	buf_reset(&r->line);
	if (!record_line(&r->line, p, n, r->source.p, r->source.len))
		return err_set(e, ERR_INTERNAL, "", "record is too long");
	if (out_line(r->c->out, r->line.p, r->line.len, e))
		return -1;
	ledger_count(r->c, COUNT_OUT);
	return stop_requested() ? 1 : 0;
}

static int on_archived(const struct archive_record *a, void *arg, struct err *e)
{
	struct run *r = arg;
	struct err why = { 0 };
	buf_reset(&r->source);
	buf_str(&r->source, "{\"object\":");
	json_quote_str(&r->source, a->object);
	buf_printf(&r->source, ",\"line\":%llu}", (unsigned long long)a->value.no);
	if (a->value.too_long)
		err_set(&why, ERR_REFUSED, "record-too-long",
			"%s: record is longer than --max-record %llu bytes", a->object,
			(unsigned long long)o.max_record);
	else if (json_scan_object(a->value.p, a->value.len, NULL, 0, &(struct json_object){ 0 }, &why))
		err_prefix(&why, "%s: ", a->object);
	if (why.cls == ERR_NONE)
		return replay_record(r, a->value.p, a->value.len, e);
	ledger_count(r->c, COUNT_IN);
	return trouble(r->c, a->value.no, a->value.p, a->value.len, r->source.p, r->source.len, &why, e);
}

static int on_bad_object(const char *object, const struct err *why, void *arg, struct err *e)
{
	struct run *r = arg;
	struct err full = *why;
	err_prefix(&full, "%s: ", object);
	ledger_count(r->c, COUNT_IN);
	return trouble(r->c, 0, object, strlen(object), NULL, 0, &full, e);
}

static int on_streamed(const char *shard_id, const struct record *rec, void *arg, struct err *e)
{
	struct run *r = arg;
	buf_reset(&r->source);
	record_source(&r->source, r->stream, shard_id, rec, NULL, NULL);
	return replay_record(r, rec->data, rec->len, e);
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
	if (o.after)
		return err_set(e, ERR_USAGE, "", "--after is for archives; a stream takes --since");
	int rc = open_stream(r->c->ports, name, &s, e);
	if (rc == 0) {
		r->stream = s->name;
		struct follow_conf fc = { .stream = s,
			.since = o.since,
			.until = o.until,
			.end_at_tip = true,
			.poll_ms = 250,
			.threads = 4,
			.on_record = on_streamed,
			.on_idle = on_idle,
			.arg = r };
		f = follow_open(&fc, e);
		rc = f ? follow_run(f, e) : -1;
	}
	follow_close(f);
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
			.on_record = on_archived,
			.on_bad_object = on_bad_object,
			.arg = r };
		rc = archive_read(&ac, e);
	}
	blob_close(b);
	buf_release(&prefix);
	return rc;
}

static int parse_speed(struct run *r, struct err *e)
{
	char *end;
	if (strcmp(o.speed, "max") == 0)
		return 0;
	r->speed = strtod(o.speed, &end);
	if (*end || end == o.speed || !(r->speed > 0) || r->speed > 1e9)
		return err_set(e, ERR_USAGE, "", "--speed: neither max nor a number above 0: %s", o.speed);
	return 0;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct run r = { .c = c, .line = BUF_INIT(BUF_MAX_LINE), .source = BUF_INIT(BUF_MAX_SMALL) };
	const char *rest;
	int rc = parse_speed(&r, &e);
	if (rc == 0 && argc != 1)
		rc = err_set(
			&e, ERR_USAGE, "", "one SOURCE, please: s3://BUCKET/PREFIX, a path, or a stream");
	if (rc == 0) {
		enum name_kind kind = name_kind(argv[0], &rest);
		bool archive = kind == NAME_S3 || kind == NAME_PATH;
		rc = archive ? from_archive(&r, argv[0], &e) : from_stream(&r, argv[0], &e);
	}
	if (rc >= 0) {
		static const char end[] = "{\"_source\":{\"mark\":\"end\"}}";
		rc = out_line(c->out, end, sizeof end - 1, &e);
		ledger_count(c, COUNT_MARKS);
	}
	buf_release(&r.line);
	buf_release(&r.source);
	return rc < 0 ? fail(&e) : EXIT_DONE;
}

const struct cmd cmd_replay = {
	.name = "replay",
	.summary = "read events again: from S3, from files, from a stream",
	.operands = "SOURCE",
	.opts = table,
	.into = &o,
	.flags = CMD_LINES_OUT | CMD_SOURCE | CMD_KEY | CMD_PORTS,
	.run = run,
};
