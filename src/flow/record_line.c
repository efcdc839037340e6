/* record_line.c - records of streams and archives as lines. */
#include "flow/record_line.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "rec/event.h"

bool record_line(
	struct buf *out, struct buf *flat, const char *p, size_t n, const char *source, size_t source_len)
{
	struct json_member own[] = { { .name = "_source" }, { .name = "data_b64" } };
	struct json_object obj;
	bool plain = json_scan_object(p, n, own, ARRAY_LEN(own), &obj, NULL) == 0 &&
		     own[0].type == JSON_NONE && (own[1].type == JSON_NONE || obj.members > 1);
	if (plain && obj.newlines) {
		/* As long as the original: the offsets hold. */
		buf_reset(flat);
		if (!json_copy_flat(flat, p, n))
			return false;
		p = flat->p;
	}
	if (plain)
		return line_with_source(out, p, &obj, NULL, source, source_len);
	buf_str(out, "{\"data_b64\":\"");
	b64_encode(out, p, n);
	buf_str(out, "\",\"_source\":");
	buf_add(out, source, source_len);
	return buf_char(out, '}') && !out->over;
}
