/* clock_test.c - time texts both ways, durations, points in time, the clock set from outside. */
#include "check.h"

#include "base/clock.h"
#include "base/stop.h"
#include <stdlib.h>
#include <time.h>

static void test_parse(void **state)
{
	(void)state;
	static const struct {
		const char *name, *in;
		int64_t us;
	} rows[] = {
		{ "epoch", "1970-01-01T00:00:00Z", 0 },
		{ "before", "1969-12-31T23:59:59.999999Z", -1 },
		{ "seconds", "2026-01-02T03:04:05Z", 1767323045000000 },
		{ "lower case", "2026-01-02t03:04:05z", 1767323045000000 },
		{ "a space", "2026-01-02 03:04:05Z", 1767323045000000 },
		{ "isoformat", "2026-01-02T03:04:05+00:00", 1767323045000000 },
		{ "isoformat with microseconds", "2026-01-02T03:04:05.678901+00:00", 1767323045678901 },
		{ "one digit", "2026-01-02T03:04:05.6Z", 1767323045600000 },
		{ "nanoseconds are cut", "2026-01-02T03:04:05.678901999Z", 1767323045678901 },
		{ "east", "2026-01-02T05:34:05+02:30", 1767323045000000 },
		{ "west into the day before", "2026-01-01T22:04:05-05:00", 1767323045000000 },
		{ "unknown offset", "2026-01-02T03:04:05-00:00", 1767323045000000 },
		{ "leap second", "2016-12-31T23:59:60Z", 1483228799999999 },
		{ "leap second with fraction", "2016-12-31T23:59:60.5Z", 1483228799999999 },
		{ "leap day", "2024-02-29T00:00:00Z", 1709164800000000 },
		{ "leap day of 2000", "2000-02-29T00:00:00Z", 951782400000000 },
		{ "year 0", "0000-01-01T00:00:00Z", -62167219200000000 },
		{ "last", "9999-12-31T23:59:59.999999Z", 253402300799999999 },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		int64_t us = 42;

		CHECK(rows[i].name, time_parse(rows[i].in, strlen(rows[i].in), &us));
		CHECK_INT(rows[i].name, us, rows[i].us);
	}
}

static void test_parse_refuses(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "2026", "2026-01-02", "2026-01-02T03:04:05",
		"2026-01-02T03:04Z", "2026-1-2T03:04:05Z", "2026-01-02T03:04:05Zx", " 2026-01-02T03:04:05Z",
		"2026-01-02T03:04:05Z ", "2026-13-02T03:04:05Z", "2026-00-02T03:04:05Z",
		"2026-01-32T03:04:05Z", "2026-01-00T03:04:05Z", "2026-02-29T03:04:05Z",
		"1900-02-29T03:04:05Z", "2026-01-02T24:00:00Z", "2026-01-02T03:60:05Z",
		"2026-01-02T03:04:61Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05,5Z",
		"2026-01-02T03:04:05+0000", "2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05+00:60",
		"2026-01-02T03:04:05+00", "-026-01-02T03:04:05Z", "0000-01-01T00:00:00+01:00",
		"9999-12-31T23:59:59-01:00", "2026-01-02\n03:04:05Z", "1767323045", "now" };
	int64_t us;

	for (size_t i = 0; i < ROWS(rows); i++)
		CHECK(rows[i], !time_parse(rows[i], strlen(rows[i]), &us));
	/* No cut of a good one is good, but those of the fraction's digits. */
	const char *whole = "2026-01-02T03:04:05+00:00";
	for (size_t n = 0; n < strlen(whole); n++)
		assert_false(time_parse(whole, n, &us));
	assert_false(time_parse("2026-01-02\0003:04:05Z", 20, &us));
}

static void test_format(void **state)
{
	(void)state;
	char t[TIME_TEXT];

	time_format_us(1767323045678901, t);
	assert_string_equal(t, "2026-01-02T03:04:05.678901Z");
	time_format_ms(1767323045678, t);
	assert_string_equal(t, "2026-01-02T03:04:05.678Z");
	time_format_s(1767323045, t);
	assert_string_equal(t, "2026-01-02T03:04:05Z");
	time_format_amz(1767323045, t);
	assert_string_equal(t, "20260102T030405Z");
	time_format_us(-1, t);
	assert_string_equal(t, "1969-12-31T23:59:59.999999Z");
	time_format_s(INT64_MAX, t);
	assert_string_equal(t, "9999-12-31T23:59:59Z");
	time_format_s(INT64_MIN, t);
	assert_string_equal(t, "0000-01-01T00:00:00Z");
}

