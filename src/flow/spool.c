/* spool.c - records on disk: appended and synced, read in order, forgotten when they were acknowledged. */
#include "flow/spool.h"
#include "base/clock.h"
#include "flow/spool_int.h"
#include "base/fdio.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_MOST ((uint64_t)8 << 20)
#define SEGMENTS_AT_LEAST 8 /* so that a spool that is nearly full has room again before all of it was sent */
#define POSITION_EVERY                                                                                       \
	32 /* acknowledged records: what a kill sends again at most, beside what is in flight */
#define POSITION_SYNC_MS 1000

/* ---- opening ---- */

/* What was sent before is gone, or is passed over. */
static void drop_done(struct spool *s)
{
	size_t n = 0;
	while (n < s->nsegs && s->segs[n].no < s->done.segment)
		n++;
	for (size_t i = 0; i < n; i++) {
		s->used -= s->segs[i].size;
		spool_segment_drop(s, s->segs[i].no, NULL);
	}
	s->nsegs -= n;
	if (n)
		memmove(s->segs, s->segs + n, s->nsegs * sizeof *s->segs);
	if (s->nsegs && s->segs[0].no > s->done.segment)
		s->done = (struct spool_mark){ .segment = s->segs[0].no };
}

static int scan_segment(struct spool *s, const struct segment *seg,
	void (*each)(const struct spool_record *r, void *arg), void *arg, struct err *e)
{
	struct frames f = { .fd = spool_segment_open(s, seg->no, false, e), .end = seg->size };
	struct frame fr;
	int rc = f.fd < 0 ? -1 : 0;
	if (s->done.segment == seg->no)
		f.off = s->done.offset < seg->size ? s->done.offset : seg->size;
	while (rc == 0) {
		enum frame_result got = frames_next(&f, &fr, e);
		if (got == FRAME_RECORD) {
			s->state.left++;
			fr.record.end.segment = seg->no;
			if (each)
				each(&fr.record, arg);
		} else if (got == FRAME_DAMAGED) {
			rc = spool_damaged(s, f.fd, seg->no, &fr, e);
		} else {
			rc = got == FRAME_ERROR ? -1 : 0;
			break;
		}
	}
	if (f.fd >= 0)
		close(f.fd);
	frames_release(&f);
	return rc;
}

int spool_open(struct spool **out, const struct spool_conf *c,
	void (*each)(const struct spool_record *r, void *arg), void *arg, struct err *e)
{
	struct spool *s = mem_alloc(sizeof *s);
	pthread_mutex_init(&s->lock, NULL);
	s->dir = mem_strdup(c->dir);
	s->dirfd = s->lockfd = s->posfd = s->fd = s->in.fd = -1;
	s->max = c->max_bytes;
	s->segment_max = c->max_bytes / SEGMENTS_AT_LEAST;
	if (s->segment_max > SEGMENT_MOST)
		s->segment_max = SEGMENT_MOST;
	buf_init(&s->out, 2 * FRAME_MOST);
	int rc = spool_dir_open(s, c, e);
	s->last_no = s->done.segment;
	if (rc == 0 && s->nsegs && s->segs[s->nsegs - 1].no > s->last_no)
		s->last_no = s->segs[s->nsegs - 1].no;
	if (rc == 0)
		drop_done(s);
	for (size_t i = 0; rc == 0 && i < s->nsegs; i++)
		rc = scan_segment(s, &s->segs[i], each, arg, e);
	if (rc == 0) {
		if (s->state.left == 0 && s->nsegs) {
			s->done = (struct spool_mark){ .segment = s->last_no + 1 };
			drop_done(s);
			s->done.segment--;
		}
		*out = s;
		return 0;
	}
	spool_close(s, NULL);
	return -1;
}

/* ---- appending; the lock is held ---- */

static int new_segment(struct spool *s, struct err *e)
{
	int fd = spool_segment_open(s, s->last_no + 1, true, e);
	if (fd < 0)
		return -1;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->segs = mem_realloc(s->segs, (s->nsegs + 1) * sizeof *s->segs);
	s->segs[s->nsegs++] = (struct segment){ .no = ++s->last_no };
	return 0;
}

/* Bytes that are not known to be on disk do not count: the segment ends where it ended. */
static int take_back(struct spool *s, struct segment *seg, struct err *e)
{
	int rc = err_errno(e, ERR_LOCAL, errno, "spool %s: cannot write", s->dir);
	if (ftruncate(s->fd, (off_t)seg->size) || fsync(s->fd)) {
		close(s->fd); /* readers stop at seg->size; a later process sends what it finds whole behind that */
		s->fd = -1;
	}
	return rc;
}

