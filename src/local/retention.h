/* retention.h - how long the embedded store keeps records and closed shards.
 *
 * Seven days at least, by a time that a wrong clock cannot hurry: between two writes no more than a day is believed to
 * have passed, and eight such days must have, so that a clock which leaps ahead (set at boot, mistyped, a month wrong)
 * takes nothing away that a right one would keep. The price: a store that is written to less than daily keeps its
 * records for longer, and one that nobody writes to keeps them for good. A clock set back stops the time; one
 * that swings by less than a day adds nothing with its swings. */
#ifndef RECAGENT_LOCAL_RETENTION_H
#define RECAGENT_LOCAL_RETENTION_H

#include "local/db.h"

/* Within a writer's transaction, when seq is the store's last number: notes that it is now_us, forgets what is old
 * enough. Writers pay for that in small steps: most is the number of records. */
int retention_step(struct db *d, int64_t seq, int64_t now_us, size_t most, struct err *e);

#endif
