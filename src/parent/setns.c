/* Connection method "setns": the copy is started here and enters the namespaces of a process by
 * itself (child/enter.c), before it serves: nothing is run in the container, which needs neither a
 * shell nor a place for the image. */
#include <string.h>

#include "child/enter.h"
#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_setns_options, container, OPTION_WORD),
    OPTION(mito_setns_options, kind, OPTION_WORD),
    OPTION(mito_setns_options, pid, OPTION_INT),
    OPTION(mito_setns_options, username, OPTION_WORD),
    OPTION(mito_setns_options, tool_path, OPTION_STR),
    {0},
};

static int check(const void *opts)
{
    const struct mito_setns_options *o = opts;

    if (o->pid < 0)
        return error_set(MITO_E_INVALID, "setns: a negative pid");
    if ((o->pid > 0) == (o->container != NULL))
        return error_set(MITO_E_INVALID, "setns: give either container and kind, or pid");
    if (o->container != NULL && (o->kind == NULL || !enter_knows(o->kind)))
        return error_set(MITO_E_INVALID, "setns: kind is docker, podman, lxc, lxd, incus or "
                                         "machinectl");
    return 0;
}

static int put(const char *what, const char *text, char *out, size_t size)
{
    if (text != NULL && strlen(text) >= size)
        return error_set(MITO_E_INVALID, "setns: %s is too long", what);
    strcpy(out, text != NULL ? text : "");
    return 0;
}

static int enter(const void *opts, struct enter *out)
{
    const struct mito_setns_options *o = opts;

    out->pid = o->pid;
    if (put("container", o->container, out->container, sizeof out->container) < 0 ||
        put("kind", o->kind, out->kind, sizeof out->kind) < 0 ||
        put("tool_path", o->tool_path, out->tool, sizeof out->tool) < 0)
        return -1;
    return put("username", o->username, out->username, sizeof out->username);
}

/* Of the kinds' tools, and of our own. */
static const struct saying sayings[] = {
    {"no such program", MITO_E_NO_TOOL,
     "the kind's tool is not here; install it, or set tool_path"},
    {"ermission denied", MITO_E_NOT_ALLOWED, "we may not enter it; use sudo first"},
    {"peration not permitted", MITO_E_NOT_ALLOWED, "we may not enter it; use sudo first"},
    {"annot connect", MITO_E_UNREACHABLE, "the daemon cannot be reached; check that it runs"},
    {"nable to connect", MITO_E_UNREACHABLE, "the daemon cannot be reached; check that it runs"},
    {"no such user", MITO_E_NO_USER, "no such user in the container; check username"},
    {"no such process", MITO_E_NO_CONTAINER, "no such process; is the container running?"},
    {"not running", MITO_E_STOPPED, "the container is not running; start it first"},
    {"does not know", MITO_E_NO_CONTAINER, "no such container; check its name"},
    {0},
};

const struct method method_setns = {
    .name = "setns",
    .options_size = sizeof(struct mito_setns_options),
    .options = options,
    .target = offsetof(struct mito_setns_options, container),
    .default_target = "process",
    .check = check,
    .direct = true,
    .enter = enter,
    .sayings = sayings,
};
