/* spool_dir.c - the directory of a spool: its lock, its target, its segments, its position. */
#include "base/digest.h"
#include "base/fdio.h"
#include "flow/spool_int.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT 80 /* bytes of a position as text, padded */
#define NAME_LEN 32

static int trouble(const struct spool *s, const char *name, const char *what, struct err *e)
{
	return err_errno(
		e, ERR_LOCAL, errno, "spool %s: %s%scannot %s", s->dir, name, *name ? ": " : "", what);
}

static void segment_name(char out[NAME_LEN], uint64_t no)
{
	snprintf(out, NAME_LEN, "lines.%08" PRIu64, no);
}

int spool_dir_sync(struct spool *s, struct err *e)
{
	return fsync(s->dirfd) ? trouble(s, "", "sync the directory", e) : 0;
}

int spool_segment_open(struct spool *s, uint64_t no, bool create, struct err *e)
{
	char name[NAME_LEN];
	segment_name(name, no);
	int flags = create ? O_RDWR | O_CREAT | O_EXCL : O_RDONLY;
	/* Not to wait for a writer, should it be a named pipe; reading it fails then. */
	int fd = openat(s->dirfd, name, flags | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return trouble(s, name, create ? "create" : "open", e);
	if (create && spool_dir_sync(s, e)) {
		close(fd);
		unlinkat(s->dirfd, name, 0);
		return -1;
	}
	return fd;
}

int spool_segment_drop(struct spool *s, uint64_t no, struct err *e)
{
	char name[NAME_LEN];
	segment_name(name, no);
	if (unlinkat(s->dirfd, name, 0) && errno != ENOENT)
		return trouble(s, name, "delete", e);
	return 0;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* A whole small file, or nothing of it: written beside, synced, renamed. */
static int write_file(struct spool *s, const char *name, const char *text, struct err *e)
{
	int fd = openat(s->dirfd, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return trouble(s, name, "create", e);
	int rc = write_all(fd, text, strlen(text)) || fsync(fd) ? trouble(s, name, "write", e) : 0;
	if (close(fd) && rc == 0)
		rc = trouble(s, name, "write", e);
	if (rc == 0 && renameat(s->dirfd, "new", s->dirfd, name))
		rc = trouble(s, name, "rename", e);
	if (rc)
		unlinkat(s->dirfd, "new", 0);
	return rc ? -1 : spool_dir_sync(s, e);
}

/* At most cap - 1 bytes and a NUL; the length, -1 unreadable, -2 no such file. */
static ssize_t read_small(int dirfd, const char *name, char *out, size_t cap)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? -2 : -1;
	ssize_t n = fd_read_at(fd, out, cap - 1, 0);
	int saved = errno;
	close(fd);
	errno = saved;
	out[n > 0 ? n : 0] = '\0';
	return n;
}

/* ---- lock and target ---- */

static int take_lock(struct spool *s, struct err *e)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	s->lockfd = openat(s->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lockfd < 0)
		return trouble(s, "lock", "open", e);
	if (fcntl(s->lockfd, F_SETLK, &all) == 0)
		return 0;
	if (errno != EACCES && errno != EAGAIN)
		return trouble(s, "lock", "lock", e);
	if (fcntl(s->lockfd, F_GETLK, &all) == 0 && all.l_type != F_UNLCK)
		return err_set(e, ERR_LOCAL, "spool-in-use", "spool %s: process %ld is using it", s->dir,
			(long)all.l_pid);
	return err_set(e, ERR_LOCAL, "spool-in-use", "spool %s: another process is using it", s->dir);
}

/* A directory with other things in it was meant for something else. */
static int check_empty(struct spool *s, struct err *e)
{
	int fd = openat(s->dirfd, ".", O_RDONLY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return trouble(s, "", "list the directory", e);
	}
	int rc = 0;
	for (struct dirent *it; rc == 0 && (it = readdir(d));)
		if (strcmp(it->d_name, ".") && strcmp(it->d_name, "..") && strcmp(it->d_name, "lock") &&
			strcmp(it->d_name, "new"))
			rc = err_set(e, ERR_USAGE, "", "%s is no spool: it holds %s", s->dir, it->d_name);
	closedir(d);
	return rc;
}

static int check_target(struct spool *s, const struct spool_conf *c, struct err *e)
{
	char want[4096], got[4096];
	snprintf(want, sizeof want, "recagent spool 1\nstream %s\nat %s\n", c->stream, c->at);
	ssize_t n = read_small(s->dirfd, "spool", got, sizeof got);
	if (n == -1)
		return trouble(s, "spool", "read", e);
	if (n == -2)
		return check_empty(s, e) ? -1 : write_file(s, "spool", want, e);
	if (strcmp(got, want) == 0)
		return 0;
	char stream[200] = "?", at[1024] = "?";
	if (sscanf(got, "recagent spool 1\nstream %199[^\n]\nat %1023[^\n]", stream, at) != 2)
		return err_set(e, ERR_USAGE, "", "spool %s: its file `spool` is not of this version", s->dir);
	return err_set(e, ERR_USAGE, "", "spool %s holds lines for stream %s at %s, not for %s at %s", s->dir,
		stream, at, c->stream, c->at);
}

/* ---- segments ---- */

static int by_number(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;
	return x->no < y->no ? -1 : x->no > y->no;
}

static int list_segments(struct spool *s, struct err *e)
{
	int fd = openat(s->dirfd, ".", O_RDONLY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;
	if (!d) {
		if (fd >= 0)
			close(fd);
		return trouble(s, "", "list the directory", e);
	}
	for (struct dirent *it; rc == 0 && (it = readdir(d));) {
		struct segment seg;
		struct stat st;
		char back[NAME_LEN];
		if (sscanf(it->d_name, "lines.%" SCNu64, &seg.no) != 1)
			continue;
		segment_name(back, seg.no);
		if (strcmp(back, it->d_name) != 0)
			continue;
		if (fstatat(s->dirfd, it->d_name, &st, 0)) {
			rc = trouble(s, it->d_name, "look at", e);
			break;
		}
		seg.size = (uint64_t)st.st_size;
		s->segs = mem_realloc(s->segs, (s->nsegs + 1) * sizeof *s->segs);
		s->segs[s->nsegs++] = seg;
		s->used += seg.size;
	}
	closedir(d);
	if (s->nsegs)
		qsort(s->segs, s->nsegs, sizeof *s->segs, by_number);
	return rc;
}

/* ---- position ---- */

int spool_position_write(struct spool *s, const struct spool_mark *m, bool sync, struct err *e)
{
	char slot[SLOT + 1], body[SLOT];
	snprintf(body, sizeof body, "%" PRIu64 " %" PRIu64 " %" PRIu64, ++s->turn, m->segment, m->offset);
	int n = snprintf(slot, sizeof slot, "%s %08" PRIx32, body, crc32_of(body, strlen(body)));
	memset(slot + n, ' ', (size_t)(SLOT - 1 - n));
	slot[SLOT - 1] = '\n';
	if (!fd_write_at(s->posfd, slot, SLOT, s->turn % 2 * SLOT))
		return trouble(s, "position", "write", e);
	return sync && fdatasync(s->posfd) ? trouble(s, "position", "sync", e) : 0;
}

static bool read_slot(const char *p, uint64_t *turn, struct spool_mark *m)
{
	char body[SLOT];
	uint32_t crc;
	if (sscanf(p, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNx32, turn, &m->segment, &m->offset, &crc) !=
		4)
		return false;
	snprintf(body, sizeof body, "%" PRIu64 " %" PRIu64 " %" PRIu64, *turn, m->segment, m->offset);
	return crc == crc32_of(body, strlen(body));
}

/* The newer one of the slots that are whole. With none all is sent again. */
static int read_position(struct spool *s, struct err *e)
{
	char text[2 * SLOT + 1];
	s->posfd = openat(s->dirfd, "position", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->posfd < 0)
		return trouble(s, "position", "open", e);
	ssize_t n = fd_read_at(s->posfd, text, 2 * SLOT, 0);
	if (n < 0)
		return trouble(s, "position", "read", e);
	text[n] = '\0';
	for (size_t at = 0; at + SLOT <= (size_t)n; at += SLOT) {
		uint64_t turn;
		struct spool_mark m;
		text[at + SLOT - 1] = '\0';
		if (read_slot(text + at, &turn, &m) && turn > s->turn) {
			s->turn = turn;
			s->done = m;
		}
	}
	return 0;
}

/* ---- damage ---- */

int spool_damaged(struct spool *s, int fd, uint64_t no, const struct frame *f, struct err *e)
{
	char name[64], block[4096];
	snprintf(name, sizeof name, "damaged.%08" PRIu64 ".%" PRIu64, no, f->from);
	int out = openat(s->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0 && errno == EEXIST)
		return 0;
	if (out < 0)
		return trouble(s, name, "create", e);
	int rc = 0;
	for (uint64_t off = f->from; rc == 0 && off < f->to;) {
		size_t n = f->to - off < sizeof block ? (size_t)(f->to - off) : sizeof block;
		ssize_t got = fd_read_at(fd, block, n, off);
		if (got <= 0 || write_all(out, block, (size_t)got))
			rc = trouble(s, name, "write", e);
		else
			off += (uint64_t)got;
	}
	if (rc == 0 && fsync(out))
		rc = trouble(s, name, "sync", e);
	close(out);
	if (rc)
		unlinkat(s->dirfd, name, 0);
	else
		rc = spool_dir_sync(s, e);
	pthread_mutex_lock(&s->lock);
	s->state.damaged += !f->cut;
	s->state.cut |= f->cut;
	snprintf(s->state.file, sizeof s->state.file, "%s", name);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* A new directory's own entry must last as long as what is put in it. */
static int sync_parent(struct spool *s, struct err *e)
{
	int fd = openat(s->dirfd, "..", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? 0 : trouble(s, "..", "open", e);
	int rc = fsync(fd) && errno != EINVAL ? trouble(s, "..", "sync", e) : 0;
	close(fd);
	return rc;
}

int spool_dir_open(struct spool *s, const struct spool_conf *c, struct err *e)
{
	bool fresh = mkdir(c->dir, 0700) == 0;
	if (!fresh && errno != EEXIST)
		return trouble(s, "", "create", e);
	s->dirfd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0)
		return trouble(s, "", "open", e);
	if ((fresh && sync_parent(s, e)) || take_lock(s, e) || check_target(s, c, e))
		return -1;
	return list_segments(s, e) || read_position(s, e) ? -1 : 0;
}
