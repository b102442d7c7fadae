#include "io/poller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "io/fd.h"

#ifndef MITO_POLLER_POLL
#include <sys/epoll.h>

int poller_open(struct poller *p)
{
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll_fd < 0 || fd_move_away(&p->epoll_fd) < 0) {
        fd_close(&p->epoll_fd);
        return error_errno("epoll_create1");
    }
    return 0;
}

void poller_close(struct poller *p)
{
    fd_close(&p->epoll_fd);
}

static struct epoll_event epoll_event_of(int events, void *tag)
{
    struct epoll_event e = {.data.ptr = tag};

    if (events & POLLER_IN)
        e.events |= EPOLLIN;
    if (events & POLLER_OUT)
        e.events |= EPOLLOUT;
    return e;
}

int poller_add(struct poller *p, int fd, int events, void *tag)
{
    struct epoll_event e = epoll_event_of(events, tag);

    if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
        return error_errno("epoll_ctl");
    return 0;
}

void poller_change(struct poller *p, int fd, int events, void *tag)
{
    struct epoll_event e = epoll_event_of(events, tag);

    epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, fd, &e);
}

void poller_remove(struct poller *p, int fd)
{
    struct epoll_event unused = {0};

    epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, &unused);
}

int poller_prepare(struct poller *p)
{
    (void)p;
    return 0;
}

int poller_wait(struct poller *p, struct poller_event *events, int timeout)
{
    struct epoll_event raw[POLLER_BATCH];
    int n = epoll_wait(p->epoll_fd, raw, POLLER_BATCH, timeout);

    for (int i = 0; i < n; i++) {
        events[i].tag = raw[i].data.ptr;
        events[i].ready = (raw[i].events & EPOLLIN ? POLLER_IN : 0) |
                          (raw[i].events & EPOLLOUT ? POLLER_OUT : 0) |
                          (raw[i].events & (EPOLLHUP | EPOLLERR) ? POLLER_HANGUP : 0);
    }
    return n < 0 ? 0 : n;
}

#else
#include <poll.h>

int poller_open(struct poller *p)
{
    memset(p, 0, sizeof *p);
    return 0;
}

void poller_close(struct poller *p)
{
    free(p->fds);
    free(p->tags);
    free(p->asleep);
    free(p->asleep_tags);
    memset(p, 0, sizeof *p);
}

static int grow(struct pollfd **fds, void ***tags, size_t *capacity, size_t needed)
{
    if (needed <= *capacity)
        return 0;
    size_t larger = needed < 16 ? 16 : needed * 2;
    struct pollfd *new_fds = realloc(*fds, larger * sizeof **fds);
    if (new_fds == NULL)
        return error_nomem();
    *fds = new_fds;
    void **new_tags = realloc(*tags, larger * sizeof **tags);
    if (new_tags == NULL)
        return error_nomem();
    *tags = new_tags;
    *capacity = larger;
    return 0;
}

/* A descriptor in which nothing is of interest is left out (fd < 0): poll(2) would go on reporting
 * its hang-up. */
static void fill(struct pollfd *f, int fd, int events)
{
    f->fd = events == 0 ? -1 - fd : fd;
    f->events = (short)((events & POLLER_IN ? POLLIN : 0) | (events & POLLER_OUT ? POLLOUT : 0));
    f->revents = 0;
}

static size_t index_of(const struct poller *p, int fd)
{
    size_t i = 0;

    while (i < p->count && p->fds[i].fd != fd && p->fds[i].fd != -1 - fd)
        i++;
    return i;
}

int poller_add(struct poller *p, int fd, int events, void *tag)
{
    if (grow(&p->fds, &p->tags, &p->capacity, p->count + 1) < 0)
        return -1;
    fill(&p->fds[p->count], fd, events);
    p->tags[p->count++] = tag;
    return 0;
}

void poller_change(struct poller *p, int fd, int events, void *tag)
{
    size_t i = index_of(p, fd);

    if (i < p->count) {
        fill(&p->fds[i], fd, events);
        p->tags[i] = tag;
    }
}

void poller_remove(struct poller *p, int fd)
{
    size_t i = index_of(p, fd);

    if (i < p->count) {
        p->count--;
        p->fds[i] = p->fds[p->count];
        p->tags[i] = p->tags[p->count];
    }
}

int poller_prepare(struct poller *p)
{
    p->asleep_count = 0;
    if (grow(&p->asleep, &p->asleep_tags, &p->asleep_capacity, p->count) < 0)
        return -1;
    if (p->count > 0) {
        memcpy(p->asleep, p->fds, p->count * sizeof *p->fds);
        memcpy(p->asleep_tags, p->tags, p->count * sizeof *p->tags);
    }
    p->asleep_count = p->count;
    return 0;
}

int poller_wait(struct poller *p, struct poller_event *events, int timeout)
{
    int n = 0;

    if (poll(p->asleep, (nfds_t)p->asleep_count, timeout) <= 0)
        return 0;
    for (size_t i = 0; i < p->asleep_count && n < POLLER_BATCH; i++) {
        short r = p->asleep[i].revents;
        if (r == 0)
            continue;
        events[n].tag = p->asleep_tags[i];
        events[n++].ready = (r & POLLIN ? POLLER_IN : 0) | (r & POLLOUT ? POLLER_OUT : 0) |
                            (r & (POLLHUP | POLLERR | POLLNVAL) ? POLLER_HANGUP : 0);
    }
    return n;
}
#endif
