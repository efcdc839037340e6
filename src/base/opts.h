/* opts.h - one table of options per command: the source of getopt_long's arrays, --help, the
 * completions and the check of the man page.
 *
 * Defaults are text, parsed by the same parser as the user's. Values are stored into a struct by
 * offset. Not thread-safe; strings borrow from argv and the environment. */
#ifndef RECAGENT_BASE_OPTS_H
#define RECAGENT_BASE_OPTS_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

enum opt_type {
	OPT_FLAG,   /* bool */
	OPT_COUNT,  /* int, one more each time: -v -v */
	OPT_STR,    /* const char * */
	OPT_UINT,   /* uint64_t, decimal */
	OPT_SIZE,   /* uint64_t bytes: 500, 64k, 5MiB, 1g (k, m, g are powers of 1024) */
	OPT_MS,     /* int64_t milliseconds: duration_parse */
	OPT_WHEN,   /* struct when */
	OPT_NUM,    /* double */
	OPT_CHOICE, /* int: index into choices */
	OPT_LIST    /* struct opt_list: may be given several times */
};

struct opt_list {
	const char **v; /* freed by opts_release */
	size_t n;
};

struct opt {
	int short_name;   /* 0: long only */
	const char *name; /* NULL ends the table */
	const char *arg;  /* its name in help, NULL for a flag */
	enum opt_type type;
	size_t offset;       /* of the value in the target struct */
	const char *env;     /* environment variable that gives the default, or NULL; empty = unset */
	const char *def;     /* default as text, or NULL */
	const char *choices; /* "key|none" for OPT_CHOICE; also: what to complete ("FILE", "DIR") */
	const char *help;    /* one line, lower case, no full stop */
	double min, max;     /* for numbers and durations (ms); max 0 = no check */
};

/* A table and the struct that it fills. A command has its own and the common one. */
struct opt_set {
	const struct opt *table;
	void *into;
};

/* Parse argv[1..] with getopt_long in GNU order (options may follow operands). Returns the index of
 * the first operand in the permuted argv, or -1 with ERR_USAGE ("unknown option --x; see ..."). */
int opts_parse(const struct opt_set *sets, size_t nsets, int argc, char **argv, struct err *e);
void opts_release(const struct opt_set *sets, size_t nsets);

bool size_parse(const char *s, uint64_t *out);

/* "  -n, --limit N   stop after N events [0]", one row an option, 80 columns. */
void opts_help(struct buf *out, const struct opt *table);

#endif
