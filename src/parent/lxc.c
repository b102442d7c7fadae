/* Connection method "lxc": lxc-attach(1), of the LXC tools. */
#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_lxc_options, container, OPTION_WORD),
    OPTION(mito_lxc_options, lxc_attach_path, OPTION_STR),
    OPTION(mito_lxc_options, lxc_args, OPTION_LIST),
    {0},
};

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_lxc_options *o = opts;

    argv_add(out, o->lxc_attach_path != NULL ? o->lxc_attach_path : "lxc-attach");
    argv_add(out, "--clear-env");
    argv_add_list(out, o->lxc_args);
    argv_add_option(out, "--name", o->container);
    argv_add(out, "--");
    argv_add_shell(out, shell_command);
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"is not running", MITO_E_STOPPED, "the container is not running; start it first"},
    {"Failed to get init pid", MITO_E_STOPPED,
     "no such container, or it is not running; see lxc-ls"},
    {"is not defined", MITO_E_NO_CONTAINER, "no such container; see lxc-ls"},
    {"nsufficient privileges", MITO_E_NOT_ALLOWED, "lxc-attach does not let us; use sudo first"},
    {"o such file or directory", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {0},
};

const struct method method_lxc = {
    .name = "lxc",
    .options_size = sizeof(struct mito_lxc_options),
    .options = options,
    .target = offsetof(struct mito_lxc_options, container),
    .command = command,
    .eager = true,
    .sayings = sayings,
};
