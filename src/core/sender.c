/* Senders: the addresses of receivers, here or elsewhere. */
#include <stdlib.h>

#include "core/context.h"
#include "core/values.h"
#include "wire/pickle.h"

struct mito_sender *sender_new(struct mito_router *r, struct mito_context *context, uint32_t handle)
{
    struct mito_sender *tx = calloc(1, sizeof *tx);

    if (tx == NULL) {
        error_nomem();
        return NULL;
    }
    *tx = (struct mito_sender){.router = r, .context = context, .handle = handle};
    return tx;
}

struct mito_sender *mito_sender_new(struct mito_context *context, uint32_t handle)
{
    if (context == NULL) {
        error_null("context");
        return NULL;
    }
    struct mito_sender *tx = sender_new(context->router, mito_context_ref(context), handle);

    if (tx == NULL)
        mito_context_unref(context);
    return tx;
}

struct mito_sender *mito_sender_to(struct mito_receiver *rx)
{
    if (rx == NULL) {
        error_null("receiver");
        return NULL;
    }
    MITO_AUTO_CONTEXT self = mito_context_self(rx->router);

    return self == NULL ? NULL : mito_sender_new(self, rx->handle.number);
}

void mito_sender_free(struct mito_sender *tx)
{
    if (tx == NULL)
        return;
    mito_context_unref(tx->context);
    free(tx);
}

struct mito_context *mito_sender_context(struct mito_sender *tx)
{
    return mito_context_ref(tx->context);
}

uint32_t mito_sender_handle(const struct mito_sender *tx)
{
    return tx->handle;
}

static int pack(struct mito_sender *tx, const char *signature, struct arguments *args,
                struct buf *out)
{
    struct signature_hooks hooks;

    if (tx == NULL)
        return error_null("sender");
    hooks = values_hooks(tx->router);
    if (pickle_begin(out) < 0 || signature_pack(out, signature, false, args, &hooks) < 0)
        return -1;
    return pickle_end(out);
}

int mito_send_(struct mito_sender *tx, const void *signature, ...)
{
    struct arguments args;
    AUTO_BUF out = {0};

    va_start(args.ap, signature);
    int rc = pack(tx, signature, &args, &out);
    va_end(args.ap);
    if (rc < 0)
        return -1;
    struct frame f = {.dst_id = tx->context->id, .handle = tx->handle};
    router_lock(tx->router);
    rc = router_send_buf(tx->router, &f, &out, true);
    router_unlock(tx->router);
    return rc;
}

int mito_request_(struct mito_sender *tx, struct mito_receiver *rx, void *tag,
                  const void *signature, ...)
{
    struct arguments args;
    AUTO_BUF out = {0};

    va_start(args.ap, signature);
    int rc = rx == NULL ? error_null("receiver") : pack(tx, signature, &args, &out);
    va_end(args.ap);
    if (rc < 0)
        return -1;
    struct frame f = {.dst_id = tx->context->id, .handle = tx->handle};
    router_lock(tx->router);
    struct pending *p = tx->context->gone ? (context_gone_error(tx->context), NULL)
                                          : pending_new(rx, tx->context, tag, NULL);
    if (p != NULL) {
        f.reply_to = p->handle.number;
        rc = router_send_buf(tx->router, &f, &out, true);
        if (rc < 0 && !pending_cancel(tx->router, f.reply_to))
            rc = 0;
    }
    router_unlock(tx->router);
    return p == NULL ? -1 : rc;
}

int mito_sender_close(struct mito_sender *tx)
{
    struct frame f = {.dst_id = tx->context->id, .handle = tx->handle, .reply_to = HANDLE_DEAD};

    router_lock(tx->router);
    int rc = router_send(tx->router, &f, NULL, 0, true);
    router_unlock(tx->router);
    return rc;
}
