/* Connection method "local": another process of this machine, from our own image. */
#include <stdio.h>

#include "parent/method.h"

static const struct option options[] = {{0}};

static void name_context(const void *opts, uint32_t id, char *out, size_t size)
{
    (void)opts;
    snprintf(out, size, "local.%u", id);
}

const struct method method_local = {
    .name = "local",
    .options_size = sizeof(struct mito_local_options),
    .options = options,
    .name_context = name_context,
    .direct = true,
};
