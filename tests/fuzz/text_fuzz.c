/* text_fuzz.c - libFuzzer target: any text as a time, a duration, a size, a number, a name of a stream or an object, an id.
 *
 * The first byte chooses. Checked: no bad access; what is printed of a value reads back as the same value; decimals compare as
 * their values do. */
#include "base/av.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/mem.h"
#include "base/opts.h"
#include "flow/leases.h"
#include "port/open.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void a_time(const char *s, size_t n)
{
	char text[TIME_TEXT];
	int64_t us, again;
	if (!time_parse(s, n, &us))
		return;
	time_format_us(us, text);
	check(time_parse(text, strlen(text), &again) && again == us);
}

static void a_decimal(const char *s, size_t n)
{
	struct decimal d, again;
	struct buf b = BUF_INIT(1 << 20);
	/* Exponents are clamped where no number has a use. */
	if (decimal_parse(s, n, &d) && llabs(d.exp) < 100000000000 && decimal_print(&b, &d)) {
		check(decimal_parse(b.p, b.len, &again) && again.json);
		check(decimal_compare(&d, &again) == 0);
		int64_t v, w;
		check(decimal_to_int(&d, &v) == decimal_to_int(&again, &w));
	}
	buf_release(&b);
}

static void checkpoints(const char *s)
{
	char a[SEQ_MAX], b[SEQ_MAX];
	const char *nl = strchr(s, '\n');
	size_t n = nl ? (size_t)(nl - s) : strlen(s);
	if (n >= SEQ_MAX || (nl && strlen(nl + 1) >= SEQ_MAX))
		return;
	memcpy(a, s, n);
	a[n] = '\0';
	memcpy(b, nl ? nl + 1 : "", nl ? strlen(nl + 1) + 1 : 1);
	check(checkpoint_compare(a, 1, b, 1) == -checkpoint_compare(b, 1, a, 1));
	check(sequence_compare(a, b) == -sequence_compare(b, a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *rest;
	struct when when;
	int64_t v;
	uint64_t u;
	if (n < 1)
		return 0;
	char *s = mem_dup(data + 1, n - 1);
	switch (data[0] % 6) {
	case 0: a_time(s, n - 1); break;
	case 1: a_decimal(s, n - 1); break;
	case 2:
		(void)duration_parse(s, &v);
		(void)when_parse(s, &when);
		(void)size_parse(s, &u);
		break;
	case 3: (void)time_parse_http(s, &v); break;
	case 4:
		(void)name_kind(s, &rest);
		check(rest >= s && rest <= s + strlen(s));
		break;
	default: checkpoints(s);
	}
	free(s);
	return 0;
}
