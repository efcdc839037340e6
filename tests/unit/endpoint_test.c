/* endpoint_test.c - endpoint URLs by rule and by configuration, against the SDKs' own suites. */
#include "aws/endpoint.h"
#include "aws_vectors.h"

static bool flag(const cJSON *o, const char *key)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, key));
}

/* ---- the rule sets ---- */

static const char *first_arn(const cJSON *p)
{
	static const char *const keys[] = { "StreamARN", "ConsumerARN", "ResourceARN", "ResourceArn" };
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_of(p, keys[i]))
			return str_of(p, keys[i]);
	return NULL;
}

static enum aws_account_mode account_mode(const char *s)
{
	if (s && strcmp(s, "required") == 0)
		return AWS_ACCOUNT_REQUIRED;
	return s && strcmp(s, "preferred") == 0 ? AWS_ACCOUNT_PREFERRED : AWS_ACCOUNT_DISABLED;
}

/* The rule takes one ARN: a list counts when there is no single ARN of the service. */
static const char *arn_of(const cJSON *p)
{
	const char *arn = first_arn(p);
	const cJSON *list = cJSON_GetObjectItem(p, "ResourceArnList");
	if (list && (!arn || !strstr(arn, ":dynamodb:")))
		return cJSON_GetStringValue(cJSON_GetArrayItem(list, 0));
	return arn;
}

static const char *rule_aside(const cJSON *p)
{
	if (flag(p, "IsSearchOperation"))
		return "search operations of dynamodb are none of ours";
	if (str_of(p, "StreamId"))
		return "hosts by stream id are none of ours";
	return NULL;
}

static const char *signing_region(const cJSON *endpoint)
{
	const cJSON *props = cJSON_GetObjectItem(endpoint, "properties");
	return str_of(cJSON_GetArrayItem(cJSON_GetObjectItem(props, "authSchemes"), 0), "signingRegion");
}

static void rule_row(struct tally *t, enum aws_service s, const cJSON *test)
{
	const cJSON *in = cJSON_GetObjectItem(test, "params"), *expect = cJSON_GetObjectItem(test, "expect");
	const char *row = str_of(test, "documentation"), *want_error = str_of(expect, "error");
	struct aws_endpoint_params p = { .region = str_of(in, "Region"),
		.url = str_of(in, "Endpoint"),
		.fips = flag(in, "UseFIPS"),
		.dualstack = flag(in, "UseDualStack"),
		.sts_global = flag(in, "UseGlobalEndpoint"),
		.account_mode = account_mode(str_of(in, "AccountIdEndpointMode")),
		.account_id = str_of(in, "AccountId"),
		.arn = arn_of(in),
		.operation_type = str_of(in, "OperationType") };
	struct aws_endpoint out;
	struct err e = { 0 };
	int rc = aws_endpoint_rule(s, &p, &out, &e);
	if (want_error) {
		if (rc == 0 || !strstr(e.msg, want_error))
			ROW_FAIL(t, row, "wanted \"%s\", got \"%s\"", want_error, rc == 0 ? out.url : e.msg);
		return;
	}
	const cJSON *endpoint = cJSON_GetObjectItem(expect, "endpoint");
	const char *signs = signing_region(endpoint);
	if (rc < 0 || strcmp(out.url, str_of(endpoint, "url")) != 0)
		ROW_FAIL(t, row, "wanted %s, got %s", str_of(endpoint, "url"), rc < 0 ? e.msg : out.url);
	else if (signs && strcmp(out.signing_region, signs) != 0)
		ROW_FAIL(t, row, "signs for %s", out.signing_region);
}

static void endpoint_rules(void **state)
{
	(void)state;
	static const enum aws_service all[] = { AWS_KINESIS, AWS_DYNAMODB, AWS_BEDROCK_AGENT, AWS_FIREHOSE,
		AWS_STS };
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		char rel[200];
		struct tally t = { .suite = rel };
		snprintf(rel, sizeof rel, "botocore/endpoint-tests/%s.json", aws_service_info(all[i])->name);
		cJSON *file = vector_json(rel);
		const cJSON *test;
		cJSON_ArrayForEach(test, cJSON_GetObjectItem(file, "testCases"))
		{
			const char *why = rule_aside(cJSON_GetObjectItem(test, "params"));
			t.cases++;
			if (!why)
				rule_row(&t, all[i], test);
			else if (t.aside++ == 0)
				print_message("# %s: left aside: %s\n", t.suite, why);
		}
		cJSON_Delete(file);
		tally_end(&t);
	}
}

/* ---- configured URLs ---- */

static void add_section(struct buf *text, const char *keyword, const cJSON *section)
{
	const cJSON *p, *sub;
	buf_printf(text, "[%s %s]\n", keyword, section->string);
	cJSON_ArrayForEach(p, section)
	{
		if (cJSON_IsString(p))
			buf_printf(text, "%s = %s\n", p->string, p->valuestring);
		if (!cJSON_IsObject(p))
			continue;
		buf_printf(text, "%s =\n", p->string);
		cJSON_ArrayForEach(sub, p) buf_printf(text, "  %s = %s\n", sub->string, sub->valuestring);
	}
}

