/* walk_test.c - the one-pass reader of JSON answers: what it takes, what it refuses, and never a byte past the end. */
#include "aws/walk.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads {"a":string,"n":number,"l":[strings]} of any order, all else skipped; a verdict as text. */
struct seen {
	char a[64], n[32], l[128];
	bool bad;
};

static void read_list(struct walk *w, struct seen *s)
{
	struct walk_text t;
	bool first = true;
	size_t used = 0;

	if (!walk_array(w))
		return;
	while (walk_element(w, &first))
		if (walk_string(w, &t) && used + t.n + 2 < sizeof s->l) {
			memcpy(s->l + used, t.p ? t.p : "", t.n);
			used += t.n;
			s->l[used++] = '|';
		}
}

static void read_all(const char *p, size_t n, struct seen *s)
{
	struct walk w;
	struct walk_text name, t;
	bool first = true;

	*s = (struct seen){ 0 };
	walk_init(&w, p, n);
	if (!walk_object(&w))
		w.bad = true;
	while (walk_member(&w, &first, &name)) {
		if (walk_is(&name, "a")) {
			if (walk_string(&w, &t) && !walk_copy(&t, s->a, sizeof s->a))
				w.bad = true;
		} else if (walk_is(&name, "n")) {
			if (walk_number(&w, &t) && t.n < sizeof s->n)
				memcpy(s->n, t.p ? t.p : "", t.n);
		} else if (walk_is(&name, "l")) {
			read_list(&w, s);
		} else {
			walk_skip(&w);
		}
	}
	s->bad = w.bad;
}

static void tables(void **state)
{
	static const struct {
		const char *name, *in, *a, *n, *l;
		bool bad;
	} rows[] = {
		{ "all", "{\"a\":\"x\",\"n\":12.5e3,\"l\":[\"p\",\"q\"]}", "x", "12.5e3", "p|q|", false },
		{ "empty object", "{}", "", "", "", false },
		{ "white space", " {\r\n\t\"a\" : \"x\" , \"l\" : [ \"p\" , \"q\" ] } ", "x", "", "p|q|",
			false },
		{ "nulls", "{\"a\":null,\"n\":null,\"l\":null}", "", "", "", false },
		{ "escapes", "{\"a\":\"q\\\"\\\\\\/\\u00e9\"}", "q\"\\/\xc3\xa9", "", "", false },
		{ "ends in an escaped backslash", "{\"a\":\"x\\\\\",\"n\":1}", "x\\", "1", "", false },
		{ "an unknown member of every kind",
			"{\"z\":{\"y\":[1,true,null,{\"]\":\"}\"}],\"x\":\"\\\"]\"},\"y\":-1,\"w\":false,"
			"\"a\":\"x\"}",
			"x", "", "", false },
		{ "the end is missing", "{\"a\":\"x\"", "x", "", "", true },
		{ "an open string", "{\"a\":\"x", "", "", "", true },
		{ "no comma", "{\"a\":\"x\" \"n\":1}", "x", "", "", true },
		{ "no colon", "{\"a\" \"x\"}", "", "", "", true },
		{ "a number for a string", "{\"a\":1}", "", "", "", true },
		{ "a string for a number", "{\"n\":\"1\"}", "", "", "", true },
		{ "an object for a list", "{\"l\":{}}", "", "", "", true },
		{ "a list at the top", "[]", "", "", "", true },
		{ "HTML", "<html></html>", "", "", "", true },
		{ "nothing", "", "", "", "", true },
		{ "U+0000 would cut a text", "{\"a\":\"x\\u0000y\"}", "", "", "", true },
		{ "a skipped value that never ends", "{\"z\":[[[", "", "", "", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen s;
		read_all(rows[i].in, strlen(rows[i].in), &s);
		if (s.bad != rows[i].bad || strcmp(s.a, rows[i].a) != 0 || strcmp(s.n, rows[i].n) != 0 ||
			strcmp(s.l, rows[i].l) != 0)
			fail_msg("%s: bad %d a \"%s\" n \"%s\" l \"%s\"", rows[i].name, s.bad, s.a, s.n, s.l);
	}
}

/* Every prefix is refused, in memory of exactly its size, so that a read past it is caught by the sanitizer. */
static void every_prefix_is_refused(void **state)
{
	static const char text[] = "{\"z\":{\"k\":[1,\"\\\\\",{\"b\":null}]},\"a\":\"\\u00e9\\\"\",\"n\":-1."
				   "5,\"l\":[\"p\",null]}";
	struct seen s;

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *exact = malloc(n ? n : 1);
		assert_non_null(exact);
		memcpy(exact, text, n);
		read_all(exact, n, &s);
		if (!s.bad)
			fail_msg("the first %zu bytes were taken", n);
		free(exact);
	}
	read_all(text, sizeof text - 1, &s);
	assert_false(s.bad);
}

static void depth_is_bounded(void **state)
{
	enum { DEEP = 100000 };
	char *text = mem_alloc(DEEP + 16);
	struct seen s;

	(void)state;
	memcpy(text, "{\"z\":", 5);
	memset(text + 5, '[', DEEP);
	read_all(text, DEEP + 5, &s);
	assert_true(s.bad);
	free(text);
}

static void copies_fit_or_fail(void **state)
{
	struct walk_text t = { .p = "abcd", .n = 4 };
	char out[5];

	(void)state;
	assert_true(walk_copy(&t, out, 5));
	assert_string_equal(out, "abcd");
	assert_false(walk_copy(&t, out, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(every_prefix_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(copies_fit_or_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
