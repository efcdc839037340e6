/* store_stream.h - what the parts of the embedded store's stream share: reading, writing, the rest. */
#ifndef RECAGENT_LOCAL_STORE_STREAM_H
#define RECAGENT_LOCAL_STORE_STREAM_H

#include <stdatomic.h>

#include "base/hashkey.h"
#include "local/db.h"
#include "port/stream.h"

#define STREAM_SHARDS_MAX 1000 /* open ones */

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

struct open_shard {
	int64_t id;
	hashkey start, end;
	char name[SHARD_ID_MAX];
};
/* In no order; free(). */
int stream_open_shards(struct db *d, int64_t stream, struct open_shard **out, size_t *n, struct err *e);
/* h has its range and gets its name and id. Texts "": no parent. */
int stream_add_shard(struct db *d, int64_t stream, unsigned number, struct open_shard *h, const char *parent,
	const char *adjacent, int64_t start_seq, struct err *e);

/* Where to read from: behind *after. A position by time stays one until something has arrived by then; then *after may be
 * INT64_MAX. */
int stream_resolve(struct db *d, struct position *p, int64_t *after, struct err *e);
/* What is read until store_reader_done is of one moment. */
int stream_begin_read(struct db *d, struct err *e);

/* As the contract's lag, read, put and reshard. */
int stream_lag_of(struct stream *base, const struct shard *h, const struct position *p, struct shard_lag *out,
	struct err *e);
int stream_read_from(struct stream *base, struct cursor *c, size_t limit, struct records *out, struct err *e);
int stream_put_to(struct stream *base, struct put *v, size_t n, struct err *e);
int stream_reshard_in(struct stream *base, const struct reshard *what, struct err *e);

#endif
