/* Connection method "lxd": lxc exec, of LXD. */
#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_lxd_options, container, OPTION_WORD),
    OPTION(mito_lxd_options, lxc_path, OPTION_STR),
    OPTION(mito_lxd_options, lxd_args, OPTION_LIST),
    {0},
};

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_lxd_options *o = opts;

    argv_add(out, o->lxc_path != NULL ? o->lxc_path : "lxc");
    argv_add(out, "exec");
    argv_add(out, "--mode=non-interactive");
    argv_add_list(out, o->lxd_args);
    argv_add(out, o->container);
    argv_add(out, "--");
    argv_add_shell(out, shell_command);
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"nstance not found", MITO_E_NO_CONTAINER, "no such container; see lxc list"},
    {"ommand not found", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {"no such file or directory", MITO_E_UNREACHABLE,
     "the daemon cannot be reached; check that it runs"},
    {"is not running", MITO_E_STOPPED, "the container is not running; start it first"},
    {"annot connect", MITO_E_UNREACHABLE, "the daemon cannot be reached; check that it runs"},
    {"nable to connect", MITO_E_UNREACHABLE, "the daemon cannot be reached; check that it runs"},
    {0},
};

const struct method method_lxd = {
    .name = "lxd",
    .options_size = sizeof(struct mito_lxd_options),
    .options = options,
    .target = offsetof(struct mito_lxd_options, container),
    .command = command,
    .eager = true,
    .sayings = sayings,
};
