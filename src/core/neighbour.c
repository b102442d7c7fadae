#include <stdlib.h>
#include <unistd.h>

#include "core/context.h"
#include "core/router.h"

enum { RANGES_MAX = 4096 };

static void on_message(void *arg, struct message *m)
{
    struct neighbour *n = arg;

    if (n->gone)
        message_free(m);
    else
        router_route(n->router, n, m);
}

static void on_broken(void *arg)
{
    struct neighbour *n = arg;

    if (n->gone)
        return;
    if (n->ops != NULL && n->ops->broken != NULL)
        n->ops->broken(n);
    else
        neighbour_gone(n, &n->stream.reason);
}

/* What is left when its stream is closed. */
static void discard(struct neighbour *n)
{
    map_free(&n->sent_to);
    ids_forget_requests(n);
    account_unref(n->passing);
    account_unref(n->commands);
    free(n->words);
    free(n->ranges);
    free(n);
}

struct neighbour *neighbour_new(struct mito_router *r, uint32_t id, bool is_parent, int in_fd,
                                int out_fd, const struct neighbour_ops *ops, void *owner)
{
    struct neighbour *n = calloc(1, sizeof *n);

    if (n == NULL) {
        close(in_fd);
        if (out_fd != in_fd)
            close(out_fd);
        error_nomem();
        return NULL;
    }
    *n = (struct neighbour){.router = r, .id = id, .is_parent = is_parent, .refs = 1};
    n->ops = ops;
    n->owner = owner;
    list_init(&n->link);
    list_init(&n->id_requests);
    n->passing = account_new();
    n->commands = account_new();
    if (n->passing == NULL || n->commands == NULL) {
        close(in_fd);
        if (out_fd != in_fd)
            close(out_fd);
        discard(n);
        return NULL;
    }
    if (stream_open(&n->stream, &r->broker, in_fd, out_fd, r->config.max_message_size, on_message,
                    on_broken, n) < 0) {
        discard(n);
        return NULL;
    }
    if (map_set(&r->routes, id, n) < 0 || (!is_parent && netem_active(&r->config.netem) &&
                                           stream_slow_down(&n->stream, &r->config.netem) < 0)) {
        map_remove(&r->routes, id);
        stream_close(&n->stream);
        discard(n);
        return NULL;
    }
    list_append(&r->neighbours, &n->link);
    return n;
}

struct neighbour *neighbour_ref(struct neighbour *n)
{
    n->refs++;
    return n;
}

void neighbour_unref(struct neighbour *n)
{
    if (--n->refs > 0)
        return;
    stream_close(&n->stream);
    discard(n);
}

int neighbour_own(struct neighbour *n, uint32_t first, uint32_t last)
{
    struct id_range *ranges;

    if (first >= last)
        return 0;
    if (last - first > ids_quota(n->router) - n->id_count || n->range_count == RANGES_MAX)
        return error_set(MITO_E_TOO_LARGE, "context %u asked for too many ids", n->id);
    n->id_count += last - first;
    if (n->range_count > 0 && n->ranges[n->range_count - 1].last == first) {
        n->ranges[n->range_count - 1].last = last;
        return 0;
    }
    ranges = realloc(n->ranges, (n->range_count + 1) * sizeof *ranges);
    if (ranges == NULL)
        return error_nomem();
    n->ranges = ranges;
    n->ranges[n->range_count++] = (struct id_range){first, last};
    return 0;
}

/* The ids whose route is n, collected, since withdrawing changes the map. */
static uint32_t *ids_behind(const struct neighbour *n, size_t *count)
{
    const struct map *routes = &n->router->routes;
    uint32_t *ids = malloc((routes->count + 1) * sizeof *ids);
    struct map_slot *slot;
    size_t at = 0;

    *count = 0;
    while (ids != NULL && (slot = map_next(routes, &at)) != NULL) {
        if (slot->value == n)
            ids[(*count)++] = slot->key;
    }
    return ids;
}

static void withdraw_all(struct neighbour *n, const struct error *reason)
{
    struct mito_router *r = n->router;
    const struct mito_context *c = map_get(&r->contexts, n->id);
    struct error behind;
    size_t count;
    uint32_t *ids = ids_behind(n, &count);

    int code = reason->code == MITO_E_CRASHED ? MITO_E_CRASHED : MITO_E_DEAD;
    error_fill(&behind, code, "lost with %s, which %s", c != NULL ? c->name : "its parent",
               reason->text);
    for (size_t i = 0; i < count; i++)
        map_remove(&r->routes, ids[i]);
    if (ids == NULL) { /* no memory for the list: at least the neighbour itself */
        map_remove(&r->routes, n->id);
        routes_withdraw(r, n->id, reason);
    }
    for (size_t i = 0; i < count; i++)
        routes_withdraw(r, ids[i], ids[i] == n->id ? reason : &behind);
    free(ids);
}

void neighbour_gone(struct neighbour *n, const struct error *reason)
{
    struct mito_router *r = n->router;

    if (n->gone)
        return;
    n->gone = true;
    list_remove(&n->link);
    if (r->parent == n)
        r->parent = NULL;
    stream_break(&n->stream, MITO_E_DEAD, "%s", reason->text);
    timer_cancel(&n->stream.break_timer);
    withdraw_all(n, reason);
    neighbour_unref(n);
    router_check_ended(r);
}
