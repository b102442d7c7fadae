#include "io/pty.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/format.h"
#include "io/fd.h"

/* The other side, with echo off. Its name is made here, since libc's ptsname_r() brings printf. */
static int open_other(struct pty *pty, unsigned number)
{
    struct termios t;

    format_to(pty->name, sizeof pty->name, "/dev/pts/%u", number);
    int fd = pty->other = open(pty->name, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || fd_move_away(&pty->other) < 0 || tcgetattr(pty->other, &t) < 0)
        return -1;
    fd = pty->other;
    t.c_lflag &= (tcflag_t) ~(ECHO | ECHOE | ECHOK | ECHONL);
    t.c_oflag &= (tcflag_t)~ONLCR;
    return tcsetattr(fd, TCSANOW, &t);
}

int pty_open(struct pty *pty)
{
    unsigned number;

    pty->other = -1;
    pty->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->fd < 0)
        return error_errno("posix_openpt");
    if (fd_move_away(&pty->fd) < 0 || grantpt(pty->fd) < 0 || unlockpt(pty->fd) < 0 ||
        syscall(SYS_ioctl, pty->fd, TIOCGPTN, &number) < 0 || open_other(pty, number) < 0) {
        error_errno("pty");
        pty_close(pty);
        return -1;
    }
    if (fd_set_nonblocking(pty->fd) < 0) {
        pty_close(pty);
        return -1;
    }
    return 0;
}

void pty_close(struct pty *pty)
{
    fd_close(&pty->fd);
    fd_close(&pty->other);
}
