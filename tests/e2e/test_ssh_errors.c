/* Connections over ssh that fail: each with its code, and one line that names the context, says
 * what is wrong and what to do. */
#include "test_ssh.h"

#include <ctype.h>
#include <signal.h>

static char *before;

/* --- what every failure must be like ----------------------------------------------------------
 */

/* One line of printable text that begins with the context's name and has all the parts in it. */
static void check_text(const char *text, const char *name, const char *const *parts)
{
    char start[200];

    int length = snprintf(start, sizeof start, "ssh.%s: ", name);
    if (strncmp(text, start, (size_t)length) != 0 || text[length] == '\0')
        fail_msg("the text does not begin with \"%s\": %s", start, text);
    for (const char *c = text; *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c) && *c != '\t')
            fail_msg("there is a control character in the text: %s", text);
    }
    for (; *parts != NULL; parts++) {
        if (strstr(text, *parts) == NULL)
            fail_msg("\"%s\" is not in the text: %s", *parts, text);
    }
}

/* check_failure(context, code, name, part...): the context did not come up, for that reason. */
#define check_failure(context, code, name, ...)                                                    \
    do {                                                                                           \
        assert_null(context);                                                                      \
        assert_error(code, "");                                                                    \
        check_text(mito_error(), name, (const char *const[]){__VA_ARGS__, NULL});                  \
    } while (0)

#define ssh_with(script, ...)                                                                      \
    mito_ssh(tree, .hostname = "somewhere", .ssh_path = (script)__VA_OPT__(, ) __VA_ARGS__)

/* --- real hosts --------------------------------------------------------------------------------
 */

struct failing_host {
    const char *name;
    int code;
    const char *says, *advice;
};

static const struct failing_host failing_hosts[] = {
    {"refused", MITO_E_REFUSED, "connection refused", "check host, port"},
    {"wrongkey", MITO_E_HOST_KEY, "has changed", "ssh-keygen -R"},
    {"unknownkey", MITO_E_HOST_KEY, "not known", "check_host_keys"},
    {"denied", MITO_E_PERMISSION, "(publickey)", "identity_file"},
    {"nologin", MITO_E_GARBAGE, "\"This account is currently not available.\"", "use an account"},
    {"badshell", MITO_E_GARBAGE, "\"FIRMWARE 1.02\"", "use an account"},
    {"notmp", MITO_E_NO_PLACE, "/dev/shm(cannot write)", "XDG_RUNTIME_DIR"},
    {"noexec", MITO_E_NO_PLACE, "/dev/shm(cannot execute)", "XDG_RUNTIME_DIR"},
};

static void failing_host(void **state)
{
    const struct failing_host *host = *state;
    int64_t start = now_ms();

    check_failure(mito_ssh(tree, .hostname = host->name, .ssh_args = ssh_args), host->code,
                  host->name, host->says, host->advice);
    assert_true(now_ms() - start < 10000 * SLOWNESS); /* long before its time runs out */
    tree_free();
    assert_nothing_new(before, "*", GONE_WITHIN);
}

/* Every place that was tried is named, with what is wrong with it. */
static void no_place_names_them_all(void **state)
{
    char home[300], run[300], what[100];
    const char *const names[] = {"notmp", "noexec"}, *const wrong[] = {"write", "execute"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        snprintf(what, sizeof what, "/dev/shm(cannot %s) /run(cannot %s) /tmp(cannot %s) /var/tmp",
                 wrong[i], wrong[i], wrong[i]);
        snprintf(home, sizeof home, "home/%s(cannot %s)", names[i], wrong[i]);
        snprintf(run, sizeof run, "home/%s/run(cannot %s)", names[i], wrong[i]);
        check_failure(mito_ssh(tree, .hostname = names[i], .ssh_args = ssh_args), MITO_E_NO_PLACE,
                      names[i], what, home, run);
    }
}

static void silent_host(void **state)
{
    int64_t start = now_ms();

    (void)state;
    check_failure(
        mito_ssh(tree, .hostname = "silent", .ssh_args = ssh_args, .connect_timeout = 2000),
        MITO_E_TIMEOUT, "silent", "after 2000 ms", "waiting for a shell", "set connect_timeout");
    int64_t took = now_ms() - start;
    assert_in_range(took, 2000, 2000 + 2000 * SLOWNESS);
    assert_no_child("ssh"); /* it is not left to wait any longer */
}

