/* Connection methods: the table that says how a hop is written and opened. */
#ifndef CLI_METHOD_H
#define CLI_METHOD_H

#include <stddef.h>

#include "cli.h"
#include "mitosis.h"

struct method;

/* Every struct of options begins with MITO_COMMON_OPTIONS. */
union hop_options {
    struct mito_local_options local;
    struct mito_ssh_options ssh;
};

/* One step of a route. */
struct hop {
    const struct method *method;
    union hop_options options;
    const char *name; /* what people call it: the host name ... */
    char *storage;    /* the text that name and options point into */
    char *key;        /* canonical text: two hops with the same key are the same */
};

/* Reads "[method:]target[?options]". NULL with a complaint. */
struct hop *hop_parse(const char *text, size_t length, struct complaint *why);
void hop_free(struct hop *hop); /* NULL is allowed */

/* Starts to open it behind `via` (NULL: from here); as mito_..._async. */
int hop_open(const struct hop *hop, struct mito_router *router, struct mito_receiver *rx, void *tag,
             struct mito_context *via);

#endif
