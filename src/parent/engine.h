/* What docker and podman have in common: the command line of their exec and run. */
#ifndef PARENT_ENGINE_H
#define PARENT_ENGINE_H

#include "parent/method.h"

struct engine {
    const char *path;
    const char *const *args; /* global options */
    const char *container;
    const char *image; /* instead: a temporary container */
    const char *username;
};

int engine_command(const struct engine *e, const char *shell_command, struct argv *out);

#endif
