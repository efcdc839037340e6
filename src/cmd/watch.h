/* watch.h - a thread that keeps a command from hanging: it sees that the reader of standard output has gone, whatever the command
 * waits for, and ends what outlasts --grace.
 *
 * When the reader has gone, the input is left (leave_input). When --grace has passed since the first signal, or a little time
 * since the input was left, calls to services are ended, again each second. When after a signal and --grace a write has found no
 * room for a second, or nothing has helped for five, the process ends as by a second signal. */
#ifndef RECAGENT_CMD_WATCH_H
#define RECAGENT_CMD_WATCH_H

#include "cmd/cmd.h"

struct watch;
struct watch *watch_start(struct ctx *c); /* never NULL; c outlives it */
void watch_stop(struct watch *w);         /* NULL is fine */

#endif
