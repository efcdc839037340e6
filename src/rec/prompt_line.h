/* prompt_line.h - the line between prompt and invoke: KEY, prompt, event_id, timestamp, version, prompt_hash, _source. Pure. */
#ifndef RECAGENT_REC_PROMPT_LINE_H
#define RECAGENT_REC_PROMPT_LINE_H

#include "rec/event.h"

#define PROMPT_HASH_MAX 128

/* Append the line for an event; KEY, event_id, timestamp and _source go over as they stand in the event's line. */
bool prompt_line_write(struct buf *out, const char *line, const struct event *ev, const char *prompt,
	size_t n, int64_t version);

struct prompt_line {
	struct buf text;                /* the prompt, escapes undone */
	int64_t version;                /* -1: none */
	char hash[PROMPT_HASH_MAX + 1]; /* "" none */
};
/* Read what a prompt line has beyond an event's members. ERR_REFUSED: prompt missing, empty or no string; version no whole
 * number; prompt_hash no string of 1 to 128 bytes. Release in every case. */
int prompt_line_read(struct prompt_line *p, const char *line, size_t n, struct err *e);
void prompt_line_release(struct prompt_line *p);

#endif
