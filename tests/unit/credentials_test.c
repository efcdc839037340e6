/* credentials_test.c - which source counts, freshness, sharing between threads, refusals and messages. */
#include "cred_world.h"

#define TOKEN_URL "/latest/api/token"
#define ROLE_URL "/security-credentials/app"
#define LIST_URL "/security-credentials/"
#define IMDS(id, until)                                                                                      \
	{ "PUT", TOKEN_URL, 200, "T==" }, { "GET", ROLE_URL, 200, CREDS(id, until) },                        \
	{                                                                                                    \
		"GET", LIST_URL, 200, "app\n"                                                                \
	}

/* ---- which source, and what is said when there is none ---- */

struct row {
	const char *name, *vars, *config;
	const char *id, *source; /* NULL: refused */
	enum err_class cls;
	const char *message; /* a part of it */
};

static const struct row rows[] = {
	{ "environment", "{\"AWS_ACCESS_KEY_ID\":\"E\",\"AWS_SECRET_ACCESS_KEY\":\"hidden\"}",
		"[default]\naws_access_key_id=P\naws_secret_access_key=hidden\n", "E", "environment", 0,
		NULL },
	{ "a profile by flag goes before it",
		"{\"AWS_ACCESS_KEY_ID\":\"E\",\"AWS_SECRET_ACCESS_KEY\":\"hidden\",\"--profile\":\"p\"}",
		"[profile p]\naws_access_key_id=P\naws_secret_access_key=hidden\n", "P", "profile", 0, NULL },
	{ "a profile by variable does not",
		"{\"AWS_ACCESS_KEY_ID\":\"E\",\"AWS_SECRET_ACCESS_KEY\":\"hidden\",\"AWS_PROFILE\":\"p\"}",
		"[profile p]\naws_access_key_id=P\naws_secret_access_key=hidden\n", "E", "environment", 0,
		NULL },
	{ "empty is unset", "{\"AWS_ACCESS_KEY_ID\":\"\",\"AWS_SECRET_ACCESS_KEY\":\"hidden\"}",
		"[default]\naws_access_key_id=P\naws_secret_access_key=hidden\n", "P", "profile", 0, NULL },
	{ "id without secret", "{\"AWS_ACCESS_KEY_ID\":\"E\"}", NULL, NULL, NULL, ERR_USAGE,
		"AWS_SECRET_ACCESS_KEY is not" },
	{ "nothing", "{}", NULL, NULL, NULL, ERR_UNAVAILABLE,
		"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile, or use "
		"--local "
		"DIR for the embedded store" },
	{ "nothing: what was tried", "{}", NULL, NULL, NULL, ERR_UNAVAILABLE,
		"instance metadata: nobody answers" },
	{ "metadata is off", "{\"AWS_EC2_METADATA_DISABLED\":\"TRUE\"}", NULL, NULL, NULL, ERR_UNAVAILABLE,
		"off by AWS_EC2_METADATA_DISABLED" },
	{ "half a profile", "{}", "[default]\naws_access_key_id=P\n", NULL, NULL, ERR_USAGE,
		"aws_secret_access_key" },
	{ "aws login is not read", "{}", "[default]\nlogin_session=x\n", NULL, NULL, ERR_UNAVAILABLE,
		"profile: profile `default`" },
	{ "mfa", "{}",
		"[default]\nrole_arn=arn:r\nmfa_serial=m\nsource_profile=b\n[profile "
		"b]\naws_access_key_id=P\n"
		"aws_secret_access_key=hidden\n",
		NULL, NULL, ERR_USAGE, "mfa_serial" },
	{ "a duration out of range", "{}",
		"[default]\nrole_arn=arn:r\nduration_seconds=60\nsource_profile=b\n[profile b]\n"
		"aws_access_key_id=P\naws_secret_access_key=hidden\n",
		NULL, NULL, ERR_USAGE, "duration_seconds" },
	{ "token file without role", "{\"AWS_WEB_IDENTITY_TOKEN_FILE\":\"/t\"}", NULL, NULL, NULL, ERR_USAGE,
		"AWS_ROLE_ARN" },
	{ "token file that is not there",
		"{\"AWS_WEB_IDENTITY_TOKEN_FILE\":\"/t\",\"AWS_ROLE_ARN\":\"arn:r\"}", NULL, NULL, NULL,
		ERR_USAGE, "failed to read `/t`" },
	{ "container on a strange host", "{\"AWS_CONTAINER_CREDENTIALS_FULL_URI\":\"http://evil.example/\"}",
		NULL, NULL, NULL, ERR_USAGE, "loopback" },
	{ "container behind a false loopback",
		"{\"AWS_CONTAINER_CREDENTIALS_FULL_URI\":\"http://127.evil.example/\"}", NULL, NULL, NULL,
		ERR_USAGE, "loopback" },
	{ "container on another address", "{\"AWS_CONTAINER_CREDENTIALS_FULL_URI\":\"http://10.1.2.3/c\"}",
		NULL, NULL, NULL, ERR_USAGE, "loopback" },
	{ "container's token with a line break",
		"{\"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI\":\"/"
		"c\",\"AWS_CONTAINER_AUTHORIZATION_TOKEN\":\"a\\r\\nb\"}",
		NULL, NULL, NULL, ERR_USAGE, "line break" },
	{ "SSO without a token", "{}",
		"[default]\nsso_session=s\nsso_account_id=1\nsso_role_name=r\n[sso-session s]\n"
		"sso_start_url=https://x\nsso_region=eu-west-1\n",
		NULL, NULL, ERR_UNAVAILABLE, "run `aws sso login --profile default`" },
	{ "session and profile disagree", "{}",
		"[default]\nsso_session=s\nsso_account_id=1\nsso_role_name=r\nsso_region=a\n[sso-session s]\n"
		"sso_start_url=https://x\nsso_region=eu-west-1\n",
		NULL, NULL, ERR_USAGE, "differs" },
};

