/* aggregate_fuzz.c - libFuzzer target: any bytes as an aggregated record.
 *
 * A fuzzer does not guess checksums, so with the first byte odd the rest is taken as the protobuf and framed. Checked: no bad
 * access, every view inside the bytes, the same records each time, and that what was read can be written and read again. */
#include "base/digest.h"
#include "base/mem.h"
#include "rec/aggregate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_view(const char *p, size_t n, const char *from, size_t len)
{
	if (n && (p < from || p + n > from + len))
		abort();
}

static bool same(const char *a, size_t na, const char *b, size_t nb)
{
	return na == nb && !a == !b && (!na || memcmp(a, b, na) == 0);
}

/* Read again what was written: the same records up to where the first one stopped. */
static void compare(struct aggregate *a, const struct buf *again)
{
	struct aggregate b;
	struct user_record x, y;
	size_t n = 0;
	if (!aggregate_open(&b, again->p, again->len))
		abort();
	for (aggregate_rewind(a); aggregate_next(a, &x); n++)
		if (!aggregate_next(&b, &y) || !same(x.key, x.key_len, y.key, y.key_len) ||
			!same(x.hash_key, x.hash_key_len, y.hash_key, y.hash_key_len) ||
			!same(x.data, x.len, y.data, y.len))
			abort();
	if (aggregate_next(&b, &y) || b.damaged || b.nrecords != n)
		abort();
	aggregate_close(&b);
}

static void read_all(const char *p, size_t n)
{
	struct aggregate a;
	struct aggregate_writer w;
	struct user_record r;
	struct buf again = BUF_INIT((size_t)1 << 24);
	size_t most = AGGREGATE_OVERHEAD;
	if (!aggregate_open(&a, p, n))
		return;
	aggregate_writer_init(&w, (size_t)1 << 24);
	aggregate_belongs(&a, "0", "170141183460469231731687303715884105727");
	while (aggregate_next(&a, &r)) {
		check_view(r.key, r.key_len, p, n);
		check_view(r.hash_key, r.hash_key_len, p, n);
		check_view(r.data, r.len, p, n);
		most += aggregate_cost(&r);
		aggregate_add(&w, &r);
	}
	if (a.next > a.nrecords || a.damaged != (a.next < a.nrecords))
		abort();
	/* 64 KiB of input can name one long key from each of thousands of records, but only once in the table. */
	if (a.next && aggregate_finish(&w, &again)) {
		if (again.len > most)
			abort();
		compare(&a, &again);
	}
	aggregate_writer_release(&w);
	buf_release(&again);
	aggregate_close(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (!n)
		return 0;
	size_t len = n - 1 + (data[0] & 1 ? AGGREGATE_OVERHEAD : 0);
	char *copy = mem_alloc(len ? len : 1);
	if (data[0] & 1) {
		memcpy(copy, "\xf3\x89\x9a\xc2", 4);
		memcpy(copy + 4, data + 1, n - 1);
		md5(data + 1, n - 1, (uint8_t *)copy + 4 + n - 1);
	} else if (len) {
		memcpy(copy, data + 1, len);
	}
	read_all(copy, len);
	free(copy);
	return 0;
}
