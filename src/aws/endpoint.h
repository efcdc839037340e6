/* endpoint.h - region and endpoint of a service.
 *
 * URL, first hit wins: flag; AWS_ENDPOINT_URL_<SERVICE>; AWS_ENDPOINT_URL; the profile's services section;
 * the profile's endpoint_url; the partition's rule with FIPS and dual-stack. Pure but for aws_region (may ask
 * IMDS); thread-safe. Source: botocore's endpoint rule sets and partitions (2026). */
#ifndef RECAGENT_AWS_ENDPOINT_H
#define RECAGENT_AWS_ENDPOINT_H

#include "aws/config.h"
#include "net/http.h"

enum aws_service {
	AWS_KINESIS,
	AWS_DYNAMODB,
	AWS_S3,
	AWS_BEDROCK_AGENT,
	AWS_STS,
	AWS_SSO,
	AWS_SSO_OIDC,
	AWS_FIREHOSE,
	AWS_SERVICE_COUNT
};

struct aws_service_info {
	const char *name;         /* "kinesis", for messages */
	const char *host_prefix;  /* "bedrock-agent-runtime" */
	const char *signing_name; /* "bedrock" */
	const char *env_suffix;   /* "BEDROCK_AGENT_RUNTIME" */
	const char *config_id;    /* "bedrock_agent_runtime" */
};
const struct aws_service_info *aws_service_info(enum aws_service s);

struct aws_endpoint {
	char url[512]; /* no trailing slash */
	char signing_region[64];
	bool custom;
};
struct aws_endpoint_params {
	const char *region; /* may be NULL with a custom URL: us-east-1 is signed for */
	const char *url;    /* --endpoint-url, or NULL */
	bool fips, dualstack;
};
/* Only the rule and an explicit params->url; what the endpoint-tests vectors call. */
int aws_endpoint_rule(
	enum aws_service s, const struct aws_endpoint_params *p, struct aws_endpoint *out, struct err *e);
/* All sources. */
int aws_endpoint_resolve(enum aws_service s, const struct aws_config *cfg, const struct aws_env *env,
	const struct aws_endpoint_params *p, struct aws_endpoint *out, struct err *e);
/* Flag, AWS_REGION, AWS_DEFAULT_REGION, profile, IMDS. ERR_USAGE when there is none. */
int aws_region(const struct aws_config *cfg, const struct aws_env *env, struct http_client *http,
	const char *flag, char out[64], struct err *e);

#endif
