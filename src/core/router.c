#include "core/router.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/format.h"
#include "core/context.h"
#include "io/fd.h"

/* --- life --------------------------------------------------------------------------------------
 */

struct mito_router *router_create(const struct router_config *config)
{
    struct mito_router *r = calloc(1, sizeof *r);

    if (r == NULL) {
        free(config->parent_ids);
        error_nomem();
        return NULL;
    }
    r->config = *config;
    list_init(&r->neighbours);
    list_init(&r->activities);
    list_init(&r->at_end);
    pthread_cond_init(&r->ended, NULL);
    if (broker_open(&r->broker) < 0) {
        free(r->config.parent_ids);
        free(r);
        return NULL;
    }
    if (routes_start(r) < 0 || ids_start(r) < 0 || broker_start(&r->broker) < 0) {
        router_destroy(r);
        return NULL;
    }
    return r;
}

void router_destroy(struct mito_router *r)
{
    struct map_slot *slot;
    size_t at = 0;

    broker_close(&r->broker);
    while ((slot = map_next(&r->contexts, &at)) != NULL) {
        struct mito_context *c = slot->value;
        free(c->name);
        free(c);
    }
    map_free(&r->contexts);
    map_free(&r->routes);
    map_free(&r->handles);
    map_free(&r->let_go);
    for (size_t i = 0; i < r->spare_count; i++)
        wakeup_close(&r->spare[i]);
    pthread_cond_destroy(&r->ended);
    free(r->config.parent_ids);
    free(r);
}

/* --- who may what ------------------------------------------------------------------------------
 */

bool router_has_authority(const struct mito_router *r, uint32_t auth_id)
{
    if (auth_id == r->config.id)
        return true;
    for (size_t i = 0; i < r->config.parent_count; i++) {
        if (r->config.parent_ids[i] == auth_id)
            return true;
    }
    return false;
}

struct neighbour *router_next_hop(struct mito_router *r, uint32_t id)
{
    struct neighbour *n = map_get(&r->routes, id);

    return n != NULL ? n : r->parent;
}

/* Rule 2: what claims to come from `id` must have come in where messages to `id` go out. */
static bool came_from(struct mito_router *r, const struct neighbour *from, uint32_t id)
{
    return router_next_hop(r, id) == from && (from->is_parent || id != r->config.id);
}

/* `id`: who speaks or is spoken to, there or behind. */
static bool is_privileged(const struct mito_router *r, const struct neighbour *n, uint32_t id)
{
    return n->is_parent || (n->stamped && (id == n->id || router_has_authority(r, id)));
}

static bool policy_allows(struct mito_router *r, enum policy policy, const struct neighbour *from,
                          const struct frame *f)
{
    bool authority = router_has_authority(r, f->auth_id);
    bool child = from != NULL && !from->is_parent && f->src_id == from->id;

    switch (policy) {
    case POLICY_ANYONE:
        return true;
    case POLICY_PARENT_AUTHORITY:
        return authority;
    case POLICY_CHILD:
        return child;
    case POLICY_NEIGHBOUR:
        return child || authority;
    }
    return false;
}

static void refuse(struct neighbour *from, const struct frame *f, const char *why)
{
    if (neighbour_refused(from))
        log_locked(from->router, MITO_WARNING, "router",
                   "dropped a message from context %u: %s "
                   "(src %u, auth %u, dst %u, handle %u; %lu dropped so far)",
                   from->id, why, f->src_id, f->auth_id, f->dst_id, f->handle, from->refused);
}

/* --- dead messages -----------------------------------------------------------------------------
 */

void router_reply_dead(struct mito_router *r, const struct frame *to, const char *reason)
{
    struct frame f = {.dst_id = to->src_id, .handle = to->reply_to, .reply_to = HANDLE_DEAD};
    const struct neighbour *n = router_next_hop(r, to->src_id);

    /* Who asks for more of them than it reads gets no more. */
    if (to->reply_to != 0 && to->reply_to != HANDLE_DEAD &&
        (n == NULL || stream_backlog(&n->stream) <= r->config.queue_limit))
        router_send(r, &f, reason, strlen(reason), false);
}

static void undeliverable(struct mito_router *r, struct message *m, const char *reason)
{
    router_reply_dead(r, &m->frame, reason);
    message_free(m);
}

