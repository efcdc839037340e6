/* shared.c - what all AWS clients of a process have in common: files, settings, connections, credentials. */
#include "aws/client_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#include "base/mem.h"

#define CONNECT_MS 3100 /* SDKs' defaults mode `standard` */
#define READ_MS 60000
#define SLOW_READS 3 /* an answer that takes longer than so many of them must come at some speed */

const char *aws_shared_setting(const struct aws_shared *s, const char *env_name, const char *key)
{
	return aws_setting(&s->cfg, &s->env, env_name, key);
}

const char *aws_shared_nested(const struct aws_shared *s, const char *key, const char *sub)
{
	const struct aws_section *p = aws_config_section(&s->cfg, AWS_PROFILE, s->cfg.profile);

	return p ? aws_section_get_sub(p, key, sub) : NULL;
}

/* Characters that a part of the user agent may hold; the rest becomes '-'. */
static void ua_part(struct buf *b, const char *prefix, const char *value)
{
	buf_str(b, prefix);
	for (; *value; value++)
		buf_char(b,
			isalnum((unsigned char)*value) || strchr("!$%&'*+-.^_`|~,", *value) ? *value : '-');
}

static char *user_agent(const struct aws_shared *s)
{
	struct buf b = BUF_INIT(BUF_MAX_SMALL);
	const char *app = aws_shared_setting(s, "AWS_SDK_UA_APP_ID", "sdk_ua_app_id");
	const char *where = aws_env_get(&s->env, "AWS_EXECUTION_ENV");
	struct utsname u = { 0 };

	buf_str(&b, "recagent/" RECAGENT_VERSION " ua/2.1");
	if (uname(&u) >= 0) {
		for (char *p = u.sysname; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		ua_part(&b, " os/", u.sysname);
		ua_part(&b, "#", u.release);
		ua_part(&b, " md/arch#", u.machine);
	}
	buf_str(&b, " lang/c#11");
	if (where)
		ua_part(&b, " exec-env/", where);
	buf_str(&b, " m/E cfg/retry-mode#standard");
	if (app && strlen(app) <= 50)
		ua_part(&b, " app/", app);
	return buf_take(&b);
}

static int read_attempts(struct aws_shared *s, const struct aws_options *o, struct err *e)
{
	const char *v = aws_shared_setting(s, "AWS_MAX_ATTEMPTS", "max_attempts");
	char *end;

	s->max_attempts = o->max_attempts;
	if (s->max_attempts > 0 || !v)
		return 0;
	long n = strtol(v, &end, 10);
	if (*end || n < 1 || n > 1000)
		return err_set(e, ERR_USAGE, "bad-setting",
			"AWS_MAX_ATTEMPTS or max_attempts is \"%.20s\", not a number from 1", v);
	s->max_attempts = (int)n;
	return 0;
}

/* The one mode that there is here stands in for the others; a misspelt one must not pass unseen. */
static int read_retry_mode(const struct aws_shared *s, struct err *e)
{
	const char *v = aws_shared_setting(s, "AWS_RETRY_MODE", "retry_mode");

	if (!v || !strcasecmp(v, "standard") || !strcasecmp(v, "legacy") || !strcasecmp(v, "adaptive"))
		return 0;
	return err_set(e, ERR_USAGE, "bad-setting",
		"AWS_RETRY_MODE or retry_mode is \"%.20s\", not standard, legacy or adaptive", v);
}

static void named_region(struct aws_shared *s)
{
	const char *r = s->flag_region;

	if (!r)
		r = aws_env_get(&s->env, "AWS_REGION");
	if (!r)
		r = aws_env_get(&s->env, "AWS_DEFAULT_REGION");
	if (!r)
		r = aws_config_get(&s->cfg, "region");
	snprintf(s->named_region, sizeof s->named_region, "%s", r ? r : "");
}

int shared_region(struct aws_shared *s, char out[64], struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&s->mu);
	if (!s->region[0])
		rc = aws_region(&s->cfg, &s->env, s->http, s->flag_region, s->region, e);
	if (rc)
		s->region[0] = '\0';
	memcpy(out, s->region, 64);
	pthread_mutex_unlock(&s->mu);
	return rc;
}

static void open_http(struct aws_shared *s, const struct aws_options *o)
{
	struct http_conf conf = { .ca_bundle = aws_shared_setting(s, "AWS_CA_BUNDLE", "ca_bundle") };

	s->timeouts = o->timeouts;
	if (!s->timeouts.connect)
		s->timeouts.connect = CONNECT_MS;
	if (!s->timeouts.first_byte)
		s->timeouts.first_byte = READ_MS;
	if (!s->timeouts.idle)
		s->timeouts.idle = READ_MS;
	s->timeouts.slow = SLOW_READS * s->timeouts.idle;
	s->user_agent = user_agent(s);
	conf.timeouts = s->timeouts;
	conf.user_agent = s->user_agent;
	s->http = http_client_new(&conf);
}

int aws_shared_open(struct aws_shared **out, const struct aws_options *o, struct err *e)
{
	struct aws_shared *s = mem_alloc(sizeof *s);
	int rc;

	pthread_mutex_init(&s->mu, NULL);
	s->flag_region = mem_strdup(o->region);
	s->flag_url = mem_strdup(o->endpoint_url);
	rc = aws_config_load(&s->cfg, &s->env, o->profile, e);
	if (!rc)
		rc = read_attempts(s, o, e);
	if (!rc)
		rc = read_retry_mode(s, e);
	if (!rc) {
		open_http(s, o);
		named_region(s);
		s->provider = aws_provider_new(
			&s->cfg, &s->env, s->http, s->named_region[0] ? s->named_region : NULL);
		aws_provider_heed(s->provider, &s->cancels);
		*out = s;
		return 0;
	}
	aws_shared_close(s);
	return -1;
}

void aws_shared_close(struct aws_shared *s)
{
	if (!s)
		return;
	if (s->provider)
		aws_provider_free(s->provider);
	if (s->http)
		http_client_free(s->http);
	aws_config_release(&s->cfg);
	pthread_mutex_destroy(&s->mu);
	free(s->flag_region);
	free(s->flag_url);
	free(s->user_agent);
	free(s);
}

void aws_shared_cancel(struct aws_shared *s)
{
	atomic_fetch_add(&s->cancels, 1);
	http_client_cancel(s->http);
}
