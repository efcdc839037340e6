/* request.c - one attempt's HTTP request: URL, headers, signature. */
#include "aws/client_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/sigv4.h"

static void set_target_url(struct buf *url, const struct aws_endpoint *ep, const struct aws_call *call)
{
	const char *host = strstr(ep->url, "://");

	host = host ? host + 3 : ep->url;
	buf_add(url, ep->url, (size_t)(host - ep->url));
	if (call->host_prefix)
		buf_str(url, call->host_prefix);
	buf_str(url, host);
	buf_str(url, call->path ? call->path : "/");
	if (call->query && call->query[0]) {
		buf_char(url, '?');
		buf_str(url, call->query);
	}
}

static const char *default_content_type(enum aws_service s)
{
	switch (s) {
	case AWS_KINESIS:
	case AWS_FIREHOSE: return "application/x-amz-json-1.1";
	case AWS_DYNAMODB: return "application/x-amz-json-1.0";
	case AWS_BEDROCK_AGENT:
	case AWS_SSO_OIDC: return "application/json";
	case AWS_STS: return "application/x-www-form-urlencoded; charset=utf-8";
	default: return NULL;
	}
}

static int set_headers(const struct aws_client *c, const struct aws_call *call, struct http_req *req)
{
	const char *type = call->content_type ? call->content_type : default_content_type(c->service);
	int rc = 0;

	if (type && call->body)
		rc = http_header_set(req, "Content-Type", type);
	if (!rc && call->target)
		rc = http_header_set(req, "X-Amz-Target", call->target);
	for (size_t i = 0; !rc && i < call->nheaders; i++)
		rc = http_header_set(req, call->headers[i][0], call->headers[i][1]);
	return rc;
}

/* Said on every attempt, never signed: services use them to tell a retry from a new call. */
static int set_retry_headers(struct http_req *req, const struct aws_client *c, const struct aws_call *call,
	const char *id, int64_t now_s)
{
	char text[120], ttl[TIME_TEXT];
	int64_t read_s = c->shared->timeouts.first_byte / 1000;

	time_format_amz(now_s + read_s, ttl);
	if (call->attempts > 1)
		snprintf(text, sizeof text, "ttl=%s; attempt=%d; max=%d", ttl, call->attempts,
			c->policy.max_attempts);
	else
		snprintf(text, sizeof text, "attempt=1; max=%d", c->policy.max_attempts);
	return http_header_set(req, "amz-sdk-invocation-id", id) ||
	       http_header_set(req, "amz-sdk-request", text);
}

int request_build(struct http_req *req, struct aws_client *c, const struct aws_call *call,
	const struct aws_creds *creds, const char *id, struct err *e)
{
	struct buf url = BUF_INIT(BUF_MAX_SMALL);
	struct aws_endpoint ep;
	bool s3 = c->service == AWS_S3;
	int64_t now_s = (clock_now_ms() + atomic_load(&c->skew_ms)) / 1000;
	int rc;

	pthread_mutex_lock(&c->mu);
	ep = c->endpoint;
	pthread_mutex_unlock(&c->mu);
	const struct sigv4_key key = { .id = creds->id,
		.secret = creds->secret,
		.token = creds->token,
		.region = ep.signing_region,
		.service = aws_service_info(c->service)->signing_name };

	set_target_url(&url, &ep, call);
	rc = url.over ? -1 : http_req_init(req, call->method ? call->method : "POST", url.p);
	buf_release(&url);
	if (rc)
		return err_set(e, ERR_FAILED, "bad-url", "the request's URL is too long or malformed");
	req->body = call->body;
	req->body_len = call->body_len;
	req->path_as_is = s3;
	if (set_headers(c, call, req))
		return err_set(e, ERR_FAILED, "bad-header", "a header's value cannot be sent");
	rc = sigv4_sign(req, &key, s3 ? SIGV4_PATH_AS_IS | SIGV4_BODY_HEADER : 0, now_s, NULL, e);
	if (!rc && set_retry_headers(req, c, call, id, now_s))
		rc = err_set(e, ERR_INTERNAL, "bad-header", "too many headers");
	return rc;
}
