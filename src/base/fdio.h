/* fdio.h - reads and writes of files at a place, whole: a signal or a short count in between is gone on from. Thread-safe. */
#ifndef RECAGENT_BASE_FDIO_H
#define RECAGENT_BASE_FDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Up to n bytes, fewer only at the end of the file; -1 with errno. */
ssize_t fd_read_at(int fd, void *p, size_t n, uint64_t at);
/* All of them, or false with errno. */
bool fd_write_at(int fd, const void *p, size_t n, uint64_t at);

#endif
