/* clock.c - reading the clocks, waiting, and the text forms of times and durations. */
#include "base/clock.h"
#include "base/stop.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define US ((int64_t)1000000)
#define DAY_S ((int64_t)86400)

/* ---- now and waiting ---- */

/* What the tests set from outside; the environment is asked each time, so that a test program can
 * move the clock. */
static bool fixed_now(int64_t *us)
{
	const char *s = getenv("RECAGENT_NOW");

	return s && *s && time_parse(s, strlen(s), us);
}

static int64_t offset_us(void)
{
	const char *s = getenv("RECAGENT_CLOCK_OFFSET");
	int64_t ms, sign = 1;

	if (!s || !*s)
		return 0;
	if (*s == '-')
		sign = -1;
	if (*s == '-' || *s == '+')
		s++;
	return duration_parse(s, &ms) ? sign * ms * 1000 : 0;
}

int64_t clock_now_us(void)
{
	struct timespec t;
	int64_t us;

	if (!fixed_now(&us)) {
		clock_gettime(CLOCK_REALTIME, &t);
		us = (int64_t)t.tv_sec * US + t.tv_nsec / 1000;
	}
	return us + offset_us();
}

/* Division that rounds down, also before 1970. */
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t clock_now_ms(void)
{
	return floor_div(clock_now_us(), 1000);
}

int64_t clock_now_s(void)
{
	return floor_div(clock_now_us(), US);
}

int64_t clock_mono_ms(void)
{
	struct timespec t;

#ifdef CLOCK_BOOTTIME
	if (clock_gettime(CLOCK_BOOTTIME, &t) != 0)
#endif
		clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timespec clock_deadline(int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
	t.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	return t;
}

bool clock_sleep_ms(int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	struct pollfd p = { .fd = stop_fd(), .events = POLLIN };

	while (!stop_requested()) {
		int64_t left = until - clock_mono_ms();

		if (left <= 0)
			return true;
		if (left > 3600 * 1000)
			left = 3600 * 1000;
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return true;
	}
	return false;
}

/* ---- the calendar, proleptic Gregorian, without the C library's shared state ---- */

static int64_t days_from_civil(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = floor_div(y, 400);
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

struct civil {
	int year, month, day, hour, minute, second, us;
};

#define YEAR_0_US (-(int64_t)62167219200 * US)
#define YEAR_10000_US ((int64_t)253402300800 * US)

static void civil_from_us(int64_t us, struct civil *c)
{
	/* Four digits of year are all that the formats hold. */
	if (us < YEAR_0_US)
		us = YEAR_0_US;
	if (us >= YEAR_10000_US)
		us = YEAR_10000_US - 1;
	int64_t s = floor_div(us, US), day = floor_div(s, DAY_S), rest = s - day * DAY_S;
	int64_t z = day + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c->year = (int)(yoe + era * 400 + (c->month <= 2));
	c->hour = (int)(rest / 3600);
	c->minute = (int)(rest / 60 % 60);
	c->second = (int)(rest % 60);
	c->us = (int)(us - s * US);
}

static int month_days(int y, int m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return m == 2 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)) ? 29 : days[m - 1];
}

/* ---- reading ---- */

