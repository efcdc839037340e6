/* outgoing.h - the record that a line becomes: its bytes and its keys. Pure but for the clock. */
#ifndef RECAGENT_FLOW_OUTGOING_H
#define RECAGENT_FLOW_OUTGOING_H

#include "base/buf.h"
#include "base/digest.h"
#include "flow/puts.h"
#include "rec/event.h"

struct outgoing_conf {
	const char *partition_field, *hash_field; /* members that give the keys, or NULL */
	size_t max_record;                        /* bytes with the partition key */
};

struct outgoing { /* scratch space for one line after the other */
	struct buf data, key, hash;
	char event_id[UUID_LEN + 1]; /* the one that was added, or "" */
};
void outgoing_init(struct outgoing *o);
void outgoing_release(struct outgoing *o);

/* Fill *in for a line parsed with EVENT_NEED_KEY | EVENT_DATA_OK; what it points to is valid until the next call. The bytes are
 * the line's, less _source, completed with event_id and timestamp (the same each time for a line that came from a stream), or
 * what data_b64 holds. The partition key is the field's, else the one that the line came with, else KEY. ERR_REFUSED: data_b64
 * is no base64; a key that is missing, no text, or too long; a hash key that is no decimal below 2^128; the record is too
 * large. */
int outgoing_make(struct outgoing *o, const struct outgoing_conf *c, const struct event *ev, const char *line,
	size_t n, struct put_in *in, struct err *e);

#endif
