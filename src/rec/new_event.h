/* new_event.h - an event line from separate values. Pure. */
#ifndef RECAGENT_REC_NEW_EVENT_H
#define RECAGENT_REC_NEW_EVENT_H

#include "base/buf.h"
#include "base/err.h"

struct new_event {
	const char *key_name, *key;
	const char *event_id, *item_id, *event_type, *timestamp; /* NULL: left out */
	const char *const *meta;                                 /* "NAME=VALUE" */
	size_t nmeta;
};
/* Append the line. A metadata value that is JSON goes in as it is, any other as a string. ERR_USAGE: no NAME=VALUE, a name
 * twice, a text that is no UTF-8. What an event must be beyond that is event_parse's to say. */
int new_event_line(struct buf *out, const struct new_event *in, struct err *e);

#endif
