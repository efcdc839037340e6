/* log_test.c - the text of messages, as they arrive on standard error. */
#include "check.h"

#include "base/log.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int saved, pipe_in;

static void capture(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	saved = dup(2);
	dup2(fds[1], 2);
	close(fds[1]);
	pipe_in = fds[0];
}

static const char *captured(void)
{
	static char text[8192];
	ssize_t n;

	dup2(saved, 2);
	close(saved);
	n = read(pipe_in, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(pipe_in);
	return text;
}

static void test_errors(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int verbosity;
		uint64_t line;
		struct err e;
		const char *want;
	} rows[] = {
		{ "with a line", 0, 17, { .cls = ERR_REFUSED, .code = "invalid-json", .msg = "not JSON" },
			"recagent publish: line 17: not JSON\n" },
		{ "without", 0, 0, { .cls = ERR_LOCAL, .msg = "cannot open x" },
			"recagent publish: cannot open x\n" },
		{ "with a code", 0, 0,
			{ .cls = ERR_FAILED,
				.http = 400,
				.code = "ResourceNotFoundException",
				.msg = "no stream",
				.request_id = "r-1" },
			"recagent publish: no stream (ResourceNotFoundException)\n" },
		{ "code in the sentence", 0, 0, { .cls = ERR_FAILED, .code = "Denied", .msg = "Denied: no" },
			"recagent publish: Denied: no\n" },
		{ "request id with -v", 1, 0,
			{ .cls = ERR_FAILED, .code = "Denied", .msg = "no", .request_id = "r-1" },
			"recagent publish: no (Denied, request r-1)\n" },
		{ "reader gone", 0, 3, { .cls = ERR_PIPE, .msg = "gone" }, "" },
		{ "stopped", 0, 0, { .cls = ERR_STOPPED, .msg = "signal" }, "" },
		{ "hostile", 0, 0, { .cls = ERR_REFUSED, .msg = "a\033[2J\xc2\x9b\nb" },
			"recagent publish: a?[2J???b\n" },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		log_init("publish", rows[i].verbosity);
		capture();
		log_line_error(rows[i].line, &rows[i].e);
		CHECK_STR(rows[i].name, captured(), rows[i].want);
	}
	capture();
	log_error(NULL);
	assert_string_equal(captured(), "");
}

static void test_levels(void **state)
{
	(void)state;
	static const char *const want[] = { "recagent x: say 1\n", "recagent x: say 1\nrecagent x: note\n",
		"recagent x: say 1\nrecagent x: note\nrecagent x: trace\n" };

	for (int v = 0; v < 3; v++) {
		log_init("x", v);
		assert_int_equal(log_verbosity(), v);
		capture();
		log_say("say %d", 1);
		log_note("note");
		log_trace("trace");
		log_progress("not on a pipe");
		log_progress(NULL);
		CHECK_STR("level", captured(), want[v]);
	}
	log_init(NULL, 0);
	capture();
	log_say("bare");
	assert_string_equal(captured(), "recagent: bare\n");
}

static void test_long(void **state)
{
	(void)state;
	char *text = malloc(100000);

	assert_non_null(text);
	memset(text, 'x', 99999);
	text[99999] = '\0';
	log_init("x", 0);
	capture();
	log_say("%s", text);
	free(text);
	const char *got = captured();
	assert_int_equal(got[strlen(got) - 1], '\n');
	assert_true(strlen(got) > 1000 && strlen(got) < 4096);
}

static void test_outage(void **state)
{
	(void)state;
	struct err e = { .cls = ERR_UNAVAILABLE, .code = "ThrottlingException", .msg = "slow down" };

	log_init("x", 0);
	capture();
	log_outage("kinesis", true, NULL);
	log_outage("kinesis", false, &e);
	log_outage("kinesis", false, &e);
	log_outage("dynamodb", false, NULL);
	log_outage("kinesis", true, NULL);
	log_outage("kinesis", true, NULL);
	const char *got = captured();
	const char *begin = "recagent x: kinesis: unavailable, holding and trying again: slow down "
			    "(ThrottlingException)\n"
			    "recagent x: dynamodb: unavailable, holding and trying again: unavailable\n"
			    "recagent x: kinesis: available again after 0.";
	assert_memory_equal(got, begin, strlen(begin));
	assert_string_equal(got + strlen(begin) + 1, " s\n");
	capture();
	log_outage("kinesis", false, &e);
	assert_string_equal(captured(), "recagent x: kinesis: unavailable, holding and trying again: slow "
					"down (ThrottlingException)\n");
}

static void test_closed(void **state)
{
	(void)state;
	int keep = dup(2);

	close(2);
	log_say("nobody reads this");
	dup2(keep, 2);
	close(keep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
