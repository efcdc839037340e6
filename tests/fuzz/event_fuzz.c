/* event_fuzz.c - libFuzzer target: any bytes as an event line, a record of a stream, a dead letter, a line under audit.
 *
 * Checked: no bad access; what event_parse takes can be completed and given a _source, and is then an event line still, of the
 * same KEY and event_id; any record becomes a line that event_parse takes, or says why not; a dead letter's line is an object. */
#include "base/mem.h"
#include "flow/books.h"
#include "flow/record_line.h"
#include "rec/event.h"
#include "rec/letter.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE                                                                                               \
	"{\"stream\":\"s\",\"shard_id\":\"shardId-1\",\"sequence_number\":\"42\",\"subsequence_number\":7}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool same(const char *a, const char *b)
{
	return (!a && !b) || (a && b && !strcmp(a, b));
}

static void as_event(const char *p, size_t n)
{
	struct event ev, again;
	struct err e = { 0 };
	struct buf full = BUF_INIT(1 << 20), placed = BUF_INIT(1 << 20);
	int rc = event_parse(&ev, p, n, "user_id", EVENT_NEED_KEY | EVENT_TEXTS, &e);
	if (rc)
		check(e.cls == ERR_REFUSED && e.msg[0]);
	if (rc == 0 && !ev.is_mark && !ev.is_data) {
		check(event_complete(&full, &ev, p, ev.event_id_text ? NULL : "id", NULL));
		struct json_object obj;
		struct json_member old = { .name = "_source" };
		check(json_scan_object(full.p, full.len, &old, 1, &obj, &e) == 0 && old.type == JSON_NONE);
		check(line_with_source(&placed, full.p, &obj, &old, SOURCE, strlen(SOURCE)));
		check(event_parse(&again, placed.p, placed.len, "user_id", EVENT_NEED_KEY | EVENT_TEXTS,
			      &e) == 0);
		check(same(ev.key_text, again.key_text) && again.source.present &&
			again.source.subsequence == 7);
		check(same(ev.event_id_text ? ev.event_id_text : "id", again.event_id_text));
		event_release(&again);
	}
	event_release(&ev);
	buf_release(&full);
	buf_release(&placed);
}

static void as_record(const char *p, size_t n)
{
	struct buf line = BUF_INIT(1 << 20), flat = BUF_INIT(1 << 20);
	struct json_member source = { .name = "_source" };
	struct json_object obj;
	struct err e = { 0 };
	check(record_line(&line, &flat, p, n, SOURCE, strlen(SOURCE)));
	check(json_scan_object(line.p, line.len, &source, 1, &obj, &e) == 0);
	check(source.type == JSON_OBJECT && source.len == strlen(SOURCE) && !memchr(line.p, '\n', line.len));
	check(!memcmp(line.p + source.off, SOURCE, strlen(SOURCE)));
	buf_release(&line);
	buf_release(&flat);
}

static void as_letter(const char *p, size_t n)
{
	struct buf line = BUF_INIT(1 << 20);
	struct json_object obj;
	struct json_member source;
	struct err e = { 0 };
	if (letter_line(&line, &obj, &source, p, n, &e))
		check(e.cls == ERR_REFUSED && e.msg[0]);
	else
		check(obj.off + obj.len <= line.len && line.p[obj.off] == '{');
	buf_release(&line);
}

static int on_event(const struct books_event *v, void *arg, struct err *e)
{
	(void)e;
	check(v->state < BOOKS_STATES && v->at < BOOKS_KINDS);
	++*(uint64_t *)arg;
	return 0;
}

static int on_ledger(const char *why, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	check(why[0] != 0);
	return 0;
}

/* The bytes as lines of the kind that each line's first byte names. */
static void as_books(const char *p, size_t n)
{
	struct books *b = books_new(1000);
	struct books_sum sum;
	struct err e = { 0 };
	uint64_t told = 0, states = 0;
	for (const char *end = p + n; p < end;) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t len = lf ? (size_t)(lf - p) : (size_t)(end - p);
		if (len && books_enter(b, (enum books_kind)((unsigned char)p[0] % BOOKS_KINDS), p + 1,
				   len - 1, &e))
			check(e.cls == ERR_REFUSED || e.cls == ERR_LOCAL);
		p += len + 1;
	}
	check(books_close(b, &sum, on_event, on_ledger, &told, &e) == 0);
	for (int i = 0; i < BOOKS_STATES; i++)
		states += sum.states[i];
	check(told == sum.events && states == sum.events);
	books_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *copy = mem_dup(data, n); /* a NUL behind, as lines have */
	as_event(copy, n);
	as_record(copy, n);
	as_letter(copy, n);
	as_books(copy, n);
	free(copy);
	return 0;
}
