/* cred_profile.h - which steps a profile's credentials take. Pure: no file, no clock, no network. */
#ifndef RECAGENT_AWS_CRED_PROFILE_H
#define RECAGENT_AWS_CRED_PROFILE_H

#include "aws/config.h"

enum cred_kind {
	CRED_STATIC,
	CRED_ENVIRONMENT, /* credential_source */
	CRED_CONTAINER,   /* credential_source */
	CRED_IMDS,        /* credential_source */
	CRED_WEB_IDENTITY,
	CRED_SSO,
	CRED_PROCESS,
	CRED_ROLE /* AssumeRole with what the step before gave */
};

struct cred_step { /* strings are borrowed from the configuration; NULL where the kind has none */
	enum cred_kind kind;
	const char *profile;                                          /* the section that it comes from */
	const char *id, *secret, *token, *account;                    /* static; account also of a process */
	const char *role_arn, *session_name, *external_id, *duration; /* role, web identity */
	const char *mfa_serial;                                       /* role */
	const char *token_file;                                       /* web identity */
	const char *command;                                          /* process: with its quotes */
	const char *sso_session, *sso_region, *sso_start_url, *sso_account, *sso_role;
};

#define CRED_CHAIN_MAX 16
struct cred_chain {
	struct cred_step v[CRED_CHAIN_MAX]; /* v[0] needs nothing, each further one is a CRED_ROLE */
	size_t n;
};

/* 1: *out is the chain. 0: the profile is not there or has no credentials; e says which. -1: ERR_USAGE. */
int cred_chain_resolve(
	const struct aws_config *cfg, const char *profile, struct cred_chain *out, struct err *e);

#endif
