/* cred_vectors_test.c - credential sources against the SDKs' own suites: resolved chains, canned traffic. */
#include "cred_replay.h"
#include "base/clock.h"

static const cJSON *rows_of(const cJSON *file)
{
	return cJSON_IsArray(file) ? file : cJSON_GetObjectItem(file, "tests");
}

/* ---- chains without I/O ---- */

static void add_sections(struct buf *text, const char *keyword, const cJSON *sections)
{
	const cJSON *s, *p;
	cJSON_ArrayForEach(s, sections)
	{
		buf_printf(text, "[%s %s]\n", keyword, s->string);
		cJSON_ArrayForEach(p, s) buf_printf(text, "%s = %s\n", p->string, p->valuestring);
	}
}

static const struct {
	enum cred_kind kind;
	const char *name;
} kind_names[] = { { CRED_STATIC, "AccessKey" }, { CRED_ROLE, "AssumeRole" },
	{ CRED_WEB_IDENTITY, "WebIdentityToken" }, { CRED_SSO, "Sso" }, { CRED_PROCESS, "CredentialProcess" },
	{ CRED_ENVIRONMENT, "NamedSource" }, { CRED_CONTAINER, "NamedSource" },
	{ CRED_IMDS, "NamedSource" } };

static const char *step_value(const struct cred_step *st, const char *key)
{
	const struct {
		const char *key, *value;
	} all[] = { { "access_key_id", st->id }, { "secret_access_key", st->secret },
		{ "session_token", st->token }, { "account_id", st->account }, { "role_arn", st->role_arn },
		{ "role_session_name", st->session_name }, { "external_id", st->external_id },
		{ "web_identity_token_file", st->token_file }, { "command", st->command },
		{ "sso_session", st->sso_session }, { "sso_region", st->sso_region },
		{ "sso_start_url", st->sso_start_url }, { "sso_account_id", st->sso_account },
		{ "sso_role_name", st->sso_role } };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(all[i].key, key) == 0)
			return all[i].value;
	return NULL;
}

static bool same_source(enum cred_kind kind, const char *name)
{
	static const char *const names[] = { [CRED_ENVIRONMENT] = "Environment",
		[CRED_CONTAINER] = "EcsContainer",
		[CRED_IMDS] = "Ec2InstanceMetadata" };
	return kind <= CRED_IMDS && names[kind] && strcmp(names[kind], name) == 0;
}

static bool same_step(const struct cred_step *st, const cJSON *want)
{
	const cJSON *f, *body = want->child;
	bool named = false;
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
		named |= kind_names[i].kind == st->kind && strcmp(kind_names[i].name, body->string) == 0;
	if (!named)
		return false;
	if (cJSON_IsString(body))
		return st->kind == CRED_PROCESS ? strcmp(st->command, body->valuestring) == 0
						: same_source(st->kind, body->valuestring);
	cJSON_ArrayForEach(f, body)
	{
		const char *got = step_value(st, f->string);
		if (cJSON_IsString(f) && (!got || strcmp(got, f->valuestring) != 0))
			return false;
	}
	return true;
}

static void chain_row(struct tally *t, const cJSON *test)
{
	const cJSON *in = cJSON_GetObjectItem(test, "input"), *out = cJSON_GetObjectItem(test, "output");
	const cJSON *want = cJSON_GetObjectItem(out, "ProfileChain"), *step;
	const char *row = str_of(test, "docs"), *error = str_of(out, "Error");
	struct buf text = BUF_INIT(BUF_MAX_FILE);
	struct aws_config c = { 0 };
	struct cred_chain chain;
	struct err e = { 0 };
	add_sections(&text, "profile", cJSON_GetObjectItem(in, "profiles"));
	add_sections(&text, "sso-session", cJSON_GetObjectItem(in, "sso_sessions"));
	if (aws_config_parse(&c, text.p ? text.p : "", text.len, false, &e) < 0)
		fail_msg("%s: %s", row, e.msg);
	int rc = cred_chain_resolve(&c, str_of(in, "selected_profile"), &chain, &e);
	if (error && (rc > 0 || !strstr(e.msg, error)))
		ROW_FAIL(t, row, "wanted \"%s\", got \"%s\"", error, rc > 0 ? "(a chain)" : e.msg);
	if (!error && (rc <= 0 || chain.n != (size_t)cJSON_GetArraySize(want)))
		ROW_FAIL(t, row, "rc %d, %zu steps: %s", rc, chain.n, e.msg);
	for (size_t i = 0; !error && rc > 0 && (step = cJSON_GetArrayItem(want, (int)i)) && i < chain.n; i++)
		if (!same_step(&chain.v[i], step))
			ROW_FAIL(t, row, "step %zu is of kind %d", i, chain.v[i].kind);
	aws_config_release(&c);
	buf_release(&text);
}

