/* log.h - the one printer of messages: `recagent COMMAND: line N: what, why` on standard error.
 *
 * One write per message, control characters replaced, nothing secret ever passed in. Levels: errors
 * and warnings always, notes with -v, traces with -vv. A --progress line is cleared first.
 * Thread-safe. */
#ifndef RECAGENT_BASE_LOG_H
#define RECAGENT_BASE_LOG_H

#include "base/err.h"
#include <stdint.h>

void log_init(const char *command, int verbosity); /* command: borrowed for good */
int log_verbosity(void);

void log_error(const struct err *e);                     /* silent for ERR_PIPE, ERR_STOPPED */
void log_line_error(uint64_t line, const struct err *e); /* line 0: without a number */
void log_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));   /* always */
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* -v */
void log_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* -vv */

/* An outage is said once when it begins and once when it is over, per `what` (a short constant text
 * such as "kinesis"). ok = false: say why if not said yet. ok = true: say it is over if it was on. */
void log_outage(const char *what, bool ok, const struct err *e);

/* The one line of --progress: replaced in place; only ever shown on a terminal. NULL takes it away. */
void log_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
