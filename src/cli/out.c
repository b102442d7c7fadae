#include "out.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "printable.h"
#include "signals.h"

enum {
    PENDING_MAX = 1 << 16,
    PATIENCE_MS = 500, /* with who reads our output, once the user wants to leave */
};

/* Whoever writes whole lines holds it. */
static pthread_mutex_t lines = PTHREAD_MUTEX_INITIALIZER;

static bool colour_wanted(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return (no_color == NULL || *no_color == '\0') && term != NULL && *term != '\0' &&
           strcmp(term, "dumb") != 0;
}

void out_open(struct out *o, int fd)
{
    *o = (struct out){.fd = fd, .terminal = isatty(fd) == 1, .utf8 = locale_is_utf8()};
    o->colour = o->terminal && colour_wanted();
}

void out_bytes(struct out *o, const void *data, size_t length)
{
    bytes_add(&o->pending, data, length);
}

void out_text(struct out *o, const char *text)
{
    bytes_add_text(&o->pending, text);
}

void out_foreign(struct out *o, const char *text, size_t length)
{
    /* The line end of some programs, and no hostile one. */
    if (o->terminal && length > 0 && text[length - 1] == '\r')
        length--;
    if (o->terminal)
        printable_add(&o->pending, text, length, o->utf8);
    else
        out_bytes(o, text, length);
}

void out_coloured(struct out *o, int colour, const char *text)
{
    char start[16];
    snprintf(start, sizeof start, "\033[%dm", colour);
    if (o->colour)
        out_text(o, start);
    out_text(o, text);
    if (o->colour)
        out_text(o, "\033[0m");
}

void out_end_line(struct out *o)
{
    bytes_add_char(&o->pending, '\n');
    if (o->pending.length >= PENDING_MAX)
        out_flush(o);
}

static bool is_writable(int fd, int timeout)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int ready = 0;
    do
        ready = poll(&wait, 1, timeout);
    while (ready < 0 && errno == EINTR && signals_caught() == 0);
    return ready > 0;
}

/* 0, or the errno that kept it from writing all: EINTR when a signal was caught and nobody reads
 * for `patience` ms. Once it was caught no write may block, for that signal interrupts no other
 * one. */
static int write_all(int fd, const char *data, size_t length, int patience)
{
    enum { NEVER_BLOCKS = 256 }; /* bytes for which there is room where poll(2) sees any */
    while (length > 0) {
        bool caught = signals_caught() != 0;
        if (caught && !is_writable(fd, patience))
            return EINTR;
        ssize_t written = write(fd, data, caught && length > NEVER_BLOCKS ? NEVER_BLOCKS : length);
        if (written >= 0) {
            data += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) {
            is_writable(fd, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

void out_flush(struct out *o)
{
    if (o->pending.length == 0)
        return;
    pthread_mutex_lock(&lines);
    if (o->error == 0)
        o->error = write_all(o->fd, o->pending.data, o->pending.length, o->stuck ? 0 : PATIENCE_MS);
    pthread_mutex_unlock(&lines);
    o->stuck = o->error == EINTR;
    if (o->stuck)
        o->error = 0; /* only this much was dropped */
    o->pending.length = 0;
}

void out_close(struct out *o)
{
    out_flush(o);
    bytes_free(&o->pending);
}

void out_log_line(int fd, const char *line)
{
    struct bytes text = {0};
    bytes_add_text(&text, line);
    bytes_add_char(&text, '\n');
    pthread_mutex_lock(&lines);
    (void)write_all(fd, text.data, text.length, PATIENCE_MS);
    pthread_mutex_unlock(&lines);
    bytes_free(&text);
}
