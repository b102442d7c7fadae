/* Connection method "local": another process of this machine, from our own image. */
#include "parent/method.h"

static const struct option options[] = {{0}};

const struct method method_local = {
    .name = "local",
    .options_size = sizeof(struct mito_local_options),
    .options = options,
    .direct = true,
};
