#include "io/pty.h"

#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "io/fd.h"

static int quiet(const char *name)
{
    struct termios t;
    AUTO_FD fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || tcgetattr(fd, &t) < 0)
        return -1;
    t.c_lflag &= (tcflag_t) ~(ECHO | ECHOE | ECHOK | ECHONL);
    t.c_oflag &= (tcflag_t)~ONLCR;
    return tcsetattr(fd, TCSANOW, &t);
}

int pty_open(struct pty *pty)
{
    pty->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->fd < 0)
        return error_errno("posix_openpt");
    if (fd_move_away(&pty->fd) < 0 || grantpt(pty->fd) < 0 || unlockpt(pty->fd) < 0 ||
        ptsname_r(pty->fd, pty->name, sizeof pty->name) != 0 || quiet(pty->name) < 0) {
        error_errno("pty");
        fd_close(&pty->fd);
        return -1;
    }
    if (fd_set_nonblocking(pty->fd) < 0) {
        fd_close(&pty->fd);
        return -1;
    }
    return 0;
}

void pty_close(struct pty *pty)
{
    fd_close(&pty->fd);
}
