/* One step of a route, "[method:]target[?option=value&...]": read, printed and opened. */
#ifndef CLI_HOP_H
#define CLI_HOP_H

#include <stdint.h>

#include "cli.h"
#include "method.h"

struct passwords;

struct hop {
    const struct method *method;
    union method_options options; /* without via and password */
    uint32_t given;               /* which of method->options were, bit by bit */
    const char *name;             /* what people call it: the host name ... */
    char *storage;                /* the text that name and options point into */
    char *key;                    /* canonical text: two hops with the same key are the same */
};

/* NULL with a complaint. */
struct hop *hop_parse(const char *text, size_t length, struct complaint *why);
void hop_free(struct hop *hop); /* NULL is allowed */

/* Starts to open it behind `via` (NULL: from here); as mito_..._async. A method that takes a
 * password is given the one there is for it. */
int hop_open(const struct hop *hop, const struct passwords *passwords, struct mito_router *router,
             struct mito_receiver *rx, void *tag, struct mito_context *via);

#endif
