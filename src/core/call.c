#include "core/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "core/context.h"
#include "wire/pickle.h"

/* --- the payload: (chain, module, class, function, args, kwargs) ---------------------------------
 */

int call_payload_begin(struct buf *out, const char *chain, const char *module, const char *function)
{
    const char *dot = strrchr(function, '.');
    const char *name = dot != NULL ? dot + 1 : function;

    if (pickle_begin(out) < 0 || pickle_tuple_open(out) < 0 ||
        (chain != NULL ? pickle_str(out, chain, strlen(chain)) : pickle_none(out)) < 0 ||
        pickle_str(out, module, strlen(module)) < 0 ||
        (dot != NULL ? pickle_str(out, function, (size_t)(dot - function)) : pickle_none(out)) < 0)
        return -1;
    return pickle_str(out, name, strlen(name));
}

int call_payload_end(struct buf *out)
{
    if (pickle_kwargs_open(out) < 0 || pickle_kwargs_close(out) < 0 || pickle_tuple_close(out) < 0)
        return -1;
    return pickle_end(out);
}

/* "positional|keywords" */
static int pack_arguments(struct buf *out, const char *signature, struct arguments *args,
                          const struct signature_hooks *hooks)
{
    const char *bar = signature != NULL ? strchr(signature, '|') : NULL;
    char positional[SIGNATURE_MAX + 1];

    if (bar == NULL)
        return signature_pack(out, signature, true, args, hooks) < 0
                   ? -1
                   : signature_pack_keywords(out, "", args, hooks);
    if (bar - signature > SIGNATURE_MAX)
        return error_set(MITO_E_INVALID, "signature \"%.64s\": too long", signature);
    memcpy(positional, signature, (size_t)(bar - signature));
    positional[bar - signature] = '\0';
    if (signature_pack(out, positional, true, args, hooks) < 0)
        return -1;
    return signature_pack_keywords(out, bar + 1, args, hooks);
}

int call_build(struct buf *out, struct mito_context *context, const char *chain,
               const struct mito_function *function, const char *signature, struct arguments *args)
{
    struct signature_hooks hooks;

    if (context == NULL)
        return error_null("context");
    if (function == NULL)
        return error_set(MITO_E_INVALID, "no function to call");
    hooks = values_hooks(context->router);
    if (call_payload_begin(out, chain, function->module, function->name) < 0 ||
        pack_arguments(out, signature, args, &hooks) < 0 || pickle_tuple_close(out) < 0)
        return -1;
    return pickle_end(out);
}

/* --- sending -----------------------------------------------------------------------------------
 */

static int send_payload(struct mito_context *context, uint32_t handle, struct buf *payload,
                        uint32_t reply_to, int64_t deadline)
{
    struct frame f = {.dst_id = context->id, .handle = handle, .reply_to = reply_to};

    if (context->gone)
        return context_gone_error(context);
    return router_send_until(context->router, &f, payload, deadline);
}

int call_send_locked(struct mito_context *context, struct buf *payload, uint32_t reply_to)
{
    return send_payload(context, HANDLE_CALL_FUNCTION, payload, reply_to, 0);
}

int call_send(struct mito_context *context, struct buf *payload, struct mito_receiver *rx,
              void *tag, const struct mito_function *function)
{
    return call_send_to(context, HANDLE_CALL_FUNCTION, payload, rx, tag, function);
}

int call_send_to(struct mito_context *context, uint32_t handle, struct buf *payload,
                 struct mito_receiver *rx, void *tag, const struct mito_function *function)
{
    ROUTER_IN_USE(context->router);
    struct pending *p = NULL;
    int rc = -1;

    router_lock(context->router);
    if (rx != NULL)
        p = pending_new(rx, context, tag, function);
    if (rx == NULL || p != NULL) {
        uint32_t number = p != NULL ? p->handle.number : 0;
        rc = send_payload(context, handle, payload, number, INT64_MAX);
        if (rc < 0 && rx != NULL && !pending_cancel(context->router, number))
            rc = 0;
    }
    router_unlock(context->router);
    return rc;
}

/* Sends and waits, reading the answer in this thread where that is possible. */
static struct mito_message *send_and_wait(struct mito_context *context, uint32_t handle,
                                          struct buf *payload, int timeout,
                                          const struct mito_function *function)
{
    struct mito_router *r = context->router;
    int64_t deadline = clock_deadline(timeout);
    struct mito_message *m = NULL;
    struct mito_receiver rx;

    receiver_init(&rx, r);
    router_lock(r);
    struct neighbour *hop = router_next_hop(r, context->id);
    struct pending *p = pending_new(&rx, context, NULL, function);
    if (p != NULL && hop != NULL) {
        rx.lead_known = true;
        rx.lead_id = hop->id;
        if (payload->length <= LEAD_PAYLOAD_MAX)
            receiver_lead(&rx, hop);
    }
    if (p != NULL && send_payload(context, handle, payload, p->handle.number, deadline) == 0)
        m = receiver_wait(&rx, deadline);
    receiver_unlead(&rx);
    receiver_fini(&rx);
    router_unlock(r);
    if (m == NULL && mito_error_code() == MITO_E_TIMEOUT)
        error_set(MITO_E_TIMEOUT, "%s: %s: no answer within %d ms", context->name, function->name,
                  timeout);
    return m;
}

