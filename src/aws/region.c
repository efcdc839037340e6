/* region.c - which region: flag, environment, profile, instance metadata. */
#include "aws/cred_internal.h"

#include <stdio.h>
#include <string.h>

static int take(const char *region, const char *where, char out[64], struct err *e)
{
	int n = aws_host_label(region) ? snprintf(out, 64, "%s", region) : -1;
	if (n < 0 || n >= 64)
		return err_set(e, ERR_USAGE, "bad-region", "region \"%s\" (%s) is not a valid host label",
			region, where);
	return 0;
}

static int none(struct err *e)
{
	return err_set(e, ERR_USAGE, "no-region",
		"no AWS region: use --region, set AWS_REGION, or put region into the profile; or use --local "
		"DIR "
		"for the embedded store");
}

static int from_imds(struct cred_ctx *c, char out[64], struct err *e)
{
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	struct err why = { 0 };
	int rc = cred_imds_text(c, "/latest/meta-data/placement/region", &text, &why);
	if (rc == 0 && strcmp(why.code, "no-credentials") == 0 && strstr(why.msg, "nothing at")) {
		/* Old services know the zone only: its name is the region and one letter. */
		rc = cred_imds_text(c, "/latest/meta-data/placement/availability-zone/", &text, &why);
		if (rc > 0 && text.len > 0)
			text.p[--text.len] = '\0';
	}
	rc = rc > 0 && text.len > 0 ? take(text.p, "instance metadata", out, e) : none(e);
	buf_release(&text);
	return rc;
}

int aws_region(const struct aws_config *cfg, const struct aws_env *env, struct http_client *http,
	const char *flag, char out[64], struct err *e)
{
	const char *from_env = aws_env_get(env, "AWS_REGION");
	const char *from_profile = aws_config_get(cfg, "region");
	if (!from_env)
		from_env = aws_env_get(env, "AWS_DEFAULT_REGION");
	if (flag && *flag)
		return take(flag, "--region", out, e);
	if (from_env)
		return take(from_env, "AWS_REGION", out, e);
	if (from_profile)
		return take(from_profile, "profile", out, e);
	if (!http)
		return none(e);
	struct cred_ctx c = { .cfg = cfg, .env = env, .io = cred_io_of(http) };
	return from_imds(&c, out, e);
}
