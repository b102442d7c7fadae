#include "core/context.h"

#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/text.h"
#include "wire/failure.h"

enum { NAME_SIZE = 100 }; /* a longer one is cut */

struct mito_context *context_intern(struct mito_router *r, uint32_t id, const char *name)
{
    struct mito_context *c = map_get(&r->contexts, id);
    char safe[NAME_SIZE];

    if (c != NULL)
        return c;
    if (name != NULL) /* it may be what a child said, and is part of errors that people read */
        text_escape_to(safe, sizeof safe, name, strlen(name));
    else
        format_to(safe, sizeof safe, id == 0 ? "master" : "context.%u", id);
    c = calloc(1, sizeof *c);
    if (c == NULL || (c->name = strdup(safe)) == NULL || map_set(&r->contexts, id, c) < 0) {
        if (c != NULL)
            free(c->name);
        free(c);
        error_nomem();
        return NULL;
    }
    c->router = r;
    c->id = id;
    list_init(&c->waiting);
    list_init(&c->gone_watchers);
    return c;
}

void context_drop(struct mito_context *c)
{
    struct mito_router *r = c->router;

    if (c->refs > 0 || !list_empty(&c->waiting) || !list_empty(&c->gone_watchers) ||
        map_get(&r->routes, c->id) != NULL || c->id == r->config.id)
        return;
    map_remove(&r->contexts, c->id);
    free(c->name);
    free(c);
}

static void fail_waiting(struct mito_context *c)
{
    struct frame f = {.dst_id = c->router->config.id,
                      .src_id = c->id,
                      .auth_id = c->router->config.id,
                      .reply_to = HANDLE_DEAD};
    bool crashed = context_gone_error(c) < 0 && mito_error_code() == MITO_E_CRASHED;
    char text[ERROR_TEXT_MAX + 32]; /* a dead message has a code when it is not the usual one */

    size_t length =
        format_to(text, sizeof text, "%s%s", crashed ? FAILURE_CRASHED : "", mito_error());
    f.length = (uint32_t)length;
    while (!list_empty(&c->waiting)) {
        struct handle *h = list_first(&c->waiting, struct handle, waiting);
        list_remove(&h->waiting);
        f.handle = h->number;
        struct message *m = message_copy(&f, text);
        if (m != NULL) /* without memory for 200 bytes, whoever waits goes on waiting */
            h->deliver(h, NULL, m);
    }
}

void context_gone(struct mito_router *r, uint32_t id, const struct error *reason)
{
    struct mito_context *c = map_get(&r->contexts, id);

    if (c == NULL || c->gone)
        return;
    c->gone = true;
    c->reason = *reason;
    c->refs++; /* while those who are told may drop it */
    fail_waiting(c);
    while (!list_empty(&c->gone_watchers)) {
        struct gone_watch *w = list_first(&c->gone_watchers, struct gone_watch, link);
        list_remove(&w->link);
        w->on_gone(w->arg);
    }
    c->refs--;
    context_drop(c);
}

int context_gone_error(const struct mito_context *c)
{
    int code = c->reason.code == MITO_E_CRASHED ? MITO_E_CRASHED : MITO_E_DEAD;

    return error_set(code, "%s (context %u): %s", c->name, c->id, c->reason.text);
}

/* --- public ------------------------------------------------------------------------------------
 */

static struct mito_context *intern_ref(struct mito_router *r, uint32_t id)
{
    router_lock(r);
    struct mito_context *c = context_intern(r, id, NULL);
    if (c != NULL)
        c->refs++;
    router_unlock(r);
    return c;
}

struct mito_context *mito_context_by_id(struct mito_router *r, uint32_t id)
{
    return intern_ref(r, id);
}

struct mito_context *mito_context_self(struct mito_router *r)
{
    return intern_ref(r, r->config.id);
}

struct mito_context *mito_context_parent(struct mito_router *r)
{
    if (r->config.parent_count > 0)
        return intern_ref(r, r->config.parent_ids[0]);
    error_set(MITO_E_INVALID, "the master has no parent");
    return NULL;
}

struct mito_context *mito_context_ref(struct mito_context *c)
{
    router_lock(c->router);
    c->refs++;
    router_unlock(c->router);
    return c;
}

void mito_context_unref(struct mito_context *c)
{
    if (c == NULL)
        return;
    struct mito_router *r = c->router;
    router_lock(r);
    if (--c->refs == 0)
        context_drop(c);
    router_unlock(r);
}

uint32_t mito_context_id(const struct mito_context *c)
{
    return c->id;
}

const char *mito_context_name(const struct mito_context *c)
{
    return c->name;
}

struct mito_router *mito_context_router(const struct mito_context *c)
{
    return c->router;
}
