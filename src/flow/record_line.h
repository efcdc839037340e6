/* record_line.h - a record as a line: its JSON object with `_source` behind, else data_b64. Pure. */
#ifndef RECAGENT_FLOW_RECORD_LINE_H
#define RECAGENT_FLOW_RECORD_LINE_H

#include "base/buf.h"

/* Append the line of a record. source: the JSON text of its _source; flat: scratch space. A JSON object keeps its bytes (raw
 * newlines between its tokens become spaces). What is no object travels as data_b64, and so does one that a reader would take
 * for something else: with a _source of its own, or with a data_b64 as its only member. False: too long. */
bool record_line(
	struct buf *out, struct buf *flat, const char *p, size_t n, const char *source, size_t source_len);

#endif
