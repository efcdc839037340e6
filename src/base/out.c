/* out.c - whole lines to a descriptor, with every failure noticed. */
#include "base/out.h"
#include "base/fdio.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_SIZE ((size_t)256 << 10)

struct out {
	pthread_mutex_t lock;
	int fd;
	char *name;
	bool regular, ours;         /* ours: close it */
	struct err failed;          /* the first failure, for good */
	_Atomic int64_t writing_ms; /* monotonic, since when a write is under way; 0: none is */
	size_t len;
	char *p;
};

struct out *out_open_fd(int fd, const char *name)
{
	struct out *o = mem_alloc(sizeof(*o));
	struct stat st;

	pthread_mutex_init(&o->lock, NULL);
	o->fd = fd;
	o->name = mem_strdup(name);
	o->regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	o->p = mem_realloc(NULL, OUT_SIZE);
	return o;
}

/* A crash may have torn the last line; the next one must not be glued to it. */
static bool ends_torn(const char *path)
{
	char last = '\n';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	off_t end = lseek(fd, 0, SEEK_END);
	bool torn = end > 0 && fd_read_at(fd, &last, 1, (uint64_t)end - 1) == 1 && last != '\n';
	close(fd);
	return torn;
}

/* A named pipe is opened when it has a reader; waiting for one in open() itself would be deaf to the first
 * signal. */
static int open_append(const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY;
	int fd;

	while ((fd = open(path, flags | O_NONBLOCK, 0600)) < 0 && errno == ENXIO && !stop_requested())
		clock_sleep_ms(20);
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

struct out *out_open_file(const char *path, struct err *e)
{
	int fd = open_append(path);

	if (fd < 0) {
		err_errno(e, ERR_LOCAL, errno, "cannot open %s", path);
		return NULL;
	}
	struct out *o = out_open_fd(fd, path);
	o->ours = true;
	if (o->regular && ends_torn(path))
		o->p[o->len++] = '\n';
	return o;
}

/* ---- writing; the caller holds the lock ---- */

static int fail(struct out *o, int errnum)
{
	if (errnum == EPIPE || errnum == ECONNRESET)
		return err_set(&o->failed, ERR_PIPE, "", "%s: the reader has gone", o->name);
	return err_errno(&o->failed, ERR_LOCAL, errnum, "cannot write %s", o->name);
}

static int write_pieces(struct out *o, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(o->fd, p, n);

		if (w >= 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno == EAGAIN) {
			/* Someone at the other end of a shared terminal or pipe made it non-blocking. */
			struct pollfd wait = { .fd = o->fd, .events = POLLOUT };

			poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			return fail(o, errno);
		}
	}
	return 0;
}

static int write_all(struct out *o, const char *p, size_t n)
{
	if (o->regular)
		return write_pieces(o, p, n);
	atomic_store_explicit(&o->writing_ms, clock_mono_ms(), memory_order_relaxed);
	int rc = write_pieces(o, p, n);
	atomic_store_explicit(&o->writing_ms, 0, memory_order_relaxed);
	return rc;
}

static int flush(struct out *o)
{
	int rc = o->failed.cls == ERR_NONE ? write_all(o, o->p, o->len) : -1;

	o->len = 0;
	return rc;
}

static int put_line(struct out *o, const char *p, size_t n)
{
	if (o->failed.cls != ERR_NONE)
		return -1;
	if (n >= OUT_SIZE - o->len && flush(o) < 0)
		return -1;
	if (n >= OUT_SIZE) {
		if (write_all(o, p, n) < 0)
			return -1;
	} else if (n) {
		memcpy(o->p + o->len, p, n);
		o->len += n;
	}
	o->p[o->len++] = '\n';
	return 0;
}

/* ---- the public calls ---- */

static int finish(struct out *o, int rc, struct err *e)
{
	if (rc < 0 && e)
		*e = o->failed;
	pthread_mutex_unlock(&o->lock);
	return rc;
}

int out_line(struct out *o, const char *p, size_t n, struct err *e)
{
	pthread_mutex_lock(&o->lock);
	return finish(o, put_line(o, p, n), e);
}

int out_flush(struct out *o, struct err *e)
{
	pthread_mutex_lock(&o->lock);
	return finish(o, flush(o), e);
}

int out_soft_flush(struct out *o, struct err *e)
{
	pthread_mutex_lock(&o->lock);
	return finish(o, o->regular && o->failed.cls == ERR_NONE ? 0 : flush(o), e);
}

int out_sync(struct out *o, struct err *e)
{
	pthread_mutex_lock(&o->lock);
	int rc = flush(o);
	if (rc == 0 && o->regular && fsync(o->fd) != 0)
		rc = fail(o, errno);
	return finish(o, rc, e);
}

bool out_is_file(const struct out *o)
{
	return o->regular;
}

int out_poll_fd(const struct out *o)
{
	return o->regular ? -1 : o->fd;
}

int64_t out_blocked_ms(const struct out *o)
{
	int64_t since = atomic_load_explicit(&o->writing_ms, memory_order_relaxed);
	return since ? clock_mono_ms() - since : 0;
}

bool out_reader_gone(struct out *o)
{
	struct pollfd p = { .fd = o->fd };

	pthread_mutex_lock(&o->lock);
	bool gone = o->failed.cls == ERR_PIPE;
	pthread_mutex_unlock(&o->lock);
	/* A pipe without readers says POLLERR, a closed socket or terminal POLLHUP. */
	return gone || (!o->regular && poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0);
}

int out_close(struct out *o, struct err *e)
{
	if (!o)
		return 0;
	int rc = flush(o);
	/* Network file systems tell of a full disk at close; standard output stays open for others. */
	int fd = o->ours ? o->fd : o->regular ? dup(o->fd) : -1;
	if (fd >= 0 && close(fd) != 0 && errno != EINTR && rc == 0)
		rc = fail(o, errno);
	if (rc < 0 && e)
		*e = o->failed;
	pthread_mutex_destroy(&o->lock);
	free(o->name);
	free(o->p);
	free(o);
	return rc;
}
