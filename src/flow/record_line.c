/* record_line.c - records of streams and archives as lines. */
#include "flow/record_line.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "rec/event.h"
#include <string.h>

bool record_line(struct buf *out, const char *p, size_t n, const char *source, size_t source_len)
{
	struct json_member own = { .name = "_source" };
	struct json_object obj;
	if (json_scan_object(p, n, &own, 1, &obj, NULL) == 0 && own.type == JSON_NONE) {
		if (!obj.newlines)
			return line_with_source(out, p, &obj, NULL, source, source_len);
		struct buf flat = BUF_INIT(BUF_MAX_LINE);
		struct json_object whole = { .members = obj.members };
		bool ok = json_copy_flat(&flat, p + obj.off, obj.len);
		whole.len = flat.len;
		ok = ok && line_with_source(out, flat.p, &whole, NULL, source, source_len);
		buf_release(&flat);
		return ok;
	}
	buf_str(out, "{\"data_b64\":\"");
	b64_encode(out, p, n);
	buf_str(out, "\",\"_source\":");
	buf_add(out, source, source_len);
	return buf_char(out, '}') && !out->over;
}

static void text(struct buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	buf_str(out, out->p[out->len - 1] == '{' ? "\"" : ",\"");
	buf_str(out, name);
	buf_str(out, "\":");
	json_quote_str(out, value);
}

bool record_source(struct buf *out, const char *stream, const char *shard_id, const struct record *r,
	const char *group, const char *owner)
{
	char when[TIME_TEXT];
	buf_char(out, '{');
	text(out, "stream", stream);
	text(out, "shard_id", shard_id);
	text(out, "sequence_number", r->sequence_number);
	buf_printf(out, ",\"subsequence_number\":%llu", (unsigned long long)r->subsequence);
	text(out, "partition_key", r->partition_key);
	if (r->arrival_us) {
		time_format_us(r->arrival_us, when);
		text(out, "arrival", when);
	}
	text(out, "group", group);
	text(out, "owner", owner);
	return buf_char(out, '}');
}
