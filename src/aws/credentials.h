/* credentials.h - find AWS credentials as the SDKs do, keep them fresh, never print them.
 *
 * Order: environment (unless a profile was given by flag); the profile (static keys, role_arn with
 * source_profile or credential_source, web identity, SSO, credential_process); web identity from the
 * environment; container endpoint; instance metadata (IMDSv2). Refreshed 15 minutes before expiry
 * (advisory: failure is only noted) and for certain 10 minutes before; by time alone at most once a
 * minute, so that a clock that is off makes no storm: what was just fetched is used, the service is
 * the judge. Instance metadata that is down or hands out old credentials does not count as a failure.
 * Thread-safe: one thread refreshes, others wait and share its result or go on with what is still good.
 * No message holds a secret. Source: AWS SDKs and Tools Reference Guide. */
#ifndef RECAGENT_AWS_CREDENTIALS_H
#define RECAGENT_AWS_CREDENTIALS_H

#include "aws/config.h"
#include "net/http.h"
#include <stdatomic.h>
#include <stdint.h>

struct aws_creds {                           /* owned copies; wipe with aws_creds_release */
	char *id, *secret, *token, *account; /* token and account may be NULL */
	int64_t expires_s;                   /* 0: never */
	char source[24]; /* environment, profile, assume-role, web-identity, sso, process, container, imds */
};
void aws_creds_release(struct aws_creds *c);

struct aws_provider;
/* region: for STS and SSO calls, may be NULL. cfg, env and http are borrowed for the provider's life. */
struct aws_provider *aws_provider_new(const struct aws_config *cfg, const struct aws_env *env,
	struct http_client *http, const char *region);
/* Before the first get: what is under way ends when *cancels grows. */
void aws_provider_heed(struct aws_provider *p, const atomic_uint *cancels);
/* A copy of credentials that are good now. ERR_UNAVAILABLE "no-credentials" when no source has any (the
 * message names what was tried and how to get either AWS credentials or --local), ERR_UNAVAILABLE when the
 * source that is configured has trouble (STS refuses, SSO has ended); ERR_USAGE for a broken profile. */
int aws_provider_get(struct aws_provider *p, struct aws_creds *out, struct err *e);
/* The service said that they are expired: the next get fetches anew. id: which ones, since another thread
 * may have refreshed. */
void aws_provider_expire(struct aws_provider *p, const char *id);
void aws_provider_free(struct aws_provider *p);

/* Resolution steps that tests call by themselves. */
int aws_container_url(const struct aws_env *env, struct buf *url, struct err *e);
int aws_imds_endpoint(
	const struct aws_config *cfg, const struct aws_env *env, struct buf *url, struct err *e);

#endif
