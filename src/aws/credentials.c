/* credentials.c - the chain of sources, and one refresh at a time for all threads. */
#include "aws/credentials.h"
#include "aws/cred_internal.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADVISORY_S (15 * 60)
#define MANDATORY_S (10 * 60)
#define PAUSE_S 60 /* between two fetches that time alone asks for */

struct aws_provider {
	struct cred_ctx ctx; /* only touched by the thread that refreshes */
	char region[64];
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool refreshing;
	uint64_t flight;       /* counts refreshes, so that a waiter knows whose result it sees */
	struct err last;       /* of the last refresh; cls ERR_NONE: it went well */
	struct aws_creds have; /* id NULL: none yet */
	bool expired;          /* the service said so */
	int64_t advisory_s, mandatory_s;
};

static void copy_creds(struct aws_creds *to, const struct aws_creds *from)
{
	cred_fill(to, from->id, from->secret, from->token, from->account, from->source);
	to->expires_s = from->expires_s;
}

/* ---- one pass over the sources ---- */

static int run_base(struct cred_ctx *c, const struct cred_step *st, struct aws_creds *out, struct err *e)
{
	int rc = 0;
	switch (st->kind) {
	case CRED_STATIC: cred_fill(out, st->id, st->secret, st->token, st->account, "profile"); return 1;
	case CRED_WEB_IDENTITY: return cred_web_identity(c, st, out, e);
	case CRED_SSO: return cred_sso(c, st, out, e);
	case CRED_PROCESS: return cred_process(st, CRED_PROCESS_MS, c->cancels, out, e);
	case CRED_ENVIRONMENT: rc = cred_environment(c, out, e); break;
	case CRED_CONTAINER: rc = cred_container(c, out, e); break;
	case CRED_IMDS: rc = cred_imds(c, out, e); break;
	case CRED_ROLE: return err_set(e, ERR_INTERNAL, "chain", "a role stands at the start of a chain");
	}
	if (rc <= 0)
		err_prefix(e, "profile \"%s\": its credential_source has no credentials: ", st->profile);
	return rc > 0 ? 1 : -1;
}

static int run_chain(struct cred_ctx *c, const struct cred_chain *chain, struct aws_creds *out, struct err *e)
{
	struct aws_creds with = { 0 };
	int rc = run_base(c, &chain->v[0], &with, e);
	for (size_t i = 1; i < chain->n && rc > 0; i++) {
		struct aws_creds next = { 0 };
		rc = cred_assume_role(c, &chain->v[i], &with, &next, e);
		aws_creds_release(&with);
		with = next;
	}
	*out = with;
	return rc;
}

static int from_profile(struct cred_ctx *c, struct aws_creds *out, struct err *e)
{
	struct cred_chain chain;
	const char *name = c->cfg && c->cfg->profile ? c->cfg->profile : "default";
	int rc = cred_chain_resolve(c->cfg, name, &chain, e);
	return rc > 0 ? run_chain(c, &chain, out, e) : rc;
}

