/* archive_test.c - objects in order, unzipped and cut; going on behind one; hours that need no look; damage and ends. */
#include "check.h"

#include "base/buf.h"
#include "base/mem.h"
#include "flow/archive.h"
#include <stdlib.h>
#include <zlib.h>

struct object {
	const char *name, *text;
	bool gz, cut; /* cut: the last bytes are missing */
};

struct fake {
	struct blob base;
	const struct object *v;
	size_t n, piece;
	char fetched[512];
	enum err_class fails; /* getting "bad" fails so */
	size_t broken;        /* outages still to come: the first of each object after so many bytes */
	size_t at;
	bool list_out; /* and the first listing fails */
};

static void gz(struct buf *out, const char *p, size_t n)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	buf_reserve(out, n + 100);
	z.next_in = (unsigned char *)(uintptr_t)p;
	z.avail_in = (unsigned)n;
	z.next_out = (unsigned char *)out->p;
	z.avail_out = (unsigned)(n + 100);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len = z.total_out;
	deflateEnd(&z);
}

static int list(
	struct blob *b, const char *prefix, const char *after, blob_on_item *fn, void *arg, struct err *e)
{
	struct fake *f = (struct fake *)b;
	int rc = 0;

	if (f->list_out) {
		f->list_out = false;
		return err_set(e, ERR_UNAVAILABLE, "connect", "no network");
	}
	for (size_t i = 0; i < f->n && rc == 0; i++) {
		const char *name = f->v[i].name;
		if (strncmp(name, prefix, strlen(prefix)) == 0 && (!after || strcmp(name, after) > 0))
			rc = fn(&(struct blob_item){ name, strlen(f->v[i].text), 0 }, arg, e);
	}
	return rc < 0 ? -1 : 0;
}

static int get(struct blob *b, const char *name, blob_on_bytes *fn, void *arg, struct err *e)
{
	struct fake *f = (struct fake *)b;
	const struct object *o = f->v;
	struct buf body = BUF_INIT(1 << 20);
	int rc = 0;

	strncat(f->fetched, name, sizeof f->fetched - strlen(f->fetched) - 2);
	strncat(f->fetched, " ", 2);
	while (o < f->v + f->n && strcmp(o->name, name) != 0)
		o++;
	if (o == f->v + f->n || (f->fails && strstr(name, "bad")))
		return err_set(e, f->fails ? f->fails : ERR_FAILED, "NoSuchKey", "no such object");
	if (o->gz)
		gz(&body, o->text, strlen(o->text));
	else
		buf_str(&body, o->text);
	if (o->cut)
		body.len -= 9;
	bool out = f->broken && f->broken--;
	if (out && f->at < body.len)
		body.len = f->at;
	for (size_t i = 0, k; i < body.len && rc == 0; i += k) {
		k = f->piece && f->piece < body.len - i ? f->piece : body.len - i;
		rc = fn(body.p + i, k, arg, e);
	}
	buf_release(&body);
	if (rc == 0 && out)
		return err_set(e, ERR_UNAVAILABLE, "reset", "connection lost");
	return rc < 0 ? -1 : 0;
}

static const struct blob_ops ops = { .list = list, .get = get };

struct got {
	struct buf text;
	int left; /* records until the sink ends it with `with`; 0: never */
	int with;
};

static int on_record(const struct archive_record *r, void *arg, struct err *e)
{
	struct got *g = arg;

	buf_printf(&g->text, "%s:%d=%s%s ", r->object + strlen("s3://b/"), (int)r->value.no, r->value.p,
		r->value.too_long ? "!" : "");
	if (g->left && --g->left == 0)
		return g->with < 0 ? err_set(e, ERR_LOCAL, "", "disk full") : g->with;
	return 0;
}

static int on_bad_object(const char *object, const struct err *why, void *arg, struct err *e)
{
	struct got *g = arg;

	(void)e;
	buf_printf(&g->text, "BAD %s %s ", object + strlen("s3://b/"), why->code);
	return 0;
}

static struct when at(const char *s)
{
	struct when w = { 0 };

	if (s)
		assert_true(when_parse(s, &w));
	return w;
}

struct row {
	const char *name;
	struct object v[4];
	const char *prefix, *after, *since, *until, *want;
	int left, with, rc; /* as struct got; what archive_read returns */
};

