/* store_stream.h - what the parts of the embedded store's stream share: reading, writing, the rest. */
#ifndef RECAGENT_LOCAL_STORE_STREAM_H
#define RECAGENT_LOCAL_STORE_STREAM_H

#include <stdatomic.h>

#include "local/db.h"
#include "port/stream.h"

struct local_stream {
	struct stream base;
	struct store *store;
	atomic_llong
		ahead_ms; /* of the store's arrival times before this machine's clock; -1: not looked up yet */
};

/* ResourceNotFoundException when there is none. created_s may be NULL. */
int stream_find(struct db *d, struct local_stream *s, int64_t *id, int64_t *created_s, struct err *e);
/* The last sequence number and arrival time given out by the store. */
int stream_tip(struct db *d, int64_t *seq, int64_t *arrival_us, struct err *e);
int stream_set_tip(struct db *d, int64_t seq, int64_t arrival_us, struct err *e);

/* As the contract's read and put. */
int stream_read_from(struct stream *base, struct cursor *c, size_t limit, struct records *out, struct err *e);
int stream_put_to(struct stream *base, struct put *v, size_t n, struct err *e);

#endif
