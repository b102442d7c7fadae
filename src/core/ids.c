/* Context ids: the master hands them out, one by one to itself and in blocks to others
 * (ALLOCATE_ID). Everyone on the way of such a reply remembers whose block it is: only ids of that
 * block may then be announced from there (routes.c). */
#include <stdlib.h>

#include "core/context.h"
#include "core/router.h"
#include "wire/pickle.h"

enum {
    BLOCK = 1000,
    SPARE_SHARE = 8,    /* a new child gets that part of what is left here */
    REQUESTS_MAX = 256, /* requests of one neighbour on their way through us that are remembered */
    QUOTA_MOST = 1 << 22,    /* ids for one child of the master and all below it ... */
    QUOTA_LEVEL = 2,         /* ... and a quarter of that for one a level deeper ... */
    QUOTA_LEAST = 8 * BLOCK, /* ... down to this */
};

static bool is_master(const struct mito_router *r)
{
    return r->config.id == 0 || r->config.parent_count == 0;
}

/* A child that wants all there is leaves most of what its parent may have to its siblings. */
uint32_t ids_quota(const struct mito_router *r)
{
    uint32_t quota = QUOTA_MOST;

    for (size_t i = 0; i < r->config.parent_count && quota > QUOTA_LEAST; i++)
        quota >>= QUOTA_LEVEL;
    return quota > QUOTA_LEAST ? quota : QUOTA_LEAST;
}

static struct id_range next_block(struct mito_router *r, uint32_t size)
{
    struct id_range range = {0, 0};

    if (r->ids.last - r->ids.next >= size) {
        range = (struct id_range){r->ids.next, r->ids.next + size};
        r->ids.next += size;
    }
    return range;
}

/* --- for children of ours ----------------------------------------------------------------------
 */

static void serve_waiting(struct mito_router *r, bool failed)
{
    while (!list_empty(&r->ids.waiting)) {
        struct id_wait *w = list_first(&r->ids.waiting, struct id_wait, link);
        if (!failed && r->ids.next == r->ids.last)
            return;
        list_remove(&w->link);
        w->ready(w->arg, failed ? 0 : r->ids.next++);
    }
}

static bool read_block(const uint8_t *data, size_t length, struct id_range *range)
{
    struct mito_value *v = pickle_load(data, length, NULL);
    int64_t first, last;
    bool fine = v != NULL && mito_value_length(v) == 2 &&
                mito_value_int(mito_value_item(v, 0), &first) == 0 &&
                mito_value_int(mito_value_item(v, 1), &last) == 0 && first > 0 && last > first &&
                last <= UINT32_MAX;

    if (fine)
        *range = (struct id_range){(uint32_t)first, (uint32_t)last};
    mito_value_free(v);
    return fine;
}

static void on_block(struct handle *h, struct neighbour *from, struct message *m)
{
    struct mito_router *r = h->arg;
    struct id_range range;
    bool fine = !message_is_dead(m) && read_block(m->data, m->frame.length, &range);

    (void)from;
    r->ids.asked = false;
    handle_remove(r, h);
    if (fine) {
        r->ids.next = range.first;
        r->ids.last = range.last;
    }
    message_free(m);
    serve_waiting(r, !fine);
    if (!list_empty(&r->ids.waiting)) { /* more were waiting than the block has */
        uint32_t id;
        struct id_wait *w = list_first(&r->ids.waiting, struct id_wait, link);
        list_remove(&w->link);
        if (ids_take(r, &id, w))
            w->ready(w->arg, id);
    }
}

static int ask_master(struct mito_router *r)
{
    struct frame f = {.dst_id = 0, .handle = HANDLE_ALLOCATE_ID};
    struct mito_context *master = context_intern(r, 0, "master");

    if (master == NULL || handle_add(r, &r->ids.reply, 0, POLICY_ANYONE, master, on_block, r) < 0)
        return -1;
    f.reply_to = r->ids.reply.number;
    if (router_send(r, &f, NULL, 0, false) < 0) {
        handle_remove(r, &r->ids.reply);
        return -1;
    }
    r->ids.asked = true;
    return 0;
}