static int service_by_config_id(const char *id)
{
	for (int s = 0; s < AWS_SERVICE_COUNT; s++)
		if (strcmp(aws_service_info((enum aws_service)s)->config_id, id) == 0)
			return s;
	return -1;
}

static void configured_row(struct tally *t, const cJSON *suite, const char *config, const cJSON *test)
{
	const char *row = str_of(test, "name"),
		   *want = str_of(cJSON_GetObjectItem(test, "output"), "endpointUrl");
	const cJSON *client = cJSON_GetObjectItem(
		cJSON_GetObjectItem(suite, "client_configs"), str_of(test, "client_config"));
	cJSON *vars =
		cJSON_GetObjectItem(cJSON_GetObjectItem(suite, "environments"), str_of(test, "environment"));
	int service = service_by_config_id(str_of(test, "service"));
	if (service < 0) {
		set_aside(t, row, "a service that we do not call");
		return;
	}
	struct aws_env env = { .get = env_of_json, .arg = vars };
	struct aws_config c = { 0 };
	struct err e = { 0 };
	if (aws_config_parse(&c, config, strlen(config), false, &e) < 0)
		fail_msg("%s", e.msg);
	aws_config_choose(&c, &env, str_of(test, "profile"));
	struct aws_endpoint_params p = { .region = aws_config_get(&c, "region"),
		.url = str_of(client, "endpoint_url"),
		.ignore_configured = flag(client, "ignore_configured_endpoint_urls") };
	struct aws_endpoint out;
	if (aws_endpoint_resolve((enum aws_service)service, &c, &env, &p, &out, &e) < 0)
		ROW_FAIL(t, row, "refused: %s", e.msg);
	else if (strcmp(out.url, want) != 0)
		ROW_FAIL(t, row, "wanted %s, got %s", want, out.url);
	aws_config_release(&c);
}

static void configured_urls(void **state)
{
	(void)state;
	struct tally t = { .suite = "configured-endpoint-url-tests" };
	cJSON *file = vector_json("botocore/configured-endpoint-url-tests.json");
	const cJSON *suite, *x;
	cJSON_ArrayForEach(suite, cJSON_GetObjectItem(file, "testSuites"))
	{
		struct buf config = BUF_INIT(BUF_MAX_FILE);
		cJSON_ArrayForEach(x, cJSON_GetObjectItem(suite, "profiles"))
			add_section(&config, "profile", x);
		cJSON_ArrayForEach(x, cJSON_GetObjectItem(suite, "services"))
			add_section(&config, "services", x);
		cJSON_ArrayForEach(x, cJSON_GetObjectItem(suite, "endpointUrlTests"))
		{
			t.cases++;
			configured_row(&t, suite, config.p, x);
		}
		buf_release(&config);
	}
	cJSON_Delete(file);
	tally_end(&t);
}

/* ---- rows of our own ---- */

struct rule {
	const char *name;
	enum aws_service service;
	struct aws_endpoint_params p;
	const char *want, *signs; /* want NULL: refused with `error` */
	const char *error;
};

static const struct rule rules[] = {
	{ "s3", AWS_S3, { .region = "eu-west-1" }, "https://s3.eu-west-1.amazonaws.com", "eu-west-1", NULL },
	{ "s3 in the oldest region", AWS_S3, { .region = "us-east-1" }, "https://s3.us-east-1.amazonaws.com",
		"us-east-1", NULL },
	{ "s3 dual-stack", AWS_S3, { .region = "eu-west-1", .dualstack = true },
		"https://s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1", NULL },
	{ "s3 fips", AWS_S3, { .region = "us-gov-west-1", .fips = true },
		"https://s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", NULL },
	{ "s3 fips dual-stack", AWS_S3, { .region = "us-east-1", .fips = true, .dualstack = true },
		"https://s3-fips.dualstack.us-east-1.amazonaws.com", "us-east-1", NULL },
	{ "s3 in china", AWS_S3, { .region = "cn-north-1" }, "https://s3.cn-north-1.amazonaws.com.cn",
		"cn-north-1", NULL },
	{ "s3 global", AWS_S3, { .region = "aws-global" }, "https://s3.amazonaws.com", "us-east-1", NULL },
	{ "sso", AWS_SSO, { .region = "us-east-2" }, "https://portal.sso.us-east-2.amazonaws.com",
		"us-east-2", NULL },
	{ "oidc fips in govcloud", AWS_SSO_OIDC, { .region = "us-gov-west-1", .fips = true },
		"https://oidc.us-gov-west-1.amazonaws.com", "us-gov-west-1", NULL },
	{ "firehose fips in govcloud keeps -fips", AWS_FIREHOSE, { .region = "us-gov-west-1", .fips = true },
		"https://firehose-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", NULL },
	{ "european sovereign cloud", AWS_KINESIS, { .region = "eusc-de-east-1" },
		"https://kinesis.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", NULL },
	{ "an unknown region is one of aws", AWS_KINESIS, { .region = "fake-region-10" },
		"https://kinesis.fake-region-10.amazonaws.com", "fake-region-10", NULL },
	{ "a custom URL keeps its path", AWS_KINESIS,
		{ .region = "eu-west-1", .url = "http://[::1]:4567/a/b//" }, "http://[::1]:4567/a/b",
		"eu-west-1", NULL },
	{ "a custom URL without region", AWS_KINESIS, { .url = "http://localhost:4567" },
		"http://localhost:4567", "us-east-1", NULL },
	{ "a region is a host label", AWS_KINESIS, { .region = "eu.west" }, NULL, NULL, "host label" },
	{ "a region cannot end the host", AWS_KINESIS, { .region = "evil.example/" }, NULL, NULL,
		"host label" },
	{ "nor begin with a hyphen", AWS_KINESIS, { .region = "-a" }, NULL, NULL, "host label" },
	{ "a URL needs a scheme", AWS_KINESIS, { .region = "a", .url = "localhost:4567" }, NULL, NULL,
		"http://" },
	{ "a URL has no query", AWS_KINESIS, { .region = "a", .url = "http://h/?x" }, NULL, NULL,
		"not of the form" },
	{ "a URL has no user", AWS_KINESIS, { .region = "a", .url = "http://u:p@h" }, NULL, NULL,
		"takes no user name" },
	{ "no region", AWS_KINESIS, { 0 }, NULL, NULL, "--region" },
};

