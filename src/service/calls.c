#include "service/calls.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "child/child.h"

enum { STACK_SIZE = 1024 * 1024 }; /* functions of the program run on it */

struct server {
    struct at_end at_end;
    struct dispatcher *dispatcher;
    pthread_t thread;
};

static void *serve(void *arg)
{
    dispatcher_serve(arg);
    return NULL;
}

/* Functions that run see that what they wait for is gone. */
static void begins(struct at_end *e)
{
    struct server *s = container_of(e, struct server, at_end);

    handle_remove(s->dispatcher->router, &s->dispatcher->call_function);
    router_fail_handles(s->dispatcher->router, "this context is shutting down", true);
    receiver_end(&s->dispatcher->calls, MITO_E_CLOSED, "shutting down");
}

static void done(struct at_end *e)
{
    struct server *s = container_of(e, struct server, at_end);

    list_remove(&e->link);
    pthread_join(s->thread, NULL);
    pool_free(s->dispatcher->pool);
    dispatcher_stop(s->dispatcher);
    free(s);
}

static int start_thread(struct server *s)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    int rc = pthread_create(&s->thread, &attr, serve, s->dispatcher);
    pthread_attr_destroy(&attr);
    return rc == 0 ? 0 : error_set(MITO_E_SYSTEM, "cannot start a thread (error %d)", rc);
}

int calls_start(struct mito_router *r)
{
    struct dispatcher *d = &this_child.dispatcher;
    struct server *s;

    if (d->router != NULL)
        return 0;
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_nomem();
    s->at_end = (struct at_end){.begins = begins, .done = done};
    s->dispatcher = d;
    if (dispatcher_start(d, r) < 0 || start_thread(s) < 0) {
        handle_remove(r, &d->call_function);
        free(d->pool);
        memset(d, 0, sizeof *d);
        free(s);
        return -1;
    }
    list_append(&r->at_end, &s->at_end.link);
    return 0;
}
