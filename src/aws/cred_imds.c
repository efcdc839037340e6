/* cred_imds.c - credentials and region from the instance metadata service, version 2 with version 1 behind it.
 *
 * On a machine that is no instance nobody answers: one attempt, one second, no proxy. */
#include "aws/cred_internal.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int aws_imds_endpoint(const struct aws_config *cfg, const struct aws_env *env, struct buf *url, struct err *e)
{
	const char *given =
		aws_setting(cfg, env, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
	const char *mode = aws_setting(
		cfg, env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
	if (given) {
		struct url_parts parts;
		for (const char *p = given; *p; p++)
			if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
				strchr("\"<>\\^`{|}#?@", *p))
				return err_set(e, ERR_USAGE, "bad-endpoint",
					"the metadata endpoint has an invalid uri character");
		if ((strncmp(given, "http://", 7) != 0 && strncmp(given, "https://", 8) != 0) ||
			url_split(given, &parts, e) < 0 || parts.host_len == 0)
			return err_set(e, ERR_USAGE, "bad-endpoint",
				"the metadata endpoint \"%s\" is an invalid uri: http://HOST[:PORT] is "
				"wanted",
				given);
		size_t n = strlen(given);
		while (n > 0 && given[n - 1] == '/')
			n--;
		buf_add(url, given, n);
		return 0;
	}
	if (mode && strcasecmp(mode, "IPv4") != 0 && strcasecmp(mode, "IPv6") != 0)
		return err_set(e, ERR_USAGE, "bad-endpoint",
			"`%s` is not a valid endpoint mode of the metadata service: IPv4 or IPv6", mode);
	buf_str(url,
		mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]" : "http://169.254.169.254");
	return 0;
}

struct imds {
	struct cred_ctx *c;
	struct buf endpoint, token; /* token empty: version 1 */
	struct cred_policy policy;
};

static int64_t setting_number(struct cred_ctx *c, const char *env_name, const char *key, int64_t max)
{
	const char *s = aws_setting(c->cfg, c->env, env_name, key);
	char *end;
	long v = s ? strtol(s, &end, 10) : 1;
	return s && (*end || v < 1) ? 1 : v > max ? max : v;
}

static struct cred_policy imds_policy(struct cred_ctx *c)
{
	int64_t ms = 1000 * setting_number(c, "AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout", 60);
	int64_t attempts =
		setting_number(c, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts", 10);
	/* Who answers 5xx is there: asking again cannot hang. */
	return (struct cred_policy){ .attempts = attempts > 3 ? (int)attempts : 3,
		.network_attempts = (int)attempts,
		.pause_ms = 50,
		.timeouts = { .connect = ms, .first_byte = ms, .idle = ms, .total = 2 * ms } };
}

static int exchange(
	struct imds *m, const char *method, const char *path, struct http_resp *resp, struct err *e)
{
	struct buf url = BUF_INIT(BUF_MAX_SMALL);
	struct http_req req;
	buf_add(&url, m->endpoint.p, m->endpoint.len);
	buf_str(&url, path);
	http_req_init(&req, method, url.p);
	req.no_proxy = true;
	if (strcmp(method, "PUT") == 0)
		http_header_set(&req, "x-aws-ec2-metadata-token-ttl-seconds", "21600");
	else if (m->token.len > 0)
		http_header_set(&req, "x-aws-ec2-metadata-token", m->token.p);
	int rc = cred_http(m->c, &req, &m->policy, resp, e);
	http_req_release(&req);
	buf_release(&url);
	return rc;
}

/* Nobody there: version 1 would not answer either, and would cost another second. A token that never comes
 * although the connection stands is different: the hop limit of a container eats it. */
static bool nobody(const struct err *e)
{
	return strcmp(e->code, "timeout-first-byte") != 0 && strcmp(e->code, "timeout-total") != 0 &&
	       strcmp(e->code, "timeout-idle") != 0;
}

static bool header_text(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if ((unsigned char)b->p[i] <= ' ' || (unsigned char)b->p[i] >= 0x7f)
			return false;
	return b->len > 0;
}

static void trim(struct buf *b)
{
	while (b->len > 0 && strchr(" \t\r\n", b->p[b->len - 1]))
		b->p[--b->len] = '\0';
}

/* 1: go on, with a token or by version 1. 0: no such service. -1: it refuses. */
static int fetch_token(struct imds *m, struct err *e)
{
	struct http_resp resp = { 0 };
	bool v1 = !aws_setting_true(
		m->c->cfg, m->c->env, "AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled");
	int rc = exchange(m, "PUT", "/latest/api/token", &resp, e);
	if (rc < 0) {
		rc = e->cls == ERR_STOPPED ? -1 : !nobody(e) && v1 ? 1 : 0;
	} else if (resp.status == 200) {
		rc = 1;
		trim(&resp.body);
		if (!header_text(&resp.body))
			rc = err_set(e, ERR_UNAVAILABLE, "imds", "no usable session token");
		else
			buf_add(&m->token, resp.body.p, resp.body.len);
	} else if ((resp.status == 403 || resp.status == 404 || resp.status == 405) && v1) {
		rc = 1;
	} else {
		rc = err_set(
			e, ERR_UNAVAILABLE, "imds", "failed to load a session token: status %d", resp.status);
	}
	cred_wipe_resp(&resp);
	return rc;
}

/* A 401 means that the token has gone stale: one new one. 404 is 0. */
static int get(struct imds *m, const char *path, struct buf *out, struct err *e)
{
	struct http_resp resp = { 0 };
	int rc = 0;
	for (int round = 0; round < 2; round++) {
		rc = exchange(m, "GET", path, &resp, e);
		if (rc < 0 || resp.status != 401 || round > 0)
			break;
		cred_wipe_resp(&resp);
		buf_reset(&m->token);
		rc = fetch_token(m, e);
		if (rc <= 0)
			return rc;
	}
	if (rc == 0 && resp.status == 404)
		err_set(e, ERR_UNAVAILABLE, "no-credentials", "nothing at %s", path);
	else if (rc == 0 && resp.status != 200)
		rc = err_set(e, ERR_UNAVAILABLE, "imds", "status %d for %s", resp.status, path);
	else if (rc == 0)
		rc = buf_add(out, resp.body.p ? resp.body.p : "", resp.body.len)
			     ? 1
			     : err_set(e, ERR_UNAVAILABLE, "imds", "an answer of %zu bytes", resp.body.len);
	cred_wipe_resp(&resp);
	return rc;
}

static int begin(struct imds *m, struct cred_ctx *c, struct err *e)
{
	*m = (struct imds){ .c = c,
		.endpoint = BUF_INIT(BUF_MAX_SMALL),
		.token = BUF_INIT(BUF_MAX_SMALL),
		.policy = imds_policy(c) };
	const char *off = aws_env_get(c->env, "AWS_EC2_METADATA_DISABLED");
	if (off && strcasecmp(off, "true") == 0) {
		err_set(e, ERR_UNAVAILABLE, "no-credentials", "off by AWS_EC2_METADATA_DISABLED");
		return 0;
	}
	if (aws_imds_endpoint(c->cfg, c->env, &m->endpoint, e) < 0)
		return -1;
	return fetch_token(m, e);
}

static void end(struct imds *m)
{
	cred_wipe_buf(&m->token);
	buf_release(&m->endpoint);
}

static const char role_path[] = "/latest/meta-data/iam/security-credentials/";

/* The role's name becomes part of a path. */
static bool role_name(struct buf *b)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-";
	if (b->len == 0)
		return false;
	size_t n = strcspn(b->p, "\r\n");
	b->p[n] = '\0';
	b->len = n;
	return n > 0 && strspn(b->p, ok) == n;
}

static int read_role(struct buf *body, struct aws_creds *out, struct err *e)
{
	cJSON *tree = json_tree(body->p ? body->p : "", body->len, NULL);
	const char *code = json_str(tree, "Code");
	int rc = code && strcmp(code, "Success") != 0
			 ? err_set(e, ERR_UNAVAILABLE, "imds", "the role's credentials: %s", code)
			 : cred_from_json(body, "Token", "imds", out, e);
	cred_wipe_tree(tree);
	return rc;
}

int cred_imds(struct cred_ctx *c, struct aws_creds *out, struct err *e)
{
	struct imds m;
	struct buf role = BUF_INIT(BUF_MAX_SMALL), body = BUF_INIT(BUF_MAX_SMALL),
		   path = BUF_INIT(BUF_MAX_SMALL);
	int rc = begin(&m, c, e);
	if (rc > 0)
		rc = get(&m, role_path, &role, e);
	if (rc > 0 && !role_name(&role)) {
		err_set(e, ERR_UNAVAILABLE, "no-credentials", "the instance has no role");
		rc = 0;
	}
	if (rc > 0) {
		buf_printf(&path, "%s%s", role_path, role.p);
		rc = get(&m, path.p, &body, e);
	}
	if (rc > 0)
		rc = read_role(&body, out, e);
	cred_wipe_buf(&body);
	buf_release(&path);
	buf_release(&role);
	end(&m);
	return rc;
}

int cred_imds_text(struct cred_ctx *c, const char *path, struct buf *out, struct err *e)
{
	struct imds m;
	int rc = begin(&m, c, e);
	if (rc > 0)
		rc = get(&m, path, out, e);
	trim(out);
	end(&m);
	return rc;
}
