/* vectors.h - test data that nobody here wrote: read from $RECAGENT_SHARED/vectors (../shared beside the checkout), never
 * committed. A checkout alone does not have it: there such a test is skipped and says so; in CI that is a failure. */
#ifndef RECAGENT_UNIT_VECTORS_H
#define RECAGENT_UNIT_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* The path of rel below the vectors; ends the test when there are none. */
static inline void vectors_path(char *out, size_t size, const char *rel)
{
	const char *shared = getenv("RECAGENT_SHARED");
	int n = snprintf(out, size, "%s/vectors/", shared && *shared ? shared : "../shared");
	bool there = n > 0 && (size_t)n < size && access(out, R_OK) == 0;
	if (!there && getenv("CI"))
		fail_msg("cannot read %s (set RECAGENT_SHARED)", out);
	if (!there)
		skip();
	int m = snprintf(out + n, size - (size_t)n, "%s", rel);
	assert_true(m >= 0 && (size_t)m < size - (size_t)n);
}

#endif
