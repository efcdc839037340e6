/* err_test.c - the error value: text, cuts, classes, exit statuses. */
#include "check.h"

#include "base/err.h"
#include <errno.h>

static void test_set(void **state)
{
	(void)state;
	struct err e = { .http = 500, .request_id = "old" };

	assert_int_equal(err_set(&e, ERR_FAILED, "ResourceNotFoundException", "no stream %s", "s"), -1);
	assert_string_equal(e.msg, "no stream s");
	assert_string_equal(e.code, "ResourceNotFoundException");
	assert_int_equal(e.http, 0);
	assert_string_equal(e.request_id, "");
	assert_int_equal(err_set(NULL, ERR_FAILED, "", "x"), -1);
	assert_int_equal(err_errno(NULL, ERR_LOCAL, EIO, "x"), -1);
	assert_int_equal(err_prefix(NULL, "x"), -1);
	err_clear(NULL);
	err_set(&e, ERR_FAILED, e.code, "again: %s", e.msg); /* arguments out of itself */
	assert_string_equal(e.msg, "again: no stream s");
	assert_string_equal(e.code, "ResourceNotFoundException");
	err_prefix(&e, "cannot read %d: ", 7);
	assert_string_equal(e.msg, "cannot read 7: again: no stream s");
	err_errno(&e, ERR_LOCAL, ENOENT, "cannot open %s", "/x");
	assert_string_equal(e.msg, "cannot open /x: No such file or directory");
	err_clear(&e);
	assert_int_equal(e.cls, ERR_NONE);
}

static void test_long_texts_are_cut(void **state)
{
	(void)state;
	struct err e;
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_REFUSED, text, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_int_equal(strlen(e.code), sizeof(e.code) - 1);
	err_prefix(&e, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	err_errno(&e, ERR_LOCAL, ENOSPC, "%s", text);
	assert_non_null(strstr(e.msg, ": No space left on device"));
	/* A cut inside a character leaves no half of it. */
	for (size_t shift = 0; shift < 3; shift++) {
		memset(text, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		err_set(&e, ERR_REFUSED, "", "%s", text);
		for (const char *p = e.msg + shift; (unsigned char)*p >= 0x80; p += 3)
			assert_memory_equal(p, "\xe2\x82\xac", 3);
	}
}

static void test_harmless(void **state)
{
	(void)state;
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "plain", "abc ~", "abc ~" },
		{ "escape and newline", "a\033[2Jb\nc\r\t", "a?[2Jb?c??" },
		{ "DEL", "\x7f", "?" },
		{ "C1 as UTF-8",
			"a\xc2\x9b"
			"31m",
			"a??31m" },
		{ "first character after C1", "\xc2\xa0", "\xc2\xa0" },
		{ "C1 as a bare byte", "a\x9b", "a?" },
		{ "characters of 2, 3, 4 bytes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
			"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "overlong", "\xc0\x9b", "??" },
		{ "overlong of three", "\xe0\x82\x9b", "???" },
		{ "surrogate", "\xed\xa0\x80", "???" },
		{ "cut off", "a\xe2\x82", "a??" },
		{ "beyond Unicode", "\xf4\x90\x80\x80", "????" },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", rows[i].in);
		text_harmless(text);
		CHECK_STR(rows[i].name, text, rows[i].want);
	}
}

static void test_classes(void **state)
{
	(void)state;
	static const struct {
		enum err_class cls;
		const char *name;
		int exit;
	} rows[] = {
		{ ERR_NONE, "none", 0 },
		{ ERR_REFUSED, "refused", 1 },
		{ ERR_UNAVAILABLE, "unavailable", 5 },
		{ ERR_FAILED, "failed", 4 },
		{ ERR_LOCAL, "local", 3 },
		{ ERR_USAGE, "usage", 2 },
		{ ERR_LEASE_LOST, "lease-lost", 7 },
		{ ERR_PIPE, "pipe", 8 },
		{ ERR_STOPPED, "stopped", 0 },
		{ ERR_INTERNAL, "internal", 6 },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct err e = { .cls = rows[i].cls };

		CHECK_STR(rows[i].name, err_class_name(rows[i].cls), rows[i].name);
		CHECK_INT(rows[i].name, err_exit(&e), rows[i].exit);
	}
	assert_int_equal(err_exit(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
