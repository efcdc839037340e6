/* counted_event.h - what the agent reads of a record. Pure. */
#ifndef RECAGENT_LOCAL_COUNTED_EVENT_H
#define RECAGENT_LOCAL_COUNTED_EVENT_H

#include "base/mem.h"
#include <stdbool.h>

struct counted_event {                            /* texts in the arena */
	const char *key, *item, *type, *category; /* key NULL, category "": not there */
};
/* false: not an interaction with an item (no JSON object, no item_id or event_type, a hostile id). */
bool counted_event(
	struct arena *a, const char *data, size_t n, const char *key_name, struct counted_event *out);

#endif
