/* spool_int.h - what spool.c (appending, reading, acknowledging) and spool_dir.c (the directory) share. */
#ifndef RECAGENT_FLOW_SPOOL_INT_H
#define RECAGENT_FLOW_SPOOL_INT_H

#include "flow/spool_frame.h"
#include <pthread.h>

struct segment {
	uint64_t no, size; /* size: of what counts, which is on disk */
};

struct spool {
	pthread_mutex_t lock;
	char *dir; /* for messages */
	int dirfd, lockfd, posfd;
	uint64_t max, segment_max;
	/* under the lock */
	struct segment *segs; /* in order; the last one is appended to through fd, when that is open */
	size_t nsegs;
	int fd;
	uint64_t used, last_no;
	struct spool_mark done; /* all up to there is acknowledged */
	struct spool_state state;
	/* of the thread that acknowledges */
	uint64_t turn; /* of the position's slots */
	uint64_t unnoted;
	int64_t synced_ms;
	/* of the thread that reads */
	struct frames in;
	uint64_t in_no; /* the segment that is open in `in`, 0: none */
	struct buf out; /* frames to be appended; under the lock */
};

/* Create or open the directory, take its lock, check or write its target, list the segments, read the position. */
int spool_dir_open(struct spool *s, const struct spool_conf *c, struct err *e);
int spool_segment_open(struct spool *s, uint64_t no, bool create, struct err *e); /* the descriptor */
int spool_segment_drop(struct spool *s, uint64_t no, struct err *e);
int spool_dir_sync(struct spool *s, struct err *e);
int spool_position_write(struct spool *s, const struct spool_mark *m, bool sync, struct err *e);
/* Copy bytes that are no record to a file of their own, once. */
int spool_damaged(struct spool *s, int fd, uint64_t no, const struct frame *f, struct err *e);

#endif
