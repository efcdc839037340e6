/* partitions.c - which partition a region belongs to. The last entry to be tried, and the default, is aws. */
#include "aws/endpoint.h"

#include <string.h>

static const char *const cn[] = { "cn-", NULL };
static const char *const eusc[] = { "eusc-de-", NULL };
static const char *const iso[] = { "us-iso-", NULL };
static const char *const iso_b[] = { "us-isob-", NULL };
static const char *const iso_e[] = { "eu-isoe-", NULL };
static const char *const iso_f[] = { "us-isof-", NULL };
static const char *const gov[] = { "us-gov-", NULL };
static const char *const aws[] = { "us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-", NULL };

static const struct aws_partition partitions[] = {
	{ "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "aws-cn-global", "cn-northwest-1",
		cn },
	{ "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", NULL, "eusc-de-east-1", eusc },
	{ "aws-iso", "c2s.ic.gov", "api.aws.ic.gov", "aws-iso-global", "us-iso-east-1", iso },
	{ "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", "aws-iso-b-global", "us-isob-east-1", iso_b },
	{ "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "aws-iso-e-global", "eu-isoe-west-1",
		iso_e },
	{ "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "aws-iso-f-global", "us-isof-south-1", iso_f },
	{ "aws-us-gov", "amazonaws.com", "api.aws", "aws-us-gov-global", "us-gov-west-1", gov },
	{ "aws", "amazonaws.com", "api.aws", "aws-global", "us-east-1", aws },
};
#define NPARTITIONS (sizeof partitions / sizeof partitions[0])

/* WORD-NUMBER, where a word is of letters, digits and underscores. */
static bool word_number(const char *s)
{
	static const char digits[] = "0123456789";
	static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t n = strspn(s, word);
	if (n == 0 || s[n] != '-')
		return false;
	s += n + 1;
	n = strspn(s, digits);
	return n > 0 && s[n] == '\0';
}

static bool in_partition(const struct aws_partition *p, const char *region)
{
	if (p->global && strcmp(p->global, region) == 0)
		return true;
	for (size_t i = 0; p->prefix[i]; i++) {
		size_t n = strlen(p->prefix[i]);
		if (strncmp(region, p->prefix[i], n) == 0 && word_number(region + n))
			return true;
	}
	return false;
}

const struct aws_partition *aws_partition_of(const char *region)
{
	for (size_t i = 0; i < NPARTITIONS; i++)
		if (in_partition(&partitions[i], region))
			return &partitions[i];
	return &partitions[NPARTITIONS - 1];
}

bool aws_host_label(const char *s)
{
	size_t n = strlen(s);
	if (n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == n;
}
