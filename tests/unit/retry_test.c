/* retry_test.c - the standard retry mode: lists, delays, quota; the SDK's own tables where there are some. */
#include "aws_vectors.h"

#include "aws/retry.h"

#include <math.h>

static double member(const cJSON *o, const char *key, double fallback)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsNumber(n) ? n->valuedouble : fallback;
}

static bool near_to(double a, double b)
{
	return fabs(a - b) < 1e-6;
}

static void try_classify(struct tally *t, const char *row, const cJSON *o)
{
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(o, "error");
	const char *class = str_of(o, "class");
	int status = (int)member(o, "status", 0);
	bool want = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "is_in_class")), got;

	if (!class || (strcmp(class, "throttling") != 0 && strcmp(class, "transient") != 0)) {
		ROW_FAIL(t, row, "unknown class");
		return;
	}
	if (cJSON_IsObject(error))
		status = 0; /* an I/O error: no answer came */
	got = !strcmp(class, "throttling") ? retry_is_throttling(status, cJSON_GetStringValue(error))
					   : retry_is_transient(status, cJSON_GetStringValue(error));
	if (got != want)
		ROW_FAIL(t, row, "%s: got %d", class, got);
}

/* Walk one call to its `attempt`-th failure with random() = 1; returns the delay granted after it in
 * seconds. */
static double walk_to(const cJSON *o, struct retry_quota *q, struct retry_call *c, const char *after)
{
	const char *service = str_of(o, "service");
	int attempt = (int)member(o, "attempt", 1);
	struct retry_policy p =
		retry_policy(service && !strcmp(service, "dynamodb"), (int)member(o, "max_attempts", 1000));
	double ms = -1;

	if (cJSON_GetObjectItemCaseSensitive(o, "base_s"))
		p.base_ms = member(o, "base_s", 0) * 1000;
	for (int i = 0; i < attempt; i++)
		ms = retry_failed(q, &p, c, retry_classify((int)member(o, "status", 500), str_of(o, "error")),
			1.0, i == attempt - 1 ? after : NULL);
	return ms < 0 ? ms : ms / 1000;
}

static void try_backoff(struct tally *t, const char *row, const cJSON *o)
{
	const char *mode = str_of(o, "mode");
	struct retry_quota q = { RETRY_QUOTA };
	struct retry_call c = { 0 };
	double got;

	if (!mode || !strstr(mode, "2026")) {
		/* Older rules differ by their base alone; the figures of a row hold for it. */
		double base = member(o, "base_s", 1);
		got = retry_backoff_ms(base * 1000, (int)member(o, "attempt", 1), 1.0) / 1000;
	} else {
		got = walk_to(o, &q, &c, NULL);
	}
	if (!near_to(got, member(o, "delay_s", -1)))
		ROW_FAIL(t, row, "delay %g s, want %g", got, member(o, "delay_s", -1));
	if (q.tokens != (int)member(o, "quota_after", q.tokens))
		ROW_FAIL(t, row, "quota %d", q.tokens);
}

static void try_retry_after(struct tally *t, const char *row, const cJSON *o)
{
	struct retry_quota q = { RETRY_QUOTA };
	struct retry_call c = { 0 };
	double got = walk_to(o, &q, &c, str_of(o, "value"));

	if (!near_to(got, member(o, "delay_s", -1)))
		ROW_FAIL(t, row, "delay %g s, want %g", got, member(o, "delay_s", -1));
	if (q.tokens != (int)member(o, "quota_after_failure", q.tokens))
		ROW_FAIL(t, row, "quota %d after the failure", q.tokens);
	retry_succeeded(&q, &c);
	if (q.tokens != (int)member(o, "quota_after_success", q.tokens))
		ROW_FAIL(t, row, "quota %d after success", q.tokens);
}

static void try_max_attempts(struct tally *t, const char *row, const cJSON *o)
{
	struct retry_policy p = retry_policy(false, (int)member(o, "max_attempts", 0));
	struct retry_quota q = { RETRY_QUOTA };
	struct retry_call c = { .attempts = (int)member(o, "attempt", 1) - 1 };
	bool got = retry_failed(&q, &p, &c, RETRY_TRANSIENT, 0.5, NULL) >= 0;

	if (got != (bool)cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "may_retry")))
		ROW_FAIL(t, row, "may retry: %d", got);
}

static void sdk_tables(void **state)
{
	cJSON *all = vector_json("botocore/retry-cases.json"), *o;
	struct tally t = { .suite = "retry-cases" };
	int no = 0;

	(void)state;
	cJSON_ArrayForEach(o, all)
	{
		const char *kind = str_of(o, "kind");
		char row[64];
		snprintf(row, sizeof row, "case %d (%s)", no++, kind ? kind : "?");
		t.cases++;
		if (kind && !strcmp(kind, "classify"))
			try_classify(&t, row, o);
		else if (kind && !strcmp(kind, "backoff"))
			try_backoff(&t, row, o);
		else if (kind && !strcmp(kind, "retry-after"))
			try_retry_after(&t, row, o);
		else if (kind && !strcmp(kind, "max-attempts"))
			try_max_attempts(&t, row, o);
		else
			set_aside(&t, row, "unknown kind");
	}
	cJSON_Delete(all);
	tally_end(&t);
}

