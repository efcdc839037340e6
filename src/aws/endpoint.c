/* endpoint.c - the URL of a service: what was configured, else the partition's rule. */
#include "aws/endpoint.h"
#include "aws/endpoint_account.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct aws_service_info services[AWS_SERVICE_COUNT] = {
	[AWS_KINESIS] = { "kinesis", "kinesis", "kinesis", "KINESIS", "kinesis", true },
	[AWS_DYNAMODB] = { "dynamodb", "dynamodb", "dynamodb", "DYNAMODB", "dynamodb", true },
	[AWS_S3] = { "s3", "s3", "s3", "S3", "s3", false },
	[AWS_BEDROCK_AGENT] = { "bedrock-agent-runtime", "bedrock-agent-runtime", "bedrock",
		"BEDROCK_AGENT_RUNTIME", "bedrock_agent_runtime", false },
	[AWS_STS] = { "sts", "sts", "sts", "STS", "sts", true },
	[AWS_SSO] = { "sso", "portal.sso", "awsssoportal", "SSO", "sso", true },
	[AWS_SSO_OIDC] = { "sso-oidc", "oidc", "sso-oauth", "SSO_OIDC", "sso_oidc", true },
	[AWS_FIREHOSE] = { "firehose", "firehose", "firehose", "FIREHOSE", "firehose", false },
};

const struct aws_service_info *aws_service_info(enum aws_service s)
{
	return &services[s];
}

#define PREFIX "Invalid Configuration: "

static int refuse(struct err *e, const char *what)
{
	return err_set(e, ERR_USAGE, "bad-endpoint", PREFIX "%s", what);
}

/* snprintf into a field; false when it did not fit. */
static bool fits(int n, size_t size)
{
	return n >= 0 && (size_t)n < size;
}

static int set_url(struct aws_endpoint *out, struct err *e, int n)
{
	if (!fits(n, sizeof out->url))
		return refuse(e, "the endpoint URL is too long");
	return 0;
}

static int sign_for(struct aws_endpoint *out, const char *region, struct err *e)
{
	if (!fits(snprintf(out->signing_region, sizeof out->signing_region, "%s", region),
		    sizeof out->signing_region))
		return refuse(e, "the region is too long");
	return 0;
}

/* An account-based host needs the dual-stack switch and not a URL; SDKs refuse the URL form. */
static bool is_dynamodb_dual_host(const char *host, size_t n, const char *region)
{
	char dual[160];
	int len =
		snprintf(dual, sizeof dual, "dynamodb.%s.%s", region, aws_partition_of(region)->dual_suffix);
	return fits(len, sizeof dual) && (size_t)len == n && strncasecmp(host, dual, n) == 0;
}

static int custom(
	enum aws_service s, const struct aws_endpoint_params *p, struct aws_endpoint *out, struct err *e)
{
	struct url_parts parts;
	const char *url = p->url;
	if (p->fips)
		return refuse(e, "FIPS and custom endpoint are not supported");
	if (p->dualstack)
		return refuse(e, "Dualstack and custom endpoint are not supported");
	if (strchr(url, '@')) /* a password may stand before it */
		return refuse(e, "an endpoint URL takes no user name: HOST alone");
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return err_set(e, ERR_USAGE, "bad-endpoint",
			"endpoint URL \"%s\" does not begin with http:// or https://", url);
	if (strpbrk(url, " \t\r\n?#@\\\"<>") || url_split(url, &parts, e) < 0 || parts.host_len == 0)
		return err_set(e, ERR_USAGE, "bad-endpoint",
			"endpoint URL \"%s\" is not of the form http[s]://HOST[:PORT][/PATH]", url);
	if (s == AWS_DYNAMODB && p->region &&
		is_dynamodb_dual_host(url + parts.host_off, parts.host_len, p->region))
		return err_set(e, ERR_USAGE, "bad-endpoint",
			"Endpoint override is not supported for dual-stack endpoints. Please enable "
			"dual-stack "
			"functionality by enabling the configuration. For more details, see: "
			"https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html");
	size_t len = strlen(url);
	while (len > 0 && url[len - 1] == '/')
		len--;
	out->custom = true;
	if (set_url(out, e, snprintf(out->url, sizeof out->url, "%.*s", (int)len, url)) < 0)
		return -1;
	/* `local` and the global pseudo-regions are no names to sign for. */
	const char *region = p->region ? p->region : "us-east-1";
	const struct aws_partition *pt = aws_partition_of(region);
	if (pt->global && strcmp(region, pt->global) == 0)
		region = pt->global_signs;
	else if (s == AWS_DYNAMODB && strcmp(region, "local") == 0)
		region = "us-east-1";
	return sign_for(out, region, e);
}

static int dynamodb_local(const struct aws_endpoint_params *p, struct aws_endpoint *out, struct err *e)
{
	if (p->fips)
		return refuse(e, "FIPS and local endpoint are not supported");
	if (p->dualstack)
		return refuse(e, "Dualstack and local endpoint are not supported");
	if (set_url(out, e, snprintf(out->url, sizeof out->url, "http://localhost:8000")) < 0)
		return -1;
	return sign_for(out, "us-east-1", e);
}

