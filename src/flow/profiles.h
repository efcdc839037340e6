/* profiles.h - stored profiles: an event applied once, a prompt rendered. Thread-safe for different keys. */
#ifndef RECAGENT_FLOW_PROFILES_H
#define RECAGENT_FLOW_PROFILES_H

#include "port/table.h"
#include "rec/event.h"
#include "rec/template.h"

struct profiles {
	struct table *table;
	struct template *template;
	size_t history, recent, count; /* kept; shown; items asked for */
	int64_t min_events;            /* fewer applied: cold, no prompt */
};

struct applied {
	struct buf prompt; /* reset first */
	int64_t version;
	bool cold;
};

/* One attempt: read, apply, write under the condition that nobody wrote in between, render. An event that is known changes
 * nothing and is answered with the prompt as it is now, so a write whose reply was lost is found when the caller tries again.
 * cond_failed(e): another writer was faster, try again. */
int profiles_apply(const struct profiles *p, const struct event *ev, const char *line, struct applied *out,
	struct err *e);
/* The prompt of a stored profile. ERR_FAILED "no-profile". */
int profiles_prompt(const struct profiles *p, const char *key, struct buf *out, struct err *e);

#endif
