/* Connection method "fork": this process once more, see forking.h. */
#include "parent/forking.h"

#include <stdio.h>
#include <stdio_ext.h>
#include <unistd.h>

#include "base/block.h"
#include "child/child.h"
#include "core/router.h"
#include "parent/image.h"
#include "parent/method.h"
#include "parent/modules.h"

enum { TRIES = 100 }; /* ms that another thread may take to print something */

static bool lock_stream(FILE *stream)
{
    for (int i = 0; i < TRIES; i++) {
        if (ftrylockfile(stream) == 0)
            return true;
        usleep(1000);
    }
    return false;
}

/* glibc does it itself, in its own fork(). */
static void unlock_copies(void)
{
#ifndef __GLIBC__
    funlockfile(stderr);
    funlockfile(stdout);
#endif
}

int forking_start(struct mito_router *r, const char *config, int in_fd, int out_fd, int err_fd,
                  pid_t *pid)
{
    if (!lock_stream(stdout))
        return error_set(MITO_E_SYSTEM, "cannot fork: another thread is writing to stdout");
    if (!lock_stream(stderr)) {
        funlockfile(stdout);
        return error_set(MITO_E_SYSTEM, "cannot fork: another thread is writing to stderr");
    }
    *pid = fork();
    if (*pid == 0) {
        unlock_copies();
        __fpurge(stdout); /* it is printed by the other one */
        block_after_fork();
        image_after_fork();
        modules_after_fork();
        router_after_fork(r);
        child_become(config, in_fd, out_fd, err_fd);
    }
    funlockfile(stderr);
    funlockfile(stdout);
    return *pid < 0 ? error_errno("fork") : 0;
}

static const struct option options[] = {{0}};

const struct method method_fork = {
    .name = "fork",
    .options_size = sizeof(struct mito_fork_options),
    .options = options,
    .direct = true,
    .forks = true,
};
