/* shards.c - the shard follower's frame: its threads, its manager's loop, how it ends. */
#include "flow/shards_int.h"

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PASS_MS                                                                                              \
	10000 /* how often the shards are listed when nothing asks for it, and leases looked at when all are ours */
#define DEAD_MS 1000
#define POLL_MS 250
#define POLL_CHEAP_MS 50
#define CHEAP_BELOW_MS 200 /* a stream that lets a shard be read more often than that is local */
#define BACKOFF_MS 1000
#define BACKOFF_TIMES 10
/* The service's clock is known to a second or two; what was there at the start must not count as later. */
#define TIP_MARGIN_MS 2000

void follow_wake(struct follow *f)
{
	ssize_t n = write(f->wake[1], "", 1);
	(void)n; /* full: the manager is awake already */
}

void follow_fail(struct follow *f, const struct err *e)
{
	pthread_mutex_lock(&f->mu);
	if (!atomic_load(&f->failed))
		f->err = *e;
	atomic_store(&f->failed, true);
	atomic_store(&f->stop, true);
	pthread_cond_broadcast(&f->cond);
	pthread_mutex_unlock(&f->mu);
	follow_wake(f);
}

bool follow_ending(const struct follow *f)
{
	return atomic_load(&f->stop) || stop_requested();
}

bool follow_bounded(const struct follow *f)
{
	return f->c.end_at_tip || f->c.until.kind == WHEN_TIME;
}

bool follow_gives_up(struct follow *f, int64_t since, const struct err *e)
{
	if (!f->c.give_up_ms || clock_mono_ms() - since < f->c.give_up_ms)
		return false;
	follow_fail(f, e);
	return true;
}

int64_t follow_backoff_ms(const struct follow *f, unsigned fails)
{
	int64_t least = f->c.backoff_ms, top = least << (fails < 4 ? fails : 4);
	top = top > least * BACKOFF_TIMES ? least * BACKOFF_TIMES : top;
	return least + (int64_t)(random_unit() * (double)(top - least));
}

static void init_sync(struct follow *f)
{
	pthread_condattr_t a;
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&f->cond, &a);
	pthread_condattr_destroy(&a);
	pthread_mutex_init(&f->mu, NULL);
	pthread_mutex_init(&f->out_mu, NULL);
	atomic_init(&f->stop, false);
	atomic_init(&f->record_bytes, 0);
	atomic_init(&f->failed, false);
	atomic_init(&f->hands, false);
}

