/* Contexts over ssh on every kind of login shell: they come up, work, show who started them, and
 * have nothing on disk. */
#include "test_ssh.h"

#include <fcntl.h>
#include <pwd.h>

static char *before; /* what was there before the first test */

/* The arguments of a process as they are in its memory; how long. */
static size_t read_cmdline(pid_t pid, char *out, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, out, size - 1);
    close(fd);
    assert_true(n > 0);
    out[n] = '\0';
    return (size_t)n;
}

/* mitosis:user@host:pid of this process, and no word of how it was started. */
static void check_title(pid_t pid)
{
    char expected[200], host[65] = "", found[8192];

    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    snprintf(expected, sizeof expected, "mitosis:root@%s:%d", host, (int)getpid());
    size_t length = read_cmdline(pid, found, sizeof found);
    assert_string_equal(found, expected);
    for (size_t i = strlen(found); i < length; i++)
        assert_int_equal(found[i], 0);
}

static void check_executable(pid_t pid)
{
    char path[64], target[PATH_MAX] = "", executable[PATH_MAX] = "";

    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    assert_true(readlink(path, target, sizeof target - 1) > 0);
    assert_true(readlink("/proc/self/exe", executable, sizeof executable - 1) > 0);
    assert_string_not_equal(target, executable);
    if (strstr(target, " (deleted)") == NULL)
        fail_msg("it runs from a file with a name: %s", target);
}

/* Who logged in is who it runs as. */
static void check_user(pid_t pid, const char *name)
{
    char home[300];
    struct stat process, owner;

    snprintf(home, sizeof home, "/proc/%d", (int)pid);
    assert_int_equal(stat(home, &process), 0);
    snprintf(home, sizeof home, "%s/home/%s", hosts_dir, name);
    assert_int_equal(stat(home, &owner), 0);
    assert_int_equal(process.st_uid, owner.st_uid);
}

/* Bytes that a terminal or a shell in between would alter, and enough of them to fill the pipes. */
static void check_calls(struct mito_context *context)
{
    enum { SIZE = 300000 };
    uint8_t *sent = malloc(SIZE);
    void *came = NULL;
    size_t length = 0;

    assert_non_null(sent);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (uint8_t)(i * 7 + i / 256);
    if (mito_call_timeout(context, PATIENCE, &tree_echo, "y", sent, SIZE, "y", &came, &length) < 0)
        fail_msg("tree_echo: %s", mito_error());
    assert_int_equal(length, SIZE);
    assert_memory_equal(came, sent, SIZE);
    free(came);
    free(sent);
}

static void login_shell(void **state)
{
    const char *name = *state;
    char expected[64];

    struct mito_context *context = ssh_up(.hostname = name);
    pid_t pid = tree_pid_of(context);
    assert_int_not_equal(pid, getpid());
    assert_int_not_equal(parent_of(pid), getpid());
    snprintf(expected, sizeof expected, "ssh.%s", name);
    assert_string_equal(mito_context_name(context), expected);
    check_calls(context);
    check_title(pid);
    check_executable(pid);
    check_user(pid, name);
    assert_nothing_new(before, "file", 1000);
    assert_int_equal(tree_count_records(-1, NULL, ""), 0); /* nor did it disturb anybody */
    tree_free();
    assert_true(pid_gone(pid, GONE_WITHIN));
}

/* --- options ----------------------------------------------------------------------------------
 */

static void with_a_name_of_its_own(void **state)
{
    char found[8192];

    (void)state;
    MITO_AUTO_CONTEXT context = ssh_up(.hostname = "dash", .remote_name = "it's \"me\" $(id) 100%");
    pid_t pid = tree_pid_of(context);
    read_cmdline(pid, found, sizeof found);
    assert_string_equal(found, "mitosis:it's \"me\" $(id) 100%");
}

static struct passwd *account(const char *name)
{
    char path[300];
    struct stat st;

    snprintf(path, sizeof path, "%s/home/%s", hosts_dir, name);
    assert_int_equal(stat(path, &st), 0);
    struct passwd *user = getpwuid(st.st_uid);
    assert_non_null(user);
    return user;
}

