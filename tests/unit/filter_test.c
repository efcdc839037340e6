/* filter_test.c - lines through a filter whose work fails: what is done behind a line that stays undone. */
/* cmocka has a macro of the name of a function of cmd.h. */
#include "cmd/filter.h"

#include "check.h"
#include <unistd.h>

static unsigned worked;

/* The first line fails in a way that is no line's fault; the trouble is over when the second comes. */
static void fail_once(struct filter_job *j)
{
	if (j->in.no == 1)
		err_set(&j->err, ERR_LOCAL, "disk-full", "no space left");
	worked++;
}

static void refuse_once(struct filter_job *j)
{
	if (j->in.no == 1)
		err_set(&j->err, ERR_REFUSED, "bad", "bad");
	worked++;
}

static void write_line(const struct filter_job *j, struct buf *out)
{
	buf_add(out, j->in.line, j->in.len);
}

static void release(struct filter_job *j)
{
	(void)j;
}

static const char input[] = "{\"user_id\":\"u\",\"n\":1,\"_source\":{\"group\":\"g\",\"owner\":\"o\"}}\n"
			    "{\"user_id\":\"u\",\"n\":2,\"_source\":{\"group\":\"g\",\"owner\":\"o\"}}\n"
			    "{\"user_id\":\"u\",\"n\":3,\"_source\":{\"group\":\"g\",\"owner\":\"o\"}}\n";

static void test_halt(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		void (*work)(struct filter_job *);
		unsigned worked, written;
		enum exit_code status;
	} rows[] = {
		{ "nothing of the key behind an undone line", fail_once, 1, 0, EXIT_LOCAL },
		{ "a refused line stops nothing", refuse_once, 3, 3, EXIT_DONE },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct cmd cmd = { .name = "test", .flags = CMD_LINES_IN | CMD_LINES_OUT };
		struct ctx c = { .cmd = &cmd, .opt = { .key = "user_id", .grace_ms = 1000 } };
		const struct filter_conf conf = { .job_size = sizeof(struct filter_job),
			.workers = 2,
			.window = 16,
			.work = rows[i].work,
			.write = write_line,
			.release = release };
		int in[2], out[2];
		char got[4096];
		unsigned lines = 0;

		worked = 0;
		assert_int_equal(pipe(in), 0);
		assert_int_equal(pipe(out), 0);
		assert_int_equal(write(in[1], input, sizeof input - 1), sizeof input - 1);
		close(in[1]);
		c.in = lines_open(in[0], 1 << 20);
		c.out = out_open_fd(out[1], "test");
		enum exit_code status = filter_run(&c, &conf, NULL);
		assert_int_equal(out_close(c.out, NULL), 0);
		close(out[1]);
		lines_close(c.in);
		close(in[0]);
		for (ssize_t n = read(out[0], got, sizeof got); n > 0; n--)
			lines += got[n - 1] == '\n';
		close(out[0]);
		CHECK_INT(rows[i].name, worked, rows[i].worked);
		CHECK_INT(rows[i].name, lines, rows[i].written);
		CHECK_INT(rows[i].name, status, rows[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_halt) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
