/* lag.h - how far a position is behind the tip of its shard, as readers see it: an aggregate that is dealt with in part
 * waits, too. */
#ifndef RECAGENT_FLOW_LAG_H
#define RECAGENT_FLOW_LAG_H

#include "port/stream.h"

/* As stream_lag; reads at most one record more. */
int lag_of(struct stream *s, const struct shard *h, const struct position *p, struct shard_lag *out,
	struct err *e);

#endif
