/* cred_sso.c - credentials of IAM Identity Center by the token of `aws sso login`, renewed while it can be. */
#include "aws/cred_internal.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "net/sigv4.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REFRESH_WINDOW_S (15 * 60)
#define REFRESH_EVERY_S 60

/* ~/.aws/sso/cache/SHA1.json of the session's name, without a session of the start URL. */
static void cache_path(struct cred_ctx *c, const struct cred_step *st, struct buf *path)
{
	char hash[41];
	const char *key = st->sso_session ? st->sso_session : st->sso_start_url;
	sha1_hex(key, strlen(key), hash);
	aws_env_expand(c->env, "~/.aws/sso/cache/", path);
	buf_printf(path, "%s.json", hash);
}

static int log_in(struct err *e, const struct cred_step *st, const char *why)
{
	return err_set(
		e, ERR_UNAVAILABLE, "sso-login", "%s: run `aws sso login --profile %s`", why, st->profile);
}

static cJSON *read_cache(struct cred_ctx *c, const struct cred_step *st, const char *path, struct err *e)
{
	struct buf text = BUF_INIT(AWS_CONFIG_MAX_FILE);
	struct err why = { 0 };
	cJSON *tree = NULL;
	if (aws_env_file(c->env, path, &text, &why) < 0)
		log_in(e, st, why.msg);
	else if (!(tree = json_tree(text.p ? text.p : "", text.len, NULL)) ||
		 !json_str(tree, "accessToken") || !json_str(tree, "expiresAt")) {
		log_in(e, st, "the cached token is not readable");
		cred_wipe_tree(tree);
		tree = NULL;
	}
	cred_wipe_buf(&text);
	return tree;
}

static int64_t time_of(const cJSON *tree, const char *key)
{
	int64_t s;
	const char *text = json_str(tree, key);
	return text && cred_time(text, &s) ? s : 0;
}

/* ---- renewal: sso-oidc CreateToken ---- */

static bool renewable(struct cred_ctx *c, const struct cred_step *st, const cJSON *cached, int64_t now)
{
	return st->sso_session && json_str(cached, "refreshToken") && json_str(cached, "clientId") &&
	       json_str(cached, "clientSecret") && time_of(cached, "registrationExpiresAt") > now &&
	       now >= c->sso_next_s;
}

static void token_request(const cJSON *cached, struct buf *body)
{
	static const char *const keys[] = { "clientId", "clientSecret", "refreshToken" };
	buf_str(body, "{\"grantType\":\"refresh_token\"");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		buf_printf(body, ",\"%s\":", keys[i]);
		json_quote_str(body, json_str(cached, keys[i]));
	}
	buf_char(body, '}');
}

static int create_token(
	struct cred_ctx *c, const struct cred_step *st, const cJSON *cached, cJSON **answer, struct err *e)
{
	struct aws_endpoint_params p = { .region = st->sso_region };
	struct aws_endpoint ep;
	struct buf body = BUF_INIT(BUF_MAX_SMALL);
	struct http_req req;
	struct http_resp resp = { 0 };
	char url[sizeof ep.url + 16];
	if (aws_endpoint_resolve(AWS_SSO_OIDC, c->cfg, c->env, &p, &ep, e) < 0)
		return -1;
	snprintf(url, sizeof url, "%s/token", ep.url);
	token_request(cached, &body);
	http_req_init(&req, "POST", url);
	req.body = body.p;
	req.body_len = body.len;
	http_header_set(&req, "content-type", "application/json");
	int rc = cred_http(c, &req, &cred_service_policy, &resp, e);
	*answer = rc == 0 ? json_tree(resp.body.p ? resp.body.p : "", resp.body.len, NULL) : NULL;
	if (rc == 0 && (resp.status != 200 || !json_str(*answer, "accessToken"))) {
		const char *error = json_str(*answer, "error");
		rc = err_set(e, ERR_UNAVAILABLE, "sso", "the SSO token cannot be renewed: status %d%s%s",
			resp.status, error ? ", " : "", error ? error : "");
		cred_wipe_tree(*answer);
		*answer = NULL;
	}
	cred_wipe_resp(&resp);
	http_req_release(&req);
	cred_wipe_buf(&body);
	return rc;
}

