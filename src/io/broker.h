/* The broker: the one private I/O thread of a process.
 *
 * Its lock is the one lock of a router: it guards every stream, route, handle and receiver of it.
 * Any thread may take it, for short: nothing done under it may block. Callbacks of watches and
 * timers run on the broker's thread with the lock held. With nothing to do the thread sleeps
 * without a timeout and makes no system call. */
#ifndef IO_BROKER_H
#define IO_BROKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "io/poller.h"
#include "io/wakeup.h"

struct broker {
    pthread_mutex_t lock;
    pthread_t thread;
    bool started, stopping;
    struct poller poller;
    struct wakeup wakeup;
    struct watch *wakeup_watch;
    struct list timers;     /* by due time, soonest first */
    struct list graveyard;  /* watches that a batch of events may still name */
    int64_t sleeping_until; /* clock_ms(); INT64_MAX: for ever; -1: awake */
};

/* Opens it without starting the thread: watches and timers may be added before. */
int broker_open(struct broker *b);
/* Starts the thread, with every signal blocked in it: handlers are the program's own business. */
int broker_start(struct broker *b);
/* Ends the thread (not to be called from it) and releases everything. The lock must not be held. */
void broker_close(struct broker *b);
/* Lets the loop end after the current round; for the broker's own thread. */
void broker_stop(struct broker *b);

static inline void broker_lock(struct broker *b)
{
    pthread_mutex_lock(&b->lock);
}
static inline void broker_unlock(struct broker *b)
{
    pthread_mutex_unlock(&b->lock);
}
bool broker_is_self(const struct broker *b); /* on the broker's thread? */
/* With the lock held, by a thread that reads streams: after a long turn, which began at `since`
 * (clock_ns), lets the lock go for a moment. Whoever waits for a mutex hardly ever gets it from a
 * thread that lets it go and takes it again at once, as in a flood of messages. */
void broker_give_way(struct broker *b, int64_t since);

/* A descriptor that is watched. All with the lock held. The descriptor stays the caller's and must
 * stay open until watch_free(). */
struct watch {
    struct list link;
    struct broker *broker;
    int fd;
    int events;
    void (*on_ready)(void *arg, int ready);
    void *arg;
};

struct watch *watch_new(struct broker *b, int fd, int events,
                        void (*on_ready)(void *arg, int ready), void *arg);
void watch_set(struct watch *w, int events);
void watch_free(struct watch *w); /* NULL is allowed; on_ready is not called any more */

/* Timers are embedded in what they belong to; zero-initialised is unset. */
struct timer {
    struct list link;
    int64_t due; /* clock_ms() */
    void (*on_due)(void *arg);
    void *arg;
    bool set;
};

void timer_set(struct broker *b, struct timer *t, int64_t due, void (*on_due)(void *arg),
               void *arg);
void timer_cancel(struct timer *t);

#endif
