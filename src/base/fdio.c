/* fdio.c - pread and pwrite until all is done. */
#include "base/fdio.h"

#include <errno.h>
#include <unistd.h>

ssize_t fd_read_at(int fd, void *p, size_t n, uint64_t at)
{
	size_t got = 0;
	while (got < n) {
		ssize_t r = pread(fd, (char *)p + got, n - got, (off_t)(at + got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

bool fd_write_at(int fd, const void *p, size_t n, uint64_t at)
{
	for (size_t put = 0; put < n;) {
		ssize_t w = pwrite(fd, (const char *)p + put, n - put, (off_t)(at + put));
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return false;
		put += (size_t)w;
	}
	return true;
}