static const struct row rows[] = {
	{ "objects in order, NDJSON and gzip", { { "a", "{}\n{\"x\":1}\n", 0, 0 }, { "b", "{}{}", 1, 0 } },
		"", NULL, NULL, NULL, "a:1={} a:2={\"x\":1} b:1={} b:2={} ", 0, 0, 0 },
	{ "a prefix", { { "a/1", "{}", 0, 0 }, { "b/1", "{}", 0, 0 } }, "b/", NULL, NULL, NULL, "b/1:1={} ",
		0, 0, 0 },
	{ "a folder's place-holder", { { "a/", "", 0, 0 }, { "a/1", "{}", 0, 0 } }, "", NULL, NULL, NULL,
		"a/1:1={} ", 0, 0, 0 },
	{ "a damaged line", { { "a", "{}\n{\"x\":\n{}\n", 0, 0 } }, "", NULL, NULL, NULL,
		"a:1={} a:2={\"x\": a:3={} ", 0, 0, 0 },
	{ "truncated gzip: what came stands, the next goes on",
		{ { "a", "{}\n{\"x\":1}\n", 1, 1 }, { "b", "{}", 0, 0 } }, "", NULL, NULL, NULL,
		"a:1={} a:2={\"x\":1} BAD a truncated-gzip b:1={} ", 0, 0, 0 },
	{ "behind an object", { { "a", "{}", 0, 0 }, { "b", "{}", 0, 0 }, { "c", "{}", 0, 0 } }, "",
		"s3://b/a", NULL, NULL, "b:1={} c:1={} ", 0, 0, 0 },
	{ "behind a record",
		{ { "a", "{}", 0, 0 }, { "b", "{}{\"x\":2}{\"x\":3}", 1, 0 }, { "c", "{}", 0, 0 } }, "",
		"s3://b/b:2", NULL, NULL, "b:3={\"x\":3} c:1={} ", 0, 0, 0 },
	{ "behind the last record", { { "a", "{}", 0, 0 }, { "b", "{}", 0, 0 } }, "", "s3://b/a:1", NULL,
		NULL, "b:1={} ", 0, 0, 0 },
	{ "behind one that is gone", { { "a", "{}", 0, 0 }, { "c", "{}", 0, 0 } }, "", "s3://b/b:4", NULL,
		NULL, "BAD b NoSuchKey c:1={} ", 0, 0, 0 },
	{ "a name with a colon and no number", { { "a:x", "{}", 0, 0 }, { "b", "{}", 0, 0 } }, "",
		"s3://b/a:x", NULL, NULL, "b:1={} ", 0, 0, 0 },
	{ "hours before --since",
		{ { "p/2026/01/05/09/x", "{\"h\":9}", 0, 0 }, { "p/2026/01/05/13/x", "{\"h\":13}", 0, 0 } },
		"", NULL, "2026-01-05T13:10:00Z", NULL, "p/2026/01/05/13/x:1={\"h\":13} ", 0, 0, 0 },
	{ "an hour whose records may be from ahead", { { "2026/01/05/11/x", "{\"h\":11}", 0, 0 } }, "", NULL,
		"2026-01-05T13:10:00Z", NULL, "2026/01/05/11/x:1={\"h\":11} ", 0, 0, 0 },
	{ "hours long after --until",
		{ { "2026/01/05/09/x", "{}", 0, 0 }, { "2026/01/06/09/x", "{}", 0, 0 },
			{ "2026/01/07/09/x", "{}", 0, 0 } },
		"", NULL, NULL, "2026-01-05T10:00:00Z", "2026/01/05/09/x:1={} 2026/01/06/09/x:1={} ", 0, 0,
		0 },
	{ "other names are always read",
		{ { "2026/1/5/9/x", "{}", 0, 0 }, { "2026/13/05/09/x", "{}", 0, 0 } }, "", NULL,
		"2027-01-01T00:00:00Z", NULL, "2026/1/5/9/x:1={} 2026/13/05/09/x:1={} ", 0, 0, 0 },
	{ "ended: no further record, no further object, no complaint",
		{ { "a", "{}{}{\"cut\":", 1, 0 }, { "b", "{}", 0, 0 } }, "", NULL, NULL, NULL, "a:1={} ", 1,
		1, 1 },
	{ "ended at the last record", { { "a", "{}", 0, 0 } }, "", NULL, NULL, NULL, "a:1={} ", 1, 1, 1 },
	{ "ended behind --after", { { "a", "{}{}{}", 0, 0 }, { "b", "{}", 0, 0 } }, "", "s3://b/a:1", NULL,
		NULL, "a:2={} ", 1, 1, 1 },
	{ "the sink fails", { { "a", "{}{}{}", 0, 0 }, { "b", "{}", 0, 0 } }, "", NULL, NULL, NULL,
		"a:1={} a:2={} ", 2, -1, -1 },
	{ "the sink fails at the end of truncated gzip",
		{ { "a", "{}\n{\"x\":1", 1, 1 }, { "b", "{}", 0, 0 } }, "", NULL, NULL, NULL,
		"a:1={} a:2={\"x\":1 ", 2, -1, -1 },
};

static void test_rows(void **state)
{
	static const size_t pieces[] = { 0, 1, 3 };
	char row[128];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t k = 0; k < ROWS(pieces); k++) {
			const struct row *r = &rows[i];
			struct fake f = {
				.base = { .ops = &ops, .uri = "s3://b" }, .v = r->v, .piece = pieces[k]
			};
			struct got g = { .text = BUF_INIT(4096), .left = r->left, .with = r->with };
			struct err e = { 0 };
			const struct archive_conf c = { .blob = &f.base,
				.prefix = r->prefix,
				.after = r->after,
				.since = at(r->since),
				.until = at(r->until),
				.max_record = 1000,
				.on_record = on_record,
				.on_bad_object = on_bad_object,
				.arg = &g };

			while (f.n < ROWS(r->v) && r->v[f.n].name)
				f.n++;
			snprintf(row, sizeof row, "%s, pieces of %zu", r->name, pieces[k]);
			CHECK_INT(row, archive_read(&c, &e), r->rc);
			CHECK_STR(row, g.text.p ? g.text.p : "", r->want);
			if (r->rc < 0)
				CHECK_INT(row, e.cls, ERR_LOCAL);
			buf_release(&g.text);
		}
}

