/* Connection method "sudo": sudo(8), or sudo-rs, as it is. */
#include <stdio.h>
#include <string.h>

#include "parent/method.h"
#include "parent/prompt.h"

static const struct option options[] = {
    OPTION(mito_sudo_options, username, OPTION_WORD),
    OPTION(mito_sudo_options, password, OPTION_SECRET),
    OPTION(mito_sudo_options, sudo_path, OPTION_STR),
    OPTION(mito_sudo_options, set_home, OPTION_BOOL),
    OPTION(mito_sudo_options, preserve_env, OPTION_BOOL),
    OPTION(mito_sudo_options, login, OPTION_BOOL),
    OPTION(mito_sudo_options, selinux_role, OPTION_WORD),
    OPTION(mito_sudo_options, selinux_type, OPTION_WORD),
    OPTION(mito_sudo_options, sudo_args, OPTION_LIST),
    {0},
};

/* The options of sudo(8) that leave us a command to run, in an account that we know of, and a
 * password that is asked for on the terminal. */
static const char plain_options[] = "-E\0--preserve-env\0-H\0--set-home\0-i\0--login\0-k\0"
                                    "--reset-timestamp\0-N\0--no-update\0-n\0--non-interactive\0"
                                    "-P\0--preserve-groups\0";
static const char with_argument[] = "-C\0--close-from\0-D\0--chdir\0-g\0--group\0-h\0--host\0"
                                    "-R\0--chroot\0-r\0--role\0-T\0--command-timeout\0-t\0--type\0";

/* Is it one of them? The first `length` bytes of `word`. */
static bool is_among(const char *list, const char *word, size_t length)
{
    for (; *list != '\0'; list += strlen(list) + 1) {
        if (strlen(list) == length && memcmp(list, word, length) == 0)
            return true;
    }
    return false;
}

static int check_args(const char *const *args)
{
    for (; args != NULL && *args != NULL; args++) {
        size_t name = strcspn(*args, "=");
        if (is_among(plain_options, *args, strlen(*args)) ||
            (strncmp(*args, "--preserve-env=", name + 1) == 0 && (*args)[name] == '=') ||
            (strncmp(*args, "--", 2) == 0 && (*args)[name] == '=' &&
             is_among(with_argument, *args, name)))
            continue;
        if (!is_among(with_argument, *args, strlen(*args)))
            return error_set(
                MITO_E_INVALID,
                "sudo: unsupported argument in sudo_args; see the options of mito_sudo");
        if (*++args == NULL)
            return error_set(MITO_E_INVALID, "sudo: the last of sudo_args needs a value");
    }
    return 0;
}

static int check(const void *opts)
{
    const struct mito_sudo_options *o = opts;

    return check_args(o->sudo_args);
}

/* With -i sudo escapes all that means something to the login shell, but not '$'. So there is none:
 * each special character is an octal number that printf(1) turns into itself. */
static int add_shell_without_dollar(struct argv *out, const char *shell_command)
{
    AUTO_BUF line = {0};

    if (buf_str(&line, "eval \"`printf %b '") < 0)
        return -1;
    for (const char *c = shell_command; *c != '\0'; c++) {
        int rc = strchr("$'\"\\`", *c) != NULL ? buf_printf(&line, "\\0%03o", (unsigned)*c)
                                               : buf_byte(&line, (uint8_t)*c);
        if (rc < 0)
            return -1;
    }
    if (buf_str(&line, "'`\"") < 0 || buf_byte(&line, 0) < 0)
        return -1;
    argv_add_shell(out, (const char *)line.data);
    return 0;
}

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_sudo_options *o = opts;

    argv_add(out, o->sudo_path != NULL ? o->sudo_path : "sudo");
    argv_add_list(out, o->sudo_args);
    argv_add(out, "-p");
    argv_add(out, PROMPT_OURS);
    argv_add(out, "-u");
    argv_add(out, method_target(&method_sudo, opts));
    if (o->set_home)
        argv_add(out, "-H");
    if (o->preserve_env)
        argv_add(out, "-E");
    if (o->login)
        argv_add(out, "-i");
    argv_add_option(out, "-r", o->selinux_role);
    argv_add_option(out, "-t", o->selinux_type);
    argv_add(out, "--");
    if (!o->login)
        argv_add_shell(out, shell_command);
    else if (add_shell_without_dollar(out, shell_command) < 0)
        return -1;
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"is not in the sudoers file", MITO_E_NOT_ALLOWED,
     "we are not in the sudoers file there; ask its administrator"},
    {"is not allowed to execute", MITO_E_NOT_ALLOWED,
     "sudoers does not allow that user and sh; ask its administrator"},
    {"may not run sudo", MITO_E_NOT_ALLOWED, "we may not run sudo there; ask its administrator"},
    {"I'm sorry", MITO_E_NOT_ALLOWED, "sudo does not let us; ask its administrator"},
    {"unknown user", MITO_E_NO_USER, "no such user; check username"},
    {"user not found", MITO_E_NO_USER, "no such user; check username"},
    {"ccount is locked", MITO_E_LOCKED, "the account is locked or has expired"},
    {"account validation failure", MITO_E_LOCKED, "the account is locked or has expired"},
    {"expired", MITO_E_LOCKED, "the account or its password has expired"},
    {"no new privileges", MITO_E_NOT_ALLOWED,
     "sudo cannot work there: the process may not gain rights (no_new_privs)"},
    {"have the setuid bit set", MITO_E_NOT_ALLOWED, "sudo is not installed setuid there"},
    {"erminal is required", MITO_E_NOT_ALLOWED,
     "sudo wants a terminal, and none could be made; is /dev/pts mounted?"},
    {"must have a tty", MITO_E_NOT_ALLOWED,
     "sudo wants a terminal, and none could be made; is /dev/pts mounted?"},
    {"password is required", MITO_E_NO_PASSWORD,
     "a password is asked for, and none was given; set password"},
    {"interactive authentication is required", MITO_E_NO_PASSWORD,
     "a password is asked for, and none was given; set password"},
    {"incorrect password", MITO_E_PASSWORD, "wrong password; check it, and whose is asked for"},
    {"Sorry, try again", MITO_E_PASSWORD, "wrong password; check it, and whose is asked for"},
    {"uthentication failed", MITO_E_PASSWORD, "wrong password; check it, and whose is asked for"},
    {"incorrect authentication", MITO_E_PASSWORD,
     "wrong password; check it, and whose is asked for"},
    {0},
};

const struct method method_sudo = {
    .name = "sudo",
    .options_size = sizeof(struct mito_sudo_options),
    .options = options,
    .target = offsetof(struct mito_sudo_options, username),
    .default_target = "root",
    .check = check,
    .command = command,
    .terminal = TERMINAL_ALWAYS,
    .sayings = sayings,
};
