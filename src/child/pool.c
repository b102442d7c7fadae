/* Threads for functions that are marked MITO_CONCURRENT. They are made when needed and stay.
 * Signals are not blocked in them: what user functions start inherits the mask. */
#include <stdlib.h>

#include "child/child.h"
#include "child/crash.h"

enum { POOL_STACK_SIZE = 512 * 1024 }; /* virtual; user functions run on it */

struct pool {
    struct dispatcher *dispatcher;
    struct list queue; /* of struct mito_message; bounded with the receiver's bytes */
    pthread_cond_t arrived;
    size_t threads, idle, queued, bytes;
    bool stopping;
    pthread_cond_t stopped;
};

struct pool *pool_new(struct dispatcher *d)
{
    struct pool *p = calloc(1, sizeof *p);

    if (p == NULL) {
        error_nomem();
        return NULL;
    }
    p->dispatcher = d;
    list_init(&p->queue);
    pthread_cond_init(&p->arrived, NULL);
    pthread_cond_init(&p->stopped, NULL);
    return p;
}

static void *pool_main(void *arg)
{
    struct pool *p = arg;
    struct mito_router *r = p->dispatcher->router;
    struct crash_stack stack;

    crash_use_stack(&stack);
    router_lock(r);
    for (;;) {
        while (list_empty(&p->queue) && !p->stopping) {
            p->idle++;
            pthread_cond_wait(&p->arrived, &r->broker.lock);
            p->idle--;
        }
        if (p->stopping)
            break;
        struct mito_message *m = list_first(&p->queue, struct mito_message, link);
        list_remove(&m->link);
        p->queued--;
        p->bytes -= m->raw->frame.length;
        router_unlock(r);
        dispatcher_run(p->dispatcher, m);
        router_lock(r);
    }
    p->threads--;
    pthread_cond_signal(&p->stopped);
    router_unlock(r);
    return NULL;
}

static int add_thread(struct pool *p)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, POOL_STACK_SIZE);
    int rc = pthread_create(&thread, &attr, pool_main, p);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        return error_set(MITO_E_SYSTEM, "cannot start a thread (error %d)", rc);
    p->threads++;
    return 0;
}

int pool_submit(struct pool *p, struct mito_message *m)
{
    if (p->bytes > p->dispatcher->router->config.queue_limit)
        return error_set(MITO_E_OVERFLOW, "too many calls wait for a thread");
    if (p->idle <= p->queued && p->threads < MITO_POOL_THREADS && add_thread(p) < 0 &&
        p->threads == 0)
        return -1;
    p->queued++;
    p->bytes += m->raw->frame.length;
    list_append(&p->queue, &m->link);
    pthread_cond_signal(&p->arrived);
    return 0;
}

bool pool_busy(const struct pool *p)
{
    return p->threads > p->idle;
}

void pool_free(struct pool *p)
{
    struct mito_router *r = p->dispatcher->router;

    router_lock(r);
    p->stopping = true;
    pthread_cond_broadcast(&p->arrived);
    while (p->threads > 0)
        pthread_cond_wait(&p->stopped, &r->broker.lock);
    router_unlock(r);
    while (!list_empty(&p->queue)) {
        struct mito_message *m = list_first(&p->queue, struct mito_message, link);
        list_remove(&m->link);
        mito_message_free(m);
    }
    free(p);
}
