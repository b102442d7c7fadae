/* The kinds of machine that there are images for, and what compiles for them. */
#ifndef CLI_KINDS_H
#define CLI_KINDS_H

#include <stdbool.h>

#include "cli.h"

enum { KINDS = 5 };

struct kind {
    const char *name;    /* as the first stage says it */
    const char *triplet; /* what the names of its compiler and binutils begin with */
};

extern const struct kind kinds[KINDS];

const struct kind *kind_find(const char *name); /* or NULL */
/* That of this machine: what the command itself was built for. */
const struct kind *kind_own(void);

/* The path of its compiler, the caller's to free; it need not be there. */
char *kind_compiler(const struct kind *k);
bool kind_is_installed(const struct kind *k);
/* Says that it is not, and what to do; returns -1. */
int kind_missing(const struct kind *k, struct complaint *why);
/* The name of its objcopy, ar ..., the caller's to free; NULL with a complaint when it is not
 * there. */
char *kind_tool(const struct kind *k, const char *name, struct complaint *why);

#endif
