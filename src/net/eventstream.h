/* eventstream.h - decode application/vnd.amazon.eventstream incrementally.
 *
 * Feed bytes as they come; whole messages come out. The prelude's checksum is checked before its
 * lengths are believed; a message over the limits, a bad checksum or an unknown header type is fatal for
 * the stream. Pure; one decoder belongs to one thread.
 * Source: smithy.io "Amazon Event Stream Specification"; limits as botocore has them. */
#ifndef RECAGENT_NET_EVENTSTREAM_H
#define RECAGENT_NET_EVENTSTREAM_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

#define ES_MAX_HEADERS_LEN 131072u
#define ES_MAX_MESSAGE 25165824u
#define ES_MAX_HEADERS 64

enum es_type {
	ES_TRUE,
	ES_FALSE,
	ES_INT8,
	ES_INT16,
	ES_INT32,
	ES_INT64,
	ES_BYTES,
	ES_STRING,
	ES_TIMESTAMP,
	ES_UUID
};

struct es_header {
	const char *name; /* not NUL-terminated: name_len */
	size_t name_len;
	enum es_type type;
	int64_t integer;      /* the integer types and the timestamp (ms) */
	const uint8_t *value; /* bytes, string, uuid */
	size_t value_len;
};

struct es_message { /* borrowed from the decoder until the next call */
	struct es_header headers[ES_MAX_HEADERS];
	size_t nheaders;
	const uint8_t *payload;
	size_t payload_len;
	uint32_t total_len, headers_len, prelude_crc, message_crc;
};

struct es_decoder {
	struct buf pending;
	size_t consumed; /* of pending, by the messages given out */
	bool broken;
};

void es_init(struct es_decoder *d);
void es_release(struct es_decoder *d);
int es_feed(struct es_decoder *d, const void *p, size_t n, struct err *e);
/* 1 a message, 0 more bytes are needed, -1 the stream is broken (ERR_UNAVAILABLE, "bad-frame"). */
int es_next(struct es_decoder *d, struct es_message *m, struct err *e);
/* At end of body: 0 when it ended between messages, else -1 (ERR_UNAVAILABLE, "truncated"). */
int es_finish(const struct es_decoder *d, struct err *e);

const struct es_header *es_header(const struct es_message *m, const char *name);
/* True when the string header has exactly this text. */
bool es_header_is(const struct es_message *m, const char *name, const char *text);

#endif
