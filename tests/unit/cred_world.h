/* cred_world.h - an environment, files and a scripted service for tests of credential sources. */
#ifndef RECAGENT_TESTS_CRED_WORLD_H
#define RECAGENT_TESTS_CRED_WORLD_H

#include "aws/cred_internal.h"
#include "aws_vectors.h"
#include "base/clock.h"

#include <pthread.h>

/* A service that answers by what the URL contains. */

struct line {
	const char *method, *url; /* url: a part of it */
	int status;               /* 0: no answer, body is the error code */
	const char *body;
};

struct script {
	const struct line *v;
	size_t n;
	int calls;       /* in all */
	int slow_ms;     /* each answer takes that long */
	char last[1024]; /* the last request: method, URL, body */
	char auth[512];  /* its authorization, or "" */
	pthread_mutex_t lock;
};

static inline int scripted(void *arg, const struct http_req *req, const struct http_timeouts *t,
	struct http_resp *resp, struct err *e)
{
	struct script *s = arg;
	const char *auth = http_header_get(req, "authorization");
	*resp = (struct http_resp){ .body = BUF_INIT(BUF_MAX_SMALL) };
	assert_true(t->connect > 0 && t->connect <= 3100 && t->total > 0);
	assert_int_equal(req->no_proxy, strstr(req->url, "169.254.") != NULL);
	pthread_mutex_lock(&s->lock);
	s->calls++;
	snprintf(s->last, sizeof s->last, "%s %s %.*s", req->method, req->url, (int)req->body_len,
		req->body ? req->body : "");
	snprintf(s->auth, sizeof s->auth, "%s", auth ? auth : "");
	pthread_mutex_unlock(&s->lock);
	if (s->slow_ms)
		clock_sleep_ms(s->slow_ms);
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->v[i].method, req->method) != 0 || !strstr(req->url, s->v[i].url))
			continue;
		if (s->v[i].status == 0)
			return err_set(e, ERR_UNAVAILABLE, s->v[i].body, "canned: %s", s->v[i].body);
		resp->status = s->v[i].status;
		buf_str(&resp->body, s->v[i].body);
		return 0;
	}
	return err_set(e, ERR_UNAVAILABLE, "connect", "nobody answers");
}

struct world {
	cJSON *vars;
	char root[64];
	struct aws_env env;
	struct aws_config cfg;
	struct script script;
	struct cred_io io;
	struct aws_provider *p;
};

static inline void world_open(
	struct world *w, const char *vars, const char *config, const struct line *v, size_t n)
{
	struct err e = { 0 };
	memset(w, 0, sizeof *w);
	make_root(w->root);
	if (config)
		root_file(w->root, "home/.aws/config", config);
	w->vars = cJSON_Parse(vars);
	assert_non_null(w->vars);
	cJSON_AddStringToObject(w->vars, "HOME", "/home");
	w->env = (struct aws_env){ .get = env_of_json, .arg = w->vars, .root = w->root };
	w->script = (struct script){ .v = v, .n = n };
	pthread_mutex_init(&w->script.lock, NULL);
	w->io = (struct cred_io){ scripted, &w->script };
	if (aws_config_load(&w->cfg, &w->env, str_of(w->vars, "--profile"), &e) < 0)
		fail_msg("%s", e.msg);
	w->p = aws_provider_new_io(&w->cfg, &w->env, &w->io, NULL);
}

static inline void world_close(struct world *w)
{
	aws_provider_free(w->p);
	aws_config_release(&w->cfg);
	cJSON_Delete(w->vars);
	drop_root(w->root);
	unsetenv("RECAGENT_NOW");
}

static inline void at(const char *now)
{
	setenv("RECAGENT_NOW", now, 1);
}

#define CREDS(id, until)                                                                                     \
	"{\"Code\":\"Success\",\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"sec-" id                     \
	"\",\"Token\":\"tok-" id "\",\"Expiration\":\"" until "\"}"

static inline const char *fetch_id(struct world *w)
{
	static char id[80];
	struct aws_creds got;
	struct err e = { 0 };
	if (aws_provider_get(w->p, &got, &e) < 0)
		snprintf(id, sizeof id, "(%s)", e.code);
	else
		snprintf(id, sizeof id, "%s", got.id);
	aws_creds_release(&got);
	return id;
}

#endif