/* --- to a handle of this context ---------------------------------------------------------------
 */

/* An answer comes from whom it was asked of; that there will be none may be said by anyone on the
 * way there, since the question may have got no further. */
static bool respondent_allows(struct mito_router *r, const struct handle *h,
                              const struct neighbour *from, const struct message *m)
{
    if (h->respondent == NULL || h->respondent->id == m->frame.src_id)
        return true;
    return message_is_dead(m) && (from == NULL || came_from(r, from, h->respondent->id));
}

static void dispatch(struct mito_router *r, struct neighbour *from, struct message *m)
{
    struct handle *h = map_get(&r->handles, m->frame.handle);
    char reason[128];

    if (h == NULL) {
        format_to(reason, sizeof reason, "context %u has no handle %u", r->config.id,
                  m->frame.handle);
        undeliverable(r, m, reason);
    } else if (!policy_allows(r, h->policy, from, &m->frame) || !respondent_allows(r, h, from, m)) {
        format_to(reason, sizeof reason,
                  "refused by policy: context %u has no authority over context %u (handle %u)",
                  m->frame.auth_id, r->config.id, m->frame.handle);
        if (from != NULL)
            refuse(from, &m->frame, "refused by policy");
        undeliverable(r, m, reason);
    } else {
        h->deliver(h, from, m);
    }
}

/* False on a kernel without getrandom(2) and without /dev/urandom. */
static bool draw_random(struct mito_router *r)
{
    /* Blocks only before the machine has gathered any entropy since it booted. */
    if (getrandom(r->random, sizeof r->random, 0) == (ssize_t)sizeof r->random)
        return true;
    AUTO_FD fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, r->random, sizeof r->random) == (ssize_t)sizeof r->random;
}

static uint32_t draw_handle(struct mito_router *r)
{
    for (;;) {
        if (r->random_left == 0) {
            if (!draw_random(r))
                r->random[0] = ++r->sequence; /* at least unique */
            else
                r->random_left = sizeof r->random / sizeof *r->random;
        }
        uint32_t number = r->random[r->random_left > 0 ? --r->random_left : 0];
        if (number > HANDLE_DYNAMIC && map_get(&r->handles, number) == NULL)
            return number;
    }
}

int handle_add(struct mito_router *r, struct handle *h, uint32_t number, enum policy policy,
               struct mito_context *respondent,
               void (*deliver)(struct handle *h, struct neighbour *from, struct message *m),
               void *arg)
{
    if (number == 0)
        number = draw_handle(r);
    *h = (struct handle){.number = number,
                         .policy = policy,
                         .deliver = deliver,
                         .arg = arg,
                         .respondent = respondent};
    list_init(&h->waiting);
    if (map_set(&r->handles, number, h) < 0)
        return -1;
    if (respondent != NULL)
        list_append(&respondent->waiting, &h->waiting);
    h->registered = true;
    return 0;
}

void handle_remove(struct mito_router *r, struct handle *h)
{
    if (!h->registered)
        return;
    h->registered = false;
    list_remove(&h->waiting);
    map_remove(&r->handles, h->number);
    if (h->respondent != NULL)
        context_drop(h->respondent);
}

/* --- routing -----------------------------------------------------------------------------------
 */

static void trace(struct mito_router *r, const char *way, const struct frame *f, uint32_t hop)
{
    if (r->config.log_level >= MITO_IO && f->handle != HANDLE_FORWARD_LOG)
        log_locked(r, MITO_IO, "router",
                   "%s %u: dst %u src %u auth %u handle %u reply_to %u, %u bytes", way, hop,
                   f->dst_id, f->src_id, f->auth_id, f->handle, f->reply_to, f->length);
}

/* Rule 4. Bounded: a peer that sends to more ids than that is not told of the end of some. */
static void remember_destination(struct neighbour *from, uint32_t id)
{
    static char present;

    if (from->sent_to.count < SENT_TO_MAX)
        map_set(&from->sent_to, id, &present);
}

/* Rule 7. A neighbour that was started as unidirectional, and all behind it, talks to us and our
 * parents alone, however unidirectional we are ourselves. */
