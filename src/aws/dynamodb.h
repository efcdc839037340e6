/* dynamodb.h - the table contract on DynamoDB. */
#ifndef RECAGENT_AWS_DYNAMODB_H
#define RECAGENT_AWS_DYNAMODB_H

#include "aws/client.h"
#include "port/table.h"

int dynamodb_open(
	struct aws_shared *s, const char *name, const char *key_attr, struct table **out, struct err *e);

#endif
