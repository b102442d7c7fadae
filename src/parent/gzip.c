#include "parent/gzip.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "io/fd.h"

enum { READ_SIZE = 32 * 1024 };

/* Its output is whole when the pipe has ended and gzip says that all went well. */
static void check_done(struct gzip *g)
{
    struct mito_router *r = g->router;

    if (g->watch != NULL || !g->process.exited)
        return;
    if (g->process.status != 0)
        buf_free(&g->out);
    list_remove(&g->activity.link);
    g->done(g->arg, g->process.status == 0);
    router_check_ended(r);
}

static void on_exit_of_gzip(void *arg)
{
    check_done(arg);
}

static void end_of_output(struct gzip *g)
{
    watch_free(g->watch);
    g->watch = NULL;
    fd_close(&g->fd);
    process_expect_end(&g->process);
    check_done(g);
}

static void on_output(void *arg, int ready)
{
    struct gzip *g = arg;

    (void)ready;
    if (g->out.length > GZIP_OUTPUT_MAX || buf_reserve(&g->out, READ_SIZE) < 0) {
        process_kill(&g->process, SIGKILL);
        end_of_output(g);
        return;
    }
    ssize_t n = read(g->fd, g->out.data + g->out.length, READ_SIZE);
    if (n > 0)
        g->out.length += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        end_of_output(g);
}

static void abort_gzip(struct activity *a)
{
    process_kill(&container_of(a, struct gzip, activity)->process, SIGKILL);
}

int gzip_start(struct gzip *g, struct mito_router *r, bool pack, int in_fd,
               void (*done)(void *arg, bool fine), void *arg)
{
    char *const argv[] = {(char[]){"gzip"}, pack ? (char[]){"-9nc"} : (char[]){"-dc"}, NULL};
    int pipe_fds[2];
    pid_t pid;

    if (fd_pipe(pipe_fds) < 0)
        return -1;
    struct spawn spawn = {"gzip", argv, in_fd, pipe_fds[1], -1, NULL, 0};
    int rc = process_spawn(&spawn, &pid);
    fd_close(&pipe_fds[1]);
    if (rc < 0) {
        fd_close(&pipe_fds[0]);
        return -1;
    }
    g->fd = pipe_fds[0];
    g->router = r;
    g->done = done;
    g->arg = arg;
    process_watch(&g->process, &r->broker, pid, on_exit_of_gzip, g);
    g->activity.abort = abort_gzip;
    list_append(&r->activities, &g->activity.link);
    g->watch = watch_new(&r->broker, g->fd, POLLER_IN, on_output, g);
    if (g->watch == NULL)
        process_kill(&g->process, SIGKILL); /* its exit is what counts then */
    return 0;
}