static void sources_and_messages(void **state)
{
	(void)state;
	struct tally t = { .suite = "sources" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct world w;
		struct aws_creds got;
		struct err e = { 0 };
		world_open(&w, r->vars, r->config, NULL, 0);
		int rc = aws_provider_get(w.p, &got, &e);
		t.cases++;
		if (r->id ? rc < 0 || strcmp(got.id, r->id) != 0 || strcmp(got.source, r->source) != 0
			  : rc == 0)
			ROW_FAIL(&t, r->name, "%s", rc < 0 ? e.msg : got.source);
		else if (!r->id && (e.cls != r->cls || !strstr(e.msg, r->message)))
			ROW_FAIL(&t, r->name, "class %d: %s", e.cls, e.msg);
		if (strstr(e.msg, "hidden"))
			ROW_FAIL(&t, r->name, "a secret is in the message: %s", e.msg);
		aws_creds_release(&got);
		world_close(&w);
	}
	tally_end(&t);
}

/* ---- freshness ---- */

static void container(struct world *w, const struct line *v)
{
	world_open(w, "{\"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI\":\"/c\"}", NULL, v, 1);
}

static void windows_before_expiry(void **state)
{
	(void)state;
	static const struct line first[] = { { "GET", "/c", 200, CREDS("A", "2026-01-01T12:00:00Z") } };
	static const struct line second[] = { { "GET", "/c", 200, CREDS("B", "2026-01-01T18:00:00Z") } };
	static const struct line down[] = { { "GET", "/c", 403, "" } };
	struct world w;
	container(&w, first);
	at("2026-01-01T11:00:00Z");
	assert_string_equal(fetch_id(&w), "A");
	at("2026-01-01T11:44:59Z");
	assert_string_equal(fetch_id(&w), "A");
	assert_int_equal(w.script.calls, 1);

	w.script.v = down; /* advisory: a failure is no error, and is not repeated at once */
	at("2026-01-01T11:45:00Z");
	assert_string_equal(fetch_id(&w), "A");
	assert_int_equal(w.script.calls, 2);
	assert_string_equal(fetch_id(&w), "A");
	assert_int_equal(w.script.calls, 2);
	at("2026-01-01T11:46:00Z");
	assert_string_equal(fetch_id(&w), "A");
	assert_int_equal(w.script.calls, 3);

	at("2026-01-01T11:50:00Z"); /* mandatory */
	assert_string_equal(fetch_id(&w), "(container)");
	w.script.v = second;
	assert_string_equal(fetch_id(&w), "B");
	world_close(&w);
}

