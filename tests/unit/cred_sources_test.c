/* cred_sources_test.c - STS, SSO and credential_process: what is asked, what is made of the answer. */
#include "cred_world.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* ---- STS ---- */

#define STS_OK                                                                                               \
	"<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-"     \
	"role/r/s</Arn>"                                                                                     \
	"</AssumedRoleUser><Credentials><AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>" \
	"<SessionToken>t</SessionToken><Expiration>2036-01-01T00:00:00Z</Expiration></Credentials>"          \
	"</AssumeRoleResult></AssumeRoleResponse>"
#define STS_NO                                                                                               \
	"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not "                    \
	"you</Message></Error>"                                                                              \
	"</ErrorResponse>"

static const char role_config[] =
	"[default]\nregion=eu-west-1\nrole_arn=arn:aws:iam::123456789012:role/r\nsource_profile=b\n"
	"role_session_name=me@host\nexternal_id=a b&c\nduration_seconds=900\n"
	"[profile b]\naws_access_key_id=BASE\naws_secret_access_key=hidden\n";

static void assume_role_request(void **state)
{
	(void)state;
	static const struct line v[] = { { "POST", "https://sts.eu-west-1.amazonaws.com/", 200, STS_OK } };
	struct world w;
	struct aws_creds got;
	struct err e = { 0 };
	world_open(&w, "{}", role_config, v, 1);
	assert_int_equal(aws_provider_get(w.p, &got, &e), 0);
	assert_string_equal(got.id, "ROLE");
	assert_string_equal(got.account, "123456789012");
	assert_string_equal(got.source, "assume-role");
	assert_string_equal(w.script.last,
		"POST https://sts.eu-west-1.amazonaws.com/ Action=AssumeRole&Version=2011-06-15"
		"&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr&RoleSessionName=me%40host"
		"&DurationSeconds=900&ExternalId=a%20b%26c");
	assert_non_null(strstr(w.script.auth, "Credential=BASE/"));
	assert_non_null(strstr(w.script.auth, "/eu-west-1/sts/aws4_request"));
	aws_creds_release(&got);
	world_close(&w);
}

static void sts_says_no(void **state)
{
	(void)state;
	static const struct line v[] = { { "POST", "/", 403, STS_NO } };
	struct world w;
	struct aws_creds got;
	struct err e = { 0 };
	world_open(&w, "{}", role_config, v, 1);
	assert_int_equal(aws_provider_get(w.p, &got, &e), -1);
	assert_int_equal(e.cls, ERR_UNAVAILABLE);
	assert_int_equal(e.http, 403);
	assert_string_equal(e.code, "AccessDenied");
	assert_non_null(strstr(e.msg, "AccessDenied: not you"));
	assert_int_equal(w.script.calls, 1);
	world_close(&w);
}

static void web_identity_reads_its_file_each_time(void **state)
{
	(void)state;
	static const struct line v[] = { { "POST", "https://sts.amazonaws.com/", 200, STS_OK } };
	struct world w;
	world_open(&w, "{\"AWS_WEB_IDENTITY_TOKEN_FILE\":\"/t\",\"AWS_ROLE_ARN\":\"arn:r\"}", NULL, v, 1);
	root_file(w.root, "t", "one\n");
	assert_string_equal(fetch_id(&w), "ROLE");
	assert_non_null(strstr(w.script.last, "&WebIdentityToken=one"));
	assert_string_equal(w.script.auth, "");
	root_file(w.root, "t", "two\n");
	aws_provider_expire(w.p, "ROLE");
	assert_string_equal(fetch_id(&w), "ROLE");
	assert_non_null(strstr(w.script.last, "&WebIdentityToken=two"));
	world_close(&w);
}

/* ---- SSO ---- */

static const char sso_config[] = "[default]\nsso_session=s\nsso_account_id=123456789012\nsso_role_name=r x\n"
				 "[sso-session s]\nsso_start_url=https://x\nsso_region=eu-west-1\n";
#define SSO_FILE "home/.aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json" /* of "s" */
#define SSO_OK                                                                                               \
	"{\"roleCredentials\":{\"accessKeyId\":\"SSO\",\"secretAccessKey\":\"s\",\"sessionToken\":\"t\","    \
	"\"expiration\":1767286800000}}"

static void sso_token_is_renewed(void **state)
{
	(void)state;
	static const struct line v[] = {
		{ "POST", "https://oidc.eu-west-1.amazonaws.com/token", 200,
			"{\"accessToken\":\"new\",\"expiresIn\":3600,\"refreshToken\":\"next\"}" },
		{ "GET",
			"https://portal.sso.eu-west-1.amazonaws.com/federation/credentials?role_name=r%20x&"
			"account_id=123456789012",
			200, SSO_OK }
	};
	struct world w;
	char path[200];
	size_t n;
	world_open(&w, "{}", sso_config, v, 2);
	root_file(w.root, SSO_FILE,
		"{\"startUrl\":\"https://"
		"x\",\"accessToken\":\"old\",\"expiresAt\":\"2026-01-01T12:10:00UTC\","
		"\"refreshToken\":\"r\",\"clientId\":\"c\",\"clientSecret\":\"d\","
		"\"registrationExpiresAt\":\"2026-03-01T00:00:00Z\"}");
	at("2026-01-01T12:00:00Z");
	assert_string_equal(fetch_id(&w), "SSO");
	assert_int_equal(w.script.calls, 2);
	snprintf(path, sizeof path, "%s/%s", w.root, SSO_FILE);
	char *text = read_path(path, &n);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_non_null(strstr(text, "\"startUrl\":\"https://x\""));
	assert_non_null(strstr(text, "\"accessToken\":\"new\""));
	assert_non_null(strstr(text, "\"expiresAt\":\"2026-01-01T13:00:00Z\""));
	assert_non_null(strstr(text, "\"refreshToken\":\"next\""));
	free(text);
	world_close(&w);
}

