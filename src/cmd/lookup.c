/* lookup.c - table reads with a deadline. */
#include "cmd/lookup.h"
#include "base/clock.h"
#include "base/mem.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define CANCEL_MS 100 /* how long a cancelled call may take to come back */

struct lookup {
	struct ports *ports;
	const char *table_name, *key_attr;
	int64_t timeout_ms;
	bool consistent;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool started, stuck, closing;
	/* the call under way; touched by the thread while busy */
	bool busy;
	size_t n;
	char **keys;
	cJSON **items;
	int rc;
	struct err err;
	struct table *table; /* opened by the thread */
};

static void call(struct lookup *l)
{
	l->rc = l->table ? 0 : open_table(l->ports, l->table_name, l->key_attr, &l->table, &l->err);
	if (l->rc == 0)
		l->rc = table_get_many(
			l->table, (const char *const *)l->keys, l->n, l->consistent, l->items, &l->err);
}

static void *thread_main(void *arg)
{
	struct lookup *l = arg;
	pthread_mutex_lock(&l->lock);
	for (;;) {
		while (!l->busy && !l->closing)
			pthread_cond_wait(&l->changed, &l->lock);
		if (l->closing)
			break;
		pthread_mutex_unlock(&l->lock);
		call(l);
		pthread_mutex_lock(&l->lock);
		l->busy = false;
		pthread_cond_broadcast(&l->changed);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

struct lookup *lookup_open(
	struct ports *p, const char *table, const char *key_attr, int64_t timeout_ms, bool consistent)
{
	struct lookup *l = mem_alloc(sizeof *l);
	pthread_condattr_t attr;
	*l = (struct lookup){ .ports = p,
		.table_name = table,
		.key_attr = key_attr,
		.timeout_ms = timeout_ms,
		.consistent = consistent };
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	return l;
}

/* Wait until the call is over or ms have passed; true: over. The lock is held. */
static bool wait_over(struct lookup *l, int64_t ms)
{
	struct timespec t = clock_deadline(ms);
	while (l->busy && pthread_cond_timedwait(&l->changed, &l->lock, &t) != ETIMEDOUT)
		;
	return !l->busy;
}

static void free_call(struct lookup *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->keys[i]);
		cJSON_Delete(l->items[i]);
	}
	free(l->keys);
	free(l->items);
	l->keys = NULL;
	l->items = NULL;
	l->n = 0;
}

/* A call that could not be called off in time may have ended since. The lock is held. */
static bool came_back(struct lookup *l)
{
	if (l->busy)
		return false;
	free_call(l);
	l->stuck = false;
	return true;
}

static void start_call(struct lookup *l, const char *const *keys, size_t n)
{
	l->keys = mem_array(n, sizeof(char *));
	l->items = mem_array(n, sizeof(cJSON *));
	for (size_t i = 0; i < n; i++)
		l->keys[i] = mem_strdup(keys[i]);
	l->n = n;
	l->busy = true;
	err_clear(&l->err);
	if (!l->started)
		l->started = pthread_create(&l->thread, NULL, thread_main, l) == 0;
	pthread_cond_broadcast(&l->changed);
}

int lookup_get(struct lookup *l, const char *const *keys, size_t n, cJSON **items, struct err *e)
{
	pthread_mutex_lock(&l->lock);
	if (l->stuck && !came_back(l)) {
		pthread_mutex_unlock(&l->lock);
		return err_set(e, ERR_UNAVAILABLE, "timeout", "table %s does not answer", l->table_name);
	}
	start_call(l, keys, n);
	if (!l->started) {
		l->busy = false;
		l->rc = err_set(&l->err, ERR_LOCAL, "thread", "cannot start a thread");
	}
	bool in_time = wait_over(l, l->timeout_ms);
	if (!in_time) {
		pthread_mutex_unlock(&l->lock);
		ports_cancel(l->ports);
		pthread_mutex_lock(&l->lock);
		l->stuck = !wait_over(l, CANCEL_MS);
	}
	int rc = -1;
	if (!in_time) {
		err_set(e, ERR_UNAVAILABLE, "timeout", "table %s did not answer within %lld ms",
			l->table_name, (long long)l->timeout_ms);
	} else if (l->rc) {
		*e = l->err;
	} else {
		rc = 0;
		for (size_t i = 0; i < n; i++) {
			items[i] = l->items[i];
			l->items[i] = NULL;
		}
	}
	if (!l->stuck)
		free_call(l);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

void lookup_popular(struct lookup *l, size_t n, cJSON *array)
{
	struct err ignored = { 0 }; /* there is a further fallback behind this one */
	if (!l->stuck && l->table)
		table_popular(l->table, n, array, &ignored);
}

bool lookup_close(struct lookup *l)
{
	if (l->stuck)
		return true; /* the thread still uses l: both end with the process */
	pthread_mutex_lock(&l->lock);
	l->closing = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	if (l->started)
		pthread_join(l->thread, NULL);
	table_close(l->table);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
	return false;
}
