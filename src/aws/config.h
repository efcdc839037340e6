/* config.h - the shared AWS files (~/.aws/config, ~/.aws/credentials) and the settings that come from
 * them and from the environment.
 *
 * Grammar: shared SDK test suite (profile-parser-tests), see aws_config_parse. Read once at start; the
 * result is read-only and thread-safe. Source: AWS SDKs and Tools Reference Guide, "Shared config". */
#ifndef RECAGENT_AWS_CONFIG_H
#define RECAGENT_AWS_CONFIG_H

#include "base/buf.h"
#include "base/err.h"

struct aws_property {
	char *key, *value;        /* value "" for a nested section; key in lower case */
	struct aws_property *sub; /* nested key = value pairs */
	size_t nsub;
};

enum aws_section_kind { AWS_PROFILE, AWS_SSO_SESSION, AWS_SERVICES };
struct aws_section {
	enum aws_section_kind kind;
	char *name;
	struct aws_property *v;
	size_t n;
};

struct aws_config {
	struct aws_section *v;
	size_t n;
	char *profile;         /* the chosen one: flag, AWS_PROFILE, "default" */
	bool profile_explicit; /* asked for by flag (skips environment credentials) */
	bool profile_named;    /* asked for by flag or environment: missing is an error */
};

/* Where a value of the environment comes from: getenv, or a test's table. NULL = not set. */
typedef const char *aws_getenv(const char *name, void *arg);
struct aws_env {
	aws_getenv *get; /* NULL: the process environment; empty values count as unset */
	void *arg;
	const char *root; /* prefix of every file that is read (tests), or NULL */
};
const char *aws_env_get(const struct aws_env *env, const char *name);
/* Read a file that configuration names, `~` expanded, at most 1 MiB, with env->root in front. */
int aws_env_file(const struct aws_env *env, const char *path, struct buf *out, struct err *e);

/* Merge one file's text. credentials: the [name] form, and its values win over the config file's. */
int aws_config_parse(struct aws_config *c, const char *text, size_t n, bool credentials, struct err *e);
/* Find and read both files. profile: from --profile or NULL. */
int aws_config_load(struct aws_config *c, const struct aws_env *env, const char *profile, struct err *e);
void aws_config_release(struct aws_config *c);

const struct aws_section *aws_config_section(
	const struct aws_config *c, enum aws_section_kind kind, const char *name);
const char *aws_section_get(const struct aws_section *s, const char *key);
const char *aws_section_get_sub(const struct aws_section *s, const char *key, const char *sub);
/* A value of the chosen profile, or NULL. */
const char *aws_config_get(const struct aws_config *c, const char *key);

#endif
