/* receipt.h - what publish keeps of a line while its record is under way, and the receipt that comes of it. */
#ifndef RECAGENT_CMD_RECEIPT_H
#define RECAGENT_CMD_RECEIPT_H

#include "cmd/cmd.h"
#include "flow/puts.h"
#include "rec/event.h"

/* What its pointers point to stands behind it. The line itself is kept only where it may be needed again. */
struct pending {
	struct origin origin;
	const char *event_id; /* "" none */
	bool is_mark, from_group;
};

size_t pending_size(const struct line *l, const struct event *ev, const char *event_id, bool keep_line);
void pending_fill(struct pending *p, const struct line *l, const struct event *ev, const char *event_id,
	bool keep_line); /* p: that many bytes */
/* Append {"line":..,"event_id":..,"shard_id":..,"sequence_number":.. or "spooled":true or "error":..,"_source":..}. */
bool receipt_write(struct buf *out, const struct pending *p, const struct put_result *res);

#endif
