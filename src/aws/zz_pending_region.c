/* zz_pending_region.c - stands in for the region's search until it lands. */
#include "aws/endpoint.h"

int aws_region(const struct aws_config *cfg, const struct aws_env *env, struct http_client *http,
	const char *flag, char out[64], struct err *e)
{
	(void)cfg, (void)env, (void)http, (void)flag, (void)out;
	return err_set(e, ERR_USAGE, "no-region", "no region: use --region or AWS_REGION");
}
