/* receipt.c - pending lines and their receipts. */
#include "cmd/receipt.h"
#include <string.h>

static size_t line_room(const struct line *l, bool keep_line)
{
	return keep_line ? l->len : 0;
}

/* A _source that is no object is the line's fault, and is not handed on. */
static size_t source_room(const struct event *ev)
{
	return ev->source_m.type == JSON_OBJECT ? ev->source_m.len : 0;
}

size_t pending_size(const struct line *l, const struct event *ev, const char *event_id, bool keep_line)
{
	return sizeof(struct pending) + strlen(event_id) + 1 + source_room(ev) + line_room(l, keep_line);
}

void pending_fill(
	struct pending *p, const struct line *l, const struct event *ev, const char *event_id, bool keep_line)
{
	size_t id = strlen(event_id), src = source_room(ev), len = line_room(l, keep_line);
	char *at = (char *)(p + 1);
	*p = (struct pending){ .origin = { .no = l->no, .cut = l->too_long },
		.is_mark = ev->is_mark,
		.from_group = ev->source.group != NULL };
	p->event_id = memcpy(at, event_id, id + 1);
	p->origin.event_id = id && ev->event_id.type == JSON_NONE ? p->event_id : NULL;
	at += id + 1;
	if (src) {
		p->origin.source = memcpy(at, l->p + ev->source_m.off, src);
		p->origin.source_len = src;
		at += src;
	}
	if (len) {
		p->origin.line = memcpy(at, l->p, len);
		p->origin.len = len;
	}
}

bool receipt_write(struct buf *out, const struct pending *p, const struct put_result *res)
{
	buf_str(out, "{\"line\":");
	buf_uint(out, p->origin.no);
	if (p->event_id[0]) {
		buf_str(out, ",\"event_id\":");
		json_quote_str(out, p->event_id);
	}
	if (res->err) {
		buf_str(out, ",\"error\":");
		error_json(out, res->err);
	} else if (res->kept) {
		buf_str(out, ",\"spooled\":true");
	} else {
		/* As the service names them, which may be anything. */
		buf_str(out, ",\"shard_id\":");
		json_quote_str(out, res->shard_id);
		buf_str(out, ",\"sequence_number\":");
		json_quote_str(out, res->sequence_number);
		if (res->packed) {
			buf_str(out, ",\"subsequence_number\":");
			buf_uint(out, res->subsequence);
		}
	}
	if (p->origin.source) {
		buf_str(out, ",\"_source\":");
		buf_add(out, p->origin.source, p->origin.source_len);
	}
	return buf_char(out, '}') && !out->over;
}
