/* Modules: what contexts ask their parents for by name (GET_MODULE, wire protocol), and keep.
 *
 * An image for another kind of machine is one, a Python module is another, and so is a file of a
 * Python package (GET_RESOURCE), by the package's name, a mark and its own. A context that does not
 * have it asks its own parent, once, however many wait for it; the answer is kept and given to all
 * of them, so that it crosses each link once. The root has providers instead.
 *
 * A module may name others that it needs (its related list). Those that are kept go ahead of it, to
 * each neighbour once, so that an import need not ask for them one after the other.
 *
 * What is too much for a neighbour's queue is sent later: an answer is never lost.
 *
 * Bounded: MODULES_BYTES are kept, the longest unused go first; a neighbour may wait for
 * MODULES_WAITED at a time and is told "no such module" beyond that. Lock held throughout. */
#ifndef PARENT_MODULES_H
#define PARENT_MODULES_H

#include "base/buf.h"
#include "base/list.h"
#include "core/router.h"

enum {
    MODULES_BYTES = 64 * 1024 * 1024,
    MODULES_COUNT = 8192,
    MODULES_WAITED = 256,
    MODULES_FILE_MARK = '\x1f', /* what GET_MODULE asks for never has one */
};

/* Where modules come from: a row for each family of names. */
struct module_provider {
    struct list link; /* in the registry; never removed */
    /* False: the name is none of its. True: modules_found() or modules_missing() follows, maybe
     * before this returns. */
    bool (*provide)(struct module_provider *p, struct mito_router *r, const char *name);
};

/* Who in this context waits for one. */
struct module_wait {
    struct list link;
    /* payload: that of its LOAD_MODULE (a file's: LOAD_RESOURCE) message, kept for as long as this
     * call lasts; NULL: there is no such module. */
    void (*ready)(void *arg, const struct buf *payload);
    void *arg;
};

/* From now on this context answers the contexts below it. Called before the first child can ask. */
int modules_start(struct mito_router *r);
/* Without a router: before or after. A provider is asked before the parent is. */
void modules_add_provider(struct module_provider *p);
/* What is kept is not what providers have now. */
void modules_drop(void);

/* Calls w->ready, maybe before it returns. -1 when it cannot be asked for. */
int modules_want(struct mito_router *r, const char *name, struct module_wait *w);
void modules_unwant(struct module_wait *w); /* fine when it does not wait */

/* The answers of a provider. The payload is taken over. */
void modules_found(struct mito_router *r, const char *name, struct buf *payload);
void modules_missing(struct mito_router *r, const char *name);

/* In a process that was just forked: its own parent is another one now. */
void modules_after_fork(void);

#endif
