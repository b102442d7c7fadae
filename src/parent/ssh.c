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
    DEBUG_MAX = 3,
    FAILED_ITSELF = 255, /* exit status; else it is that of the remote command */
};

static const struct option options[] = {
    OPTION(mito_ssh_options, hostname, OPTION_WORD),
    OPTION(mito_ssh_options, username, OPTION_WORD),
    OPTION(mito_ssh_options, port, OPTION_INT),
    OPTION(mito_ssh_options, identity_file, OPTION_STR),
    OPTION(mito_ssh_options, identities_only, OPTION_BOOL),
    OPTION(mito_ssh_options, password, OPTION_SECRET),
    OPTION(mito_ssh_options, compression, OPTION_BOOL),
    OPTION(mito_ssh_options, keepalive_interval, OPTION_INT),
    OPTION(mito_ssh_options, keepalive_count, OPTION_INT),
    OPTION(mito_ssh_options, ssh_debug_level, OPTION_INT),
    OPTION(mito_ssh_options, check_host_keys, OPTION_INT),
    OPTION(mito_ssh_options, ssh_path, OPTION_STR),
    OPTION(mito_ssh_options, ssh_args, OPTION_LIST),
    {0},
};
_Static_assert(sizeof(enum mito_host_keys) == sizeof(int), "check_host_keys travels as an int");

static int check(const void *opts)
{
    const struct mito_ssh_options *o = opts;

    if (o->port < 0 || o->port > 65535)
        return error_set(MITO_E_INVALID, "ssh: port %d is not within 0 to 65535", o->port);
    if (o->check_host_keys < MITO_HOST_KEYS_ENFORCE || o->check_host_keys > MITO_HOST_KEYS_IGNORE)
        return error_set(MITO_E_INVALID, "ssh: unknown value for check_host_keys");
    if (o->keepalive_interval < -1 || o->keepalive_count < 0)
        return error_set(MITO_E_INVALID, "ssh: a negative keepalive");
    if (o->ssh_debug_level < 0 || o->ssh_debug_level > DEBUG_MAX)
        return error_set(MITO_E_INVALID, "ssh: ssh_debug_level is not within 0 to %d", DEBUG_MAX);
    return 0;
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

/* Without a password nothing may ask, and no terminal is there to ask on. */
static void add_login(struct argv *out, const struct mito_ssh_options *o)
{
    if (o->password == NULL)
        argv_add(out, "-oBatchMode=yes");
    else
        argv_add(out, "-oNumberOfPasswordPrompts=1");
    if (o->port > 0)
        argv_add_number(out, "-p", o->port);
    argv_add_option(out, "-l", o->username);
    argv_add_option(out, "-i", o->identity_file);
    if (o->identities_only)
        argv_add(out, "-oIdentitiesOnly=yes");
}

static void add_keepalive(struct argv *out, const struct mito_ssh_options *o)
{
    int interval = o->keepalive_interval > 0 ? o->keepalive_interval : KEEPALIVE_INTERVAL;

    argv_add_number(out, "-oServerAliveInterval=", o->keepalive_interval < 0 ? 0 : interval);
    argv_add_number(out, "-oServerAliveCountMax=",
                    o->keepalive_count > 0 ? o->keepalive_count : KEEPALIVE_COUNT);
}

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    static const char *const levels[] = {[1] = "-v", [2] = "-vv", [DEBUG_MAX] = "-vvv"};
    const struct mito_ssh_options *o = opts;

    argv_add(out, o->ssh_path != NULL ? o->ssh_path : "ssh");
    argv_add_list(out, o->ssh_args); /* first: of an option that comes twice ssh takes the first */
    argv_add(out, "-T");             /* no terminal there: it would alter what passes through it */
    argv_add(out, "-oClearAllForwardings=yes");
    add_keepalive(out, o);
    add_host_keys(out, o->check_host_keys);
    add_login(out, o);
    if (o->compression)
        argv_add(out, "-oCompression=yes");
    if (o->ssh_debug_level > 0)
        argv_add(out, levels[o->ssh_debug_level]);
    argv_add(out, "--");
    argv_add(out, o->hostname);
    argv_add(out, shell_command);
    return argv_done(out);
}

/* What OpenSSH says, in the order in which one decides over the other. */
static const struct saying sayings[] = {
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", MITO_E_HOST_KEY,
     "the host key has changed; if that was expected, remove the old key with ssh-keygen -R"},
    {"Host key verification failed", MITO_E_HOST_KEY,
     "the host key is not known; connect once with ssh, or set check_host_keys to accept"},
    {"Could not resolve hostname", MITO_E_UNREACHABLE, "unknown host; check its name"},
    /* Who got as far as to log in was connected, whatever is said besides. */
    {"Too many authentication failures", MITO_E_PERMISSION,
     "too many authentication failures; set identity_file"},
    {"Permission denied", MITO_E_PERMISSION,
     "permission denied; set username or identity_file, or load a key into ssh-agent"},
    {"Connection refused", MITO_E_REFUSED,
     "connection refused; check host, port and that sshd runs"},
    {"No route to host", MITO_E_UNREACHABLE, "no route to the host; check its address"},
    {"Network is unreachable", MITO_E_UNREACHABLE,
     "the network is unreachable; check the address and our own network"},
    {"onnection timed out", MITO_E_TIMEOUT,
     "the connection timed out; check host, port and firewalls"},
    {"peration timed out", MITO_E_TIMEOUT,
     "the connection timed out; check host, port and firewalls"},
    {"account has expired", MITO_E_LOCKED, "the account has expired"},
    {0},
};

static const char must_change[] = "change your password";

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
    if (s->typed && text_find(s->said, strlen(s->said), must_change) != NULL) {
        error_fill(out, MITO_E_LOCKED, "the password has expired; log in and change it");
        return true;
    }
    if (s->status == -1 || !WIFEXITED(s->status) || WEXITSTATUS(s->status) != FAILED_ITSELF)
        return false; /* if such a text came, it is not ssh's */
    if (!saying_find(sayings, s, out))
        return false;
    if (out->code == MITO_E_PERMISSION && s->typed)
        error_fill(out, MITO_E_PASSWORD,
                   "wrong password, or the account may not log in; check both");
    else if (out->code == MITO_E_PERMISSION)
        keep_methods(s->said, out);
    return true;
}

const struct method method_ssh = {
    .name = "ssh",
    .options_size = sizeof(struct mito_ssh_options),
    .options = options,
    .target = offsetof(struct mito_ssh_options, hostname),
    .check = check,
    .command = command,
    .eager = true,
    .terminal = TERMINAL_FOR_PASSWORD,
    .diagnose = diagnose,
};
