#include "core/receiver.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cond.h"
#include "core/context.h"
#include "core/values.h"
#include "wire/failure.h"
#include "wire/pickle.h"

/* --- messages ----------------------------------------------------------------------------------
 */

struct mito_message *received_new(struct mito_router *r, struct message *raw, void *tag,
                                  const struct mito_function *function)
{
    struct mito_message *m = calloc(1, sizeof *m);

    if (m == NULL) {
        message_free(raw);
        error_nomem();
        return NULL;
    }
    *m = (struct mito_message){.router = r, .raw = raw, .tag = tag, .function = function};
    m->src_id = raw->frame.src_id;
    list_init(&m->link);
    return m;
}

struct mito_message *received_failure(struct mito_router *r, uint32_t src_id, void *tag,
                                      const struct error *e)
{
    struct mito_message *m = calloc(1, sizeof *m);
    struct error *copy = malloc(sizeof *copy);

    if (m == NULL || copy == NULL) {
        free(m);
        free(copy);
        error_nomem();
        return NULL;
    }
    *copy = *e;
    *m = (struct mito_message){.router = r, .failure = copy, .tag = tag, .src_id = src_id};
    list_init(&m->link);
    return m;
}

void mito_message_free(struct mito_message *m)
{
    if (m == NULL)
        return;
    mito_value_free(m->value);
    message_free(m->raw);
    free(m->failure);
    free(m);
}

/* --- life --------------------------------------------------------------------------------------
 */

void receiver_init(struct mito_receiver *rx, struct mito_router *r)
{
    *rx = (struct mito_receiver){.router = r, .fd = WAKEUP_NONE};
    list_init(&rx->queue);
    list_init(&rx->pending);
    rx->member.rx = rx;
    list_init(&rx->member.link);
    list_init(&rx->member.ready);
    cond_init(&rx->arrived);
}

void receiver_fini(struct mito_receiver *rx)
{
    struct mito_message *m;

    handle_remove(rx->router, &rx->handle);
    while (!list_empty(&rx->pending))
        pending_free(list_first(&rx->pending, struct pending, link));
    list_each(m, &rx->queue, link)
    {
        list_remove(&m->link);
        mito_message_free(m);
    }
    select_leave(&rx->member);
    wakeup_close(&rx->fd);
    pthread_cond_destroy(&rx->arrived);
}

bool message_closes(const struct message *m)
{
    static const char mitogen[] = "Sender was explicitly closed";
    size_t length = m->frame.length;

    return message_is_dead(m) &&
           (length == 0 || (length == sizeof mitogen - 1 && memcmp(m->data, mitogen, length) == 0));
}

static void deliver(struct handle *h, struct neighbour *from, struct message *raw)
{
    struct mito_receiver *rx = h->arg;
    struct mito_message *m;

    if (message_is_dead(raw)) {
        struct error why;
        message_dead_reason(raw, &why);
        receiver_end(rx, why.code, why.text);
        message_free(raw);
        return;
    }
    if (from != NULL) { /* the next one is likely to come the same way */
        rx->lead_known = true;
        rx->lead_id = from->id;
    }
    m = received_new(rx->router, raw, NULL, NULL);
    if (m != NULL)
        receiver_push(rx, m);
}

struct mito_receiver *mito_receiver_new(struct mito_router *r)
{
    struct mito_receiver *rx;

    if (r == NULL) /* mito_router_new() failed; its error stays the one to show */
        return NULL;
    rx = calloc(1, sizeof *rx);
    if (rx == NULL) {
        error_nomem();
        return NULL;
    }
    router_lock(r);
    receiver_init(rx, r);
    if (handle_add(r, &rx->handle, 0, POLICY_ANYONE, NULL, deliver, rx) < 0) {
        receiver_fini(rx);
        free(rx);
        rx = NULL;
    }
    router_unlock(r);
    return rx;
}

void mito_receiver_free(struct mito_receiver *rx)
{
    struct mito_router *r;

    if (rx == NULL)
        return;
    r = rx->router;
    router_lock(r);
    receiver_end(rx, MITO_E_CLOSED, "the receiver was freed");
    while (rx->sleepers > 0 || rx->leading) /* let the threads that wait on it go first */
        pthread_cond_wait(&rx->arrived, &r->broker.lock);
    receiver_fini(rx);
    router_unlock(r);
    free(rx);
}

/* --- arrival -----------------------------------------------------------------------------------
 */

static void notify(struct mito_receiver *rx)
{
    if (rx->leading) {
        if (!rx->reading)
            wakeup_raise(&rx->leader);
    } else if (rx->sleepers > 0) {
        pthread_cond_signal(&rx->arrived);
    }
    if (rx->fd.read_fd >= 0)
        wakeup_raise(&rx->fd);
    if (rx->member.outer != NULL)
        select_mark_ready(&rx->member);
}

/* What keeping it costs: a flood of empty messages is bounded as well. */
static size_t cost_of(const struct mito_message *m)
{
    return sizeof *m +
           (m->raw != NULL ? sizeof *m->raw + m->raw->frame.length : sizeof *m->failure);
}