int call_wait_for(struct mito_context *context, uint32_t handle, struct buf *payload, int timeout,
                  const struct mito_function *function, struct arguments *args)
{
    ROUTER_IN_USE(context->router);
    const char *result = va_arg(args->ap, const char *); /* NULL: whatever it is, nobody wants it */

    if (result != NULL && signature_check(result, NULL) < 0)
        return -1;
    if (context->id == context->router->config.id)
        return error_set(MITO_E_INVALID, "a context cannot call itself and wait for the answer");
    MITO_AUTO_MESSAGE m = send_and_wait(context, handle, payload, timeout, function);
    if (m == NULL)
        return -1;
    if (result == NULL) /* nor are there more arguments to take a pointer from */
        return mito_message_value(m) != NULL ? 0 : -1;
    return message_unpack(m, result, SIGNATURE_COPY, args);
}

int call_wait(struct mito_context *context, int timeout, const char *chain,
              const struct mito_function *function, const char *signature, struct arguments *args)
{
    AUTO_BUF payload = {0};

    if (call_build(&payload, context, chain, function, signature, args) < 0)
        return -1;
    return call_wait_for(context, HANDLE_CALL_FUNCTION, &payload, timeout, function, args);
}

int call_start(struct mito_context *context, const char *chain, struct mito_receiver *rx, void *tag,
               const struct mito_function *function, const char *signature, struct arguments *args)
{
    AUTO_BUF payload = {0};

    if (call_build(&payload, context, chain, function, signature, args) < 0)
        return -1;
    return call_send(context, &payload, rx, tag, function);
}

/* --- public ------------------------------------------------------------------------------------
 */

int mito_call_(struct mito_context *context, int timeout, const struct mito_function *function,
               const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = call_wait(context, timeout, NULL, function, signature, &args);
    va_end(args.ap);
    return rc;
}

int mito_call_async_(struct mito_context *context, const struct mito_function *function,
                     struct mito_receiver *rx, void *tag, const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = rx == NULL ? error_null("receiver")
                        : call_start(context, NULL, rx, tag, function, signature, &args);
    va_end(args.ap);
    return rc;
}

int mito_call_no_reply_(struct mito_context *context, const struct mito_function *function,
                        const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = call_start(context, NULL, NULL, NULL, function, signature, &args);
    va_end(args.ap);
    return rc;
}

/* --- chains ------------------------------------------------------------------------------------
 */

struct mito_chain *mito_chain_new(struct mito_context *context)
{
    static unsigned long counter;
    struct mito_chain *c = context != NULL ? malloc(sizeof *c) : NULL;

    if (c == NULL) {
        context == NULL ? error_null("context") : error_nomem();
        return NULL;
    }
    c->context = mito_context_ref(context);
    c->python = false;
    format_to(c->id, sizeof c->id, "chain-%u-%lu", context->router->config.id,
              __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));
    return c;
}

void mito_chain_free(struct mito_chain *c)
{
    if (c == NULL)
        return;
    mito_chain_reset(c);
    mito_context_unref(c->context);
    free(c);
}

int mito_chain_reset(struct mito_chain *c)
{
    AUTO_BUF payload = {0};

    bool python = __atomic_load_n(&c->python, __ATOMIC_RELAXED);
    if (call_payload_begin(&payload, NULL, python ? "mitogen.core" : BUILTIN_MODULE,
                           python ? "Dispatcher.forget_chain" : "forget_chain") < 0 ||
        pickle_tuple_open(&payload) < 0 || pickle_str(&payload, c->id, strlen(c->id)) < 0 ||
        pickle_tuple_close(&payload) < 0 || call_payload_end(&payload) < 0)
        return -1;
    return call_send(c->context, &payload, NULL, NULL, NULL);
}

int mito_chain_call_(struct mito_chain *c, int timeout, const struct mito_function *function,
                     const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = call_wait(c->context, timeout, c->id, function, signature, &args);
    va_end(args.ap);
    return rc;
}

int mito_chain_call_async_(struct mito_chain *c, const struct mito_function *function,
                           struct mito_receiver *rx, void *tag, const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = rx == NULL ? error_null("receiver")
                        : call_start(c->context, c->id, rx, tag, function, signature, &args);
    va_end(args.ap);
    return rc;
}

int mito_chain_call_no_reply_(struct mito_chain *c, const struct mito_function *function,
                              const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = call_start(c->context, c->id, NULL, NULL, function, signature, &args);
    va_end(args.ap);
    return rc;
}