static void own_rules(void **state)
{
	(void)state;
	struct tally t = { .suite = "own rules" };
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct rule *r = &rules[i];
		struct aws_endpoint out;
		struct err e = { 0 };
		int rc = aws_endpoint_rule(r->service, &r->p, &out, &e);
		t.cases++;
		if (!r->want && (rc == 0 || e.cls != ERR_USAGE || !strstr(e.msg, r->error)))
			ROW_FAIL(&t, r->name, "got %s", rc == 0 ? out.url : e.msg);
		else if (r->want && (rc < 0 || strcmp(out.url, r->want) != 0 ||
					    strcmp(out.signing_region, r->signs) != 0))
			ROW_FAIL(&t, r->name, "got %s", rc < 0 ? e.msg : out.url);
		else if (r->want && out.custom != (r->p.url != NULL))
			ROW_FAIL(&t, r->name, "custom is %d", out.custom);
	}
	tally_end(&t);
}

static void a_long_url_is_refused(void **state)
{
	(void)state;
	char url[700] = "http://";
	memset(url + 7, 'a', sizeof url - 8);
	struct aws_endpoint_params p = { .region = "eu-west-1", .url = url };
	struct aws_endpoint out;
	struct err e = { 0 };
	assert_int_equal(aws_endpoint_rule(AWS_KINESIS, &p, &out, &e), -1);
	assert_non_null(strstr(e.msg, "too long"));
}

/* The switches of environment and profile; a missing services section is an error. */
static void switches(void **state)
{
	(void)state;
	const char *text = "[default]\nuse_fips_endpoint = TRUE\nservices = gone\n";
	struct aws_config c = { 0 };
	struct err e = { 0 };
	struct aws_endpoint out;
	struct aws_endpoint_params p = { .region = "eu-west-1" };
	cJSON *vars = cJSON_Parse("{\"AWS_ENDPOINT_URL\":\"\"}");
	struct aws_env env = { .get = env_of_json, .arg = vars };
	assert_int_equal(aws_config_parse(&c, text, strlen(text), false, &e), 0);
	aws_config_choose(&c, &env, NULL);
	assert_int_equal(aws_endpoint_resolve(AWS_KINESIS, &c, &env, &p, &out, &e), -1);
	assert_non_null(strstr(e.msg, "\"gone\""));

	cJSON_AddStringToObject(vars, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True");
	assert_int_equal(aws_endpoint_resolve(AWS_KINESIS, &c, &env, &p, &out, &e), 0);
	assert_string_equal(out.url, "https://kinesis-fips.eu-west-1.amazonaws.com");

	cJSON_AddStringToObject(vars, "AWS_USE_FIPS_ENDPOINT", "no");
	cJSON_AddStringToObject(vars, "AWS_USE_DUALSTACK_ENDPOINT", "true");
	assert_int_equal(aws_endpoint_resolve(AWS_KINESIS, &c, &env, &p, &out, &e), 0);
	assert_string_equal(out.url, "https://kinesis.eu-west-1.api.aws");

	cJSON_DeleteItemFromObject(vars, "AWS_USE_DUALSTACK_ENDPOINT");
	cJSON_AddStringToObject(vars, "AWS_STS_REGIONAL_ENDPOINTS", "legacy");
	assert_int_equal(aws_endpoint_resolve(AWS_STS, &c, &env, &p, &out, &e), 0);
	assert_string_equal(out.url, "https://sts.amazonaws.com");
	assert_string_equal(out.signing_region, "us-east-1");
	aws_config_release(&c);
	cJSON_Delete(vars);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_rules),
		cmocka_unit_test(configured_urls),
		cmocka_unit_test(own_rules),
		cmocka_unit_test(a_long_url_is_refused),
		cmocka_unit_test(switches),
	};
	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
