/* fail.c - a library to be preloaded: the n-th call of one kind fails, once.
 *
 * $TORTURE is a file that holds struct torture: the kind and the number of the call that is to fail (0 none) go in, counts and
 * whether it was reached come out. It is mapped, so that counts outlive any kind of end. The process that finds $TORTURE
 * takes it out of its environment: its children are left alone. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { ALLOC, OPEN, READ, WRITE, FSYNC, RENAME, TRUNCATE, SEND, RECV, THREAD, SHORT, INTR, KINDS };

struct torture {
	uint64_t kind, at, hit;
	_Atomic uint64_t counts[KINDS];
};

static struct torture *shared;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("TORTURE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *p = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	unsetenv("TORTURE");
	unsetenv("LD_PRELOAD");
	if (p != MAP_FAILED)
		shared = p;
}

static int fails(enum kind k)
{
	if (!shared)
		return 0;
	uint64_t n = atomic_fetch_add(&shared->counts[k], 1) + 1;
	if (shared->kind != (uint64_t)k || n != shared->at)
		return 0;
	shared->hit = 1;
	if (getenv("TORTURE_TRAP"))
		__builtin_trap();
	return 1;
}

/* The function behind this one, looked up once. */
#define NEXT(name)                                                                                           \
	static __typeof__(name) *next;                                                                       \
	if (!next)                                                                                           \
	next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#ifndef NO_ALLOC
void *malloc(size_t n)
{
	if (fails(ALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	if (fails(ALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	if (fails(ALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, n);
}
#endif

#define FAIL(kind, error)                                                                                    \
	if (fails(kind)) {                                                                                   \
		errno = error;                                                                               \
		return -1;                                                                                   \
	}
/* A signal came first, nothing was done; or a first byte only was. */
#define INTERRUPTED() FAIL(INTR, EINTR)
#define SHORTEN(n)                                                                                           \
	if ((n) > 1 && fails(SHORT))                                                                         \
	(n) = 1

ssize_t read(int fd, void *p, size_t n)
{
	NEXT(read);
	FAIL(READ, EIO)
	INTERRUPTED()
	SHORTEN(n);
	return next(fd, p, n);
}

ssize_t pread64(int fd, void *p, size_t n, off64_t off)
{
	NEXT(pread64);
	FAIL(READ, EIO)
	INTERRUPTED()
	return next(fd, p, n, off);
}

ssize_t pread(int fd, void *p, size_t n, off_t off)
{
	NEXT(pread);
	FAIL(READ, EIO)
	INTERRUPTED()
	return next(fd, p, n, off);
}

ssize_t write(int fd, const void *p, size_t n)
{
	NEXT(write);
	FAIL(WRITE, ENOSPC)
	INTERRUPTED()
	SHORTEN(n);
	return next(fd, p, n);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t off)
{
	NEXT(pwrite64);
	FAIL(WRITE, ENOSPC)
	INTERRUPTED()
	return next(fd, p, n, off);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t off)
{
	NEXT(pwrite);
	FAIL(WRITE, ENOSPC)
	INTERRUPTED()
	return next(fd, p, n, off);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	NEXT(writev);
	FAIL(WRITE, ENOSPC)
	INTERRUPTED()
	return next(fd, v, n);
}

int fsync(int fd)
{
	NEXT(fsync);
	FAIL(FSYNC, EIO)
	return next(fd);
}

int fdatasync(int fd)
{
	NEXT(fdatasync);
	FAIL(FSYNC, EIO)
	return next(fd);
}

int rename(const char *from, const char *to)
{
	NEXT(rename);
	FAIL(RENAME, EIO)
	return next(from, to);
}

int renameat(int a, const char *from, int b, const char *to)
{
	NEXT(renameat);
	FAIL(RENAME, EIO)
	return next(a, from, b, to);
}

int ftruncate64(int fd, off64_t n)
{
	NEXT(ftruncate64);
	FAIL(TRUNCATE, EIO)
	return next(fd, n);
}

int ftruncate(int fd, off_t n)
{
	NEXT(ftruncate);
	FAIL(TRUNCATE, EIO)
	return next(fd, n);
}

static int mode_of(int flags, va_list ap)
{
	return flags & O_CREAT ? va_arg(ap, int) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	NEXT(open);
	va_start(ap, flags);
	int mode = mode_of(flags, ap);
	va_end(ap);
	FAIL(OPEN, EMFILE)
	return next(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	NEXT(open64);
	va_start(ap, flags);
	int mode = mode_of(flags, ap);
	va_end(ap);
	FAIL(OPEN, EMFILE)
	return next(path, flags, mode);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	NEXT(send);
	FAIL(SEND, ECONNRESET)
	INTERRUPTED()
	SHORTEN(n);
	return next(fd, p, n, flags);
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	NEXT(recv);
	FAIL(RECV, ECONNRESET)
	INTERRUPTED()
	SHORTEN(n);
	return next(fd, p, n, flags);
}

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
	NEXT(pthread_create);
	if (fails(THREAD))
		return EAGAIN;
	return next(t, a, f, arg);
}
