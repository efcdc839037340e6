/* puts.h - put many records on a stream: batches, lanes, resending, back-off. The engine under publish.
 *
 * Keys are spread over lanes by hash; each lane has one call in flight, so several batches are under way and a key's records
 * leave in order. A batch closes by count, bytes or linger. Only failed entries are sent again, before anything newer of
 * their lane. With order_key no call holds two records of one key. Results come back in order of submission. */
#ifndef RECAGENT_FLOW_PUTS_H
#define RECAGENT_FLOW_PUTS_H

#include "port/stream.h"
#include <stdbool.h>

struct puts_conf {
	struct stream *stream;
	unsigned lanes; /* calls in flight at most */
	size_t batch_records, batch_bytes, record_bytes;
	int64_t linger_ms;
	size_t window, window_bytes; /* unreported records and their bytes: backpressure */
	bool order_key;
	int64_t give_up_ms; /* an outage that lasts longer fails the record; <0 never */
	/* Called once per record, in order of submission, one at a time; frees job. p->err tells. */
	void (*done)(struct put *p, void *job, void *arg);
	void (*idle)(void *arg); /* nothing more to report now: flush */
	void *arg;
};

struct puts;
struct puts *puts_open(const struct puts_conf *c);
/* Copies p's strings and data. Blocks while the window is full. A record over record_bytes is reported as refused.
 * p->err already set: takes only its place in the order. */
void puts_submit(struct puts *q, const struct put *p, void *job);
void puts_drain(struct puts *q); /* send what lingers, wait for all */
void puts_close(struct puts *q); /* drains */

#endif