static void assume_role_chains(void **state)
{
	(void)state;
	struct tally t = { .suite = "assume-role-tests" };
	cJSON *file = vector_json("smithy-rs/assume-role-tests.json");
	const cJSON *test;
	cJSON_ArrayForEach(test, rows_of(file))
	{
		t.cases++;
		chain_row(&t, test);
	}
	cJSON_Delete(file);
	tally_end(&t);
}

/* ---- the provider on a canned environment ---- */

/* The set's SDK gives credential_process to a shell, recagent does not: here the shell is asked for. */
static void through_a_shell(struct aws_config *c)
{
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < c->v[i].n; k++) {
			struct aws_property *p = &c->v[i].v[k];
			if (strcmp(p->key, "credential_process") != 0)
				continue;
			struct buf cmd = BUF_INIT(BUF_MAX_SMALL);
			buf_printf(&cmd, "/bin/sh -c '%s'", p->raw);
			assert_null(strchr(p->raw, '\''));
			free(p->raw);
			p->raw = buf_take(&cmd);
		}
}

static bool contains(const char *msg, const char *want)
{
	/* "XException: text" of a shape is "X: text" of the code on the wire; errno's number is Rust's. */
	char cut[512];
	size_t n = 0;
	for (const char *p = want; *p && n + 1 < sizeof cut;) {
		if (strncmp(p, "Exception:", 10) == 0)
			p += 9;
		else if (strncmp(p, " (os error", 10) == 0)
			break;
		else
			cut[n++] = *p++;
	}
	cut[n] = '\0';
	return strstr(msg, cut) != NULL;
}

/* The same trouble, be it in other words: those are printed. */
static void compare_error(struct tally *t, const char *row, const char *want, const struct err *e)
{
	bool none = strstr(want, "provider was not enabled") != NULL;
	if (none && strcmp(e->code, "no-credentials") != 0)
		ROW_FAIL(t, row, "wanted \"%s\", got %s: %s", want, e->code, e->msg);
	else if (!none && !contains(e->msg, want))
		print_message(
			"# %s: %s: says \"%s\" where the set says \"%s\"\n", t->suite, row, e->msg, want);
}

static bool same_text(const char *got, const char *want)
{
	return got && want ? strcmp(got, want) == 0 : got == want;
}

static void compare_creds(struct tally *t, const char *row, const struct aws_creds *got, const cJSON *want)
{
	double expiry = cJSON_GetNumberValue(cJSON_GetObjectItem(want, "expiry"));
	if (!same_text(got->id, str_of(want, "access_key_id")) ||
		!same_text(got->secret, str_of(want, "secret_access_key")) ||
		!same_text(got->token, str_of(want, "session_token")) ||
		!same_text(got->account, str_of(want, "account_id")))
		ROW_FAIL(t, row, "got %s of %s, account %s", got->id, got->source,
			got->account ? got->account : "(none)");
	if (cJSON_HasObjectItem(want, "expiry") ? (double)got->expires_s != expiry : got->expires_s != 0)
		ROW_FAIL(t, row, "expires %lld", (long long)got->expires_s);
}

static void freeze_before(const cJSON *ok)
{
	char now[TIME_TEXT];
	unsetenv("RECAGENT_NOW");
	if (!cJSON_HasObjectItem(ok, "expiry"))
		return;
	time_format_s((int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(ok, "expiry")) - 3600, now);
	setenv("RECAGENT_NOW", now, 1);
}

struct folder { /* one case: env.json, fs/, http-traffic.json, test-case.json */
	cJSON *vars, *traffic, *test;
	char root[1024];
	struct aws_env env;
};

