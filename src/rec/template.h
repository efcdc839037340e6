/* template.h - render a prompt from a profile.
 *
 * A template is UTF-8 text with
 *   {{user_id}} or {{key}}       KEY's value, whatever KEY is called in the lines
 *   {{preferences}}              compact JSON, {} when there are none, cut at 2,000 characters
 *   {{count}} {{now}}            items asked for; the time (RFC 3339)
 *   {{#history}}..{{/history}}   rendered per event, most recent last; any number of sections
 *   {{event_type}} {{EVENT_TYPE}} (upper case) {{item_id}} {{category}} {{timestamp}}
 *                                in a section; `unknown` where the event has none
 *   {{metadata}}                 in a section: compact JSON, cut at 200 characters
 *   {{!...}}                     a comment
 *   {{{{                         two literal braces; }} outside a tag is literal anyway
 * White space inside a tag is ignored. A line with nothing but one section tag or comment is left
 * out whole. An unknown name, a history name outside a section, a section inside a section, and a
 * tag or section left open are errors with their line.
 *
 * Values from events are hostile: each is one line of at most 200 characters, quoted unless of
 * [A-Za-z0-9_.:-]; no control, bidi or separator character and none of < > ` stands in any value
 * (all as \uXXXX), so that marks such as <data> or ``` in a template cannot be closed from inside.
 * Values are never read as template text. Pure; a template is read-only after parsing. */
#ifndef RECAGENT_REC_TEMPLATE_H
#define RECAGENT_REC_TEMPLATE_H

#include "rec/profile.h"

#define TEMPLATE_VALUE_CHARS 200
#define TEMPLATE_PREFERENCES_CHARS 2000

struct template;
/* text NULL: the built-in template. name: for messages. ERR_USAGE "FILE:3: unknown name {{foo}}". */
int template_parse(struct template **out, const char *text, size_t n, const char *name, struct err *e);
void template_free(struct template *t);

struct template_input {
	const char *key;          /* KEY's value */
	const cJSON *preferences; /* typed or NULL */
	const cJSON *history;     /* typed list {"L":[..]} or NULL */
	size_t recent;            /* the last N events of it, 0 = all */
	size_t count;             /* items asked for */
	int64_t now_us;
};
/* Appends to out. ERR_FAILED "prompt-too-large" when the prompt passes out's ceiling. */
int template_render(
	const struct template *t, const struct template_input *in, struct buf *out, struct err *e);

/* One hostile value as it may stand in a prompt. */
bool template_value(struct buf *out, const char *s, size_t n);

/* The built-in template's text. */
const char *template_builtin(void);

#endif
