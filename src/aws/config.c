/* config.c - find and read the shared AWS files; look settings up in them and in the environment. */
#include "aws/config.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const char *aws_env_get(const struct aws_env *env, const char *name)
{
	const char *v = env && env->get ? env->get(name, env->arg) : getenv(name);
	return v && *v ? v : NULL;
}

static bool add_home(const struct aws_env *env, struct buf *out)
{
	const char *home = aws_env_get(env, "HOME");
	if (home)
		return buf_str(out, home);
	struct passwd pw, *found = NULL;
	char text[4096];
	if (getpwuid_r(getuid(), &pw, text, sizeof text, &found) != 0 || !found)
		return false;
	return buf_str(out, found->pw_dir);
}

bool aws_env_expand(const struct aws_env *env, const char *path, struct buf *out)
{
	if (path[0] == '~' && (path[1] == '/' || path[1] == '\0')) {
		if (!add_home(env, out))
			return false;
		path++;
	}
	return buf_str(out, path);
}

static int read_all(int fd, struct buf *out)
{
	char chunk[8192];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		if (out->len + (size_t)n > AWS_CONFIG_MAX_FILE || !buf_add(out, chunk, (size_t)n)) {
			mem_wipe(chunk, sizeof chunk);
			return EFBIG;
		}
	}
	mem_wipe(chunk, sizeof chunk);
	return 0;
}

static int cannot_read(struct err *e, const char *path, int errnum)
{
	err_errno(e, ERR_USAGE, errnum, "failed to read `%s`", path);
	if (e && (errnum == ENOENT || errnum == ENOTDIR))
		memcpy(e->code, "not-found", sizeof "not-found");
	return -1;
}

int aws_env_file(const struct aws_env *env, const char *path, struct buf *out, struct err *e)
{
	struct buf shown = BUF_INIT(BUF_MAX_SMALL), real = BUF_INIT(BUF_MAX_SMALL);
	int errnum = ENAMETOOLONG;
	bool ok = aws_env_expand(env, path, &shown);
	if (ok && env && env->root)
		ok = buf_str(&real, env->root) && (shown.p[0] == '/' || buf_char(&real, '/'));
	if (ok && shown.p && buf_str(&real, shown.p)) {
		int fd = open(real.p, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		errnum = fd < 0 ? errno : read_all(fd, out);
		if (fd >= 0)
			close(fd);
	}
	int rc = errnum ? cannot_read(e, shown.p ? shown.p : path, errnum) : 0;
	buf_release(&shown);
	buf_release(&real);
	return rc;
}

bool aws_config_path(const struct aws_env *env, bool credentials, struct buf *out)
{
	const char *path = aws_env_get(env, credentials ? "AWS_SHARED_CREDENTIALS_FILE" : "AWS_CONFIG_FILE");
	if (!path)
		path = credentials ? "~/.aws/credentials" : "~/.aws/config";
	return aws_env_expand(env, path, out);
}

void aws_config_choose(struct aws_config *c, const struct aws_env *env, const char *profile)
{
	c->profile_explicit = profile && *profile;
	if (!c->profile_explicit)
		profile = aws_env_get(env, "AWS_PROFILE");
	if (!profile)
		profile = aws_env_get(env, "AWS_DEFAULT_PROFILE");
	c->profile_named = profile != NULL;
	free(c->profile);
	c->profile = mem_strdup(profile ? profile : "default");
}

static int load_file(struct aws_config *c, const struct aws_env *env, bool credentials, struct err *e)
{
	struct buf path = BUF_INIT(BUF_MAX_SMALL), text = BUF_INIT(AWS_CONFIG_MAX_FILE);
	struct err local = { 0 };
	int rc = 0;
	if (aws_config_path(env, credentials, &path)) {
		rc = aws_env_file(env, path.p, &text, &local);
		if (rc < 0 && strcmp(local.code, "not-found") == 0)
			rc = 0;
		else if (rc == 0 && text.len > 0) {
			rc = aws_config_parse(c, text.p, text.len, credentials, &local);
			if (rc < 0)
				err_prefix(&local, "%s: ", path.p);
		}
	}
	if (rc < 0 && e)
		*e = local;
	if (text.p)
		mem_wipe(text.p, text.cap);
	buf_release(&text);
	buf_release(&path);
	return rc;
}

int aws_config_load(struct aws_config *c, const struct aws_env *env, const char *profile, struct err *e)
{
	*c = (struct aws_config){ 0 };
	aws_config_choose(c, env, profile);
	int rc = load_file(c, env, false, e);
	if (rc == 0)
		rc = load_file(c, env, true, e);
	if (rc == 0 && c->profile_named && !aws_config_section(c, AWS_PROFILE, c->profile) &&
		(c->profile_explicit || strcmp(c->profile, "default") != 0))
		rc = err_set(e, ERR_USAGE, "no-profile",
			"profile \"%s\" is neither in the AWS config file nor in the credentials file",
			c->profile);
	if (rc < 0)
		aws_config_release(c);
	return rc;
}

const struct aws_section *aws_config_section(
	const struct aws_config *c, enum aws_section_kind kind, const char *name)
{
	for (size_t i = 0; c && i < c->n; i++)
		if (c->v[i].kind == kind && strcmp(c->v[i].name, name) == 0)
			return &c->v[i];
	return NULL;
}

static const struct aws_property *find(const struct aws_property *v, size_t n, const char *key)
{
	for (size_t i = n; i-- > 0;)
		if (strcmp(v[i].key, key) == 0)
			return &v[i];
	return NULL;
}

const char *aws_section_get(const struct aws_section *s, const char *key)
{
	const struct aws_property *p = s ? find(s->v, s->n, key) : NULL;
	return p && *p->value ? p->value : NULL;
}

const char *aws_section_raw(const struct aws_section *s, const char *key)
{
	const struct aws_property *p = s ? find(s->v, s->n, key) : NULL;
	return p && *p->raw ? p->raw : NULL;
}

const char *aws_section_get_sub(const struct aws_section *s, const char *key, const char *sub)
{
	const struct aws_property *p = s ? find(s->v, s->n, key) : NULL;
	p = p ? find(p->sub, p->nsub, sub) : NULL;
	return p && *p->value ? p->value : NULL;
}

const char *aws_config_get(const struct aws_config *c, const char *key)
{
	if (!c || !c->profile)
		return NULL;
	return aws_section_get(aws_config_section(c, AWS_PROFILE, c->profile), key);
}

const char *aws_setting(
	const struct aws_config *c, const struct aws_env *env, const char *env_name, const char *key)
{
	const char *v = aws_env_get(env, env_name);
	return v ? v : aws_config_get(c, key);
}

bool aws_setting_true(
	const struct aws_config *c, const struct aws_env *env, const char *env_name, const char *key)
{
	const char *v = aws_setting(c, env, env_name, key);
	return v && strcasecmp(v, "true") == 0;
}
