/* input.c - the next line of standard input, as filters take it through signals, and leaving it before its end. */
#include "base/stop.h"
#include "cmd/cmd.h"
#include <limits.h>
#include <unistd.h>

static void flush_stdout(void *arg)
{
	struct err ignored = { 0 }; /* the next out_line meets the same error */
	out_soft_flush(arg, &ignored);
}

void leave_input(struct ctx *c, enum leave why)
{
	int stay = STAY;
	ssize_t w = 0;
	if (!atomic_compare_exchange_strong(&c->left, &stay, (int)why))
		return;
	if (c->wake[1] > 0)
		w = write(c->wake[1], "", 1); /* never read: it stays readable for all who wait */
	(void)w;
}

enum leave input_left(const struct ctx *c)
{
	return (enum leave)atomic_load(&c->left);
}

bool grace_is_over(const struct ctx *c)
{
	int64_t age = stop_age_ms();
	return age >= 0 && age >= c->opt.grace_ms;
}

/* After a first signal: is it time to leave the input? */
static bool stop_reading(struct ctx *c)
{
	/* At a terminal ^C means this command: there is no source in front that would end the input. */
	bool by_hand = isatty(STDIN_FILENO);
	if (!by_hand && !grace_is_over(c))
		return false;
	if (!by_hand)
		log_say("input did not end within --grace, stopping");
	c->cut_short = !by_hand;
	return true;
}

/* Nobody looks up while the input is silent: the descriptors say when there is something else to do. */
static int wait_ms(struct ctx *c)
{
	const struct pollfd v[LINES_WATCH] = { { .fd = c->wake[0] > 0 ? c->wake[0] : -1, .events = POLLIN },
		{ .fd = stop_fd(), .events = POLLIN } };
	bool stopping = stop_requested();
	lines_watch(c->in, v, stopping ? 1 : 2);
	if (!stopping)
		return -1;
	int64_t left = c->opt.grace_ms - stop_age_ms();
	return left > INT_MAX ? INT_MAX : left > 0 ? (int)left : 0;
}

int next_line(struct ctx *c, struct line *l, struct err *e)
{
	if (!c->input_ready) {
		lines_before_block(c->in, flush_stdout, c->out);
		c->input_ready = true;
	}
	for (;;) {
		enum leave left = input_left(c);
		if (left == READER_GONE)
			return err_set(e, ERR_PIPE, "", "reader gone");
		if (left != STAY || (stop_requested() && stop_reading(c)))
			return 0;
		switch (lines_next(c->in, l, wait_ms(c), false, e)) {
		case LINES_LINE: return 1;
		case LINES_END: return 0;
		case LINES_ERROR: return -1;
		default: break;
		}
	}
}

int check_line(const struct ctx *c, const struct line *l, struct err *e)
{
	if (!l->too_long)
		return 0;
	return err_set(e, ERR_REFUSED, "line-too-long", "line is longer than --max-line %llu bytes",
		(unsigned long long)c->opt.max_line);
}
