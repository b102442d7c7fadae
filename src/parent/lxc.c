/* Connection method "lxc": lxc-attach(1), of the LXC tools. */
#include <string.h>

#include "base/format.h"
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

/* lxc-attach says the same of a container that is stopped and of none; lxc-info, which is beside
 * it, does not. An option that only lxc-attach has leaves the question open. */
static int inquiry(const void *opts, struct argv *out)
{
    const struct mito_lxc_options *o = opts;
    const char *path = o->lxc_attach_path != NULL ? o->lxc_attach_path : "";
    const char *slash = strrchr(path, '/');
    char tool[4096];

    if (format_to(tool, sizeof tool, "%.*slxc-info", slash != NULL ? (int)(slash + 1 - path) : 0,
                  path) >= sizeof tool)
        return error_set(MITO_E_INVALID, "lxc: lxc_attach_path is too long");
    argv_add(out, tool);
    argv_add_list(out, o->lxc_args);
    argv_add_option(out, "--name", o->container);
    argv_add(out, "--state");
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"doesn't exist", MITO_E_NO_CONTAINER, "no such container; see lxc-ls"}, /* lxc-info */
    {"is not running", MITO_E_STOPPED, "the container is not running; start it first"},
    {"Failed to get init pid", MITO_E_STOPPED,
     "the container is not running; start it first, or look for it with lxc-ls"},
    {"is not defined", MITO_E_NO_CONTAINER, "no such container; see lxc-ls"},
    {"privileges to control", MITO_E_NOT_ALLOWED, "lxc-attach does not let us; use sudo first"},
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
    .inquiry = inquiry,
};
