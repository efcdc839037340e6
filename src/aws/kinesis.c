/* kinesis.c - the stream contract on Kinesis: opening, shards, description, creation. */
#include "aws/kinesis_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MAX_SHARDS 100000 /* ten times what a stream may have */
#define LISTINGS 3        /* begun anew when a page's token has expired */
#define MIN_POLL_MS 200   /* AWS grants five reads a second and shard, over all its consumers */

static void copy_text(char *out, size_t cap, const char *s)
{
	snprintf(out, cap, "%s", s ? s : "");
}

static void read_shard(struct shard *out, const cJSON *node)
{
	const cJSON *hash = cJSON_GetObjectItemCaseSensitive(node, "HashKeyRange");
	const cJSON *seq = cJSON_GetObjectItemCaseSensitive(node, "SequenceNumberRange");

	copy_text(out->id, sizeof out->id, json_str(node, "ShardId"));
	copy_text(out->parent, sizeof out->parent, json_str(node, "ParentShardId"));
	copy_text(out->adjacent, sizeof out->adjacent, json_str(node, "AdjacentParentShardId"));
	copy_text(out->start_hash, sizeof out->start_hash, json_str(hash, "StartingHashKey"));
	copy_text(out->end_hash, sizeof out->end_hash, json_str(hash, "EndingHashKey"));
	copy_text(out->start_seq, sizeof out->start_seq, json_str(seq, "StartingSequenceNumber"));
	copy_text(out->end_seq, sizeof out->end_seq, json_str(seq, "EndingSequenceNumber"));
}

/* A page's shards appended; its token for the next one, owned by the caller, or NULL. */
static int read_page(struct shards *out, const cJSON *answer, char **token, struct err *e)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "Shards"), *node;
	size_t n = (size_t)cJSON_GetArraySize(list);

	*token = mem_strdup(json_str(answer, "NextToken"));
	if (out->n + n > MAX_SHARDS)
		return err_set(
			e, ERR_FAILED, "too-many-shards", "more than %d shards are listed", MAX_SHARDS);
	out->v = mem_realloc(out->v, (out->n + n + 1) * sizeof *out->v);
	cJSON_ArrayForEach(node, list)
	{
		out->v[out->n] = (struct shard){ 0 };
		read_shard(&out->v[out->n], node);
		if (out->v[out->n].id[0])
			out->n++;
	}
	return 0;
}

static int list_page(struct kinesis *k, struct shards *out, char **token, struct err *e)
{
	cJSON *body = cJSON_CreateObject(), *answer = NULL;
	int rc;

	/* The service refuses a name beside a token. */
	if (*token)
		cJSON_AddStringToObject(body, "NextToken", *token);
	else
		cJSON_AddStringToObject(body, "StreamName", k->base.name);
	free(*token);
	*token = NULL;
	rc = aws_json(k->client, "Kinesis_20131202.ListShards", body, &answer, e);
	if (!rc)
		rc = read_page(out, answer, token, e);
	cJSON_Delete(answer);
	cJSON_Delete(body);
	return rc;
}

/* Ids are numbered upwards, so that a child's is above its parents'. */
static int by_id(const void *a, const void *b)
{
	return sequence_compare(((const struct shard *)a)->id, ((const struct shard *)b)->id);
}

/* All pages from the first one on, or -1. A token lives for 300 s, which this process may have slept through. */
static int list_once(struct kinesis *k, struct shards *out, struct err *e)
{
	char *token = NULL;
	int rc;

	out->n = 0;
	do
		rc = list_page(k, out, &token, e);
	while (!rc && token);
	free(token);
	return rc;
}

static int list_all(struct kinesis *k, struct shards *out, struct err *e)
{
	int rc = list_once(k, out, e);

	for (int i = 1; i < LISTINGS && rc && !strcmp(e->code, "ExpiredNextTokenException"); i++)
		rc = list_once(k, out, e);
	if (rc) {
		/* Not for good: sleep ends, and so does what else may hold up a listing. */
		if (!strcmp(e->code, "ExpiredNextTokenException"))
			e->cls = ERR_UNAVAILABLE;
		free(out->v);
		*out = (struct shards){ 0 };
		return -1;
	}
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, by_id);
	return 0;
}

int kinesis_shards(struct stream *s, struct shards *out, struct err *e)
{
	struct kinesis *k = (struct kinesis *)s;
	int64_t asked = clock_mono_ms();
	struct shards copy = { 0 };

	if (list_all(k, out, e))
		return -1;
	if (out->n)
		copy.v = (struct shard *)mem_dup(out->v, out->n * sizeof *out->v);
	copy.n = out->n;
	pthread_mutex_lock(&k->mu);
	if (asked >= k->known_ms) {
		free(k->known.v);
		k->known = copy;
		k->known_ms = asked;
		copy.v = NULL;
	}
	pthread_mutex_unlock(&k->mu);
	free(copy.v);
	return 0;
}