static void what_the_service_refuses_is_fetched_anew(void **state)
{
	(void)state;
	static const struct line first[] = { { "GET", "/c", 200, CREDS("A", "2026-01-01T12:00:00Z") } };
	static const struct line second[] = { { "GET", "/c", 200, CREDS("B", "2026-01-01T12:00:00Z") } };
	struct world w;
	container(&w, first);
	at("2026-01-01T10:00:00Z");
	assert_string_equal(fetch_id(&w), "A");
	w.script.v = second;
	aws_provider_expire(w.p, "another"); /* someone else has renewed in between */
	assert_string_equal(fetch_id(&w), "A");
	aws_provider_expire(w.p, "A");
	assert_string_equal(fetch_id(&w), "B");
	assert_int_equal(w.script.calls, 2);
	world_close(&w);
}

static void a_clock_that_is_off_is_no_storm(void **state)
{
	(void)state;
	static const struct line old[] = { { "GET", "/c", 200, CREDS("A", "2026-01-01T12:00:00Z") } };
	struct world w;
	container(&w, old);
	at("2027-01-01T00:00:00Z");
	assert_string_equal(fetch_id(&w), "A");
	assert_string_equal(fetch_id(&w), "A");
	assert_int_equal(w.script.calls, 1);
	at("2027-01-01T00:01:00Z");
	assert_string_equal(fetch_id(&w), "A");
	assert_int_equal(w.script.calls, 2);
	world_close(&w);
}

static void metadata_outage_is_ridden_out(void **state)
{
	(void)state;
	static const struct line up[] = { IMDS("A", "2026-01-01T12:00:00Z") };
	static const struct line down[] = { { "PUT", TOKEN_URL, 0, "timeout-connect" } };
	static const struct line stale[] = { IMDS("S", "2025-12-31T00:00:00Z") };
	struct world w;
	struct aws_creds got;
	struct err e = { 0 };
	world_open(&w, "{}", NULL, up, 3);
	at("2026-01-01T11:00:00Z");
	assert_string_equal(fetch_id(&w), "A");
	w.script.v = down;
	w.script.n = 1;
	at("2026-01-01T11:55:00Z");
	assert_string_equal(fetch_id(&w), "A");
	assert_int_equal(w.script.calls, 4);
	at("2026-01-01T11:56:59Z"); /* the next try is 2 to 10 minutes away */
	assert_string_equal(fetch_id(&w), "A");
	assert_int_equal(w.script.calls, 4);
	w.script.v = stale;
	w.script.n = 3;
	at("2026-01-01T13:00:00Z");
	assert_int_equal(aws_provider_get(w.p, &got, &e), 0);
	assert_string_equal(got.id, "S");
	assert_true(got.expires_s > clock_now_s() + 15 * 60);
	aws_creds_release(&got);
	world_close(&w);
}

struct crowd {
	struct world *w;
	pthread_barrier_t start;
	int good;
	pthread_mutex_t lock;
};

static void *one_of_many(void *arg)
{
	struct crowd *c = arg;
	struct aws_creds got;
	struct err e = { 0 };
	pthread_barrier_wait(&c->start);
	int rc = aws_provider_get(c->w->p, &got, &e);
	pthread_mutex_lock(&c->lock);
	c->good += rc == 0 && strcmp(got.id, "A") == 0;
	pthread_mutex_unlock(&c->lock);
	aws_creds_release(&got);
	return NULL;
}

static void run_crowd(struct world *w, int want_good)
{
	struct crowd c = { .w = w };
	pthread_t th[16];
	pthread_barrier_init(&c.start, NULL, 16);
	pthread_mutex_init(&c.lock, NULL);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(pthread_create(&th[i], NULL, one_of_many, &c), 0);
	for (size_t i = 0; i < 16; i++)
		pthread_join(th[i], NULL);
	assert_int_equal(c.good, want_good);
	pthread_barrier_destroy(&c.start);
	pthread_mutex_destroy(&c.lock);
}

static void one_refresh_for_all_threads(void **state)
{
	(void)state;
	static const struct line up[] = { { "GET", "/c", 200, CREDS("A", "2036-01-01T12:00:00Z") } };
	static const struct line down[] = { { "GET", "/c", 403, "" } };
	struct world w;
	container(&w, up);
	w.script.slow_ms = 50;
	run_crowd(&w, 16);
	assert_int_equal(w.script.calls, 1);
	world_close(&w);

	container(&w, down); /* its failure is theirs, too: nobody queues up to try again */
	w.script.slow_ms = 50;
	run_crowd(&w, 0);
	assert_in_range(w.script.calls, 1, 2);
	world_close(&w);
}

