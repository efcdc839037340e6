/* record_line.h - a record as a line: its JSON object with `_source` behind, else data_b64. Pure. */
#ifndef RECAGENT_FLOW_RECORD_LINE_H
#define RECAGENT_FLOW_RECORD_LINE_H

#include "base/buf.h"
#include "port/stream.h"

/* Append the line of a record. source: the JSON text of its _source. A JSON object keeps its bytes (raw newlines between its
 * tokens become spaces); what is no object, or has a _source of its own, goes out as data_b64. False: too long. */
bool record_line(struct buf *out, const char *p, size_t n, const char *source, size_t source_len);

/* Append the _source object of a record of a stream. group and owner may be NULL. */
bool record_source(struct buf *out, const char *stream, const char *shard_id, const struct record *r,
	const char *group, const char *owner);

#endif
