/* cred_container.c - credentials from the endpoint that ECS and EKS give to a container. */
#include "aws/cred_internal.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char relative_var[] = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
static const char full_var[] = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

static bool is_127(const char *host, size_t n)
{
	unsigned part = 0, dots = 0, digits = 0;
	for (size_t i = 0; i < n; i++) {
		if (host[i] == '.') {
			if (digits == 0 || part > 255)
				return false;
			dots++;
			part = digits = 0;
		} else if (host[i] >= '0' && host[i] <= '9' && digits < 3) {
			part = part * 10 + (unsigned)(host[i] - '0');
			digits++;
		} else {
			return false;
		}
	}
	return dots == 3 && digits > 0 && part <= 255 && strncmp(host, "127.", 4) == 0;
}

/* Hosts that may be asked without TLS. Names are not resolved: a name may point anywhere tomorrow. */
static bool plain_host(const char *host, size_t n)
{
	static const char *const known[] = { "localhost", "[::1]", "169.254.170.2", "169.254.170.23",
		"[fd00:ec2::23]" };
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i]) == n && strncasecmp(host, known[i], n) == 0)
			return true;
	return is_127(host, n);
}

static bool uri_text(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || strchr("\"<>\\^`{|}#", *s))
			return false;
	return true;
}

static int full_uri(const char *uri, struct buf *url, struct err *e)
{
	struct url_parts parts;
	bool https = strncasecmp(uri, "https://", 8) == 0, http = strncasecmp(uri, "http://", 7) == 0;
	if (!uri_text(uri))
		return err_set(e, ERR_USAGE, "bad-endpoint", "%s has an invalid uri character", full_var);
	if ((!https && !http) || url_split(uri, &parts, e) < 0 || parts.host_len == 0 ||
		memchr(uri + parts.host_off, '@', parts.host_len))
		return err_set(e, ERR_USAGE, "bad-endpoint",
			"%s: the URI did not specify a host and http or https", full_var);
	if (!https && !plain_host(uri + parts.host_off, parts.host_len))
		return err_set(e, ERR_USAGE, "bad-endpoint",
			"%s: without https the host must be a loopback address or the one of ECS or EKS, not "
			"%.*s",
			full_var, (int)parts.host_len, uri + parts.host_off);
	buf_str(url, uri);
	return 0;
}

int aws_container_url(const struct aws_env *env, struct buf *url, struct err *e)
{
	const char *relative = aws_env_get(env, relative_var), *full = aws_env_get(env, full_var);
	if (relative) {
		if (relative[0] != '/' || !uri_text(relative))
			return err_set(e, ERR_USAGE, "bad-endpoint",
				"%s is an invalid relative URI: it must begin with '/'", relative_var);
		buf_printf(url, "http://169.254.170.2%s", relative);
		return 0;
	}
	if (full)
		return full_uri(full, url, e);
	return err_set(e, ERR_UNAVAILABLE, "no-credentials",
		"No environment variables were set to configure ECS provider (AWS_CONTAINER_CREDENTIALS_*)");
}

/* The token may be renewed behind our back: the file is read each time. */
static int authorization(struct cred_ctx *c, struct http_req *req, struct err *e)
{
	const char *file = aws_env_get(c->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = aws_env_get(c->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	int rc = 0;
	if (file) {
		rc = aws_env_file(c->env, file, &text, e);
		while (rc == 0 && text.len > 0 && strchr("\r\n", text.p[text.len - 1]))
			text.p[--text.len] = '\0';
		token = text.p;
	}
	if (rc == 0 && token && (strpbrk(token, "\r\n") || (file && strlen(token) != text.len)))
		rc = err_set(e, ERR_USAGE, "bad-credentials",
			"the container's authorization token has a line break in it");
	if (rc == 0 && token && *token)
		rc = http_header_set(req, "authorization", token);
	cred_wipe_buf(&text);
	return rc;
}

static int fetch(struct cred_ctx *c, const char *url, struct aws_creds *out, struct err *e)
{
	static const struct cred_policy policy = { .attempts = 3,
		.network_attempts = 3,
		.pause_ms = 1000,
		.timeouts = { .connect = 2000, .first_byte = 2000, .idle = 2000, .total = 4000 } };
	struct http_req req;
	struct http_resp resp = { 0 };
	http_req_init(&req, "GET", url);
	req.no_proxy = true;
	http_header_set(&req, "accept", "application/json");
	int rc = authorization(c, &req, e);
	if (rc == 0)
		rc = cred_http(c, &req, &policy, &resp, e);
	if (rc == 0 && resp.status != 200)
		rc = err_set(e, ERR_UNAVAILABLE, "container", "status %d", resp.status);
	else if (rc == 0)
		rc = cred_from_json(&resp.body, "Token", "container", out, e);
	cred_wipe_resp(&resp);
	http_req_release(&req);
	return rc;
}

int cred_container(struct cred_ctx *c, struct aws_creds *out, struct err *e)
{
	struct buf url = BUF_INIT(BUF_MAX_SMALL);
	int rc = 0;
	if (!aws_env_get(c->env, relative_var) && !aws_env_get(c->env, full_var))
		err_set(e, ERR_UNAVAILABLE, "no-credentials", "AWS_CONTAINER_CREDENTIALS_*_URI is not set");
	else if ((rc = aws_container_url(c->env, &url, e)) == 0)
		rc = fetch(c, url.p, out, e);
	if (rc < 0)
		err_prefix(e, "container credentials: ");
	buf_release(&url);
	return rc;
}
