#include "io/wakeup.h"

#include <stdint.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include "base/err.h"
#include "io/fd.h"

#ifdef __linux__
int wakeup_open(struct wakeup *w)
{
    w->read_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->read_fd < 0 || fd_move_away(&w->read_fd) < 0) {
        fd_close(&w->read_fd);
        return error_errno("eventfd");
    }
    w->write_fd = w->read_fd;
    return 0;
}
#else
int wakeup_open(struct wakeup *w)
{
    int pair[2];

    if (fd_pipe(pair) < 0)
        return -1;
    w->read_fd = pair[0];
    w->write_fd = pair[1];
    return fd_set_nonblocking(pair[1]);
}
#endif

void wakeup_close(struct wakeup *w)
{
    if (w->write_fd != w->read_fd)
        fd_close(&w->write_fd);
    fd_close(&w->read_fd);
    w->write_fd = -1;
}

void wakeup_raise(const struct wakeup *w)
{
    uint64_t one = 1;
    /* Fails only when it is raised to the brim already. */
    ssize_t n = write(w->write_fd, &one, sizeof one);
    (void)n;
}

void wakeup_clear(const struct wakeup *w)
{
    uint64_t sink[8];

    while (read(w->read_fd, sink, sizeof sink) == (ssize_t)sizeof sink)
        ;
}
