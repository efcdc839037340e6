/* retry.c - classification, back-off and quota of the standard retry mode. */
#include "aws/retry.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool listed(const char *code, const char *const *list, size_t n)
{
	for (size_t i = 0; code && i < n; i++)
		if (!strcmp(code, list[i]))
			return true;
	return false;
}

bool retry_is_throttling(int status, const char *code)
{
	static const char *const codes[] = { "Throttling", "ThrottlingException", "ThrottledException",
		"RequestThrottledException", "RequestThrottled", "TooManyRequestsException",
		"ProvisionedThroughputExceededException", "TransactionInProgressException",
		"RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
		"PriorRequestNotComplete", "EC2ThrottledException" };

	(void)status; /* the name decides: the same throttle comes as 400, 403, 429, 503 or 509 */
	return listed(code, codes, ARRAY_LEN(codes));
}

bool retry_is_transient(int status, const char *code)
{
	static const char *const codes[] = { "RequestTimeout", "RequestTimeoutException",
		"PriorRequestNotComplete" };

	return status == 0 || status == 500 || status == 502 || status == 503 || status == 504 ||
	       listed(code, codes, ARRAY_LEN(codes));
}

bool retry_is_modeled(const char *code)
{
	static const char *const codes[] = { "InternalFailure", "InternalFailureException", "InternalError",
		"InternalServerError", "InternalServerException", "InternalException", "ServiceUnavailable",
		"ServiceUnavailableException", "BadGatewayException", "DependencyFailedException",
		"ConflictException", "ModelNotReadyException", "ModelTimeoutException",
		"ReplicatedWriteConflictException", "IDPCommunicationError", "BadDigest" };

	for (size_t i = 0; code && i < ARRAY_LEN(codes); i++)
		if (toupper((unsigned char)code[0]) == codes[i][0] && !strcmp(code + 1, codes[i] + 1))
			return true;
	return false;
}

/* In-stream names differ from those of whole answers by their first letter only. */
static bool throttling_any_case(int status, const char *code)
{
	char upper[64];

	if (retry_is_throttling(status, code))
		return true;
	if (!code || !code[0] || strlen(code) >= sizeof upper)
		return false;
	memcpy(upper, code, strlen(code) + 1);
	upper[0] = (char)toupper((unsigned char)upper[0]);
	return retry_is_throttling(status, upper) || !strcmp(upper, "KMSThrottlingException") ||
	       !strcmp(upper, "KmsThrottlingException") || !strcmp(upper, "KMSThrottling");
}

enum retry_kind retry_classify(int status, const char *code)
{
	if (throttling_any_case(status, code))
		return RETRY_THROTTLING;
	if (retry_is_transient(status, code) || retry_is_modeled(code))
		return RETRY_TRANSIENT;
	return status == 429 ? RETRY_THROTTLING : RETRY_NO;
}

struct retry_policy retry_policy(bool dynamodb, int max_attempts)
{
	return (struct retry_policy){ .max_attempts = max_attempts > 0 ? max_attempts
						      : dynamodb       ? 4
								       : 3,
		.base_ms = dynamodb ? 25 : 50,
		.throttle_ms = 1000 };
}

double retry_backoff_ms(double base_ms, int n, double unit)
{
	double d = base_ms;

	for (int i = 1; i < n && d < RETRY_MAX_BACKOFF_MS; i++)
		d *= 2;
	return unit * (d < RETRY_MAX_BACKOFF_MS ? d : RETRY_MAX_BACKOFF_MS);
}

/* The server may ask for more than our delay, by at most the margin; never for less. */
static double with_retry_after(double delay, const char *after)
{
	char *end;

	if (!after || !isdigit((unsigned char)*after))
		return delay;
	double ms = (double)strtoull(after, &end, 10);
	if (*end)
		return delay;
	if (ms > delay + RETRY_AFTER_MARGIN_MS)
		ms = delay + RETRY_AFTER_MARGIN_MS;
	return ms > delay ? ms : delay;
}

double retry_failed(struct retry_quota *q, const struct retry_policy *p, struct retry_call *c,
	enum retry_kind kind, double unit, const char *after)
{
	int cost = kind == RETRY_THROTTLING ? RETRY_COST_THROTTLING : RETRY_COST_OTHER;

	c->attempts++;
	if (kind == RETRY_NO || c->attempts >= p->max_attempts || q->tokens < cost)
		return -1;
	q->tokens -= cost;
	c->cost = cost;
	return with_retry_after(
		retry_backoff_ms(kind == RETRY_THROTTLING ? p->throttle_ms : p->base_ms, c->attempts, unit),
		after);
}

void retry_succeeded(struct retry_quota *q, const struct retry_call *c)
{
	q->tokens += c->cost ? c->cost : 1;
	if (q->tokens > RETRY_QUOTA)
		q->tokens = RETRY_QUOTA;
}
