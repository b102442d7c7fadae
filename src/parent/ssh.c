/* Connection method "ssh": OpenSSH's client as it is (ssh(1), ssh_config(5)), with the user's own
 * configuration, keys, agent and jump hosts. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/text.h"
#include "parent/method.h"

enum {
    KEEPALIVE_INTERVAL = 15, /* s: a silent cut is noticed after interval * count */
    KEEPALIVE_COUNT = 3,
    FAILED_ITSELF = 255, /* exit status; else it is that of the remote command */
};

static const struct option options[] = {
    OPTION(mito_ssh_options, hostname, OPTION_STR),
    OPTION(mito_ssh_options, username, OPTION_STR),
    OPTION(mito_ssh_options, port, OPTION_INT),
    OPTION(mito_ssh_options, identity_file, OPTION_STR),
    OPTION(mito_ssh_options, check_host_keys, OPTION_INT),
    OPTION(mito_ssh_options, ssh_path, OPTION_STR),
    OPTION(mito_ssh_options, ssh_args, OPTION_LIST),
    {0},
};
_Static_assert(sizeof(enum mito_host_keys) == sizeof(int), "check_host_keys travels as an int");

/* ssh takes what begins with '-' for an option, whatever it was meant to be. */
static int check(const void *opts)
{
    const struct mito_ssh_options *o = opts;

    if (o->hostname == NULL || *o->hostname == '\0')
        return error_set(MITO_E_INVALID, "ssh: no hostname given");
    if (*o->hostname == '-' || strpbrk(o->hostname, " \t\r\n") != NULL)
        return error_set(MITO_E_INVALID, "ssh: not a host name");
    if (o->username != NULL && (*o->username == '-' || *o->username == '\0'))
        return error_set(MITO_E_INVALID, "ssh: not a user name");
    if (o->port < 0 || o->port > 65535)
        return error_set(MITO_E_INVALID, "ssh: port %d is not within 0 to 65535", o->port);
    if (o->check_host_keys < MITO_HOST_KEYS_ENFORCE || o->check_host_keys > MITO_HOST_KEYS_IGNORE)
        return error_set(MITO_E_INVALID, "ssh: unknown value for check_host_keys");
    return 0;
}

static void name_context(const void *opts, uint32_t id, char *out, size_t size)
{
    const struct mito_ssh_options *o = opts;

    (void)id;
    snprintf(out, size, "ssh.%s", o->hostname);
}

static void add_host_keys(struct argv *out, enum mito_host_keys check_host_keys)
{
    switch (check_host_keys) {
    case MITO_HOST_KEYS_ENFORCE:
        argv_add(out, "-oStrictHostKeyChecking=yes");
        break;
    case MITO_HOST_KEYS_ACCEPT:
        argv_add(out, "-oStrictHostKeyChecking=accept-new");
        break;
    case MITO_HOST_KEYS_IGNORE:
        argv_add(out, "-oStrictHostKeyChecking=no");
        argv_add(out, "-oUserKnownHostsFile=/dev/null");
        argv_add(out, "-oGlobalKnownHostsFile=/dev/null");
        break;
    }
}

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_ssh_options *o = opts;

    argv_add(out, o->ssh_path != NULL ? o->ssh_path : "ssh");
    argv_add(out, "-T"); /* no terminal: it would alter what passes through it */
    argv_add(out, "-oBatchMode=yes");
    argv_add(out, "-oClearAllForwardings=yes");
    argv_addf(out, "-oServerAliveInterval=%d", KEEPALIVE_INTERVAL);
    argv_addf(out, "-oServerAliveCountMax=%d", KEEPALIVE_COUNT);
    add_host_keys(out, o->check_host_keys);
    if (o->port > 0)
        argv_addf(out, "-p%d", o->port);
    if (o->username != NULL)
        argv_addf(out, "-l%s", o->username);
    if (o->identity_file != NULL) {
        argv_add(out, "-i");
        argv_add(out, o->identity_file);
    }
    for (size_t i = 0; o->ssh_args != NULL && o->ssh_args[i] != NULL; i++)
        argv_add(out, o->ssh_args[i]);
    argv_add(out, "--");
    argv_add(out, o->hostname);
    argv_add(out, shell_command);
    return argv_done(out);
}

/* What OpenSSH says, in the order in which one decides over the other. */
static const struct {
    const char *said;
    int code;
    const char *sentence;
} sayings[] = {
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", MITO_E_HOST_KEY,
     "the host key has changed; if that was expected, remove the old key with ssh-keygen -R"},
    {"Host key verification failed", MITO_E_HOST_KEY,
     "the host key is not known; connect once with ssh, or set check_host_keys to accept"},
    {"Could not resolve hostname", MITO_E_UNREACHABLE, "unknown host; check its name"},
    {"Connection refused", MITO_E_REFUSED,
     "connection refused; check host, port and that sshd runs"},
    {"No route to host", MITO_E_UNREACHABLE, "no route to the host; check its address"},
    {"Network is unreachable", MITO_E_UNREACHABLE,
     "the network is unreachable; check the address and our own network"},
    {"timed out", MITO_E_TIMEOUT, "the connection timed out; check host, port and firewalls"},
    {"Permission denied", MITO_E_PERMISSION,
     "permission denied; set username or identity_file, or load a key into ssh-agent"},
    {"Too many authentication failures", MITO_E_PERMISSION,
     "too many authentication failures; set identity_file"},
};

/* "Permission denied (publickey)": the part in brackets says which ways in the server has. */
static void keep_methods(const char *said, struct error *out)
{
    const char *open = text_find(said, strlen(said), "Permission denied (");
    const char *close = open != NULL ? strchr(open, ')') : NULL;

    if (close != NULL && close - open < 200)
        error_fill(out, MITO_E_PERMISSION,
                   "permission denied %.*s; set username or identity_file, or load a key into "
                   "ssh-agent",
                   (int)(close + 1 - strchr(open, '(')), strchr(open, '('));
}

static bool diagnose(const struct symptoms *s, struct error *out)
{
    if (!WIFEXITED(s->status) || WEXITSTATUS(s->status) != FAILED_ITSELF)
        return false; /* if such a text came, it is not ssh's */
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++) {
        if (text_find(s->said, strlen(s->said), sayings[i].said) == NULL)
            continue;
        error_fill(out, sayings[i].code, "%s", sayings[i].sentence);
        if (sayings[i].code == MITO_E_PERMISSION)
            keep_methods(s->said, out);
        return true;
    }
    return false;
}

const struct method method_ssh = {
    .name = "ssh",
    .options_size = sizeof(struct mito_ssh_options),
    .options = options,
    .check = check,
    .name_context = name_context,
    .command = command,
    .eager = true,
    .diagnose = diagnose,
};
