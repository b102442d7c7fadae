/* Serving calls: which thread runs them, what they are given, what is answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "child/builtin.h"
#include "child/child.h"
#include "child/crash.h"
#include "core/call.h"
#include "core/context.h"
#include "core/values.h"
#include "wire/failure.h"
#include "wire/pickle.h"
#include "wire/value.h"

enum { FAILED_CHAINS_MAX = 1000 };

extern const struct mito_function *const __start_mito_functions[] __attribute__((weak));
extern const struct mito_function *const __stop_mito_functions[] __attribute__((weak));

struct mito_call {
    struct mito_router *router;
    struct mito_message *message;
    const char *chain;         /* NULL: none */
    const char *module, *name; /* as asked for */
    char class[128];           /* module.class, when it was asked for one */
    const struct mito_value *args, *kwargs;
    struct mito_context *caller; /* made when asked for */
    struct buf result;           /* a whole pickle, once mito_return was called */
    struct error failure;        /* set by mito_fail */
};

static const struct mito_function *find_function(const char *module, size_t module_length,
                                                 const char *name, size_t name_length)
{
    const struct mito_function *const *f = __start_mito_functions;

    for (; f < __stop_mito_functions; f++) {
        if (strlen((*f)->name) == name_length && memcmp((*f)->name, name, name_length) == 0 &&
            strlen((*f)->module) == module_length &&
            memcmp((*f)->module, module, module_length) == 0)
            return *f;
    }
    return NULL;
}

/* --- chains ------------------------------------------------------------------------------------
 */

static struct failed_chain *find_chain(struct dispatcher *d, const char *id)
{
    struct failed_chain *c;

    list_each(c, &d->failed_chains, link)
    {
        if (strcmp(c->id, id) == 0)
            return c;
    }
    return NULL;
}

static void drop_chain(struct dispatcher *d, struct failed_chain *c)
{
    list_remove(&c->link);
    d->failed_chain_count--;
    free(c);
}

static void remember_chain(struct dispatcher *d, const char *id, const struct error *e)
{
    struct failed_chain *c = malloc(sizeof *c + strlen(id) + 1);

    if (c == NULL)
        return;
    c->error = *e;
    strcpy(c->id, id);
    list_append(&d->failed_chains, &c->link);
    if (++d->failed_chain_count > FAILED_CHAINS_MAX)
        drop_chain(d, list_first(&d->failed_chains, struct failed_chain, link));
}

/* mitosis.forget_chain(id): takes its place among the calls, as it is about those before it. */
static int run_forget_chain(struct mito_call *call)
{
    struct failed_chain *c;
    const char *id;

    if (mito_args(call, "s", &id) < 0)
        return -1;
    router_lock(call->router);
    c = id != NULL ? find_chain(&this_child.dispatcher, id) : NULL;
    if (c != NULL)
        drop_chain(&this_child.dispatcher, c);
    router_unlock(call->router);
    return 0;
}

#define FORGET_CHAIN(entry, module)                                                                \
    static const struct mito_function entry = {module, "forget_chain", run_forget_chain, 0};       \
    __attribute__((section("mito_functions"),                                                      \
                   used)) static const struct mito_function *const pointer_to_##entry = &entry

FORGET_CHAIN(forget_chain, BUILTIN_MODULE);
FORGET_CHAIN(forget_chain_python, "mitogen.core.Dispatcher"); /* as Python callers know it */

/* --- running one -------------------------------------------------------------------------------
 */

/* (chain, module, class, function, args, kwargs) */
static int parse_call(struct mito_call *call, const struct mito_value *v)
{
    const struct mito_value *chain, *module, *class, *name;

    if (v == NULL)
        return -1;
    if (mito_value_type(v) != MITO_TUPLE || mito_value_length(v) != 6)
        return error_set(MITO_E_MALFORMED, "a call is a tuple of 6");
    chain = mito_value_item(v, 0);
    module = mito_value_item(v, 1);
    class = mito_value_item(v, 2);
    name = mito_value_item(v, 3);
    call->args = mito_value_item(v, 4);
    call->kwargs = mito_value_item(v, 5);
    if ((mito_value_type(chain) != MITO_STR && mito_value_type(chain) != MITO_NONE) ||
        mito_value_type(module) != MITO_STR || mito_value_type(name) != MITO_STR ||
        (mito_value_type(class) != MITO_STR && mito_value_type(class) != MITO_NONE) ||
        mito_value_type(call->args) != MITO_TUPLE)
        return error_set(MITO_E_MALFORMED, "a call names its module and function as text and has "
                                           "a tuple of arguments");
    if (mito_value_type(chain) == MITO_STR)
        call->chain = mito_value_str(chain, NULL);
    call->module = mito_value_str(module, NULL);
    if (mito_value_type(class) == MITO_STR) { /* a class of a module is a module of ours */
        format_to(call->class, sizeof call->class, "%.60s.%.60s", call->module,
                  mito_value_str(class, NULL));
        call->module = call->class;
    }
    call->name = mito_value_str(name, NULL);
    return 0;
}

