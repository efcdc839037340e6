/* filter.h - a command between two pipes: lines in, one job a line on lanes, lines out in the order of the input.
 *
 * What prompt and invoke do alike. The command embeds struct filter_job first and gives the functions that differ. */
#ifndef RECAGENT_CMD_FILTER_H
#define RECAGENT_CMD_FILTER_H

#include "base/lanes.h"
#include "cmd/hold.h"
#include "cmd/report.h"
#include "rec/event.h"

struct filter_job {
	struct lane_job lane; /* first */
	struct ctx *c;
	void *arg;        /* as given to filter_run */
	struct origin in; /* its line is the job's own copy */
	struct event ev;  /* KEY, event_id, timestamp, _source */
	struct err err;
	bool answered; /* the service did its part: err is about this line alone */
};

struct filter_conf {
	size_t job_size;
	unsigned workers;
	size_t window, window_bytes;
	bool coalesce;
	/* The line's members beyond those of an event; NULL: none. -1 with e: the line is refused. */
	int (*read)(struct filter_job *j, struct err *e);
	void (*work)(struct filter_job *j); /* on a worker thread; sets j->err */
	void (*write)(
		const struct filter_job *j, struct buf *out); /* the output line, also of a failed one */
	void (*release)(struct filter_job *j);                /* what read and work made */
};

enum exit_code filter_run(struct ctx *c, const struct filter_conf *conf, void *arg);

/* Shall the job's call be made again after j->err? Waits; clears j->err when so. */
bool filter_again(struct filter_job *j, struct hold *h);

/* Append `,"NAME":VALUE` as the value stands in the line; nothing when it is not there. */
void filter_add_member(
	struct buf *out, const struct filter_job *j, const char *name, const struct json_member *m);

#endif
