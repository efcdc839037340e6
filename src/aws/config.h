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
	char *key, *value; /* key in lower case; value "" for a nested section, enclosing quotes taken off */
	char *raw;         /* the value with its quotes; of a nested pair the whole line */
	struct aws_property *sub; /* nested key = value pairs */
	size_t nsub;
	bool from_credentials; /* which file it stood in */
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

#define AWS_CONFIG_MAX_FILE ((size_t)1 << 20)
#define AWS_CONFIG_MAX_SECTIONS 4096
#define AWS_CONFIG_MAX_PROPERTIES 1024 /* of one section, and of one nested section */

/* Where a value of the environment comes from: getenv, or a test's table. NULL = not set. */
typedef const char *aws_getenv(const char *name, void *arg);
struct aws_env {
	aws_getenv *get; /* NULL: the process environment; empty values count as unset */
	void *arg;
	const char *root; /* prefix of every file that is read (tests), or NULL */
};
const char *aws_env_get(const struct aws_env *env, const char *name);
/* `~` as the first segment becomes the home directory: HOME, else the passwd entry. */
bool aws_env_expand(const struct aws_env *env, const char *path, struct buf *out);
/* Read a file that configuration names, `~` expanded, at most 1 MiB, with env->root in front.
 * ERR_USAGE; code "not-found" when there is none. */
int aws_env_file(const struct aws_env *env, const char *path, struct buf *out, struct err *e);

/* Merge one file's text into c (zeroed before the first). credentials: the [name] form, and its values win
 * over the config file's, whichever is read first. ERR_USAGE names the line. */
int aws_config_parse(struct aws_config *c, const char *text, size_t n, bool credentials, struct err *e);
/* Which file is read (`~` expanded, without env->root), and which profile is meant. */
bool aws_config_path(const struct aws_env *env, bool credentials, struct buf *out);
void aws_config_choose(struct aws_config *c, const struct aws_env *env, const char *profile);
/* Find and read both files. profile: from --profile or NULL. A missing file is empty; a profile that was
 * asked for by name and is in neither is ERR_USAGE. On error c is empty. */
int aws_config_load(struct aws_config *c, const struct aws_env *env, const char *profile, struct err *e);
void aws_config_release(struct aws_config *c);

const struct aws_section *aws_config_section(
	const struct aws_config *c, enum aws_section_kind kind, const char *name);
/* NULL when absent or empty; s may be NULL. */
const char *aws_section_get(const struct aws_section *s, const char *key);
/* With its quotes as they stand in the file (a command line). */
const char *aws_section_raw(const struct aws_section *s, const char *key);
const char *aws_section_get_sub(const struct aws_section *s, const char *key, const char *sub);
/* A value of the chosen profile, or NULL; c may be NULL. */
const char *aws_config_get(const struct aws_config *c, const char *key);
/* A setting that both have: the environment's, else the chosen profile's, else NULL. */
const char *aws_setting(
	const struct aws_config *c, const struct aws_env *env, const char *env_name, const char *key);
/* Only "true" is true, in any case. */
bool aws_setting_true(
	const struct aws_config *c, const struct aws_env *env, const char *env_name, const char *key);

#endif
