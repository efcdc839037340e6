/* json_scan.h - the scanner's state, shared by json_scan.c and json_string.c. Private to them. */
#ifndef RECAGENT_BASE_JSON_SCAN_H
#define RECAGENT_BASE_JSON_SCAN_H

#include "base/json_text.h"

enum json_status { GOOD, BAD, ENDED };

/* A scan in progress. */
struct scan {
	bytes s, p, end;
	const char *why; /* set with BAD; p then stands at the trouble */
	size_t base;     /* containers around the value that is scanned */
	bool newlines;
	bool escaped; /* the last string had a backslash */
};

static inline enum json_status json_bad(struct scan *c, const char *why)
{
	c->why = why;
	return BAD;
}

/* A string: p stands at its opening quote and then behind the closing one. */
enum json_status json_scan_string(struct scan *c);

#endif