/* Every day of 400 years against the C library, and back through the parser. */
static void test_calendar(void **state)
{
	(void)state;
	char mine[TIME_TEXT], theirs[TIME_TEXT];

	for (int64_t day = -146097 / 2; day < 146097 / 2; day++) {
		int64_t s = day * 86400 + (day * 7919 % 86400 + 86400) % 86400, us;
		time_t t = (time_t)s;
		struct tm tm;

		time_format_s(s, mine);
		gmtime_r(&t, &tm);
		strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm);
		assert_string_equal(mine, theirs);
		assert_true(time_parse(mine, strlen(mine), &us));
		assert_true(us == s * 1000000);
	}
}

static void test_http_date(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
		"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT " };
	int64_t s;

	assert_true(time_parse_http("Sun, 06 Nov 1994 08:49:37 GMT", &s));
	assert_int_equal(s, 784111777);
	for (size_t i = 0; i < ROWS(bad); i++)
		CHECK(bad[i], !time_parse_http(bad[i], &s));
}

static void test_duration(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		int64_t ms;
	} rows[] = { { "0", 0 }, { "250ms", 250 }, { "30s", 30000 }, { "15m", 900000 }, { "2h", 7200000 },
		{ "7d", 604800000 }, { "1.5s", 1500 }, { "3", 3000 }, { "0.0005s", 0 }, { "1.25h", 4500000 },
		{ "0.1ms", 0 }, { "36500d", 3153600000000 } };
	static const char *const bad[] = { "", "s", "-1s", "+1s", "1 s", "1.s", ".5s", "1e3", "1w", "1sec",
		"99999999999999999999d", "40000d", "9223372036854775807", "1.5.5s", "ms" };
	int64_t ms;

	for (size_t i = 0; i < ROWS(rows); i++) {
		CHECK(rows[i].in, duration_parse(rows[i].in, &ms));
		CHECK_INT(rows[i].in, ms, rows[i].ms);
	}
	for (size_t i = 0; i < ROWS(bad); i++)
		CHECK(bad[i], !duration_parse(bad[i], &ms));
}

static void test_now_from_outside(void **state)
{
	(void)state;
	struct when w;
	int64_t before = clock_now_us();

	assert_true(before > 1700000000000000);
	setenv("RECAGENT_CLOCK_OFFSET", "-1h", 1);
	assert_true(clock_now_us() < before - 3500000000);
	setenv("RECAGENT_NOW", "2026-01-02T03:04:05.5Z", 1);
	assert_true(clock_now_us() == 1767323045500000 - 3600000000);
	setenv("RECAGENT_CLOCK_OFFSET", "+1.5s", 1);
	assert_true(clock_now_ms() == 1767323047000);
	unsetenv("RECAGENT_CLOCK_OFFSET");
	assert_true(clock_now_s() == 1767323045);
	assert_true(when_parse("now", &w) && w.kind == WHEN_TIME && w.us == 1767323045500000);
	assert_true(when_parse("15m", &w) && w.kind == WHEN_TIME && w.us == 1767323045500000 - 900000000);
	assert_true(when_parse("2026-01-02T03:04:05Z", &w) && w.us == 1767323045000000);
	assert_true(when_parse("trim-horizon", &w) && w.kind == WHEN_TRIM_HORIZON);
	assert_true(when_parse("latest", &w) && w.kind == WHEN_LATEST);
	assert_false(when_parse("yesterday", &w));
	assert_false(when_parse("", &w));
	unsetenv("RECAGENT_NOW");
}

static void test_deadline(void **state)
{
	static const int64_t waits[] = { 0, 1, 999, 1000, 1001, 86400123 };

	(void)state;
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		struct timespec now, t;
		clock_gettime(CLOCK_MONOTONIC, &now);
		t = clock_deadline(waits[i]);
		int64_t ms = ((int64_t)t.tv_sec - now.tv_sec) * 1000 + (t.tv_nsec - now.tv_nsec) / 1000000;
		assert_in_range(t.tv_nsec, 0, 999999999);
		assert_in_range(ms + 1, waits[i], waits[i] + 2000);
	}
}

static void test_sleep(void **state)
{
	(void)state;
	int64_t t = clock_mono_ms();

	assert_true(clock_sleep_ms(0));
	assert_true(clock_sleep_ms(-5));
	assert_true(clock_sleep_ms(30));
	assert_true(clock_mono_ms() - t >= 30);
	stop_now();
	assert_true(stop_requested());
	assert_int_equal(stop_signal(), 0);
	t = clock_mono_ms();
	assert_false(clock_sleep_ms(10000));
	assert_true(clock_mono_ms() - t < 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_format), cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_http_date), cmocka_unit_test(test_duration),
		cmocka_unit_test(test_now_from_outside), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_sleep), /* last: a stop is for good */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
