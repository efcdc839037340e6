/* commits.h - the highest position per shard, committed forward only each second. The engine under ack. Thread-safe. */
#ifndef RECAGENT_FLOW_COMMITS_H
#define RECAGENT_FLOW_COMMITS_H

#include "port/open.h"
#include "rec/event.h"

struct commits;
struct commits *commits_new(struct ports *p);
/* As commits_new, with the tables opened by fn: what tests use. */
typedef int commits_open_table(void *arg, const char *group, struct table **out, struct err *e);
struct commits *commits_new_with(commits_open_table *fn, void *arg);
/* Note a line's position. Lines without a group change nothing. A mark shard-end notes SHARD_END; so does the first line of
 * a child for parents of the same owner, since lines keep their order. */
void commits_note(struct commits *c, const struct source *s);
/* False: it names a group and a position, but one that no lease row can hold; commits_note would pass over it. */
bool commits_usable(const struct source *s);
/* Write what is new. Returns 0, or -1 with the first error. ERR_LEASE_LOST: another worker has a shard; returned once for each
 * loss, the others go on, and it is tried again when more of the shard comes. An outage ends the round: the rest waits. */
int commits_flush(struct commits *c, struct err *e);
/* At end of input: flush, then give up the leases of the owners seen, but for shards with something uncommitted. */
int commits_release(struct commits *c, struct err *e);
/* Shards with lines that another worker's lease keeps from being committed: it has not come as far, and gets them again. */
size_t commits_lost(struct commits *c);
size_t commits_uncommitted(struct commits *c); /* shards; lost ones do not count */
void commits_free(struct commits *c);

#endif
