/* source.c - read `_source`, the position that travels with a line. */
#include "rec/event.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rec/member.h"
#include <stdlib.h>
#include <string.h>

enum {
	STREAM,
	SHARD,
	SEQUENCE,
	PARTITION,
	GROUP,
	OWNER,
	OBJECT,
	MARK,
	TEXTS,
	SUB = TEXTS,
	LINE,
	TENURE,
	ARRIVAL,
	ALL
};

static const char *const names[ALL] = { "stream", "shard_id", "sequence_number", "partition_key", "group",
	"owner", "object", "mark", "subsequence_number", "line", "tenure", "arrival" };

static bool digits_to_u64(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned digit = (unsigned)(unsigned char)p[i] - '0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return n > 0;
}

static int whole_number(const char *json, const struct json_member *m, uint64_t *out, struct err *e)
{
	bool quoted = m->type == JSON_STRING;

	if (m->type == JSON_NONE)
		return 0;
	if (m->type != JSON_NUMBER && !quoted)
		return member_type_error(e, "_source.", m, "a number");
	if (!digits_to_u64(json + m->off + quoted, m->len - 2 * quoted, out))
		return err_set(
			e, ERR_REFUSED, "bad-event", "_source.%s is no whole number of 64 bits", m->name);
	return 0;
}

static int arrival(struct source *s, const char *json, const struct json_member *m, struct err *e)
{
	if (m->type == JSON_NONE)
		return 0;
	if (m->type != JSON_STRING)
		return member_type_error(e, "_source.", m, "a string");
	if (!time_parse(json + m->off + 1, m->len - 2, &s->arrival_us))
		return err_set(e, ERR_REFUSED, "bad-event", "_source.arrival is no RFC 3339 time");
	return 0;
}

static int texts(struct source *s, const char *json, const struct json_member *want, struct err *e)
{
	char **const into[TEXTS] = { &s->stream, &s->shard_id, &s->sequence_number, &s->partition_key,
		&s->group, &s->owner, &s->object, &s->mark };
	struct text_block b = { 0 };
	size_t room = 0;

	for (int i = 0; i < TEXTS; i++) {
		bool number_ok = i == SEQUENCE && want[i].type == JSON_NUMBER;

		if (want[i].type != JSON_NONE && want[i].type != JSON_STRING && !number_ok)
			return member_type_error(e, "_source.", &want[i], "a string");
		room += member_room(&want[i]);
	}
	if (!room)
		return 0;
	s->texts = b.p = mem_realloc(NULL, room);
	for (int i = 0; i < TEXTS; i++)
		if (member_text(&b, json, &want[i], "_source.", into[i], e))
			return -1;
	return 0;
}

int source_parse(struct source *s, const char *json, size_t n, struct err *e)
{
	struct json_member want[ALL] = { 0 };
	struct json_object obj;

	memset(s, 0, sizeof(*s));
	for (int i = 0; i < ALL; i++)
		want[i].name = names[i];
	if (member_scan(json, n, want, ALL, &obj, "_source.", e))
		return -1;
	for (int i = 0; i < ALL; i++)
		if (want[i].type == JSON_NULL)
			want[i].type = JSON_NONE;
	s->present = true;
	if (texts(s, json, want, e) || whole_number(json, &want[SUB], &s->subsequence, e) ||
		whole_number(json, &want[LINE], &s->object_line, e) ||
		whole_number(json, &want[TENURE], &s->tenure, e))
		return -1;
	return arrival(s, json, &want[ARRIVAL], e);
}

void source_release(struct source *s)
{
	free(s->texts);
	memset(s, 0, sizeof(*s));
}