static int open_wake(struct follow *f, struct err *e)
{
	if (pipe(f->wake))
		return err_set(e, ERR_LOCAL, "", "cannot make a pipe");
	for (int i = 0; i < 2; i++) {
		fcntl(f->wake[i], F_SETFD, FD_CLOEXEC);
		fcntl(f->wake[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

struct follow *follow_open(const struct follow_conf *c, struct err *e)
{
	struct follow *f = mem_alloc(sizeof *f);
	f->c = *c;
	if (open_wake(f, e)) {
		free(f);
		return NULL;
	}
	init_sync(f);
	if (c->until.kind == WHEN_LATEST)
		f->c.end_at_tip = true;
	if (!c->poll_ms)
		f->c.poll_ms = c->stream->min_poll_ms < CHEAP_BELOW_MS ? POLL_CHEAP_MS : POLL_MS;
	if (!c->threads)
		f->c.threads = 4;
	if (c->idle_mark_ms <= 0)
		f->c.idle_mark_ms = 1000;
	if (!c->backoff_ms)
		f->c.backoff_ms = BACKOFF_MS;
	if (!c->failover_ms)
		f->c.failover_ms = LEASE_FAILOVER_MS;
	f->start_ms = stream_now_ms(c->stream);
	f->tip_ms = f->start_ms + TIP_MARGIN_MS;
	f->last_ms = clock_mono_ms();
	if (c->group)
		f->renewer = ticker_start(f->c.failover_ms / 10 + 1, group_renew, f);
	return f;
}

/* An outage postpones a pass, anything else ends the run; so does a start without any credentials, which is a slip. */
static void run_pass(struct follow *f)
{
	struct err e = { 0 };
	int64_t began = clock_mono_ms();
	f->pass_soon = false;
	if (!follow_pass(f, &e)) {
		if (f->pass_fails)
			log_outage("list of shards", true, NULL);
		f->pass_fails = 0;
		f->pass_due_ms =
			clock_mono_ms() +
			(f->waiting && f->c.failover_ms / 3 < PASS_MS ? f->c.failover_ms / 3 : PASS_MS);
	} else if (e.cls == ERR_UNAVAILABLE && (f->passed || strcmp(e.code, "no-credentials") != 0)) {
		f->pass_down_ms = f->pass_fails ? f->pass_down_ms : began;
		if (follow_gives_up(f, f->pass_down_ms, &e))
			return;
		log_outage("list of shards", false, &e);
		f->pass_due_ms = clock_mono_ms() + follow_backoff_ms(f, ++f->pass_fails);
	} else if (e.cls != ERR_STOPPED) {
		follow_fail(f, &e);
	}
}

static bool has_ending(struct follow *f)
{
	bool any = false;
	pthread_mutex_lock(&f->mu);
	for (size_t i = 0; !any && i < f->n; i++)
		any = f->v[i]->state == FS_ENDING && group_valid(f, f->v[i]);
	pthread_mutex_unlock(&f->mu);
	return any;
}

/* A run that has ended by itself must not look done when another worker has to do over what it handed on. One without end
 * goes on with what it has and waits for its share. */
static void check_lost(struct follow *f)
{
	struct err e = { 0 };
	size_t lost = group_lost(f);
	if (!lost)
		return;
	err_set(&e, ERR_LEASE_LOST, "", "%zu shard%s lost to another worker before all was committed", lost,
		lost == 1 ? "" : "s");
	follow_fail(f, &e);
}

/* Nothing came for a while and no callback runs: the caller's idle work. How long until the next look. */
static int64_t idle(struct follow *f)
{
	struct err e = { 0 };
	pthread_mutex_lock(&f->mu);
	int64_t left = f->last_ms + f->c.idle_mark_ms - clock_mono_ms();
	pthread_mutex_unlock(&f->mu);
	if (left > 0)
		return left;
	if (pthread_mutex_trylock(&f->out_mu))
		return f->c.idle_mark_ms;
	if (f->c.on_idle && f->c.on_idle(f->c.arg, &e))
		follow_fail(f, &e);
	pthread_mutex_lock(&f->mu);
	f->last_ms = clock_mono_ms();
	pthread_mutex_unlock(&f->mu);
	pthread_mutex_unlock(&f->out_mu);
	return f->c.idle_mark_ms;
}

static void wait_awake(struct follow *f, int64_t ms)
{
	char drop[64];
	struct pollfd p[2] = { { .fd = f->wake[0], .events = POLLIN },
		{ .fd = stop_fd(), .events = POLLIN } };
	if (ms > 0)
		poll(p, 2, ms > 60000 ? 60000 : (int)ms);
	while (read(f->wake[0], drop, sizeof drop) > 0)
		;
}

/* How long nothing is to be done, if nothing happens. */
static int64_t pause_ms(struct follow *f)
{
	int64_t now = clock_mono_ms(), ms = idle(f), pass = f->pass_due_ms - now;
	if (atomic_load(&f->hands) && f->hand_due_ms - now < pass)
		pass = f->hand_due_ms - now;
	if (f->waiting && f->dead_due_ms - now < pass)
		pass = f->dead_due_ms - now;
	return ms < pass ? ms : pass;
}

static void manage(struct follow *f)
{
	while (!follow_ending(f)) {
		int64_t now = clock_mono_ms();
		bool retry_later = f->pass_fails && now < f->pass_due_ms;
		if (!retry_later && (now >= f->pass_due_ms || f->pass_soon || has_ending(f)))
			run_pass(f);
		if (f->waiting && now >= f->dead_due_ms) {
			bool dead = group_any_dead(f); /* who may have a share to leave to others, too */
			f->dead_due_ms = now + (dead ? f->c.failover_ms : DEAD_MS);
			f->pass_soon = f->pass_soon || dead;
		}
		if (atomic_load(&f->hands) && now >= f->hand_due_ms)
			group_hands(f);
		if (follow_bounded(f) && follow_finished(f))
			break;
		int64_t ms = pause_ms(f);
		if (!follow_ending(f) && !f->pass_soon && (!has_ending(f) || f->pass_fails))
			wait_awake(f, ms);
	}
	if (f->c.group && !stop_requested() && !atomic_load(&f->failed))
		check_lost(f);
	pthread_mutex_lock(&f->mu);
	atomic_store(&f->stop, true);
	pthread_cond_broadcast(&f->cond);
	pthread_mutex_unlock(&f->mu);
}

static int start_readers(struct follow *f, struct err *e)
{
	f->threads = mem_array(f->c.threads, sizeof *f->threads);
	for (; f->started < f->c.threads; f->started++)
		if (pthread_create(&f->threads[f->started], NULL, follow_reader, f))
			break;
	return f->started ? 0 : err_set(e, ERR_LOCAL, "", "cannot start a thread");
}

int follow_run(struct follow *f, struct err *e)
{
	if (start_readers(f, e))
		return -1;
	manage(f);
	for (unsigned i = 0; i < f->started; i++)
		pthread_join(f->threads[i], NULL);
	f->started = 0;
	if (atomic_load(&f->failed) && e)
		*e = f->err;
	return atomic_load(&f->failed) ? -1 : 0;
}

void follow_close(struct follow *f)
{
	if (!f)
		return;
	if (f->c.group) {
		ticker_stop(f->renewer, false);
		group_release(f);
	}
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i]);
	free(f->v);
	free(f->found);
	free(f->index);
	free(f->threads);
	leases_free(&f->leases);
	close(f->wake[0]);
	close(f->wake[1]);
	pthread_cond_destroy(&f->cond);
	pthread_mutex_destroy(&f->mu);
	pthread_mutex_destroy(&f->out_mu);
	free(f);
}
