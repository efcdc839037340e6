/* cmd.h - what a command is, and what main prepares for it.
 *
 * A new command: one file with its options struct, its table, its run function and its struct cmd; one row in main.c; a man
 * page; `make completions`. tests/cli/options.bats checks that they agree. */
#ifndef RECAGENT_CMD_CMD_H
#define RECAGENT_CMD_CMD_H

#include "base/json.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/opts.h"
#include "base/out.h"
#include "port/open.h"
#include <stdatomic.h>

enum cmd_flags {
	CMD_LINES_IN = 1,     /* reads NDJSON from standard input: --max-line, --dead-letter, --grace */
	CMD_LINES_OUT = 2,    /* moves lines: balance line, --ledger, --progress */
	CMD_SOURCE = 4,       /* produces lines by itself; a first signal ends it */
	CMD_KEY = 8,          /* --key */
	CMD_PORTS = 16,       /* --local and the AWS options */
	CMD_FILTER = 32,      /* a first signal does not end it: --grace */
	CMD_SHORT_LINES = 64, /* --max-line is 2 MiB, what a stream holds as a line, not 16 */
	CMD_HOLD = 128,       /* holds lines through an outage: --give-up */
	CMD_RECORDS_IN = 256  /* reads records from elsewhere: --dead-letter */
};

struct common { /* the options that every command of a kind has */
	int verbose;
	bool help, progress;
	const char *local, *region, *profile, *endpoint_url, *key, *ledger, *dead_letter;
	int64_t connect_ms, read_ms, give_up_ms, grace_ms;
	uint64_t max_line, max_attempts;
};

/* What moved: in = out + spooled + refused + failed. Counted with ledger_*; thread-safe. */
struct ledger {
	_Atomic uint64_t in, out, refused, failed, marks, spooled;
	bool has_spool;
	uint64_t drained, left; /* with has_spool, at the end: lines sent from the spool, and still there */
};

struct ctx {
	const struct cmd *cmd;
	struct common opt;
	struct ports *ports;
	struct lines *in; /* with CMD_LINES_IN */
	struct out *out;  /* standard output */
	struct out *dead; /* --dead-letter, or NULL */
	struct ledger ledger;
	bool cut_short;          /* input was left before its end */
	atomic_int left;         /* enum leave */
	int wake[2];             /* readable once it is left; 0: none */
	bool input_ready;        /* private to next_line */
	struct ticker *progress; /* private to ctx.c; NULL: nobody watches */
	struct watch *watch;     /* the same; NULL: nothing can keep it from ending */
};

struct cmd {
	const char *name;       /* as typed; also the link name behind "recagent-" */
	const char *summary;    /* one line, no full stop */
	const char *operands;   /* "[TARGET]" */
	const struct opt *opts; /* its own table */
	void *into;             /* its own options struct */
	unsigned flags;
	/* argv: operands only. Returns the exit status; prints its own error with log_error. */
	enum exit_code (*run)(struct ctx *c, int argc, char **argv);
};

/* Everything between the process and a command's run: names, options, help, standard streams, the
 * ledger and the exit status. */
int cmd_main(int argc, char **argv);

extern const struct cmd *const commands[]; /* sorted by name, NULL at the end */
const struct cmd *cmd_find(const char *name);
/* The common options that a command of these flags has, as a table. */
const struct opt *common_table(unsigned flags);

enum count { COUNT_IN, COUNT_OUT, COUNT_REFUSED, COUNT_FAILED, COUNT_MARKS, COUNT_SPOOLED };
void ledger_count(struct ctx *c, enum count what);

/* The next line of standard input: 1 a line, 0 the end (or --grace after a signal), -1 with e. Output is
 * flushed before it waits. A line over --max-line comes too, with too_long: check_line refuses it. */
int next_line(struct ctx *c, struct line *l, struct err *e);

/* Leave the input before its end, from any thread: next_line returns 0, or with READER_GONE -1 and ERR_PIPE, and what is held
 * through an outage is let go. The first call counts. */
enum leave { STAY = 0, LEAVE, READER_GONE };
void leave_input(struct ctx *c, enum leave why);
enum leave input_left(const struct ctx *c);
bool grace_is_over(const struct ctx *c); /* --grace has passed since the first signal */

int check_line(const struct ctx *c, const struct line *l, struct err *e);

/* An input line and its position, for messages, dead letters and marks. Borrowed. */
struct origin {
	uint64_t no;
	const char *line;
	size_t len;
	const char *source; /* the JSON text of its _source, or NULL */
	size_t source_len;
	bool cut;             /* the line was too long: these are its first bytes */
	const char *event_id; /* that the line has been given on its way, or NULL */
};

/* One trouble with one line, dealt with by its class: message, dead letter (the whole line, synced), count.
 * Returns -1 when even that could not be done (dead letter unwritable). */
int trouble(struct ctx *c, const struct origin *o, const struct err *why, struct err *e);
/* The same with a record of a stream that is unusable. source: its _source. */
int trouble_record(
	struct ctx *c, const char *shard_id, const struct record *r, const struct buf *source, struct err *e);
/* The dead letter alone, when there is one. */
int dead_letter(struct ctx *c, const struct origin *o, const struct err *why, struct err *e);

/* A mark line `{"_source":{...,"mark":"done"}}` for a swallowed line with that _source, appended to out. source: the JSON text of
 * the line's _source, or NULL: a mark without a position. */
bool mark_line(struct buf *out, const char *source, size_t n, const char *mark);

/* An error as the lines carry it: {"code":..,"message":..,"request_id":..,"class":..}. */
bool error_json(struct buf *out, const struct err *e);

/* The stream that a command was given, else RECAGENT_STREAM, else user-interactions. */
const char *default_stream(int argc, char **argv);

/* The first n bytes of text as a shard's id: "3" is shardId-000000000003. */
void shard_full_id(char out[SHARD_ID_MAX], const char *text, size_t n);

/* Print e and give the exit status for it. */
enum exit_code fail(const struct err *e);

/* A file read whole (`-`: standard input), at most BUF_MAX_FILE. ERR_USAGE. */
int read_file(const char *path, struct buf *out, struct err *e);

#endif
