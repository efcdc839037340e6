/* stream.h - the contract of a sharded, ordered, append-only log of records: Kinesis, or the embedded store.
 *
 * An adapter fills in struct stream_ops; callers use the stream_* functions. One stream may be used by
 * many threads at once; one cursor belongs to one thread at a time. Sequence numbers are decimal texts
 * compared by length, then bytes. Source of the semantics: Kinesis Data Streams API reference. */
#ifndef RECAGENT_PORT_STREAM_H
#define RECAGENT_PORT_STREAM_H

#include "base/err.h"
#include "base/mem.h"
#include <stdint.h>

#define SHARD_ID_MAX 129
#define SEQ_MAX 131
#define HASH_KEY_MAX 41

struct shard {
	char id[SHARD_ID_MAX];
	char parent[SHARD_ID_MAX], adjacent[SHARD_ID_MAX]; /* "" when none */
	char start_hash[HASH_KEY_MAX], end_hash[HASH_KEY_MAX];
	char start_seq[SEQ_MAX], end_seq[SEQ_MAX]; /* end_seq "" while open */
};
struct shards {
	struct shard *v; /* free() */
	size_t n;
};

enum position_kind { POS_TRIM_HORIZON, POS_LATEST, POS_AT_TIME, POS_AT_SEQ, POS_AFTER_SEQ };
struct position {
	enum position_kind kind;
	int64_t time_ms;
	char seq[SEQ_MAX];
	uint64_t sub; /* subsequence inside an aggregate; 0 for plain records */
};

struct cursor { /* where a shard's reader stands; zero it and set shard_id and next */
	char shard_id[SHARD_ID_MAX];
	struct position next; /* moves forward with each read */
	char iterator[1024];  /* private to the adapter; "" = none. Kept across throttles */
	int64_t iterator_ms;  /* monotonic time it was handed out */
	unsigned empty_reads; /* in a row, at the tip; private to the adapter */
};

struct record {
	const char *sequence_number, *partition_key;
	uint64_t subsequence;
	int64_t arrival_us; /* real time; 0 unknown */
	const char *data;   /* raw bytes */
	size_t len;
	const char *unusable; /* NULL, or why nobody can use it; data is then what came of it */
};
struct records { /* one answer; memory in the arena, reset by the next read */
	struct arena arena;
	struct record *v;
	size_t n;
	int64_t behind_ms; /* age of the tip relative to the last record; 0 at the tip */
	bool full;         /* the answer hit a limit: read again at once */
	bool ended;        /* the shard is closed and fully read */
};

struct put {
	/* in: borrowed */
	const char *data;
	size_t len;
	const char *partition_key;
	const char *explicit_hash_key; /* or NULL */
	/* out */
	char shard_id[SHARD_ID_MAX], sequence_number[SEQ_MAX];
	struct err err; /* ERR_NONE: stored */
};
struct put_limits {
	size_t records, bytes, record_bytes;
};

struct shard_lag {         /* how far the tip of a shard is from a position */
	int64_t records;   /* behind the position; -1 unknown */
	int64_t ms;        /* age of the oldest of them; 0: there are none */
	char tip[SEQ_MAX]; /* of the last record; "" unknown or none */
};

struct stream_info {
	char name[129], arn[256], status[32];
	int64_t created_s;
	size_t open_shards;
};

enum reshard_kind { RESHARD_SPLIT, RESHARD_MERGE, RESHARD_COUNT };
struct reshard {
	enum reshard_kind kind;
	const char *shard;    /* to split, or to merge with the adjacent one */
	const char *adjacent; /* MERGE: its neighbour by hash key */
	const char *at;       /* SPLIT: the hash key at which the second child begins, inside the shard */
	unsigned count;       /* COUNT: open shards, of even ranges */
};

struct stream;
struct stream_ops {
	int (*shards)(struct stream *s, struct shards *out, struct err *e);
	int (*read)(struct stream *s, struct cursor *c, size_t limit, struct records *out, struct err *e);
	int (*put)(struct stream *s, struct put *v, size_t n, struct err *e);
	int (*describe)(struct stream *s, struct stream_info *out, struct err *e);
	int (*create)(struct stream *s, unsigned shards, struct err *e);
	int (*reshard)(struct stream *s, const struct reshard *what, struct err *e);
	int (*lag)(struct stream *s, const struct shard *h, const struct position *p, struct shard_lag *out,
		struct err *e); /* NULL: found out by reading one record */
	int64_t (*now_ms)(struct stream *s);
	void (*close)(struct stream *s);
};
struct stream { /* adapters embed this first */
	const struct stream_ops *ops;
	char name[129];
	char host[256];      /* for messages: the endpoint, or the store's path */
	int64_t min_poll_ms; /* least time between two reads of one shard */
};

/* All shards within retention, every page, parents before children. */
int stream_shards(struct stream *s, struct shards *out, struct err *e);
/* Up to limit (0: the most) records from c->next. An expired iterator is renewed inside. 0 with n == 0 is
 * normal. A shard that is gone (retention) reads as ended. ERR_UNAVAILABLE leaves c as it was. */
int stream_read(struct stream *s, struct cursor *c, size_t limit, struct records *out, struct err *e);
/* From a position of a shard to its tip; reads at most a record or two of it. Knows the number of records where ops->lag is
 * set, else only whether it is 0. A shard that is gone has nothing. */
int stream_lag(struct stream *s, const struct shard *h, const struct position *p, struct shard_lag *out,
	struct err *e);
bool stream_counts(const struct stream *s); /* whether stream_lag knows the number of records */
/* One call. 0: look at each v[i].err (partial failure). -1: nothing is known to be stored. */
int stream_put(struct stream *s, struct put *v, size_t n, struct err *e);
/* ERR_FAILED with code ResourceNotFoundException when it does not exist. */
int stream_describe(struct stream *s, struct stream_info *out, struct err *e);
int stream_create(struct stream *s, unsigned shards, struct err *e); /* does not wait */
/* Does not wait either: the stream is UPDATING until it is done, and refuses another with ResourceInUseException till
 * then. COUNT may go part of the way only (AWS doubles or halves at most): ask again until describe counts so many. Records
 * go to open shards by their hash; children are numbered above their parents, and so are their sequence numbers. A closed
 * shard is listed and read until retention has passed. ERR_FAILED: InvalidArgumentException and the like. */
int stream_reshard(struct stream *s, const struct reshard *what, struct err *e);
int64_t stream_now_ms(struct stream *s); /* the service's clock */
void stream_close(struct stream *s);     /* NULL is fine */

void records_release(struct records *r);
/* -1, 0, 1: by length, then bytes. "" is before everything. */
int sequence_compare(const char *a, const char *b);

#endif
