/* spool_frame.h - records as a spool's segments hold them, and reading them back from a file that may be damaged.
 *
 * A frame is a head of 16 bytes (magic, length of the body, CRC-32 of the body, CRC-32 of the head so far; little endian) and a
 * body: lengths of key and hash key (16 bits each), key, hash key, data. One reader belongs to one thread at a time. */
#ifndef RECAGENT_FLOW_SPOOL_FRAME_H
#define RECAGENT_FLOW_SPOOL_FRAME_H

#include "base/buf.h"
#include "flow/spool.h"

#define FRAME_MOST ((size_t)16 << 20) /* a body: a record of 10 MiB and its keys, with room */

bool frame_add(struct buf *out, const struct put *p); /* false: too large */

struct frames { /* a place in a file; zeroed but for fd: its beginning */
	int fd;
	uint64_t off, end; /* the next frame; how far the file counts */
	struct buf window; /* bytes of the file from win_off on */
	uint64_t win_off;
	struct buf texts; /* of the frame that was returned */
};

enum frame_result { FRAME_ERROR = -1, FRAME_END = 0, FRAME_RECORD = 1, FRAME_DAMAGED = 2 };
struct frame {
	struct spool_record record; /* FRAME_RECORD; end.segment is the caller's */
	uint64_t from, to;          /* FRAME_DAMAGED: these bytes are no record */
	bool cut;                   /* they end the file, in the middle of a frame */
};
/* The next record, or the stretch of bytes up to it that is none. */
enum frame_result frames_next(struct frames *f, struct frame *out, struct err *e);
void frames_release(struct frames *f); /* not the descriptor */

#endif
