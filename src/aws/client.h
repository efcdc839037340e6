/* client.h - send one request to an AWS service: credentials, endpoint, signature, retries, clock skew,
 * errors.
 *
 * Every service adapter goes through here. Retries follow the `standard` mode of 2026 (retry.h); a caller
 * that must hold on through an outage (promise 6) calls again with its own back-off. Thread-safe. Source:
 * AWS SDKs and Tools Reference Guide; Signature Version 4; the SDKs' common rule for clock skew. */
#ifndef RECAGENT_AWS_CLIENT_H
#define RECAGENT_AWS_CLIENT_H

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "base/json.h"
#include "net/http.h"

/* What all clients of a process share: files, credentials, connections. */
struct aws_shared;
struct aws_options {
	const char *region, *profile, *endpoint_url; /* flags, may be NULL */
	struct http_timeouts timeouts;               /* 0 members: the defaults 3.1 s, 60 s, 60 s, none */
	int max_attempts;                            /* 0: AWS_MAX_ATTEMPTS, config, else 3 (dynamodb 4) */
};
int aws_shared_open(struct aws_shared **out, const struct aws_options *o, struct err *e);
void aws_shared_close(struct aws_shared *s);
void aws_shared_cancel(struct aws_shared *s); /* end every exchange under way */

struct aws_client;
int aws_client_open(struct aws_client **out, struct aws_shared *s, enum aws_service service, struct err *e);
void aws_client_close(struct aws_client *c);
const char *aws_client_region(const struct aws_client *c);
const char *aws_client_host(const struct aws_client *c);
int aws_client_port(const struct aws_client *c);    /* 0: the scheme's own */
bool aws_client_custom(const struct aws_client *c); /* the endpoint is not AWS's own */
/* A setting of the environment or the profile (NULL: neither has it). */
const char *aws_shared_setting(const struct aws_shared *s, const char *env_name, const char *key);
/* A nested one, such as addressing_style of `s3 =`. */
const char *aws_shared_nested(const struct aws_shared *s, const char *key, const char *sub);

struct aws_call;
/* Looks into a whole 2xx answer. -1 with e: the service reported an error inside it; e->code decides about
 * another attempt as if it had been answered outright. Called once per attempt. */
typedef int aws_check(struct aws_call *call, void *arg, struct err *e);

struct aws_call {
	/* in */
	const char *target;       /* JSON services: "Kinesis_20131202.PutRecords"; else NULL */
	const char *op;           /* for messages; NULL: the part of target behind the dot */
	const char *method;       /* NULL: POST */
	const char *path;         /* encoded, "/" when NULL */
	const char *query;        /* encoded, or NULL */
	const char *content_type; /* NULL: the service's own */
	const char *body;
	size_t body_len;
	const char *(*headers)[2]; /* further name-value pairs, may be NULL */
	size_t nheaders;
	const char *host_prefix; /* S3 virtual hosts: "bucket." or NULL */
	bool no_retry;           /* one attempt */
	bool keep_on_stop;       /* finish even though a stop signal came (acks, puts in flight) */
	const struct http_timeouts *timeouts; /* NULL: the shared ones; total spans all attempts */
	http_on_body *on_body;                /* stream a 2xx body; no retry once bytes were delivered */
	aws_check *check;                     /* or look into the whole one */
	void *arg;                            /* of on_body or check */
	/* out */
	struct http_resp resp;
	int attempts;
};

/* 0 on a 2xx answer. -1: the error decoded by the service's protocol, with class:
 * ERR_UNAVAILABLE throttles, 5xx, network, expired or missing credentials; ERR_FAILED other refusals.
 * Release call->resp in both cases. */
int aws_send(struct aws_client *c, struct aws_call *call, struct err *e);

/* JSON services: body from a tree, answer to a tree (numbers raw). *answer may be NULL when not wanted. */
int aws_json(struct aws_client *c, const char *target, const cJSON *body, cJSON **answer, struct err *e);

/* Is this in-stream or per-entry error code a throttle / a passing fault? */
bool aws_code_is_throttle(const char *code);
bool aws_code_is_transient(const char *code);

/* Now, corrected by what the service's Date headers say. They count whole seconds: less than two are no
 * news. */
int64_t aws_client_now_ms(const struct aws_client *c);

#endif