static void sso_renewal_may_fail_while_the_token_is_good(void **state)
{
	(void)state;
	static const struct line v[] = { { "POST", "/token", 400, "{\"error\":\"invalid_grant\"}" },
		{ "GET", "/federation/credentials", 200, SSO_OK } };
	struct world w;
	struct aws_creds got;
	struct err e = { 0 };
	world_open(&w, "{}", sso_config, v, 2);
	root_file(w.root, SSO_FILE,
		"{\"accessToken\":\"old\",\"expiresAt\":\"2026-01-01T12:10:00Z\",\"refreshToken\":\"r\","
		"\"clientId\":\"c\",\"clientSecret\":\"d\",\"registrationExpiresAt\":\"2026-03-01T00:00:"
		"00Z\"}");
	at("2026-01-01T12:00:00Z");
	assert_string_equal(fetch_id(&w), "SSO");
	at("2026-01-01T12:20:00Z");
	aws_provider_expire(w.p, "SSO");
	assert_int_equal(aws_provider_get(w.p, &got, &e), -1);
	assert_string_equal(e.code, "sso-login");
	assert_non_null(strstr(e.msg, "invalid_grant: run `aws sso login --profile default`"));
	world_close(&w);
}

/* ---- credential_process ---- */

struct process {
	const char *name, *command;
	const char *id;      /* NULL: refused */
	const char *message; /* a part of it */
};

static const struct process processes[] = {
	{ "plain", "printf '{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"hidden\"}'", "P",
		NULL },
	{ "words with blanks and quotes",
		"printf "
		"\"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"%s\\\",\\\"SecretAccessKey\\\":\\\"hidden\\\"}"
		"\" a\\ b",
		"a b", NULL },
	{ "no shell", "echo {} | cat", NULL, "no JSON" },
	{ "version 2", "printf '{\"Version\":2,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"hidden\"}'", NULL,
		"Version is not 1" },
	{ "no version", "printf '{\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"hidden\"}'", NULL,
		"Version is not 1" },
	{ "no secret", "printf '{\"Version\":1,\"AccessKeyId\":\"P\"}'", NULL, "no SecretAccessKey" },
	{ "a bad time",
		"printf "
		"'{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"hidden\",\"Expiration\":"
		"\"soon\"}'",
		NULL, "Expiration" },
	{ "exit status and the last line of its complaint", "sh -c 'echo one >&2; echo two >&2; exit 3'",
		NULL, "exit status: 3: two" },
	{ "ended by a signal", "sh -c 'kill -9 $$'", NULL, "signal 9" },
	{ "not there", "/nowhere/tool", NULL, "cannot run `/nowhere/tool`" },
	{ "an open quote", "tool 'x", NULL, "quote is not closed" },
	{ "too slow", "sleep 30", NULL, "no answer within" },
	{ "too slow with a child that holds the pipe", "sh -c 'sleep 1 & sleep 30'", NULL,
		"no answer within" },
	{ "too much", "sh -c 'yes | head -c 300000'", NULL, "no JSON" },
};

static void programs(void **state)
{
	(void)state;
	struct tally t = { .suite = "credential_process" };
	for (size_t i = 0; i < ARRAY_LEN(processes); i++) {
		const struct process *r = &processes[i];
		struct cred_step st = { .kind = CRED_PROCESS, .profile = "p", .command = r->command };
		struct aws_creds got = { 0 };
		struct err e = { 0 };
		int64_t limit = strncmp(r->name, "too slow", 8) == 0 ? 200 : 10000;
		int rc = cred_process(&st, limit, NULL, &got, &e);
		t.cases++;
		if (r->id ? rc <= 0 || strcmp(got.id, r->id) != 0 : rc > 0 || !strstr(e.msg, r->message))
			ROW_FAIL(&t, r->name, "rc %d: %s", rc, rc > 0 ? got.id : e.msg);
		if (strstr(e.msg, "hidden"))
			ROW_FAIL(&t, r->name, "a secret is in the message");
		aws_creds_release(&got);
	}
	tally_end(&t);
}

static void *call_off(void *arg)
{
	poll(NULL, 0, 150);
	atomic_fetch_add((atomic_uint *)arg, 1);
	return NULL;
}

static void a_program_that_hangs_is_called_off(void **state)
{
	(void)state;
	atomic_uint cancels = 7;
	struct cred_step st = { .kind = CRED_PROCESS, .profile = "p", .command = "sleep 600" };
	struct aws_creds got = { 0 };
	struct err e = { 0 };
	pthread_t t;
	int64_t began = clock_mono_ms();
	assert_int_equal(pthread_create(&t, NULL, call_off, &cancels), 0);
	assert_int_equal(cred_process(&st, 60000, &cancels, &got, &e), -1);
	pthread_join(t, NULL);
	assert_true(clock_mono_ms() - began < 20000);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* killed and waited for */
	aws_creds_release(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assume_role_request),
		cmocka_unit_test(sts_says_no),
		cmocka_unit_test(web_identity_reads_its_file_each_time),
		cmocka_unit_test(sso_token_is_renewed),
		cmocka_unit_test(sso_renewal_may_fail_while_the_token_is_good),
		cmocka_unit_test(programs),
		cmocka_unit_test(a_program_that_hangs_is_called_off),
	};
	return cmocka_run_group_tests_name("cred_sources", tests, NULL, NULL);
}
