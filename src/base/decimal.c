/* decimal.c - exact decimals out of number texts. */
#include "base/decimal.h"
#include <inttypes.h>

#define EXP_CLAMP ((int64_t)1000000000000)

static size_t count_digits(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && *q >= '0' && *q <= '9')
		q++;
	return (size_t)(q - p);
}

/* [eE][+-]?digits at *p; false when it is malformed. */
static bool take_exponent(const char **p, const char *end, int64_t *exp)
{
	int64_t v = 0;
	bool neg = false;

	*exp = 0;
	if (*p == end || (**p | 0x20) != 'e')
		return true;
	++*p;
	if (*p < end && (**p == '+' || **p == '-'))
		neg = *(*p)++ == '-';
	if (!count_digits(*p, end))
		return false;
	for (; *p < end && **p >= '0' && **p <= '9'; ++*p)
		v = v < EXP_CLAMP ? v * 10 + (**p - '0') : v;
	if (v > EXP_CLAMP)
		v = EXP_CLAMP;
	*exp = neg ? -v : v;
	return true;
}

/* Trim zeros of ints.fracs at both ends and fix the exponent. */
static void normalise(struct decimal *d, const char *ints, size_t nint, const char *frac, size_t nfrac)
{
	d->exp += (int64_t)nint;
	while (nint && *ints == '0') {
		ints++;
		nint--;
		d->exp--;
	}
	while (nfrac && frac[nfrac - 1] == '0')
		nfrac--;
	if (!nint)
		while (nfrac && *frac == '0') {
			frac++;
			nfrac--;
			d->exp--;
		}
	if (!nfrac)
		while (nint && ints[nint - 1] == '0')
			nint--;
	d->p = nint ? ints : frac;
	d->n = nint + nfrac;
	d->point = nint ? nint : d->n;
	if (!d->n) {
		d->exp = 0;
		d->neg = false;
	}
}

bool decimal_parse(const char *text, size_t len, struct decimal *d)
{
	const char *p = text, *end = text + len;

	*d = (struct decimal){ .json = true };
	if (p < end && (*p == '-' || *p == '+')) {
		d->neg = *p == '-';
		d->json = *p++ == '-';
	}
	const char *ints = p, *frac = p;
	size_t nint = count_digits(p, end), nfrac = 0;
	p += nint;
	if (nint == 0 || (nint > 1 && *ints == '0'))
		d->json = false;
	if (p < end && *p == '.') {
		frac = ++p;
		nfrac = count_digits(p, end);
		p += nfrac;
		if (!nfrac)
			d->json = false;
	}
	if (nint + nfrac == 0 || !take_exponent(&p, end, &d->exp) || p != end)
		return false;
	normalise(d, ints, nint, frac, nfrac);
	return true;
}

int decimal_digit(const struct decimal *d, size_t i)
{
	return i < d->n ? d->p[i + (i >= d->point)] - '0' : 0;
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
	size_t n = a->n > b->n ? a->n : b->n;
	int sign = a->neg ? -1 : 1;

	if (!a->n || !b->n || a->neg != b->neg) {
		int sa = a->n ? sign : 0, sb = b->n ? (b->neg ? -1 : 1) : 0;
		return (sa > sb) - (sa < sb);
	}
	if (a->exp != b->exp)
		return a->exp > b->exp ? sign : -sign;
	for (size_t i = 0; i < n; i++) {
		int diff = decimal_digit(a, i) - decimal_digit(b, i);

		if (diff)
			return diff > 0 ? sign : -sign;
	}
	return 0;
}

bool decimal_to_int(const struct decimal *d, int64_t *out)
{
	uint64_t v = 0, limit = (uint64_t)INT64_MAX + (d->neg ? 1 : 0);

	if (d->n && (d->exp < (int64_t)d->n || d->exp > 19))
		return false;
	for (int64_t i = 0; i < d->exp; i++) {
		uint64_t digit = (uint64_t)decimal_digit(d, (size_t)i);

		if (v > (limit - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = d->neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool decimal_print(struct buf *out, const struct decimal *d)
{
	int64_t v;

	if (decimal_to_int(d, &v))
		return buf_printf(out, "%" PRId64, v);
	if (d->neg)
		buf_char(out, '-');
	for (size_t i = 0; i < d->n; i++) {
		if (i == 1)
			buf_char(out, '.');
		buf_char(out, (char)('0' + decimal_digit(d, i)));
	}
	if (d->exp != 1)
		buf_printf(out, "E%" PRId64, d->exp - 1);
	return !out->over;
}
