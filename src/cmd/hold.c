/* hold.c - outages: a call waits for their end, all calls share their length. */
#include "cmd/hold.h"
#include "base/digest.h"
#include "base/stop.h"
#include <time.h>

#define FIRST_MS 250
#define MOST_MS 10000
#define STEP_MS 50     /* a signal is seen that late */
#define LOOK_UP_MS 200 /* and the end of the reader, or of the command by another line's fault */

/* When the outage that this call met began. A call's own failures count even while others get through. */
static int64_t began(struct hold *h, int64_t now)
{
	int64_t shared = 0;
	if (!h->since_ms)
		h->since_ms = now;
	if (atomic_compare_exchange_strong(&h->outage->since_ms, &shared, now))
		shared = now;
	return shared < h->since_ms ? shared : h->since_ms;
}

static void leave(struct hold *h)
{
	if (h->tries)
		atomic_fetch_sub(&h->outage->holding, 1);
	h->tries = 0;
}

static bool too_late(const struct ctx *c)
{
	return grace_is_over(c) || input_left(c) != STAY;
}

/* Back-off. After a first signal sleeps end at once, so it goes in small steps, to the end of --grace at most. */
static void wait_turn(const struct ctx *c, const struct hold *h)
{
	int64_t most = (int64_t)FIRST_MS << (h->tries < 6 ? h->tries : 6);
	if (most > MOST_MS)
		most = MOST_MS;
	int64_t now = clock_mono_ms();
	int64_t until = now + most / 2 + (int64_t)((double)most / 2 * random_unit());
	for (; now < until && !too_late(c); now = clock_mono_ms())
		if (!clock_sleep_ms(until - now < LOOK_UP_MS ? until - now : LOOK_UP_MS))
			nanosleep(&(const struct timespec){ .tv_nsec = STEP_MS * 1000000 }, NULL);
}

bool hold_on(const struct ctx *c, struct hold *h, bool from_group, struct err *e)
{
	if (e->cls != ERR_UNAVAILABLE) {
		e->cls == ERR_FAILED ? hold_over(h) : leave(h); /* a refusal is an answer, too */
		return false;
	}
	int64_t now = clock_mono_ms(), since = began(h, now);
	if ((!from_group && now - since >= c->opt.give_up_ms) || too_late(c)) {
		leave(h);
		if (input_left(c) == READER_GONE)
			err_set(e, ERR_PIPE, "", "reader gone");
		return false;
	}
	atomic_store(&h->outage->said, true);
	log_outage(h->outage->what, false, e);
	if (!h->tries)
		atomic_fetch_add(&h->outage->holding, 1);
	wait_turn(c, h);
	h->tries++;
	return true;
}

void hold_over(struct hold *h)
{
	leave(h);
	/* While others still wait it is not over, only less; saying so each time would flood the terminal. */
	atomic_store(&h->outage->since_ms, 0);
	if (!atomic_load(&h->outage->holding) && atomic_exchange(&h->outage->said, false))
		log_outage(h->outage->what, true, NULL);
}
