/* Collects texts of hosts, so that hosts with the same text can be shown together. */
#ifndef CLI_GATHER_H
#define CLI_GATHER_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

struct gathered {
    struct gathered *next;
    struct bytes text;
    uint64_t hash;
    size_t first; /* the lowest index among its hosts: groups are shown in that order */
    const char **hosts;
    size_t count, capacity;
};

struct gather {
    struct gathered *groups[256]; /* by hash */
    size_t distinct;              /* how many groups */
};

/* Takes the text over, and empties it. The name is borrowed. */
void gather_add(struct gather *g, const char *host, size_t index, struct bytes *text);
/* Calls `show` for each group, in order, with the folded list of its hosts. */
void gather_each(const struct gather *g,
                 void (*show)(void *arg, const struct gathered *group, const char *hosts),
                 void *arg);
void gather_free(struct gather *g);

#endif
