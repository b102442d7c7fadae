/* Calls of Python functions and services: the other kinds of context that a tree may have. */
#include <string.h>

#include "core/call.h"
#include "core/context.h"
#include "wire/pickle.h"

static int check_names(const char *module, const char *function)
{
    if (module == NULL || function == NULL)
        return error_set(MITO_E_INVALID, "no module or no function to call");
    return 0;
}

/* `rx` NULL: no answer is asked for. The names need not last longer than this. */
static int start(struct mito_context *context, const char *chain, const char *module,
                 const char *function, struct mito_receiver *rx, void *tag, const char *signature,
                 struct arguments *args)
{
    const struct mito_function f = {.module = module, .name = function};
    AUTO_BUF payload = {0};

    if (check_names(module, function) < 0 ||
        call_build(&payload, context, chain, &f, signature, args) < 0)
        return -1;
    return call_send(context, &payload, rx, tag, NULL);
}

static int wait_for(struct mito_context *context, int timeout, const char *chain,
                    const char *module, const char *function, const char *signature,
                    struct arguments *args)
{
    const struct mito_function f = {.module = module, .name = function};

    if (check_names(module, function) < 0)
        return -1;
    return call_wait(context, timeout, chain, &f, signature, args);
}

int mito_call_python_(struct mito_context *context, int timeout, const char *module,
                      const char *function, const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = wait_for(context, timeout, NULL, module, function, signature, &args);
    va_end(args.ap);
    return rc;
}

int mito_call_python_async_(struct mito_context *context, const char *module, const char *function,
                            struct mito_receiver *rx, void *tag, const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = rx == NULL ? error_null("receiver")
                        : start(context, NULL, module, function, rx, tag, signature, &args);
    va_end(args.ap);
    return rc;
}

int mito_call_python_no_reply_(struct mito_context *context, const char *module,
                               const char *function, const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = start(context, NULL, module, function, NULL, NULL, signature, &args);
    va_end(args.ap);
    return rc;
}

/* --- chains ------------------------------------------------------------------------------------
 */

/* The chain of a context that runs Python is kept there by Mitogen's dispatcher. */
static void for_python(struct mito_chain *c)
{
    __atomic_store_n(&c->python, true, __ATOMIC_RELAXED);
}

int mito_chain_call_python_(struct mito_chain *c, int timeout, const char *module,
                            const char *function, const void *signature, ...)
{
    struct arguments args;

    for_python(c);
    va_start(args.ap, signature);
    int rc = wait_for(c->context, timeout, c->id, module, function, signature, &args);
    va_end(args.ap);
    return rc;
}

int mito_chain_call_python_async_(struct mito_chain *c, const char *module, const char *function,
                                  struct mito_receiver *rx, void *tag, const void *signature, ...)
{
    struct arguments args;

    for_python(c);
    va_start(args.ap, signature);
    int rc = rx == NULL ? error_null("receiver")
                        : start(c->context, c->id, module, function, rx, tag, signature, &args);
    va_end(args.ap);
    return rc;
}

/* --- services ----------------------------------------------------------------------------------
 */

/* (service, method, Kwargs) */
static int service_payload(struct buf *out, struct mito_context *context, const char *service,
                           const char *method, const char *signature, struct arguments *args)
{
    struct signature_hooks hooks;

    if (context == NULL)
        return error_null("context");
    if (service == NULL || method == NULL)
        return error_set(MITO_E_INVALID, "no service or no method to call");
    hooks = values_hooks(context->router);
    if (pickle_begin(out) < 0 || pickle_tuple_open(out) < 0 ||
        pickle_str(out, service, strlen(service)) < 0 ||
        pickle_str(out, method, strlen(method)) < 0 ||
        signature_pack_keywords(out, signature, args, &hooks) < 0 || pickle_tuple_close(out) < 0)
        return -1;
    return pickle_end(out);
}

int mito_call_service_(struct mito_context *context, int timeout, const char *service,
                       const char *method, const void *signature, ...)
{
    const struct mito_function f = {.module = service, .name = method};
    struct arguments args;
    AUTO_BUF payload = {0};

    va_start(args.ap, signature);
    int rc = service_payload(&payload, context, service, method, signature, &args);
    if (rc == 0)
        rc = call_wait_for(context, HANDLE_CALL_SERVICE, &payload, timeout, &f, &args);
    va_end(args.ap);
    return rc;
}

int mito_call_service_async_(struct mito_context *context, const char *service, const char *method,
                             struct mito_receiver *rx, void *tag, const void *signature, ...)
{
    struct arguments args;
    AUTO_BUF payload = {0};

    va_start(args.ap, signature);
    int rc = rx == NULL ? error_null("receiver")
                        : service_payload(&payload, context, service, method, signature, &args);
    va_end(args.ap);
    return rc < 0 ? rc : call_send_to(context, HANDLE_CALL_SERVICE, &payload, rx, tag, NULL);
}
