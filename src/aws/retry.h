/* retry.h - when a failed attempt is made again, and after how long: the SDKs' `standard` mode of 2026.
 *
 * Pure: randomness comes in as a number, time goes out as milliseconds, so a test can pin every delay.
 * A quota belongs to one client; its callers lock. Source: AWS SDKs and Tools Reference Guide, "Retry
 * behavior"; figures as botocore has them. */
#ifndef RECAGENT_AWS_RETRY_H
#define RECAGENT_AWS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_QUOTA 500         /* tokens of a fresh client */
#define RETRY_COST_THROTTLING 5 /* of a retry after a throttle */
#define RETRY_COST_OTHER 14     /* of any other retry */
#define RETRY_MAX_BACKOFF_MS 20000
#define RETRY_AFTER_MARGIN_MS 5000 /* most that a server may add to our own delay */

enum retry_kind { RETRY_NO, RETRY_TRANSIENT, RETRY_THROTTLING };

/* Lists of the standard mode. status 0: no answer came. code NULL or "": none. */
bool retry_is_throttling(int status, const char *code);
bool retry_is_transient(int status, const char *code);
/* Codes beyond those lists that their services call passing: modeled as retryable, or faults that arrive
 * inside a 200 answer. The first letter's case does not matter: an event stream's begin in lower case. */
bool retry_is_modeled(const char *code);
/* What one failed attempt is. status 0: connection, TLS, time-out, broken body. A bare 429 is a throttle. */
enum retry_kind retry_classify(int status, const char *code);

struct retry_policy {
	int max_attempts;   /* in all, at least 1 */
	double base_ms;     /* first back-off after a fault */
	double throttle_ms; /* first back-off after a throttle */
};
struct retry_policy retry_policy(bool dynamodb, int max_attempts); /* 0: the default */

/* Before retry n (from 1): unit in [0,1) times the capped exponential. */
double retry_backoff_ms(double base_ms, int n, double unit);

struct retry_quota {
	int tokens;
};
struct retry_call {   /* one call's attempts so far; zero it */
	int attempts; /* finished ones */
	int cost;     /* of the last retry that was granted */
};
/* An attempt failed. Returns the delay before the next one, or -1: give the error up (no attempt left,
 * no token left, or not of a kind that helps). after: value of x-amz-retry-after (milliseconds), or NULL. */
double retry_failed(struct retry_quota *q, const struct retry_policy *p, struct retry_call *c,
	enum retry_kind kind, double unit, const char *after);
/* The call succeeded: tokens come back. */
void retry_succeeded(struct retry_quota *q, const struct retry_call *c);

#endif
