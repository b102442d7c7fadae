/* Kinds of machine: those that a program may carry images for. */
#ifndef PARENT_KIND_H
#define PARENT_KIND_H

#include <stddef.h>

enum {
    KIND_X86_64,
    KIND_AARCH64,
    KIND_ARMV7,
    KIND_I386,
    KIND_RISCV64,
    KIND_COUNT,
    KIND_NAME_MAX = 16,
};

struct kind {
    const char *name;
    /* What uname -m says there: patterns as in sh's case, with * only at the end. */
    const char *machines;
    int instead; /* the kind whose images such a machine mostly runs as well; -1: none */
};

extern const struct kind kinds[KIND_COUNT];
extern const int kind_own; /* what this program was compiled for */

int kind_by_name(const char *name, size_t length); /* -1: none of these */
int kind_of_machine(const char *machine);          /* what uname -m said; -1: none of these */

/* What a context of that name was the last time in this process; kind_own if there was none. Lock
 * held. */
int kind_guess(const char *context_name);
void kind_learn(const char *context_name, int kind);

#endif
