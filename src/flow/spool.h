/* spool.h - a durable queue of records in a directory, for what a stream does not take now.
 *
 * Appended records are on disk (fsync) when spool_append returns, and are read back in the same order, by this process or a
 * later one. What has been sent is acknowledged in order; a crash before that is noted means that it is sent again, never that it
 * is lost. Each record carries its length and checksums: a write that was cut short at the end, and bytes that went bad in the
 * middle, are copied to a file beside it (damaged.*), counted, and stepped over to the next whole record.
 *
 *   DIR/spool        format and target: records for another stream or place are refused
 *   DIR/lock         held by the one process that uses the spool
 *   DIR/lines.N      segments, deleted when all of their records were acknowledged
 *   DIR/position     how far that is, in two slots written in turn
 *
 * Files have mode 0600. spool_append and spool_state are for any thread, spool_next for one, spool_ack for one. */
#ifndef RECAGENT_FLOW_SPOOL_H
#define RECAGENT_FLOW_SPOOL_H

#include "port/stream.h"

struct spool_conf {
	const char *dir;
	const char *stream,
		*at; /* what the records are for: a stream's name, and the endpoint or store that has it */
	uint64_t max_bytes; /* of all segments together */
};

struct spool_mark { /* where a record ends */
	uint64_t segment, offset;
};

struct spool_record {                                         /* borrowed until the next spool_next */
	const char *data, *partition_key, *explicit_hash_key; /* the last NULL when there was none */
	size_t len;
	struct spool_mark end;
};

struct spool_state {
	uint64_t left;    /* records that are not acknowledged */
	uint64_t damaged; /* places where bytes were no record, since it was opened */
	bool cut;      /* the last write of an earlier process was cut short; nothing was promised for it */
	char file[64]; /* the file with the damaged bytes that was written last, or "" */
};

struct spool;

/* Makes the directory when it is missing. ERR_USAGE: it is the spool of another target, or no spool and not empty. ERR_LOCAL:
 * another process uses it, or it can't be read or written. Reads all that is there: `each`, unless NULL, is told every record. */
int spool_open(struct spool **out, const struct spool_conf *c,
	void (*each)(const struct spool_record *r, void *arg), void *arg, struct err *e);

/* All of them or, with -1, none. ERR_UNAVAILABLE with code spool-full: no room; ERR_LOCAL: the disk. Later calls may do. */
int spool_append(struct spool *s, const struct put *v, size_t n, struct err *e);

/* The next one that was not read yet: 1, 0 none, -1 unreadable. */
int spool_next(struct spool *s, struct spool_record *out, struct err *e);

/* All up to there are dealt with. In the order of spool_next; n: how many that are. */
int spool_ack(struct spool *s, const struct spool_mark *upto, uint64_t n, struct err *e);
/* Note how far that is, so that a crash does not send it again. By the thread that acknowledges, when it has nothing else to
 * do; spool_ack does it by itself now and then. */
int spool_note(struct spool *s, struct err *e);

struct spool_state spool_state(struct spool *s);
int spool_close(struct spool *s, struct err *e); /* notes the position. NULL is fine */

#endif
