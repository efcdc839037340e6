/* zz_pending_creds.c - credentials of the environment only, until the provider chain lands. */
#include "aws/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct aws_provider {
	const struct aws_env *env;
};

void aws_creds_release(struct aws_creds *c)
{
	free(c->id);
	free(c->secret);
	free(c->token);
	free(c->account);
	*c = (struct aws_creds){ 0 };
}

struct aws_provider *aws_provider_new(
	const struct aws_config *cfg, const struct aws_env *env, struct http_client *http, const char *region)
{
	struct aws_provider *p = mem_alloc(sizeof *p);

	(void)cfg, (void)http, (void)region;
	p->env = env;
	return p;
}

int aws_provider_get(struct aws_provider *p, struct aws_creds *out, struct err *e)
{
	const char *id = aws_env_get(p->env, "AWS_ACCESS_KEY_ID");
	const char *secret = aws_env_get(p->env, "AWS_SECRET_ACCESS_KEY");

	if (!id || !secret)
		return err_set(e, ERR_UNAVAILABLE, "no-credentials",
			"no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use --local "
			"DIR");
	*out = (struct aws_creds){ .id = mem_strdup(id),
		.secret = mem_strdup(secret),
		.token = mem_strdup(aws_env_get(p->env, "AWS_SESSION_TOKEN")) };
	return 0;
}

void aws_provider_expire(struct aws_provider *p, const char *id)
{
	(void)p, (void)id;
}

void aws_provider_free(struct aws_provider *p)
{
	free(p);
}
