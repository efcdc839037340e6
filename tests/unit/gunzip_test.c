/* gunzip_test.c - gzip undone member by member and layer by layer, however it is cut; damage is told. */
#include "check.h"

#include "base/buf.h"
#include "base/gunzip.h"
#include "base/mem.h"
#include <stdlib.h>
#include <zlib.h>

#define MAX ((size_t)8 << 20)

static void gz(struct buf *out, const char *p, size_t n)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_true(buf_reserve(out, n + 1000));
	z.next_in = (unsigned char *)(uintptr_t)p;
	z.avail_in = (unsigned)n;
	z.next_out = (unsigned char *)out->p + out->len;
	z.avail_out = (unsigned)(n + 1000);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += z.total_out;
	deflateEnd(&z);
}

struct sink {
	struct buf got;
	size_t stop; /* end when so many bytes have come; 0: never */
};

static int on_plain(const char *p, size_t n, void *arg, struct err *e)
{
	struct sink *s = arg;

	(void)e;
	buf_add(&s->got, p, n);
	return s->stop && s->got.len >= s->stop ? 5 : 0;
}

static int decode(struct sink *s, const struct buf *in, size_t piece, struct err *e)
{
	struct gunzip *g = gunzip_new(on_plain, s);
	int rc = 0;

	buf_release(&s->got);
	buf_init(&s->got, MAX);
	err_clear(e);
	for (size_t i = 0, k; i < in->len && rc == 0; i += k) {
		k = piece && piece < in->len - i ? piece : in->len - i;
		rc = gunzip_feed(g, in->p + i, k, e);
	}
	if (rc == 0)
		rc = gunzip_finish(g, e);
	gunzip_free(g);
	return rc;
}

static const char text[] = "{\"a\":1}\n{\"b\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}\n";

/* What is made of the text: p plain, g a member, G gzip in gzip, T a third layer, 0 padding, x a foreign byte, m half of the
 * magic. */
static void build(struct buf *out, const char *recipe)
{
	struct buf a = BUF_INIT(MAX), b = BUF_INIT(MAX);

	buf_release(out);
	buf_init(out, MAX);
	gz(&a, text, sizeof text - 1);
	gz(&b, a.p, a.len);
	for (; *recipe; recipe++)
		switch (*recipe) {
		case 'p': buf_str(out, text); break;
		case 'g': buf_add(out, a.p, a.len); break;
		case 'G': buf_add(out, b.p, b.len); break;
		case 'T': gz(out, b.p, b.len); break;
		case '0': buf_add(out, "\0\0\0", 3); break;
		case 'x': buf_char(out, 'x'); break;
		case 'm': buf_char(out, '\x1f'); break;
		default: fail();
		}
	buf_release(&a);
	buf_release(&b);
}

static const struct {
	const char *name, *recipe;
	int times; /* the text comes so often */
	const char *code;
} rows[] = {
	{ "nothing", "", 0, "" },
	{ "plain", "p", 1, "" },
	{ "gzip", "g", 1, "" },
	{ "three members", "ggg", 3, "" },
	{ "padding behind", "g0", 1, "" },
	{ "padding between", "g0g", 2, "" },
	{ "gzip in gzip", "G", 1, "" },
	{ "members of gzip in gzip", "GG", 2, "" },
	{ "three layers", "T", 1, "" },
	{ "something else behind", "gxx", 1, "bad-gzip" },
	{ "one other byte behind", "gx", 1, "bad-gzip" },
	{ "half a magic behind", "gm", 1, "truncated-gzip" },
	{ "plain text with the magic in it", "pg", -1, "" },
};

