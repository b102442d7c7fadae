/* Ending one context: by its own parent, who alone can kill it when it does not end by itself.
 * Asked down the tree hop by hop, with mitosis.shutdown. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "child/builtin.h"
#include "core/call.h"
#include "parent/connection.h"
#include "wire/pickle.h"

enum { KILL_SHARE = 2 }; /* force after that part of the time */

static int shutdown_payload(struct buf *out, uint32_t id, int64_t timeout)
{
    if (call_payload_begin(out, NULL, BUILTIN_MODULE, "shutdown") < 0 ||
        pickle_tuple_open(out) < 0 || pickle_int(out, id) < 0 || pickle_int(out, timeout) < 0 ||
        pickle_tuple_close(out) < 0)
        return -1;
    return call_payload_end(out);
}

/* One hop further towards the context. Lock held. */
static int pass_on(struct mito_router *r, uint32_t id, int timeout)
{
    struct neighbour *n = map_get(&r->routes, id);
    AUTO_BUF payload = {0};

    bool joined =
        r->log != NULL && r->parent != NULL; /* then we have the authority of our parent */
    if ((n == NULL || n->is_parent) && joined && id != r->parent->id)
        n = r->parent;
    else if (n == NULL || n->is_parent)
        return error_set(MITO_E_DENIED, "context %u is not below context %u", id, r->config.id);
    if (n->id == id)
        return connection_shutdown(n, timeout) ? 0 : error_set(MITO_E_INVALID, "not our child");
    struct mito_context *next = context_intern(r, n->id, NULL);
    if (next == NULL || shutdown_payload(&payload, id, timeout) < 0)
        return -1;
    return call_send_locked(next, &payload, 0);
}

/* mitosis.shutdown(id, timeout): returns at once; that the context is gone is told by its routes.
 */
BUILTIN(shutdown)
{
    int64_t id, timeout;
    struct error e;

    if (mito_value_int(mito_value_item(args, 0), &id) < 0 ||
        mito_value_int(mito_value_item(args, 1), &timeout) < 0 || id <= 0 || id > UINT32_MAX ||
        timeout < 0 || timeout > INT32_MAX ||
        pass_on(caller->router, (uint32_t)id, (int)timeout) < 0) {
        error_get(&e);
        builtin_fail(caller, &e);
        return;
    }
    builtin_reply_none(caller);
}

struct gone_wait {
    struct gone_watch watch;
    struct mito_receiver rx;
    bool gone;
};

static void on_gone(void *arg)
{
    struct gone_wait *w = arg;

    w->gone = true;
    receiver_end(&w->rx, MITO_E_CLOSED, "gone");
}

int mito_context_shutdown(struct mito_context *context, int timeout)
{
    struct gone_wait w = {.watch = {.on_gone = on_gone, .arg = &w}};
    int force_after = timeout < 0 ? 2000 : timeout / KILL_SHARE;
    int rc = 0;

    if (context == NULL)
        return error_null("context");
    struct mito_router *r = context->router;
    ROUTER_IN_USE(r);
    receiver_init(&w.rx, r);
    list_init(&w.watch.link);
    router_lock(r);
    if (!context->gone) {
        list_append(&context->gone_watchers, &w.watch.link);
        rc = pass_on(r, context->id, force_after);
        if (rc == 0)
            mito_message_free(receiver_wait(&w.rx, clock_deadline(timeout)));
        list_remove(&w.watch.link);
        if (rc == 0 && !w.gone)
            rc = error_set(MITO_E_TIMEOUT, "%s: still there after %d ms", context->name, timeout);
    }
    receiver_fini(&w.rx);
    router_unlock(r);
    return rc < 0 && mito_error_code() != MITO_E_TIMEOUT ? error_prefix("%s", context->name) : rc;
}
