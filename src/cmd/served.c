/* served.c - entries and fallbacks as lines. */
#include "cmd/served.h"
#include "cmd/cmd.h"
#include "rec/entry.h"
#include "rec/fallback.h"

#define POPULAR 5

int served_file(struct served *s, const char *path, struct err *e)
{
	struct buf text = BUF_INIT(BUF_MAX_FILE);
	if (read_file(path, &text, e) == 0)
		s->file = fallback_parse(text.p ? text.p : "", text.len, e);
	buf_release(&text);
	return s->file ? 0 : -1;
}

/* The file's items, else what is popular in the store if that answers, else three that are built in. */
static const cJSON *fallback(struct served *s, bool store_answers)
{
	if (s->file)
		return s->file;
	if (!s->others) {
		s->others = json_new_array();
		if (store_answers)
			lookup_popular(s->lookup, POPULAR, s->others);
		if (!cJSON_GetArraySize(s->others))
			fallback_built_in(s->others);
	}
	return s->others;
}

const char *served_line(
	struct served *s, struct buf *out, const char *key, const cJSON *item, const struct err *trouble)
{
	struct entry en = { .state = ENTRY_UNUSABLE };
	const char *why = trouble ? trouble->msg : !item ? "no entry" : NULL;
	if (item)
		entry_read(&en, item, clock_now_us());
	bool stale = en.state == ENTRY_EXPIRED && s->max_stale_ms && en.expired_for_ms <= s->max_stale_ms;
	if (!why && !stale && en.state != ENTRY_FRESH)
		why = en.state == ENTRY_EXPIRED ? "entry has expired" : "entry is unusable";
	if (why)
		entry_line(out, s->key_name, key, fallback(s, !trouble), "fallback", NULL, -1);
	else
		entry_line(out, s->key_name, key, en.recommendations, stale ? "stale" : "cache",
			en.generated_at, en.age_s);
	entry_release(&en);
	return why;
}

void served_again(struct served *s)
{
	cJSON_Delete(s->others);
	s->others = NULL;
}

void served_release(struct served *s)
{
	served_again(s);
	cJSON_Delete(s->file);
	s->file = NULL;
}
