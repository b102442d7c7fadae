/* Connection method "doas": doas(1), of OpenBSD and its ports. */
#include <stdio.h>

#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_doas_options, username, OPTION_WORD),
    OPTION(mito_doas_options, password, OPTION_SECRET),
    OPTION(mito_doas_options, doas_path, OPTION_STR),
    {0},
};

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_doas_options *o = opts;

    argv_add(out, o->doas_path != NULL ? o->doas_path : "doas");
    argv_add(out, "-u");
    argv_add(out, method_target(&method_doas, opts));
    argv_add(out, "--");
    argv_add_shell(out, shell_command);
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"Operation not permitted", MITO_E_NOT_ALLOWED,
     "doas.conf does not let us; ask its administrator"},
    {"not installed setuid", MITO_E_NOT_ALLOWED, "doas is not installed setuid there"},
    {"doas is not enabled", MITO_E_NOT_ALLOWED, "there is no doas.conf there"},
    {"unknown user", MITO_E_NO_USER, "no such user; check username"},
    {"a tty is required", MITO_E_NO_PASSWORD,
     "doas asks for a password, and no terminal could be made; is /dev/pts mounted?"},
    {"uthentication required", MITO_E_NO_PASSWORD,
     "a password is asked for, and none was given; set password"},
    {"expired", MITO_E_LOCKED, "the account has expired"},
    {"uthentication failed", MITO_E_PASSWORD, "wrong password; check it"},
    {"uthorization failed", MITO_E_PASSWORD, "wrong password; check it"},
    {0},
};

const struct method method_doas = {
    .name = "doas",
    .options_size = sizeof(struct mito_doas_options),
    .options = options,
    .target = offsetof(struct mito_doas_options, username),
    .default_target = "root",
    .command = command,
    .terminal = TERMINAL_ALWAYS,
    .sayings = sayings,
};