static void folder_open(struct folder *f, const char *set, const char *name)
{
	char rel[400];
	snprintf(rel, sizeof rel, "smithy-rs/%s/%s/env.json", set, name);
	f->vars = vector_json(rel);
	snprintf(rel, sizeof rel, "smithy-rs/%s/%s/http-traffic.json", set, name);
	f->traffic = vector_json(rel);
	snprintf(rel, sizeof rel, "smithy-rs/%s/%s/test-case.json", set, name);
	f->test = vector_json(rel);
	snprintf(rel, sizeof rel, "smithy-rs/%s/%s/fs", set, name);
	vector_path(f->root, rel);
	f->env = (struct aws_env){ .get = env_of_json, .arg = f->vars, .root = f->root };
}

static void folder_close(struct folder *f)
{
	cJSON_Delete(f->vars);
	cJSON_Delete(f->traffic);
	cJSON_Delete(f->test);
}

static void provider_row(struct tally *t, const char *set, const char *name, bool profile_only)
{
	struct folder f;
	folder_open(&f, set, name);
	const cJSON *result = cJSON_GetObjectItem(f.test, "result"), *ok = cJSON_GetObjectItem(result, "Ok");
	struct replay r = { t, name, cJSON_GetArrayItem(cJSON_GetObjectItem(f.traffic, "events"), 0) };
	struct cred_io io = { replay_http, &r };
	struct aws_config c;
	struct aws_creds got = { 0 };
	struct err e = { 0 };
	freeze_before(ok);
	int rc = aws_config_load(&c, &f.env, NULL, &e);
	if (rc == 0) {
		through_a_shell(&c);
		c.profile_explicit |= profile_only;
		struct aws_provider *p = aws_provider_new_io(&c, &f.env, &io, NULL);
		rc = aws_provider_get(p, &got, &e);
		aws_provider_free(p);
		aws_config_release(&c);
	}
	if (ok && rc < 0)
		ROW_FAIL(t, name, "%s: %s", e.code, e.msg);
	else if (ok)
		compare_creds(t, name, &got, ok);
	else if (rc == 0)
		ROW_FAIL(t, name, "got %s of %s", got.id, got.source);
	else
		compare_error(t, name, str_of(result, "ErrorContains"), &e);
	for (; ok && r.event; r.event = r.event->next)
		if (action(r.event, "Request"))
			ROW_FAIL(t, name, "a request was not made");
	aws_creds_release(&got);
	folder_close(&f);
	unsetenv("RECAGENT_NOW");
}

static void provider_set(const char *set, bool profile_only)
{
	struct tally t = { .suite = set };
	char **names, rel[200];
	snprintf(rel, sizeof rel, "smithy-rs/%s", set);
	size_t n = vector_list(rel, &names);
	for (size_t i = 0; i < n; i++) {
		t.cases++;
		provider_row(&t, set, names[i], profile_only);
	}
	free_list(names, n);
	tally_end(&t);
}

static void default_chain(void **state)
{
	(void)state;
	provider_set("default-credential-provider-chain", false);
}

static void profile_provider(void **state)
{
	(void)state;
	provider_set("profile-provider", true);
}

/* Bearer tokens as such are nothing for recagent; the token that SSO credentials are fetched with is. */
static void token_row(struct tally *t, const char *name)
{
	struct folder f;
	folder_open(&f, "default-token-provider-chain", name);
	const cJSON *ok = cJSON_GetObjectItem(cJSON_GetObjectItem(f.test, "result"), "Ok");
	struct replay r = { t, name, cJSON_GetArrayItem(cJSON_GetObjectItem(f.traffic, "events"), 0) };
	struct cred_ctx ctx = { .env = &f.env, .io = { replay_http, &r }, .region = "us-east-1" };
	struct aws_config c;
	struct cred_chain chain;
	struct buf token = BUF_INIT(BUF_MAX_SMALL);
	struct err e = { 0 };
	int64_t expires = 0, want = 0;
	int rc = aws_config_load(&c, &f.env, NULL, &e);
	bool loaded = rc == 0;
	ctx.cfg = &c;
	if (loaded && (cred_chain_resolve(&c, c.profile, &chain, &e) <= 0 || chain.v[0].kind != CRED_SSO))
		rc = -1;
	if (rc == 0)
		rc = cred_sso_token(&ctx, &chain.v[0], &token, &expires, &e);
	if (!ok && rc == 0)
		ROW_FAIL(t, name, "got a token");
	if (ok && (rc < 0 || !same_text(token.p, str_of(ok, "token")) ||
			  !cred_time(str_of(ok, "expiration"), &want) || want != expires))
		ROW_FAIL(t, name, "%s", rc < 0 ? e.msg : "another token");
	if (loaded)
		aws_config_release(&c);
	buf_release(&token);
	folder_close(&f);
}

