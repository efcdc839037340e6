/* user_state.h - what the embedded agent knows of the user who is asked about: from the prompt, from the events
 * counted, from the stored profile. */
#ifndef RECAGENT_LOCAL_USER_STATE_H
#define RECAGENT_LOCAL_USER_STATE_H

#include "local/counts.h"
#include "local/prompt_lines.h"
#include "port/agent.h"

struct user_state { /* texts in the arena */
	/* The prompt's interactions; without any (a custom template) the events counted. Oldest first. */
	struct rank_recent recent[PROMPT_LINES_MAX];
	int64_t recent_id[PROMPT_LINES_MAX]; /* 0: not counted yet */
	size_t nrecent;
	struct counts_user events;
	const char **bought; /* item_ids of purchases in the profile's history */
	size_t nbought;
};

int user_state_load(struct user_state *u, struct db *d, struct arena *arena, const struct agent_question *q,
	struct err *e);
/* Bought, or skipped last, by the events counted; bought, by the profile. What the recent interactions say is
 * rank_items' to see. */
bool user_state_refuses_id(const struct user_state *u, int64_t id);
bool user_state_refuses(const struct user_state *u, const char *item_id);

#endif
