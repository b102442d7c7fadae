/* Being a child: what the files of this room know of each other. One per process. */
#ifndef CHILD_CHILD_H
#define CHILD_CHILD_H

#include "child/config.h"
#include "core/receiver.h"

struct pool;

/* Chains that failed: their later calls fail with the same error (bounded, oldest forgotten). */
struct failed_chain {
    struct list link;
    struct error error;
    char id[];
};

struct dispatcher {
    struct mito_router *router;
    struct handle call_function;
    struct mito_receiver calls; /* for the main thread */
    bool busy;                  /* the main thread is in a function */
    struct list failed_chains;
    size_t failed_chain_count;
    struct pool *pool;
};

/* Output of this process, line by line. */
struct output {
    struct mito_router *router;
    const char *logger;
    int fd;
    struct watch *watch;
    struct buf line;
};

struct child {
    struct mito_router *router;
    struct dispatcher dispatcher;
    struct output out[2];
    pid_t pid;
    struct handle shutdown;
    bool ending, detached;
    int64_t exit_deadline;
    struct timer exit_timer;
};

/* start.c: a process that was just forked becomes a child with that configuration, on these
 * descriptors. */
_Noreturn void child_become(const char *config, int in_fd, int out_fd, int err_fd);

/* dispatch.c */
int dispatcher_start(struct dispatcher *d, struct mito_router *r);
void dispatcher_serve(struct dispatcher *d); /* the main thread; until the end */
void dispatcher_stop(struct dispatcher *d);  /* nobody serves any more; it can be started anew */
void dispatcher_run(struct dispatcher *d, struct mito_message *m); /* one call, no lock held */

/* pool.c: threads for MITO_CONCURRENT functions */
struct pool *pool_new(struct dispatcher *d);
int pool_submit(struct pool *p, struct mito_message *m); /* takes it over unless it fails */
bool pool_busy(const struct pool *p);                    /* does a function run there? */
void pool_free(struct pool *p); /* waits for what runs there; what waits is not run */

/* output.c */
int output_start(struct child *c); /* replaces descriptors 1 and 2; before any other thread runs */
/* At the end: reads what is there, also half a line; true when there is nothing left. */
bool output_drained(struct child *c);

/* death.c */
extern const struct neighbour_ops child_parent_ops;
int death_start(struct child *c);
/* Ends the children, then the process. From any thread, lock held. */
void child_end(struct child *c);

extern struct child this_child;

#endif
