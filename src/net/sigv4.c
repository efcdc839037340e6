/* sigv4.c - sign a request with AWS Signature Version 4, in headers or in the query. */
#include "net/sigv4.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "net/sigv4_canonical.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define EXPIRES_MAX 604800u
#define OWN_HEADERS 4 /* host, x-amz-date, token, body hash */

/* One signature on its way; sigv4.h says what goes in and what comes out. */
struct job {
	const struct http_req *req;
	const struct sigv4_key *key;
	unsigned flags;
	struct url_parts url;
	char time[TIME_TEXT], body_hash[65];
	struct buf host, scope, lines, names;
	struct signed_header headers[HTTP_MAX_HEADERS + OWN_HEADERS];
	size_t nheaders;
	struct sigv4_trace trace;
};

/* Headers that we set ourselves, or that a proxy or the HTTP library may add, drop or change. */
static bool is_unsigned(const char *name)
{
	static const char *const names[] = { "authorization", "connection", "expect", "keep-alive", "te",
		"trailer", "transfer-encoding", "upgrade", "user-agent", "x-amz-date", "x-amz-security-token",
		"x-amzn-trace-id" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return !strncasecmp(name, "proxy-", 6);
}

static void add_header(struct job *j, const char *name, const char *value)
{
	j->headers[j->nheaders++] = (struct signed_header){ name, value };
}

static void collect_headers(struct job *j, bool presign)
{
	const char *token = j->flags & SIGV4_TOKEN_UNSIGNED ? NULL : j->key->token;
	bool hash = !presign && (j->flags & SIGV4_BODY_HEADER);

	for (size_t i = 0; i < j->req->nheaders; i++) {
		const struct http_header *h = &j->req->headers[i];
		if (!is_unsigned(h->name) && !(hash && !strcasecmp(h->name, "x-amz-content-sha256")))
			add_header(j, h->name, h->value);
	}
	if (!http_header_get(j->req, "host"))
		add_header(j, "host", j->host.p);
	if (!presign)
		add_header(j, "x-amz-date", j->time);
	if (!presign && token)
		add_header(j, "x-amz-security-token", token);
	if (hash)
		add_header(j, "x-amz-content-sha256", j->body_hash);
	canonical_headers(&j->lines, &j->names, j->headers, j->nheaders);
}

/* Credentials come from files and commands: what would break out of a header line is refused here. */
static bool is_clean(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static int check_key(const struct sigv4_key *k, struct err *e)
{
	if (!k->id || !*k->id || !k->secret || !*k->secret)
		return err_set(e, ERR_FAILED, "bad-credentials", "no access key to sign with");
	if (!k->region || !*k->region || !k->service || !*k->service)
		return err_set(e, ERR_FAILED, "bad-region", "no region or service to sign for");
	if (!is_clean(k->id) || !is_clean(k->region) || !is_clean(k->service) ||
		(k->token && !is_clean(k->token)))
		return err_set(
			e, ERR_FAILED, "bad-credentials", "control characters in credentials or region");
	return 0;
}

static int job_begin(struct job *j, int64_t now_s, struct err *e)
{
	struct buf *all[] = { &j->host, &j->scope, &j->lines, &j->names, &j->trace.canonical,
		&j->trace.to_sign };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_init(all[i], i < 4 ? BUF_MAX_SMALL : 4 * BUF_MAX_SMALL);
	if (check_key(j->key, e) || url_split(j->req->url, &j->url, e))
		return -1;
	time_format_amz(now_s, j->time);
	url_authority(&j->host, j->req->url, &j->url);
	buf_printf(&j->scope, "%.8s/%s/%s/aws4_request", j->time, j->key->region, j->key->service);
	if (j->flags & SIGV4_UNSIGNED_PAYLOAD)
		snprintf(j->body_hash, sizeof j->body_hash, "UNSIGNED-PAYLOAD");
	else
		sha256_hex(j->req->body_len ? j->req->body : "", j->req->body_len, j->body_hash);
	if (j->host.over || j->scope.over)
		return err_set(e, ERR_FAILED, "too-large", "host or region is too long to sign");
	return 0;
}

static void job_end(struct job *j, struct sigv4_trace *trace)
{
	buf_release(&j->host);
	buf_release(&j->scope);
	buf_release(&j->lines);
	buf_release(&j->names);
	if (trace)
		*trace = j->trace;
	else
		sigv4_trace_release(&j->trace);
}

static void derive_key(const struct job *j, uint8_t key[SHA256_LEN])
{
	const char *parts[] = { j->key->region, j->key->service, "aws4_request" };
	size_t n = strlen(j->key->secret) + 4;
	char *secret = mem_alloc(n + 1);

	snprintf(secret, n + 1, "AWS4%s", j->key->secret);
	hmac_sha256(secret, n, j->time, 8, key);
	mem_wipe(secret, n);
	free(secret);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		uint8_t next[SHA256_LEN];
		hmac_sha256(key, SHA256_LEN, parts[i], strlen(parts[i]), next);
		memcpy(key, next, SHA256_LEN);
	}
}

/* Canonical request, string to sign and signature, from the headers collected and this query. */
static int compute(struct job *j, const char *query, size_t query_len, struct err *e)
{
	struct buf *c = &j->trace.canonical, *s = &j->trace.to_sign;
	uint8_t key[SHA256_LEN], mac[SHA256_LEN];
	char hash[65];

	buf_printf(c, "%s\n", j->req->method);
	if (!canonical_path(c, j->req->url + j->url.path_off, j->url.path_len, j->flags & SIGV4_PATH_AS_IS) ||
		!buf_char(c, '\n') || !canonical_query(c, query, query_len) ||
		!buf_printf(c, "\n%s\n%s\n%s", j->lines.p, j->names.p, j->body_hash) || j->lines.over ||
		j->names.over)
		return err_set(e, ERR_FAILED, "too-large", "path, query or headers are too long to sign");
	sha256_hex(c->p, c->len, hash);
	buf_printf(s, ALGORITHM "\n%s\n%s\n%s", j->time, j->scope.p, hash);
	derive_key(j, key);
	hmac_sha256(key, sizeof key, s->p, s->len, mac);
	hex_encode(mac, sizeof mac, j->trace.signature);
	mem_wipe(key, sizeof key);
	return 0;
}

static int apply_headers(struct http_req *req, const struct job *j, const char *auth, struct err *e)
{
	int rc = http_header_set(req, "X-Amz-Date", j->time);

	rc |= http_header_set(req, "X-Amz-Security-Token", j->key->token);
	if (j->flags & SIGV4_BODY_HEADER)
		rc |= http_header_set(req, "x-amz-content-sha256", j->body_hash);
	rc |= http_header_set(req, "Authorization", auth);
	return rc ? err_set(e, ERR_INTERNAL, "", "cannot add the signature's headers") : 0;
}

int sigv4_sign(struct http_req *req, const struct sigv4_key *key, unsigned flags, int64_t now_s,
	struct sigv4_trace *trace, struct err *e)
{
	struct job j = { .req = req, .key = key, .flags = flags };
	struct buf auth = BUF_INIT(2 * BUF_MAX_SMALL);
	int rc = job_begin(&j, now_s, e);

	if (!rc && req->nheaders > HTTP_MAX_HEADERS - OWN_HEADERS)
		rc = err_set(e, ERR_INTERNAL, "", "no room for the signature's headers");
	if (!rc) {
		collect_headers(&j, false);
		rc = compute(&j, req->url + j.url.query_off, j.url.query_len, e);
	}
	if (!rc && !buf_printf(&auth, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s", key->id,
			   j.scope.p, j.names.p, j.trace.signature))
		rc = err_set(e, ERR_FAILED, "too-large", "credentials are too long");
	if (!rc)
		rc = apply_headers(req, &j, auth.p, e);
	buf_release(&auth);
	job_end(&j, trace);
	return rc;
}

static void add_param(struct buf *q, const char *name, const char *value)
{
	buf_printf(q, "%s%s=", q->len ? "&" : "", name);
	uri_encode(q, value, strlen(value), false);
}

/* A request that already has parameters of a signature would be signed ambiguously. */
static bool has_auth_param(const char *q, size_t n)
{
	static const char *const names[] = { "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date",
		"X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Security-Token", "X-Amz-Signature" };
	size_t start = 0;

	for (size_t i = 0; i <= n; i++) {
		size_t len = i - start;
		if (i < n && q[i] != '&' && q[i] != '=')
			continue;
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (strlen(names[k]) == len && !strncasecmp(q + start, names[k], len))
				return true;
		while (i < n && q[i] != '&')
			i++;
		start = i + 1;
	}
	return false;
}

/* The request's own parameters, then those that describe the signature. */
static int presign_query(struct job *j, struct buf *q, unsigned expires_s, struct err *e)
{
	const char *own = j->req->url + j->url.query_off;
	struct buf credential = BUF_INIT(BUF_MAX_SMALL);
	char seconds[16];

	if (has_auth_param(own, j->url.query_len))
		return err_set(e, ERR_FAILED, "bad-url", "the query holds parameters of a signature already");
	buf_printf(&credential, "%s/%s", j->key->id, j->scope.p);
	snprintf(seconds, sizeof seconds, "%u", expires_s);
	buf_add(q, own, j->url.query_len);
	add_param(q, "X-Amz-Algorithm", ALGORITHM);
	add_param(q, "X-Amz-Credential", credential.p ? credential.p : "");
	add_param(q, "X-Amz-Date", j->time);
	add_param(q, "X-Amz-Expires", seconds);
	if (j->key->token && !(j->flags & SIGV4_TOKEN_UNSIGNED))
		add_param(q, "X-Amz-Security-Token", j->key->token);
	add_param(q, "X-Amz-SignedHeaders", j->names.p ? j->names.p : "");
	if (credential.over || j->names.over)
		q->over = true;
	buf_release(&credential);
	return q->over ? err_set(e, ERR_FAILED, "too-large", "the query is too long to sign") : 0;
}

int sigv4_presign(const struct http_req *req, const struct sigv4_key *key, unsigned flags, int64_t now_s,
	unsigned expires_s, struct buf *query, struct sigv4_trace *trace, struct err *e)
{
	struct job j = { .req = req, .key = key, .flags = flags };
	struct buf q = BUF_INIT(BUF_MAX_SMALL);
	int rc = job_begin(&j, now_s, e);

	if (!rc && (!expires_s || expires_s > EXPIRES_MAX))
		rc = err_set(e, ERR_FAILED, "bad-expires", "a URL can be valid for 1 second to 7 days");
	if (!rc) {
		collect_headers(&j, true);
		rc = presign_query(&j, &q, expires_s, e);
	}
	if (!rc)
		rc = compute(&j, q.p, q.len, e);
	if (!rc) {
		canonical_query(query, q.p, q.len);
		if (key->token && (flags & SIGV4_TOKEN_UNSIGNED))
			add_param(query, "X-Amz-Security-Token", key->token);
		add_param(query, "X-Amz-Signature", j.trace.signature);
		if (query->over)
			rc = err_set(e, ERR_FAILED, "too-large", "the signed query is too long");
	}
	buf_release(&q);
	job_end(&j, trace);
	return rc;
}

void sigv4_trace_release(struct sigv4_trace *t)
{
	buf_release(&t->canonical);
	buf_release(&t->to_sign);
}
