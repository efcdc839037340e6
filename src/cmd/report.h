/* report.h - what becomes of the lines that a command was given: told in the order of its input, counted, written.
 *
 * A line that is bad or has failed for good is said, kept in the dead letter and answered all the same, so that the position
 * moves past it. What is no line's fault (a table that does not exist, a full disk, an outage that outlasts --grace for lines
 * that must not be given up) ends the command instead: nothing is written from that line on, so nothing is committed, and what
 * came from a group is delivered again. Callbacks of lanes or puts use it, one at a time; report_stopped is for any thread. */
#ifndef RECAGENT_CMD_REPORT_H
#define RECAGENT_CMD_REPORT_H

#include "cmd/cmd.h"
#include <stdatomic.h>

struct report {
	struct ctx *c;
	struct buf line;   /* what is to be written next */
	struct err output; /* what broke standard output or the dead letter */
	struct err fatal;  /* what ended the command */
	struct err last;   /* the last failure that was not the line's own */
	uint64_t undone;   /* lines read that are neither answered nor refused */
	atomic_bool stopped;
};

void report_init(struct report *r, struct ctx *c);
void report_release(struct report *r);
bool report_stopped(struct report *r);                    /* read no further */
void report_break(struct report *r, const struct err *e); /* output is broken: write no more */

/* Settle a line: why NULL or ERR_NONE: it is done. from_group: ERR_UNAVAILABLE leaves it undone. answered: a failure is this
 * line's own, the service did its part. False: nothing is to be written for it. */
bool report_settle(
	struct report *r, const struct origin *o, const struct err *why, bool from_group, bool answered);
void report_mark(struct report *r);  /* a mark passes */
void report_write(struct report *r); /* r->line, unless empty or stopped; empties it */
void report_flush(struct report *r);

/* Is it no line's fault, so that every other line would fail the same way? */
bool report_is_fatal(const struct err *why, bool from_group);

/* The exit status of the command. got < 0: reading ended with e. */
enum exit_code report_status(struct report *r, int got, const struct err *e);

#endif
