/* counts.h - what the embedded agent counts: popularity, what goes together, what each user did last.
 *
 * Kept up to date from the agent's own position in the store, which covers all streams, since sequence numbers grow
 * across them. A step is one transaction that moves position and counts together: a crash loses or doubles
 * nothing, and several processes may take steps by turns. */
#ifndef RECAGENT_LOCAL_COUNTS_H
#define RECAGENT_LOCAL_COUNTS_H

#include "base/mem.h"
#include "local/db.h"

#define COUNTS_STEP 500     /* records a transaction */
#define COUNTS_NEAR 100     /* neighbours kept of an item */
#define COUNTS_RECENT 20    /* interactions kept of a user */
#define COUNTS_BOUGHT 200   /* purchases kept of a user */
#define COUNTS_TOGETHER 5   /* earlier items of the user that an interaction counts with */
#define COUNTS_ID_CHARS 256 /* of an item_id */

struct counts_near {
	int64_t id, weight;
};
struct counts_seen {
	int64_t id, us;
	char type[65];
};
struct counts_user {
	struct counts_seen recent[COUNTS_RECENT]; /* oldest first */
	int64_t bought[COUNTS_BOUGHT];
	size_t nrecent, nbought;
};

/* Is there anything in the store that is not counted yet? 1, 0, or -1. */
int counts_behind(struct db *d, struct err *e);
/* One step. *more: there may be more. key_name: the member that names the user; else the partition key does. */
int counts_step(struct store *s, const char *key_name, bool *more, struct err *e);

/* The texts of the store, both ways. Lists are read up to most. */
size_t counts_near_parse(const char *text, struct counts_near *out, size_t most);
void counts_user_parse(const char *recent, const char *bought, struct counts_user *out);

#endif