static int invoke(struct dispatcher *d, struct mito_call *call)
{
    const struct mito_function *f;
    struct failed_chain *failed;
    struct error nothing = {.code = MITO_OK};

    if (call->chain != NULL) {
        router_lock(d->router);
        failed = find_chain(d, call->chain);
        if (failed != NULL)
            error_put(&failed->error);
        router_unlock(d->router);
        if (failed != NULL)
            return -1;
    }
    f = find_function(call->module, strlen(call->module), call->name, strlen(call->name));
    if (f == NULL)
        return error_set(MITO_E_NO_FUNCTION, "no function %s.%s in this program", call->module,
                         call->name);
    error_put(&nothing);
    running_function = f;
    int rc = f->run(call);
    running_function = NULL;
    fflush(stdout); /* half a line is output, too */
    if (rc >= 0)
        return 0;
    if (call->failure.code != MITO_OK)
        return error_put(&call->failure);
    if (mito_error_code() == MITO_OK)
        return error_set(MITO_E_REMOTE, "failed without saying why");
    return -1;
}

static int pack_failure(struct buf *out)
{
    struct error e;
    AUTO_BUF text = {0};

    error_get(&e);
    if (failure_encode(&text, &e) < 0 || pickle_begin(out) < 0 ||
        pickle_failure(out, (const char *)text.data, text.length) < 0)
        return -1;
    return pickle_end(out);
}

/* Needs no memory itself, if the stream takes it at once. */
static const char no_memory[] = "out of memory in the context that was called";

/* Answers. The main thread starts reading the parent's stream before, not after: the next call is
 * likely to come right behind this answer, and then finds it waiting. */
static void answer(struct dispatcher *d, struct mito_call *call, bool on_main)
{
    struct mito_router *r = d->router;
    struct frame f = {.dst_id = call->message->src_id,
                      .handle = call->message->raw->frame.reply_to};

    router_lock(r);
    if (on_main && call->result.length <= LEAD_PAYLOAD_MAX)
        receiver_lead(&d->calls, r->parent);
    if (call->result.length == 0) {
        router_reply_dead(r, &call->message->raw->frame, no_memory);
    } else if (f.handle != 0 && router_send_buf(r, &f, &call->result, true) < 0 &&
               mito_error_code() != MITO_E_DEAD) {
        struct builtin_caller caller = {r, f.dst_id, f.handle};
        struct error e;
        error_get(&e);
        if (builtin_fail(&caller, &e) < 0)
            router_reply_dead(r, &call->message->raw->frame, no_memory);
    }
    router_unlock(r);
}

static void run(struct dispatcher *d, struct mito_message *m, bool on_main)
{
    struct mito_call call = {.router = d->router, .message = m};
    struct error e;

    m->value = pickle_load_in_place(m->raw->data, m->raw->frame.length);
    if (parse_call(&call, m->value) < 0 || invoke(d, &call) < 0) {
        error_get(&e);
        router_lock(d->router);
        if (call.chain != NULL && find_chain(d, call.chain) == NULL)
            remember_chain(d, call.chain, &e);
        if (m->raw->frame.reply_to == 0)
            log_locked(d->router, MITO_ERROR, "dispatcher", "%s failed, nobody waits for it: %s",
                       call.name != NULL ? call.name : "a call", e.text);
        router_unlock(d->router);
        error_put(&e);
        call.result.length = 0;
        if (pack_failure(&call.result) < 0)
            call.result.length = 0;
    } else if (call.result.length == 0) {
        mito_return_(&call, "");
    }
    answer(d, &call, on_main);
    buf_free(&call.result);
    mito_context_unref(call.caller);
    mito_message_free(m);
}

void dispatcher_run(struct dispatcher *d, struct mito_message *m)
{
    run(d, m, false);
}

void dispatcher_serve(struct dispatcher *d)
{
    struct mito_router *r = d->router;
    struct crash_stack stack;

    crash_use_stack(&stack);
    router_lock(r);
    d->calls.lead_known = r->config.parent_count > 0;
    if (d->calls.lead_known)
        d->calls.lead_id = r->config.parent_ids[0];
    while (!d->calls.ended) {
        d->busy = false;
        struct mito_message *m = receiver_wait(&d->calls, INT64_MAX);
        if (m == NULL)
            continue;
        d->busy = true;
        router_unlock(r);
        run(d, m, true);
        router_lock(r);
        if (this_child.detached)
            break;
    }
    receiver_unlead(&d->calls);
    d->busy = false;
    router_unlock(r);
}

/* --- arrival -----------------------------------------------------------------------------------
 */

struct names {
    bool chained;
    const char *module, *function;
    size_t module_length, function_length;
};

static bool peek_text(const uint8_t **at, const uint8_t *end, const char **text, size_t *length)
{
    const uint8_t *p = *at;

    if (end - p < 5 || p[0] != 'X')
        return false;
    uint32_t n = p[1] | (uint32_t)p[2] << 8 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 24;
    if ((size_t)(end - p) - 5 < n)
        return false;
    *text = (const char *)p + 5;
    *length = n;
    *at = p + 5 + n;
    if (end - *at >= 2 && (*at)[0] == 'q') /* memo, as Python writes it */
        *at += 2;
    return true;
}

