/* stop.h - signals. The first SIGINT or SIGTERM asks sources to end; the second ends the process at
 * once with 128+n. Within STOP_SAME_MS of the first it is the same one, sent twice. SIGPIPE is ignored
 * (a closed pipe is seen as EPIPE), SIGHUP counts as SIGTERM but is never the second signal, since a
 * closing terminal sends it twice. SIGINT and SIGHUP stay ignored where the parent ignores them (nohup,
 * background jobs of a script). All functions may be called from any thread. */
#ifndef RECAGENT_BASE_STOP_H
#define RECAGENT_BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

#define STOP_SAME_MS 250

/* Who ends on the first signal: a source stops by itself; a filter goes on to end of input, and is
 * ended --grace after the signal when its input does not end. */
void stop_install(void);

bool stop_requested(void); /* a first signal came, or stop_now() was called */
int stop_signal(void);     /* its number, 0 when none */
int stop_fd(void);         /* becomes and stays readable then; for poll() */
void stop_now(void);       /* ask for the same from inside */
int64_t stop_age_ms(void); /* for how long it has been requested, -1: it is not */

#endif
