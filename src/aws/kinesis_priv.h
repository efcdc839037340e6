/* kinesis_priv.h - what the files of the Kinesis adapter share. */
#ifndef RECAGENT_AWS_KINESIS_PRIV_H
#define RECAGENT_AWS_KINESIS_PRIV_H

#include "aws/kinesis.h"
#include "aws/walk.h"
#include "base/buf.h"

#include <pthread.h>

#define KINESIS_SPARE 16 /* request buffers kept for the next put */

struct kinesis {
	struct stream base;
	struct aws_client *client;
	pthread_mutex_t mu;  /* guards what follows */
	struct shards known; /* the last listing */
	int64_t known_ms;    /* monotonic time at which it was asked for; 0: never */
	struct buf spare[KINESIS_SPARE];
	size_t nspare;
};

int kinesis_shards(struct stream *s, struct shards *out, struct err *e);
int kinesis_read(struct stream *s, struct cursor *c, size_t limit, struct records *out, struct err *e);
int kinesis_put(struct stream *s, struct put *v, size_t n, struct err *e);
int kinesis_reshard(struct stream *s, const struct reshard *what, struct err *e);

enum shard_state { SHARD_UNKNOWN, SHARD_OPEN, SHARD_CLOSED, SHARD_GONE };
/* What the last listing says, which is made anew when it was asked for before `since` (monotonic). *asked:
 * when it was. */
int kinesis_shard_state(struct kinesis *k, const char *shard_id, int64_t since, enum shard_state *state,
	int64_t *asked, struct err *e);

#endif
