/* Connection method "jail": jexec(8), on FreeBSD. */
#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_jail_options, container, OPTION_WORD),
    OPTION(mito_jail_options, username, OPTION_WORD),
    OPTION(mito_jail_options, jexec_path, OPTION_STR),
    {0},
};

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_jail_options *o = opts;

    argv_add(out, o->jexec_path != NULL ? o->jexec_path : "jexec");
    argv_add_option(out, "-U", o->username);
    argv_add(out, o->container);
    argv_add_shell(out, shell_command);
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"not found", MITO_E_NO_CONTAINER, "no such jail; see jls"},
    {"o such user", MITO_E_NO_USER, "no such user in the jail; check username"},
    {"o such file or directory", MITO_E_NO_SHELL, "no POSIX sh in the jail"},
    {0},
};

const struct method method_jail = {
    .name = "jail",
    .options_size = sizeof(struct mito_jail_options),
    .options = options,
    .target = offsetof(struct mito_jail_options, container),
    .command = command,
    .eager = true,
    .sayings = sayings,
};
