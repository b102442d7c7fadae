/* A child of ours, from the moment it is started until its process is gone: a state machine on the
 * broker. Lock held throughout. */
#ifndef PARENT_CONNECTION_H
#define PARENT_CONNECTION_H

#include "core/context.h"
#include "parent/method.h"

/* Called once, maybe before connection_start returns: with the context that is up, or with NULL and
 * why not. */
typedef void connection_done(void *arg, struct mito_context *context, const struct error *e);

/* Takes `options` over. */
void connection_start(struct mito_router *r, const struct method *m, void *options,
                      connection_done *done, void *arg);

/* Ends a direct child of ours: SHUTDOWN now, by force when it is still there after `timeout` ms.
 * False when the neighbour is none of ours. */
bool connection_shutdown(struct neighbour *n, int timeout);

#endif
