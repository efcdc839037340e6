/* aggregate.h - many records in one, as the Kinesis Producer Library packs them: reading and writing. Pure.
 *
 * F3 89 9A C2, a protobuf AggregatedRecord { repeated string partition_key_table = 1; repeated string
 * explicit_hash_key_table = 2; repeated Record records = 3 }, where Record is { required uint64 partition_key_index = 1;
 * optional uint64 explicit_hash_key_index = 2; required bytes data = 3; repeated Tag tags = 4 }, and the MD5 of the
 * protobuf. Source: the library's aggregation-format.md; the rules of reading are the Kinesis Client Library's. */
#ifndef RECAGENT_REC_AGGREGATE_H
#define RECAGENT_REC_AGGREGATE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGGREGATE_KEY "a"      /* the partition key of the record that holds the others */
#define AGGREGATE_OVERHEAD 20  /* magic and checksum */
#define AGGREGATE_KEY_MAX 8192 /* bytes of a key in a table; partition keys have 256 characters at most */

struct user_record {
	const char *key, *hash_key; /* hash_key NULL: none */
	size_t key_len, hash_key_len;
	const char *data;
	size_t len;
};

/* ---- reading: views into the record's bytes, which must stay ---- */

struct aggregate {
	const uint8_t *p, *end, *at; /* the protobuf, and the field to look at next */
	uint32_t *keys, *hash_keys;  /* where the entries of the tables stand */
	size_t nkeys, nhash_keys, nrecords;
	size_t next;  /* the number of the next record */
	bool damaged; /* aggregate_next stopped at a record that points outside of the tables */
};

/* False: these bytes are no aggregate (magic, checksum, form; a key that is no text), and are a record of their own.
 * Whatever they are, the tables take no more memory than twice the bytes. */
bool aggregate_open(struct aggregate *a, const void *p, size_t n);
void aggregate_close(struct aggregate *a);
/* The next record, whose subsequence number is a->next before the call. False: no more. */
bool aggregate_next(struct aggregate *a, struct user_record *r);
void aggregate_rewind(struct aggregate *a);
/* Does every hash key lie within the shard's range (decimal, both ends inclusive; no range: yes)? An aggregate with one that
 * does not was written for a shard that is no more; whoever wrote it sends it again, so readers drop it whole. */
bool aggregate_belongs(struct aggregate *a, const char *first_hash, const char *last_hash);

/* ---- writing ---- */

struct text_table { /* texts that stand once, as fields of one number */
	struct buf fields;
	struct text_place {
		uint32_t off, len, sum;
	} * v;
	size_t n, cap;
	uint32_t *slots; /* place + 1, by sum; a power of two of them */
	size_t nslots;
};
struct aggregate_writer {
	struct text_table keys, hash_keys;
	struct buf records;
	size_t n;
};

void aggregate_writer_init(struct aggregate_writer *w, size_t max_bytes);
void aggregate_writer_release(struct aggregate_writer *w);
void aggregate_add(struct aggregate_writer *w, const struct user_record *r);
/* Append the aggregate of what was added, and begin anew. False: too large. */
bool aggregate_finish(struct aggregate_writer *w, struct buf *out);
/* The most bytes that a record adds to an aggregate of fewer than 2^21. */
size_t aggregate_cost(const struct user_record *r);

#endif
