/* http_failure.c - what went wrong with an exchange, in our words. */
#include "net/http_exchange.h"

#include <string.h>

struct cause {
	CURLcode rc;
	enum err_class cls;
	const char *code, *text;
};

static const struct cause causes[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_UNAVAILABLE, "dns", "cannot resolve" },
	{ CURLE_COULDNT_RESOLVE_PROXY, ERR_UNAVAILABLE, "dns", "cannot resolve the proxy for" },
	{ CURLE_COULDNT_CONNECT, ERR_UNAVAILABLE, "connect", "cannot connect to" },
	{ CURLE_PROXY, ERR_UNAVAILABLE, "connect", "the proxy does not connect to" },
	{ CURLE_SSL_CONNECT_ERROR, ERR_UNAVAILABLE, "tls", "no TLS connection to" },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_FAILED, "tls-verify", "cannot trust the certificate of" },
	{ CURLE_SSL_CACERT_BADFILE, ERR_FAILED, "tls-verify", "cannot read the CA bundle to check" },
	{ CURLE_SSL_ISSUER_ERROR, ERR_FAILED, "tls-verify", "cannot trust the certificate of" },
	{ CURLE_SSL_INVALIDCERTSTATUS, ERR_FAILED, "tls-verify", "cannot trust the certificate of" },
	{ CURLE_PARTIAL_FILE, ERR_UNAVAILABLE, "truncated", "the answer was cut short by" },
	{ CURLE_FILESIZE_EXCEEDED, ERR_FAILED, "too-large", "the answer is too large:" },
	{ CURLE_URL_MALFORMAT, ERR_FAILED, "bad-url", "bad URL for" },
	{ CURLE_OUT_OF_MEMORY, ERR_LOCAL, "memory", "out of memory for" },
	{ CURLE_FAILED_INIT, ERR_LOCAL, "memory", "cannot set up libcurl for" },
	{ CURLE_GOT_NOTHING, ERR_UNAVAILABLE, "reset", "connection closed without an answer by" },
	{ CURLE_SEND_ERROR, ERR_UNAVAILABLE, "reset", "connection lost while sending to" },
	{ CURLE_RECV_ERROR, ERR_UNAVAILABLE, "reset", "connection lost while receiving from" },
};

static const struct cause anything = { CURLE_OK, ERR_UNAVAILABLE, "reset", "no usable answer from" };

static int late(struct err *e, const char *code, const char *what, int64_t ms, const char *url, int n)
{
	return err_set(e, ERR_UNAVAILABLE, code, "no %s within %lld ms: %.*s", what, (long long)ms, n, url);
}

static int by_verdict(const struct exchange *x, const char *host, int n, struct err *e)
{
	const struct http_timeouts *t = &x->limits;

	switch (x->verdict) {
	case STOPPED: return err_set(e, ERR_STOPPED, "stopped", "interrupted");
	case TOO_LARGE: return err_set(e, ERR_FAILED, "too-large", "the answer is too large: %.*s", n, host);
	case LATE_CONNECT: return late(e, "timeout-connect", "connection", t->connect, host, n);
	case LATE_FIRST_BYTE: return late(e, "timeout-first-byte", "answer", t->first_byte, host, n);
	case LATE_IDLE: return late(e, "timeout-idle", "further byte", t->idle, host, n);
	case LATE_SLOW:
		return err_set(e, ERR_UNAVAILABLE, "timeout-slow",
			"less than 1000 bytes a second for %lld ms: %.*s", (long long)t->slow, n, host);
	case LATE_TOTAL: return late(e, "timeout-total", "whole answer", t->total, host, n);
	case CALLBACK:
		/* The callback may have filled the caller's error itself. */
		if (e->cls == ERR_NONE)
			err_set(e, ERR_FAILED, "callback", "the reader of the answer gave up: %.*s", n, host);
		return -1;
	case NO_VERDICT: break;
	}
	return err_set(e, ERR_INTERNAL, "", "exchange without a result");
}

int http_failure(const struct exchange *x, CURLcode rc, const struct url_parts *url, struct err *e)
{
	const char *at = x->req->url;
	/* Scheme, host and port; path and query may hold what is nobody's business. */
	int n = (int)(url->path_off);
	const struct cause *c = &anything;

	if (x->verdict)
		return by_verdict(x, at, n, e);
	/* What libcurl says of a header line over its own limit. */
	if (rc == CURLE_OUT_OF_MEMORY && x->phase >= WAITING && !x->headers_done)
		return err_set(
			e, ERR_FAILED, "too-large", "a header of the answer is too large: %.*s", n, at);
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return x->phase == CONNECTING
			       ? late(e, "timeout-connect", "connection", x->limits.connect, at, n)
			       : late(e, "timeout-total", "whole answer", x->limits.total, at, n);
	for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
		if (causes[i].rc == rc)
			c = &causes[i];
	/* libcurl quotes a proxy's URL that it can't read, and the password in it. */
	const char *why = *x->why && !strchr(x->why, '@') ? x->why : curl_easy_strerror(rc);
	return err_set(e, c->cls, c->code, "%s %.*s: %s", c->text, n, at, why);
}
