/* cred_replay.h - recorded traffic in the place of HTTP: each request is compared, each answer handed out. */
#ifndef RECAGENT_TESTS_CRED_REPLAY_H
#define RECAGENT_TESTS_CRED_REPLAY_H

#include "aws/cred_internal.h"
#include "aws_vectors.h"

struct replay {
	struct tally *t;
	const char *row;
	const cJSON *event; /* the next one */
};

static inline const cJSON *action(const cJSON *event, const char *kind)
{
	return cJSON_GetObjectItem(cJSON_GetObjectItem(event, "action"), kind);
}

static inline const char *header_of(const cJSON *message, const char *name)
{
	const cJSON *v = cJSON_GetObjectItem(cJSON_GetObjectItem(message, "headers"), name);
	return cJSON_GetStringValue(cJSON_IsArray(v) ? cJSON_GetArrayItem(v, 0) : v);
}

static inline bool has_param(const char *query, const char *p, size_t n)
{
	for (; query; query = strchr(query, '&'), query = query ? query + 1 : NULL)
		if (strncmp(query, p, n) == 0 && (query[n] == '\0' || query[n] == '&'))
			return true;
	return false;
}

/* Up to the order of parameters and a slash at the end of the path. */
static inline bool same_url(const char *a, const char *b)
{
	size_t na = strcspn(a, "?"), nb = strcspn(b, "?");
	const char *qa = a[na] ? a + na + 1 : NULL, *qb = b[nb] ? b + nb + 1 : NULL;
	while (na > 0 && a[na - 1] == '/')
		na--;
	while (nb > 0 && b[nb - 1] == '/')
		nb--;
	if (na != nb || memcmp(a, b, na) != 0 || !qa != !qb || (qa && strlen(qa) != strlen(qb)))
		return false;
	for (const char *p = qa; p; p = strchr(p, '&'), p = p ? p + 1 : NULL)
		if (!has_param(qb, p, strcspn(p, "&")))
			return false;
	return true;
}

static inline const char *id_of(const char *authorization)
{
	const char *p = authorization ? strstr(authorization, "Credential=") : NULL;
	return p ? p + 11 : NULL;
}

static inline void compare_request(struct replay *r, const struct http_req *req, const cJSON *want)
{
	static const char *const exact[] = { "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token",
		"x-aws-ec2-metadata-token-ttl-seconds", "accept" };
	if (strcmp(req->method, str_of(want, "method")) != 0 || !same_url(req->url, str_of(want, "uri")))
		ROW_FAIL(r->t, r->row, "wanted %s %s, got %s %s", str_of(want, "method"), str_of(want, "uri"),
			req->method, req->url);
	for (size_t i = 0; i < ARRAY_LEN(exact); i++) {
		const char *a = header_of(want, exact[i]), *b = http_header_get(req, exact[i]);
		if (a && (!b || strcmp(a, b) != 0))
			ROW_FAIL(r->t, r->row, "%s: wanted %s, got %s", exact[i], a, b ? b : "(none)");
	}
	const char *signer = id_of(header_of(want, "authorization"));
	const char *mine = id_of(http_header_get(req, "authorization"));
	if (!signer != !mine || (signer && strncmp(signer, mine, strcspn(signer, "/") + 1) != 0))
		ROW_FAIL(r->t, r->row, "signed by %.20s, wanted %.20s", mine ? mine : "nobody",
			signer ? signer : "nobody");
}

static inline void compare_body(struct replay *r, const struct http_req *req, const char *want)
{
	size_t n = strcspn(want, "&");
	if (strncmp(want, "Action=", 7) == 0 && (req->body_len <= n || memcmp(req->body, want, n) != 0))
		ROW_FAIL(r->t, r->row, "wanted %.*s", (int)n, want);
}

static inline int replay_http(void *arg, const struct http_req *req, const struct http_timeouts *timeouts,
	struct http_resp *resp, struct err *e)
{
	struct replay *r = arg;
	const cJSON *a, *ev = r->event;
	int rc = 0;
	*resp = (struct http_resp){ .body = BUF_INIT(BUF_MAX_SMALL) };
	if (timeouts->connect <= 0 || timeouts->total <= 0)
		ROW_FAIL(r->t, r->row, "no time-outs");
	while (ev && !action(ev, "Request"))
		ev = ev->next;
	if (!ev)
		return err_set(e, ERR_UNAVAILABLE, "connect", "connection refused");
	compare_request(r, req, cJSON_GetObjectItem(action(ev, "Request"), "request"));
	for (ev = ev->next; ev && !action(ev, "Request"); ev = ev->next) {
		if ((a = action(ev, "Response"))) {
			a = cJSON_GetObjectItem(a, "response");
			resp->status = (int)cJSON_GetNumberValue(
				cJSON_GetObjectItem(cJSON_GetObjectItem(a, "Ok"), "status"));
			if (!cJSON_GetObjectItem(a, "Ok"))
				rc = err_set(e, ERR_UNAVAILABLE, "connect", "canned failure");
		}
		const char *data =
			(a = action(ev, "Data")) ? str_of(cJSON_GetObjectItem(a, "data"), "Utf8") : NULL;
		if (data && strcmp(str_of(a, "direction"), "Response") == 0)
			buf_str(&resp->body, data);
		else if (data)
			compare_body(r, req, data);
	}
	r->event = ev;
	return rc;
}

#endif
