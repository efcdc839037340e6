/* receipt.h - what publish keeps of a line while its record is under way, and the receipt that comes of it. */
#ifndef RECAGENT_CMD_RECEIPT_H
#define RECAGENT_CMD_RECEIPT_H

#include "cmd/cmd.h"
#include "flow/puts.h"
#include "rec/event.h"

/* One block; free() it. The line itself is kept only where it may be needed again. */
struct pending {
	struct origin origin;
	const char *event_id; /* "" none */
	bool is_mark, from_group;
};

struct pending *pending_new(
	const struct line *l, const struct event *ev, const char *event_id, bool keep_line);
/* Append {"line":..,"event_id":..,"shard_id":..,"sequence_number":.. or "error":..,"_source":..}. */
bool receipt_write(struct buf *out, const struct pending *p, const struct put_result *res);

#endif