/* Which function a call names, without decoding its arguments: this happens under the lock. False
 * when it is not written in the usual way; then the main thread takes it. */
static bool peek(const struct message *m, struct names *out)
{
    const uint8_t *at = m->data, *end = at + m->frame.length;
    const char *chain;
    size_t chain_length;

    if (end - at < 4 || at[0] != 0x80 || at[2] != '(')
        return false;
    at += 3;
    out->chained = *at != 'N';
    if (!out->chained)
        at++;
    else if (!peek_text(&at, end, &chain, &chain_length))
        return false;
    if (!peek_text(&at, end, &out->module, &out->module_length) || at == end || *at++ != 'N')
        return false;
    return peek_text(&at, end, &out->function, &out->function_length);
}

static bool is_builtin(const struct names *names)
{
    return names->module_length == strlen(BUILTIN_MODULE) &&
           memcmp(names->module, BUILTIN_MODULE, names->module_length) == 0;
}

static void run_builtin(struct mito_router *r, struct message *m)
{
    struct builtin_caller caller = {r, m->frame.src_id, m->frame.reply_to};
    struct mito_value *v = pickle_load(m->data, m->frame.length, NULL);
    struct mito_call call = {.router = r};
    struct error e;

    if (parse_call(&call, v) < 0) {
        error_get(&e);
        builtin_fail(&caller, &e);
    } else {
        builtin_call(&caller, call.name, call.args, call.kwargs);
    }
    value_wipe(v); /* there may be a password in it */
    message_free(m);
}

static void on_call(struct handle *h, struct neighbour *from, struct message *raw)
{
    struct dispatcher *d = h->arg;
    struct names names;
    const struct mito_function *f = NULL;

    (void)from;
    if (message_is_dead(raw)) {
        message_free(raw);
        return;
    }
    if (peek(raw, &names)) {
        f = find_function(names.module, names.module_length, names.function, names.function_length);
        if (f == NULL && is_builtin(&names)) {
            run_builtin(d->router, raw);
            return;
        }
    }
    struct frame frame = raw->frame;
    struct mito_message *m = received_new(d->router, raw, NULL, f);
    if (m == NULL) {
        router_reply_dead(d->router, &frame, no_memory);
        return;
    }
    if (f != NULL && (f->flags & MITO_CONCURRENT) && !names.chained && pool_submit(d->pool, m) == 0)
        return;
    receiver_push(&d->calls, m);
}

int dispatcher_start(struct dispatcher *d, struct mito_router *r)
{
    d->router = r;
    list_init(&d->failed_chains);
    receiver_init(&d->calls, r);
    d->pool = pool_new(d);
    if (d->pool == NULL)
        return -1;
    return handle_add(r, &d->call_function, HANDLE_CALL_FUNCTION, POLICY_PARENT_AUTHORITY, NULL,
                      on_call, d);
}

void dispatcher_stop(struct dispatcher *d)
{
    router_lock(d->router);
    receiver_fini(&d->calls);
    router_unlock(d->router);
    while (!list_empty(&d->failed_chains))
        drop_chain(d, list_first(&d->failed_chains, struct failed_chain, link));
    memset(d, 0, sizeof *d);
}

/* --- what a function sees ----------------------------------------------------------------------
 */

int mito_args_(struct mito_call *call, const void *signature, ...)
{
    struct signature_hooks hooks = values_hooks(call->router);
    struct arguments args;

    va_start(args.ap, signature);
    int rc = signature_unpack(call->args, signature, true, SIGNATURE_BORROW, &args, &hooks);
    va_end(args.ap);
    return rc;
}

const struct mito_value *mito_call_arguments(struct mito_call *call)
{
    return call->args;
}

const struct mito_value *mito_call_argument(struct mito_call *call, size_t index)
{
    return mito_value_item(call->args, index);
}

const struct mito_value *mito_call_keyword(struct mito_call *call, const char *name)
{
    return call->kwargs == NULL ? NULL : mito_value_get(call->kwargs, name);
}

int mito_return_(struct mito_call *call, const void *signature, ...)
{
    struct signature_hooks hooks = values_hooks(call->router);
    struct arguments args;

    call->result.length = 0;
    va_start(args.ap, signature);
    int rc = pickle_begin(&call->result) < 0 ||
             signature_pack(&call->result, signature, false, &args, &hooks) < 0 ||
             pickle_end(&call->result) < 0;
    va_end(args.ap);
    if (rc != 0) {
        call->result.length = 0;
        return -1;
    }
    return 0;
}

int mito_fail(struct mito_call *call, int code, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    error_setv(code, format, ap);
    va_end(ap);
    if (call != NULL)
        error_get(&call->failure);
    return -1;
}

struct mito_router *mito_call_router(struct mito_call *call)
{
    return call->router;
}

struct mito_context *mito_call_caller(struct mito_call *call)
{
    if (call->caller == NULL)
        call->caller = mito_context_by_id(call->router, call->message->src_id);
    return call->caller;
}
