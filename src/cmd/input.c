/* input.c - the next line of standard input, as filters take it through signals. */
#include "base/stop.h"
#include "cmd/cmd.h"
#include <unistd.h>

#define LOOK_UP_MS 200 /* how late a signal may be noticed while input is silent */

static void flush_stdout(void *arg)
{
	struct err ignored = { 0 }; /* the next out_line meets the same error */
	out_soft_flush(arg, &ignored);
}

/* After a first signal: is it time to leave the input? */
static bool stop_reading(struct ctx *c)
{
	/* At a terminal ^C means this command: there is no source in front that would end the input. */
	bool by_hand = isatty(STDIN_FILENO);
	int64_t now = clock_mono_ms();
	if (!c->stop_ms)
		c->stop_ms = now;
	if (!by_hand && now - c->stop_ms < c->opt.grace_ms)
		return false;
	if (!by_hand)
		log_say("input did not end within --grace, stopping");
	c->cut_short = !by_hand;
	return true;
}

int next_line(struct ctx *c, struct line *l, struct err *e)
{
	if (!c->input_ready) {
		lines_before_block(c->in, flush_stdout, c->out);
		c->input_ready = true;
	}
	for (;;) {
		if (stop_requested() && stop_reading(c))
			return 0;
		switch (lines_next(c->in, l, LOOK_UP_MS, false, e)) {
		case LINES_LINE: return 1;
		case LINES_END: return 0;
		case LINES_ERROR: return -1;
		default: break;
		}
		if (out_reader_gone(c->out))
			return err_set(e, ERR_PIPE, "", "reader gone");
	}
}

int check_line(const struct ctx *c, const struct line *l, struct err *e)
{
	if (!l->too_long)
		return 0;
	return err_set(e, ERR_REFUSED, "line-too-long", "line is longer than --max-line %llu bytes",
		(unsigned long long)c->opt.max_line);
}
