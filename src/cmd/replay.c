/* replay.c - event lines from an archive (replay_archive.c), or from a stream since a time. */
#include "base/stop.h"
#include "cmd/replay.h"
#include "flow/envelope.h"
#include "flow/shards.h"
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int replay_turn(struct replay *r, const char *p, size_t n, struct err *e)
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

int replay_line(struct replay *r, const struct buf *line, struct err *e)
{
	if (out_line(r->c->out, line->p, line->len, e))
		return -1;
	ledger_count(r->c, COUNT_IN); /* one that nobody took has not come in */
	ledger_count(r->c, COUNT_OUT);
	return stop_requested() ? 1 : 0;
}

struct streamed {
	struct replay *r;
	struct envelope *envelope;
};

static int on_record(const char *shard_id, const struct record *rec, void *arg, struct err *e)
{
	const struct streamed *s = arg;
	if (rec->unusable)
		return trouble_record(s->r->c, shard_id, rec, envelope_source(s->envelope, shard_id, rec), e);
	int turn = replay_turn(s->r, rec->data, rec->len, e);
	if (turn <= 0)
		return turn == 0 ? 0 : e->cls == ERR_NONE ? 1 : -1;
	const struct buf *line = envelope_line(s->envelope, shard_id, rec);
	if (!line)
		return err_set(e, ERR_INTERNAL, "", "record is too long");
	return replay_line(s->r, line, e);
}

static int on_idle(void *arg, struct err *e)
{
	const struct streamed *s = arg;
	return out_soft_flush(s->r->c->out, e);
}

static int from_stream(struct replay *r, const char *name, struct err *e)
{
	struct stream *s = NULL;
	struct follow *f = NULL;
	struct streamed w = { .r = r };
	if (o.dead_letters)
		return err_set(e, ERR_USAGE, "",
			"--dead-letters: they are in files or on S3; a file is named ./%s", name);
	if (o.after)
		return err_set(e, ERR_USAGE, "", "--after is for archives; a stream takes --since");
	int rc = open_stream(r->c->ports, name, &s, e);
	if (rc == 0) {
		w.envelope = envelope_new(s->name, NULL, NULL);
		struct follow_conf fc = { .stream = s,
			.since = o.since,
			.until = o.until,
			.end_at_tip = true,
			.give_up_ms = o.give_up_ms,
			.poll_ms = 250,
			.threads = 4,
			.on_record = on_record,
			.on_idle = on_idle,
			.arg = &w };
		f = follow_open(&fc, e);
		rc = f ? follow_run(f, e) : -1;
	}
	follow_close(f);
	envelope_free(w.envelope);
	stream_close(s);
	return rc;
}

/* Each line that is refused would be read again. */
static bool feeds_itself(const struct replay *r, const char *name)
{
	struct stat in, out;
	const char *dead = r->c->opt.dead_letter;
	return dead && stat(name, &in) == 0 && stat(dead, &out) == 0 && in.st_dev == out.st_dev &&
	       in.st_ino == out.st_ino;
}

static int from(struct replay *r, const char *name, struct err *e)
{
	const char *rest;
	enum name_kind kind = name_kind(name, &rest);
	if (kind == NAME_PATH && feeds_itself(r, name))
		return err_set(e, ERR_USAGE, "", "--dead-letter %s is what is read: name another file", name);
	if (strcmp(name, "-") == 0)
		return err_set(e, ERR_USAGE, "", "standard input is no SOURCE: what comes there are lines");
	if (kind == NAME_S3 || kind == NAME_PATH)
		return replay_archive(r, name, e);
	int rc = from_stream(r, name, e);
	if (rc < 0 && kind == NAME_PLAIN && e->cls == ERR_FAILED && access(name, F_OK) == 0)
		err_prefix(e, "a file is named ./%s; ", name);
	return rc;
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	static const char end[] = "{\"_source\":{\"mark\":\"end\"}}";
	struct err e = { 0 };
	struct replay r = {
		.c = c, .o = &o, .selection = { o.since, o.until, c->opt.key, o.key_is, o.type }
	};
	int rc = pace_parse(&r.pace, o.speed, &e);
	if (rc == 0 && argc != 1)
		rc = err_set(
			&e, ERR_USAGE, "", "one SOURCE, please: s3://BUCKET/PREFIX, a path, or a stream");
	if (rc == 0)
		rc = from(&r, argv[0], &e);
	if (rc >= 0) {
		ledger_count(c, COUNT_MARKS);
		rc = out_line(c->out, end, sizeof end - 1, &e);
	}
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
