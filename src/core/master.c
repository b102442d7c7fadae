/* The router of the program that the user started, and the public face of routers. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "core/context.h"
#include "core/router.h"

static struct mito_router *only; /* one router per process, also in a child */
static pthread_mutex_t only_lock = PTHREAD_MUTEX_INITIALIZER;

int router_claim_process(void)
{
    static struct mito_router claimed; /* stands for the one that is being made */
    int rc = 0;

    pthread_mutex_lock(&only_lock);
    if (only != NULL)
        rc = error_set(MITO_E_INVALID, "this process has a router already; in a function of a "
                                       "child, use mito_call_router()");
    else
        only = &claimed;
    pthread_mutex_unlock(&only_lock);
    return rc;
}

void router_release_process(void)
{
    pthread_mutex_lock(&only_lock);
    only = NULL;
    pthread_mutex_unlock(&only_lock);
}

void router_after_fork(struct mito_router *old)
{
    pthread_mutex_init(&only_lock, NULL);
    only = NULL;
    old->parent = NULL;
    old->ending = true;
    memset(&old->routes, 0, sizeof old->routes);
    router_unlock(old);
}

int router_config_fill(struct router_config *c, const struct mito_router_options *o)
{
    const char *level = getenv("MITOSIS_LOG");

    *c = (struct router_config){.log_level = MITO_INFO};
    if (level != NULL && *level != '\0') {
        int n = text_level_of(level);
        if (n < 0)
            return error_set(MITO_E_INVALID,
                             "MITOSIS_LOG=%s: not one of error, warning, info, debug, io", level);
        c->log_level = (enum mito_level)n;
    }
    if (netem_parse(&c->netem, getenv("MITOSIS_NETEM")) < 0)
        return -1;
    if (o != NULL && o->log_level_set) {
        if ((unsigned)o->log_level > MITO_IO)
            return error_set(MITO_E_INVALID, "log_level is none of enum mito_level");
        c->log_level = o->log_level;
    }
    c->unidirectional = o != NULL && o->unidirectional;
    c->max_message_size =
        o != NULL && o->max_message_size > 0 ? o->max_message_size : DEFAULT_MESSAGE_SIZE;
    c->queue_limit = o != NULL && o->queue_limit > 0 ? o->queue_limit : DEFAULT_QUEUE_LIMIT;
    if (c->queue_limit > SIZE_MAX / 2) /* room for sums with it */
        c->queue_limit = SIZE_MAX / 2;
    return 0;
}

static struct mito_router *start_master(const struct mito_router_options *options)
{
    struct router_config config;
    struct mito_router *r;

    if (router_config_fill(&config, options) < 0 || (r = router_create(&config)) == NULL)
        return NULL;
    router_lock(r);
    int rc =
        log_start(r, options) < 0 || log_listen(r) < 0 || context_intern(r, 0, "master") == NULL;
    router_unlock(r);
    if (rc == 0)
        return r;
    log_stop(r);
    router_destroy(r);
    return NULL;
}

struct mito_router *mito_router_new(const struct mito_router_options *options)
{
    if (router_claim_process() < 0)
        return NULL;
    struct mito_router *r = start_master(options);
    if (r == NULL)
        router_release_process();
    return r;
}

static void on_ended(void *arg)
{
    struct mito_router *r = arg;

    r->has_ended = true;
    pthread_cond_broadcast(&r->ended);
}

/* Of a program that joined a tree: what was sent goes out first. */
static void leave_parent(struct mito_router *r)
{
    enum { FLUSH = 1000 }; /* ms */
    struct error e;

    if (r->parent == NULL)
        return;
    struct neighbour *n = neighbour_ref(r->parent);
    stream_help(&n->stream, clock_ms() + FLUSH);
    error_fill(&e, MITO_E_DEAD, "was left");
    neighbour_gone(n, &e);
    neighbour_unref(n);
}

static void finish(struct mito_router *r)
{
    struct at_end *e;

    list_each(e, &r->at_end, link) e->done(e);
}

/* Those who waited were told; they have to find their way out. */
static void await_visitors(struct mito_router *r)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    router_lock(r);
    router_fail_handles(r, "its router was freed", true);
    router_unlock(r);
    while (__atomic_load_n(&r->visitors, __ATOMIC_ACQUIRE) > 0)
        nanosleep(&moment, NULL);
}

void mito_router_free(struct mito_router *r)
{
    if (r == NULL || r->log == NULL) /* that of a child ends with its process */
        return;
    router_lock(r);
    router_end_children(r, on_ended, r);
    while (!r->has_ended)
        pthread_cond_wait(&r->ended, &r->broker.lock);
    leave_parent(r);
    bool clean = list_empty(&r->activities);
    router_unlock(r);
    finish(r);
    await_visitors(r);
    log_stop(r);
    if (clean) /* else a process of ours cannot die; what watches it must stay */
        router_destroy(r);
    router_release_process();
}