/* All at once, with one receiver; and those that work come up all the same. */
static void many_fail_at_once(void **state)
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct mito_context *context = NULL;
    bool seen[LENGTH(failing_hosts)] = {false}, up = false;

    (void)state;
    assert_non_null(rx);
    for (size_t i = 0; i < LENGTH(failing_hosts); i++) {
        void *tag = (void *)(uintptr_t)&failing_hosts[i];
        assert_int_equal(
            mito_ssh_async(tree, rx, tag, .hostname = failing_hosts[i].name, .ssh_args = ssh_args),
            0);
    }
    assert_int_equal(mito_ssh_async(tree, rx, NULL, .hostname = "good", .ssh_args = ssh_args), 0);
    for (size_t i = 0; i < LENGTH(failing_hosts) + 1; i++) {
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        const struct failing_host *host = mito_message_tag(m);
        int rc = mito_message_read(m, "c", &context);
        if (host == NULL) {
            assert_int_equal(rc, 0);
            assert_false(up);
            up = true;
            continue;
        }
        assert_int_equal(rc, -1);
        assert_error(host->code, "");
        check_text(mito_error(), host->name, (const char *const[]){host->says, host->advice, NULL});
        assert_false(seen[host - failing_hosts]);
        seen[host - failing_hosts] = true;
    }
    assert_true(tree_pid_of(context) > 0);
    mito_context_unref(context);
}

/* A failure in another context crosses the wire with its code and its text, and says where it was.
 */
static void fails_there(void **state)
{
    MITO_AUTO_CONTEXT child = tree_local();
    char start[100];

    (void)state;
    int length = snprintf(start, sizeof start, "%s: ", mito_context_name(child));
    for (size_t i = 0; i < LENGTH(failing_hosts); i++) {
        const struct failing_host *host = &failing_hosts[i];
        assert_null(mito_ssh(tree, .hostname = host->name, .ssh_args = ssh_args, .via = child));
        assert_error(host->code, start);
        check_text(mito_error() + length, host->name,
                   (const char *const[]){host->says, host->advice, NULL});
    }
    assert_true(tree_pid_of(child) > 0);
}

/* --- ssh itself ------------------------------------------------------------------------------
 */

static void unknown_host(void **state)
{
    const char *const args[] = {"-F", "/dev/null", NULL};
    char name[80];

    (void)state;
    memset(name, 'n', 70); /* longer than a label may be: nobody needs to ask a name server */
    strcpy(name + 70, ".invalid");
    check_failure(mito_ssh(tree, .hostname = name, .ssh_args = args), MITO_E_UNREACHABLE, name,
                  "unknown host", "check its name");
}

static void no_network(void **state)
{
    const char *ssh = script("ssh-without-network", "exec unshare --net ssh \"$@\"\n");

    (void)state;
    check_failure(mito_ssh(tree, .hostname = "good", .ssh_args = ssh_args, .ssh_path = ssh),
                  MITO_E_UNREACHABLE, "good", "network is unreachable", "check the address");
}

static void no_ssh_there(void **state)
{
    (void)state;
    check_failure(ssh_with("/nowhere/ssh"), MITO_E_NO_TOOL, "somewhere", "/nowhere/ssh",
                  "install it");
    check_failure(ssh_with("no-such-ssh"), MITO_E_NO_TOOL, "somewhere", "no-such-ssh",
                  "install it");
}

static void no_ssh_in_path(void **state)
{
    char *path = strdup(getenv("PATH"));

    (void)state;
    assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
    check_failure(mito_ssh(tree, .hostname = "good"), MITO_E_NO_TOOL, "good",
                  "ssh: no such program", "install it");
    assert_int_equal(setenv("PATH", path, 1), 0);
    free(path);
}

/* --- what can come in place of our first stage ------------------------------------------------
 */

static void no_shell(void **state)
{
    (void)state;
    check_failure(ssh_with(script("127", "exit 127\n")), MITO_E_NO_SHELL, "somewhere",
                  "no POSIX sh there", "status 127", "install one");
    check_failure(ssh_with(script("126", "echo 'sh: not executable' >&2; exit 126\n")),
                  MITO_E_NO_SHELL, "somewhere", "status 126", "install one", "sh: not executable");
}

/* What login scripts print does not hide what the matter is. */
static void no_shell_behind_noise(void **state)
{
    const char *ssh = script("noise", "echo Welcome\n"
                                      "echo 'motd: Permission denied' >&2\n"
                                      "echo 'proxy: Connection refused' >&2\n"
                                      "echo 'sh: not found' >&2; exit 127\n");

    (void)state;
    check_failure(ssh_with(ssh), MITO_E_NO_SHELL, "somewhere", "status 127", "sh: not found");
}

