#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

enum { OLD_KERNEL_FDS = 65536 }; /* closed one by one where there is no close_range(2) */

void fd_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

int fd_move_up(int *fd, int at_least)
{
    if (*fd >= at_least)
        return 0;
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, at_least);
    if (moved < 0)
        return -1;
    close(*fd);
    *fd = moved;
    return 0;
}

int fd_move_away(int *fd)
{
    return fd_move_up(fd, FD_OUT_OF_THE_WAY) == 0 ? 0 : fd_move_up(fd, 3);
}

static int move_away(int pair[2])
{
    if (fd_move_away(&pair[0]) == 0 && fd_move_away(&pair[1]) == 0)
        return 0;
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    return error_errno("fcntl(F_DUPFD_CLOEXEC)");
}

int fd_socketpair(int out[2], bool nonblocking)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) < 0)
        return error_errno("socketpair");
    if (move_away(out) < 0)
        return -1;
    if (nonblocking && fd_set_nonblocking(out[0]) < 0) {
        fd_close(&out[0]);
        fd_close(&out[1]);
        return -1;
    }
    return 0;
}

int fd_pipe(int out[2])
{
    if (pipe2(out, O_CLOEXEC) < 0)
        return error_errno("pipe2");
    if (move_away(out) < 0)
        return -1;
    if (fd_set_nonblocking(out[0]) < 0) {
        fd_close(&out[0]);
        fd_close(&out[1]);
        return -1;
    }
    return 0;
}

int fd_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno("fcntl(O_NONBLOCK)");
    return 0;
}

bool fd_is_socket(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

#ifdef SYS_close_range
static bool close_range_from(int lowest, int keep)
{
    if (keep < lowest)
        return syscall(SYS_close_range, lowest, ~0u, 0) == 0;
    if (keep > lowest && syscall(SYS_close_range, lowest, keep - 1, 0) != 0)
        return false;
    return syscall(SYS_close_range, keep + 1, ~0u, 0) == 0;
}
#else
static bool close_range_from(int lowest, int keep)
{
    (void)lowest;
    (void)keep;
    return false;
}
#endif

void fd_close_from(int lowest, int keep)
{
    if (close_range_from(lowest, keep))
        return;
    for (int fd = lowest; fd < OLD_KERNEL_FDS; fd++) {
        if (fd != keep)
            close(fd);
    }
}

void fd_close_on_fork(int keep)
{
    struct rlimit limit = {.rlim_cur = OLD_KERNEL_FDS};

    prlimit(0, RLIMIT_NOFILE, NULL, &limit);
    for (int fd = 3; (rlim_t)fd < limit.rlim_cur && fd < OLD_KERNEL_FDS; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) && fd != keep)
            close(fd);
    }
}

int fd_write_all(int fd, const void *data, size_t length)
{
    const char *at = data;

    while (length > 0) {
        ssize_t n = write(fd, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

int fd_memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    return fd >= 0 ? fd : open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}