static bool may_talk(struct mito_router *r, const struct neighbour *from,
                     const struct neighbour *to, const struct frame *f)
{
    if (r->config.unidirectional && !is_privileged(r, from, f->auth_id) &&
        !is_privileged(r, to, f->dst_id))
        return false;
    if (from->unidirectional && !router_has_authority(r, f->dst_id) &&
        (to->is_parent || !is_privileged(r, to, f->dst_id)))
        return false;
    return !to->unidirectional || router_has_authority(r, f->auth_id);
}

/* May no more of that source wait for that stream? Each may have three times what is free, so that
 * who sends without end leaves room for others, and a little in any case, so that nobody's answer
 * is lost because of a large message of somebody else. */
static bool is_congested(const struct mito_router *r, const struct account *source,
                         const struct neighbour *to)
{
    size_t limit = r->config.queue_limit;
    size_t passing = stream_backlog(&to->stream) - to->stream.out_paced;
    size_t free_bytes = passing < limit ? limit - passing : 0;
    size_t least = limit / 64;

    return source->bytes / 3 > free_bytes && source->bytes > least;
}

static void forward(struct mito_router *r, struct neighbour *from, struct message *m)
{
    struct neighbour *to = router_next_hop(r, m->frame.dst_id);
    bool command = from->is_parent && router_has_authority(r, m->frame.auth_id);
    struct account *source = command ? from->commands : from->passing;
    char reason[128];

    if (to == NULL || (to->is_parent && from->is_parent)) {
        format_to(reason, sizeof reason, "context %u is gone, or never was (said by context %u)",
                  m->frame.dst_id, r->config.id);
        undeliverable(r, m, reason);
        return;
    }
    remember_destination(from, m->frame.dst_id);
    if (!may_talk(r, from, to, &m->frame)) {
        refuse(from, &m->frame, "unidirectional mode");
        undeliverable(r, m, "unidirectional mode: only parents and children may talk");
        return;
    }
    if (is_congested(r, source, to)) {
        refuse(from, &m->frame, "the queue to its destination is full");
        undeliverable(r, m, "the queue on the way there is full");
        return;
    }
    if (from->is_parent)
        ids_watch_reply(r, m);
    if (to->is_parent && !ids_watch_request(r, from, &m->frame)) {
        undeliverable(r, m, "no context ids left for you");
        return;
    }
    trace(r, "passed on to", &m->frame, to->id);
    message_charge(m, source);
    stream_send_message(&to->stream, m);
}

void router_route(struct mito_router *r, struct neighbour *from, struct message *m)
{
    trace(r, "from", &m->frame, from->id);
    if (!came_from(r, from, m->frame.auth_id)) {
        refuse(from, &m->frame, "it has no right to that auth_id");
        message_free(m);
        return;
    }
    if (m->frame.src_id != m->frame.auth_id && !came_from(r, from, m->frame.src_id)) {
        refuse(from, &m->frame, "it has no right to that src_id");
        message_free(m);
        return;
    }
    if (from->stamped && m->frame.auth_id == from->id) /* that one, not what it has started */
        m->frame.auth_id = from->stamp;
    if (m->frame.dst_id == r->config.id)
        dispatch(r, from, m);
    else
        forward(r, from, m);
}

/* For a thread that sends: it waits for what threads have sent alone. What only passes through has
 * a bound of its own (forward), and would else keep the threads waiting for as long as others send
 * without end. */
static bool has_room(const struct neighbour *n)
{
    return n->stream.out_paced <= SEND_HIGH_WATER;
}

/* For what is sent without waiting: a little more than passes through, so that the messages on
 * which the tree depends (its routes) get through when that is full. */
static bool is_full(const struct mito_router *r, const struct neighbour *n)
{
    return stream_backlog(&n->stream) > r->config.queue_limit + SEND_HIGH_WATER;
}

/* Lets the lock go until the neighbour's queue has room again, or it is gone (-1). */
static int wait_for_room(struct mito_router *r, struct neighbour *n, int64_t deadline)
{
    int rc = 0;

    neighbour_ref(n);
    while (!n->stream.broken && !has_room(n) && deadline > clock_ms()) {
        if (!stream_help(&n->stream, deadline))
            cond_wait(&n->stream.drained, &r->broker.lock, deadline);
    }
    if (n->stream.broken)
        rc = error_set(MITO_E_DEAD, "context %u: %s", n->id, n->stream.reason.text);
    else
        rc = has_room(n) ? 0 : error_set(MITO_E_TIMEOUT, "context %u takes no more", n->id);
    neighbour_unref(n);
    return rc;
}

