/* http.h - one HTTP exchange over libcurl, blocking, cut short by a stop or a cancel within a millisecond.
 *
 * An http_client owns a pool of connections that its threads share by taking a handle each; it may be
 * used by many threads at once. TLS is always verified. Redirects are never followed, no content
 * encoding is asked for. Time-outs are separate: connect, first byte, idle between bytes, total. */
#ifndef RECAGENT_NET_HTTP_H
#define RECAGENT_NET_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

#define HTTP_MAX_HEADERS 48

struct http_header {
	char *name, *value; /* owned by the request */
};

struct http_req {
	const char *method; /* borrowed */
	char *url;          /* owned: scheme://host[:port]/encoded/path?encoded=query */
	struct http_header headers[HTTP_MAX_HEADERS];
	size_t nheaders;
	const char *body; /* borrowed */
	size_t body_len;
	bool path_as_is; /* tell libcurl not to squash /./ and /../ */
	bool no_proxy;   /* metadata and container endpoints */
};

struct http_timeouts {      /* milliseconds, 0 = none; kept to within a few ms */
	int64_t connect;    /* look-up, connection and TLS handshake */
	int64_t first_byte; /* from the last byte of the request to the status line */
	int64_t idle;       /* between two bytes of the body, in either direction */
	int64_t total;      /* from the call on */
	int64_t slow;       /* what takes longer must have moved 1,000 bytes a second, both ways together */
};

struct http_resp {
	int status;
	struct buf body;                              /* empty when on_body took the bytes */
	struct http_header headers[HTTP_MAX_HEADERS]; /* names in lower case; more are dropped */
	size_t nheaders;
	int64_t sent_ms, done_ms; /* real time, for clock skew and round trips */
	int64_t first_byte_ms;    /* since sending */
	bool delivered;           /* on_body was given bytes */
};

struct http_client;
struct http_conf {
	const char *ca_bundle; /* file or hashed directory; NULL: the system's */
	struct http_timeouts timeouts;
	const char *user_agent;
	bool no_proxy;
};

/* Loads libcurl on first use. Never NULL. */
struct http_client *http_client_new(const struct http_conf *conf);
void http_client_free(struct http_client *c);

/* Headers: set replaces all of that name (case ignored; value NULL removes them), add appends, get returns
 * NULL when absent. -1 when there is no room, or name or value hold what no header may (CR, LF, NUL, ...). */
int http_req_init(struct http_req *req, const char *method, const char *url);
int http_header_set(struct http_req *req, const char *name, const char *value);
int http_header_add(struct http_req *req, const char *name, const char *value);
const char *http_header_get(const struct http_req *req, const char *name);
void http_req_release(struct http_req *req);

const char *http_resp_header(const struct http_resp *resp, const char *name); /* lower-case name */
void http_resp_release(struct http_resp *resp);

/* Bytes of a successful (2xx) body as they come; return false to end the exchange. The error is then what the
 * callback has put into the e of http_do, else ERR_FAILED with code "callback". */
typedef bool http_on_body(const char *p, size_t n, void *arg);

/* One exchange. Returns 0 with resp filled for every HTTP status. -1 when there is no whole answer:
 *   ERR_UNAVAILABLE  "dns", "connect", "tls", "timeout-connect", "timeout-first-byte", "timeout-idle",
 *                    "timeout-slow", "timeout-total", "reset", "truncated"
 *   ERR_FAILED       "too-large", "bad-url", "tls-verify", "callback"
 *   ERR_STOPPED      cut short by a stop or a cancel
 *   ERR_LOCAL        "memory"
 * A kept connection that turns out dead before a line came back is replaced and the request sent again, so a
 * request may arrive twice. resp->delivered is right in both cases. t NULL: the client's own. resp is
 * initialised here. cancel_on_stop: a stop signal ends the exchange (else only http_client_cancel does). */
int http_do(struct http_client *c, const struct http_req *req, const struct http_timeouts *t,
	bool cancel_on_stop, http_on_body *on_body, void *arg, struct http_resp *resp, struct err *e);

/* End every exchange under way (ERR_STOPPED); from any thread. */
void http_client_cancel(struct http_client *c);

/* Split a URL of scheme http or https: offsets into url. Used by the signer and by endpoint code.
 * -1 with ERR_FAILED "bad-url"; control characters, user information and fragments are refused. */
struct url_parts {
	size_t scheme_len;
	size_t host_off, host_len;   /* without port; IPv6 with brackets */
	int port;                    /* 0 when not given */
	size_t path_off, path_len;   /* may be empty */
	size_t query_off, query_len; /* without '?' */
};
int url_split(const char *url, struct url_parts *out, struct err *e);
/* Append what the Host header must say: lower case, the port only when it is not the scheme's own. */
bool url_authority(struct buf *out, const char *url, const struct url_parts *parts);

#endif
