#include "io/broker.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/block.h"
#include "base/clock.h"
#include "base/err.h"

/* Virtual; a broker touches a few pages of it. Room for the deepest frame-handling path. */
enum { BROKER_STACK_SIZE = 256 * 1024 };
/* Idle for that long (ms), the process gives back what it kept for large messages. */
enum { TIDY_AFTER = 1000 };

static void on_wakeup(void *arg, int ready)
{
    struct broker *b = arg;

    (void)ready;
    wakeup_clear(&b->wakeup);
}

int broker_open(struct broker *b)
{
    pthread_mutex_init(&b->lock, NULL);
    b->started = b->stopping = false;
    b->sleeping_until = -1;
    b->wakeup_watch = NULL;
    list_init(&b->timers);
    list_init(&b->graveyard);
    if (poller_open(&b->poller) < 0)
        return -1;
    if (wakeup_open(&b->wakeup) < 0) {
        poller_close(&b->poller);
        return -1;
    }
    b->wakeup_watch = watch_new(b, b->wakeup.read_fd, POLLER_IN, on_wakeup, b);
    if (b->wakeup_watch == NULL) {
        broker_close(b);
        return -1;
    }
    return 0;
}

/* Wakes the broker when it sleeps past `due` (or at all, with 0). */
static void wake_before(struct broker *b, int64_t due)
{
    if (b->sleeping_until > due) {
        b->sleeping_until = due;
        wakeup_raise(&b->wakeup);
    }
}

static void bury(struct broker *b)
{
    struct watch *w;

    list_each(w, &b->graveyard, link)
    {
        list_remove(&w->link);
        free(w);
    }
}

static int next_timeout(struct broker *b)
{
    if (list_empty(&b->timers)) {
        b->sleeping_until = INT64_MAX;
        return -1;
    }
    b->sleeping_until = list_first(&b->timers, struct timer, link)->due;
    return clock_left(b->sleeping_until);
}

static void run_timers(struct broker *b)
{
    int64_t now = list_empty(&b->timers) ? 0 : clock_ms();

    while (!list_empty(&b->timers)) {
        struct timer *t = list_first(&b->timers, struct timer, link);
        if (t->due > now)
            break;
        timer_cancel(t);
        t->on_due(t->arg);
    }
}

void broker_give_way(struct broker *b, int64_t since)
{
    enum { LONG_TURN = 1000000, PAUSE = 50000 }; /* ns */
    struct timespec pause = {.tv_nsec = PAUSE};

    if (clock_ns() - since < LONG_TURN)
        return;
    broker_unlock(b);
    nanosleep(&pause, NULL);
    broker_lock(b);
}

static void *broker_main(void *arg)
{
    struct broker *b = arg;
    struct poller_event events[POLLER_BATCH];

    broker_lock(b);
    while (!b->stopping) {
        int timeout = poller_prepare(&b->poller) < 0 ? 100 : next_timeout(b);
        bool tidy = timeout < 0 && block_any_kept();
        broker_unlock(b);
        int n = poller_wait(&b->poller, events, tidy ? TIDY_AFTER : timeout);
        if (tidy && n == 0)
            block_release_kept();
        broker_lock(b);
        int64_t since = clock_ns();
        b->sleeping_until = -1;
        for (int i = 0; i < n; i++) {
            struct watch *w = events[i].tag;
            if (w->on_ready != NULL)
                w->on_ready(w->arg, events[i].ready);
        }
        run_timers(b);
        bury(b);
        broker_give_way(b, since);
    }
    broker_unlock(b);
    return NULL;
}

int broker_start(struct broker *b)
{
    sigset_t all, before;
    pthread_attr_t attr;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, BROKER_STACK_SIZE < PTHREAD_STACK_MIN
                                         ? (size_t)PTHREAD_STACK_MIN
                                         : (size_t)BROKER_STACK_SIZE);
    int rc = pthread_create(&b->thread, &attr, broker_main, b);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return error_set(MITO_E_SYSTEM, "cannot start the broker's thread (error %d)", rc);
    b->started = true;
    return 0;
}

void broker_stop(struct broker *b)
{
    b->stopping = true;
}

void broker_close(struct broker *b)
{
    if (b->started) {
        broker_lock(b);
        b->stopping = true;
        wake_before(b, 0);
        broker_unlock(b);
        pthread_join(b->thread, NULL);
    }
    watch_free(b->wakeup_watch);
    bury(b);
    wakeup_close(&b->wakeup);
    poller_close(&b->poller);
    pthread_mutex_destroy(&b->lock);
}

bool broker_is_self(const struct broker *b)
{
    return b->started && pthread_equal(b->thread, pthread_self());
}

struct watch *watch_new(struct broker *b, int fd, int events,
                        void (*on_ready)(void *arg, int ready), void *arg)
{
    struct watch *w = malloc(sizeof *w);

    if (w == NULL) {
        error_nomem();
        return NULL;
    }
    *w = (struct watch){.broker = b, .fd = fd, .events = events, .on_ready = on_ready, .arg = arg};
    list_init(&w->link);
    if (poller_add(&b->poller, fd, events, w) < 0) {
        free(w);
        return NULL;
    }
    if (POLLER_NEEDS_WAKE)
        wake_before(b, 0);
    return w;
}

void watch_set(struct watch *w, int events)
{
    if (w->events == events)
        return;
    w->events = events;
    poller_change(&w->broker->poller, w->fd, events, w);
    if (POLLER_NEEDS_WAKE)
        wake_before(w->broker, 0);
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    poller_remove(&w->broker->poller, w->fd);
    w->on_ready = NULL;
    list_append(&w->broker->graveyard, &w->link);
    if (POLLER_NEEDS_WAKE)
        wake_before(w->broker, 0);
}

void timer_set(struct broker *b, struct timer *t, int64_t due, void (*on_due)(void *arg), void *arg)
{
    struct list *at;

    timer_cancel(t); /* first: `at` must not be the timer itself */
    at = b->timers.prev;
    *t = (struct timer){.due = due, .on_due = on_due, .arg = arg, .set = true};
    list_init(&t->link);
    while (at != &b->timers && container_of(at, struct timer, link)->due > due)
        at = at->prev;
    list_append(at->next, &t->link); /* before the next one: right after `at` */
    wake_before(b, due);
}

void timer_cancel(struct timer *t)
{
    if (t->set)
        list_remove(&t->link);
    t->set = false;
}
