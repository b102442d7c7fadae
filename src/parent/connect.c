/* Connection methods as the program sees them: from here, or from another context (via), which is
 * asked to connect by a call of mitosis.connect. */
#include <stdlib.h>
#include <string.h>

#include "child/builtin.h"
#include "core/call.h"
#include "parent/connection.h"
#include "wire/failure.h"
#include "wire/pickle.h"

/* --- answers -----------------------------------------------------------------------------------
 */

static int pickle_context_answer(struct buf *out, const struct mito_context *context)
{
    if (pickle_begin(out) < 0 || pickle_context(out, context->id, context->name) < 0)
        return -1;
    return pickle_end(out);
}

static int pickle_failure_answer(struct buf *out, const struct error *e)
{
    AUTO_BUF text = {0};

    if (failure_encode(&text, e) < 0 || pickle_begin(out) < 0 ||
        pickle_failure(out, (const char *)text.data, text.length) < 0)
        return -1;
    return pickle_end(out);
}

/* Who waits for a connection of this process: the number of a handle, which is gone if the receiver
 * is freed meanwhile. */
struct waiter {
    struct mito_router *router;
    uint32_t handle;
};

static void connected(void *arg, struct mito_context *context, const struct error *e)
{
    struct waiter *w = arg;
    struct mito_router *r = w->router;
    struct handle *h = map_get(&r->handles, w->handle);
    AUTO_BUF out = {0};

    if (h != NULL && (context != NULL ? pickle_context_answer(&out, context)
                                      : pickle_failure_answer(&out, e)) == 0) {
        struct frame f = {.magic = FRAME_LEGACY,
                          .dst_id = r->config.id,
                          .src_id = context != NULL ? context->id : r->config.id,
                          .auth_id = r->config.id,
                          .handle = w->handle,
                          .length = (uint32_t)out.length};
        struct message *m = message_copy(&f, out.data);
        if (m != NULL)
            h->deliver(h, NULL, m);
    }
    free(w);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static int connect_here(struct mito_router *r, const struct method *m, const void *options,
                        struct mito_receiver *rx, void *tag)
{
    struct waiter *w = calloc(1, sizeof *w);
    void *copy = options_copy(m, options);

    if (w == NULL || copy == NULL) {
        free(w);
        options_free(m, copy);
        return error_nomem();
    }
    router_lock(r);
    struct pending *p = pending_new(rx, NULL, tag, NULL);
    if (p == NULL) {
        router_unlock(r);
        free(w);
        options_free(m, copy);
        return -1;
    }
    p->handle.policy = POLICY_PARENT_AUTHORITY; /* the answer is made here */
    *w = (struct waiter){.router = r, .handle = p->handle.number};
    connection_start(r, m, copy, connected, w);
    router_unlock(r);
    return 0;
}

static int connect_payload(const struct method *m, const void *options, struct buf *out)
{
    enum { ROOM = 4096 }; /* for most: a buffer that grows leaves a copy of what is in it */

    if (buf_reserve(out, ROOM) < 0 ||
        call_payload_begin(out, NULL, BUILTIN_MODULE, "connect") < 0 ||
        pickle_tuple_open(out) < 0 || pickle_str(out, m->name, strlen(m->name)) < 0 ||
        options_pickle(m, options, out) < 0 || pickle_tuple_close(out) < 0)
        return -1;
    if (out->length > ROOM / 2 && options_secret(m, options) != NULL)
        return error_set(MITO_E_TOO_LARGE, "%s: the options are too long to go with a password",
                         m->name);
    return call_payload_end(out);
}

static int connect_there(const struct method *m, const void *options, struct mito_context *via,
                         struct mito_receiver *rx, void *tag)
{
    AUTO_BUF payload = {0};
    int rc = connect_payload(m, options, &payload);

    if (rc == 0) {
        router_lock(via->router);
        struct pending *p = pending_new(rx, via, tag, NULL);
        rc = -1;
        if (p != NULL) {
            p->expects_below = true;
            rc = call_send_locked(via, &payload, p->handle.number);
            if (rc < 0)
                pending_free(p);
        }
        router_unlock(via->router);
    }
    if (payload.data != NULL)
        explicit_bzero(payload.data, payload.capacity); /* there may be a password in it */
    return rc;
}

static int connect_async(struct mito_router *r, const struct method *m, const void *options,
                         struct mito_receiver *rx, void *tag)
{
    const struct common_options *o = options;

    if (rx == NULL)
        return error_null("receiver");
    if (options_check(m, options) < 0)
        return -1;
    if (o->connect_timeout < 0)
        return error_set(MITO_E_INVALID, "%s: connect_timeout is negative", m->name);
    if (o->via != NULL && o->via->id != r->config.id)
        return connect_there(m, options, o->via, rx, tag);
    return connect_here(r, m, options, rx, tag);
}

static struct mito_context *connect_wait(struct mito_router *r, const struct method *m,
                                         const void *options)
{
    if (r == NULL) /* mito_router_new() failed; its error stays the one to show */
        return NULL;
    ROUTER_IN_USE(r);
    struct mito_context *context = NULL;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(r);

    if (rx == NULL || connect_async(r, m, options, rx, NULL) < 0)
        return NULL;
    MITO_AUTO_MESSAGE answer = mito_receive(rx, MITO_FOREVER);
    if (answer == NULL || mito_message_read(answer, "c", &context) < 0)
        return NULL;
    return context;
}

struct mito_context *mito_connect_(struct mito_router *r, const char *method, const void *options)
{
    const struct method *m = method_by_name(method);

    return m != NULL ? connect_wait(r, m, options) : NULL;
}

int mito_connect_async_(struct mito_router *r, struct mito_receiver *rx, void *tag,
                        const char *method, const void *options)
{
    const struct method *m = method_by_name(method);

    return m != NULL ? connect_async(r, m, options, rx, tag) : -1;
}

/* --- being asked -------------------------------------------------------------------------------
 */

static void connected_for(void *arg, struct mito_context *context, const struct error *e)
{
    struct builtin_caller *caller = arg;
    AUTO_BUF out = {0};

    if (context == NULL)
        builtin_fail(caller, e);
    else if (pickle_context_answer(&out, context) == 0)
        builtin_reply(caller, &out);
    free(caller);
}

/* mitosis.connect(method, options) -> Context. The options are a dict or, as Python callers like
 * it, the keyword arguments. */
BUILTIN(connect)
{
    const struct mito_value *given =
        mito_value_length(args) > 1 ? mito_value_item(args, 1) : kwargs;
    const char *name = mito_value_str(mito_value_item(args, 0), NULL);
    const struct method *m = name != NULL ? method_by_name(name) : NULL;
    void *options = m != NULL ? options_from_value(m, given) : NULL;
    struct builtin_caller *copy = malloc(sizeof *copy);
    struct error e;

    if (copy == NULL || options == NULL || options_check(m, options) < 0) {
        error_get(&e);
        builtin_fail(caller, &e);
        if (m != NULL)
            options_free(m, options);
        free(copy);
        return;
    }
    *copy = *caller;
    connection_start(caller->router, m, options, connected_for, copy);
}