/* Runs the shell command here, with a uname that says something else. */
static void wrong_machine(void **state)
{
    const char *ssh = script("uname", "[ $# -gt 1 ] || { echo m68k; exit; }\n"
                                      "for command; do :; done\n"
                                      "PATH=${0%%/*}:$PATH exec /bin/sh -c \"$command\"\n");

    (void)state;
    check_failure(ssh_with(ssh), MITO_E_ARCH, "somewhere", "m68k", "built for");
    assert_nothing_new(before, "*", GONE_WITHIN);
}

/* Another shell than ours says what it wants: not one byte of it reaches a terminal as it is. */
static void garbage_is_made_harmless(void **state)
{
    const char *ssh =
        script("garbage", "printf '\\n\\r\\n\\033[2J\\007caf\\303\\251 \\377\\t!\\r\\nmore\\n'\n"
                          "exit 1\n");

    (void)state;
    check_failure(ssh_with(ssh), MITO_E_GARBAGE, "somewhere", "\"\\x1b[2J\\x07café \\xff\t!\"",
                  "status 1", "use an account");
}

static void garbage_without_an_end(void **state)
{
    int64_t start = now_ms();

    (void)state;
    check_failure(ssh_with(script("flood", "exec yes Welcome\n")), MITO_E_GARBAGE, "somewhere",
                  "\"Welcome\"", "use an account");
    check_failure(ssh_with(script("zeros", "exec cat /dev/zero\n")), MITO_E_GARBAGE, "somewhere",
                  "\"\\x00\\x00", "use an account");
    assert_true(now_ms() - start < 10000 * SLOWNESS);
}

/* A line that only looks like one of the first stage's is noise as well. */
static void garbage_with_our_mark(void **state)
{
    const char *ssh = script("marks", "printf 'MITO_ MITO MITO_9 MI'; exit 4\n");

    (void)state;
    assert_null(ssh_with(ssh));
    if (mito_error_code() != MITO_E_GARBAGE && mito_error_code() != MITO_E_DIED)
        fail_msg("%s", mito_error());
    check_text(mito_error(), "somewhere", (const char *const[]){"status 4", NULL});
    check_failure(ssh_with(script("mark-flood", "exec yes MITO_\n")), MITO_E_GARBAGE, "somewhere",
                  "use an account");
}

static void died_without_a_word(void **state)
{
    (void)state;
    check_failure(ssh_with(script("exit-0", "exit 0\n")), MITO_E_DIED, "somewhere",
                  "exited with status 0");
    check_failure(ssh_with(script("kill-9", "kill -9 $$\n")), MITO_E_DIED, "somewhere", "signal 9");
}

static void died_with_last_words(void **state)
{
    const char *ssh = script("words", "echo first >&2; printf 'second\\r\\n\\n\\033third' >&2\n"
                                      "exit 42\n");
    const char *long_ssh = script("many-words", "i=0\n"
                                                "while [ $i -lt 2000 ]; do i=$((i + 1)); "
                                                "echo line $i >&2; done\n"
                                                "exit 43\n");

    (void)state;
    check_failure(ssh_with(ssh), MITO_E_DIED, "somewhere", "exited with status 42",
                  "first / second / \\x1bthird");
    check_failure(ssh_with(long_ssh), MITO_E_DIED, "somewhere", "exited with status 43",
                  "line 1999 / line 2000");
}

/* The shell was there; then it, or what it had to start, ended. */
static void died_in_the_first_stage(void **state)
{
    const char *ssh = script("half-way", "echo MITO_000 x86_64; read -r word\n"
                                         "echo 'the image will not run' >&2; exit 5\n");

    (void)state;
    check_failure(ssh_with(ssh), MITO_E_DIED, "somewhere", "the first stage exited with status 5",
                  "the image will not run");
}

static void hangs_half_way(void **state)
{
    const char *ssh = script("hang", "echo MITO_000 x86_64\n"
                                     "trap '' HUP INT TERM; while :; do sleep 1; done\n");

    (void)state;
    check_failure(ssh_with(ssh, .connect_timeout = 1000), MITO_E_TIMEOUT, "somewhere",
                  "after 1000 ms", "waiting for the image to start");
    assert_no_child("hang");
}

/* Closed both ends, but does not go: nobody waits until its time is out. */
static void hangs_without_output(void **state)
{
    int64_t start = now_ms();
    const char *ssh = script("mute", "exec <&- >&- 2>&-; exec sleep 1000\n");

    (void)state;
    check_failure(ssh_with(ssh), MITO_E_DIED, "somewhere", "signal 9");
    assert_true(now_ms() - start < 10000 * SLOWNESS);
}