static int no_route(struct mito_router *r, uint32_t id)
{
    struct mito_context *c = map_get(&r->contexts, id);

    if (c != NULL && c->gone)
        return context_gone_error(c);
    return error_set(MITO_E_DEAD, "%s (context %u): no route to it from here",
                     c != NULL ? c->name : "unknown", id);
}

static int send_to_self(struct mito_router *r, const struct frame *f, const void *payload)
{
    struct message *m = message_copy(f, payload);

    if (m == NULL)
        return -1;
    dispatch(r, NULL, m);
    return 0;
}

/* Checks and completes the frame and finds the way. *n is NULL when it is for this context. */
static int prepare(struct mito_router *r, struct frame *f, size_t length, int64_t deadline,
                   struct neighbour **n)
{
    *n = NULL;
    if (length > r->config.max_message_size)
        return error_set(MITO_E_TOO_LARGE, "message of %zu bytes is over max_message_size (%u)",
                         length, r->config.max_message_size);
    f->magic = FRAME_LEGACY;
    f->src_id = f->auth_id = r->config.id;
    f->length = (uint32_t)length;
    if (f->dst_id == r->config.id)
        return 0;
    *n = router_next_hop(r, f->dst_id);
    bool may_wait = deadline > 0 && !broker_is_self(&r->broker);
    if (*n != NULL && may_wait && !has_room(*n)) {
        if (wait_for_room(r, *n, deadline) < 0)
            return -1;
        *n = router_next_hop(r, f->dst_id);
    } else if (*n != NULL && !may_wait && is_full(r, *n)) {
        return error_set(MITO_E_OVERFLOW, "the queue to context %u is full", (*n)->id);
    }
    if (*n == NULL)
        return no_route(r, f->dst_id);
    trace(r, "to", f, (*n)->id);
    return 0;
}

/* After sending. A thread that sends much writes it itself: handing it to the broker would cost two
 * switches of threads for every piece that the kernel takes. */
static int sent(struct mito_router *r, struct neighbour *n, const struct frame *f, int64_t deadline,
                int rc)
{
    struct mito_context *c = map_get(&r->contexts, f->dst_id);

    if (rc < 0)
        return error_prefix("%s", c != NULL ? c->name : "unknown context");
    if (deadline > 0 && n->stream.out_paced > SEND_HELP) {
        neighbour_ref(n);
        stream_help(&n->stream, deadline);
        neighbour_unref(n);
    }
    return 0;
}

int router_send(struct mito_router *r, struct frame *f, const void *payload, size_t length,
                bool may_wait)
{
    int64_t deadline = may_wait ? INT64_MAX : 0;
    struct neighbour *n;

    if (prepare(r, f, length, deadline, &n) < 0)
        return -1;
    if (n == NULL)
        return send_to_self(r, f, payload);
    return sent(r, n, f, deadline, stream_send(&n->stream, f, payload, deadline > 0));
}

int router_send_buf(struct mito_router *r, struct frame *f, struct buf *payload, bool may_wait)
{
    return router_send_until(r, f, payload, may_wait ? INT64_MAX : 0);
}

int router_send_until(struct mito_router *r, struct frame *f, struct buf *payload, int64_t deadline)
{
    struct neighbour *n;

    if (prepare(r, f, payload->length, deadline, &n) < 0)
        return -1;
    if (n == NULL)
        return send_to_self(r, f, payload->data);
    return sent(r, n, f, deadline, stream_send_buf(&n->stream, f, payload, deadline > 0));
}

/* --- the end -----------------------------------------------------------------------------------
 */

enum {
    END_BASE = 1000,       /* ms for a neighbour without anything below it */
    END_PER_CONTEXT = 300, /* more for each context behind it: it has to wait for those itself */
    END_MOST = 4000,
    END_PER_LEVEL = 500, /* less than that, the deeper we are */
    END_LEAST = 500,
    END_FORCE = 500, /* between the kill and giving up on its stream to break */
};

