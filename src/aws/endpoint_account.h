/* endpoint_account.h - hosts that carry an account: {account}.ddb.{region}, {account}.data-kinesis.{region}.
 * Internal to endpoint.c; pure. */
#ifndef RECAGENT_AWS_ENDPOINT_ACCOUNT_H
#define RECAGENT_AWS_ENDPOINT_ACCOUNT_H

#include "aws/endpoint.h"

/* 1: out->url is set; 0: the regional host is to be used; -1: refused. */
int aws_endpoint_by_account(enum aws_service s, const struct aws_endpoint_params *p,
	const struct aws_partition *pt, struct aws_endpoint *out, struct err *e);

#endif
