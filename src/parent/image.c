#include "parent/image.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "child/image.h"
#include "core/router.h"
#include "io/fd.h"
#include "io/process.h"

enum { IMAGE_MAX = 256 * 1024 * 1024, READ_SIZE = 32 * 1024 };

static struct image {
    unsigned users;
    struct buf plain, packed;
    bool ready, packing;
    struct list waiting;
    struct process gzip;
    int gzip_fd;
    struct watch *watch;
    struct timer soon;
    struct mito_router *router;
    struct activity activity; /* while gzip runs */
} image = {.gzip_fd = -1};

static int reopen_image(void)
{
    char path[64];

    /* A description of its own: reading must not move the offset of the kept one. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", child_image_fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int load_plain(void)
{
    struct stat st;

    if (image.plain.length > 0)
        return 0;
    if (child_image_fd < 0 || fstat(child_image_fd, &st) < 0)
        return error_set(MITO_E_SYSTEM, "cannot read our own executable (is /proc mounted? was "
                                        "mito_start() called?)");
    if (st.st_size > IMAGE_MAX || buf_reserve(&image.plain, (size_t)st.st_size) < 0)
        return error_set(MITO_E_TOO_LARGE, "the executable is too large to be sent");
    while (image.plain.length < (size_t)st.st_size) {
        ssize_t n = pread(child_image_fd, image.plain.data + image.plain.length,
                          (size_t)st.st_size - image.plain.length, (off_t)image.plain.length);
        if (n <= 0) {
            buf_free(&image.plain);
            return error_errno("reading our own executable");
        }
        image.plain.length += (size_t)n;
    }
    return 0;
}

static void tell_waiting(void *arg)
{
    (void)arg;
    while (!list_empty(&image.waiting)) {
        struct image_wait *w = list_first(&image.waiting, struct image_wait, link);
        list_remove(&w->link);
        w->waiting = false;
        w->ready(w->arg);
    }
}

/* Its output is whole when the pipe has ended and gzip says that all went well. */
static void check_packed(void)
{
    if (image.watch != NULL || !image.gzip.exited)
        return;
    if (image.gzip.status != 0)
        buf_free(&image.packed);
    image.packing = false;
    image.ready = image.gzip.status == 0 || !image.router->ending; /* aborted: tried anew */
    list_remove(&image.activity.link);
    tell_waiting(NULL);
    router_check_ended(image.router);
}

static void on_gzip_exit(void *arg)
{
    (void)arg;
    check_packed();
}

static void end_of_output(void)
{
    watch_free(image.watch);
    image.watch = NULL;
    fd_close(&image.gzip_fd);
    process_expect_end(&image.gzip);
    check_packed();
}

static void on_gzip_output(void *arg, int ready)
{
    (void)arg;
    (void)ready;
    if (buf_reserve(&image.packed, READ_SIZE) < 0) {
        process_kill(&image.gzip, SIGKILL);
        end_of_output();
        return;
    }
    ssize_t n = read(image.gzip_fd, image.packed.data + image.packed.length, READ_SIZE);
    if (n > 0)
        image.packed.length += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        end_of_output();
}

static void abort_gzip(struct activity *a)
{
    (void)a;
    process_kill(&image.gzip, SIGKILL);
}

static int start_gzip(struct mito_router *r)
{
    char *const argv[] = {(char[]){"gzip"}, (char[]){"-9nc"}, NULL};
    int pipe_fds[2];
    pid_t pid;
    AUTO_FD in = reopen_image();

    if (in < 0 || fd_pipe(pipe_fds) < 0)
        return -1;
    fd_move_up(&in, 3);
    struct spawn spawn = {"gzip", argv, in, pipe_fds[1], -1, NULL};
    int rc = process_spawn(&spawn, &pid);
    fd_close(&pipe_fds[1]);
    if (rc < 0) {
        fd_close(&pipe_fds[0]);
        return -1;
    }
    image.gzip_fd = pipe_fds[0];
    process_watch(&image.gzip, &r->broker, pid, on_gzip_exit, NULL);
    image.packing = true;
    image.router = r;
    image.activity.abort = abort_gzip;
    list_append(&r->activities, &image.activity.link);
    image.watch = watch_new(&r->broker, image.gzip_fd, POLLER_IN, on_gzip_output, NULL);
    if (image.watch == NULL)
        process_kill(&image.gzip, SIGKILL); /* its exit is what counts then */
    return 0;
}

int image_acquire(struct mito_router *r, struct image_wait *w)
{
    if (load_plain() < 0)
        return -1;
    if (image.waiting.next == NULL)
        list_init(&image.waiting);
    image.users++;
    w->waiting = true;
    list_append(&image.waiting, &w->link);
    if (!image.ready && !image.packing && start_gzip(r) < 0)
        image.ready = true; /* without compression, then */
    if (image.ready)
        timer_set(&r->broker, &image.soon, clock_ms(), tell_waiting, NULL);
    return 0;
}

void image_release(struct mito_router *r, struct image_wait *w)
{
    (void)r;
    if (w->waiting)
        list_remove(&w->link);
    w->waiting = false;
    if (--image.users > 0 || image.packing)
        return;
    timer_cancel(&image.soon);
    buf_free(&image.plain); /* the compressed form is small and stays */
}

struct image_form image_best(void)
{
    if (image.packed.length > 0)
        return (struct image_form){image.packed.data, image.packed.length, true};
    return image_plain();
}

struct image_form image_plain(void)
{
    return (struct image_form){image.plain.data, image.plain.length, false};
}

void image_after_fork(void)
{
    if (!image.ready)
        image.packed = (struct buf){0};
    image = (struct image){
        .plain = image.plain, .packed = image.packed, .ready = image.ready, .gzip_fd = -1};
}
