/* eventstream.c - decode application/vnd.amazon.eventstream. */
#include "net/eventstream.h"
#include "base/digest.h"

#include <string.h>

#define PRELUDE_LEN 12u
#define OVERHEAD 16u /* prelude and the last checksum */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* n bytes, big-endian, two's complement */
static int64_t be_signed(const uint8_t *p, size_t n)
{
	uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
	int64_t out;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	memcpy(&out, &v, sizeof out);
	return out;
}

void es_init(struct es_decoder *d)
{
	*d = (struct es_decoder){ .pending = BUF_INIT(BUF_MAX_HTTP) };
}

void es_release(struct es_decoder *d)
{
	buf_release(&d->pending);
	es_init(d);
}

static int broken(struct es_decoder *d, struct err *e, const char *why)
{
	d->broken = true;
	return err_set(e, ERR_UNAVAILABLE, "bad-frame", "damaged event stream: %s", why);
}

int es_feed(struct es_decoder *d, const void *p, size_t n, struct err *e)
{
	if (d->broken)
		return broken(d, e, "bytes behind a bad frame");
	if (d->consumed) {
		buf_consume(&d->pending, d->consumed);
		d->consumed = 0;
	}
	if (!buf_add(&d->pending, p, n))
		return broken(d, e, "more bytes waiting than a stream may hold");
	return 0;
}

/* The length of the value at p (its own length field included in *skip), or -1. */
static int value_extent(uint8_t type, const uint8_t *p, size_t left, size_t *skip, size_t *len)
{
	static const uint8_t fixed[] = { 0, 0, 1, 2, 4, 8, 0, 0, 8, 16 };

	if (type > ES_UUID)
		return -1;
	*skip = 0;
	*len = fixed[type];
	if (type == ES_BYTES || type == ES_STRING) {
		if (left < 2)
			return -1;
		*skip = 2;
		*len = (size_t)p[0] << 8 | p[1];
	}
	return *skip + *len <= left ? 0 : -1;
}

/* One header at p; how many bytes it takes, or 0 when it is bad. */
static size_t read_header(const uint8_t *p, size_t left, struct es_header *h)
{
	size_t name_len = left ? p[0] : 0, used = 1 + name_len, skip, len;
	uint8_t type;

	if (!name_len || left < used + 1)
		return 0;
	type = p[used++];
	if (value_extent(type, p + used, left - used, &skip, &len))
		return 0;
	*h = (struct es_header){
		.name = (const char *)p + 1, .name_len = name_len, .type = (enum es_type)type
	};
	p += used + skip;
	if (type == ES_BYTES || type == ES_STRING || type == ES_UUID) {
		h->value = p;
		h->value_len = len;
	} else if (len) {
		h->integer = be_signed(p, len);
	}
	return used + skip + len;
}

static bool name_is(const struct es_header *h, const char *name, size_t n)
{
	return h->name_len == n && !memcmp(h->name, name, n);
}

static int read_headers(
	struct es_decoder *d, const uint8_t *p, size_t left, struct es_message *m, struct err *e)
{
	while (left) {
		struct es_header *h = &m->headers[m->nheaders];
		size_t used;
		if (m->nheaders == ES_MAX_HEADERS)
			return broken(d, e, "too many headers in a message");
		used = read_header(p, left, h);
		if (!used)
			return broken(d, e, "bad header");
		for (size_t i = 0; i < m->nheaders; i++)
			if (name_is(&m->headers[i], h->name, h->name_len))
				return broken(d, e, "a header occurs twice");
		m->nheaders++;
		p += used;
		left -= used;
	}
	return 0;
}

/* Nothing is believed, the lengths included, before its checksum holds. */
static int read_prelude(struct es_decoder *d, const uint8_t *p, struct es_message *m, struct err *e)
{
	m->total_len = be32(p);
	m->headers_len = be32(p + 4);
	m->prelude_crc = be32(p + 8);
	if (crc32_of(p, 8) != m->prelude_crc)
		return broken(d, e, "checksum of the lengths does not match");
	if (m->total_len > ES_MAX_MESSAGE || m->headers_len > ES_MAX_HEADERS_LEN)
		return broken(d, e, "message over the limit");
	if (m->total_len < OVERHEAD || m->headers_len > m->total_len - OVERHEAD)
		return broken(d, e, "lengths contradict each other");
	return 0;
}

int es_next(struct es_decoder *d, struct es_message *m, struct err *e)
{
	const uint8_t *p;
	size_t left = d->pending.len - d->consumed;

	if (d->broken)
		return broken(d, e, "nothing can follow a bad frame");
	if (left < PRELUDE_LEN)
		return 0;
	p = (const uint8_t *)d->pending.p + d->consumed;
	m->nheaders = 0;
	if (read_prelude(d, p, m, e))
		return -1;
	if (left < m->total_len)
		return 0;
	m->message_crc = be32(p + m->total_len - 4);
	if (crc32_of(p, m->total_len - 4) != m->message_crc)
		return broken(d, e, "checksum of a message does not match");
	if (read_headers(d, p + PRELUDE_LEN, m->headers_len, m, e))
		return -1;
	m->payload = p + PRELUDE_LEN + m->headers_len;
	m->payload_len = m->total_len - m->headers_len - OVERHEAD;
	d->consumed += m->total_len;
	return 1;
}

int es_finish(const struct es_decoder *d, struct err *e)
{
	if (d->broken)
		return err_set(e, ERR_UNAVAILABLE, "bad-frame", "damaged event stream");
	if (d->pending.len > d->consumed)
		return err_set(e, ERR_UNAVAILABLE, "truncated", "the event stream ended inside a message");
	return 0;
}

const struct es_header *es_header(const struct es_message *m, const char *name)
{
	for (size_t i = 0; i < m->nheaders; i++)
		if (name_is(&m->headers[i], name, strlen(name)))
			return &m->headers[i];
	return NULL;
}

bool es_header_is(const struct es_message *m, const char *name, const char *text)
{
	const struct es_header *h = es_header(m, name);

	return h && h->type == ES_STRING && h->value_len == strlen(text) &&
	       !memcmp(h->value, text, h->value_len);
}
