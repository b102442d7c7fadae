/* Where messages wait for user threads. */
#ifndef CORE_RECEIVER_H
#define CORE_RECEIVER_H

#include "core/router.h"

struct mito_message {
    struct list link;
    struct mito_router *router;
    struct message *raw;      /* NULL for failures made here */
    struct error *failure;    /* set: reading it fails with this */
    struct mito_value *value; /* decoded on first use */
    uint32_t src_id;
    void *tag;
    const struct mito_function *function; /* the call it answers; for error texts */
};

/* Why a dead message came: closed on purpose when it has no text. What is in it is made harmless,
 * and cut to what an error may have. */
void message_dead_reason(const struct message *m, struct error *out);

/* A receiver or a select, as a part of a select. */
struct select_member {
    struct mito_select *outer;
    struct list link;  /* in outer->members */
    struct list ready; /* in outer->ready, while it has something */
    struct mito_receiver *rx;
    struct mito_select *inner;
};

struct mito_receiver {
    struct mito_router *router;
    struct handle handle;
    struct list queue; /* of struct mito_message */
    size_t bytes;      /* what the queue takes in memory; bounded by queue_limit */
    size_t lost;       /* messages refused since it was full; reported once */
    bool ended;
    struct error end; /* what mito_receive() fails with after the last message */
    pthread_cond_t arrived;
    unsigned sleepers;
    struct wakeup fd;    /* for poll(2), opened when first asked for */
    struct list pending; /* of struct pending: answers that are to arrive here */
    struct select_member member;
    /* Leading: see stream_lead. */
    struct neighbour *led;
    struct wakeup leader;
    bool leading, reading;
    pthread_t leading_thread; /* of those that wait here, the one that reads the stream */
    bool lead_known;
    uint32_t lead_id; /* answers come from there: lead the stream that leads to it */
};

/* Without a handle of its own: answers only (struct pending). No lock needed for the first two. */
void receiver_init(struct mito_receiver *rx, struct mito_router *r);
/* Frees what is in it; nobody may wait on it. */
void receiver_fini(struct mito_receiver *rx);
void receiver_push(struct mito_receiver *rx, struct mito_message *m); /* takes it over */
void receiver_end(struct mito_receiver *rx, int code, const char *text);
static inline bool receiver_ready(const struct mito_receiver *rx)
{
    return !list_empty(&rx->queue) || rx->lost > 0 || rx->ended;
}
/* The next message; waits. As mito_receive, lock held. */
struct mito_message *receiver_wait(struct mito_receiver *rx, int64_t deadline);
/* Reads the stream to that neighbour in this thread from now until receiver_wait() returns, if it
 * is free and nothing is queued on it. To be called before what provokes the answer is sent. */
void receiver_lead(struct mito_receiver *rx, struct neighbour *n);
/* Larger payloads may make the sender wait (stream_help), which it must not do while it leads. */
enum { LEAD_PAYLOAD_MAX = 64 * 1024 };
void receiver_unlead(struct mito_receiver *rx);

/* One awaited answer. */
struct pending {
    struct handle handle;
    struct list link;
    struct mito_receiver *rx;
    void *tag;
    const struct mito_function *function;
    bool expects_below; /* the answer names a context: it must be behind the one that answers */
};
/* Registers a handle for an answer from `from`; its number is what goes into reply_to. */
struct pending *pending_new(struct mito_receiver *rx, struct mito_context *from, void *tag,
                            const struct mito_function *function);
void pending_free(struct pending *p);
/* For a question that could not be sent. False when waiting to send it let the lock go and the
 * answer came meanwhile (that the context is gone): then that is what rx is told, once. */
bool pending_cancel(struct mito_router *r, uint32_t number);

/* Takes raw over. NULL when out of memory (raw is freed). */
struct mito_message *received_new(struct mito_router *r, struct message *raw, void *tag,
                                  const struct mito_function *function);
struct mito_message *received_failure(struct mito_router *r, uint32_t src_id, void *tag,
                                      const struct error *e);

void select_mark_ready(struct select_member *m);
void select_mark_idle(struct select_member *m);
void select_leave(struct select_member *m); /* fine when it is in none */

#endif
