/* One frame with its payload, in memory. A message has one owner, who frees it or hands it on. */
#ifndef IO_MESSAGE_H
#define IO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "wire/frame.h"

/* What the messages of one source take while they wait to be passed on. It lives until its source
 * and the last of them are gone. */
struct account {
    size_t bytes;
    unsigned refs;
};

struct message {
    struct list link; /* in the queue of whoever owns it */
    struct frame frame;
    uint8_t *data;
    size_t filled;           /* bytes of the payload that are there; frame.length when complete */
    size_t capacity;         /* of data; may be more than the payload needs */
    int64_t due;             /* netem: when it may go on, ns */
    struct account *account; /* whose source is charged for it; NULL: none */
    bool paced;              /* sent by a thread that waits for room, see stream_send */
    uint8_t small[];         /* where data points unless the payload is large */
};

/* With room for the payload or, when that is large, for a first part of it: what a peer merely
 * announces is not allocated. NULL with an error when out of memory. */
struct message *message_new(const struct frame *frame);
/* A complete one with a copy of `payload` (frame->length bytes). */
struct message *message_copy(const struct frame *frame, const void *payload);
/* As message_copy, but takes over what is in `payload` (leaving it empty) when that is large. */
struct message *message_take(const struct frame *frame, struct buf *payload);
void message_free(struct message *m); /* NULL is allowed */
/* With the lock held, as whatever frees it from then on. */
void message_charge(struct message *m, struct account *account);
struct account *account_new(void); /* NULL with an error when out of memory */
void account_unref(struct account *t);
/* Room for more of the payload; 0 or -1. */
int message_grow(struct message *m);
/* Bytes of its payload that may be added now; the block may have room for more than that. */
static inline size_t message_room(const struct message *m)
{
    return (m->capacity < m->frame.length ? m->capacity : m->frame.length) - m->filled;
}
static inline size_t message_size(const struct message *m)
{
    return (size_t)FRAME_HEADER_SIZE + m->frame.length;
}

#endif