/* It says that it is up, and then is no context after all. */
static void garbage_after_it_is_up(void **state)
{
    const char *ssh = script("liar", "printf 'MITO_000 x86_64\\nMITO_002\\nLast login: never\\n"
                                     "12345678901234567890\\n'\n"
                                     "exec cat >/dev/null\n");

    (void)state;
    MITO_AUTO_CONTEXT context = ssh_with(ssh);
    assert_non_null(context);
    assert_int_equal(mito_call_timeout(context, PATIENCE, &tree_pid, ""), -1);
    assert_error(MITO_E_DEAD, "ssh.somewhere");
    assert_null(strchr(mito_error(), '\n'));
    assert_no_child("cat");
}

/* --- arguments --------------------------------------------------------------------------------
 */

/* What is no host or user is refused before anything is started. */
static void wrong_arguments(void **state)
{
    const char *ssh = script("touch", "touch '%s/started'\n", scripts_dir);
    const struct mito_ssh_options wrong[] = {
        {.hostname = NULL},
        {.hostname = ""},
        {.hostname = "-oProxyCommand=id"},
        {.hostname = "a b"},
        {.hostname = "a\nb"},
        {.hostname = "a", .username = "-oProxyCommand=id"},
        {.hostname = "a", .username = ""},
        {.hostname = "a", .port = -1},
        {.hostname = "a", .port = 65536},
        {.hostname = "a", .connect_timeout = -1},
        {.hostname = "a", .check_host_keys = 7},
    };
    char path[300];

    (void)state;
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        struct mito_ssh_options options = wrong[i];
        options.ssh_path = ssh;
        assert_null(mito_connect_(tree, "ssh", &options));
        assert_error(MITO_E_INVALID, "ssh: ");
    }
    snprintf(path, sizeof path, "%s/started", scripts_dir);
    assert_int_equal(access(path, F_OK), -1);
}

/* Neither on this machine nor there does a shell see what is in the arguments. */
static void nothing_is_expanded(void **state)
{
    char hostname[100], username[100], path[32], name[100];

    (void)state;
    snprintf(path, sizeof path, "/tmp/mt-%d", (int)getpid());
    snprintf(hostname, sizeof hostname, "$(touch${IFS}%s)", path);
    snprintf(username, sizeof username, "`touch %s`;touch %s", path, path);
    snprintf(name, sizeof name, "'$(touch %s)'`touch %s`", path, path);
    assert_null(mito_ssh(tree, .hostname = hostname, .ssh_args = ssh_args));
    assert_null(mito_ssh(tree, .hostname = "good", .username = username, .ssh_args = ssh_args));
    MITO_AUTO_CONTEXT context =
        mito_ssh(tree, .hostname = "good", .remote_name = name, .ssh_args = ssh_args);
    assert_non_null(context);
    assert_true(tree_pid_of(context) > 0);
    assert_int_equal(access(path, F_OK), -1);
}

/* --- all of it --------------------------------------------------------------------------------
 */

static int up(void **state)
{
    (void)state;
    if (hosts_up("good,refused,wrongkey,unknownkey,denied,nologin,badshell,notmp,noexec,silent"))
        return -1;
    before = leftovers("*");
    return 0;
}

static int down(void **state)
{
    free(before);
    return hosts_down(state);
}

#define HOST_TEST(n, name)                                                                         \
    {                                                                                              \
        "failing_host " name, failing_host, tree_open, tree_close,                                 \
            (void *)(uintptr_t)&failing_hosts[n]                                                   \
    }

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(0, "refused"),
        HOST_TEST(1, "wrongkey"),
        HOST_TEST(2, "unknownkey"),
        HOST_TEST(3, "denied"),
        HOST_TEST(4, "nologin"),
        HOST_TEST(5, "badshell"),
        HOST_TEST(6, "notmp"),
        HOST_TEST(7, "noexec"),
        TREE_TEST(no_place_names_them_all),
        TREE_TEST(silent_host),
        TREE_TEST(many_fail_at_once),
        TREE_TEST(fails_there),
        TREE_TEST(unknown_host),
        TREE_TEST(no_network),
        TREE_TEST(no_ssh_there),
        TREE_TEST(no_ssh_in_path),
        TREE_TEST(no_shell),
        TREE_TEST(no_shell_behind_noise),
        TREE_TEST(wrong_machine),
        TREE_TEST(garbage_is_made_harmless),
        TREE_TEST(garbage_without_an_end),
        TREE_TEST(garbage_with_our_mark),
        TREE_TEST(died_without_a_word),
        TREE_TEST(died_with_last_words),
        TREE_TEST(died_in_the_first_stage),
        TREE_TEST(hangs_half_way),
        TREE_TEST(hangs_without_output),
        TREE_TEST(garbage_after_it_is_up),
        TREE_TEST(wrong_arguments),
        TREE_TEST(nothing_is_expanded),
    };

    mito_start(argc, argv);
    return cmocka_run_group_tests(tests, up, down);
}
