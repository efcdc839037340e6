/* dynamodb.c - the table contract on DynamoDB. */
#include "aws/dynamodb_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int dynamodb_call(struct dynamodb *d, const char *op, cJSON *body, cJSON **answer, struct err *e)
{
	char target[64];
	int rc;

	snprintf(target, sizeof target, "DynamoDB_20120810.%s", op);
	rc = aws_json(d->client, target, body, answer, e);
	cJSON_Delete(body);
	return rc;
}

cJSON *dynamodb_key(const struct table *t, const char *key)
{
	cJSON *k = cJSON_CreateObject();

	cJSON_AddItemToObject(k, t->key_attr, av_s(key));
	return k;
}

cJSON *dynamodb_body(const struct table *t)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "TableName", t->name);
	return body;
}

static cJSON *keyed_body(const struct table *t, const char *key)
{
	cJSON *body = dynamodb_body(t);

	cJSON_AddItemToObject(body, "Key", dynamodb_key(t, key));
	return body;
}

static int get(struct table *t, const char *key, bool consistent, cJSON **item, struct err *e)
{
	cJSON *body = keyed_body(t, key), *answer = NULL;

	if (consistent)
		cJSON_AddTrueToObject(body, "ConsistentRead");
	if (dynamodb_call((struct dynamodb *)t, "GetItem", body, &answer, e))
		return -1;
	*item = cJSON_DetachItemFromObjectCaseSensitive(answer, "Item");
	cJSON_Delete(answer);
	return 0;
}

static int put(struct table *t, const cJSON *item, const struct cond *c, struct err *e)
{
	cJSON *body = dynamodb_body(t);
	struct expression x = { 0 };

	cJSON_AddItemToObject(body, "Item", cJSON_Duplicate(item, true));
	expression_condition(&x, c, body);
	expression_finish(&x, body);
	return dynamodb_call((struct dynamodb *)t, "PutItem", body, NULL, e);
}

static int update(
	struct table *t, const char *key, const struct changes *ch, const struct cond *c, struct err *e)
{
	cJSON *body = keyed_body(t, key);
	struct expression x = { 0 };

	expression_update(&x, ch, body);
	expression_condition(&x, c, body);
	expression_finish(&x, body);
	return dynamodb_call((struct dynamodb *)t, "UpdateItem", body, NULL, e);
}

static int del(struct table *t, const char *key, const struct cond *c, struct err *e)
{
	cJSON *body = keyed_body(t, key);
	struct expression x = { 0 };

	expression_condition(&x, c, body);
	expression_finish(&x, body);
	return dynamodb_call((struct dynamodb *)t, "DeleteItem", body, NULL, e);
}

/* One page. *start: where it begins, then where the next one does, or NULL. Returns 1 when fn has had
 * enough. */
static int scan_page(struct table *t, cJSON **start, table_on_item *fn, void *arg, struct err *e)
{
	cJSON *body = dynamodb_body(t), *answer = NULL;
	const cJSON *item;
	int rc = 0;

	cJSON_AddTrueToObject(body, "ConsistentRead");
	if (*start)
		cJSON_AddItemToObject(body, "ExclusiveStartKey", *start);
	*start = NULL;
	if (dynamodb_call((struct dynamodb *)t, "Scan", body, &answer, e))
		return -1;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(answer, "Items"))
	{
		rc = fn(item, arg) ? 1 : 0;
		if (rc)
			break;
	}
	if (!rc)
		*start = cJSON_DetachItemFromObjectCaseSensitive(answer, "LastEvaluatedKey");
	cJSON_Delete(answer);
	return rc;
}

/* An empty page is not the end; only a missing LastEvaluatedKey is. */
static int scan(struct table *t, table_on_item *fn, void *arg, struct err *e)
{
	cJSON *start = NULL;
	int rc;

	do
		rc = scan_page(t, &start, fn, arg, e);
	while (!rc && start);
	cJSON_Delete(start);
	return rc < 0 ? -1 : 0;
}

static void read_keys(struct table_info *out, const cJSON *table)
{
	const cJSON *k;

	cJSON_ArrayForEach(k, cJSON_GetObjectItemCaseSensitive(table, "KeySchema"))
	{
		const char *type = json_str(k, "KeyType"), *name = json_str(k, "AttributeName");
		if (type && name && !strcmp(type, "HASH"))
			snprintf(out->key_attribute, sizeof out->key_attribute, "%s", name);
	}
}

