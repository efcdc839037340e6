/* replay_archive.c - event lines from an archive: S3, a folder, a file; of events or of dead letters. */
#include "cmd/replay.h"
#include "flow/archive.h"
#include "flow/record_line.h"
#include "rec/event.h"
#include "rec/letter.h"
#include <string.h>

struct work {
	struct replay *r;
	struct buf line, flat, source, inner;
};

/* A record that is refused leaves a mark, so that a later run can go on behind it. */
static int refuse(struct work *w, const struct archive_record *a, const struct err *why, struct err *e)
{
	const struct origin bad = { .no = a->value.no,
		.line = a->value.p,
		.len = a->value.len,
		.source = w->source.p,
		.source_len = w->source.len,
		.cut = a->value.too_long };
	if (trouble(w->r->c, &bad, why, e))
		return -1;
	ledger_count(w->r->c, COUNT_MARKS);
	buf_reset(&w->line);
	mark_line(&w->line, w->source.p, w->source.len, "done");
	return out_line(w->r->c->out, w->line.p, w->line.len, e);
}

static int check_record(const struct work *w, const struct archive_record *a, struct err *why)
{
	if (a->value.too_long)
		return err_set(why, ERR_REFUSED, "record-too-long",
			"%s: record is longer than --max-record %llu bytes", a->object,
			(unsigned long long)w->r->o->max_record);
	if (json_scan_object(a->value.p, a->value.len, NULL, 0, &(struct json_object){ 0 }, why))
		return err_prefix(why, "%s: ", a->object);
	return 0;
}

/* The record's line into w->line. 1 it is there, 0 not wanted, -1 with e, 2 it is bad and why says it. */
static int make_line(struct work *w, const struct archive_record *a, struct err *why, struct err *e)
{
	struct json_object obj;
	struct json_member source;
	const char *p = a->value.p;
	size_t n = a->value.len;
	if (check_record(w, a, why))
		return 2;
	if (w->r->o->dead_letters) {
		buf_reset(&w->inner);
		if (letter_line(&w->inner, &obj, &source, p, n, why)) {
			err_prefix(why, "%s: ", a->object);
			return 2;
		}
		p = w->inner.p;
		n = w->inner.len;
	}
	int turn = replay_turn(w->r, p, n, e);
	if (turn <= 0)
		return turn;
	/* A position of its own would count as one of the stream; it is the archive's now. */
	bool fits = w->r->o->dead_letters
			    ? line_with_source(&w->line, p, &obj, &source, w->source.p, w->source.len)
			    : record_line(&w->line, &w->flat, p, n, w->source.p, w->source.len);
	if (!fits)
		err_set(why, ERR_REFUSED, "record-too-long", "%s: record is too long for a line", a->object);
	return fits ? 1 : 2;
}

static int on_record(const struct archive_record *a, void *arg, struct err *e)
{
	struct work *w = arg;
	struct err why = { 0 };
	buf_reset(&w->line);
	buf_reset(&w->source);
	buf_str(&w->source, "{\"object\":");
	json_quote_str(&w->source, a->object);
	buf_printf(&w->source, ",\"line\":%llu}", (unsigned long long)a->value.no);
	int got = make_line(w, a, &why, e);
	if (got <= 0)
		return got == 0 ? 0 : e->cls == ERR_NONE ? 1 : -1;
	if (got != 2)
		return replay_line(w->r, &w->line, e);
	ledger_count(w->r->c, COUNT_IN);
	return refuse(w, a, &why, e);
}

static int on_bad_object(const char *object, const struct err *why, void *arg, struct err *e)
{
	struct work *w = arg;
	const struct origin bad = { .line = object, .len = strlen(object) };
	struct err full = *why;
	err_prefix(&full, "%s: ", object);
	ledger_count(w->r->c, COUNT_IN);
	return trouble(w->r->c, &bad, &full, e);
}

int replay_archive(struct replay *r, const char *name, struct err *e)
{
	struct work w = { .r = r,
		.line = BUF_INIT(BUF_MAX_LINE),
		.flat = BUF_INIT(BUF_MAX_LINE),
		.source = BUF_INIT(BUF_MAX_SMALL),
		.inner = BUF_INIT(BUF_MAX_LINE) };
	struct blob *b = NULL;
	struct buf prefix = BUF_INIT(BUF_MAX_SMALL);
	int rc = open_blob(r->c->ports, name, &b, &prefix, e);
	if (rc == 0) {
		const struct archive_conf ac = { .blob = b,
			.prefix = prefix.p ? prefix.p : "",
			.after = r->o->after,
			.since = r->o->since,
			.until = r->o->until,
			.max_record = (size_t)r->o->max_record,
			.give_up_ms = r->o->give_up_ms,
			.on_record = on_record,
			.on_bad_object = on_bad_object,
			.arg = &w };
		rc = archive_read(&ac, e);
	}
	blob_close(b);
	buf_release(&prefix);
	buf_release(&w.line);
	buf_release(&w.flat);
	buf_release(&w.source);
	buf_release(&w.inner);
	return rc;
}
