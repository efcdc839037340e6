/* lookup.h - read items of a table within a time limit, whatever the network does.
 *
 * The calls run on a thread of their own; when the time is up the caller goes on and the call is cancelled. Belongs to one
 * thread. */
#ifndef RECAGENT_CMD_LOOKUP_H
#define RECAGENT_CMD_LOOKUP_H

#include "port/open.h"

struct lookup;
/* Opens nothing yet: that is part of the time of the first get. Strings are borrowed. */
struct lookup *lookup_open(
	struct ports *p, const char *table, const char *key_attr, int64_t timeout_ms, bool consistent);
/* As table_get_many; ERR_UNAVAILABLE with code "timeout" when the time is up. After a call that could not be cancelled
 * every further one fails at once. */
int lookup_get(struct lookup *l, const char *const *keys, size_t n, cJSON **items, struct err *e);
void lookup_popular(struct lookup *l, size_t n, cJSON *array);
/* True when a call is stuck and goes on using the ports. */
bool lookup_close(struct lookup *l);

#endif
