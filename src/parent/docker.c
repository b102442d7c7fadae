/* Connection method "docker": docker exec in a running container, docker run for a temporary one.
 */
#include "parent/engine.h"

static const struct option options[] = {
    OPTION(mito_docker_options, container, OPTION_WORD),
    OPTION(mito_docker_options, image, OPTION_WORD),
    OPTION(mito_docker_options, username, OPTION_WORD),
    OPTION(mito_docker_options, docker_path, OPTION_STR),
    OPTION(mito_docker_options, docker_args, OPTION_LIST),
    {0},
};

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_docker_options *o = opts;
    const struct engine e = {.path = o->docker_path != NULL ? o->docker_path : "docker",
                             .args = o->docker_args,
                             .container = o->container,
                             .image = o->image,
                             .username = o->username};

    return engine_command(&e, shell_command, out);
}

static const struct saying sayings[] = {
    {"o such container", MITO_E_NO_CONTAINER, "no such container; see docker ps"},
    {"is not running", MITO_E_STOPPED, "the container is not running; start it first"},
    {"is paused", MITO_E_STOPPED, "the container is paused; docker unpause it first"},
    {"o such image", MITO_E_NO_CONTAINER, "no such image; see docker images"},
    {"nable to find user", MITO_E_NO_USER, "no such user in the container; check username"},
    {"executable file not found", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {"no such file or directory: unknown", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {"ermission denied while trying to connect", MITO_E_NOT_ALLOWED,
     "the docker daemon does not let us; use another account, or sudo first"},
    {"annot connect to the Docker daemon", MITO_E_UNREACHABLE,
     "the docker daemon cannot be reached; check that it runs, and DOCKER_HOST"},
    /* Last: it is said before every download, too. */
    {"nable to find image", MITO_E_NO_CONTAINER, "no such image; see docker images"},
    {0},
};

const struct method method_docker = {
    .name = "docker",
    .options_size = sizeof(struct mito_docker_options),
    .options = options,
    .target = offsetof(struct mito_docker_options, container),
    .other_target = offsetof(struct mito_docker_options, image),
    .command = command,
    .eager = true,
    .sayings = sayings,
};