static int write_out(struct spool *s, struct err *e)
{
	struct segment *seg = s->nsegs && s->fd >= 0 ? &s->segs[s->nsegs - 1] : NULL;
	if (!seg || (seg->size && seg->size + s->out.len > s->segment_max)) {
		if (new_segment(s, e))
			return -1;
		seg = &s->segs[s->nsegs - 1];
	}
	if (!fd_write_at(s->fd, s->out.p, s->out.len, seg->size) || fdatasync(s->fd))
		return take_back(s, seg, e);
	seg->size += s->out.len;
	s->used += s->out.len;
	return 0;
}

int spool_append(struct spool *s, const struct put *v, size_t n, struct err *e)
{
	int rc = 0;
	pthread_mutex_lock(&s->lock);
	buf_reset(&s->out);
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (!frame_add(&s->out, &v[i]))
			rc = err_set(e, ERR_INTERNAL, "", "spool %s: too much at once", s->dir);
	if (rc == 0 && s->used + s->out.len > s->max)
		rc = err_set(e, ERR_UNAVAILABLE, "spool-full", "spool %s: full", s->dir);
	if (rc == 0)
		rc = write_out(s, e);
	if (rc == 0)
		s->state.left += n;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- reading ---- */

/* Stand at the end of what may be read, in the segment that has the next record. False: there is none. */
static bool find_next(struct spool *s, struct segment *seg)
{
	bool found = false;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->nsegs && !found; i++) {
		*seg = s->segs[i];
		found = seg->no > s->in_no || (seg->no == s->in_no && s->in.off < seg->size);
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

static int open_next(struct spool *s, const struct segment *seg, struct err *e)
{
	int fd = spool_segment_open(s, seg->no, false, e);
	if (fd < 0)
		return -1;
	if (s->in.fd >= 0)
		close(s->in.fd);
	buf_reset(&s->in.window);
	s->in.win_off = s->in.off = 0;
	s->in.fd = fd;
	s->in_no = seg->no;
	pthread_mutex_lock(&s->lock);
	if (s->done.segment == seg->no)
		s->in.off = s->done.offset < seg->size ? s->done.offset : seg->size;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int spool_next(struct spool *s, struct spool_record *out, struct err *e)
{
	struct segment seg;
	struct frame f;
	while (find_next(s, &seg)) {
		if (seg.no != s->in_no && open_next(s, &seg, e))
			return -1;
		s->in.end = seg.size;
		switch (frames_next(&s->in, &f, e)) {
		case FRAME_ERROR: return err_prefix(e, "spool %s: ", s->dir);
		case FRAME_DAMAGED:
			if (spool_damaged(s, s->in.fd, seg.no, &f, e))
				return -1;
			break;
		case FRAME_RECORD:
			*out = f.record;
			out->end.segment = seg.no;
			return 1;
		case FRAME_END: break;
		}
	}
	return 0;
}

/* ---- acknowledging ---- */

static int note_position(struct spool *s, bool sync, struct err *e)
{
	int64_t now = clock_mono_ms();
	sync = sync || now - s->synced_ms >= POSITION_SYNC_MS;
	if (spool_position_write(s, &s->done, sync, e))
		return -1;
	s->unnoted = 0;
	if (sync)
		s->synced_ms = now;
	return 0;
}

/* All is sent: nothing needs to stay. The lock is held. */
static bool all_done(const struct spool *s)
{
	const struct segment *last = s->nsegs ? &s->segs[s->nsegs - 1] : NULL;
	return last && last->no == s->done.segment && s->done.offset >= last->size;
}

int spool_ack(struct spool *s, const struct spool_mark *upto, uint64_t n, struct err *e)
{
	int rc = 0;
	pthread_mutex_lock(&s->lock);
	bool passed = upto->segment != s->done.segment;
	s->done = *upto;
	s->state.left -= n;
	s->unnoted += n;
	bool all = all_done(s);
	if (passed || all || s->unnoted >= POSITION_EVERY)
		rc = note_position(s, false, e);
	if (rc == 0 && passed)
		drop_done(s);
	if (rc == 0 && all) {
		if (s->fd >= 0)
			close(s->fd);
		s->fd = -1;
		rc = spool_segment_drop(s, s->segs[0].no, e);
		s->nsegs = 0;
		s->used = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int spool_note(struct spool *s, struct err *e)
{
	pthread_mutex_lock(&s->lock);
	int rc = s->unnoted ? note_position(s, false, e) : 0;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

struct spool_state spool_state(struct spool *s)
{
	pthread_mutex_lock(&s->lock);
	struct spool_state st = s->state;
	pthread_mutex_unlock(&s->lock);
	return st;
}

int spool_close(struct spool *s, struct err *e)
{
	int rc = 0;
	if (!s)
		return 0;
	if (s->unnoted)
		rc = note_position(s, true, e);
	const int fds[] = { s->fd, s->in.fd, s->posfd, s->lockfd, s->dirfd };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	frames_release(&s->in);
	buf_release(&s->out);
	pthread_mutex_destroy(&s->lock);
	free(s->segs);
	free(s->dir);
	free(s);
	return rc;
}
