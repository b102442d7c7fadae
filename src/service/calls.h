/* A master that others may call: it serves calls as children do. */
#ifndef SERVICE_CALLS_H
#define SERVICE_CALLS_H

#include "core/router.h"

/* From now on functions of this program can be called here: on a thread of their own, one at a
 * time, those that are MITO_CONCURRENT on the pool's. A child does so anyhow. Lock held. */
int calls_start(struct mito_router *r);

#endif
