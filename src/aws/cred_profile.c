/* cred_profile.c - resolve a profile to its chain of steps: source_profile is followed from role to role. */
#include "aws/cred_profile.h"

#include <string.h>
#include <strings.h>

static int broken(struct err *e, const struct aws_section *s, const char *what)
{
	return err_set(e, ERR_USAGE, "bad-profile", "profile \"%s\": %s", s->name, what);
}

static int static_step(const struct aws_section *s, struct cred_step *st, struct err *e)
{
	*st = (struct cred_step){ .kind = CRED_STATIC,
		.profile = s->name,
		.id = aws_section_get(s, "aws_access_key_id"),
		.secret = aws_section_get(s, "aws_secret_access_key"),
		.token = aws_section_get(s, "aws_session_token"),
		.account = aws_section_get(s, "aws_account_id") };
	if (!st->id && !st->secret && !st->token) {
		const char *more = aws_section_get(s, "login_session")
					   ? " that recagent can use: for login_session, set "
					     "credential_process = aws configure "
					     "export-credentials"
					   : "";
		err_set(e, ERR_USAGE, "bad-profile", "profile `%s` did not contain credential information%s",
			s->name, more);
		return 0;
	}
	if (!st->id)
		return broken(e, s, "profile missing aws_access_key_id");
	if (!st->secret)
		return broken(e, s, "profile missing aws_secret_access_key");
	return 1;
}

static int web_identity_step(const struct aws_section *s, struct cred_step *st, struct err *e)
{
	*st = (struct cred_step){ .kind = CRED_WEB_IDENTITY,
		.profile = s->name,
		.token_file = aws_section_get(s, "web_identity_token_file"),
		.role_arn = aws_section_get(s, "role_arn"),
		.session_name = aws_section_get(s, "role_session_name"),
		.duration = aws_section_get(s, "duration_seconds") };
	if (!st->token_file)
		return 0;
	if (!st->role_arn)
		return broken(e, s, "`web_identity_token_file` was specified but `role_arn` was missing");
	return 1;
}

/* A value may stand in the profile, in its session or in both, but then it must be the same. */
static int agree(const struct aws_section *s, const struct aws_section *session, const char *key,
	const char **out, struct err *e)
{
	const char *mine = aws_section_get(s, key), *its = aws_section_get(session, key);
	if (mine && its && strcmp(mine, its) != 0)
		return err_set(e, ERR_USAGE, "bad-profile",
			"profile \"%s\": `%s` differs from the one of sso-session \"%s\"", s->name, key,
			session->name);
	*out = its ? its : mine;
	if (!*out)
		return err_set(e, ERR_USAGE, "bad-profile", "profile \"%s\": `%s` is missing", s->name, key);
	return 0;
}

static int sso_step(
	const struct aws_config *cfg, const struct aws_section *s, struct cred_step *st, struct err *e)
{
	const struct aws_section *session = NULL;
	*st = (struct cred_step){ .kind = CRED_SSO,
		.profile = s->name,
		.sso_session = aws_section_get(s, "sso_session"),
		.sso_account = aws_section_get(s, "sso_account_id"),
		.sso_role = aws_section_get(s, "sso_role_name") };
	if (!st->sso_session && !st->sso_account && !st->sso_role && !aws_section_get(s, "sso_start_url") &&
		!aws_section_get(s, "sso_region"))
		return 0;
	if (st->sso_account && !st->sso_role)
		return broken(e, s, "if `sso_account_id` is set, then `sso_role_name` must also be set");
	if (st->sso_role && !st->sso_account)
		return broken(e, s, "if `sso_role_name` is set, then `sso_account_id` must also be set");
	if (st->sso_session) {
		session = aws_config_section(cfg, AWS_SSO_SESSION, st->sso_session);
		if (!session)
			return err_set(e, ERR_USAGE, "bad-profile",
				"sso-session named `%s` (referenced by profile `%s`) was not found",
				st->sso_session, s->name);
	} else if (!st->sso_account) {
		return broken(e, s, "`sso_account_id` and `sso_role_name` are missing");
	}
	if (agree(s, session, "sso_region", &st->sso_region, e) < 0 ||
		agree(s, session, "sso_start_url", &st->sso_start_url, e) < 0)
		return -1;
	return 1;
}

static int process_step(const struct aws_section *s, struct cred_step *st)
{
	*st = (struct cred_step){ .kind = CRED_PROCESS,
		.profile = s->name,
		.command = aws_section_raw(s, "credential_process"),
		.account = aws_section_get(s, "aws_account_id") };
	return st->command != NULL;
}