static int web_identity_env(struct cred_ctx *c, struct aws_creds *out, struct err *e)
{
	struct cred_step st = { .kind = CRED_WEB_IDENTITY,
		.token_file = aws_env_get(c->env, "AWS_WEB_IDENTITY_TOKEN_FILE"),
		.role_arn = aws_env_get(c->env, "AWS_ROLE_ARN"),
		.session_name = aws_env_get(c->env, "AWS_ROLE_SESSION_NAME") };
	if (!st.token_file) {
		err_set(e, ERR_UNAVAILABLE, "no-credentials", "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
		return 0;
	}
	if (!st.role_arn)
		return err_set(e, ERR_USAGE, "bad-credentials",
			"AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
	return cred_web_identity(c, &st, out, e);
}

static int nothing_found(const struct buf *tried, struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "no-credentials",
		"no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with "
		"--profile, or use --local DIR for the embedded store (tried %s)",
		tried->p ? tried->p : "nothing");
}

static int fetch(struct cred_ctx *c, struct aws_creds *out, struct err *e)
{
	static const struct {
		const char *name;
		int (*run)(struct cred_ctx *c, struct aws_creds *out, struct err *e);
		bool of_environment; /* an explicit --profile goes before it */
		bool last;           /* its trouble is one more reason, no verdict */
	} sources[] = {
		{ "environment", cred_environment, true, false },
		{ "profile", from_profile, false, false },
		{ "web identity", web_identity_env, true, false },
		{ "container", cred_container, false, false },
		{ "instance metadata", cred_imds, false, true },
	};
	struct buf tried = BUF_INIT(BUF_MAX_SMALL);
	int rc = 0;
	for (size_t i = 0; i < ARRAY_LEN(sources) && rc == 0; i++) {
		struct err why = { 0 };
		if (sources[i].of_environment && c->cfg && c->cfg->profile_explicit)
			continue;
		rc = sources[i].run(c, out, &why);
		if (rc < 0 && sources[i].last && why.cls == ERR_UNAVAILABLE)
			rc = 0;
		if (rc < 0)
			*e = why;
		else if (rc == 0)
			buf_printf(&tried, "%s%s: %.80s", tried.len ? "; " : "", sources[i].name, why.msg);
	}
	if (rc == 0)
		rc = nothing_found(&tried, e);
	buf_release(&tried);
	return rc;
}

/* ---- freshness ---- */

static bool imds_like(const struct aws_creds *c)
{
	return c->id && strcmp(c->source, "imds") == 0;
}

/* Instance metadata may hand out old credentials while it is in trouble; the services still take them. */
static void extend(struct aws_creds *c, int64_t now)
{
	if (c->expires_s && c->expires_s - now < ADVISORY_S)
		c->expires_s = now + ADVISORY_S + 120 + (int64_t)(random_unit() * 480);
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void plan(struct aws_provider *p, int64_t now)
{
	p->advisory_s = p->mandatory_s = INT64_MAX;
	if (!p->have.expires_s)
		return;
	/* What lives shorter than the windows, or looks dead because our clock is off, is still used: the
	 * service is the judge. It must only not be fetched at every call. */
	p->advisory_s = later(p->have.expires_s - ADVISORY_S, now + PAUSE_S);
	p->mandatory_s = later(p->have.expires_s - MANDATORY_S, now + PAUSE_S);
}

/* Called with the lock held and refreshing set; gives the lock away while it works. */
static void refresh(struct aws_provider *p)
{
	struct aws_creds fresh = { 0 };
	struct err e = { 0 };
	pthread_mutex_unlock(&p->lock);
	int rc = fetch(&p->ctx, &fresh, &e);
	pthread_mutex_lock(&p->lock);
	int64_t now = clock_now_s();
	if (rc <= 0 && imds_like(&p->have) && !p->expired) {
		extend(&p->have, now);
		plan(p, now);
		rc = 1;
	} else if (rc > 0) {
		if (imds_like(&fresh))
			extend(&fresh, now);
		aws_creds_release(&p->have);
		p->have = fresh;
		p->expired = false;
		plan(p, now);
	} else {
		p->advisory_s = later(p->advisory_s, now + PAUSE_S);
		aws_creds_release(&fresh);
	}
	p->last = rc > 0 ? (struct err){ 0 } : e;
	p->flight++;
	p->refreshing = false;
	pthread_cond_broadcast(&p->done);
}

static bool must(const struct aws_provider *p, int64_t now)
{
	return !p->have.id || p->expired || now >= p->mandatory_s;
}

int aws_provider_get(struct aws_provider *p, struct aws_creds *out, struct err *e)
{
	int rc = 0;
	struct err note = { 0 };
	*out = (struct aws_creds){ 0 };
	pthread_mutex_lock(&p->lock);
	int64_t now = clock_now_s();
	uint64_t seen = p->flight;
	if (!must(p, now) && now >= p->advisory_s && !p->refreshing) {
		p->refreshing = true;
		refresh(p);
		note = p->last;
	}
	while (must(p, now) && p->flight == seen) {
		if (p->refreshing) {
			pthread_cond_wait(&p->done, &p->lock);
			continue;
		}
		p->refreshing = true;
		refresh(p);
	}
	if (p->have.id && (!must(p, now) || p->last.cls == ERR_NONE))
		copy_creds(out, &p->have);
	else {
		rc = -1;
		if (e)
			*e = p->last;
	}
	pthread_mutex_unlock(&p->lock);
	if (note.cls != ERR_NONE)
		log_note("credentials are not renewed yet: %s", note.msg);
	return rc;
}

void aws_provider_expire(struct aws_provider *p, const char *id)
{
	pthread_mutex_lock(&p->lock);
	if (p->have.id && id && strcmp(p->have.id, id) == 0)
		p->expired = true;
	pthread_mutex_unlock(&p->lock);
}

struct aws_provider *aws_provider_new_io(
	const struct aws_config *cfg, const struct aws_env *env, const struct cred_io *io, const char *region)
{
	struct aws_provider *p = mem_alloc(sizeof *p);
	if (!region || !*region)
		region = aws_env_get(env, "AWS_REGION");
	if (!region)
		region = aws_setting(cfg, env, "AWS_DEFAULT_REGION", "region");
	snprintf(p->region, sizeof p->region, "%s", region ? region : "aws-global");
	p->ctx = (struct cred_ctx){ .cfg = cfg, .env = env, .io = *io, .region = p->region };
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->done, NULL);
	return p;
}

struct aws_provider *aws_provider_new(
	const struct aws_config *cfg, const struct aws_env *env, struct http_client *http, const char *region)
{
	struct cred_io io = cred_io_of(http);
	return aws_provider_new_io(cfg, env, &io, region);
}

void aws_provider_heed(struct aws_provider *p, const atomic_uint *cancels)
{
	p->ctx.cancels = cancels;
}

void aws_provider_free(struct aws_provider *p)
{
	if (!p)
		return;
	aws_creds_release(&p->have);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->done);
	free(p);
}
