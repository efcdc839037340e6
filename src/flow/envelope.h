/* envelope.h - a stream's records as event lines with their `_source`, and the marks between them.
 *
 * Remembers the last position of each shard, so that a mark can say up to where it holds. Belongs to one thread at a
 * time. */
#ifndef RECAGENT_FLOW_ENVELOPE_H
#define RECAGENT_FLOW_ENVELOPE_H

#include "base/buf.h"
#include "port/stream.h"

struct envelope;
/* group, owner: NULL without a group. */
struct envelope *envelope_new(const char *stream, const char *group, const char *owner);
void envelope_free(struct envelope *v);

/* The record's line, without LF; valid until the next call. A record that is a JSON object gets `_source` as its last member
 * and otherwise keeps its bytes; what is none, or would be taken for something else, travels as data_b64 (record_line.h).
 * shard_id: the same pointer for every record of a shard is fastest. NULL: too long. */
const struct buf *envelope_line(struct envelope *v, const char *shard_id, const struct record *r);
/* The JSON text of its _source alone, as envelope_line makes it. */
const struct buf *envelope_source(struct envelope *v, const char *shard_id, const struct record *r);
/* A mark at the shard's last position; shard_id NULL: one that is no shard's. */
const struct buf *envelope_mark(struct envelope *v, const char *shard_id, const char *mark);
/* The n-th time that the owner has the shard, which is read from a position of its own: said in each line from then on, and
 * marks hold from the first of them. */
void envelope_tenure(struct envelope *v, const char *shard_id, unsigned n);
/* The next shard with lines behind its last mark, or NULL. */
const char *envelope_unmarked(const struct envelope *v);

#endif
