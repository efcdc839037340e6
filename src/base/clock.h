/* clock.h - time: now, text forms, durations, and waiting that a signal cuts short.
 *
 * Real time is microseconds since 1970 UTC; monotonic time is milliseconds. Set from outside, for
 * tests: RECAGENT_NOW=<RFC 3339> freezes real time, RECAGENT_CLOCK_OFFSET=<duration, may be
 * negative> shifts it. Thread-safe. */
#ifndef RECAGENT_BASE_CLOCK_H
#define RECAGENT_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

int64_t clock_now_us(void);
int64_t clock_now_ms(void);
int64_t clock_now_s(void);
int64_t clock_mono_ms(void); /* counts sleep of the machine too (CLOCK_BOOTTIME) where there is one */

/* ms from now as a condition variable with CLOCK_MONOTONIC takes it. */
struct timespec clock_deadline(int64_t ms);

/* Wait; returns false when a stop signal (stop.h) cut it short. ms <= 0 returns at once. */
bool clock_sleep_ms(int64_t ms);

/* RFC 3339 of any offset and precision, also without seconds' fraction, with ' ' for 'T', and
 * Python's isoformat (+00:00). Whole text must match. Seconds 60 become 59.999999. */
bool time_parse(const char *s, size_t n, int64_t *us);
/* HTTP date (RFC 9110 IMF-fixdate) to seconds. */
bool time_parse_http(const char *s, int64_t *s_out);

#define TIME_TEXT 40
void time_format_us(int64_t us, char out[TIME_TEXT]); /* 2026-01-02T03:04:05.678901Z */
void time_format_ms(int64_t ms, char out[TIME_TEXT]); /* 2026-01-02T03:04:05.678Z */
void time_format_s(int64_t s, char out[TIME_TEXT]);   /* 2026-01-02T03:04:05Z */
void time_format_amz(int64_t s, char out[TIME_TEXT]); /* 20260102T030405Z */

/* "250ms", "30s", "15m", "2h", "7d", "1.5s", "0"; a bare number is seconds. >= 0, at most 100 years. */
bool duration_parse(const char *s, int64_t *ms);

/* A point of a stream or archive, as --since and --until take it. */
enum when_kind { WHEN_UNSET, WHEN_TRIM_HORIZON, WHEN_LATEST, WHEN_TIME };
struct when {
	enum when_kind kind;
	int64_t us; /* for WHEN_TIME */
};
/* RFC 3339, `now`, `trim-horizon`, `latest`, or a duration back from now. */
bool when_parse(const char *s, struct when *out);

#endif
