/* s3.h - the object store contract on S3. */
#ifndef RECAGENT_AWS_S3_H
#define RECAGENT_AWS_S3_H

#include "aws/client.h"
#include "port/blob.h"

int s3_open(struct aws_shared *s, const char *bucket, struct blob **out, struct err *e);

#endif
