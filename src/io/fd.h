/* Small helpers for descriptors. Every descriptor that Mitosis makes is close-on-exec. */
#ifndef IO_FD_H
#define IO_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Closes *fd unless it is -1, sets it to -1, keeps errno. */
void fd_close(int *fd);
static inline void fd_closep(int *fd)
{
    fd_close(fd);
}
#define AUTO_FD __attribute__((cleanup(fd_closep))) int
/* What was in it, which is the caller's from now on. */
static inline int fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* A connected pair of stream sockets; `nonblocking` is for the first only. The numbers are above 2
 * also when the program runs with its standard descriptors closed. */
int fd_socketpair(int out[2], bool nonblocking);
/* A pipe, [0] to read; the reading end does not block. */
int fd_pipe(int out[2]);
int fd_set_nonblocking(int fd);
/* Is it a socket (so that send(2) with MSG_NOSIGNAL works)? */
bool fd_is_socket(int fd);
/* Moves *fd to a number >= at_least; close-on-exec. -1 with errno, and not moved, if that fails. */
int fd_move_up(int *fd, int at_least);
enum { FD_OUT_OF_THE_WAY = 100 };
/* Moves *fd out of the way of the standard descriptors, which children get replaced, and, where the
 * limit allows, of the low numbers that user functions may guess and close. */
int fd_move_away(int *fd);
/* Closes every descriptor >= lowest but `keep` (-1: none). */
void fd_close_from(int lowest, int keep);
/* Closes what execve(2) would close, but `keep`: in a process that was forked and goes on. */
void fd_close_on_fork(int keep);
/* A file in memory alone, or where the kernel has no such thing one without a name. */
int fd_memory(const char *name);
/* Writes all of it to a blocking descriptor. 0 or -1 with errno. */
int fd_write_all(int fd, const void *data, size_t length);

#endif
