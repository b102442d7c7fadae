/* How the tree learns which contexts there are: ADD_ROUTE, DEL_ROUTE, LAST_WORDS, DETACHING. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/text.h"
#include "core/context.h"
#include "core/router.h"
#include "wire/failure.h"

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

int last_words_encode(struct buf *out, uint32_t id, const struct error *reason)
{
    return buf_printf(out, "%u:", id) < 0 ? -1 : failure_encode(out, reason);
}

/* DEL_ROUTE has no room for a reason: that goes ahead of it. */
static void send_withdrawal(struct neighbour *to, uint32_t id, const struct error *reason)
{
    struct frame f = {.dst_id = to->id, .handle = HANDLE_LAST_WORDS};
    AUTO_BUF text = {0};

    if (!to->router->ending && last_words_encode(&text, id, reason) == 0)
        router_send(to->router, &f, text.data, text.length, false);
    send_route(to->router, to->id, HANDLE_DEL_ROUTE, id, "");
}

static void withdraw_below(struct mito_router *r, uint32_t id, const struct error *reason)
{
    struct neighbour *n;

    list_each(n, &r->neighbours, link)
    {
        if (!n->is_parent && !n->gone && map_remove(&n->sent_to, id) != NULL)
            send_withdrawal(n, id, reason);
    }
}

void routes_withdraw(struct mito_router *r, uint32_t id, const struct error *reason)
{
    if (r->parent != NULL)
        send_withdrawal(r->parent, id, reason);
    withdraw_below(r, id, reason);
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

/* Is that context reached through that neighbour, and not the neighbour itself? */
static bool is_beyond(const struct neighbour *from, uint32_t id)
{
    struct mito_router *r = from->router;
    const struct neighbour *via = map_get(&r->routes, id);

    return from->is_parent ? via == NULL && id != r->config.id : via == from && id != from->id;
}

const struct error *routes_last_words(const struct neighbour *from, uint32_t id)
{
    return from->words != NULL && from->words->id == id ? &from->words->reason : NULL;
}

/* "id:failure". One is kept for each neighbour: the DEL_ROUTE that it is about comes right behind.
 * What a neighbour says about itself stays until its stream breaks. */
static void on_last_words(struct handle *h, struct neighbour *from, struct message *m)
{
    struct mito_router *r = h->arg;
    const char *text = (const char *)m->data;
    const char *colon = m->frame.length > 0 ? memchr(text, ':', m->frame.length) : NULL;
    size_t digits = colon != NULL ? (size_t)(colon - text) : 0;
    uint32_t id;

    if (!message_is_dead(m) && from != NULL && text_to_u32(text, digits, UINT32_MAX, &id) &&
        (id == from->id || is_beyond(from, id)) && routes_last_words(from, from->id) == NULL &&
        (from->words != NULL || (from->words = malloc(sizeof *from->words)) != NULL)) {
        struct error *reason = &from->words->reason;
        from->words->id = id;
        failure_decode(colon + 1, m->frame.length - digits - 1, reason);
        if (id == from->id)
            reason->code = MITO_E_CRASHED;
        else if (reason->code != MITO_E_CRASHED)
            reason->code = MITO_E_DEAD;
        log_locked(r, MITO_DEBUG, "router", "context %u: %s", id, reason->text);
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
    const struct error *words = routes_last_words(from, id);
    error_fill(&reason, MITO_E_DEAD, "is gone (said by context %u)", from->id);
    if (words != NULL)
        reason = *words;
    if (is_beyond(from, id)) {
        map_remove(&r->routes, id);
        if (from->is_parent) { /* it is not below us: only those below us may care */
            withdraw_below(r, id, &reason);
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
        handle_add(r, &r->last_words, HANDLE_LAST_WORDS, POLICY_NEIGHBOUR, NULL, on_last_words, r) <
            0 ||
        handle_add(r, &r->detaching, HANDLE_DETACHING, POLICY_CHILD, NULL, on_detaching, r) < 0)
        return -1;
    return 0;
}
