#include "parent/engine.h"

int engine_command(const struct engine *e, const char *shell_command, struct argv *out)
{
    argv_add(out, e->path);
    argv_add_list(out, e->args);
    argv_add(out, e->container != NULL ? "exec" : "run");
    argv_add(out, "--interactive");
    if (e->container == NULL)
        argv_add(out, "--rm"); /* at the end nothing of it stays */
    argv_add_option(out, "--user", e->username);
    argv_add(out, e->container != NULL ? e->container : e->image);
    argv_add_shell(out, shell_command);
    return argv_done(out);
}
