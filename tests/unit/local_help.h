/* local_help.h - a throw-away directory and short hands for tests of the embedded store. */
#ifndef RECAGENT_TESTS_LOCAL_HELP_H
#define RECAGENT_TESTS_LOCAL_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "local/local.h"

static char test_dir[256];   /* of one test */
static char test_store[300]; /* below it, not made yet */

static inline int dir_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(test_dir, sizeof test_dir, "%.200s/recagent-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(test_dir))
		return -1;
	snprintf(test_store, sizeof test_store, "%s/store", test_dir);
	return 0;
}

static inline int dir_teardown(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", test_dir, (char *)NULL);
		_exit(127);
	}
	int status = -1;
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)

/* The call went well, else its message is the failure. */
#define OK(call)                                                                                             \
	do {                                                                                                 \
		struct err e_ = { 0 };                                                                       \
		struct err *e = &e_;                                                                         \
		if ((call) != 0)                                                                             \
			fail_msg("%s: %s", #call, e->msg);                                                   \
	} while (0)

/* The call fails with this class and code. */
#define FAILS(call, class, name)                                                                             \
	do {                                                                                                 \
		struct err e_ = { 0 };                                                                       \
		struct err *e = &e_;                                                                         \
		if ((call) != -1)                                                                            \
			fail_msg("%s went well", #call);                                                     \
		if (e->cls != (class) || strcmp(e->code, name) != 0)                                         \
			fail_msg("%s: class %d code %s: %s", #call, (int)e->cls, e->code, e->msg);           \
	} while (0)

static inline struct stream *make_stream(const char *name, unsigned shards)
{
	struct stream *s;

	OK(local_open_stream(test_store, name, &s, e));
	OK(stream_create(s, shards, e));
	return s;
}

static inline struct table *make_table(const char *name, const char *key)
{
	struct table *t;

	OK(local_open_table(test_store, name, key, &t, e));
	OK(table_create(t, e));
	return t;
}

static inline void put_text(struct stream *s, const char *key, const char *data)
{
	struct put p = { .data = data, .len = strlen(data), .partition_key = key };

	OK(stream_put(s, &p, 1, e));
	assert_int_equal(p.err.cls, ERR_NONE);
}

/* Behind the adapter's back. */
static inline void sql(const char *text)
{
	char path[400], *msg = NULL;
	sqlite3 *h;

	snprintf(path, sizeof path, "%s/recagent.db", test_store);
	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	sqlite3_busy_timeout(h, 10000);
	if (sqlite3_exec(h, text, NULL, NULL, &msg) != SQLITE_OK)
		fail_msg("%s: %s", text, msg);
	sqlite3_close(h);
}

static inline struct cursor cursor_at(const char *shard, enum position_kind kind)
{
	struct cursor c = { 0 };

	snprintf(c.shard_id, sizeof c.shard_id, "%s", shard);
	c.next.kind = kind;
	return c;
}

#endif
