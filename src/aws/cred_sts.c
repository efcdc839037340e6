/* cred_sts.c - temporary credentials of a role: AssumeRole (signed) and AssumeRoleWithWebIdentity (not). */
#include "aws/cred_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/sigv4.h"
#include "net/xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer { /* where the fields are collected; texts are wiped at the end */
	struct buf id, secret, token, until, arn, code, message;
};

static void collect(const char *path, const char *text, void *arg)
{
	struct answer *a = arg;
	const char *last = strrchr(path, '/');
	const struct {
		const char *name;
		struct buf *to;
	} fields[] = { { "/AccessKeyId", &a->id }, { "/SecretAccessKey", &a->secret },
		{ "/SessionToken", &a->token }, { "/Expiration", &a->until }, { "/Arn", &a->arn },
		{ "/Code", &a->code }, { "/Message", &a->message } };
	for (size_t i = 0; text && last && i < ARRAY_LEN(fields); i++)
		if (strcmp(last, fields[i].name) == 0 && fields[i].to->len == 0)
			buf_str(fields[i].to, text);
}

static void answer_init(struct answer *a)
{
	struct buf *all = &a->id;
	for (size_t i = 0; i < sizeof *a / sizeof *all; i++)
		buf_init(&all[i], BUF_MAX_SMALL);
}

static void answer_release(struct answer *a)
{
	struct buf *all = &a->id;
	for (size_t i = 0; i < sizeof *a / sizeof *all; i++)
		cred_wipe_buf(&all[i]);
}

/* arn:aws:sts::ACCOUNT:assumed-role/... */
static char *account_of(const struct buf *arn)
{
	const char *p = arn->p;
	for (int i = 0; p && i < 4; i++)
		p = (p = strchr(p, ':')) ? p + 1 : NULL;
	size_t n = p ? strcspn(p, ":") : 0;
	return n > 0 ? mem_dup(p, n) : NULL;
}

static void add_field(struct buf *body, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(body, "&%s=", name);
	uri_encode(body, value, strlen(value), false);
}

static bool session_name_ok(const char *s)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-";
	size_t n = strlen(s);
	return n >= 2 && n <= 64 && strspn(s, ok) == n;
}

static int form(const struct cred_step *st, const char *action, struct buf *body, struct err *e)
{
	char name[64];
	snprintf(name, sizeof name, "recagent-%" PRId64, clock_now_s());
	if (st->session_name && !session_name_ok(st->session_name))
		return err_set(e, ERR_USAGE, "bad-profile",
			"role_session_name \"%s\" is not 2 to 64 of letters, digits and _+=,.@-",
			st->session_name);
	if (st->duration) {
		char *end;
		long v = strtol(st->duration, &end, 10);
		if (*end || v < 900 || v > 43200)
			return err_set(e, ERR_USAGE, "bad-profile",
				"duration_seconds \"%s\" is not 900 to 43200", st->duration);
	}
	buf_printf(body, "Action=%s&Version=2011-06-15", action);
	add_field(body, "RoleArn", st->role_arn);
	add_field(body, "RoleSessionName", st->session_name ? st->session_name : name);
	add_field(body, "DurationSeconds", st->duration);
	add_field(body, "ExternalId", st->external_id);
	return 0;
}

static int decode(const struct http_resp *resp, const char *source, struct aws_creds *out, struct err *e)
{
	struct answer a;
	int64_t expires;
	answer_init(&a);
	const char *p = resp->body.p ? resp->body.p : "";
	int rc = xml_read(p, resp->body.len, collect, &a, NULL);
	if (resp->status != 200) {
		if (rc == 0 && a.code.len > 0)
			rc = err_set(e, ERR_UNAVAILABLE, a.code.p, "%s: %s", a.code.p,
				a.message.p ? a.message.p : "no message");
		else
			rc = err_set(e, ERR_UNAVAILABLE, "sts", "status %d", resp->status);
		e->http = resp->status;
	} else if (rc < 0 || a.id.len == 0 || a.secret.len == 0 || a.token.len == 0 || !a.until.p ||
		   !cred_time(a.until.p, &expires)) {
		rc = err_set(e, ERR_UNAVAILABLE, "sts", "the answer has no whole credentials");
	} else {
		char *account = account_of(&a.arn);
		cred_fill(out, a.id.p, a.secret.p, a.token.p, account, source);
		out->expires_s = expires;
		free(account);
		rc = 1;
	}
	answer_release(&a);
	return rc;
}