static bool is_full(const struct mito_receiver *rx)
{
    return rx->bytes > rx->router->config.queue_limit;
}

static void append(struct mito_receiver *rx, struct mito_message *m)
{
    rx->bytes += cost_of(m);
    list_append(&rx->queue, &m->link);
    notify(rx);
}

void receiver_push(struct mito_receiver *rx, struct mito_message *m)
{
    if (rx->ended || is_full(rx)) {
        if (!rx->ended && rx->lost++ == 0)
            notify(rx);
        if (m->raw != NULL)
            router_reply_dead(rx->router, &m->raw->frame, "the receiver's queue is full");
        mito_message_free(m);
        return;
    }
    append(rx, m);
}

void receiver_end(struct mito_receiver *rx, int code, const char *text)
{
    if (rx->ended)
        return;
    rx->ended = true;
    error_fill(&rx->end, code, "%s", text);
    notify(rx);
    pthread_cond_broadcast(&rx->arrived);
}

/* --- waiting -----------------------------------------------------------------------------------
 */

static int take_spare_wakeup(struct mito_router *r, struct wakeup *w)
{
    if (r->spare_count == 0)
        return wakeup_open(w);
    *w = r->spare[--r->spare_count];
    return 0;
}

static void give_spare_wakeup(struct mito_router *r, struct wakeup *w)
{
    if (r->spare_count < sizeof r->spare / sizeof *r->spare)
        r->spare[r->spare_count++] = *w;
    else
        wakeup_close(w);
}

void receiver_lead(struct mito_receiver *rx, struct neighbour *n)
{
    struct mito_router *r = rx->router;

    if (rx->leading || n == NULL || n->stream.leader != NULL || n->stream.out_bytes > 0 ||
        broker_is_self(&r->broker) || take_spare_wakeup(r, &rx->leader) < 0)
        return;
    if (!stream_lead(&n->stream, &rx->leader)) {
        give_spare_wakeup(r, &rx->leader);
        return;
    }
    rx->leading = true;
    rx->leading_thread = pthread_self();
    rx->led = neighbour_ref(n);
}

/* Several threads may wait here: what one of them leads is no concern of the others. */
static bool leads(const struct mito_receiver *rx)
{
    return rx->leading && pthread_equal(rx->leading_thread, pthread_self());
}

void receiver_unlead(struct mito_receiver *rx)
{
    if (!leads(rx))
        return;
    rx->leading = false;
    stream_unlead(&rx->led->stream);
    neighbour_unref(rx->led);
    rx->led = NULL;
    give_spare_wakeup(rx->router, &rx->leader);
    if (rx->sleepers > 0 || rx->ended) /* mito_receiver_free may wait for us to leave */
        pthread_cond_broadcast(&rx->arrived);
}

/* One turn of reading the stream in this thread. False when the deadline has passed, also while
 * others than the one that is waited for send without end. */
static bool lead_once(struct mito_receiver *rx, int64_t deadline)
{
    struct stream *s = &rx->led->stream;
    struct pollfd fds[2] = {{.fd = s->in_fd, .events = POLLIN},
                            {.fd = rx->leader.read_fd, .events = POLLIN}};

    router_unlock(rx->router);
    int n = poll(fds, 2, clock_left(deadline));
    router_lock(rx->router);
    if (n > 0 && fds[1].revents != 0)
        wakeup_clear(&rx->leader);
    if (n > 0 && fds[0].revents != 0) {
        int64_t since = clock_ns();
        rx->reading = true;
        stream_read(s);
        rx->reading = false;
        if (!receiver_ready(rx))
            broker_give_way(&rx->router->broker, since);
    }
    return n != 0 && (deadline == INT64_MAX || deadline > clock_ms());
}

/* False when the deadline has passed. */
static bool sleep_until(struct mito_receiver *rx, int64_t deadline)
{
    rx->sleepers++;
    bool in_time = cond_wait(&rx->arrived, &rx->router->broker.lock, deadline);
    rx->sleepers--;
    if (rx->ended) /* mito_receiver_free may wait for us to leave */
        pthread_cond_broadcast(&rx->arrived);
    return in_time;
}

static void wait_ready(struct mito_receiver *rx, int64_t deadline)
{
    struct mito_router *r = rx->router;
    bool in_time = deadline > clock_ms();

    while (!receiver_ready(rx) && in_time) {
        if (!rx->leading && rx->lead_known)
            receiver_lead(rx, router_next_hop(r, rx->lead_id));
        bool lead = leads(rx) && !rx->led->stream.broken;
        in_time = lead ? lead_once(rx, deadline) : (receiver_unlead(rx), sleep_until(rx, deadline));
    }
    receiver_unlead(rx);
}

static struct mito_message *take(struct mito_receiver *rx)
{
    struct mito_message *m = list_first(&rx->queue, struct mito_message, link);

    list_remove(&m->link);
    rx->bytes -= cost_of(m);
    return m;
}

struct mito_message *receiver_wait(struct mito_receiver *rx, int64_t deadline)
{
    struct mito_message *m = NULL;