static void replace(cJSON *tree, const char *key, const char *value)
{
	cJSON *old = cJSON_DetachItemFromObjectCaseSensitive(tree, key);
	cred_wipe_tree(old);
	cJSON_AddStringToObject(tree, key, value);
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

/* Other tools read the same file: it is replaced as a whole. A failure costs only another renewal. */
static void write_cache(struct cred_ctx *c, const char *path, const cJSON *tree)
{
	struct buf text = BUF_INIT(AWS_CONFIG_MAX_FILE), real = BUF_INIT(BUF_MAX_SMALL),
		   temp = BUF_INIT(BUF_MAX_SMALL);
	if (c->env && c->env->root)
		buf_str(&real, c->env->root);
	buf_str(&real, path);
	if (real.p && buf_printf(&temp, "%s.%ld.tmp", real.p, (long)getpid()) && json_print(&text, tree)) {
		int fd = open(temp.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		bool ok = fd >= 0 && write_all(fd, text.p, text.len);
		if (fd >= 0 && close(fd) != 0)
			ok = false;
		if (fd >= 0 && (!ok || rename(temp.p, real.p) != 0))
			unlink(temp.p);
	}
	cred_wipe_buf(&text);
	buf_release(&real);
	buf_release(&temp);
}

static int renew(struct cred_ctx *c, const struct cred_step *st, const char *path, cJSON *cached, int64_t now,
	struct err *e)
{
	cJSON *answer = NULL;
	int64_t lifetime = 0;
	char until[TIME_TEXT];
	c->sso_next_s = now + REFRESH_EVERY_S;
	if (create_token(c, st, cached, &answer, e) < 0)
		return -1;
	json_int(answer, "expiresIn", &lifetime);
	if (lifetime < 0 || lifetime > 366 * 86400)
		lifetime = 0;
	time_format_s(now + lifetime, until);
	replace(cached, "accessToken", json_str(answer, "accessToken"));
	replace(cached, "expiresAt", until);
	if (json_str(answer, "refreshToken"))
		replace(cached, "refreshToken", json_str(answer, "refreshToken"));
	cred_wipe_tree(answer);
	write_cache(c, path, cached);
	return 0;
}

/* ---- GetRoleCredentials ---- */

static int decode(
	const struct http_resp *resp, const struct cred_step *st, struct aws_creds *out, struct err *e)
{
	cJSON *tree = json_tree(resp->body.p ? resp->body.p : "", resp->body.len, NULL);
	const cJSON *rc = cJSON_GetObjectItemCaseSensitive(tree, "roleCredentials");
	const char *id = json_str(rc, "accessKeyId"), *secret = json_str(rc, "secretAccessKey");
	int64_t ms = 0;
	int result = 1;
	if (resp->status == 401) {
		result = log_in(e, st, "the SSO session has ended");
	} else if (resp->status != 200) {
		const char *message = json_str(tree, "message");
		result = err_set(e, ERR_UNAVAILABLE, "sso", "status %d%s%s", resp->status,
			message ? ": " : "", message ? message : "");
	} else if (!id || !secret || !json_int(rc, "expiration", &ms)) {
		result = err_set(e, ERR_UNAVAILABLE, "sso", "the answer has no whole credentials");
	} else {
		cred_fill(out, id, secret, json_str(rc, "sessionToken"), st->sso_account, "sso");
		out->expires_s = ms / 1000;
	}
	cred_wipe_tree(tree);
	return result;
}

static int role_credentials(struct cred_ctx *c, const struct cred_step *st, const char *token,
	struct aws_creds *out, struct err *e)
{
	struct aws_endpoint_params p = { .region = st->sso_region };
	struct aws_endpoint ep;
	struct buf url = BUF_INIT(BUF_MAX_SMALL);
	struct http_req req;
	struct http_resp resp = { 0 };
	if (strpbrk(token, "\r\n"))
		return log_in(e, st, "the cached token is not readable");
	if (aws_endpoint_resolve(AWS_SSO, c->cfg, c->env, &p, &ep, e) < 0)
		return -1;
	buf_printf(&url, "%s/federation/credentials?role_name=", ep.url);
	uri_encode(&url, st->sso_role, strlen(st->sso_role), false);
	buf_str(&url, "&account_id=");
	uri_encode(&url, st->sso_account, strlen(st->sso_account), false);
	http_req_init(&req, "GET", url.p);
	http_header_set(&req, "x-amz-sso_bearer_token", token);
	int rc = cred_http(c, &req, &cred_service_policy, &resp, e);
	if (rc == 0)
		rc = decode(&resp, st, out, e);
	cred_wipe_resp(&resp);
	http_req_release(&req);
	buf_release(&url);
	return rc;
}

int cred_sso_token(
	struct cred_ctx *c, const struct cred_step *st, struct buf *token, int64_t *expires, struct err *e)
{
	struct buf path = BUF_INIT(BUF_MAX_SMALL);
	struct err why = { 0 };
	int64_t now = clock_now_s();
	int rc = 0;
	cache_path(c, st, &path);
	cJSON *cached = read_cache(c, st, path.p ? path.p : "", e);
	if (!cached)
		rc = -1;
	else if (time_of(cached, "expiresAt") - now < REFRESH_WINDOW_S && renewable(c, st, cached, now))
		renew(c, st, path.p, cached, now, &why); /* a token that is still good outlives a failure */
	if (rc == 0 && time_of(cached, "expiresAt") <= now)
		rc = log_in(e, st, why.cls ? why.msg : "the SSO token has expired");
	if (rc == 0) {
		*expires = time_of(cached, "expiresAt");
		buf_str(token, json_str(cached, "accessToken"));
	}
	cred_wipe_tree(cached);
	buf_release(&path);
	return rc;
}

int cred_sso(struct cred_ctx *c, const struct cred_step *st, struct aws_creds *out, struct err *e)
{
	struct buf token = BUF_INIT(BUF_MAX_SMALL);
	int64_t expires;
	int rc;
	if (!st->sso_account)
		return err_set(e, ERR_USAGE, "bad-profile",
			"selected profile will resolve an access token instead of credentials: profile "
			"\"%s\" needs "
			"`sso_account_id` and `sso_role_name`",
			st->profile);
	rc = cred_sso_token(c, st, &token, &expires, e);
	if (rc == 0)
		rc = role_credentials(c, st, token.p ? token.p : "", out, e);
	if (rc < 0)
		err_prefix(e, "SSO, profile \"%s\": ", st->profile);
	cred_wipe_buf(&token);
	return rc;
}
