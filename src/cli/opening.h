/* Opens the contexts of a plan, each once and only when something wants it. */
#ifndef CLI_OPENING_H
#define CLI_OPENING_H

#include "plan.h"
#include "session.h"

struct opening {
    struct session *session;
    struct plan *plan;
    struct mito_receiver *rx; /* in the session's select */
    /* A node that was wanted is up now; or it failed, and with it all below it. May be called from
     * opening_want(). */
    void (*done)(void *arg, struct node *node);
    void *arg;
    bool no_more;     /* what comes up is not gone on from */
    size_t under_way; /* nodes that are being opened */
    size_t untried;   /* nodes that may yet be opened; with the last of them the passwords go */
};

int opening_start(struct opening *o, struct session *session, struct plan *plan,
                  void (*done)(void *arg, struct node *node), void *arg);
/* Wants the node, and whatever leads to it. */
void opening_want(struct opening *o, struct node *node);
/* To be called when the receiver has something. */
void opening_receive(struct opening *o);
void opening_stop(struct opening *o);

#endif
