/* out.h - write lines to standard output or a file, and notice every failure.
 *
 * Lines are buffered (256 KiB) and written whole; out_flush is for the moment before a command
 * waits, so a line is never held back while nothing else happens. A regular file is flushed when the
 * buffer is full and at close. A closed reader is ERR_PIPE (said by nobody, exit status 8); a full disk
 * is ERR_LOCAL. After the first failure every call fails with the same error.
 * Thread-safe: one line is never torn. */
#ifndef RECAGENT_BASE_OUT_H
#define RECAGENT_BASE_OUT_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out;

struct out *out_open_fd(int fd, const char *name); /* name: for messages */
/* A file opened for appending, made with mode 0600. */
struct out *out_open_file(const char *path, struct err *e);

int out_line(struct out *o, const char *p, size_t n, struct err *e); /* adds the LF */
int out_flush(struct out *o, struct err *e);                         /* a regular file's buffer too */
int out_soft_flush(struct out *o, struct err *e);                    /* unless it is a regular file */
int out_sync(struct out *o, struct err *e); /* flush and fsync where that means something */
bool out_is_file(const struct out *o);
/* The descriptor that says POLLERR or POLLHUP when the reader has gone; -1 for a regular file. */
int out_poll_fd(const struct out *o);
/* For how long the write that is under way has found no room, 0: there is none. From any thread. */
int64_t out_blocked_ms(const struct out *o);
/* Poll for the reader having gone, for commands that wait long between lines. */
bool out_reader_gone(struct out *o);
int out_close(struct out *o, struct err *e); /* flush, check, free; closes only files */

#endif
