/* The image that is sent to bare targets: our own executable, as it is and compressed.
 *
 * Compressed by gzip(1) of this machine, run once as a process: no compressor rides along in every
 * image for the sake of the few contexts that ever need one. Without gzip the image goes as it is.
 * Kept while a connection needs it. Lock held. */
#ifndef PARENT_IMAGE_H
#define PARENT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct mito_router;

struct image_form {
    const uint8_t *data;
    size_t size;
    bool compressed;
};

struct image_wait {
    struct list link;
    void (*ready)(void *arg); /* image_best works from now on */
    void *arg;
    bool waiting;
};

/* Counts a user; ready is called from the broker's loop, or never when it fails (-1). */
int image_acquire(struct mito_router *r, struct image_wait *w);
void image_release(struct mito_router *r, struct image_wait *w);
struct image_form image_best(void); /* compressed if that could be done */
struct image_form image_plain(void);
/* In a process that was just forked: nobody uses it here yet. */
void image_after_fork(void);

#endif
