/* check.h - cmocka with the row of a table in each failure. */
#ifndef RECAGENT_UNIT_CHECK_H
#define RECAGENT_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

#define CHECK(row, cond)                                                                                     \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			fail_msg("%s: %s", (row), #cond);                                                    \
	} while (0)

#define CHECK_INT(row, got, want)                                                                            \
	do {                                                                                                 \
		long long got_ = (long long)(got), want_ = (long long)(want);                                \
		if (got_ != want_)                                                                           \
			fail_msg("%s: %s is %lld, not %lld", (row), #got, got_, want_);                      \
	} while (0)

#define CHECK_STR(row, got, want)                                                                            \
	do {                                                                                                 \
		const char *got_ = (got), *want_ = (want);                                                   \
		if (!got_ || strcmp(got_, want_) != 0)                                                       \
			fail_msg("%s: %s is '%s', not '%s'", (row), #got, got_ ? got_ : "(null)", want_);    \
	} while (0)

#endif