/* Regions that had only the global endpoint of STS once. */
static bool sts_goes_global(const struct aws_endpoint_params *p)
{
	static const char *const old[] = { "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
		"ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3",
		"sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2" };
	if (p->fips || p->dualstack)
		return false;
	if (strcmp(p->region, "aws-global") == 0)
		return true;
	for (size_t i = 0; p->sts_global && i < sizeof old / sizeof old[0]; i++)
		if (strcmp(p->region, old[i]) == 0)
			return true;
	return false;
}

static int s3_host(const struct aws_endpoint_params *p, const struct aws_partition *pt,
	struct aws_endpoint *out, struct err *e)
{
	bool global = strcmp(p->region, "aws-global") == 0 && !p->fips && !p->dualstack;
	const char *region = strcmp(p->region, "aws-global") == 0 ? "us-east-1" : p->region;
	int n = global ? snprintf(out->url, sizeof out->url, "https://s3.%s", pt->suffix)
		       : snprintf(out->url, sizeof out->url, "https://s3%s%s.%s.%s", p->fips ? "-fips" : "",
				 p->dualstack ? ".dualstack" : "", region, pt->suffix);
	if (set_url(out, e, n) < 0)
		return -1;
	return sign_for(out, region, e);
}

static int regional_host(enum aws_service s, const struct aws_endpoint_params *p,
	const struct aws_partition *pt, struct aws_endpoint *out, struct err *e)
{
	const struct aws_service_info *info = &services[s];
	bool plain = info->gov_plain_fips && !p->dualstack && strcmp(pt->name, "aws-us-gov") == 0;
	int n = snprintf(out->url, sizeof out->url, "https://%s%s.%s.%s", info->host_prefix,
		p->fips && !plain ? "-fips" : "", p->region, p->dualstack ? pt->dual_suffix : pt->suffix);
	if (set_url(out, e, n) < 0)
		return -1;
	bool global = pt->global && strcmp(p->region, pt->global) == 0;
	return sign_for(out, global ? pt->global_signs : p->region, e);
}

int aws_endpoint_rule(
	enum aws_service s, const struct aws_endpoint_params *p, struct aws_endpoint *out, struct err *e)
{
	*out = (struct aws_endpoint){ 0 };
	if (p->region && !aws_host_label(p->region))
		return err_set(e, ERR_USAGE, "bad-region", PREFIX "region \"%s\" is not a valid host label",
			p->region);
	if (p->url)
		return custom(s, p, out, e);
	if (!p->region)
		return err_set(e, ERR_USAGE, "no-region",
			PREFIX "Missing Region: use --region, AWS_REGION, or region in the profile");
	if (s == AWS_DYNAMODB && strcmp(p->region, "local") == 0)
		return dynamodb_local(p, out, e);
	const struct aws_partition *pt = aws_partition_of(p->region);
	if (s == AWS_STS && sts_goes_global(p)) {
		if (set_url(out, e, snprintf(out->url, sizeof out->url, "https://sts.amazonaws.com")) < 0)
			return -1;
		return sign_for(out, "us-east-1", e);
	}
	if (s == AWS_S3)
		return s3_host(p, pt, out, e);
	int done = aws_endpoint_by_account(s, p, pt, out, e);
	if (done != 0)
		return done < 0 ? -1 : sign_for(out, p->region, e);
	return regional_host(s, p, pt, out, e);
}

/* The URL that environment and profile give, or NULL. */
static int configured_url(enum aws_service s, const struct aws_config *cfg, const struct aws_env *env,
	const char **url, struct err *e)
{
	const struct aws_service_info *info = &services[s];
	char name[64];
	snprintf(name, sizeof name, "AWS_ENDPOINT_URL_%s", info->env_suffix);
	*url = aws_env_get(env, name);
	if (!*url)
		*url = aws_env_get(env, "AWS_ENDPOINT_URL");
	const char *section = aws_config_get(cfg, "services");
	if (*url || !cfg)
		return 0;
	if (section) {
		const struct aws_section *sv = aws_config_section(cfg, AWS_SERVICES, section);
		if (!sv)
			return err_set(e, ERR_USAGE, "no-services",
				"profile \"%s\" names a services section \"%s\" that is not there",
				cfg->profile, section);
		*url = aws_section_get_sub(sv, info->config_id, "endpoint_url");
	}
	if (!*url)
		*url = aws_config_get(cfg, "endpoint_url");
	return 0;
}

int aws_endpoint_resolve(enum aws_service s, const struct aws_config *cfg, const struct aws_env *env,
	const struct aws_endpoint_params *p, struct aws_endpoint *out, struct err *e)
{
	struct aws_endpoint_params full = *p;
	full.fips |= aws_setting_true(cfg, env, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
	full.dualstack |= aws_setting_true(cfg, env, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
	const char *sts = aws_setting(cfg, env, "AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints");
	full.sts_global |= sts && strcasecmp(sts, "legacy") == 0;
	bool ignore =
		p->ignore_configured || aws_setting_true(cfg, env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
						"ignore_configured_endpoint_urls");
	if (!full.url && !ignore && configured_url(s, cfg, env, &full.url, e) < 0)
		return -1;
	if (aws_endpoint_rule(s, &full, out, e) < 0)
		return err_prefix(e, "%s: ", services[s].name);
	return 0;
}
