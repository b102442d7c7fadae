/* Contexts as objects: one per id that this process knows. */
#ifndef CORE_CONTEXT_H
#define CORE_CONTEXT_H

#include "core/router.h"

struct mito_context {
    struct mito_router *router;
    uint32_t id;
    unsigned refs; /* users' references; the router's map has it in any case */
    char *name;
    struct list waiting; /* handles that wait for a message from it */
    bool gone;
    struct error reason;       /* why, when it is gone */
    struct list gone_watchers; /* of struct gone_watch */
};

/* Called once when the context is gone. */
struct gone_watch {
    struct list link;
    void (*on_gone)(void *arg);
    void *arg;
};

/* The context of that id, made when it is new; `name` (may be NULL) is used when it has none yet.
 * Borrowed: it lives as long as the router or, for ids without a route, while referenced. */
struct mito_context *context_intern(struct mito_router *r, uint32_t id, const char *name);
/* Marks it gone; everyone who waits for it is told. `reason` without the context's name. */
void context_gone(struct mito_router *r, uint32_t id, const struct error *reason);
/* Sets this thread's error to "NAME: why it is gone", returns -1. */
int context_gone_error(const struct mito_context *c);
/* Frees it if nobody knows it any more. */
void context_drop(struct mito_context *c);

#endif