static int describe_ttl(struct table *t, struct table_info *out, struct err *e)
{
	cJSON *answer = NULL;

	if (dynamodb_call((struct dynamodb *)t, "DescribeTimeToLive", dynamodb_body(t), &answer, e))
		return -1;
	const cJSON *d = cJSON_GetObjectItemCaseSensitive(answer, "TimeToLiveDescription");
	const char *status = json_str(d, "TimeToLiveStatus"), *name = json_str(d, "AttributeName");
	out->ttl_enabled = status && (!strcmp(status, "ENABLED") || !strcmp(status, "ENABLING"));
	snprintf(out->ttl_attribute, sizeof out->ttl_attribute, "%s", name ? name : "");
	cJSON_Delete(answer);
	return 0;
}

static int describe(struct table *t, struct table_info *out, struct err *e)
{
	cJSON *answer = NULL;

	if (dynamodb_call((struct dynamodb *)t, "DescribeTable", dynamodb_body(t), &answer, e))
		return -1;
	const cJSON *table = cJSON_GetObjectItemCaseSensitive(answer, "Table");
	const char *status = json_str(table, "TableStatus");
	snprintf(out->status, sizeof out->status, "%s", status ? status : "");
	read_keys(out, table);
	cJSON_Delete(answer);
	return describe_ttl(t, out, e);
}

static int create(struct table *t, struct err *e)
{
	cJSON *body = dynamodb_body(t);
	cJSON *attrs = cJSON_AddArrayToObject(body, "AttributeDefinitions"), *a = cJSON_CreateObject();
	cJSON *schema = cJSON_AddArrayToObject(body, "KeySchema"), *k = cJSON_CreateObject();

	cJSON_AddStringToObject(a, "AttributeName", t->key_attr);
	cJSON_AddStringToObject(a, "AttributeType", "S");
	cJSON_AddItemToArray(attrs, a);
	cJSON_AddStringToObject(k, "AttributeName", t->key_attr);
	cJSON_AddStringToObject(k, "KeyType", "HASH");
	cJSON_AddItemToArray(schema, k);
	cJSON_AddStringToObject(body, "BillingMode", "PAY_PER_REQUEST");
	return dynamodb_call((struct dynamodb *)t, "CreateTable", body, NULL, e);
}

static int enable_ttl(struct table *t, const char *attr, struct err *e)
{
	cJSON *body = dynamodb_body(t), *spec = cJSON_AddObjectToObject(body, "TimeToLiveSpecification");

	cJSON_AddStringToObject(spec, "AttributeName", attr);
	cJSON_AddTrueToObject(spec, "Enabled");
	if (!dynamodb_call((struct dynamodb *)t, "UpdateTimeToLive", body, NULL, e))
		return 0;
	/* There is no other sign of this case than the sentence. */
	return !strcmp(e->code, "ValidationException") && strstr(e->msg, "already enabled") ? 0 : -1;
}

static int64_t now_ms(struct table *t)
{
	return aws_client_now_ms(((struct dynamodb *)t)->client);
}

static void close_table(struct table *t)
{
	struct dynamodb *d = (struct dynamodb *)t;

	aws_client_close(d->client);
	free(d);
}

int dynamodb_open(
	struct aws_shared *s, const char *name, const char *key_attr, struct table **out, struct err *e)
{
	static const struct table_ops ops = { .get = get,
		.get_many = dynamodb_get_many,
		.put = put,
		.update = update,
		.del = del,
		.scan = scan,
		.describe = describe,
		.create = create,
		.enable_ttl = enable_ttl,
		.now_ms = now_ms,
		.close = close_table };
	struct dynamodb *d = mem_alloc(sizeof *d);

	if (aws_client_open(&d->client, s, AWS_DYNAMODB, e)) {
		free(d);
		return -1;
	}
	d->base.ops = &ops;
	snprintf(d->base.name, sizeof d->base.name, "%s", name);
	snprintf(d->base.key_attr, sizeof d->base.key_attr, "%s", key_attr);
	*out = &d->base;
	return 0;
}
