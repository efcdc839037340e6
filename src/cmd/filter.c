/* filter.c - lines through lanes. */
#include "cmd/filter.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct filter {
	const struct filter_conf *conf;
	struct report report;
	void *arg;
	pthread_mutex_t lock; /* guards halt: the first trouble that is no line's fault */
	struct err halt;
};

bool filter_again(struct filter_job *j, struct hold *h)
{
	if (!hold_on(j->c, h, j->ev.source.group != NULL, &j->err))
		return false;
	err_clear(&j->err);
	return true;
}

void filter_add_member(
	struct buf *out, const struct filter_job *j, const char *name, const struct json_member *m)
{
	if (m->type == JSON_NONE)
		return;
	buf_str(out, ",\"");
	buf_str(out, name);
	buf_str(out, "\":");
	buf_add(out, j->in.line + m->off, m->len);
}

/* Behind a line that stays undone nothing may be done for its key: a profile with a later event in it would take this one for
 * known when it comes again. The lane goes on only when this has returned. */
static bool halted(struct filter *f, struct err *why)
{
	pthread_mutex_lock(&f->lock);
	if (f->halt.cls == ERR_NONE)
		f->halt = *why;
	else if (why->cls == ERR_NONE)
		*why = f->halt;
	bool yes = f->halt.cls != ERR_NONE;
	pthread_mutex_unlock(&f->lock);
	return yes;
}

static void work(struct lane_job *lane, void *arg)
{
	struct filter *f = arg;
	struct filter_job *j = (struct filter_job *)lane;
	if (halted(f, &j->err))
		return;
	if (grace_is_over(j->c))
		err_set(&j->err, ERR_UNAVAILABLE, "grace", "not done within --grace of a signal");
	else
		f->conf->work(j);
	if (!j->answered && report_is_fatal(&j->err, j->ev.source.group != NULL))
		halted(f, &j->err);
}

static void done(struct lane_job *lane, void *arg)
{
	struct filter_job *j = (struct filter_job *)lane;
	struct filter *f = arg;
	struct report *r = &f->report;
	if (j->ev.is_mark) {
		report_mark(r);
		buf_add(&r->line, j->in.line, j->in.len);
	} else if (report_settle(r, &j->in, &j->err, j->ev.source.group != NULL, j->answered)) {
		f->conf->write(j, &r->line);
	}
	report_write(r);
	f->conf->release(j);
	event_release(&j->ev);
	free((void *)(uintptr_t)j->in.line);
	free(j);
}

static void idle(void *arg)
{
	report_flush(&((struct filter *)arg)->report);
}

static int parse(const struct filter *f, struct filter_job *j, const struct line *l)
{
	const char *key = j->c->opt.key;
	int rc = check_line(j->c, l, &j->err);
	if (rc == 0)
		rc = event_parse(&j->ev, j->in.line, j->in.len, key, EVENT_NEED_KEY | EVENT_STORED, &j->err);
	if (j->ev.source_m.type == JSON_OBJECT) { /* else there is no position to pass on */
		j->in.source = j->in.line + j->ev.source_m.off;
		j->in.source_len = j->ev.source_m.len;
	}
	if (rc == 0 && !j->ev.is_mark && f->conf->read)
		rc = f->conf->read(j, &j->err);
	return rc;
}

static void submit(struct filter *f, struct lanes *lanes, const struct line *l)
{
	struct filter_job *j = mem_alloc(f->conf->job_size);
	struct ctx *c = f->report.c;
	j->c = c;
	j->arg = f->arg;
	j->in = (struct origin){
		.no = l->no, .line = mem_dup(l->p, l->len), .len = l->len, .cut = l->too_long
	};
	int rc = parse(f, j, l);
	if (!j->ev.is_mark)
		ledger_count(c, COUNT_IN);
	j->lane.skip_work = rc || j->ev.is_mark;
	if (!j->lane.skip_work) {
		j->lane.key = j->ev.key_text;
		j->lane.keylen = strlen(j->ev.key_text);
	}
	lanes_submit(lanes, &j->lane, 2 * j->in.len + f->conf->job_size);
}

enum exit_code filter_run(struct ctx *c, const struct filter_conf *conf, void *arg)
{
	struct filter f = { .conf = conf, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct lanes_conf lc = { .workers = conf->workers,
		.window = conf->window,
		.window_bytes = conf->window_bytes,
		.coalesce = conf->coalesce,
		.work = work,
		.done = done,
		.idle = idle,
		.arg = &f };
	struct lanes *lanes;
	struct line l;
	struct err e = { 0 };
	int got = 1;
	report_init(&f.report, c);
	lanes = lanes_open(&lc);
	while (!report_stopped(&f.report) && (got = next_line(c, &l, &e)) > 0)
		submit(&f, lanes, &l);
	if (e.cls == ERR_PIPE)
		report_break(&f.report, &e);
	if (report_stopped(&f.report))
		lanes_abandon(lanes); /* what nobody will read need not be asked for */
	lanes_close(lanes);
	enum exit_code status = report_status(&f.report, got, &e);
	report_release(&f.report);
	return status;
}
