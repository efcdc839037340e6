/* positions.h - what the parts of the command positions share. */
#ifndef RECAGENT_CMD_POSITIONS_H
#define RECAGENT_CMD_POSITIONS_H

#include "cmd/cmd.h"
#include "flow/standing.h"

struct positions_opts {
	const char *group, *max_lag, *shard, *to, *with;
	int format;
	bool force, dry_run;
	int64_t failover_ms, stuck_ms, wait_ms;
};
struct positions {
	struct ctx *c;
	const struct positions_opts *o;
	struct stream *stream;
	struct table *group;
	struct standings s;
	int64_t max_records, max_ms; /* of --max-lag; -1: not asked for */
};
struct standing_conf positions_conf(const struct positions *r);
enum exit_code positions_show(struct positions *r);
enum exit_code positions_move(struct positions *r); /* set, with a shard; else reset */
enum exit_code positions_diff(struct positions *r);

enum positions_format { FORMAT_AUTO, FORMAT_JSON, FORMAT_TABLE };

/* Lines of the answer: NDJSON at once, or a table at the end, whose columns are as wide as need be. */
#define LISTING_COLS 7
#define LISTING_CELL 96
struct listing {
	struct ctx *c;
	bool table;
	size_t cols, n;
	char (*cells)[LISTING_CELL];
	struct buf line;
};
void listing_init(struct listing *l, struct ctx *c, enum positions_format f, const char *const *heads);
/* A cell of the table, in order. Hostile text is made harmless, long text cut. */
void listing_cell(struct listing *l, const char *text);
/* A member of the NDJSON line that listing_end ends. */
void listing_str(struct listing *l, const char *name, const char *value); /* "": null */
void listing_int(struct listing *l, const char *name, int64_t value);     /* below 0: null */
void listing_time(struct listing *l, const char *name, int64_t ms);       /* epoch; 0: null */
void listing_raw(struct listing *l, const char *name, const char *json);
int listing_end(struct listing *l, struct err *e); /* of one line */
/* Writes the table, as far as it goes. rc: what has failed already, with e; returned as it is. */
int listing_close(struct listing *l, int rc, struct err *e);

/* "3m05s"; a checkpoint as people can read it. */
/* HOST:PID of a worker of ours, which is what people look for; the rest of the name is for programs. */
const char *owner_text(const char *owner, char out[OWNER_MAX]);
const char *span_text(int64_t ms, char out[32]);
const char *checkpoint_text(const char *checkpoint, uint64_t sub, int64_t initial_ms, char out[LISTING_CELL]);

#endif
