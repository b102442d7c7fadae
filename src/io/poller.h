/* Which descriptors are ready: epoll(7), or poll(2) where there is none (MITO_POLLER_POLL forces
 * it). The broker's lock guards every call but poller_wait(), which only the broker's thread makes.
 */
#ifndef IO_POLLER_H
#define IO_POLLER_H

#include <stddef.h>

#if !defined(__linux__) && !defined(MITO_POLLER_POLL)
#define MITO_POLLER_POLL
#endif

enum { POLLER_IN = 1, POLLER_OUT = 2, POLLER_HANGUP = 4 };
enum { POLLER_BATCH = 64 };

struct poller_event {
    void *tag;
    int ready; /* POLLER_ bits; POLLER_HANGUP may come unasked */
};

#ifdef MITO_POLLER_POLL
/* A change made while the broker sleeps is not seen until it wakes. */
enum { POLLER_NEEDS_WAKE = 1 };
struct pollfd;
struct poller {
    struct pollfd *fds;
    void **tags;
    size_t count, capacity;
    struct pollfd *asleep; /* what the sleeping broker is looking at */
    void **asleep_tags;
    size_t asleep_count, asleep_capacity;
};
#else
enum { POLLER_NEEDS_WAKE = 0 };
struct poller {
    int epoll_fd;
};
#endif

int poller_open(struct poller *p);
void poller_close(struct poller *p);
int poller_add(struct poller *p, int fd, int events, void *tag);
void poller_change(struct poller *p, int fd, int events, void *tag);
void poller_remove(struct poller *p, int fd);
/* With the lock held: fixes what the next poller_wait() looks at. */
int poller_prepare(struct poller *p);
/* Without the lock: up to POLLER_BATCH events; 0 on timeout or interruption. Timeout -1: none. */
int poller_wait(struct poller *p, struct poller_event *events, int timeout);

#endif
