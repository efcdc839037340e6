/* report_test.c - what becomes of a line by the class of its failure: passed on or not, counted, kept, and the exit status. */
/* cmocka has a macro of the name of a function of cmd.h. */
#include "cmd/report.h"

#include "check.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const struct cmd cmd = { .name = "test", .flags = CMD_LINES_IN | CMD_LINES_OUT };

struct row {
	const char *name;
	enum err_class cls;
	const char *code;
	bool group, answered;
	/* expected */
	bool passed, goes_on;
	int refused, failed;
	enum exit_code status; /* when it is the only line */
};

static const struct row rows[] = {
	{ "done", ERR_NONE, "", true, false, true, true, 0, 0, EXIT_DONE },
	{ "refused", ERR_REFUSED, "bad-event", true, false, true, true, 1, 0, EXIT_DONE },
	{ "given up", ERR_UNAVAILABLE, "timeout", false, false, true, true, 0, 1, EXIT_AWS_UNREACHABLE },
	{ "an outage, from a group", ERR_UNAVAILABLE, "timeout", true, false, false, false, 0, 1,
		EXIT_AWS_UNREACHABLE },
	{ "failed for good", ERR_FAILED, "ValidationException", true, false, true, true, 0, 1,
		EXIT_AWS_REFUSED },
	{ "a bad answer is the line's own", ERR_FAILED, "no-json", true, true, true, true, 0, 1, EXIT_DONE },
	{ "no table", ERR_FAILED, "ResourceNotFoundException", false, false, false, false, 0, 1,
		EXIT_AWS_REFUSED },
	{ "not allowed", ERR_FAILED, "AccessDeniedException", true, false, false, false, 0, 1,
		EXIT_AWS_REFUSED },
	{ "a full disk", ERR_LOCAL, "disk-full", true, false, false, false, 0, 1, EXIT_LOCAL },
	{ "a file that is named wrongly", ERR_USAGE, "", false, false, false, false, 0, 1, EXIT_USAGE },
	{ "our own mistake", ERR_INTERNAL, "", false, false, false, false, 0, 1, EXIT_INTERNAL },
};

/* Messages are not what is tested. */
static int quiet(void **state)
{
	int fd = open("/dev/null", O_WRONLY);

	(void)state;
	return dup2(fd, STDERR_FILENO) < 0 || close(fd);
}

static void test_classes(void **state)
{
	char path[] = "/tmp/report_test.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct row *w = &rows[i];
		struct ctx c = { .cmd = &cmd };
		struct report r;
		struct err why = { 0 }, e = { 0 };
		const struct origin o = { .no = 7, .line = "{}", .len = 2 };

		assert_int_equal(ftruncate(fd, 0), 0);
		c.dead = out_open_file(path, &e);
		c.out = out_open_fd(fd, "out");
		report_init(&r, &c);
		if (w->cls != ERR_NONE)
			err_set(&why, w->cls, w->code, "why");
		CHECK_INT(w->name, report_settle(&r, &o, &why, w->group, w->answered), w->passed);
		CHECK_INT(w->name, report_stopped(&r), !w->goes_on);
		CHECK_INT(w->name, c.ledger.out, w->cls == ERR_NONE);
		CHECK_INT(w->name, c.ledger.refused, w->refused);
		CHECK_INT(w->name, c.ledger.failed, w->failed);
		CHECK_INT(w->name, report_status(&r, 0, &e), w->status);
		report_release(&r);
		assert_int_equal(out_close(c.dead, &e), 0);
		out_close(c.out, &e);
		CHECK_INT(
			w->name, lseek(fd, 0, SEEK_END) > 0, w->cls != ERR_NONE); /* kept, also when undone */
	}
	close(fd);
	unlink(path);
}

/* Behind a line that ended it nothing is written, whatever became of it. */
static void test_nothing_behind_the_end(void **state)
{
	char path[] = "/tmp/report_test.XXXXXX";
	int fd = mkstemp(path);
	struct ctx c = { .cmd = &cmd };
	struct report r;
	struct err why = { 0 }, e = { 0 };
	const struct origin o = { .no = 1, .line = "{}", .len = 2 };

	(void)state;
	c.out = out_open_fd(fd, "out");
	report_init(&r, &c);
	assert_true(report_settle(&r, &o, NULL, true, false));
	buf_str(&r.line, "first");
	report_write(&r);
	err_set(&why, ERR_LOCAL, "disk-full", "no space left");
	assert_false(report_settle(&r, &o, &why, true, false));
	assert_false(report_settle(&r, &o, NULL, true, false));
	report_mark(&r);
	buf_str(&r.line, "mark");
	report_write(&r);
	report_flush(&r);
	assert_int_equal(r.undone, 2);
	assert_int_equal(c.ledger.out, 1);
	assert_int_equal(c.ledger.failed, 2);
	assert_int_equal(report_status(&r, 0, &e), EXIT_LOCAL);
	report_release(&r);
	out_close(c.out, &e);
	assert_int_equal(lseek(fd, 0, SEEK_END), 6);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_nothing_behind_the_end),
	};
	return cmocka_run_group_tests_name("report", tests, quiet, NULL);
}
