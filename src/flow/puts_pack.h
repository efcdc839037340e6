/* puts_pack.h - a lane's records as the entries of one call: with aggregate_bytes several go into one entry. Inside puts.
 *
 * Only records that the map of shards sends to one shard share an entry, since readers drop an aggregate with a record for
 * another shard. An entry's result is that of all records in it. An entry of one record is that record with its own keys. */
#ifndef RECAGENT_FLOW_PUTS_PACK_H
#define RECAGENT_FLOW_PUTS_PACK_H

#include "flow/puts_int.h"

#define PACK_RECORDS ((size_t)4096) /* most records of one call, whatever the number of its entries */

struct pack *pack_new(const struct puts_conf *c);
void pack_free(struct pack *p, struct shardmap *map); /* NULL is fine */

/* Choose from the front of the lane what the next call takes, into taken. */
size_t pack_choose(struct lane *l);
/* Then make the batch of it; the number of its entries in *n. */
int pack_fill(struct lane *l, size_t *n, struct err *e);
/* After a call that was answered: an aggregate in a shard that is not that of all its records is as good as not stored, and
 * becomes ERR_UNAVAILABLE, code wrong-shard. */
void pack_check(struct lane *l);
/* The entry that holds taken[i], and with several records in it the number of that one. */
struct put *pack_entry_of(struct lane *l, size_t i, bool *packed, uint64_t *sub);

#endif
