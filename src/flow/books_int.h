/* books_int.h - what the two parts of the account share; nobody else includes it. Memory: the arena's. */
#ifndef RECAGENT_FLOW_BOOKS_INT_H
#define RECAGENT_FLOW_BOOKS_INT_H

#include "base/map.h"
#include "flow/books.h"

struct reach { /* how far a stage's lines of a shard go */
	const char *seq;
	uint64_t sub;
};

struct shard_book {
	const char *id;
	struct reach reach[BOOKS_STAGES];
};

struct place { /* one record of the stream */
	struct shard_book *shard;
	const char *seq;
	uint64_t sub;
	struct entry *entry; /* what is there; NULL: only marks have named it */
	struct place *next;  /* of the entry */
	uint16_t lines[BOOKS_STAGES], marks[BOOKS_STAGES];
};

struct entry { /* one event */
	const char *id;
	struct place *places;
	unsigned seen[BOOKS_STAGES];
	unsigned failed; /* bit per stage: its last line there is an error */
	bool stored, spooled, dead, redelivered;
};

struct ledger_sum {
	uint64_t n, out;
};

struct books {
	struct arena arena;
	struct map ids, places, shards;
	struct entry **events;
	uint64_t n, cap, max_events;
	bool given[BOOKS_STAGES], ended[BOOKS_STAGES];
	uint64_t lines[BOOKS_STAGES], marks[BOOKS_STAGES];
	uint64_t unidentified;
	struct ledger_sum ledgers[BOOKS_STAGES];
	uint64_t all_ledgers, unbalanced;
	char first_unbalanced[160];
};

/* books_close.c */
int ledger_enter(struct books *b, const char *line, size_t n, struct err *e);

#endif
