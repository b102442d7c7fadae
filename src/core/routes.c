/* How the tree learns which contexts there are: ADD_ROUTE, DEL_ROUTE, DETACHING. */
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/text.h"
#include "core/context.h"
#include "core/router.h"

enum { NAME_MAX_LENGTH = 99 }; /* a longer one is cut */

/* "id" or "id:name", as text; name is "" when there is none. */
static bool parse_route(const struct message *m, uint32_t *id, char name[NAME_MAX_LENGTH + 1])
{
    const char *text = (const char *)m->data;
    size_t length = m->frame.length;
    const char *colon = length > 0 ? memchr(text, ':', length) : NULL;
    size_t digits = colon != NULL ? (size_t)(colon - text) : length;

    name[0] = '\0';
    if (!text_to_u32(text, digits, UINT32_MAX, id))
        return false;
    if (colon != NULL) {
        size_t rest = length - digits - 1;
        if (rest > NAME_MAX_LENGTH)
            rest = NAME_MAX_LENGTH;
        memcpy(name, colon + 1, rest);
        name[rest] = '\0';
    }
    return true;
}

static void send_route(struct mito_router *r, uint32_t dst_id, uint32_t handle, uint32_t id,
                       const char *name)
{
    struct frame f = {.dst_id = dst_id, .handle = handle};
    char text[NAME_MAX_LENGTH + 16];
    size_t length = format_to(text, sizeof text, *name != '\0' ? "%u:%.99s" : "%u", id, name);

    router_send(r, &f, text, length, false);
}

void routes_announce(struct mito_router *r, uint32_t id, const char *name)
{
    if (r->parent != NULL)
        send_route(r, r->parent->id, HANDLE_ADD_ROUTE, id, name);
}

void routes_withdraw(struct mito_router *r, uint32_t id, const struct error *reason)
{
    struct neighbour *n;

    if (r->parent != NULL)
        send_route(r, r->parent->id, HANDLE_DEL_ROUTE, id, "");
    list_each(n, &r->neighbours, link)
    {
        if (!n->is_parent && !n->gone && map_remove(&n->sent_to, id) != NULL)
            send_route(r, n->id, HANDLE_DEL_ROUTE, id, "");
    }
    context_gone(r, id, reason);
}

/* May that neighbour say that `id` is behind it? Only ids that were handed out to somebody there.
 */
static const char *why_not(const struct neighbour *from, uint32_t id)
{
    struct mito_router *r = from->router;

    if (id == r->config.id || router_has_authority(r, id))
        return "it announced one of its own parents";
    if (map_get(&r->routes, id) != NULL)
        return "it announced a context that exists elsewhere";
    if (from->route_count >= ROUTES_MAX)
        return "it announced too many contexts";
    for (size_t i = 0; i < from->range_count; i++) {
        if (id >= from->ranges[i].first && id < from->ranges[i].last)
            return NULL;
    }
    return "it announced an id that was not given to it";
}

static void on_add_route(struct handle *h, struct neighbour *from, struct message *m)
{
    struct mito_router *r = h->arg;
    char name[NAME_MAX_LENGTH + 1];
    uint32_t id;
    const char *objection = "malformed ADD_ROUTE";

    if (!message_is_dead(m) && parse_route(m, &id, name))
        objection = why_not(from, id);
    if (objection != NULL) {
        if (neighbour_refused(from))
            log_locked(r, MITO_WARNING, "router",
                       "refused a route from context %u: %s (%lu refused so far)", from->id,
                       objection, from->refused);
    } else if (map_set(&r->routes, id, from) == 0) {
        from->route_count++;
        context_intern(r, id, *name != '\0' ? name : NULL);
        routes_announce(r, id, name);
    }
    message_free(m);
}

static void on_del_route(struct handle *h, struct neighbour *from, struct message *m)
{
    struct mito_router *r = h->arg;
    char name[NAME_MAX_LENGTH + 1];
    struct error reason;
    uint32_t id;

    if (message_is_dead(m) || from == NULL || !parse_route(m, &id, name)) {
        message_free(m);
        return;
    }
    struct neighbour *via = map_get(&r->routes, id);
    error_fill(&reason, MITO_E_DEAD, "is gone (said by context %u)", from->id);
    if (from->is_parent ? via == NULL && id != r->config.id : via == from && id != from->id) {
        map_remove(&r->routes, id);
        if (from->is_parent) { /* it is not below us: only those below us may care */
            struct neighbour *n;
            list_each(n, &r->neighbours, link)
            {
                if (!n->is_parent && map_remove(&n->sent_to, id) != NULL)
                    send_route(r, n->id, HANDLE_DEL_ROUTE, id, "");
            }
            context_gone(r, id, &reason);
        } else {
            from->route_count--;
            routes_withdraw(r, id, &reason);
        }
    }
    message_free(m);
}

/* A child cuts itself loose: from here on its end is no failure and its process is let live. */
static void on_detaching(struct handle *h, struct neighbour *from, struct message *m)
{
    static const uint8_t none[] = {0x80, 2, 'N', '.'};
    struct mito_router *r = h->arg;
    struct frame f = {.dst_id = m->frame.src_id, .handle = m->frame.reply_to};

    if (!message_is_dead(m)) {
        from->detached = true;
        if (m->frame.reply_to != 0)
            router_send(r, &f, none, sizeof none, false);
        if (from->ops != NULL && from->ops->detached != NULL)
            from->ops->detached(from);
    }
    message_free(m);
}

int routes_start(struct mito_router *r)
{
    if (handle_add(r, &r->add_route, HANDLE_ADD_ROUTE, POLICY_CHILD, NULL, on_add_route, r) < 0 ||
        handle_add(r, &r->del_route, HANDLE_DEL_ROUTE, POLICY_NEIGHBOUR, NULL, on_del_route, r) <
            0 ||
        handle_add(r, &r->detaching, HANDLE_DETACHING, POLICY_CHILD, NULL, on_detaching, r) < 0)
        return -1;
    return 0;
}