/* What the SDKs' tables leave open, by row. */
static void kinds(void **state)
{
	static const struct {
		const char *name;
		int status;
		const char *code;
		enum retry_kind want;
	} rows[] = {
		{ "no answer came", 0, NULL, RETRY_TRANSIENT },
		{ "plain refusal", 400, "ValidationException", RETRY_NO },
		{ "access denied", 403, "AccessDeniedException", RETRY_NO },
		{ "condition", 400, "ConditionalCheckFailedException", RETRY_NO },
		{ "transaction conflict is not ours to repeat", 400, "TransactionConflictException",
			RETRY_NO },
		{ "bare 429", 429, "429", RETRY_THROTTLING },
		{ "429 with a name that is no throttle", 429, "Whatever", RETRY_THROTTLING },
		{ "501 is for good", 501, NULL, RETRY_NO },
		{ "503 SlowDown is a throttle, not a fault", 503, "SlowDown", RETRY_THROTTLING },
		{ "KMS throttle", 400, "KMSThrottlingException", RETRY_THROTTLING },
		{ "modeled: replicated write", 400, "ReplicatedWriteConflictException", RETRY_TRANSIENT },
		{ "in-stream throttle", 400, "throttlingException", RETRY_THROTTLING },
		{ "in-stream fault", 400, "internalServerException", RETRY_TRANSIENT },
		{ "in-stream bad gateway", 400, "badGatewayException", RETRY_TRANSIENT },
		{ "in-stream 424", 400, "dependencyFailedException", RETRY_TRANSIENT },
		{ "in-stream conflict", 400, "conflictException", RETRY_TRANSIENT },
		{ "in-stream model not ready", 400, "modelNotReadyException", RETRY_TRANSIENT },
		{ "in-stream validation", 400, "validationException", RETRY_NO },
		{ "in-stream quota", 400, "serviceQuotaExceededException", RETRY_NO },
		{ "in-stream not found", 400, "resourceNotFoundException", RETRY_NO },
		{ "empty code", 400, "", RETRY_NO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (retry_classify(rows[i].status, rows[i].code) != rows[i].want)
			fail_msg("%s: got %d", rows[i].name, retry_classify(rows[i].status, rows[i].code));
}

static void retry_after_bounds(void **state)
{
	static const struct {
		const char *name, *value;
		double want_ms;
	} rows[] = {
		{ "none", NULL, 50 },
		{ "less than ours", "20", 50 },
		{ "more than ours", "1500", 1500 },
		{ "at most 5 s more", "10000", 5050 },
		{ "negative", "-1", 50 },
		{ "a fraction is no number of ms", "1.5", 50 },
		{ "empty", "", 50 },
		{ "absurd", "99999999999999999999999", 5050 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct retry_policy p = retry_policy(false, 0);
		struct retry_quota q = { RETRY_QUOTA };
		struct retry_call c = { 0 };
		double got = retry_failed(&q, &p, &c, RETRY_TRANSIENT, 1.0, rows[i].value);
		if (!near_to(got, rows[i].want_ms))
			fail_msg("%s: %g ms, want %g", rows[i].name, got, rows[i].want_ms);
	}
}

/* An outage drains the tokens; then calls fail at their first attempt until successes bring some back. */
static void quota_drains_and_refills(void **state)
{
	struct retry_policy p = retry_policy(false, 0);
	struct retry_quota q = { RETRY_QUOTA };
	int granted = 0;

	(void)state;
	for (int call = 0; call < 100; call++) {
		struct retry_call c = { 0 };
		while (retry_failed(&q, &p, &c, RETRY_TRANSIENT, 0, NULL) >= 0)
			granted++;
	}
	assert_int_equal(granted, RETRY_QUOTA / RETRY_COST_OTHER);
	assert_int_equal(q.tokens, RETRY_QUOTA % RETRY_COST_OTHER);
	for (int i = 0; i < 4; i++)
		retry_succeeded(&q, &(struct retry_call){ 0 }); /* one token each */
	struct retry_call c = { 0 };
	assert_true(retry_failed(&q, &p, &c, RETRY_TRANSIENT, 0, NULL) >= 0);
	retry_succeeded(&q, &c);
	assert_int_equal(q.tokens, RETRY_QUOTA % RETRY_COST_OTHER + 4);
	q.tokens = RETRY_QUOTA;
	retry_succeeded(&q, &c);
	assert_int_equal(q.tokens, RETRY_QUOTA);
}

static void throttles_wait_longer_and_cost_less(void **state)
{
	struct retry_policy p = retry_policy(true, 0);
	struct retry_quota q = { RETRY_QUOTA };
	struct retry_call c = { 0 };

	(void)state;
	assert_int_equal(p.max_attempts, 4);
	assert_true(near_to(retry_failed(&q, &p, &c, RETRY_THROTTLING, 1.0, NULL), 1000));
	assert_int_equal(q.tokens, RETRY_QUOTA - RETRY_COST_THROTTLING);
	assert_true(near_to(retry_failed(&q, &p, &c, RETRY_TRANSIENT, 1.0, NULL), 50));
	assert_int_equal(q.tokens, RETRY_QUOTA - RETRY_COST_THROTTLING - RETRY_COST_OTHER);
	retry_succeeded(&q, &c); /* the last retry's cost only */
	assert_int_equal(q.tokens, RETRY_QUOTA - RETRY_COST_THROTTLING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sdk_tables),
		cmocka_unit_test(kinds),
		cmocka_unit_test(retry_after_bounds),
		cmocka_unit_test(quota_drains_and_refills),
		cmocka_unit_test(throttles_wait_longer_and_cost_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