static enum shard_state state_of(const struct shards *list, const char *id)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->v[i].id, id))
			return list->v[i].end_seq[0] ? SHARD_CLOSED : SHARD_OPEN;
	return SHARD_GONE;
}

int kinesis_shard_state(struct kinesis *k, const char *shard_id, int64_t since, enum shard_state *state,
	int64_t *asked, struct err *e)
{
	struct shards list = { 0 };
	bool old;

	pthread_mutex_lock(&k->mu);
	old = !k->known_ms || k->known_ms < since;
	pthread_mutex_unlock(&k->mu);
	if (old && stream_shards(&k->base, &list, e))
		return -1;
	free(list.v);
	pthread_mutex_lock(&k->mu);
	*state = state_of(&k->known, shard_id);
	*asked = k->known_ms;
	pthread_mutex_unlock(&k->mu);
	return 0;
}

static int describe(struct stream *s, struct stream_info *out, struct err *e)
{
	struct kinesis *k = (struct kinesis *)s;
	cJSON *body = cJSON_CreateObject(), *answer = NULL;
	int64_t open = 0;
	double created = 0;
	int rc;

	cJSON_AddStringToObject(body, "StreamName", s->name);
	rc = aws_json(k->client, "Kinesis_20131202.DescribeStreamSummary", body, &answer, e);
	const cJSON *d = cJSON_GetObjectItemCaseSensitive(answer, "StreamDescriptionSummary");
	if (!rc && !d)
		rc = err_set(
			e, ERR_UNAVAILABLE, "bad-answer", "kinesis: DescribeStreamSummary: no description");
	if (!rc) {
		copy_text(out->name, sizeof out->name, json_str(d, "StreamName"));
		copy_text(out->arn, sizeof out->arn, json_str(d, "StreamARN"));
		copy_text(out->status, sizeof out->status, json_str(d, "StreamStatus"));
		if (json_num(d, "StreamCreationTimestamp", &created))
			out->created_s = (int64_t)created;
		if (json_int(d, "OpenShardCount", &open) && open > 0)
			out->open_shards = (size_t)open;
	}
	cJSON_Delete(answer);
	cJSON_Delete(body);
	return rc;
}

static int create(struct stream *s, unsigned shards, struct err *e)
{
	struct kinesis *k = (struct kinesis *)s;
	cJSON *body = cJSON_CreateObject();
	int rc;

	cJSON_AddStringToObject(body, "StreamName", s->name);
	cJSON_AddItemToObject(body, "ShardCount", json_raw_int(shards));
	rc = aws_json(k->client, "Kinesis_20131202.CreateStream", body, NULL, e);
	cJSON_Delete(body);
	return rc;
}

static int64_t now_ms(struct stream *s)
{
	return aws_client_now_ms(((struct kinesis *)s)->client);
}

static void close_stream(struct stream *s)
{
	struct kinesis *k = (struct kinesis *)s;

	for (size_t i = 0; i < k->nspare; i++)
		buf_release(&k->spare[i]);
	free(k->known.v);
	pthread_mutex_destroy(&k->mu);
	aws_client_close(k->client);
	free(k);
}

/* A server of one's own has no such limit; an interface endpoint's URL still leads to AWS. */
static bool is_aws(const struct aws_client *c)
{
	const char *host = aws_client_host(c);

	return !aws_client_custom(c) || strstr(host, ".amazonaws.") || strstr(host, ".api.aws");
}

/* AWS's own host names say the region; another endpoint may serve many. */
static void name_place(struct kinesis *k)
{
	const struct aws_client *c = k->client;
	char port[16] = "";

	copy_text(k->base.host, sizeof k->base.host, aws_client_host(c));
	if (!aws_client_custom(c))
		return;
	if (aws_client_port(c))
		snprintf(port, sizeof port, ":%d", aws_client_port(c));
	snprintf(k->base.host, sizeof k->base.host, "%.180s%s (%s)", aws_client_host(c), port,
		aws_client_region(c));
}

int kinesis_open(struct aws_shared *s, const char *name, struct stream **out, struct err *e)
{
	static const struct stream_ops ops = { .shards = kinesis_shards,
		.read = kinesis_read,
		.put = kinesis_put,
		.describe = describe,
		.create = create,
		.reshard = kinesis_reshard,
		.now_ms = now_ms,
		.close = close_stream };
	struct kinesis *k = mem_alloc(sizeof *k);

	if (aws_client_open(&k->client, s, AWS_KINESIS, e)) {
		free(k);
		return -1;
	}
	pthread_mutex_init(&k->mu, NULL);
	k->base.ops = &ops;
	k->base.min_poll_ms = is_aws(k->client) ? MIN_POLL_MS : 0;
	copy_text(k->base.name, sizeof k->base.name, name);
	name_place(k);
	*out = &k->base;
	return 0;
}
