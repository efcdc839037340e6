/* dynamodb_priv.h - what the files of the DynamoDB adapter share. */
#ifndef RECAGENT_AWS_DYNAMODB_PRIV_H
#define RECAGENT_AWS_DYNAMODB_PRIV_H

#include "aws/dynamodb.h"

struct dynamodb {
	struct table base;
	struct aws_client *client;
};

/* One call; answer may be NULL. Takes body. */
int dynamodb_call(struct dynamodb *d, const char *op, cJSON *body, cJSON **answer, struct err *e);
/* {"user_id":{"S":"u1"}} */
cJSON *dynamodb_key(const struct table *t, const char *key);
cJSON *dynamodb_body(const struct table *t); /* {"TableName":..} */

int dynamodb_get_many(
	struct table *t, const char *const *keys, size_t n, bool consistent, cJSON **items, struct err *e);

/* Expressions name attributes only by placeholder, since any name may be a reserved word. */
struct expression {
	cJSON *names, *values;
	unsigned n, v;
};
void expression_condition(struct expression *x, const struct cond *c, cJSON *body);
void expression_update(struct expression *x, const struct changes *ch, cJSON *body);
/* Puts names and values into body; x is empty then. */
void expression_finish(struct expression *x, cJSON *body);

#endif
