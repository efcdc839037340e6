/* detour.h - the way of records that the stream does not take: onto a spool, and from there to the stream as soon as it takes
 * records again.
 *
 * puts hands over what has failed for long enough, and all that has to stay behind it: each key's records keep their order, other
 * keys go on directly. While nothing goes through at all, everything is spooled, and only the drain asks whether the stream takes
 * records again. The drain has puts of its own, in the order of the spool; what was sent is acknowledged there, so that a
 * crash sends again what was in flight, and loses nothing. */
#ifndef RECAGENT_FLOW_DETOUR_H
#define RECAGENT_FLOW_DETOUR_H

#include "flow/puts.h"
#include "flow/spool.h"

struct detour_conf {
	struct spool_conf spool;
	struct puts_conf drain; /* how spooled records are put: stream, calls, order, pauses, outage, arg;
	                        * leaving is not asked */
	int64_t after_ms;       /* of puts_aside; and at the end, how long the stream may take nothing */
	/* The stream will never take this one. 0: it is dealt with, -1: it stays, and nothing after it is sent. One at a time. */
	int (*refused)(const struct put_in *r, const struct err *why, void *arg);
	/* Once when there is no room or the disk fails (e), once when records can be kept again (NULL). From any lane. */
	void (*full)(const struct err *e, void *arg);
	void (*cancel)(void *arg); /* end calls under way, at the end. From detour_close */
};

struct detour;
/* Errors of spool_open. What is spooled already is sent from now on. */
int detour_open(struct detour **out, const struct detour_conf *c, struct err *e);
const struct puts_aside *detour_aside(struct detour *d); /* for the puts of what is new */
struct spool_state detour_state(struct detour *d);

struct detour_end {
	uint64_t left, sent; /* records still there, and sent from there */
	struct err why;      /* what stopped the drain for good, or ERR_NONE */
};
/* After those puts are closed. finish: go on as long as the stream takes records, and no signal came. NULL is fine. */
void detour_close(struct detour *d, bool finish, struct detour_end *out);

#endif
