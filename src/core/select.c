/* Waiting on many receivers: whoever becomes ready links itself into the ready list of its select,
 * which links itself into that of the select around it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/cond.h"
#include "core/receiver.h"

struct mito_select {
    struct mito_router *router;
    struct list members, ready;
    struct select_member member; /* in the select around it */
    pthread_cond_t arrived;
    unsigned sleepers;
    struct wakeup fd;
};

void select_mark_ready(struct select_member *m)
{
    struct mito_select *s = m->outer;

    if (s == NULL || !list_empty(&m->ready))
        return;
    list_append(&s->ready, &m->ready);
    if (s->sleepers > 0)
        pthread_cond_broadcast(&s->arrived);
    if (s->fd.read_fd >= 0)
        wakeup_raise(&s->fd);
    select_mark_ready(&s->member);
}

void select_mark_idle(struct select_member *m)
{
    struct mito_select *s = m->outer;

    if (s == NULL || list_empty(&m->ready))
        return;
    list_remove(&m->ready);
    if (!list_empty(&s->ready))
        return;
    if (s->fd.read_fd >= 0)
        wakeup_clear(&s->fd);
    select_mark_idle(&s->member);
}

struct mito_select *mito_select_new(struct mito_router *r)
{
    struct mito_select *s;

    if (r == NULL) /* as in mito_receiver_new */
        return NULL;
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_nomem();
        return NULL;
    }
    *s = (struct mito_select){.router = r, .fd = WAKEUP_NONE};
    list_init(&s->members);
    list_init(&s->ready);
    list_init(&s->member.link);
    list_init(&s->member.ready);
    s->member.inner = s;
    cond_init(&s->arrived);
    return s;
}

void select_leave(struct select_member *m)
{
    struct mito_select *s = m->outer;

    select_mark_idle(m);
    list_remove(&m->link);
    m->outer = NULL;
    if (s != NULL && list_empty(&s->members)) /* who waits there waits for nothing now */
        pthread_cond_broadcast(&s->arrived);
}

void mito_select_free(struct mito_select *s)
{
    struct select_member *m;

    if (s == NULL)
        return;
    router_lock(s->router);
    list_each(m, &s->members, link) select_leave(m);
    select_leave(&s->member);
    wakeup_close(&s->fd);
    router_unlock(s->router);
    pthread_cond_destroy(&s->arrived);
    free(s);
}

static int attach(struct mito_select *s, struct select_member *m, bool ready)
{
    if (m->outer != NULL)
        return error_set(MITO_E_INVALID, "it is in a select already");
    m->outer = s;
    list_append(&s->members, &m->link);
    if (ready)
        select_mark_ready(m);
    return 0;
}

int mito_select_add(struct mito_select *s, struct mito_receiver *rx)
{
    router_lock(s->router);
    int rc = attach(s, &rx->member, receiver_ready(rx));
    router_unlock(s->router);
    return rc;
}

static int remove_member(struct mito_select *s, struct select_member *m)
{
    int rc = 0;

    router_lock(s->router);
    if (m->outer == s)
        select_leave(m);
    else
        rc = error_set(MITO_E_INVALID, "it is not in this select");
    router_unlock(s->router);
    return rc;
}

int mito_select_remove(struct mito_select *s, struct mito_receiver *rx)
{
    return remove_member(s, &rx->member);
}

int mito_select_remove_select(struct mito_select *s, struct mito_select *inner)
{
    return remove_member(s, &inner->member);
}

int mito_select_add_select(struct mito_select *s, struct mito_select *inner)
{
    int rc = 0;

    router_lock(s->router);
    for (struct mito_select *up = s; up != NULL; up = up->member.outer) {
        if (up == inner)
            rc = error_set(MITO_E_INVALID, "a select cannot wait for itself");
    }
    if (rc == 0)
        rc = attach(s, &inner->member, !list_empty(&inner->ready));
    router_unlock(s->router);
    return rc;
}

/* The first ready receiver, which goes to the end of the queue for fairness. */
static struct mito_receiver *next_ready(struct mito_select *s)
{
    while (!list_empty(&s->ready)) {
        struct select_member *m = list_first(&s->ready, struct select_member, ready);
        struct mito_receiver *rx = m->rx;
        if (rx == NULL)
            rx = next_ready(m->inner);
        if (rx != NULL && receiver_ready(rx)) {
            if (!list_empty(&m->ready)) {
                list_remove(&m->ready);
                list_append(&s->ready, &m->ready);
            }
            return rx;
        }
        select_mark_idle(m);
    }
    return NULL;
}

static bool sleep_until(struct mito_select *s, int64_t deadline)
{
    s->sleepers++;
    bool in_time = cond_wait(&s->arrived, &s->router->broker.lock, deadline);
    s->sleepers--;
    return in_time;
}

struct mito_receiver *mito_select_wait(struct mito_select *s, int timeout)
{
    int64_t deadline = clock_deadline(timeout);
    struct mito_receiver *rx = NULL;

    if (s == NULL) {
        error_null("select");
        return NULL;
    }
    router_lock(s->router);
    bool in_time = true;
    while ((rx = next_ready(s)) == NULL && in_time && !list_empty(&s->members))
        in_time = timeout != 0 && sleep_until(s, deadline);
    if (rx == NULL && list_empty(&s->members))
        error_set(MITO_E_INVALID, "there is nothing in this select to wait for");
    else if (rx == NULL)
        error_set(MITO_E_TIMEOUT, "no message in time");
    router_unlock(s->router);
    return rx;
}

int mito_select_fd(struct mito_select *s)
{
    int fd;

    router_lock(s->router);
    if (s->fd.read_fd < 0 && wakeup_open(&s->fd) == 0 && !list_empty(&s->ready))
        wakeup_raise(&s->fd);
    fd = s->fd.read_fd;
    router_unlock(s->router);
    return fd;
}
