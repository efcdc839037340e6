/* bedrock_agent.h - the agent contract on Bedrock's InvokeAgent. */
#ifndef RECAGENT_AWS_BEDROCK_AGENT_H
#define RECAGENT_AWS_BEDROCK_AGENT_H

#include "aws/client.h"
#include "port/agent.h"

int bedrock_agent_open(
	struct aws_shared *s, const char *agent_id, const char *alias, struct agent **out, struct err *e);

#endif
