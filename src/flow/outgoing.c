/* outgoing.c - lines to records. */
#include "flow/outgoing.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>

void outgoing_init(struct outgoing *o)
{
	buf_init(&o->data, BUF_MAX_LINE);
	buf_init(&o->key, BUF_MAX_SMALL);
	buf_init(&o->hash, BUF_MAX_SMALL);
	o->event_id[0] = '\0';
}

void outgoing_release(struct outgoing *o)
{
	buf_release(&o->data);
	buf_release(&o->key);
	buf_release(&o->hash);
}

/* The bytes of a record that was no JSON object. JSON may have escaped the base64: `\/` stands for '/'. */
static int decode(struct outgoing *o, const struct event *ev, const char *line, struct err *e)
{
	const char *p = line + ev->data_b64.off + 1;
	size_t n = ev->data_b64.len - 2;
	struct buf text = BUF_INIT(BUF_MAX_LINE);
	bool ok;
	if (memchr(p, '\\', n)) {
		ok = json_unescape(&text, p - 1, n + 2, NULL);
		ok = ok && b64_decode(&o->data, text.p ? text.p : "", text.len);
	} else {
		ok = b64_decode(&o->data, p, n);
	}
	buf_release(&text);
	return ok ? 0 : err_set(e, ERR_REFUSED, "bad-base64", "data_b64 is no base64");
}

/* A line that came from a stream may come again: then it must be the same event. */
static bool id_of_place(struct outgoing *o, const struct source *s)
{
	char sub[24];
	if (!s->stream || !s->shard_id || !s->sequence_number)
		return false;
	const char *const parts[] = { s->stream, s->shard_id, s->sequence_number, sub };
	snprintf(sub, sizeof sub, "%llu", (unsigned long long)s->subsequence);
	buf_reset(&o->key);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		buf_add(&o->key, parts[i], strlen(parts[i]) + 1);
	uuid_v8(o->key.p, o->key.len, o->event_id);
	buf_reset(&o->key);
	return true;
}

static int complete(struct outgoing *o, const struct event *ev, const char *line, struct err *e)
{
	char when[TIME_TEXT];
	bool need_id = ev->event_id.type == JSON_NONE, need_time = ev->timestamp.type == JSON_NONE;
	bool placed = need_id && id_of_place(o, &ev->source);
	int64_t us = need_id || need_time ? clock_now_us() : 0;
	if (need_id && !placed)
		uuid_v7(us / 1000, o->event_id);
	if (need_time)
		time_format_us(ev->source.arrival_us ? ev->source.arrival_us : us, when);
	if (!event_complete(&o->data, ev, line, need_id ? o->event_id : NULL, need_time ? when : NULL))
		return err_set(e, ERR_REFUSED, "line-too-long", "event is too long");
	return 0;
}

/* The text of a member by name. */
static int field(struct buf *out, const char *line, size_t n, const char *name, struct err *e)
{
	struct json_member m = { .name = name };
	struct json_object obj;
	bool nul = false;
	if (json_scan_object(line, n, &m, 1, &obj, e))
		return -1;
	if (m.type == JSON_NUMBER)
		buf_add(out, line + m.off, m.len);
	else if (m.type != JSON_STRING || !json_unescape(out, line + m.off, m.len, &nul) || nul || !out->len)
		return err_set(e, ERR_REFUSED, "bad-key", "%s is missing or is no text", name);
	return 0;
}

static bool valid_hash_key(const char *s)
{
	static const char most[] = "340282366920938463463374607431768211455"; /* 2^128 - 1 */
	size_t n = strspn(s, "0123456789");
	if (s[n] || n == 0 || (n > 1 && s[0] == '0') || n >= sizeof most)
		return false;
	return n < sizeof most - 1 || strcmp(s, most) <= 0;
}

static size_t characters(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int partition_key(struct outgoing *o, const struct outgoing_conf *c, const struct event *ev,
	const char *line, size_t n, const char **key, struct err *e)
{
	*key = ev->source.partition_key ? ev->source.partition_key : ev->key_text;
	if (c->partition_field) {
		if (field(&o->key, line, n, c->partition_field, e))
			return -1;
		*key = o->key.p;
	}
	if (!*key || !**key)
		return err_set(e, ERR_REFUSED, "bad-key",
			"no partition key: a data_b64 line needs one in its _source");
	if (characters(*key) > KEY_MAX_CHARS)
		return err_set(
			e, ERR_REFUSED, "bad-key", "partition key is over %d characters", KEY_MAX_CHARS);
	return 0;
}

static int hash_key(struct outgoing *o, const struct outgoing_conf *c, const char *line, size_t n,
	const char **key, struct err *e)
{
	if (!c->hash_field)
		return 0;
	if (field(&o->hash, line, n, c->hash_field, e))
		return -1;
	if (!valid_hash_key(o->hash.p))
		return err_set(e, ERR_REFUSED, "bad-key", "%s is no decimal below 2^128", c->hash_field);
	*key = o->hash.p;
	return 0;
}

int outgoing_make(struct outgoing *o, const struct outgoing_conf *c, const struct event *ev, const char *line,
	size_t n, struct put_in *in, struct err *e)
{
	buf_reset(&o->data);
	buf_reset(&o->key);
	buf_reset(&o->hash);
	o->event_id[0] = '\0';
	if (ev->is_data ? decode(o, ev, line, e) : complete(o, ev, line, e))
		return -1;
	in->data = o->data.p ? o->data.p : "";
	in->len = o->data.len;
	if (partition_key(o, c, ev, line, n, &in->partition_key, e) ||
		hash_key(o, c, line, n, &in->explicit_hash_key, e))
		return -1;
	size_t size = in->len + strlen(in->partition_key);
	if (size > c->max_record)
		return err_set(e, ERR_REFUSED, "record-too-large",
			"%zu bytes with its partition key, more than %zu", size, c->max_record);
	return 0;
}