static void token_chain(void **state)
{
	(void)state;
	struct tally t = { .suite = "default-token-provider-chain" };
	char **names;
	size_t n = vector_list("smithy-rs/default-token-provider-chain", &names);
	for (size_t i = 0; i < n; i++) {
		t.cases++;
		token_row(&t, names[i]);
	}
	free_list(names, n);
	tally_end(&t);
}

/* ---- URLs of the metadata services ---- */

static void url_result(struct tally *t, const cJSON *test, int rc, const struct buf *url, const struct err *e)
{
	const cJSON *result = cJSON_GetObjectItem(test, "result");
	const char *row = str_of(test, "docs"), *ok = str_of(result, "Ok");
	const char *error =
		str_of(result, "ErrorContains") ? str_of(result, "ErrorContains") : str_of(result, "Err");
	if (ok && (rc < 0 || strcmp(url->p, ok) != 0))
		ROW_FAIL(t, row, "wanted %s, got %s", ok, rc < 0 ? e->msg : url->p);
	else if (!ok && rc == 0)
		ROW_FAIL(t, row, "wanted \"%s\", got %s", error, url->p);
	else if (!ok && !contains(e->msg, error))
		print_message(
			"# %s: %s: says \"%s\" where the set says \"%s\"\n", t->suite, row, e->msg, error);
}

static void container_urls(void **state)
{
	(void)state;
	struct tally t = { .suite = "ecs-tests" };
	cJSON *file = vector_json("smithy-rs/ecs-tests.json");
	const cJSON *test;
	cJSON_ArrayForEach(test, rows_of(file))
	{
		struct aws_env env = { .get = env_of_json, .arg = cJSON_GetObjectItem(test, "env") };
		struct buf url = BUF_INIT(BUF_MAX_SMALL);
		struct err e = { 0 };
		int rc = aws_container_url(&env, &url, &e);
		t.cases++;
		url_result(&t, test, rc, &url, &e);
		buf_release(&url);
	}
	cJSON_Delete(file);
	tally_end(&t);
}

static void imds_row(struct tally *t, const cJSON *test)
{
	char root[64];
	cJSON *vars = cJSON_GetObjectItem(test, "env");
	const char *endpoint = str_of(test, "endpoint_override"), *mode = str_of(test, "mode_override");
	struct aws_env env = { .get = env_of_json, .arg = vars, .root = root };
	struct buf url = BUF_INIT(BUF_MAX_SMALL);
	struct err e = { 0 };
	struct aws_config c;
	const cJSON *f;
	make_root(root);
	cJSON_ArrayForEach(f, cJSON_GetObjectItem(test, "fs")) root_file(root, f->string, f->valuestring);
	/* An override in code is none of ours; the variable is the nearest that goes before the file. */
	if (endpoint)
		cJSON_AddStringToObject(vars, "AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint);
	if (mode)
		cJSON_AddStringToObject(vars, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", mode);
	assert_int_equal(aws_config_load(&c, &env, NULL, &e), 0);
	int rc = aws_imds_endpoint(&c, &env, &url, &e);
	buf_str(&url, "/latest/api/token");
	url_result(t, test, rc, &url, &e);
	aws_config_release(&c);
	buf_release(&url);
	drop_root(root);
}

static void imds_endpoints(void **state)
{
	(void)state;
	struct tally t = { .suite = "imds-endpoint-tests" };
	cJSON *file = vector_json("smithy-rs/imds-endpoint-tests.json");
	const cJSON *test;
	cJSON_ArrayForEach(test, rows_of(file))
	{
		t.cases++;
		imds_row(&t, test);
	}
	cJSON_Delete(file);
	tally_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assume_role_chains),
		cmocka_unit_test(default_chain),
		cmocka_unit_test(profile_provider),
		cmocka_unit_test(token_chain),
		cmocka_unit_test(container_urls),
		cmocka_unit_test(imds_endpoints),
	};
	return cmocka_run_group_tests_name("cred_vectors", tests, NULL, NULL);
}
