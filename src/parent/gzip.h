/* gzip(1) of this machine on what is in a file: its output in memory. Lock held. */
#ifndef PARENT_GZIP_H
#define PARENT_GZIP_H

#include "base/buf.h"
#include "core/router.h"
#include "io/process.h"

enum { GZIP_OUTPUT_MAX = 256 * 1024 * 1024 };

struct gzip {
    struct buf out; /* whole once done was called with true; the caller's */
    struct process process;
    int fd;
    struct watch *watch;
    struct mito_router *router;
    struct activity activity;
    void (*done)(void *arg, bool fine);
    void *arg;
};

/* pack: else unpack. Keeps `in_fd`, which is at its start, only while this runs. -1 with an error,
 * else done is called once, later. */
int gzip_start(struct gzip *g, struct mito_router *r, bool pack, int in_fd,
               void (*done)(void *arg, bool fine), void *arg);

#endif
