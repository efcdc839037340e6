/* books.h - what became of each event, from what the stages of a run wrote. The engine under audit.
 *
 * Lines of each stage's output are entered in any order of files; books_close then says for each event how far it came. An event
 * is known by its event_id, a record without one by its position. Since every command writes its output in the order of its
 * input, an event whose position a later line of its shard has passed at a stage is missing there; behind the last line it
 * is still under way, unless the stage ended with the mark `end`. Belongs to one thread. */
#ifndef RECAGENT_FLOW_BOOKS_H
#define RECAGENT_FLOW_BOOKS_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

enum books_kind { /* whose output a line is; the stages in the order of the pipe */
	BOOKS_PUBLISH,
	BOOKS_CONSUME, /* or replay */
	BOOKS_PROMPT,
	BOOKS_INVOKE,
	BOOKS_ACK, /* with --tee */
	BOOKS_STAGES,
	BOOKS_DEAD = BOOKS_STAGES, /* dead letters */
	BOOKS_LEDGER,
	BOOKS_KINDS
};
/* "publish", ..., "dead", "ledger". */
extern const char *const books_kinds[BOOKS_KINDS];

enum books_state {
	BOOKS_DONE,
	BOOKS_SWALLOWED, /* a mark stands in its place: a user without enough events */
	BOOKS_DEAD_LETTER,
	BOOKS_FAILED,    /* refused or failed, and no dead letter has it */
	BOOKS_UNDER_WAY, /* in the spool, or behind the last line of the next stage */
	BOOKS_MISSING,
	BOOKS_STATES
};
extern const char *const books_states[BOOKS_STATES];

struct books_event {
	const char *event_id; /* NULL: it has none */
	enum books_state state;
	enum books_kind at;                     /* the stage that it has not come through, unless done */
	unsigned seen[BOOKS_STAGES];            /* lines about it */
	unsigned copies;                        /* places in the stream: more than 1 is doubled */
	bool redelivered;                       /* twice from the same place */
	const char *shard_id, *sequence_number; /* the first place, NULL unknown */
	uint64_t subsequence;
};

struct books_sum {
	uint64_t events, states[BOOKS_STATES];
	uint64_t doubled, redelivered;
	uint64_t unidentified; /* dead letters in which no event_id can be read */
	uint64_t ledgers, unbalanced;
};

struct books;
/* max_events: more are ERR_LOCAL. Memory: about 200 bytes an event. */
struct books *books_new(uint64_t max_events);
/* One line of a stage's output. ERR_REFUSED: it is no such line. */
int books_enter(struct books *b, enum books_kind kind, const char *line, size_t n, struct err *e);
/* In the order in which events were first seen; what a ledger says more than there are lines comes as why. */
int books_close(struct books *b, struct books_sum *sum,
	int (*on_event)(const struct books_event *v, void *arg, struct err *e),
	int (*on_ledger)(const char *why, void *arg, struct err *e), void *arg, struct err *e);
void books_free(struct books *b);

#endif
