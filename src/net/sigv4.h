/* sigv4.h - sign one HTTP request with AWS Signature Version 4.
 *
 * Pure: no clock, no environment, no I/O, so a test can pin every byte. Thread-safe.
 * Source: AWS General Reference, "Signing AWS API requests"; the rules for paths, queries and headers
 * are those that botocore and aws-c-auth agree on. */
#ifndef RECAGENT_NET_SIGV4_H
#define RECAGENT_NET_SIGV4_H

#include "base/buf.h"
#include "base/err.h"
#include "net/http.h"

struct sigv4_key { /* strings are borrowed for the call; only token may be NULL */
	const char *id, *secret, *token;
	const char *region, *service;
};

enum sigv4_flags {
	SIGV4_PATH_AS_IS = 1,      /* S3: the path as sent, not normalised, not encoded again */
	SIGV4_BODY_HEADER = 2,     /* S3: add and sign x-amz-content-sha256 */
	SIGV4_TOKEN_UNSIGNED = 4,  /* add the session token after signing */
	SIGV4_UNSIGNED_PAYLOAD = 8 /* body hash is UNSIGNED-PAYLOAD */
};

/* What was signed, for tests and for explaining a refused signature. Release with sigv4_trace_release. */
struct sigv4_trace {
	struct buf canonical, to_sign;
	char signature[65];
};

/* Add X-Amz-Date, Authorization and, with a token, X-Amz-Security-Token to req's headers.
 *   now_s  seconds since 1970 UTC
 *   req    method, url (the host header is made from it when there is none), headers and body are
 *          signed as they stand
 * All headers of req are signed but those that proxies may change (connection, expect, user-agent,
 * x-amzn-trace-id, transfer-encoding, ...). A request may be signed again: what an earlier signature left is
 * replaced. trace may be NULL. On error (ERR_FAILED "bad-url", "bad-credentials", "bad-region", "too-large";
 * ERR_INTERNAL with too many headers) req is unchanged. */
int sigv4_sign(struct http_req *req, const struct sigv4_key *key, unsigned flags, int64_t now_s,
	struct sigv4_trace *trace, struct err *e);

/* The presigned form: the query string to use instead of the request's, with X-Amz-Signature. As sigv4_sign
 * else; expires_s outside 1 to 604800 is "bad-expires". */
int sigv4_presign(const struct http_req *req, const struct sigv4_key *key, unsigned flags, int64_t now_s,
	unsigned expires_s, struct buf *query, struct sigv4_trace *trace, struct err *e);

void sigv4_trace_release(struct sigv4_trace *t);

/* Percent-encode all but unreserved characters; keep_slash leaves '/'. */
bool uri_encode(struct buf *out, const char *s, size_t n, bool keep_slash);

#endif
