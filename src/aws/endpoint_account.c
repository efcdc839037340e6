/* endpoint_account.c - hosts that carry an account, by the rule sets of kinesis and dynamodb. */
#include "aws/endpoint_account.h"

#include <stdio.h>
#include <string.h>

struct arn { /* arn:partition:service:region:account:resource */
	char partition[32], service[32], region[64], account[64];
	char resource[32]; /* its type: what comes before the first '/' or ':' */
};

static bool take(const char **s, const char *stop, char *out, size_t size)
{
	size_t n = strcspn(*s, stop);
	if (n >= size)
		return false;
	memcpy(out, *s, n);
	out[n] = '\0';
	*s += n;
	return true;
}

static bool arn_parse(const char *s, struct arn *a)
{
	if (strncmp(s, "arn:", 4) != 0)
		return false;
	s += 4;
	struct {
		char *out;
		size_t size;
	} const field[] = { { a->partition, sizeof a->partition }, { a->service, sizeof a->service },
		{ a->region, sizeof a->region }, { a->account, sizeof a->account } };
	for (size_t i = 0; i < 4; i++) {
		if (!take(&s, ":", field[i].out, field[i].size) || *s != ':')
			return false;
		s++;
	}
	return a->partition[0] && a->service[0] && *s && take(&s, "/:", a->resource, sizeof a->resource);
}

static int refuse(struct err *e, const char *what)
{
	return err_set(e, ERR_USAGE, "bad-endpoint", "%s", what);
}

static int put(struct aws_endpoint *out, int n, struct err *e)
{
	if (n < 0 || (size_t)n >= sizeof out->url)
		return refuse(e, "the endpoint URL is too long");
	return 1;
}

static int dynamodb(const struct aws_endpoint_params *p, const struct aws_partition *pt,
	struct aws_endpoint *out, struct err *e)
{
	bool required = p->account_mode == AWS_ACCOUNT_REQUIRED;
	struct arn arn;
	if (p->account_mode == AWS_ACCOUNT_DISABLED)
		return 0;
	if (p->fips)
		return required ? refuse(e, "Invalid Configuration: AccountIdEndpointMode is required and "
					    "FIPS is "
					    "enabled, but FIPS account endpoints are not supported")
				: 0;
	if (strcmp(pt->name, "aws") != 0)
		return required ? refuse(e, "Invalid Configuration: AccountIdEndpointMode is required but "
					    "account "
					    "endpoints are not supported in this partition")
				: 0;
	const char *account = NULL;
	if (p->arn && arn_parse(p->arn, &arn) && strcmp(arn.service, "dynamodb") == 0 &&
		strcmp(arn.region, p->region) == 0 && aws_host_label(arn.account))
		account = arn.account;
	if (!account && p->account_id) {
		if (!aws_host_label(p->account_id))
			return refuse(e, "Credentials-sourced account ID parameter is invalid");
		account = p->account_id;
	}
	if (account)
		return put(out,
			snprintf(out->url, sizeof out->url, "https://%s.ddb.%s.%s", account, p->region,
				p->dualstack ? pt->dual_suffix : pt->suffix),
			e);
	return required
		       ? refuse(e,
				 "AccountIdEndpointMode is required but no AccountID was provided or able to "
				 "be loaded")
		       : 0;
}

static int kinesis(const struct aws_endpoint_params *p, const struct aws_partition *pt,
	struct aws_endpoint *out, struct err *e)
{
	struct arn arn;
	if (!p->arn || strcmp(pt->name, "aws-iso") == 0 || strcmp(pt->name, "aws-iso-b") == 0)
		return 0;
	if (!arn_parse(p->arn, &arn))
		return refuse(e, "Invalid ARN: Failed to parse ARN.");
	if (!aws_host_label(arn.account))
		return refuse(e, "Invalid ARN: Invalid account id.");
	if (!aws_host_label(arn.region))
		return refuse(e, "Invalid ARN: Invalid region.");
	if (strcmp(arn.service, "kinesis") != 0)
		return err_set(e, ERR_USAGE, "bad-endpoint",
			"Invalid ARN: The ARN was not for the Kinesis service, found: %s.", arn.service);
	if (strcmp(arn.resource, "stream") != 0)
		return err_set(e, ERR_USAGE, "bad-endpoint",
			"Invalid ARN: Kinesis ARNs don't support `%s` arn types.", arn.resource);
	if (strcmp(arn.partition, pt->name) != 0)
		return err_set(e, ERR_USAGE, "bad-endpoint",
			"Partition: %s from ARN doesn't match with partition name: %s.", arn.partition,
			pt->name);
	if (!p->operation_type)
		return refuse(e, "Operation Type is not set. Please contact service team for resolution.");
	return put(out,
		snprintf(out->url, sizeof out->url, "https://%s.%s-kinesis%s.%s.%s", arn.account,
			p->operation_type, p->fips ? "-fips" : "", p->region,
			p->dualstack ? pt->dual_suffix : pt->suffix),
		e);
}

int aws_endpoint_by_account(enum aws_service s, const struct aws_endpoint_params *p,
	const struct aws_partition *pt, struct aws_endpoint *out, struct err *e)
{
	if (s == AWS_DYNAMODB)
		return dynamodb(p, pt, out, e);
	if (s == AWS_KINESIS)
		return kinesis(p, pt, out, e);
	return 0;
}
