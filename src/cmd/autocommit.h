/* autocommit.h - consume --commit auto: positions committed for lines that are in a file, and have reached the disk.
 *
 * Lines are noted as they are written; once a second, and at the end, the file is synced, and then the positions of what was
 * noted before are committed. Nothing is ever committed of a line that is not in the file. Notes come from one thread at a
 * time. */
#ifndef RECAGENT_CMD_AUTOCOMMIT_H
#define RECAGENT_CMD_AUTOCOMMIT_H

#include "cmd/cmd.h"
#include "port/stream.h"

struct autocommit;
/* ERR_USAGE when standard output is no regular file. Ends a torn line that an earlier run has left there. group, owner:
 * borrowed. */
struct autocommit *autocommit_open(struct ctx *c, const char *group, const char *owner, struct err *e);
/* A line of it was written. shard_id: the same pointer for each record of a shard. rec NULL: the shard's end. All NULL-safe. */
void autocommit_note(struct autocommit *a, const char *shard_id, const struct record *rec);
/* What follows is of the n-th time that we have the shard: nothing of before counts any more. */
void autocommit_tenure(struct autocommit *a, const char *shard_id, unsigned n);
/* -1 with e when commits have failed for good. */
int autocommit_check(struct autocommit *a, struct err *e);
/* Syncs, commits the rest, gives up the leases. rc: what has failed already, with e; it is returned then. */
int autocommit_close(struct autocommit *a, int rc, struct err *e);

#endif
