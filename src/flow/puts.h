/* puts.h - put many records on a stream: batches, lanes, resending, back-off. The engine under publish.
 *
 * Keys are spread over lanes by hash; each lane has one call in flight, so several batches are under way and
 * a key's records leave in order. A batch closes by count, bytes, linger, or when the window is full. Only
 * failed entries are sent again, before anything newer of their lane. With order_key no call holds two
 * records of one key (but in one aggregate), so that a partial failure can't overtake. Results come back in order of submission.
 * With `aside` what the stream does not take is kept elsewhere, and what must stay behind it goes the same way.
 * One thread submits. done and idle come from the lanes' threads or from puts_submit, never two at once; outage comes from a
 * lane's thread with the lock held and must not call back. */
#ifndef RECAGENT_FLOW_PUTS_H
#define RECAGENT_FLOW_PUTS_H

#include "port/stream.h"
#include <stdbool.h>

struct put_in {
	const char *data, *partition_key, *explicit_hash_key; /* copied; explicit_hash_key may be NULL */
	size_t len;
	bool hold_for_ever;    /* not bound by give_up_ms: the line comes from a group and would be lost */
	const struct err *err; /* set: not to be put, takes only its place in the order */
};

struct put_result {
	const char *shard_id, *sequence_number; /* "" unless stored; borrowed for the call */
	const struct err *err;                  /* NULL: stored, or kept aside */
	bool kept;
	bool packed; /* stored with others in an aggregate (rec/aggregate.h), as its number `subsequence` */
	uint64_t subsequence;
	struct put_in in; /* with err: what was to be put */
};

/* Where records go that the stream does not take. Called by any lane, without the lock; must not call back. */
struct puts_aside {
	int64_t after_ms; /* a record that has failed for so long is kept */
	/* Has any record to be looked at: is one aside, or `shut`? */
	bool (*busy)(void *arg);
	/* Is a record of a key of this hash aside, so that this one may not be sent before it? */
	bool (*behind)(void *arg, uint32_t hash);
	/* Nothing goes through at all: from now on everything is to be kept, until something does (shut is false again). */
	void (*shut_down)(void *arg);
	bool (*shut)(void *arg);
	/* Keep them, in this order, for good (0), or none (-1: full, or the disk): then they are held here. */
	int (*keep)(void *arg, const struct put *v, const uint32_t *hash, size_t n, struct err *e);
	void *arg;
};

struct puts_conf {
	struct stream *stream;
	unsigned lanes;                    /* calls in flight at most, 1..64 */
	size_t batch_records, batch_bytes; /* of one call; aggregates count as records */
	size_t aggregate_bytes; /* put records for one shard together, into aggregates of up to so many bytes; 0: no */
	size_t window_records, window_bytes; /* unreported: backpressure */
	int64_t linger_ms;                   /* a lone record waits so long for company */
	int64_t give_up_ms;                  /* an outage that lasts longer fails the record */
	int64_t grace_ms; /* after a stop signal (stop.h) any record fails when it lasts longer */
	int64_t retry_ms; /* first pause after a failure, doubled for each further one; 0: 100 */
	bool order_key;
	bool patient; /* ERR_LOCAL (a store's disk is full) passes, too: hold it like ERR_UNAVAILABLE */
	const struct puts_aside *aside; /* NULL: none. Else give_up_ms is for what it has no room for */
	bool want_receipts;             /* else put_result has no texts for what was stored */
	/* Once per record, in order of submission. job: the memory of puts_make, for the call. */
	void (*done)(const struct put_result *r, void *job, void *arg);
	void (*idle)(void *arg); /* nothing more to report now: flush */
	/* Once when calls can't be made or nothing of them is taken (e), once when all lanes go on again (NULL). */
	void (*outage)(const struct err *e, void *arg);
	/* Nobody waits for the rest any more: what fails is not tried again. NULL: never. */
	bool (*leaving)(void *arg);
	void *arg;
};

struct puts;
struct puts *puts_open(const struct puts_conf *c);
/* Begin a record: the job's memory (job_len bytes, aligned as malloc does), to be filled before puts_submit. */
void *puts_make(struct puts *q, const struct put_in *in, size_t job_len);
void puts_submit(struct puts *q); /* what was made; blocks while the window is full */
void puts_drain(struct puts *q);  /* send what lingers, wait until all is reported */
/* Make no call any more: what is not stored fails (ERR_UNAVAILABLE, code stopped) when its lane's call under way has ended. Any
 * thread, any time before puts_close. */
void puts_abandon(struct puts *q);
void puts_close(struct puts *q);                   /* drains, frees */
uint32_t puts_key_hash(const char *partition_key); /* as aside gets it */

#endif
