/* kinesis.h - the stream contract on Kinesis Data Streams. */
#ifndef RECAGENT_AWS_KINESIS_H
#define RECAGENT_AWS_KINESIS_H

#include "aws/client.h"
#include "port/stream.h"

int kinesis_open(struct aws_shared *s, const char *name, struct stream **out, struct err *e);

#endif
