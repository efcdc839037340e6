/* err.h - the one error value: what failed, of which class, and whether asking again can help.
 *
 * Modules fill one in and return -1; only commands print it (log.h), only main exits.
 * A struct err is plain data of fixed size: nothing to free, copied by assignment, never shared
 * between threads. Texts are cut to fit; they never hold secrets. */
#ifndef RECAGENT_BASE_ERR_H
#define RECAGENT_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

/* The classes that a user meets are refused, unavailable and failed (DESIGN, promise 6). */
enum err_class {
	ERR_NONE = 0,
	ERR_REFUSED,     /* this line or argument is bad; the next may be fine */
	ERR_UNAVAILABLE, /* throttle, 5xx, network, credentials, DNS: hold and try again */
	ERR_FAILED,      /* permanent for this request: AWS said no, no valid answer */
	ERR_LOCAL,       /* local input, output or store */
	ERR_USAGE,       /* the command line or a file it names */
	ERR_LEASE_LOST,  /* another worker owns the shard now */
	ERR_PIPE,        /* our reader has gone: say nothing */
	ERR_STOPPED,     /* interrupted by a signal: say nothing */
	ERR_INTERNAL     /* our own mistake */
};

struct err {
	enum err_class cls;
	int http;            /* HTTP status, 0 when there was none */
	char code[64];       /* the service's or our own name: "ThrottlingException", "timeout" */
	char request_id[72]; /* AWS request id, or "" */
	char msg[480];       /* one sentence without a full stop, no newline */
};

/* The exit statuses of every command; man pages print this table. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_SOME = 1, /* some lines refused or failed */
	EXIT_USAGE = 2,
	EXIT_LOCAL = 3, /* local I/O or store */
	EXIT_AWS_REFUSED = 4,
	EXIT_AWS_UNREACHABLE = 5,
	EXIT_INTERNAL = 6, /* internal, or does not balance */
	EXIT_LEASE_LOST = 7,
	EXIT_READER_GONE = 8,
	EXIT_NO_END = 9, /* input ended without `end`, or not within --grace of a signal */
	EXIT_BEHIND = 10,
	EXIT_STUCK = 11,
	EXIT_SPOOLED = 12,
	EXIT_SIGNAL = 128 /* + n: ended by a signal before it was done */
};

/* Fill *e (NULL is fine) and return -1, so that a caller can `return err_set(...)`.
 * Control characters in the message become '?'. code may be "". */
int err_set(struct err *e, enum err_class cls, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int err_vset(struct err *e, enum err_class cls, const char *code, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

/* As err_set, with ": " and strerror(errnum) at the end. */
int err_errno(struct err *e, enum err_class cls, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Put text in front of e->msg ("cannot read profile: " ...). Returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void err_clear(struct err *e);

/* Make hostile text harmless for a terminal, in place: C0, DEL, C1 (as UTF-8) and every byte that is
 * not UTF-8 become '?'. The length stays. */
void text_harmless(char *s);

/* "refused", "unavailable", "failed", ...: the word in JSON and in messages. */
const char *err_class_name(enum err_class cls);

/* The exit status of a command that ends because of *e. */
enum exit_code err_exit(const struct err *e);

#endif
