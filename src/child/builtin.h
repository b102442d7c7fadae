/* Functions of module "mitosis", which every context has. They run with the lock held on the thread
 * that received the call, never block, and may answer later: so they work while the main thread is
 * busy in a function of the program. */
#ifndef CHILD_BUILTIN_H
#define CHILD_BUILTIN_H

#include "core/router.h"
#include "wire/value.h"

/* Whom to answer. */
struct builtin_caller {
    struct mito_router *router;
    uint32_t src_id, reply_to;
};

struct builtin {
    const char *name;
    /* args: the argument tuple; kwargs: the keyword arguments. Borrowed. */
    void (*run)(const struct builtin_caller *caller, const struct mito_value *args,
                const struct mito_value *kwargs);
};

/* Rooms above add theirs to a section of the program, as MITO_FUNCTION does. */
#define BUILTIN(function_name)                                                                     \
    static void builtin_run_##function_name(const struct builtin_caller *caller,                   \
                                            const struct mito_value *args,                         \
                                            const struct mito_value *kwargs);                      \
    static const struct builtin builtin_##function_name = {#function_name,                         \
                                                           builtin_run_##function_name};           \
    __attribute__((section("mito_builtins"),                                                       \
                   used)) static const struct builtin *const builtin_entry_##function_name =       \
        &builtin_##function_name;                                                                  \
    static void builtin_run_##function_name(                                                       \
        const struct builtin_caller *caller, const struct mito_value *args,                        \
        __attribute__((unused)) const struct mito_value *kwargs)

/* Answers with a whole pickle; with a failure (-1: out of memory). No-ops when no answer was asked
 * for. */
void builtin_reply(const struct builtin_caller *caller, const struct buf *payload);
void builtin_reply_none(const struct builtin_caller *caller);
int builtin_fail(const struct builtin_caller *caller, const struct error *e);

/* Runs the builtin of that name; answers MITO_E_NO_FUNCTION when there is none. */
void builtin_call(const struct builtin_caller *caller, const char *name,
                  const struct mito_value *args, const struct mito_value *kwargs);

#endif
