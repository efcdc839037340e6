/* spooled.c - publish's --spool. */
#define _XOPEN_SOURCE 700 /* realpath, which glibc and musl do not show for POSIX.1-2008 alone */
#include "cmd/spooled.h"
#include "cmd/report.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REFUSED "refused.ndjson"

static const char *plural(uint64_t n)
{
	return n == 1 ? " is" : "s are";
}

/* The place that the stream is in, the same from whatever directory it is named. */
static void place_of(struct buf *out, const struct ctx *c, const struct stream *s)
{
	char *real = c->opt.local ? realpath(c->opt.local, NULL) : NULL;
	char cwd[PATH_MAX];
	if (!c->opt.local) {
		buf_str(out, s->host);
	} else if (real) {
		buf_str(out, real);
	} else {
		if (c->opt.local[0] != '/' && getcwd(cwd, sizeof cwd))
			buf_printf(out, "%s/", cwd);
		buf_str(out, c->opt.local);
	}
	free(real);
}

static struct out *refused_file(struct spooled *s, struct err *e)
{
	struct buf path = BUF_INIT(BUF_MAX_SMALL);
	if (!s->aside) {
		buf_printf(&path, "%s/" REFUSED, s->dir);
		s->aside = out_open_file(path.p, e);
	}
	buf_release(&path);
	return s->aside;
}

/* Its receipt said that it is safe: it must stay somewhere. What is wrong with every line is not this line's fault. */
static int refused(const struct put_in *r, const struct err *why, void *arg)
{
	struct spooled *s = arg;
	struct ctx own = { .cmd = s->c->cmd, .dead = s->c->dead };
	const struct origin o = { .line = r->data, .len = r->len };
	struct err e = { 0 };
	if (report_is_fatal(why, true))
		return -1;
	if (!own.dead)
		own.dead = refused_file(s, &e);
	if (!own.dead || dead_letter(&own, &o, why, &e)) {
		log_error(&e);
		return -1;
	}
	s->refused++;
	log_say("a line of the spool is refused, and kept in %s%s%s: %s",
		s->c->dead ? "the dead letters" : s->dir, s->c->dead ? "" : "/", s->c->dead ? "" : REFUSED,
		why->msg);
	return 0;
}

static void full(const struct err *e, void *arg)
{
	(void)arg;
	log_outage("spool", !e, e);
}

static void cancel(void *arg)
{
	ports_cancel(((struct spooled *)arg)->c->ports);
}

static void outage(const struct err *e, void *arg)
{
	(void)arg;
	log_outage("stream", !e, e);
}

int spooled_open(struct spooled *s, struct ctx *c, const char *dir, uint64_t max_bytes, int64_t after_ms,
	struct puts_conf *pc, struct err *e)
{
	struct buf at = BUF_INIT(BUF_MAX_SMALL);
	*s = (struct spooled){ .c = c, .dir = dir };
	if (!dir)
		return 0;
	place_of(&at, c, pc->stream);
	struct detour_conf dc = {
		.spool = { .dir = dir, .stream = pc->stream->name, .at = at.p, .max_bytes = max_bytes },
		.drain = *pc,
		.after_ms = after_ms,
		.refused = refused,
		.full = full,
		.cancel = cancel
	};
	dc.drain.arg = s;
	dc.drain.outage = outage;
	int rc = detour_open(&s->detour, &dc, e);
	buf_release(&at);
	if (rc)
		return -1;
	pc->aside = detour_aside(s->detour);
	pc->patient = true;
	c->ledger.has_spool = true;
	struct spool_state st = detour_state(s->detour);
	if (st.left)
		log_note("%" PRIu64 " line%s in the spool from before", st.left, plural(st.left));
	return 0;
}

static enum exit_code worst(enum exit_code status, enum exit_code other)
{
	return status == EXIT_DONE || (status == EXIT_SOME && other != EXIT_DONE) ? other : status;
}

enum exit_code spooled_close(struct spooled *s, enum exit_code status)
{
	struct detour_end end;
	struct err e = { 0 };
	if (!s->detour)
		return status;
	bool finish = status == EXIT_DONE || status == EXIT_SOME;
	struct spool_state st = detour_state(s->detour);
	detour_close(s->detour, finish, &end);
	s->c->ledger.drained = end.sent;
	s->c->ledger.left = end.left;
	if (end.sent)
		log_note("%" PRIu64 " line%s sent from the spool", end.sent,
			end.sent == 1 ? " was" : "s were");
	if (end.why.cls != ERR_NONE)
		log_error(&end.why);
	if (st.cut)
		log_note("the spool's last write was cut short: what there is of it is in %s/%s", s->dir,
			st.file);
	if (st.damaged) {
		log_say("the spool was damaged in %" PRIu64 " place%s: those bytes are in %s/damaged.*",
			st.damaged, st.damaged == 1 ? "" : "s", s->dir);
		status = worst(status, EXIT_LOCAL);
	}
	if (s->aside && out_close(s->aside, &e))
		status = worst(status, fail(&e));
	if (end.left) {
		log_say("%" PRIu64 " line%s left in the spool %s", end.left, plural(end.left), s->dir);
		status = worst(status, EXIT_SPOOLED);
	}
	return s->refused ? worst(status, EXIT_SOME) : status;
}
