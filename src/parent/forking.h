/* Making a child by fork(2), without exec: a copy of this process with all of its memory.
 *
 * Only the calling thread is in the copy. What makes that safe: it has the router's lock, so our
 * own structures are whole; the streams of standard output and error are locked meanwhile, so that
 * no other thread is within them; locks of ours that others may have are made anew; the C library
 * does the same for its own. The copy then forgets the router, starts one of its own, and runs
 * functions on a new thread. */
#ifndef PARENT_FORKING_H
#define PARENT_FORKING_H

#include <sys/types.h>

struct mito_router;

/* In the copy it does not return. Lock held. */
int forking_start(struct mito_router *r, const char *config, int in_fd, int out_fd, int err_fd,
                  pid_t *pid);

#endif
