/* stdout and stderr of a child, and of the processes it starts, as log records. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child/child.h"
#include "child/crash.h"
#include "io/fd.h"

enum {
    LINE_MAX_LENGTH = 16 * 1024, /* a longer line becomes several records */
    EXIT_GRACE = 500,            /* ms */
};

static void log_line(struct output *o, const uint8_t *line, size_t length)
{
    do {
        size_t part = length < LINE_MAX_LENGTH ? length : (size_t)LINE_MAX_LENGTH;
        log_text(o->router, MITO_INFO, o->router->config.id, o->logger, (const char *)line, part);
        line += part;
        length -= part;
    } while (length > 0);
}

/* What there is of a line that has no end. */
static void flush_line(struct output *o)
{
    if (o->line.length > 0)
        log_line(o, o->line.data, o->line.length);
    o->line.length = 0;
}

static void split_lines(struct output *o)
{
    size_t start = 0;
    const uint8_t *end;

    while (start < o->line.length &&
           (end = memchr(o->line.data + start, '\n', o->line.length - start)) != NULL) {
        log_line(o, o->line.data + start, (size_t)(end - o->line.data) - start);
        start = (size_t)(end - o->line.data) + 1;
    }
    buf_consume(&o->line, start);
    if (o->line.length >= LINE_MAX_LENGTH)
        flush_line(o);
}

/* False when there was nothing to read. */
static bool read_some(struct output *o)
{
    char chunk[4096];
    ssize_t n = read(o->fd, chunk, sizeof chunk);

    if (n > 0) {
        if (buf_append(&o->line, chunk, (size_t)n) == 0)
            split_lines(o);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    flush_line(o);
    watch_free(o->watch);
    o->watch = NULL;
    buf_free(&o->line);
    fd_close(&o->fd);
    return false;
}

static void on_output(void *arg, int ready)
{
    (void)ready;
    read_some(arg);
}

static int replace(struct output *o, int standard, const char *logger)
{
    int pair[2];

    if (fd_pipe(pair) < 0)
        return -1;
    *o = (struct output){.router = this_child.router, .logger = logger, .fd = pair[0]};
    if (dup2(pair[1], standard) < 0)
        return error_errno("dup2");
    fd_close(&pair[1]);
    return 0;
}

/* A function that calls exit() has said why, in most cases: gives that the time to be sent. The
 * lock is tried only, since a signal handler may have called exit() over the head of who holds it.
 */
static void flush_at_exit(void)
{
    struct mito_router *r = this_child.router;
    bool done = getpid() != this_child.pid; /* a process that a function forked */
    bool said = false;

    if (!done)
        fflush(stdout);
    for (int i = 0; i < EXIT_GRACE && !done; i++) {
        if (pthread_mutex_trylock(&r->broker.lock) == 0) {
            if (!said)
                crash_say_exit();
            said = true;
            done = r->parent == NULL ||
                   (output_drained(&this_child) && r->parent->stream.out_bytes == 0);
            router_unlock(r);
        }
        if (!done)
            usleep(1000);
    }
}

int output_start(struct child *c)
{
    c->pid = getpid();
    atexit(flush_at_exit);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (replace(&c->out[0], 1, "stdout") < 0 || replace(&c->out[1], 2, "stderr") < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        c->out[i].watch =
            watch_new(&c->router->broker, c->out[i].fd, POLLER_IN, on_output, &c->out[i]);
        if (c->out[i].watch == NULL)
            return -1;
    }
    return 0;
}

bool output_drained(struct child *c)
{
    bool drained = true;

    for (int i = 0; i < 2; i++) {
        if (c->out[i].watch == NULL)
            continue;
        if (read_some(&c->out[i]))
            drained = false;
        else
            flush_line(&c->out[i]);
    }
    return drained;
}
