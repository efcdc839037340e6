/* template.h - render a prompt from a profile.
 *
 * A template is text with {{user_id}} (KEY's value), {{preferences}}, {{count}}, {{now}}, and one
 * {{#history}}...{{/history}} section, rendered per event, most recent last, with {{event_type}}, {{EVENT_TYPE}} (upper case),
 * {{item_id}}, {{category}}, {{timestamp}}, {{metadata}}. An unknown name is an error with its line. Values from events are
 * hostile: one line, at most 200 characters, quoted unless of [A-Za-z0-9_.:-]. Pure; a template is read-only after parsing. */
#ifndef RECAGENT_REC_TEMPLATE_H
#define RECAGENT_REC_TEMPLATE_H

#include "rec/profile.h"

struct template;
/* text NULL: the built-in template. name: for messages. ERR_USAGE "FILE:3: unknown name {{foo}}". */
int template_parse(struct template **out, const char *text, size_t n, const char *name, struct err *e);
void template_free(struct template *t);

struct template_input {
	const char *key;          /* KEY's value */
	const cJSON *preferences; /* typed or NULL */
	const cJSON *history;     /* typed list {"L":[..]} */
	size_t recent;            /* the last N events of it */
	size_t count;             /* items asked for */
	int64_t now_us;
};
int template_render(
	const struct template *t, const struct template_input *in, struct buf *out, struct err *e);

/* One hostile value as it may stand in a prompt. */
bool template_value(struct buf *out, const char *s, size_t n);

#endif
