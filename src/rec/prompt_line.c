/* prompt_line.c - write and read prompt lines. */
#include "rec/prompt_line.h"
#include "base/digest.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void add_member(struct buf *out, const char *name, const char *line, const struct json_member *m)
{
	if (m->type == JSON_NONE)
		return;
	buf_printf(out, ",\"%s\":", name);
	buf_add(out, line + m->off, m->len);
}

bool prompt_line_write(struct buf *out, const char *line, const struct event *ev, const char *prompt,
	size_t n, int64_t version)
{
	char hash[65];

	sha256_hex(prompt, n, hash);
	buf_char(out, '{');
	json_quote_str(out, ev->key.name);
	buf_char(out, ':');
	buf_add(out, line + ev->key.off, ev->key.len);
	buf_str(out, ",\"prompt\":");
	json_quote(out, prompt, n);
	add_member(out, "event_id", line, &ev->event_id);
	add_member(out, "timestamp", line, &ev->timestamp);
	buf_printf(out, ",\"version\":%lld,\"prompt_hash\":\"%s\"", (long long)version, hash);
	add_member(out, "_source", line, &ev->source_m);
	return buf_char(out, '}') && !out->over;
}

static int read_version(struct prompt_line *p, const char *line, const struct json_member *m, struct err *e)
{
	char *end = NULL;

	if (m->type == JSON_NONE || m->type == JSON_NULL)
		return 0;
	errno = 0;
	if (m->type == JSON_NUMBER)
		p->version = strtoll(line + m->off, &end, 10);
	if (!end || end != line + m->off + m->len || p->version < 0 || errno)
		return err_set(e, ERR_REFUSED, "bad-prompt", "version is no whole number");
	return 0;
}

static int read_hash(struct prompt_line *p, const char *line, const struct json_member *m, struct err *e)
{
	struct buf b = BUF_INIT(PROMPT_HASH_MAX);
	bool nul = false, ok = m->type == JSON_STRING;

	if (m->type == JSON_NONE || m->type == JSON_NULL)
		return 0;
	ok = ok && json_unescape(&b, line + m->off, m->len, &nul) && !nul && b.len;
	if (ok)
		memcpy(p->hash, b.p, b.len + 1);
	buf_release(&b);
	return ok ? 0
		  : err_set(e, ERR_REFUSED, "bad-prompt", "prompt_hash is no string of 1 to %d bytes",
			    PROMPT_HASH_MAX);
}

int prompt_line_read(struct prompt_line *p, const char *line, size_t n, struct err *e)
{
	struct json_member m[] = { { .name = "prompt" }, { .name = "version" }, { .name = "prompt_hash" } };
	struct json_object obj;

	*p = (struct prompt_line){ .text = BUF_INIT(BUF_MAX_PROMPT), .version = -1 };
	if (json_scan_object(line, n, m, ARRAY_LEN(m), &obj, e))
		return -1;
	if (m[0].type != JSON_STRING || m[0].len <= 2)
		return err_set(e, ERR_REFUSED, "bad-prompt", "prompt is missing, empty or no string");
	if (!json_unescape(&p->text, line + m[0].off, m[0].len, NULL))
		return err_set(e, ERR_REFUSED, "bad-prompt", "prompt is over %zu bytes", p->text.max);
	return read_version(p, line, &m[1], e) || read_hash(p, line, &m[2], e) ? -1 : 0;
}

void prompt_line_release(struct prompt_line *p)
{
	buf_release(&p->text);
}
