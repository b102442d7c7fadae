#include "core/values.h"

#include <stdlib.h>

#include "core/context.h"

static int address_of(void *arg, char letter, const void *object, struct address *out)
{
    struct mito_router *r = arg;
    const struct mito_context *c = object;
    const struct mito_receiver *rx = object;
    const struct mito_sender *tx = object;

    if (object == NULL)
        return error_set(MITO_E_INVALID, "NULL for '%c'", letter);
    *out = (struct address){0};
    if (letter == 'c') {
        out->context_id = c->id;
        out->name = c->name;
    } else if (letter == 'r') {
        out->context_id = r->config.id;
        out->handle = rx->handle.number;
    } else {
        out->context_id = tx->context->id;
        out->handle = tx->handle;
    }
    return 0;
}

static struct mito_context *context_ref_by_id(struct mito_router *r, uint32_t id, const char *name)
{
    router_lock(r);
    struct mito_context *c = context_intern(r, id, name);
    if (c != NULL)
        c->refs++;
    router_unlock(r);
    return c;
}

static void *object_of(void *arg, char letter, const struct address *a)
{
    struct mito_router *r = arg;

    /* What we send carries our authority: nobody may aim it at a handle that acts on authority. */
    if (letter != 'c' && a->handle < HANDLE_DYNAMIC) {
        error_set(MITO_E_DENIED, "a sender to handle %u may not come in a message", a->handle);
        return NULL;
    }
    struct mito_context *c = context_ref_by_id(r, a->context_id, a->name);

    if (c == NULL || letter == 'c')
        return c;
    struct mito_sender *tx = sender_new(r, c, a->handle);
    if (tx == NULL)
        mito_context_unref(c);
    return tx;
}

static void release(void *arg, char letter, void *object)
{
    (void)arg;
    if (letter == 'c')
        mito_context_unref(object);
    else
        mito_sender_free(object);
}

struct signature_hooks values_hooks(struct mito_router *r)
{
    return (struct signature_hooks){
        .arg = r, .address_of = address_of, .object_of = object_of, .release = release};
}
