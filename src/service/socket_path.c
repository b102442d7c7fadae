#include "base/format.h"
#include "service/socket_path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "io/fd.h"

enum { BACKLOG = 128 };

static int fill(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (*path == '\0')
        return error_set(MITO_E_INVALID, "an empty path");
    if (strlen(path) >= sizeof address->sun_path)
        return error_set(MITO_E_INVALID, "%.40s...: a path of %zu bytes, a socket has at most %zu",
                         path, strlen(path), sizeof address->sun_path - 1);
    strcpy(address->sun_path, path);
    return 0;
}

/* A name beside the path, for what is not whole yet, or is to go. */
static int beside(char out[108], const char *path, char kind)
{
    static unsigned counter;
    const char *slash = strrchr(path, '/');
    int directory = slash != NULL ? (int)(slash + 1 - path) : 0;
    size_t n = format_to(out, 108, "%.*s.%c%x.%x", directory, path, kind, (unsigned)getpid(),
                         __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));

    return n < 108 ? 0
                   : error_set(MITO_E_INVALID, "%.40s...: its directory has a path too long", path);
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* 1 somebody listens there, 0 nobody does, -1 who knows. */
static int is_alive(const char *path)
{
    struct sockaddr_un address;
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return error_errno("socket");
    if (fill(&address, path) < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN)
        return 1;
    return errno == ECONNREFUSED || errno == ENOENT ? 0 : error_errno("%s", path);
}

static int busy(const char *path)
{
    return error_set(MITO_E_INVALID, "%s: another program listens there", path);
}

/* Makes way: takes the stale socket aside, and looks whether it was that one and not a live one
 * that has taken its place since. */
static int remove_stale(const char *path)
{
    struct stat there, taken;
    char aside[108];

    if (lstat(path, &there) < 0)
        return errno == ENOENT ? 0 : error_errno("%s", path);
    if (!S_ISSOCK(there.st_mode))
        return error_set(MITO_E_INVALID, "%s: exists and is no socket", path);
    int alive = is_alive(path);
    if (alive != 0)
        return alive > 0 ? busy(path) : -1;
    if (beside(aside, path, 's') < 0)
        return -1;
    if (rename(path, aside) < 0)
        return errno == ENOENT ? 0 : error_errno("%s: removing a stale socket", path);
    if (lstat(aside, &taken) == 0 && !same(&there, &taken)) {
        int put_back = link(aside, path);
        unlink(aside);
        return put_back == 0 ? busy(path) : error_errno("%s: putting it back", path);
    }
    unlink(aside);
    return 0;
}

/* The socket at that name, listening. */
static int make(const char *name)
{
    struct sockaddr_un address;
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || fd_move_away(&fd) < 0)
        return error_errno("socket");
    if (fill(&address, name) < 0)
        return -1;
    (void)fchmod(fd, 0600); /* Linux: what it is bound to never has another mode */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return error_errno("bind");
    if (chmod(name, 0600) < 0 || listen(fd, BACKLOG) < 0) {
        error_errno("listen");
        unlink(name);
        return -1;
    }
    return fd_take(&fd);
}

int socket_path_listen(struct socket_path *p, const char *path)
{
    struct sockaddr_un address;
    struct stat st;
    char whole[108];

    if (fill(&address, path) < 0 || beside(whole, path, 'n') < 0)
        return -1;
    strcpy(p->text, path);
    if (remove_stale(path) < 0)
        return -1;
    AUTO_FD fd = make(whole);
    if (fd < 0)
        return error_prefix("%s", path);
    int made = lstat(whole, &st) < 0 ? -1 : link(whole, path); /* fails when something is there */
    int why = errno;
    unlink(whole);
    if (made < 0) {
        errno = why;
        return why == EEXIST ? busy(path) : error_errno("%s", path);
    }
    p->dev = st.st_dev;
    p->ino = st.st_ino;
    return fd_take(&fd);
}

void socket_path_remove(const struct socket_path *p)
{
    struct stat st;

    if (lstat(p->text, &st) == 0 && st.st_dev == p->dev && st.st_ino == p->ino)
        unlink(p->text);
}

static int connect_failed(const char *path)
{
    if (errno == ENOENT || errno == ECONNREFUSED)
        return error_set(MITO_E_REFUSED, "%s: nobody listens there (%s)", path, strerror(errno));
    if (errno == EACCES || errno == EPERM)
        return error_set(MITO_E_PERMISSION, "%s: %s", path, strerror(errno));
    if (errno == EAGAIN || errno == EINPROGRESS)
        return error_set(MITO_E_TIMEOUT, "%s: the listener takes nobody", path);
    return error_errno("%s", path);
}

int socket_path_connect(const char *path, int timeout)
{
    struct sockaddr_un address;
    struct timeval time = {.tv_sec = timeout / 1000, .tv_usec = timeout % 1000 * 1000};
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || fd_move_away(&fd) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) < 0)
        return error_errno("socket");
    if (fill(&address, path) < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return connect_failed(path);
    return fd_take(&fd);
}