/* How long those below have until they are ended by force. Always less than what our own parent
 * gives us: we must have done it when it ends us, or what does not end would stay. */
static int64_t end_bound(const struct mito_router *r)
{
    int64_t below = (int64_t)r->routes.count - (r->parent != NULL ? 1 : 0);
    int64_t bound = END_BASE + END_PER_CONTEXT * below;
    int64_t most = END_MOST - END_PER_LEVEL * (int64_t)r->config.parent_count;

    if (most < END_LEAST)
        most = END_LEAST;
    return bound < most ? bound : most;
}

static void finish_end(struct mito_router *r)
{
    void (*on_ended)(void *arg) = r->on_ended;

    r->on_ended = NULL;
    timer_cancel(&r->end_timer);
    on_ended(r->on_ended_arg);
}

static void give_up(void *arg)
{
    struct mito_router *r = arg;
    struct neighbour *n;
    struct error e;

    error_fill(&e, MITO_E_DEAD, "did not end, not even by force");
    list_each(n, &r->neighbours, link)
    {
        if (n->is_parent)
            continue;
        if (n->ops != NULL && n->ops->abandon != NULL)
            n->ops->abandon(n);
        else
            neighbour_gone(n, &e);
    }
    if (r->on_ended != NULL) /* a process that cannot be killed: it waits for a dead disk */
        finish_end(r);
}

static void end_by_force(void *arg)
{
    struct mito_router *r = arg;
    struct neighbour *n;
    struct activity *a;

    timer_set(&r->broker, &r->end_timer, clock_ms() + END_FORCE, give_up, r);
    list_each(n, &r->neighbours, link)
    {
        if (!n->is_parent && n->ops != NULL && n->ops->kill != NULL)
            n->ops->kill(n);
    }
    list_each(a, &r->activities, link) a->abort(a);
    router_check_ended(r);
}

void router_fail_handles(struct mito_router *r, const char *reason, bool answers)
{
    uint32_t *numbers = malloc((r->handles.count + 1) * sizeof *numbers);
    struct frame f = {
        .dst_id = r->config.id, .reply_to = HANDLE_DEAD, .length = (uint32_t)strlen(reason)};
    struct map_slot *slot;
    size_t count = 0, at = 0;

    while (numbers != NULL && (slot = map_next(&r->handles, &at)) != NULL) {
        const struct handle *h = slot->value;
        if (slot->key >= HANDLE_DYNAMIC && (answers || h->respondent == NULL))
            numbers[count++] = slot->key;
    }
    for (size_t i = 0; i < count; i++) {
        struct handle *h = map_get(&r->handles, numbers[i]);
        struct message *m = h == NULL ? NULL : message_copy(&f, reason);
        if (m != NULL)
            h->deliver(h, NULL, m);
    }
    free(numbers);
}

void router_end_children(struct mito_router *r, void (*on_ended)(void *arg), void *arg)
{
    struct neighbour *n;
    struct activity *a;
    struct at_end *e;

    if (r->ending)
        return;
    r->ending = true;
    r->on_ended = on_ended;
    r->on_ended_arg = arg;
    list_each(e, &r->at_end, link) e->begins(e);
    list_each(a, &r->activities, link) a->abort(a);
    list_each(n, &r->neighbours, link)
    {
        struct frame f = {.dst_id = n->id, .handle = HANDLE_SHUTDOWN};
        if (n->detached) /* it said that it would go by itself, and need not be waited for */
            stream_break(&n->stream, MITO_E_DEAD, "was detached");
        else if (n->stamped) /* a program of its own, not ours to end */
            stream_break(&n->stream, MITO_E_DEAD, "was disconnected");
        else if (!n->is_parent)
            router_send(r, &f, NULL, 0, false);
    }
    timer_set(&r->broker, &r->end_timer, clock_ms() + end_bound(r), end_by_force, r);
    router_check_ended(r);
}

void router_check_ended(struct mito_router *r)
{
    struct neighbour *n;

    if (!r->ending || r->on_ended == NULL || !list_empty(&r->activities))
        return;
    list_each(n, &r->neighbours, link)
    {
        if (!n->is_parent)
            return;
    }
    finish_end(r);
}