/* Trouble of the identity provider passes; everything else that STS says stays. */
static bool passing_fault(const struct err *e)
{
	static const char *const codes[] = { "IDPCommunicationError", "IDPCommunicationErrorException",
		"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException" };
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (strcmp(e->code, codes[i]) == 0)
			return true;
	return false;
}

static int once(struct cred_ctx *c, const struct aws_endpoint *ep, const struct buf *body,
	const struct aws_creds *with, const char *source, struct aws_creds *out, struct err *e)
{
	struct http_req req;
	struct http_resp resp = { 0 };
	char url[sizeof ep->url + 2];
	snprintf(url, sizeof url, "%s/", ep->url);
	http_req_init(&req, "POST", url);
	req.body = body->p;
	req.body_len = body->len;
	http_header_set(&req, "content-type", "application/x-www-form-urlencoded");
	int rc = 0;
	if (with) {
		struct sigv4_key key = { .id = with->id,
			.secret = with->secret,
			.token = with->token,
			.region = ep->signing_region,
			.service = aws_service_info(AWS_STS)->signing_name };
		rc = sigv4_sign(&req, &key, 0, clock_now_s(), NULL, e);
	}
	if (rc == 0)
		rc = cred_http(c, &req, &cred_service_policy, &resp, e);
	if (rc == 0)
		rc = decode(&resp, source, out, e);
	cred_wipe_resp(&resp);
	http_req_release(&req);
	return rc;
}

static int call(struct cred_ctx *c, const struct buf *body, const struct aws_creds *with, const char *source,
	struct aws_creds *out, struct err *e)
{
	struct aws_endpoint_params p = { .region = c->region };
	struct aws_endpoint ep;
	if (aws_endpoint_resolve(AWS_STS, c->cfg, c->env, &p, &ep, e) < 0)
		return -1;
	for (int n = 1;; n++) {
		int rc = once(c, &ep, body, with, source, out, e);
		if (rc >= 0 || n == 3 || !passing_fault(e) || !clock_sleep_ms(500 * n))
			return rc;
	}
}

int cred_assume_role(struct cred_ctx *c, const struct cred_step *st, const struct aws_creds *with,
	struct aws_creds *out, struct err *e)
{
	struct buf body = BUF_INIT(BUF_MAX_SMALL);
	int rc;
	if (st->mfa_serial)
		rc = err_set(e, ERR_USAGE, "bad-profile",
			"mfa_serial is set, and no MFA code can be asked for here: use temporary keys or a "
			"credential_process");
	else if ((rc = form(st, "AssumeRole", &body, e)) == 0)
		rc = call(c, &body, with, "assume-role", out, e);
	if (rc < 0)
		err_prefix(e, "profile \"%s\": assume role %s: ", st->profile, st->role_arn);
	cred_wipe_buf(&body);
	return rc;
}

int cred_web_identity(struct cred_ctx *c, const struct cred_step *st, struct aws_creds *out, struct err *e)
{
	struct buf body = BUF_INIT(BUF_MAX_SMALL), token = BUF_INIT(BUF_MAX_SMALL);
	int rc = form(st, "AssumeRoleWithWebIdentity", &body, e);
	if (rc == 0)
		rc = aws_env_file(c->env, st->token_file, &token, e);
	if (rc == 0 && (token.len == 0 || strlen(token.p) != token.len))
		rc = err_set(e, ERR_USAGE, "bad-credentials", "`%s` holds no token", st->token_file);
	if (rc == 0) {
		while (token.len > 0 && strchr(" \t\r\n", token.p[token.len - 1]))
			token.p[--token.len] = '\0';
		add_field(&body, "WebIdentityToken", token.p);
		rc = call(c, &body, NULL, "web-identity", out, e);
	}
	if (rc < 0)
		err_prefix(e, "web identity, role %s: ", st->role_arn);
	cred_wipe_buf(&token);
	cred_wipe_buf(&body);
	return rc;
}
