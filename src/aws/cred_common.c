/* cred_common.c - filling, wiping and fetching that all credential sources share. */
#include "aws/cred_internal.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/stop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void wipe_text(char **s)
{
	if (*s)
		mem_wipe(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void aws_creds_release(struct aws_creds *c)
{
	wipe_text(&c->id);
	wipe_text(&c->secret);
	wipe_text(&c->token);
	wipe_text(&c->account);
	*c = (struct aws_creds){ 0 };
}

void cred_fill(struct aws_creds *out, const char *id, const char *secret, const char *token,
	const char *account, const char *source)
{
	*out = (struct aws_creds){ .id = mem_strdup(id), .secret = mem_strdup(secret) };
	out->token = token && *token ? mem_strdup(token) : NULL;
	out->account = account && *account ? mem_strdup(account) : NULL;
	snprintf(out->source, sizeof out->source, "%s", source);
}

void cred_wipe_buf(struct buf *b)
{
	if (b->p)
		mem_wipe(b->p, b->cap);
	buf_release(b);
}

static void wipe_node(cJSON *node)
{
	for (; node; node = node->next) {
		if (node->valuestring)
			mem_wipe(node->valuestring, strlen(node->valuestring));
		wipe_node(node->child);
	}
}

void cred_wipe_tree(cJSON *tree)
{
	wipe_node(tree);
	cJSON_Delete(tree);
}

void cred_wipe_resp(struct http_resp *resp)
{
	if (resp->body.p)
		mem_wipe(resp->body.p, resp->body.cap);
	http_resp_release(resp);
}

bool cred_time(const char *text, int64_t *s)
{
	int64_t us;
	char z[TIME_TEXT];
	size_t n = strlen(text);
	if (n > 3 && n < sizeof z && strcmp(text + n - 3, "UTC") == 0) {
		memcpy(z, text, n - 3);
		z[n - 3] = 'Z';
		text = z;
		n -= 2;
	}
	if (!time_parse(text, n, &us))
		return false;
	*s = us / 1000000;
	return true;
}

int cred_from_json(
	const struct buf *body, const char *token_key, const char *what, struct aws_creds *out, struct err *e)
{
	/* The parser's own message is not handed on: it could quote the text. */
	cJSON *tree = json_tree(body->p ? body->p : "", body->len, NULL);
	const char *id = json_str(tree, "AccessKeyId"), *secret = json_str(tree, "SecretAccessKey");
	const char *token = json_str(tree, token_key), *until = json_str(tree, "Expiration");
	int64_t expires = 0;
	int rc = 1;
	if (!tree)
		rc = err_set(e, ERR_UNAVAILABLE, "bad-credentials", "%s: the answer is no JSON object", what);
	else if (!id || !*id || !secret || !*secret)
		rc = err_set(e, ERR_UNAVAILABLE, "bad-credentials", "%s: the answer has no %s", what,
			id && *id ? "SecretAccessKey" : "AccessKeyId");
	else if (until && !cred_time(until, &expires))
		rc = err_set(e, ERR_UNAVAILABLE, "bad-credentials", "%s: Expiration \"%s\" is no time", what,
			until);
	if (rc > 0) {
		cred_fill(out, id, secret, token, json_str(tree, "AccountId"), what);
		out->expires_s = expires;
	}
	cred_wipe_tree(tree);
	return rc;
}

const struct cred_policy cred_service_policy = { .attempts = 3,
	.network_attempts = 3,
	.pause_ms = 100,
	.timeouts = { .connect = 3100, .first_byte = 15000, .idle = 15000, .total = 30000 } };

static bool passing(const struct http_resp *resp)
{
	return resp->status == 429 || resp->status >= 500;
}

int cred_http(struct cred_ctx *c, const struct http_req *req, const struct cred_policy *p,
	struct http_resp *resp, struct err *e)
{
	int64_t pause = p->pause_ms;
	for (int n = 1;; n++, pause *= 2) {
		int rc = c->io.http(c->io.arg, req, &p->timeouts, resp, e);
		bool again = rc < 0 ? n < p->network_attempts && e->cls == ERR_UNAVAILABLE
				    : passing(resp) && n < p->attempts;
		if (!again || stop_requested())
			return rc;
		cred_wipe_resp(resp);
		clock_sleep_ms(pause / 2 + (int64_t)(random_unit() * (double)pause / 2));
	}
}

/* A refresh must go through while a stop drains the pipe: only a cancel cuts it short. */
static int real_http(void *arg, const struct http_req *req, const struct http_timeouts *t,
	struct http_resp *resp, struct err *e)
{
	return http_do(arg, req, t, false, NULL, NULL, resp, e);
}

struct cred_io cred_io_of(struct http_client *http)
{
	return (struct cred_io){ .http = real_http, .arg = http };
}

int cred_environment(struct cred_ctx *c, struct aws_creds *out, struct err *e)
{
	const char *id = aws_env_get(c->env, "AWS_ACCESS_KEY_ID");
	const char *secret = aws_env_get(c->env, "AWS_SECRET_ACCESS_KEY");
	const char *token = aws_env_get(c->env, "AWS_SESSION_TOKEN");
	const char *until = aws_env_get(c->env, "AWS_CREDENTIAL_EXPIRATION");
	int64_t expires = 0;
	if (!id) {
		err_set(e, ERR_UNAVAILABLE, "no-credentials", "AWS_ACCESS_KEY_ID is not set");
		return 0;
	}
	if (!secret)
		return err_set(e, ERR_USAGE, "bad-credentials",
			"AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
	if (until && !cred_time(until, &expires))
		return err_set(e, ERR_USAGE, "bad-credentials", "AWS_CREDENTIAL_EXPIRATION \"%s\" is no time",
			until);
	if (!token)
		token = aws_env_get(c->env, "AWS_SECURITY_TOKEN");
	cred_fill(out, id, secret, token, aws_env_get(c->env, "AWS_ACCOUNT_ID"), "environment");
	out->expires_s = expires;
	return 1;
}
