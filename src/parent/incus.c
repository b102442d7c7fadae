/* Connection method "incus": incus exec. */
#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_incus_options, container, OPTION_WORD),
    OPTION(mito_incus_options, incus_path, OPTION_STR),
    OPTION(mito_incus_options, incus_args, OPTION_LIST),
    {0},
};

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_incus_options *o = opts;

    argv_add(out, o->incus_path != NULL ? o->incus_path : "incus");
    argv_add(out, "exec");
    argv_add(out, "--mode=non-interactive");
    argv_add_list(out, o->incus_args);
    argv_add(out, o->container);
    argv_add(out, "--");
    argv_add_shell(out, shell_command);
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"nstance not found", MITO_E_NO_CONTAINER, "no such container; see incus list"},
    {"ommand not found", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {"appear to be started", MITO_E_UNREACHABLE,
     "the daemon cannot be reached; check that it runs"},
    {"is not running", MITO_E_STOPPED, "the container is not running; start it first"},
    {"annot connect", MITO_E_UNREACHABLE, "the daemon cannot be reached; check that it runs"},
    {"nable to connect", MITO_E_UNREACHABLE, "the daemon cannot be reached; check that it runs"},
    {0},
};

const struct method method_incus = {
    .name = "incus",
    .options_size = sizeof(struct mito_incus_options),
    .options = options,
    .target = offsetof(struct mito_incus_options, container),
    .command = command,
    .eager = true,
    .sayings = sayings,
};
