/* prompt_lines.h - the recent interactions as the built-in template lists them in a prompt. Pure. */
#ifndef RECAGENT_LOCAL_PROMPT_LINES_H
#define RECAGENT_LOCAL_PROMPT_LINES_H

#include "base/mem.h"
#include "rec/rank.h"

#define PROMPT_LINES_MAX 32

/* The last interactions of lines such as `- CLICK item=A13 category="summer wear"`, oldest first; memory in the
 * arena. Returns how many, at most PROMPT_LINES_MAX. A custom template may have none. */
size_t prompt_lines(struct arena *a, const char *prompt, size_t n, struct rank_recent out[PROMPT_LINES_MAX]);

#endif
