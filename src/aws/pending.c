/* pending.c - stands in for the AWS adapters until they land, so that the rest links. */
#include "aws/bedrock_agent.h"
#include "aws/dynamodb.h"
#include "aws/s3.h"

static int pending(struct err *e)
{
	return err_set(e, ERR_INTERNAL, "pending", "AWS adapters are not built in yet");
}

int dynamodb_open(
	struct aws_shared *s, const char *name, const char *key_attr, struct table **out, struct err *e)
{
	(void)s, (void)name, (void)key_attr, (void)out;
	return pending(e);
}

int s3_open(struct aws_shared *s, const char *bucket, struct blob **out, struct err *e)
{
	(void)s, (void)bucket, (void)out;
	return pending(e);
}

int bedrock_agent_open(
	struct aws_shared *s, const char *agent_id, const char *alias, struct agent **out, struct err *e)
{
	(void)s, (void)agent_id, (void)alias, (void)out;
	return pending(e);
}
