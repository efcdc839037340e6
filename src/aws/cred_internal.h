/* cred_internal.h - what the credential sources share. Only the cred_*.c files, credentials.c, region.c
 * and their tests include it. */
#ifndef RECAGENT_AWS_CRED_INTERNAL_H
#define RECAGENT_AWS_CRED_INTERNAL_H

#include "aws/cred_profile.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "base/json.h"

#include <stdatomic.h>

/* How an exchange is made; a test puts a canned one in the place of http_do. */
struct cred_io {
	int (*http)(void *arg, const struct http_req *req, const struct http_timeouts *t,
		struct http_resp *resp, struct err *e);
	void *arg;
};

struct cred_ctx {
	const struct aws_config *cfg;
	const struct aws_env *env;
	struct cred_io io;
	const char *region;         /* of STS, never NULL */
	int64_t sso_next_s;         /* an SSO token is refreshed at most once a minute */
	const atomic_uint *cancels; /* grows when what is under way is called off; NULL: never */
};

struct aws_provider *aws_provider_new_io(const struct aws_config *cfg, const struct aws_env *env,
	const struct cred_io *io, const char *region);
struct cred_io cred_io_of(struct http_client *http);

/* Sources. 1: *out is filled; 0: not configured or nothing there, e says so in a few words;
 * -1: ERR_USAGE for broken configuration, else ERR_UNAVAILABLE. */
int cred_environment(struct cred_ctx *c, struct aws_creds *out, struct err *e);
int cred_container(struct cred_ctx *c, struct aws_creds *out, struct err *e);
int cred_imds(struct cred_ctx *c, struct aws_creds *out, struct err *e);
#define CRED_PROCESS_MS 60000 /* some programs ask their user for a code */
/* The program is killed when its time is up, and when *cancels (may be NULL) grows. */
int cred_process(const struct cred_step *st, int64_t timeout_ms, const atomic_uint *cancels,
	struct aws_creds *out, struct err *e);
int cred_sso(struct cred_ctx *c, const struct cred_step *st, struct aws_creds *out, struct err *e);
/* The bearer token alone: 0, or -1. */
int cred_sso_token(
	struct cred_ctx *c, const struct cred_step *st, struct buf *token, int64_t *expires, struct err *e);
/* role_arn, token_file, session_name, duration of st */
int cred_web_identity(struct cred_ctx *c, const struct cred_step *st, struct aws_creds *out, struct err *e);
int cred_assume_role(struct cred_ctx *c, const struct cred_step *st, const struct aws_creds *with,
	struct aws_creds *out, struct err *e);

/* The text at /latest/meta-data PATH of the instance, trimmed. As above. */
int cred_imds_text(struct cred_ctx *c, const char *path, struct buf *out, struct err *e);

/* An exchange that is tried again on 429, 5xx and (network attempts) when there is no whole answer. */
struct cred_policy {
	int attempts, network_attempts;
	int64_t pause_ms; /* before the second attempt, doubled each time */
	struct http_timeouts timeouts;
};
extern const struct cred_policy cred_service_policy; /* STS and SSO */
int cred_http(struct cred_ctx *c, const struct http_req *req, const struct cred_policy *p,
	struct http_resp *resp, struct err *e);

void cred_fill(struct aws_creds *out, const char *id, const char *secret, const char *token,
	const char *account, const char *source);
/* {AccessKeyId, SecretAccessKey, Token or SessionToken, Expiration?, AccountId?} */
int cred_from_json(const struct buf *body, const char *token_key, const char *what, struct aws_creds *out,
	struct err *e);
bool cred_time(const char *text, int64_t *s); /* RFC 3339, also with "UTC" at its end */
void cred_wipe_buf(struct buf *b);            /* and release */
void cred_wipe_tree(cJSON *tree);             /* and delete */
void cred_wipe_resp(struct http_resp *resp);  /* and release */

#endif
