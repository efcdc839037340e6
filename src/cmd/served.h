/* served.h - what is served for a key: its entry while that is fresh, or stale within what is allowed, else a fallback. There is
 * always an answer. Belongs to one thread. */
#ifndef RECAGENT_CMD_SERVED_H
#define RECAGENT_CMD_SERVED_H

#include "base/json.h"
#include "cmd/lookup.h"

struct served {
	const char *key_name;
	int64_t max_stale_ms;
	struct lookup *lookup; /* asked for what is popular */
	cJSON *file;           /* items of the fallback file, or NULL */
	cJSON *others;         /* else: popular or built-in items, until served_again */
};
/* Read the fallback file. ERR_USAGE: there is nothing in it that can be served; the next fallback serves then. */
int served_file(struct served *s, const char *path, struct err *e);
/* Append the line of a key. item: its entry or NULL; trouble: why it could not be read, or NULL. Returns why the fallback is
 * served, NULL when it is not. */
const char *served_line(
	struct served *s, struct buf *out, const char *key, const cJSON *item, const struct err *trouble);
void served_again(struct served *s); /* what is popular is asked for anew */
void served_release(struct served *s);

#endif
