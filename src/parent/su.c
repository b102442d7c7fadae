/* Connection method "su": su(1), of util-linux, shadow or busybox. */
#include <stdio.h>

#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_su_options, username, OPTION_WORD),
    OPTION(mito_su_options, password, OPTION_SECRET),
    OPTION(mito_su_options, su_path, OPTION_STR),
    {0},
};

/* The command goes through the login shell of that user. */
static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_su_options *o = opts;

    argv_add(out, o->su_path != NULL ? o->su_path : "su");
    argv_add(out, method_target(&method_su, opts));
    argv_add(out, "-c");
    argv_add(out, shell_command);
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"does not exist", MITO_E_NO_USER, "no such user; check username"},
    {"nknown user", MITO_E_NO_USER, "no such user; check username"},
    {"unknown id", MITO_E_NO_USER, "no such user; check username"},
    {"No passwd entry", MITO_E_NO_USER, "no such user; check username"},
    {"change your password", MITO_E_LOCKED, "the password has expired; log in and change it"},
    {"expired", MITO_E_LOCKED, "the account has expired"},
    {"locked", MITO_E_LOCKED, "the account is locked"},
    {"ermission denied", MITO_E_NOT_ALLOWED, "su does not let us; ask its administrator"},
    {"must be run from a terminal", MITO_E_NOT_ALLOWED,
     "su wants a terminal; use another way in, such as sudo"},
    {"uthentication failure", MITO_E_PASSWORD, "wrong password, or the account has none; check it"},
    {"ncorrect password", MITO_E_PASSWORD, "wrong password, or the account has none; check it"},
    {0},
};

const struct method method_su = {
    .name = "su",
    .options_size = sizeof(struct mito_su_options),
    .options = options,
    .target = offsetof(struct mito_su_options, username),
    .default_target = "root",
    .command = command,
    .terminal = TERMINAL_ALWAYS,
    .asks_on_stderr = true, /* or, elsewhere, on the terminal */
    .sayings = sayings,
};
