/* shares.h - which leases a worker takes or steals, so that a group's workers share its shards without a leader.
 *
 * The rules of the Kinesis Client Library 2 (DynamoDBLeaseTaker), so that workers of both kinds settle in one table. Pure: time,
 * chance and what is known of other workers come from outside. Rows at SHARD_END need no worker: they count for nobody. */
#ifndef RECAGENT_FLOW_SHARES_H
#define RECAGENT_FLOW_SHARES_H

#include "flow/leases.h"

#define SHARES_VERY_OLD 3 /* failover times: then nobody asks whether its share is full */

struct shares_conf {
	const char *me;
	int64_t now_ms, failover_ms; /* monotonic, as seen_ms of the leases */
	size_t max;                  /* most leases of one worker; 0: no limit */
	size_t max_steal;            /* at one time, from an owner that only notices */
	/* May be NULL: nobody is. dead: its leases have run out. gentle: it hands over what it has, so half of what is missing
	 * can move at one time, rounded up. Asked once for each owner. */
	bool (*dead)(const char *owner), (*gentle)(const char *owner);
	double (*chance)(void); /* [0,1) */
};
struct shares {
	size_t *v; /* indexes into the leases: first `take` of them are to be taken, else `steal` to be stolen */
	size_t take, steal;  /* one of them is 0 */
	bool more;           /* a next round would take something at once */
	bool gentle;         /* steal: ask for them */
	size_t mine, target; /* leases of ours, and how many we should have */
	size_t foreign;      /* leases of living others */
};
void shares_plan(const struct leases *l, const struct shares_conf *c, struct shares *out);
void shares_free(struct shares *s);

#endif