    if (!receiver_ready(rx))
        wait_ready(rx, deadline);
    else
        receiver_unlead(rx);
    if (!list_empty(&rx->queue)) {
        m = take(rx);
    } else if (rx->lost > 0) {
        error_set(MITO_E_OVERFLOW,
                  "receiver: %zu messages were lost, they came faster than they were received",
                  rx->lost);
        rx->lost = 0;
    } else if (rx->ended) {
        error_put(&rx->end);
    } else {
        error_set(MITO_E_TIMEOUT, "no message in time");
    }
    if (!receiver_ready(rx)) {
        if (rx->fd.read_fd >= 0)
            wakeup_clear(&rx->fd);
        select_mark_idle(&rx->member);
    } else if (rx->sleepers > 0) {
        pthread_cond_signal(&rx->arrived); /* more for the next one who waits */
    }
    return m;
}

struct mito_message *mito_receive(struct mito_receiver *rx, int timeout)
{
    int64_t deadline = clock_deadline(timeout);

    if (rx == NULL) {
        error_null("receiver");
        return NULL;
    }
    router_lock(rx->router);
    struct mito_message *m = receiver_wait(rx, deadline);
    router_unlock(rx->router);
    return m;
}

int mito_receiver_fd(struct mito_receiver *rx)
{
    int fd;

    router_lock(rx->router);
    if (rx->fd.read_fd < 0 && wakeup_open(&rx->fd) == 0 && receiver_ready(rx))
        wakeup_raise(&rx->fd);
    fd = rx->fd.read_fd;
    router_unlock(rx->router);
    return fd;
}

/* --- awaited answers ---------------------------------------------------------------------------
 */

void pending_free(struct pending *p)
{
    list_remove(&p->link);
    handle_remove(p->rx->router, &p->handle);
    free(p);
}

/* Puts a failure in place of an answer that cannot be given to who waits for it. */
static struct mito_message *refuse_answer(struct mito_receiver *rx, struct mito_message *m,
                                          int code, const char *why)
{
    struct mito_context *c = map_get(&rx->router->contexts, m->src_id);
    struct error e;

    error_fill(&e, code, "%s: %s", c != NULL ? c->name : "unknown context", why);
    struct mito_message *failure = received_failure(rx->router, m->src_id, m->tag, &e);
    mito_message_free(m);
    return failure;
}

/* Does a context that was asked to connect further name one that is reached through it? If it named
 * another, what is meant for the new context would be done by that one. */
static bool names_below(struct mito_router *r, const struct neighbour *from,
                        const struct message *raw)
{
    enum { LONGEST = 64 * 1024 }; /* far more than a context or a failure takes */
    uint32_t id, handle;
    bool fine = true;

    if (message_is_dead(raw) || raw->frame.length > LONGEST)
        return message_is_dead(raw);
    struct mito_value *v = pickle_load(raw->data, raw->frame.length, NULL);
    if (v != NULL && mito_value_type(v) == MITO_CONTEXT)
        fine = mito_value_address(v, &id, &handle) == 0 && router_next_hop(r, id) == from;
    mito_value_free(v);
    return fine; /* what is no context at all is for the reader to refuse */
}

/* Whoever waits gets something for every question that was asked, however large the answers of
 * others are: one that is lost leaves a failure, and those that are made here are small. */
static void answer(struct handle *h, struct neighbour *from, struct message *raw)
{
    struct pending *p = h->arg;
    struct mito_receiver *rx = p->rx;
    struct mito_message *m;
    bool below = !p->expects_below || from == NULL || names_below(rx->router, from, raw);

    if (from != NULL) { /* the next answer is likely to come the same way */
        rx->lead_known = true;
        rx->lead_id = from->id;
    }
    m = received_new(rx->router, raw, p->tag, p->function);
    if (m != NULL && h->respondent != NULL) /* also when somebody on the way speaks for it */
        m->src_id = h->respondent->id;
    pending_free(p);
    if (m != NULL && !below)
        m = refuse_answer(rx, m, MITO_E_MALFORMED, "answered with a context that is not behind it");
    if (m != NULL && from != NULL && is_full(rx))
        m = refuse_answer(rx, m, MITO_E_OVERFLOW,
                          "its answer was lost: the receiver's queue is full");
    if (m == NULL)
        receiver_end(rx, MITO_E_NOMEM, "out of memory for an answer");
    else if (rx->ended)
        mito_message_free(m);
    else
        append(rx, m);
}

bool pending_cancel(struct mito_router *r, uint32_t number)
{
    struct handle *h = map_get(&r->handles, number);

    if (h == NULL || h->deliver != answer)
        return false;
    pending_free(h->arg);
    return true;
}

struct pending *pending_new(struct mito_receiver *rx, struct mito_context *from, void *tag,
                            const struct mito_function *function)
{
    struct pending *p = calloc(1, sizeof *p);

    if (p == NULL) {
        error_nomem();
        return NULL;
    }
    *p = (struct pending){.rx = rx, .tag = tag, .function = function};
    list_init(&p->link);
    if (handle_add(rx->router, &p->handle, 0, POLICY_ANYONE, from, answer, p) < 0) {
        free(p);
        return NULL;
    }
    list_append(&rx->pending, &p->link);
    return p;
}
