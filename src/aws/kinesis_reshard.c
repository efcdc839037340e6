/* kinesis_reshard.c - SplitShard, MergeShards, UpdateShardCount. */
#include "aws/kinesis_priv.h"

/* A call at most doubles the open shards, or halves them, rounded up. */
static unsigned step_to(size_t open, unsigned count)
{
	size_t most = open * 2, least = (open + 1) / 2;

	if (!open)
		return count;
	return (unsigned)(count > most ? most : count < least ? least : count);
}

static int update_count(struct stream *s, cJSON *body, unsigned count, struct err *e)
{
	struct stream_info info;

	if (stream_describe(s, &info, e))
		return -1;
	cJSON_AddItemToObject(body, "TargetShardCount", json_raw_int(step_to(info.open_shards, count)));
	cJSON_AddStringToObject(body, "ScalingType", "UNIFORM_SCALING");
	return 0;
}

int kinesis_reshard(struct stream *s, const struct reshard *what, struct err *e)
{
	struct kinesis *k = (struct kinesis *)s;
	cJSON *body = cJSON_CreateObject();
	const char *target;
	int rc = 0;

	cJSON_AddStringToObject(body, "StreamName", s->name);
	switch (what->kind) {
	case RESHARD_SPLIT:
		target = "Kinesis_20131202.SplitShard";
		cJSON_AddStringToObject(body, "ShardToSplit", what->shard);
		cJSON_AddStringToObject(body, "NewStartingHashKey", what->at);
		break;
	case RESHARD_MERGE:
		target = "Kinesis_20131202.MergeShards";
		cJSON_AddStringToObject(body, "ShardToMerge", what->shard);
		cJSON_AddStringToObject(body, "AdjacentShardToMerge", what->adjacent);
		break;
	default: target = "Kinesis_20131202.UpdateShardCount"; rc = update_count(s, body, what->count, e);
	}
	if (!rc)
		rc = aws_json(k->client, target, body, NULL, e);
	cJSON_Delete(body);
	return rc;
}