/* The Host of ssh_config says one user and port; the options say others. */
static void options_win_over_the_configuration(void **state)
{
    char path[300], key[300];

    (void)state;
    snprintf(path, sizeof path, "%s/port", hosts_dir);
    char *port = output_of("cat '%s'", path);
    snprintf(key, sizeof key, "%s/user_key", hosts_dir);
    MITO_AUTO_CONTEXT context =
        mito_ssh(tree, .hostname = "refused", .username = account("dash")->pw_name,
                 .port = atoi(port), .identity_file = key, .ssh_args = ssh_args);
    tree_up_(context, __LINE__);
    check_user(tree_pid_of(context), "dash");
    free(port);
}

static void host_keys_accepted(void **state)
{
    char known[300];
    const char *const args[] = {"-F", hosts_config, known, NULL};

    (void)state;
    snprintf(known, sizeof known, "-oUserKnownHostsFile=%s/known", scripts_dir);
    /* One that was never seen is taken and kept ... */
    MITO_AUTO_CONTEXT context = mito_ssh(tree, .hostname = "unknownkey", .ssh_args = args,
                                         .check_host_keys = MITO_HOST_KEYS_ACCEPT);
    tree_up_(context, __LINE__);
    free(output_of("grep -q mt-unknownkey '%s/known'", scripts_dir));
    /* ... so that it is known from then on; another one for the same name is refused. */
    MITO_AUTO_CONTEXT again = mito_ssh(tree, .hostname = "unknownkey", .ssh_args = args);
    tree_up_(again, __LINE__);
    assert_null(mito_ssh(tree, .hostname = "wrongkey", .ssh_args = ssh_args,
                         .check_host_keys = MITO_HOST_KEYS_ACCEPT));
    assert_error(MITO_E_HOST_KEY, "changed");
}

static void host_keys_ignored(void **state)
{
    char *known;

    (void)state;
    known = output_of("cat '%s/known_hosts'", hosts_dir);
    MITO_AUTO_CONTEXT context =
        ssh_up(.hostname = "wrongkey", .check_host_keys = MITO_HOST_KEYS_IGNORE);
    MITO_AUTO_CONTEXT other =
        ssh_up(.hostname = "unknownkey", .check_host_keys = MITO_HOST_KEYS_IGNORE);
    assert_int_not_equal(tree_pid_of(context), tree_pid_of(other));
    char *after = output_of("cat '%s/known_hosts'", hosts_dir);
    assert_string_equal(after, known); /* what was not looked at was not learnt either */
    free(known);
    free(after);
}

/* What ssh itself says once the context is up is a record, with the context's id. */
static void what_ssh_says_later_is_logged(void **state)
{
    const char *ssh =
        script("talking-ssh", "(while sleep 0.1; do echo 'ssh: late words' >&2; done) &\n"
                              "exec ssh \"$@\"\n");

    (void)state;
    MITO_AUTO_CONTEXT context = ssh_up(.hostname = "dash", .ssh_path = ssh);
    const struct kept_record *record =
        tree_record(mito_context_id(context), "ssh", "late words", PATIENCE);
    assert_non_null(record);
    assert_string_equal(record->text, "ssh: late words");
}

static int up(void **state)
{
    (void)state;
    if (hosts_up("good,noisy,dash,ksh,mksh,zsh,busybox,fish,tcsh,csh,wrongkey,unknownkey,"
                 "refused") != 0)
        return -1;
    before = leftovers("file");
    return 0;
}

static int down(void **state)
{
    free(before);
    return hosts_down(state);
}

#define SHELL_TEST(name)                                                                           \
    {                                                                                              \
        "login_shell " name, login_shell, tree_open, tree_close, (void *)(name)                    \
    }

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SHELL_TEST("good"),
        SHELL_TEST("noisy"),
        SHELL_TEST("dash"),
        SHELL_TEST("ksh"),
        SHELL_TEST("mksh"),
        SHELL_TEST("zsh"),
        SHELL_TEST("busybox"),
        SHELL_TEST("fish"),
        SHELL_TEST("tcsh"),
        SHELL_TEST("csh"),
        TREE_TEST(with_a_name_of_its_own),
        TREE_TEST(options_win_over_the_configuration),
        TREE_TEST(host_keys_accepted),
        TREE_TEST(host_keys_ignored),
        TREE_TEST(what_ssh_says_later_is_logged),
    };

    mito_start(argc, argv);
    return cmocka_run_group_tests(tests, up, down);
}
