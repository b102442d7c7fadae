/* Connection methods "lxd" and "incus": lxc exec, of LXD, and incus exec, of its descendant. They
 * differ in their names, and in what they say when their daemon does not run. */
#include "parent/method.h"

static const struct option lxd_options[] = {
    OPTION(mito_lxd_options, container, OPTION_WORD),
    OPTION(mito_lxd_options, lxc_path, OPTION_STR),
    OPTION(mito_lxd_options, lxd_args, OPTION_LIST),
    {0},
};

static const struct option incus_options[] = {
    OPTION(mito_incus_options, container, OPTION_WORD),
    OPTION(mito_incus_options, incus_path, OPTION_STR),
    OPTION(mito_incus_options, incus_args, OPTION_LIST),
    {0},
};

static int exec_command(const char *client, const char *const *args, const char *container,
                        const char *shell_command, struct argv *out)
{
    argv_add(out, client);
    argv_add(out, "exec");
    argv_add(out, "--mode=non-interactive");
    argv_add_list(out, args);
    argv_add(out, container);
    argv_add(out, "--");
    argv_add_shell(out, shell_command);
    return argv_done(out);
}

static int lxd_command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_lxd_options *o = opts;

    return exec_command(o->lxc_path != NULL ? o->lxc_path : "lxc", o->lxd_args, o->container,
                        shell_command, out);
}

static int incus_command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_incus_options *o = opts;

    return exec_command(o->incus_path != NULL ? o->incus_path : "incus", o->incus_args,
                        o->container, shell_command, out);
}

#define NO_DAEMON MITO_E_UNREACHABLE, "the daemon cannot be reached; check that it runs"

static const struct saying sayings[] = {
    {"nstance not found", MITO_E_NO_CONTAINER, "no such container; check its name"},
    {"ommand not found", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {"no such file or directory", NO_DAEMON}, /* lxc, of the daemon's socket */
    {"appear to be started", NO_DAEMON},      /* incus */
    {"is not running", MITO_E_STOPPED, "the container is not running; start it first"},
    {"annot connect", NO_DAEMON},
    {"nable to connect", NO_DAEMON},
    {0},
};

const struct method method_lxd = {
    .name = "lxd",
    .options_size = sizeof(struct mito_lxd_options),
    .options = lxd_options,
    .target = offsetof(struct mito_lxd_options, container),
    .command = lxd_command,
    .eager = true,
    .sayings = sayings,
};

const struct method method_incus = {
    .name = "incus",
    .options_size = sizeof(struct mito_incus_options),
    .options = incus_options,
    .target = offsetof(struct mito_incus_options, container),
    .command = incus_command,
    .eager = true,
    .sayings = sayings,
};
