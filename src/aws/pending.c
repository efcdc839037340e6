/* pending.c - stands in for the AWS adapters until they land, so that the rest links. */
#include "aws/bedrock_agent.h"
#include "aws/dynamodb.h"
#include "aws/kinesis.h"
#include "aws/s3.h"

static int pending(struct err *e)
{
	return err_set(e, ERR_INTERNAL, "pending", "AWS adapters are not built in yet");
}

int aws_shared_open(struct aws_shared **out, const struct aws_options *o, struct err *e)
{
	(void)out, (void)o;
	return pending(e);
}

void aws_shared_close(struct aws_shared *s)
{
	(void)s;
}

void aws_shared_cancel(struct aws_shared *s)
{
	(void)s;
}

int kinesis_open(struct aws_shared *s, const char *name, struct stream **out, struct err *e)
{
	(void)s, (void)name, (void)out;
	return pending(e);
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
