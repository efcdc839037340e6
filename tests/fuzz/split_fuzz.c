/* split_fuzz.c - libFuzzer target: any bytes through gunzip and the splitter, as an archive's object goes.
 *
 * A fuzzer does not guess checksums, so with the first byte's lowest bit set the bytes are gzipped first, with the next one in
 * two members, with the third bit twice. Checked: no bad access, the same values however the bytes are cut, numbers one by one,
 * no value over the limit, and that the valid line behind all of it comes out. */
#include "base/digest.h"
#include "base/gunzip.h"
#include "base/mem.h"
#include "base/split.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LIMIT 200
#define LAST "{\"user_id\":\"last\"}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
	struct split split;
	uint64_t sum, n;
	bool last;
};

static int on_value(const struct split_value *v, void *arg, struct err *e)
{
	struct seen *s = arg;

	(void)e;
	if (v->no != ++s->n || v->len > LIMIT || v->p[v->len] != '\0')
		abort();
	for (size_t i = 0; i < v->len; i++)
		s->sum = (s->sum ^ (unsigned char)v->p[i]) * 0x100000001b3u;
	s->sum = (s->sum ^ v->too_long) * 0x100000001b3u + v->len;
	s->last = strcmp(v->p, LAST) == 0;
	return 0;
}

static int on_plain(const char *p, size_t n, void *arg, struct err *e)
{
	return split_feed(&((struct seen *)arg)->split, p, n, e);
}

static struct seen read_all(const char *p, size_t n, size_t piece)
{
	struct seen s = { .n = 0 };
	struct err e = { 0 };
	struct gunzip *g;
	int rc = 0;

	split_init(&s.split, LIMIT, on_value, &s);
	g = gunzip_new(on_plain, &s);
	for (size_t i = 0, k; i < n && rc == 0; i += k) {
		k = piece < n - i ? piece : n - i;
		rc = gunzip_feed(g, p + i, k, &e);
	}
	if (rc == 0)
		rc = gunzip_finish(g, &e);
	if (rc && (e.cls != ERR_REFUSED || !e.code[0] || !e.msg[0]))
		abort();
	if (split_finish(&s.split, &e))
		abort();
	gunzip_free(g);
	split_release(&s.split);
	return s;
}

static void zip(struct buf *out, const char *p, size_t n)
{
	z_stream z = { 0 };

	if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
		!buf_reserve(out, n + 1000))
		abort();
	z.next_in = (unsigned char *)(uintptr_t)p;
	z.avail_in = (unsigned)n;
	z.next_out = (unsigned char *)out->p + out->len;
	z.avail_out = (unsigned)(n + 1000);
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	out->len += z.total_out;
	deflateEnd(&z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf in = BUF_INIT(1 << 20), zipped = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20), *use = &in;

	if (n < 1 || n > 60000)
		return 0;
	uint8_t how = data[0];
	buf_add(&in, data + 1, n - 1);
	buf_str(&in, "\n" LAST "\n");
	if (how & 1) {
		size_t half = how & 2 ? in.len / 2 : in.len;
		zip(&zipped, in.p, half);
		if (how & 2)
			zip(&zipped, in.p + half, in.len - half);
		use = &zipped;
	}
	if ((how & 5) == 5) {
		zip(&twice, zipped.p, zipped.len);
		use = &twice;
	}
	struct seen a = read_all(use->p, use->len, use->len), b = read_all(use->p, use->len, 1 + how / 8 % 7);
	bool magic = in.len > 1 && in.p[0] == 0x1f && (uint8_t)in.p[1] == 0x8b; /* then it is taken as gzip */
	if (a.sum != b.sum || a.n != b.n || (!magic && !a.last))
		abort();
	buf_release(&in);
	buf_release(&zipped);
	buf_release(&twice);
	return 0;
}
