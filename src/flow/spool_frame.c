/* spool_frame.c - a spool's records as bytes, and back. */
#include "flow/spool_frame.h"
#include "base/digest.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define HEAD ((size_t)16)
#define LENGTHS ((size_t)4)
#define READ_AT_ONCE ((size_t)256 << 10)

static const char magic[4] = { '\xa6', 'r', 's', '1' };

static void put_u32(char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(v >> 8 * i);
}

static uint32_t get_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

bool frame_add(struct buf *out, const struct put *p)
{
	size_t klen = strlen(p->partition_key),
	       hlen = p->explicit_hash_key ? strlen(p->explicit_hash_key) : 0;
	size_t body = LENGTHS + klen + hlen + p->len, at = out->len;
	char head[HEAD] = { 0 };
	if (klen > UINT16_MAX || hlen > UINT16_MAX || body > FRAME_MOST || !buf_reserve(out, HEAD + body))
		return false;
	buf_add(out, head, HEAD);
	put_u32(head, (uint32_t)klen | (uint32_t)hlen << 16);
	buf_add(out, head, LENGTHS);
	buf_add(out, p->partition_key, klen);
	buf_add(out, p->explicit_hash_key, hlen);
	buf_add(out, p->data, p->len);
	memcpy(head, magic, sizeof magic);
	put_u32(head + 4, (uint32_t)body);
	put_u32(head + 8, crc32_of(out->p + at + HEAD, body));
	put_u32(head + 12, crc32_of(head, 12));
	memcpy(out->p + at, head, HEAD);
	return true;
}

/* n bytes of the file at off, which is not beyond the end; NULL with e. */
static const char *bytes_at(struct frames *f, uint64_t off, size_t n, struct err *e)
{
	if (off < f->win_off || off + n > f->win_off + f->window.len) {
		/* Beyond the end somebody may be writing. */
		size_t want = f->end - off < READ_AT_ONCE ? (size_t)(f->end - off) : READ_AT_ONCE;
		want = want > n ? want : n;
		f->window.max = FRAME_MOST + HEAD + READ_AT_ONCE;
		buf_reset(&f->window);
		f->win_off = off;
		if (!buf_reserve(&f->window, want)) {
			err_set(e, ERR_INTERNAL, "", "a frame is too large");
			return NULL;
		}
		while (f->window.len < n) {
			ssize_t got = pread(f->fd, f->window.p + f->window.len, want - f->window.len,
				(off_t)(off + f->window.len));
			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0) {
				err_errno(e, ERR_LOCAL, got ? errno : EIO, "cannot read a segment");
				return NULL;
			}
			f->window.len += (size_t)got;
		}
	}
	return f->window.p + (off - f->win_off);
}

enum found { NO_FRAME, CUT_FRAME, WHOLE_FRAME, UNREADABLE };

/* Is there a frame at off? *len: of all of it. */
static enum found look(struct frames *f, uint64_t off, size_t *len, struct err *e)
{
	if (f->end - off < HEAD) {
		const char *p = bytes_at(f, off, (size_t)(f->end - off), e);
		size_t n = f->end - off < sizeof magic ? (size_t)(f->end - off) : sizeof magic;
		return !p ? UNREADABLE : memcmp(p, magic, n) == 0 ? CUT_FRAME : NO_FRAME;
	}
	const char *p = bytes_at(f, off, HEAD, e);
	if (!p)
		return UNREADABLE;
	size_t body = get_u32(p + 4);
	uint32_t crc = get_u32(p + 8);
	if (memcmp(p, magic, sizeof magic) != 0 || get_u32(p + 12) != crc32_of(p, 12) || body < LENGTHS ||
		body > FRAME_MOST)
		return NO_FRAME;
	if (f->end - off - HEAD < body)
		return CUT_FRAME;
	p = bytes_at(f, off, HEAD + body, e);
	if (!p)
		return UNREADABLE;
	uint32_t lengths = get_u32(p + HEAD);
	if (crc32_of(p + HEAD, body) != crc || LENGTHS + (lengths & UINT16_MAX) + (lengths >> 16) > body)
		return NO_FRAME;
	*len = HEAD + body;
	return WHOLE_FRAME;
}

/* The next place behind off where a frame may begin, or the end. */
static int seek(struct frames *f, uint64_t *off, struct err *e)
{
	for (++*off; *off < f->end;) {
		size_t n = f->end - *off < 4096 ? (size_t)(f->end - *off) : 4096;
		const char *p = bytes_at(f, *off, n, e), *hit;
		if (!p)
			return -1;
		hit = memchr(p, magic[0], n);
		if (hit) {
			*off += (uint64_t)(hit - p);
			return 0;
		}
		*off += n;
	}
	return 0;
}

static void take(struct frames *f, struct frame *out, size_t len)
{
	const char *p = f->window.p + (f->off - f->win_off) + HEAD;
	uint32_t lengths = get_u32(p);
	size_t klen = lengths & UINT16_MAX, hlen = lengths >> 16;
	p += LENGTHS;
	f->texts.max = 2 * ((size_t)UINT16_MAX + 1);
	buf_reset(&f->texts);
	buf_reserve(&f->texts, klen + hlen + 2);
	buf_add(&f->texts, p, klen);
	buf_char(&f->texts, '\0');
	buf_add(&f->texts, p + klen, hlen);
	f->off += len;
	out->record = (struct spool_record){ .partition_key = f->texts.p,
		.explicit_hash_key = hlen ? f->texts.p + klen + 1 : NULL,
		.data = p + klen + hlen,
		.len = len - HEAD - LENGTHS - klen - hlen,
		.end = { .offset = f->off } };
}

enum frame_result frames_next(struct frames *f, struct frame *out, struct err *e)
{
	uint64_t off = f->off;
	size_t len = 0;
	bool cut = false;
	*out = (struct frame){ .from = off };
	while (off < f->end) {
		enum found found = look(f, off, &len, e);
		if (found == UNREADABLE)
			return FRAME_ERROR;
		if (found == WHOLE_FRAME)
			break;
		cut |= found == CUT_FRAME && off == f->off;
		if (seek(f, &off, e))
			return FRAME_ERROR;
	}
	if (off > f->off) {
		out->to = f->off = off;
		out->cut = cut && off == f->end;
		return FRAME_DAMAGED;
	}
	if (off >= f->end)
		return FRAME_END;
	take(f, out, len);
	return FRAME_RECORD;
}

void frames_release(struct frames *f)
{
	buf_release(&f->window);
	buf_release(&f->texts);
}
