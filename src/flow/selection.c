/* selection.c - choose events, and pace them. */
#include "flow/selection.h"
#include "base/json.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static bool text_is(const char *json, const struct json_member *m, const char *want)
{
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	bool same = m->type == JSON_STRING && json_unescape(&text, json + m->off, m->len, NULL) &&
		    text.len == strlen(want) && (!text.len || memcmp(text.p, want, text.len) == 0);
	buf_release(&text);
	return same;
}

bool selection_has(const struct selection *s, const char *p, size_t n, int64_t *us)
{
	struct json_member m[] = { { .name = "timestamp" }, { .name = "event_type" },
		{ .name = s->key_name } };
	const char *const want[] = { NULL, s->type, s->key_is };
	struct json_object obj;
	*us = 0;
	/* KEY may be one of the other two. */
	size_t nm = strcmp(s->key_name, m[0].name) && strcmp(s->key_name, m[1].name) ? 3 : 2;
	if (json_scan_object(p, n, m, nm, &obj, NULL))
		return !s->key_is && !s->type;
	if (nm == 2)
		m[2] = m[strcmp(s->key_name, m[0].name) != 0];
	for (size_t i = 1; i < ARRAY_LEN(m); i++)
		if (want[i] && !text_is(p, &m[i], want[i]))
			return false;
	if (m[0].type == JSON_STRING && !time_parse(p + m[0].off + 1, m[0].len - 2, us))
		*us = 0;
	if (!*us)
		return true;
	return !(s->since.kind == WHEN_TIME && *us < s->since.us) &&
	       !(s->until.kind == WHEN_TIME && *us >= s->until.us);
}

int64_t pace_wait_ms(struct pace *p, int64_t us)
{
	if (!(p->speed > 0) || !us)
		return 0;
	int64_t now = clock_mono_ms();
	if (!p->first_us) {
		p->first_us = us;
		p->started_ms = now;
	}
	double after_ms = (double)(us - p->first_us) / 1000 / p->speed;
	if (after_ms > 1e15)
		after_ms = 1e15;
	double wait = (double)p->started_ms + after_ms - (double)now;
	return wait > 0 ? (int64_t)wait : 0;
}

int pace_parse(struct pace *p, const char *text, struct err *e)
{
	char *end;
	*p = (struct pace){ 0 };
	if (strcmp(text, "max") == 0)
		return 0;
	p->speed = strtod(text, &end);
	if (*end || end == text || !(p->speed >= 1e-6) || p->speed > 1e9)
		return err_set(e, ERR_USAGE, "", "--speed: neither max nor a number above 0: %s", text);
	return 0;
}