struct text {
	const char *p, *end;
	bool bad;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int take_digits(struct text *t, int count)
{
	int v = 0;

	for (; count; count--) {
		if (t->p >= t->end || !is_digit(*t->p)) {
			t->bad = true;
			return 0;
		}
		v = v * 10 + (*t->p++ - '0');
	}
	return v;
}

/* One character out of a set, the likeliest first. */
static char take_one(struct text *t, const char *set)
{
	if (t->p >= t->end || !*t->p || (*t->p != *set && !strchr(set + 1, *t->p))) {
		t->bad = true;
		return '\0';
	}
	return *t->p++;
}

static int take_fraction(struct text *t)
{
	int us = 0, scale = 100000;

	if (t->bad || t->p >= t->end || *t->p != '.')
		return 0;
	t->p++;
	if (t->p >= t->end || !is_digit(*t->p))
		t->bad = true;
	for (; t->p < t->end && is_digit(*t->p); t->p++, scale /= 10)
		us += (*t->p - '0') * scale;
	return us;
}

static int take_offset_minutes(struct text *t)
{
	char c = take_one(t, "Zz+-");

	if (t->bad || c == 'Z' || c == 'z')
		return 0;
	int h = take_digits(t, 2);
	take_one(t, ":");
	int m = take_digits(t, 2);
	if (h > 23 || m > 59)
		t->bad = true;
	return c == '-' ? -(h * 60 + m) : h * 60 + m;
}

static bool civil_to_us(const struct civil *c, int offset_minutes, int64_t *us)
{
	if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > month_days(c->year, c->month) ||
		c->hour > 23 || c->minute > 59 || c->second > 60)
		return false;
	bool leap = c->second == 60;
	int64_t s = days_from_civil(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 +
		    (leap ? 59 : c->second) - (int64_t)offset_minutes * 60;
	int64_t v = s * US + (leap ? 999999 : c->us);
	if (v < YEAR_0_US || v >= YEAR_10000_US)
		return false;
	*us = v;
	return true;
}

bool time_parse(const char *s, size_t n, int64_t *us)
{
	struct text t = { s, s + n, false };
	struct civil c;

	c.year = take_digits(&t, 4);
	take_one(&t, "-");
	c.month = take_digits(&t, 2);
	take_one(&t, "-");
	c.day = take_digits(&t, 2);
	take_one(&t, "Tt ");
	c.hour = take_digits(&t, 2);
	take_one(&t, ":");
	c.minute = take_digits(&t, 2);
	take_one(&t, ":");
	c.second = take_digits(&t, 2);
	c.us = take_fraction(&t);
	int offset = take_offset_minutes(&t);
	return !t.bad && t.p == t.end && civil_to_us(&c, offset, us);
}

/* Index of the three letters in a row of names, or -1. */
static int take_name(struct text *t, const char *names)
{
	if (!t->bad && t->end - t->p >= 3)
		for (int i = 0; names[i]; i += 3)
			if (memcmp(names + i, t->p, 3) == 0) {
				t->p += 3;
				return i / 3;
			}
	t->bad = true;
	return -1;
}

/* Sun, 06 Nov 1994 08:49:37 GMT; the weekday is not checked against the date. */
bool time_parse_http(const char *s, int64_t *s_out)
{
	struct text t = { s, s + strlen(s), false };
	struct civil c = { .us = 0 };
	int64_t us;

	take_name(&t, "MonTueWedThuFriSatSun");
	take_one(&t, ",");
	take_one(&t, " ");
	c.day = take_digits(&t, 2);
	take_one(&t, " ");
	c.month = take_name(&t, "JanFebMarAprMayJunJulAugSepOctNovDec") + 1;
	take_one(&t, " ");
	c.year = take_digits(&t, 4);
	take_one(&t, " ");
	c.hour = take_digits(&t, 2);
	take_one(&t, ":");
	c.minute = take_digits(&t, 2);
	take_one(&t, ":");
	c.second = take_digits(&t, 2);
	if (t.bad || strcmp(t.p, " GMT") != 0 || !civil_to_us(&c, 0, &us))
		return false;
	*s_out = floor_div(us, US);
	return true;
}

/* ---- writing ---- */

static char *put_digits(char *p, int v, int count)
{
	for (int i = count - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + count;
}

static char *put_char(char *p, char c)
{
	*p = c;
	return p + 1;
}

/* digits of fraction: 0, 3 or 6 */
static void format_rfc3339(int64_t us, int digits, char *p)
{
	struct civil c;

	civil_from_us(us, &c);
	p = put_char(put_digits(p, c.year, 4), '-');
	p = put_char(put_digits(p, c.month, 2), '-');
	p = put_char(put_digits(p, c.day, 2), 'T');
	p = put_char(put_digits(p, c.hour, 2), ':');
	p = put_char(put_digits(p, c.minute, 2), ':');
	p = put_digits(p, c.second, 2);
	if (digits)
		p = put_digits(put_char(p, '.'), digits == 3 ? c.us / 1000 : c.us, digits);
	put_char(put_char(p, 'Z'), '\0');
}

/* a * b, clamped into what civil_from_us clamps anyway */
static int64_t scaled(int64_t a, int64_t b)
{
	if (a > YEAR_10000_US / b)
		return YEAR_10000_US;
	return a < YEAR_0_US / b ? YEAR_0_US : a * b;
}

void time_format_us(int64_t us, char out[TIME_TEXT])
{
	format_rfc3339(us, 6, out);
}

void time_format_ms(int64_t ms, char out[TIME_TEXT])
{
	format_rfc3339(scaled(ms, 1000), 3, out);
}

void time_format_s(int64_t s, char out[TIME_TEXT])
{
	format_rfc3339(scaled(s, US), 0, out);
}

void time_format_amz(int64_t s, char out[TIME_TEXT])
{
	struct civil c;
	char *p = out;

	civil_from_us(scaled(s, US), &c);
	p = put_digits(put_digits(put_digits(p, c.year, 4), c.month, 2), c.day, 2);
	p = put_char(p, 'T');
	p = put_digits(put_digits(put_digits(p, c.hour, 2), c.minute, 2), c.second, 2);
	put_char(put_char(p, 'Z'), '\0');
}

/* ---- durations and points in time ---- */

#define DURATION_MAX_MS ((int64_t)100 * 366 * DAY_S * 1000)

static bool unit_ms(const char *s, int64_t *ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
		{ "d", DAY_S * 1000 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(s, units[i].name) == 0) {
			*ms = units[i].ms;
			return true;
		}
	return false;
}

bool duration_parse(const char *s, int64_t *ms)
{
	int64_t whole = 0, unit, part = 0, scale = 1;

	if (!is_digit(*s))
		return false;
	for (; is_digit(*s); s++) {
		whole = whole * 10 + (*s - '0');
		if (whole > DURATION_MAX_MS)
			return false;
	}
	if (*s == '.') {
		if (!is_digit(*++s))
			return false;
		for (; is_digit(*s); s++)
			if (scale < 1000000) { /* finer digits change nothing below a day's millisecond */
				part = part * 10 + (*s - '0');
				scale *= 10;
			}
	}
	if (!unit_ms(s, &unit) || whole > DURATION_MAX_MS / unit)
		return false;
	int64_t v = whole * unit + part * unit / scale;
	if (v > DURATION_MAX_MS)
		return false;
	*ms = v;
	return true;
}

bool when_parse(const char *s, struct when *out)
{
	struct when w = { .kind = WHEN_TIME };
	int64_t ms;

	if (strcmp(s, "trim-horizon") == 0)
		w.kind = WHEN_TRIM_HORIZON;
	else if (strcmp(s, "latest") == 0)
		w.kind = WHEN_LATEST;
	else if (strcmp(s, "now") == 0)
		w.us = clock_now_us();
	else if (duration_parse(s, &ms))
		w.us = clock_now_us() - ms * 1000;
	else if (!time_parse(s, strlen(s), &w.us))
		return false;
	*out = w;
	return true;
}
