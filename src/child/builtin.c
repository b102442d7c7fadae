#include "child/builtin.h"

#include <string.h>

#include "wire/failure.h"
#include "wire/pickle.h"

extern const struct builtin *const __start_mito_builtins[] __attribute__((weak));
extern const struct builtin *const __stop_mito_builtins[] __attribute__((weak));

void builtin_reply(const struct builtin_caller *caller, const struct buf *payload)
{
    struct frame f = {.dst_id = caller->src_id, .handle = caller->reply_to};

    if (caller->reply_to != 0)
        router_send(caller->router, &f, payload->data, payload->length, false);
}

void builtin_reply_none(const struct builtin_caller *caller)
{
    AUTO_BUF out = {0};

    if (pickle_begin(&out) == 0 && pickle_none(&out) == 0 && pickle_end(&out) == 0)
        builtin_reply(caller, &out);
}

int builtin_fail(const struct builtin_caller *caller, const struct error *e)
{
    AUTO_BUF text = {0};
    AUTO_BUF out = {0};

    if (failure_encode(&text, e) < 0 || pickle_begin(&out) < 0 ||
        pickle_failure(&out, (const char *)text.data, text.length) < 0 || pickle_end(&out) < 0)
        return -1;
    builtin_reply(caller, &out);
    return 0;
}

void builtin_call(const struct builtin_caller *caller, const char *name,
                  const struct mito_value *args, const struct mito_value *kwargs)
{
    struct error e;

    for (const struct builtin *const *b = __start_mito_builtins; b < __stop_mito_builtins; b++) {
        if (strcmp((*b)->name, name) == 0) {
            (*b)->run(caller, args, kwargs);
            return;
        }
    }
    error_fill(&e, MITO_E_NO_FUNCTION, "no function mitosis.%s here", name);
    builtin_fail(caller, &e);
}