static void test_an_outage_ends_it(void **state)
{
	static const struct object v[] = { { "a", "{}", 0, 0 }, { "bad", "{}", 0, 0 }, { "c", "{}", 0, 0 } };
	struct fake f = {
		.base = { .ops = &ops, .uri = "s3://b" }, .v = v, .n = 3, .fails = ERR_UNAVAILABLE
	};
	struct got g = { .text = BUF_INIT(4096) };
	struct err e = { 0 };
	const struct archive_conf c = { .blob = &f.base,
		.prefix = "",
		.max_record = 100,
		.on_record = on_record,
		.on_bad_object = on_bad_object,
		.arg = &g };

	(void)state;
	assert_int_equal(
		archive_read(&c, &e), -1); /* a later run goes on with --after: no object is left out */
	assert_int_equal(e.cls, ERR_UNAVAILABLE);
	assert_string_equal(g.text.p, "a:1={} ");
	buf_release(&g.text);
}

/* Cut at these bytes, in the plain object and in the zipped one: what is handed on is the same as without. */
static void test_an_outage_is_held(void **state)
{
	static const struct object v[] = { { "a", "{}\n{\"x\":1}\n{\"x\":2}", 0, 0 },
		{ "b", "{}{\"y\":1}", 1, 0 } };
	static const size_t ats[] = { 0, 1, 3, 11, 24 };

	(void)state;
	for (size_t i = 0; i < ROWS(ats); i++) {
		struct fake f = { .base = { .ops = &ops, .uri = "s3://b" },
			.v = v,
			.n = 2,
			.broken = 2,
			.at = ats[i],
			.list_out = i % 2 };
		struct got g = { .text = BUF_INIT(4096) };
		struct err e = { 0 };
		char row[32];
		const struct archive_conf c = { .blob = &f.base,
			.prefix = "",
			.max_record = 100,
			.give_up_ms = 20000,
			.on_record = on_record,
			.on_bad_object = on_bad_object,
			.arg = &g };
		snprintf(row, sizeof row, "at byte %zu", ats[i]);
		CHECK_INT(row, archive_read(&c, &e), 0);
		CHECK_STR(row, g.text.p ? g.text.p : "",
			"a:1={} a:2={\"x\":1} a:3={\"x\":2} b:1={} b:2={\"y\":1} ");
		buf_release(&g.text);
	}
}

static void test_an_outage_is_given_up(void **state)
{
	static const struct object v[] = { { "a", "{}{}", 0, 0 } };
	struct fake f = { .base = { .ops = &ops, .uri = "s3://b" }, .v = v, .n = 1, .broken = 1000, .at = 2 };
	struct got g = { .text = BUF_INIT(4096) };
	struct err e = { 0 };
	const struct archive_conf c = { .blob = &f.base,
		.prefix = "",
		.max_record = 100,
		.give_up_ms = 600,
		.on_record = on_record,
		.on_bad_object = on_bad_object,
		.arg = &g };
	int64_t began = clock_mono_ms();

	(void)state;
	assert_int_equal(archive_read(&c, &e), -1);
	assert_int_equal(e.cls, ERR_UNAVAILABLE);
	assert_string_equal(
		g.text.p, "a:1={} "); /* the first record comes again and again, but is no progress */
	assert_true(clock_mono_ms() - began >= 600 && f.broken > 900);
	buf_release(&g.text);
}

static void test_hours(void **state)
{
	static const struct {
		const char *name, *hour; /* NULL: none */
	} names[] = {
		{ "2026/01/05/09/x", "2026-01-05T09:00:00Z" },
		{ "a/b/2026/12/31/23/x-y", "2026-12-31T23:00:00Z" },
		{ "year=2026/2026/01/05/09/x", "2026-01-05T09:00:00Z" },
		{ "2026/01/05/09", NULL },
		{ "2026/02/30/09/x", NULL },
		{ "2026/01/05/24/x", NULL },
		{ "x2026/01/05/09/x", NULL },
		{ "", NULL },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(names); i++) {
		int64_t us = 0, want = 0;
		CHECK_INT(names[i].name, archive_hour(names[i].name, &us), names[i].hour != NULL);
		if (names[i].hour) {
			assert_true(time_parse(names[i].hour, strlen(names[i].hour), &want));
			CHECK_INT(names[i].name, us, want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_an_outage_ends_it),
		cmocka_unit_test(test_an_outage_is_held),
		cmocka_unit_test(test_an_outage_is_given_up),
		cmocka_unit_test(test_hours),
	};
	return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
