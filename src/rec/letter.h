/* letter.h - a dead letter: the line in it, to be fed back. Pure. */
#ifndef RECAGENT_REC_LETTER_H
#define RECAGENT_REC_LETTER_H

#include "base/buf.h"
#include "base/err.h"

struct json_object;
struct json_member;
/* The line that a dead letter holds, into line, which must be a JSON object, completed with the letter's event_id if it has
 * none; *source is where its own _source stands in it (type JSON_NONE: none), *obj the object. ERR_REFUSED: no dead letter, or
 * one whose line can't be fed back. */
int letter_line(struct buf *line, struct json_object *obj, struct json_member *source, const char *letter,
	size_t n, struct err *e);

#endif
