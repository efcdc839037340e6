/* prompt_text.h - hostile values made fit to stand in a prompt. Inside src/rec only. */
#ifndef RECAGENT_REC_PROMPT_TEXT_H
#define RECAGENT_REC_PROMPT_TEXT_H

#include "base/buf.h"
#include <cjson/cJSON.h>

/* A string: bare when of [A-Za-z0-9_.:-], else quoted as JSON; at most max characters, with an
 * ellipsis when cut. */
bool prompt_string(struct buf *out, const char *s, size_t n, size_t max);

/* A typed value as compact JSON of at most max characters, cut with an ellipsis. typed NULL: {}. */
bool prompt_json(struct buf *out, const cJSON *typed, size_t max);

#endif
