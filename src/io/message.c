#include "io/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/err.h"

enum {
    INLINE_MAX = 16 * 1024, /* payloads up to this share the message's allocation */
    /* What is allocated for a large one before any of it came: a round megabyte and its pickle's
     * few bytes, so that such a message is not moved for the last of them. */
    FIRST_PART = 1024 * 1024 + 4096,
};

static struct message *allocate(const struct frame *frame, size_t capacity)
{
    size_t inline_size = capacity <= INLINE_MAX ? capacity : 0;
    struct message *m = malloc(sizeof *m + inline_size);

    if (m == NULL) {
        error_nomem();
        return NULL;
    }
    list_init(&m->link);
    m->frame = *frame;
    m->filled = 0;
    m->capacity = capacity;
    m->due = 0;
    m->account = NULL;
    m->paced = false;
    m->data = inline_size == capacity ? m->small : block_new(&m->capacity);
    if (m->data == NULL) {
        free(m);
        error_nomem();
        return NULL;
    }
    return m;
}

struct message *message_new(const struct frame *frame)
{
    return allocate(frame, frame->length < FIRST_PART ? frame->length : FIRST_PART);
}

struct message *message_copy(const struct frame *frame, const void *payload)
{
    struct message *m = allocate(frame, frame->length);

    if (m != NULL && frame->length > 0)
        memcpy(m->data, payload, frame->length);
    if (m != NULL)
        m->filled = frame->length;
    return m;
}

int message_grow(struct message *m)
{
    if (m->filled < m->capacity)
        return 0;
    size_t larger = m->capacity * 2;
    if (larger > m->frame.length)
        larger = m->frame.length;
    /* Not inline: those have all their room. */
    uint8_t *data = block_resize(m->data, m->capacity, m->filled, &larger);
    if (data == NULL)
        return error_nomem();
    m->data = data;
    m->capacity = larger;
    return 0;
}

struct account *account_new(void)
{
    struct account *t = malloc(sizeof *t);

    if (t == NULL)
        error_nomem();
    else
        *t = (struct account){.refs = 1};
    return t;
}

void account_unref(struct account *t)
{
    if (t != NULL && --t->refs == 0)
        free(t);
}

void message_charge(struct message *m, struct account *account)
{
    m->account = account;
    account->refs++;
    account->bytes += sizeof *m + m->frame.length;
}

void message_free(struct message *m)
{
    if (m == NULL)
        return;
    if (m->account != NULL) {
        m->account->bytes -= sizeof *m + m->frame.length;
        account_unref(m->account);
    }
    if (m->data != m->small)
        block_free(m->data, m->capacity);
    else
        explicit_bzero(m->small, m->capacity); /* there may be a password in it */
    free(m);
}

struct message *message_take(const struct frame *frame, struct buf *payload)
{
    struct message *m;

    if (payload->length <= INLINE_MAX)
        return message_copy(frame, payload->data);
    m = malloc(sizeof *m);
    if (m == NULL) {
        error_nomem();
        return NULL;
    }
    *m = (struct message){.frame = *frame, .data = payload->data};
    m->filled = payload->length;
    m->capacity = payload->capacity;
    list_init(&m->link);
    *payload = (struct buf){0};
    return m;
}
