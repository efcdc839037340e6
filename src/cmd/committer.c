/* committer.c - rounds of commits: what becomes of their failures, and how they end. */
#include "cmd/committer.h"
#include "base/lanes.h"
#include "base/stop.h"
#include <time.h>

#define LAST_ROUND_MS 2000

static void commit(void *arg)
{
	struct committer *k = arg;
	struct err e = { 0 };
	if ((!k->ready || !k->ready(k->arg, &e)) && !commits_flush(k->commits, &e)) {
		log_outage("commits", true, NULL);
	} else if (e.cls == ERR_UNAVAILABLE) {
		log_outage("commits", false, &e);
	} else if (e.cls == ERR_LEASE_LOST) {
		log_error(&e);
	} else {
		pthread_mutex_lock(&k->mu);
		k->fatal = e;
		pthread_mutex_unlock(&k->mu);
		leave_input(k->c, LEAVE);
	}
}

void committer_start(struct committer *k, struct ctx *c, int64_t interval_ms)
{
	k->c = c;
	k->commits = commits_new(c->ports);
	pthread_mutex_init(&k->mu, NULL);
	k->ticker = ticker_start(interval_ms, commit, k);
}

bool committer_is_fatal(struct committer *k, struct err *e)
{
	pthread_mutex_lock(&k->mu);
	bool fatal = k->fatal.cls != ERR_NONE;
	if (fatal)
		*e = k->fatal;
	pthread_mutex_unlock(&k->mu);
	return fatal;
}

void committer_stop(struct committer *k)
{
	ticker_stop(k->ticker, false);
	k->ticker = NULL;
}

/* What is left of --grace after a signal, but enough for a last round of writes. */
static int64_t time_for_commits(const struct ctx *c)
{
	int64_t age = stop_age_ms(), grace = c->opt.grace_ms, left = age < 0 ? grace : grace - age;
	int64_t least = grace < LAST_ROUND_MS ? grace : LAST_ROUND_MS;
	return left > least ? left : least;
}

int committer_finish(struct committer *k, struct err *e)
{
	int64_t until = clock_mono_ms() + time_for_commits(k->c);
	stop_now(); /* from here on --grace counts for calls that hang, too */
	if (k->ready && k->ready(k->arg, e))
		return -1;
	for (;;) {
		struct err mine = { 0 };
		int rc = commits_release(k->commits, &mine);
		if (rc && mine.cls == ERR_LEASE_LOST) {
			log_error(&mine);
			continue; /* said once for a shard, which is done with now */
		}
		if (rc == 0) {
			log_outage("commits", true, NULL);
			return 0;
		}
		size_t left = commits_uncommitted(k->commits);
		if (mine.cls != ERR_UNAVAILABLE || clock_mono_ms() >= until) {
			*e = mine;
			if (left)
				err_prefix(e, "position of %zu shard%s not committed: ", left,
					left == 1 ? "" : "s");
			return -1;
		}
		log_outage("commits", false, &mine);
		nanosleep(&(const struct timespec){ .tv_sec = 1 }, NULL);
	}
}

int committer_lost(struct committer *k, struct err *e)
{
	size_t lost = commits_lost(k->commits);
	if (!lost)
		return 0;
	return err_set(e, ERR_LEASE_LOST, "",
		"lines of %zu shard%s not committed: another worker has taken over and gets them again", lost,
		lost == 1 ? " are" : "s are");
}

void committer_release(struct committer *k)
{
	commits_free(k->commits);
	pthread_mutex_destroy(&k->mu);
}
