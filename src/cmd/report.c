/* report.c - what becomes of lines, in the order of the input. */
#include "cmd/report.h"
#include <string.h>

void report_init(struct report *r, struct ctx *c)
{
	*r = (struct report){ .c = c, .line = BUF_INIT(2 * BUF_MAX_LINE) };
}

void report_release(struct report *r)
{
	buf_release(&r->line);
}

bool report_stopped(struct report *r)
{
	return atomic_load(&r->stopped);
}

bool report_is_fatal(const struct err *why, bool from_group)
{
	static const char *const setup[] = { "ResourceNotFoundException", "AccessDeniedException",
		"UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignatureException",
		"MissingAuthenticationTokenException", "InvalidClientTokenId", "OptInRequired" };
	if (why->cls == ERR_NONE || why->cls == ERR_REFUSED)
		return false;
	if (why->cls == ERR_UNAVAILABLE)
		return from_group;
	for (size_t i = 0; i < ARRAY_LEN(setup); i++)
		if (strcmp(why->code, setup[i]) == 0)
			return true;
	return why->cls != ERR_FAILED;
}

static void stop_reading(struct report *r, const struct err *e)
{
	atomic_store(&r->stopped, true);
	leave_input(r->c, e->cls == ERR_PIPE ? READER_GONE : LEAVE);
}

void report_break(struct report *r, const struct err *e)
{
	if (r->output.cls == ERR_NONE)
		r->output = *e;
	stop_reading(r, e);
}

/* The line stays undone. Its producer may be gone, so it is kept where the user asked for that. */
static void leave(struct report *r, const struct origin *o, const struct err *why)
{
	struct err e = { 0 };
	r->undone++;
	ledger_count(r->c, COUNT_FAILED);
	if (r->fatal.cls == ERR_NONE || r->output.cls != ERR_NONE)
		return;
	if (!why || why->cls == ERR_NONE)
		why = &r->fatal;
	if (dead_letter(r->c, o, why, &e))
		report_break(r, &e);
}

static void settle_fatal(struct report *r, const struct origin *o, const struct err *why)
{
	struct err gone = { 0 };
	/* What was held is then let go for that reason, and for no other. */
	if (input_left(r->c) == READER_GONE) {
		err_set(&gone, ERR_PIPE, "", "reader gone");
		report_break(r, &gone);
		return;
	}
	log_line_error(o->no, why);
	r->fatal = *why;
	stop_reading(r, why);
}

bool report_settle(
	struct report *r, const struct origin *o, const struct err *why, bool from_group, bool answered)
{
	struct err e;
	err_clear(&e);
	bool good = !why || why->cls == ERR_NONE;
	if (!report_stopped(r) && !answered && !good && report_is_fatal(why, from_group))
		settle_fatal(r, o, why);
	if (report_stopped(r)) {
		leave(r, o, why);
		return false;
	}
	if (good) {
		ledger_count(r->c, COUNT_OUT);
		return true;
	}
	if (why->cls != ERR_REFUSED && !answered)
		r->last = *why;
	if (trouble(r->c, o, why, &e) == 0)
		return true;
	ledger_count(r->c, COUNT_FAILED);
	report_break(r, &e);
	return false;
}

void report_mark(struct report *r)
{
	ledger_count(r->c, COUNT_MARKS);
}

void report_write(struct report *r)
{
	struct err e;
	err_clear(&e);
	if (r->line.over)
		err_set(&e, ERR_INTERNAL, "", "output line is too long");
	if (r->line.len && !report_stopped(r) &&
		(r->line.over || out_line(r->c->out, r->line.p, r->line.len, &e)))
		report_break(r, &e);
	buf_reset(&r->line);
}

void report_flush(struct report *r)
{
	struct err e = { 0 };
	if (!report_stopped(r) && out_soft_flush(r->c->out, &e))
		report_break(r, &e);
}

enum exit_code report_status(struct report *r, int got, const struct err *e)
{
	const struct ledger *l = &r->c->ledger;
	if (r->fatal.cls != ERR_NONE) {
		log_say("stopped: %llu line%s read but not done", (unsigned long long)r->undone,
			r->undone == 1 ? " was" : "s were");
		return strcmp(r->fatal.code, "grace") == 0 ? EXIT_NO_END : err_exit(&r->fatal);
	}
	if (r->output.cls != ERR_NONE)
		return fail(&r->output);
	if (got < 0)
		return fail(e);
	/* When the service took nothing at all, its own status says more than "some lines failed". */
	return l->failed && !l->out && !l->spooled && r->last.cls != ERR_NONE ? err_exit(&r->last)
									      : EXIT_DONE;
}
