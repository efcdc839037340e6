/* unpack.h - the records in a record: those of an aggregate, else the record itself. Pure. */
#ifndef RECAGENT_FLOW_UNPACK_H
#define RECAGENT_FLOW_UNPACK_H

#include "port/stream.h"

enum unpacked {
	UNPACK_ALL,
	UNPACK_STOPPED,  /* fn returned false */
	UNPACK_ELSEWHERE /* an aggregate for another shard: fn was not called */
};
/* Calls fn for each record in r, in order, while it returns true. The range is the shard's: decimal hash keys, "" when not
 * known. Records of an aggregate have its sequence number and arrival, and number 0, 1, .. as subsequence. From one on that
 * points outside of the aggregate's tables, the rest is one unusable record: the aggregate itself, with that number. */
enum unpacked unpack_record(const struct record *r, const char *first_hash, const char *last_hash,
	bool (*fn)(const struct record *r, void *arg), void *arg);

#endif