static void test_recipes(void **state)
{
	static const size_t pieces[] = { 0, 1, 2, 3, 7 };
	struct buf in = BUF_INIT(MAX);
	struct sink s = { .stop = 0 };
	struct err e = { 0 };
	char row[100];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t k = 0; k < ROWS(pieces); k++) {
			snprintf(row, sizeof row, "%s, in pieces of %zu", rows[i].name, pieces[k]);
			build(&in, rows[i].recipe);
			CHECK_INT(row, decode(&s, &in, pieces[k], &e), rows[i].code[0] ? -1 : 0);
			CHECK_STR(row, e.code, rows[i].code);
			if (rows[i].times < 0) { /* passes as it is */
				CHECK_INT(row, s.got.len, in.len);
				CHECK(row, memcmp(s.got.p, in.p, in.len) == 0);
				continue;
			}
			CHECK_INT(row, s.got.len, (size_t)rows[i].times * (sizeof text - 1));
			for (int t = 0; t < rows[i].times; t++)
				CHECK(row, memcmp(s.got.p + (size_t)t * (sizeof text - 1), text,
						   sizeof text - 1) == 0);
		}
	buf_release(&in);
	buf_release(&s.got);
}

/* Every prefix: an error unless it ends between members; what was decoded is a beginning of the text. */
static void test_every_prefix(void **state)
{
	struct buf in = BUF_INIT(MAX), cut = BUF_INIT(MAX);
	struct sink s = { .stop = 0 };
	struct err e = { 0 };
	char row[32];

	(void)state;
	build(&in, "g");
	for (size_t n = 2; n < in.len; n++) {
		buf_reset(&cut);
		buf_add(&cut, in.p, n);
		snprintf(row, sizeof row, "%zu bytes", n);
		CHECK_INT(row, decode(&s, &cut, 0, &e), -1);
		CHECK_STR(row, e.code, "truncated-gzip");
		CHECK_INT(row, e.cls, ERR_REFUSED);
		CHECK(row, s.got.len < sizeof text && memcmp(s.got.p ? s.got.p : "", text, s.got.len) == 0);
	}
	buf_release(&in);
	buf_release(&cut);
	buf_release(&s.got);
}

/* Every single flipped bit of a member: an error, or (in the header's fields that mean nothing to us) the text. */
static void test_every_flipped_bit(void **state)
{
	struct buf in = BUF_INIT(MAX);
	struct sink s = { .stop = 0 };
	struct err e = { 0 };
	char row[32];
	int told = 0;

	(void)state;
	build(&in, "g");
	for (size_t bit = 16; bit < in.len * 8; bit++) {
		in.p[bit / 8] = (char)(in.p[bit / 8] ^ 1 << bit % 8);
		snprintf(row, sizeof row, "bit %zu", bit);
		int rc = decode(&s, &in, 0, &e);
		told += rc != 0;
		if (rc == 0)
			CHECK(row, s.got.len == sizeof text - 1 && memcmp(s.got.p, text, s.got.len) == 0);
		else
			CHECK_INT(row, e.cls, ERR_REFUSED);
		in.p[bit / 8] = (char)(in.p[bit / 8] ^ 1 << bit % 8);
	}
	assert_true(told > (int)in.len * 6);
	buf_release(&in);
	buf_release(&s.got);
}

static void test_large_and_ended(void **state)
{
	struct buf in = BUF_INIT(MAX), big = BUF_INIT(MAX);
	struct sink s = { .stop = 0 };
	struct err e = { 0 };

	(void)state;
	while (big.len < 3 << 20)
		buf_add(&big, text, sizeof text - 1);
	gz(&in, big.p, big.len);
	assert_true(in.len < big.len / 100);
	assert_int_equal(decode(&s, &in, 0, &e), 0);
	assert_int_equal(s.got.len, big.len);
	assert_memory_equal(s.got.p, big.p, big.len);
	s.stop = 100000;
	assert_int_equal(decode(&s, &in, 0, &e), 5); /* and gives out no more than a piece behind */
	assert_in_range(s.got.len, 100000, 100000 + 65536);
	buf_release(&in);
	buf_release(&big);
	buf_release(&s.got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipes),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_every_flipped_bit),
		cmocka_unit_test(test_large_and_ended),
	};
	return cmocka_run_group_tests_name("gunzip", tests, NULL, NULL);
}
