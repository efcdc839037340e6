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
	bool gov_plain_fips;      /* in GovCloud the plain host is the FIPS one */
};
const struct aws_service_info *aws_service_info(enum aws_service s);

struct aws_endpoint {
	char url[512]; /* no trailing slash */
	char signing_region[64];
	bool custom;
};
/* {account}.ddb.{region}: needs the account of the table's ARN or of the credentials. */
enum aws_account_mode { AWS_ACCOUNT_DISABLED, AWS_ACCOUNT_PREFERRED, AWS_ACCOUNT_REQUIRED };
struct aws_endpoint_params {
	const char *region; /* may be NULL with a custom URL: us-east-1 is signed for */
	const char *url;    /* --endpoint-url, or NULL */
	bool fips, dualstack;
	bool sts_global;        /* old regions of STS go to sts.amazonaws.com */
	bool ignore_configured; /* no URL but the flag's counts */
	/* Hosts by account (kinesis, dynamodb); the plain regional host always works instead. */
	enum aws_account_mode account_mode; /* dynamodb */
	const char *account_id;             /* of the credentials, or NULL */
	const char *arn;                    /* of the table, stream or consumer, or NULL */
	const char *operation_type;         /* kinesis with an ARN: "control" or "data" */
};
/* Only the rule and an explicit params->url; what the endpoint-tests vectors call. ERR_USAGE. */
int aws_endpoint_rule(
	enum aws_service s, const struct aws_endpoint_params *p, struct aws_endpoint *out, struct err *e);
/* All sources; FIPS, dual-stack and sts_global also come from the environment and the profile. */
int aws_endpoint_resolve(enum aws_service s, const struct aws_config *cfg, const struct aws_env *env,
	const struct aws_endpoint_params *p, struct aws_endpoint *out, struct err *e);
struct aws_partition {
	const char *name; /* "aws-cn" */
	const char *suffix, *dual_suffix;
	const char *global;        /* its pseudo-region */
	const char *global_signs;  /* the region that is signed for there */
	const char *const *prefix; /* regions are PREFIX-WORD-NUMBER; NULL at the end */
};
const struct aws_partition *aws_partition_of(const char *region); /* never NULL */
/* [A-Za-z0-9-], 1..63, no hyphen at the ends: nothing else may get into a host name. */
bool aws_host_label(const char *s);

/* Flag, AWS_REGION, AWS_DEFAULT_REGION, profile, IMDS. ERR_USAGE when there is none. */
int aws_region(const struct aws_config *cfg, const struct aws_env *env, struct http_client *http,
	const char *flag, char out[64], struct err *e);

#endif
