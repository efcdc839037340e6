/* dynamodb_batch.c - BatchGetItem: a hundred keys a call, each once, and what was left unprocessed again. */
#include "aws/dynamodb_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"

#define BATCH_KEYS 100
#define IDLE_ROUNDS 6 /* in a row without a single item, before it counts as an outage */
#define BACKOFF_MS 50
#define BACKOFF_MAX_MS 2000

/* The callers' keys in order, so that repeated ones are asked for once and found again. */
struct wanted {
	const char *key;
	size_t at; /* in the caller's array */
};

static int by_key(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	return c ? c : (x->at > y->at) - (x->at < y->at);
}

static size_t lower_bound(const struct wanted *v, size_t n, const char *key)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (strcmp(v[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Give an item to each place that asked for its key. Takes item. */
static void deliver(cJSON *item, const struct table *t, const struct wanted *v, size_t n, cJSON **items)
{
	const char *key = av_get_s(item, t->key_attr);
	size_t i = key ? lower_bound(v, n, key) : n;
	bool given = false;

	for (; i < n && !strcmp(v[i].key, key); i++) {
		if (items[v[i].at])
			continue;
		items[v[i].at] = given ? cJSON_Duplicate(item, true) : item;
		given = true;
	}
	if (!given)
		cJSON_Delete(item);
}

static size_t take_items(
	cJSON *answer, const struct table *t, const struct wanted *v, size_t n, cJSON **items)
{
	cJSON *all = cJSON_GetObjectItemCaseSensitive(answer, "Responses");
	cJSON *list = cJSON_GetObjectItemCaseSensitive(all, t->name), *item;
	size_t got = 0;

	while (list && (item = cJSON_DetachItemFromArray(list, 0))) {
		deliver(item, t, v, n, items);
		got++;
	}
	return got;
}

static cJSON *first_request(
	const struct table *t, const struct wanted *v, size_t n, bool consistent, size_t *used)
{
	cJSON *body = cJSON_CreateObject(), *tables = cJSON_AddObjectToObject(body, "RequestItems");
	cJSON *table = cJSON_AddObjectToObject(tables, t->name),
	      *keys = cJSON_AddArrayToObject(table, "Keys");
	size_t i = 0;

	for (int asked = 0; i < n; i++) {
		if (i && !strcmp(v[i].key, v[i - 1].key))
			continue;
		if (asked++ == BATCH_KEYS)
			break;
		cJSON_AddItemToArray(keys, dynamodb_key(t, v[i].key));
	}
	if (consistent)
		cJSON_AddTrueToObject(table, "ConsistentRead");
	*used = i;
	return body;
}

/* UnprocessedKeys has the shape of RequestItems. NULL when all were dealt with. */
static cJSON *next_request(cJSON *answer)
{
	cJSON *left = cJSON_DetachItemFromObjectCaseSensitive(answer, "UnprocessedKeys");

	if (!left || !left->child) {
		cJSON_Delete(left);
		return NULL;
	}
	cJSON *body = cJSON_CreateObject();
	cJSON_AddItemToObject(body, "RequestItems", left);
	return body;
}

static int wait_a_little(unsigned idle, struct err *e)
{
	int64_t ms = BACKOFF_MS;

	for (unsigned i = 1; i < idle && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	if (clock_sleep_ms((int64_t)((double)ms * (0.5 + random_unit() / 2))))
		return 0;
	return err_set(e, ERR_STOPPED, "stopped", "stopped");
}

/* One batch to its end. v: at most BATCH_KEYS different keys. */
static int get_batch(
	struct dynamodb *d, cJSON *body, const struct wanted *v, size_t n, cJSON **items, struct err *e)
{
	unsigned idle = 0;
	int rc = 0;

	while (!rc && body) {
		cJSON *answer = NULL;
		rc = dynamodb_call(d, "BatchGetItem", body, &answer, e);
		body = NULL;
		if (!rc) {
			idle = take_items(answer, &d->base, v, n, items) ? 0 : idle + 1;
			body = next_request(answer);
			if (body && idle > IDLE_ROUNDS)
				rc = err_set(e, ERR_UNAVAILABLE, "ProvisionedThroughputExceededException",
					"dynamodb %s: BatchGetItem: table %s leaves keys unprocessed",
					aws_client_region(d->client), d->base.name);
			else if (body)
				rc = wait_a_little(idle, e);
		}
		cJSON_Delete(answer);
	}
	cJSON_Delete(body);
	return rc;
}

int dynamodb_get_many(
	struct table *t, const char *const *keys, size_t n, bool consistent, cJSON **items, struct err *e)
{
	struct dynamodb *d = (struct dynamodb *)t;
	struct wanted *v = mem_array(n, sizeof *v);
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		v[i] = (struct wanted){ .key = keys[i], .at = i };
	qsort(v, n, sizeof *v, by_key);
	for (size_t done = 0; !rc && done < n;) {
		size_t used;
		cJSON *body = first_request(t, v + done, n - done, consistent, &used);
		rc = get_batch(d, body, v + done, used, items, e);
		done += used;
	}
	free(v);
	return rc;
}
