/* Connection method "podman": podman exec in a running container, podman run for a temporary one.
 */
#include "parent/engine.h"

static const struct option options[] = {
    OPTION(mito_podman_options, container, OPTION_WORD),
    OPTION(mito_podman_options, image, OPTION_WORD),
    OPTION(mito_podman_options, username, OPTION_WORD),
    OPTION(mito_podman_options, podman_path, OPTION_STR),
    OPTION(mito_podman_options, podman_args, OPTION_LIST),
    {0},
};

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_podman_options *o = opts;
    const struct engine e = {.path = o->podman_path != NULL ? o->podman_path : "podman",
                             .args = o->podman_args,
                             .container = o->container,
                             .image = o->image,
                             .username = o->username};

    return engine_command(&e, shell_command, out);
}

static const struct saying sayings[] = {
    {"o such container", MITO_E_NO_CONTAINER, "no such container; see podman ps"},
    {"o container with name", MITO_E_NO_CONTAINER, "no such container; see podman ps"},
    {"container state improper", MITO_E_STOPPED, "the container is not running; start it first"},
    {"is not running", MITO_E_STOPPED, "the container is not running; start it first"},
    {"mage not known", MITO_E_NO_CONTAINER, "no such image; see podman images"},
    {"did not resolve to an alias", MITO_E_NO_CONTAINER, "no such image; see podman images"},
    {"initializing source", MITO_E_NO_CONTAINER, "no such image; see podman images"},
    {"nable to find user", MITO_E_NO_USER, "no such user in the container; check username"},
    {"o matching entries in passwd", MITO_E_NO_USER,
     "no such user in the container; check username"},
    {"executable file", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {0},
};

const struct method method_podman = {
    .name = "podman",
    .options_size = sizeof(struct mito_podman_options),
    .options = options,
    .target = offsetof(struct mito_podman_options, container),
    .other_target = offsetof(struct mito_podman_options, image),
    .command = command,
    .eager = true,
    .sayings = sayings,
};
