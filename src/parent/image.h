/* The images that are sent to bare targets, by kind of machine: as they are (plain) and compressed
 * (packed).
 *
 * That of our own kind is our own executable, unless one is bound to it, as others are (bundle.h).
 * A context that has none asks its parent (modules.h) and checks what comes against the hash that
 * it was given by its own parents.
 *
 * What is missing of the two forms is made by gzip(1) of this machine, run as a process: no
 * compressor rides along in every image for the sake of the few contexts that ever need one.
 * Kept while a connection needs it. Lock held. */
#ifndef PARENT_IMAGE_H
#define PARENT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct mito_router;

enum image_form { IMAGE_PACKED, IMAGE_PLAIN };

/* A user of one form of one image. Zero-initialised it is nobody's. */
struct image_user {
    struct list link;
    /* size 0: it could not be had, for the reason `why`. The data stay until image_release(). */
    void (*ready)(void *arg, const uint8_t *data, size_t size, const char *why);
    void *arg;
    struct image *image;
    bool waiting;
};

/* Is there, as far as is known, one of that kind? */
bool image_there(struct mito_router *r, int kind);
/* ready is called from the broker's loop, once. -1 with an error when it never will be. */
int image_acquire(struct mito_router *r, struct image_user *u, int kind, enum image_form form);
void image_release(struct mito_router *r, struct image_user *u);
/* "x86_64, aarch64": the kinds that are there. Returns out. */
const char *image_kinds(struct mito_router *r, char *out, size_t size);
/* What children are told of the images that there are besides their own: KIND:SHA256 of the packed
 * form, joined by '+'. Borrowed; empty when there are none. */
const char *image_hashes(struct mito_router *r);
/* From now on images are given to the contexts below that ask for them. */
int image_start(struct mito_router *r);
/* In a process that was just forked: nobody uses it here yet. */
void image_after_fork(void);

#endif
