/* spool_fuzz.c - libFuzzer target: any bytes as a segment of a spool; and whole records behind damage.
 *
 * Frames that the input has no checksum for are made from it: 'R' and a length begin one. Checked: no bad access, the file is
 * passed over from its first byte to its last without a gap or a step back, and the whole record at the end is always found. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/mem.h"
#include "flow/spool_frame.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void put(struct buf *out, const char *p, size_t n, const char *key)
{
	struct put in = { .data = p, .len = n, .partition_key = key };
	check(frame_add(out, &in));
}

static void build(struct buf *out, const char *p, size_t n)
{
	while (n) {
		if (p[0] == 'R' && n > 2) {
			size_t len = (unsigned char)p[1] < n - 2 ? (unsigned char)p[1] : n - 2;
			put(out, p + 2, len, "k");
			p += 2 + len;
			n -= 2 + len;
		} else {
			buf_char(out, *p++);
			n--;
		}
	}
	put(out, "last", 4, "last");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf file = BUF_INIT(1 << 22);
	struct frame v;
	struct err e = { 0 };
	bool last = false;
	enum frame_result got;
	build(&file, (const char *)data, n);
	int fd = memfd_create("spool", 0);
	check(fd >= 0 && write(fd, file.p, file.len) == (ssize_t)file.len);
	struct frames f = { .fd = fd, .end = file.len };
	uint64_t at = 0;
	while ((got = frames_next(&f, &v, &e)) > 0) {
		last = false;
		if (got == FRAME_DAMAGED) {
			check(v.from == at && v.to > v.from && v.to <= file.len);
			at = v.to;
		} else {
			check(v.record.end.offset > at && v.record.end.offset <= file.len);
			at = v.record.end.offset;
			last = v.record.len == 4 && !memcmp(v.record.data, "last", 4) &&
			       !strcmp(v.record.partition_key, "last");
		}
	}
	check(got == FRAME_END && at == file.len && last);
	frames_release(&f);
	close(fd);
	buf_release(&file);
	return 0;
}