bool ids_take(struct mito_router *r, uint32_t *id, struct id_wait *wait)
{
    if (r->ids.next < r->ids.last && list_empty(&r->ids.waiting)) {
        *id = r->ids.next++;
        return true;
    }
    if (!r->ids.asked && (is_master(r) || ask_master(r) < 0)) {
        *id = 0;
        return true;
    }
    list_append(&r->ids.waiting, &wait->link);
    return false;
}

struct id_range ids_spare_block(struct mito_router *r)
{
    return next_block(r, is_master(r) ? BLOCK : (r->ids.last - r->ids.next) / SPARE_SHARE);
}

/* --- as the master -----------------------------------------------------------------------------
 */

static void on_allocate(struct handle *h, struct neighbour *from, struct message *m)
{
    struct mito_router *r = h->arg;
    struct frame f = {.dst_id = m->frame.src_id, .handle = m->frame.reply_to};
    struct id_range range = {0, 0};
    AUTO_BUF out = {0};

    if (from != NULL && !message_is_dead(m) && m->frame.reply_to != 0) {
        range = next_block(r, BLOCK);
        bool owned = range.last > 0 && neighbour_own(from, range.first, range.last) == 0;
        if (range.last > 0 && !owned)
            r->ids.next = range.first; /* for somebody who has not had so many */
        if (!owned || pickle_begin(&out) < 0 || pickle_tuple_open(&out) < 0 ||
            pickle_int(&out, range.first) < 0 || pickle_int(&out, range.last) < 0 ||
            pickle_tuple_close(&out) < 0 || pickle_end(&out) < 0)
            router_reply_dead(r, &m->frame, "no context ids left for you");
        else
            router_send(r, &f, out.data, out.length, false);
    }
    message_free(m);
}

/* --- on the way --------------------------------------------------------------------------------
 */

/* An ALLOCATE_ID that went up through us. */
struct id_request {
    struct list link;
    uint32_t src_id, reply_to;
};

static void forget_request(struct neighbour *n, struct id_request *q)
{
    list_remove(&q->link);
    n->id_request_count--;
    free(q);
}

bool ids_watch_request(struct mito_router *r, struct neighbour *from, const struct frame *f)
{
    if (f->dst_id != 0 || f->handle != HANDLE_ALLOCATE_ID || f->reply_to == 0)
        return true;
    if (from->id_count + (from->id_request_count + 1) * BLOCK > ids_quota(r) ||
        from->id_request_count == REQUESTS_MAX)
        return false;
    struct id_request *q = malloc(sizeof *q);
    if (q == NULL)
        return false;
    *q = (struct id_request){.src_id = f->src_id, .reply_to = f->reply_to};
    list_append(&from->id_requests, &q->link);
    from->id_request_count++;
    return true;
}

void ids_watch_reply(struct mito_router *r, const struct message *m)
{
    struct id_request *q;
    struct id_range range;
    struct neighbour *to = map_get(&r->routes, m->frame.dst_id);

    if (to == NULL || list_empty(&to->id_requests) || m->frame.src_id != 0)
        return;
    list_each(q, &to->id_requests, link)
    {
        if (q->src_id != m->frame.dst_id || q->reply_to != m->frame.handle)
            continue;
        if (!message_is_dead(m) && read_block(m->data, m->frame.length, &range))
            neighbour_own(to, range.first, range.last);
        forget_request(to, q);
        return;
    }
}

void ids_forget_requests(struct neighbour *n)
{
    while (!list_empty(&n->id_requests))
        forget_request(n, list_first(&n->id_requests, struct id_request, link));
}

int ids_start(struct mito_router *r)
{
    list_init(&r->ids.waiting);
    r->ids.next = r->config.ids.first;
    r->ids.last = r->config.ids.last;
    if (r->config.parent_count > 0)
        return 0;
    r->ids.next = 1;
    r->ids.last = UINT32_MAX;
    return handle_add(r, &r->allocate_id, HANDLE_ALLOCATE_ID, POLICY_ANYONE, NULL, on_allocate, r);
}