static int source_step(const struct aws_section *s, const char *source, struct cred_step *st, struct err *e)
{
	static const struct {
		const char *name;
		enum cred_kind kind;
	} sources[] = { { "Environment", CRED_ENVIRONMENT }, { "EcsContainer", CRED_CONTAINER },
		{ "Ec2InstanceMetadata", CRED_IMDS } };
	for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
		if (strcasecmp(source, sources[i].name) == 0) {
			*st = (struct cred_step){ .kind = sources[i].kind, .profile = s->name };
			return 1;
		}
	return err_set(e, ERR_USAGE, "bad-profile",
		"profile \"%s\": credential_source \"%s\" is not Environment, EcsContainer or "
		"Ec2InstanceMetadata",
		s->name, source);
}

/* Keys of the credentials file go before a process of the config file, others behind it. */
static bool keys_in_credentials_file(const struct aws_section *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].from_credentials && strcmp(s->v[i].key, "aws_access_key_id") == 0)
			return true;
	return false;
}

/* What stands at the start of a chain. */
static int base_step(
	const struct aws_config *cfg, const struct aws_section *s, struct cred_step *st, struct err *e)
{
	const char *source = aws_section_get(s, "credential_source");
	if (source)
		return source_step(s, source, st, e);
	int rc = web_identity_step(s, st, e);
	if (rc == 0)
		rc = sso_step(cfg, s, st, e);
	if (rc == 0 && !keys_in_credentials_file(s))
		rc = process_step(s, st);
	return rc != 0 ? rc : static_step(s, st, e);
}

static bool has_keys(const struct aws_section *s)
{
	return aws_section_get(s, "aws_access_key_id") && aws_section_get(s, "aws_secret_access_key");
}

/* A role that needs other credentials first. 1: *next is where they come from (s itself: its own base). */
static int role_step(const struct aws_config *cfg, const struct aws_section *s, struct cred_step *st,
	const struct aws_section **next, struct err *e)
{
	const char *source = aws_section_get(s, "source_profile");
	const char *named = aws_section_get(s, "credential_source");
	*st = (struct cred_step){ .kind = CRED_ROLE,
		.profile = s->name,
		.role_arn = aws_section_get(s, "role_arn"),
		.session_name = aws_section_get(s, "role_session_name"),
		.external_id = aws_section_get(s, "external_id"),
		.duration = aws_section_get(s, "duration_seconds"),
		.mfa_serial = aws_section_get(s, "mfa_serial") };
	if (!st->role_arn || aws_section_get(s, "web_identity_token_file"))
		return 0;
	if (source && named)
		return broken(e, s, "profile contained both source_profile and credential_source");
	if (!source && !named)
		return broken(e, s,
			"profile must contain `source_profile` or `credential_source` besides role_arn");
	*next = named || strcmp(source, s->name) == 0 ? s : aws_config_section(cfg, AWS_PROFILE, source);
	if (!*next)
		return err_set(e, ERR_USAGE, "bad-profile",
			"could not find source profile %s referenced from %s", source, s->name);
	return 1;
}

static bool visited(const struct cred_chain *c, const struct aws_section *s)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].profile == s->name)
			return true;
	return false;
}

static void reverse(struct cred_chain *c)
{
	for (size_t i = 0; i < c->n / 2; i++) {
		struct cred_step tmp = c->v[i];
		c->v[i] = c->v[c->n - 1 - i];
		c->v[c->n - 1 - i] = tmp;
	}
}

int cred_chain_resolve(
	const struct aws_config *cfg, const char *profile, struct cred_chain *out, struct err *e)
{
	const struct aws_section *s = aws_config_section(cfg, AWS_PROFILE, profile), *next = NULL;
	out->n = 0;
	if (!s) {
		err_set(e, ERR_USAGE, "no-profile", "there is no profile \"%s\"", profile);
		return 0;
	}
	/* Collected from the last role to the base, then turned round. */
	for (;; s = next) {
		struct cred_step *st = &out->v[out->n];
		if (visited(out, s))
			return err_set(e, ERR_USAGE, "bad-profile",
				"profile formed an infinite loop: \"%s\" comes up again by way of "
				"source_profile",
				s->name);
		if (out->n + 1 >= CRED_CHAIN_MAX)
			return err_set(e, ERR_USAGE, "bad-profile", "more than %d profiles are chained",
				CRED_CHAIN_MAX - 2);
		int rc = out->n > 0 && has_keys(s) ? 0 : role_step(cfg, s, st, &next, e);
		if (rc < 0)
			return -1;
		if (rc > 0 && next != s) {
			out->n++;
			continue;
		}
		out->n += rc > 0;
		rc = out->n > 0 && has_keys(s) ? static_step(s, &out->v[out->n], e)
					       : base_step(cfg, s, &out->v[out->n], e);
		if (rc <= 0)
			return out->n > 0 ? -1 : rc;
		out->n++;
		reverse(out);
		return 1;
	}
}
