/* Connection method "buildah": buildah run, in a working container. */
#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_buildah_options, container, OPTION_WORD),
    OPTION(mito_buildah_options, username, OPTION_WORD),
    OPTION(mito_buildah_options, buildah_path, OPTION_STR),
    OPTION(mito_buildah_options, buildah_args, OPTION_LIST),
    {0},
};

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_buildah_options *o = opts;

    argv_add(out, o->buildah_path != NULL ? o->buildah_path : "buildah");
    argv_add(out, "run");
    argv_add_list(out, o->buildah_args);
    argv_add_option(out, "--user", o->username);
    argv_add(out, "--");
    argv_add(out, o->container);
    argv_add_shell(out, shell_command);
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"container not known", MITO_E_NO_CONTAINER, "no such container; see buildah containers"},
    {"reading build container", MITO_E_NO_CONTAINER, "no such container; see buildah containers"},
    {"unknown user", MITO_E_NO_USER, "no such user in the container; check username"},
    {"failed to start", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {"executable file", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {0},
};

const struct method method_buildah = {
    .name = "buildah",
    .options_size = sizeof(struct mito_buildah_options),
    .options = options,
    .target = offsetof(struct mito_buildah_options, container),
    .command = command,
    .eager = true,
    .sayings = sayings,
};
