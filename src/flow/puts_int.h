/* puts_int.h - what puts.c (submitting, reporting) and puts_lane.c (calls) share. */
#ifndef RECAGENT_FLOW_PUTS_INT_H
#define RECAGENT_FLOW_PUTS_INT_H

#include "flow/pace.h"
#include "flow/puts.h"
#include <pthread.h>
#include <stdatomic.h>

#define RETRY_FIRST_MS 100

struct trouble {     /* one error for all the records that it struck */
	size_t refs; /* grows before any of them is finished, shrinks in the one thread that reports */
	struct err err;
};

/* A record and what belongs to it are one block: the job, then room for data, key and hash key. That room is no longer
 * needed once the record is stored, and then holds the receipt. */
struct rec {
	struct rec *next;      /* in order of submission; in a list of spare ones */
	struct rec *lane_next; /* in the lane */
	size_t size;           /* of the block */
	char *data, *key, *hash_key;
	size_t len, in_call,
		cost;  /* in_call: what it weighs against batch_bytes; cost: against window_bytes */
	size_t room;   /* from data on */
	uint32_t hash; /* of key */
	bool settled;  /* its lane's own: taken out of the lane */
	bool finished; /* under the lock: may be reported, and is touched by no lane any more */
	bool hold;
	bool kept; /* aside */
	bool packed;
	uint64_t sub; /* in its aggregate */
	bool waits; /* its lane's own: not to be sent now, since a record of its key is aside, or its shard is slow */
	bool granted; /* its lane's own: its shard's pace has room for it */
	struct pace_slot slot;
	int64_t failed_ms; /* its lane's own: not taken since then, 0: not tried, or all well */
	char *receipt;     /* shard id, NUL, sequence number */
	struct trouble *why;
	int64_t queued_ms;
	_Alignas(16) char job[];
};

/* Records of one key in one call. When its answer is lost all of them are sent again, and may then be on the stream twice; prompt
 * knows the last 64 event_ids of a user, so the second ones must come within so many, with room for other publishers'. */
#define KEY_A_CALL 32
#define KEY_CELLS 2048 /* keys that share a cell share the limit, which costs time and nothing else */

struct lane {
	struct puts *q;
	pthread_t thread;
	pthread_cond_t wake;
	/* under the lock */
	struct rec *in_head, *in_tail; /* came since the lane last looked */
	size_t n, bytes;               /* of all in the lane */
	bool started, busy, out;       /* out: counted in puts.out */
	bool watching;                 /* looks up by itself soon enough for a first record */
	/* the lane's thread's own, so that the lock is not held while hundreds of records are walked */
	struct rec *head, *tail;
	unsigned failures;  /* calls or entries refused in a row */
	int64_t trouble_ms; /* since when, 0: none */
	struct put *batch;
	struct rec **taken;
	const struct rec **keys;   /* hash table of the keys taken, with order_key */
	uint8_t of_key[KEY_CELLS]; /* records of the call that is being chosen, by key */
	uint32_t *hashes;          /* of those that are kept aside */
	struct pack *pack;         /* puts_pack.h; NULL: no aggregates */
	bool quiet;                /* nothing came for a while */
	size_t stored;             /* by the last call */
	bool down;                 /* the last call failed whole */
	bool no_room;              /* the last try to keep records aside failed */
	bool paced;                /* some of its records wait for their shard */
	int64_t next_ms;           /* when the first of them may go */
	bool waiting;              /* some of its records wait behind what is aside */
	int64_t due_ms;            /* a record that failed is to be kept aside then, 0: none failed */
};

struct puts {
	struct puts_conf c;
	pthread_mutex_t lock;
	pthread_cond_t space, reported;
	struct rec *head, *tail;
	size_t n, bytes;
	struct rec *spare;       /* reported, for the submitter to take */
	struct rec *mine, *made; /* the submitter's own, no lock: spare ones; the one that is being made */
	struct shardmap *map;    /* with aggregates */
	struct pace *pace;
	size_t keys;              /* slots of a lane's table, a power of two */
	_Atomic int64_t hurry_ms; /* monotonic deadline after a signal, 0: none */
	atomic_bool abandoned;
	unsigned out;    /* lanes that make no progress */
	int64_t took_ms; /* when any record was last taken */
	unsigned passed; /* calls that went through: others need not wait for long any more */
	bool reporting, draining, closing, pressed;
	struct lane lanes[64];
};

/* Put e on the record; *shared: the same error of an earlier record, or NULL at first. */
void rec_set_error(struct rec *r, const struct err *e, struct trouble **shared);
/* Report what is finished at the front. Called with the lock held; the lock is dropped around callbacks. */
void puts_report(struct puts *q);
/* Append a record and start or wake the lane. The lock is held. */
void lane_add(struct lane *l, struct rec *r);
void lane_end(struct lane *l); /* join its thread, free what it has */
/* Keep aside what is due, without the lock: how many records that are (or, at the grace's end with no room, that fail). They are
 * settled, taken out of the lane, and stand first in taken. */
size_t lane_keep(struct lane *l);
void lane_note_due(struct lane *l, const struct rec *r); /* r has failed: when it is to be kept aside */
/* Mark the records whose shard is to be left in peace. */
void lane_pace(struct lane *l);
/* Say what became of the n taken ones in a call that was answered, before they are settled. True: some failed in a way that is
 * not their shard's. */
bool lane_pace_learn(struct lane *l, size_t n, int64_t began_ms);
/* Has the time after a signal passed? */
bool lane_hurried(struct lane *l, int64_t now);
/* Take n settled records out of the lane. */
void lane_unlink(struct lane *l, size_t n);

/* Does the call that is being chosen have room for another record of that key? Later ones of it then wait, too. */
bool lane_takes_key(struct lane *l, const struct rec *r);

#endif
