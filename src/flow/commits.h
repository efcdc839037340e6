/* commits.h - the highest position per shard, committed forward only each second. The engine under ack. Thread-safe. */
#ifndef RECAGENT_FLOW_COMMITS_H
#define RECAGENT_FLOW_COMMITS_H

#include "port/open.h"
#include "rec/event.h"

struct commits;
struct commits *commits_new(struct ports *p);
/* Note a line's position. Lines without a group change nothing. A mark shard-end notes SHARD_END. */
void commits_note(struct commits *c, const struct source *s);
/* Write what is new. Returns 0, or -1 with the first error; ERR_LEASE_LOST for a shard marks it lost for good (the others go on). */
int commits_flush(struct commits *c, struct err *e);
/* At end of input: flush, then give up the leases of the owners seen. */
int commits_release(struct commits *c, struct err *e);
bool commits_lost(const struct commits *c);
size_t commits_uncommitted(struct commits *c);
void commits_free(struct commits *c);

#endif
