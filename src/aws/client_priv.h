/* client_priv.h - what client.c and shared.c know of each other. */
#ifndef RECAGENT_AWS_CLIENT_PRIV_H
#define RECAGENT_AWS_CLIENT_PRIV_H

#include "aws/client.h"
#include "aws/retry.h"

#include <pthread.h>
#include <stdatomic.h>

struct aws_shared {
	struct aws_config cfg;
	struct aws_env env;
	struct http_client *http;
	struct aws_provider *provider;
	char *flag_region, *flag_url, *user_agent;
	char named_region[64]; /* what flag, environment or profile say, or "" */
	char region[64];       /* "" until asked for; guarded by mu */
	struct http_timeouts timeouts;
	int max_attempts; /* 0: the service's default */
	pthread_mutex_t mu;
	atomic_uint cancels; /* grows with each aws_shared_cancel: calls begun before it end */
};

struct aws_client {
	struct aws_shared *shared;
	enum aws_service service;
	struct retry_policy policy;
	char region[64]; /* for messages */
	char host[256];
	int port; /* 0: the scheme's own */
	bool custom;
	_Atomic int64_t skew_ms;
	pthread_mutex_t mu;           /* guards what follows */
	struct aws_endpoint endpoint; /* S3 moves it to the bucket's region */
	struct retry_quota quota;
};

/* The region that flag, environment or profile name; else the machine's own (asks its metadata service). */
int shared_region(struct aws_shared *s, char out[64], struct err *e);
/* Fill req, signed for now as the service sees it. id: this call's, the same on each attempt. Release req
 * in both cases. */
int request_build(struct http_req *req, struct aws_client *c, const struct aws_call *call,
	const struct aws_creds *creds, const char *id, struct err *e);

#endif