/* ---- instance metadata ---- */

static void version_one_behind_a_hop_limit(void **state)
{
	(void)state;
	static const struct line v1[] = { { "PUT", TOKEN_URL, 0, "timeout-first-byte" },
		{ "GET", ROLE_URL, 200, CREDS("V", "2036-01-01T12:00:00Z") },
		{ "GET", LIST_URL, 200, "app" } };
	struct world w;
	world_open(&w, "{}", NULL, v1, 3);
	assert_string_equal(fetch_id(&w), "V");
	world_close(&w);
	world_open(&w, "{\"AWS_EC2_METADATA_V1_DISABLED\":\"true\"}", NULL, v1, 3);
	assert_string_equal(fetch_id(&w), "(no-credentials)");
	assert_int_equal(w.script.calls, 1);
	world_close(&w);
}

static void nobody_there_is_asked_once(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, "{}", NULL, NULL, 0);
	assert_string_equal(fetch_id(&w), "(no-credentials)");
	assert_int_equal(w.script.calls, 1);
	world_close(&w);
}

static void a_role_name_is_no_path(void **state)
{
	(void)state;
	static const struct line v[] = { { "PUT", TOKEN_URL, 200, "T" },
		{ "GET", LIST_URL, 200, "../../x" } };
	struct world w;
	world_open(&w, "{}", NULL, v, 2);
	assert_string_equal(fetch_id(&w), "(no-credentials)");
	assert_int_equal(w.script.calls, 2);
	world_close(&w);
}

/* ---- over the real transport ---- */

static void real_transport(void **state)
{
	(void)state;
	struct http_client *http = http_client_new(&(struct http_conf){ .user_agent = "test" });
	cJSON *vars = cJSON_Parse(
		"{\"HOME\":\"/nowhere\",\"AWS_EC2_METADATA_SERVICE_ENDPOINT\":\"http://127.0.0.1:1\"}");
	struct aws_env env = { .get = env_of_json, .arg = vars };
	struct aws_config cfg;
	struct aws_creds got;
	struct err e = { 0 };
	char region[64];
	assert_int_equal(aws_config_load(&cfg, &env, NULL, &e), 0);
	struct aws_provider *p = aws_provider_new(&cfg, &env, http, NULL);
	assert_int_equal(aws_provider_get(p, &got, &e), -1);
	assert_string_equal(e.code, "no-credentials");
	assert_int_equal(aws_region(&cfg, &env, http, NULL, region, &e), -1);
	assert_string_equal(e.code, "no-region");
	assert_int_equal(aws_region(&cfg, &env, http, "eu-west-1", region, &e), 0);
	assert_string_equal(region, "eu-west-1");
	assert_int_equal(aws_region(&cfg, &env, http, "eu/west", region, &e), -1);
	cJSON_AddStringToObject(vars, "AWS_DEFAULT_REGION", "eu-west-2");
	assert_int_equal(aws_region(&cfg, &env, http, NULL, region, &e), 0);
	assert_string_equal(region, "eu-west-2");
	cJSON_AddStringToObject(vars, "AWS_REGION", "eu-west-3");
	assert_int_equal(aws_region(&cfg, &env, http, NULL, region, &e), 0);
	assert_string_equal(region, "eu-west-3");
	aws_provider_free(p);
	aws_config_release(&cfg);
	http_client_free(http);
	cJSON_Delete(vars);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_and_messages),
		cmocka_unit_test(windows_before_expiry),
		cmocka_unit_test(what_the_service_refuses_is_fetched_anew),
		cmocka_unit_test(a_clock_that_is_off_is_no_storm),
		cmocka_unit_test(metadata_outage_is_ridden_out),
		cmocka_unit_test(one_refresh_for_all_threads),
		cmocka_unit_test(version_one_behind_a_hop_limit),
		cmocka_unit_test(nobody_there_is_asked_once),
		cmocka_unit_test(a_role_name_is_no_path),
		cmocka_unit_test(real_transport),
	};
	return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
