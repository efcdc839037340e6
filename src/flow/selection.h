/* selection.h - which events of an archive or a stream are wanted, and when each has its turn. */
#ifndef RECAGENT_FLOW_SELECTION_H
#define RECAGENT_FLOW_SELECTION_H

#include "base/clock.h"
#include "base/err.h"
#include <stddef.h>

struct selection {
	struct when since, until;      /* WHEN_TIME: from then on; before then */
	const char *key_name, *key_is; /* member and its value; key_is NULL: any */
	const char *type;              /* event_type, NULL: any */
};
/* Sets *us to the event's time, 0 when it has none: then time does not choose. What is no JSON object is wanted unless a KEY or
 * a type is. Pure. */
bool selection_has(const struct selection *s, const char *p, size_t n, int64_t *us);

struct pace {
	double speed; /* N times as fast as it was; 0: as fast as it goes */
	int64_t first_us, started_ms;
};
/* Milliseconds until the event's turn, 0: now. Counts from the first event that has a time. */
int64_t pace_wait_ms(struct pace *p, int64_t us);
/* "max" or a number above 0. ERR_USAGE. */
int pace_parse(struct pace *p, const char *text, struct err *e);

#endif
