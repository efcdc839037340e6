/* decimal.h - a number text taken apart exactly, however long it is.
 *
 * Value: (neg ? -1 : 1) * 0.d1d2d3... * 10^exp, without leading or trailing zero digits; zero has no digits, no
 * sign and exponent 0. Digits stay in the caller's text and are read with decimal_digit. Pure. */
#ifndef RECAGENT_BASE_DECIMAL_H
#define RECAGENT_BASE_DECIMAL_H

#include "base/buf.h"

struct decimal {
	const char *p; /* first significant digit in the text */
	size_t n;      /* significant digits */
	size_t point;  /* a '.' stands after that many of them inside the text; n or more: none */
	int64_t exp;   /* clamped to +-10^12, far outside anything that has a use */
	bool neg;
	bool json; /* the text is a number as RFC 8259 writes it */
};

/* Takes RFC 8259 numbers and, for what other stores return, "+1", "01", ".5" and "5." too. */
bool decimal_parse(const char *text, size_t len, struct decimal *d);
int decimal_digit(const struct decimal *d, size_t i); /* 0..9; behind the end 0 */
int decimal_compare(const struct decimal *a, const struct decimal *b);
bool decimal_to_int(const struct decimal *d, int64_t *out); /* integral and fits */
/* The shortest JSON text of the same value: "0", "-15", "1.5E-7". */
bool decimal_print(struct buf *out, const struct decimal *d);

#endif
