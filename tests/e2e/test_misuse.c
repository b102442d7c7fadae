/* Options and arguments that make no sense, and connections that cannot be made. */
#include "tree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- scripts that stand in for ssh ------------------------------------------------------------
 */

static char directory[3072];

static int make_directory(void **state)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(directory, sizeof directory, "%s/misuse.XXXXXX", tmp != NULL ? tmp : "/tmp");
    return mkdtemp(directory) == NULL ? -1 : tree_open(state);
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"script", "pid"};
    char path[4096];

    for (size_t i = 0; i < LENGTH(names); i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
    return tree_close(state);
}

#define SCRIPT_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

/* The path of a script with that text, which runs in the test's directory. */
static const char *script(const char *text)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/script", directory);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\ncd '%s'\n%s\n", directory, text);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

/* Connections through `ssh_path` fail alike from here and from another context. */
#define assert_no_connection(ssh_path_, code, part)                                                \
    do {                                                                                           \
        const char *path_ = (ssh_path_);                                                           \
        assert_null(mito_ssh(tree, .hostname = "host", .ssh_path = path_));                        \
        assert_error(code, part);                                                                  \
        assert_error(code, "ssh.host");                                                            \
        MITO_AUTO_CONTEXT via_ = tree_local();                                                     \
        assert_null(mito_ssh(tree, .hostname = "host", .ssh_path = path_, .via = via_));           \
        assert_error(code, part);                                                                  \
        assert_error(code, mito_context_name(via_));                                               \
        assert_true(tree_pid_of(via_) > 0);                                                        \
        assert_int_equal(mito_context_shutdown(via_, PATIENCE), 0);                                \
    } while (0)

static void test_missing_tool(void **state)
{
    (void)state;
    assert_no_connection("/nowhere/no-such-ssh", MITO_E_NO_TOOL, "/nowhere/no-such-ssh");
    assert_no_connection("no-such-ssh-in-the-path", MITO_E_NO_TOOL, "no-such-ssh-in-the-path");
}

static void test_tool_that_cannot_run(void **state)
{
    (void)state;
    assert_no_connection("/dev", MITO_E_SYSTEM, "/dev");
    chmod(script("exit 0"), 0600);
    char path[4096];
    snprintf(path, sizeof path, "%s/script", directory);
    assert_no_connection(path, MITO_E_SYSTEM, "script");
}

static void test_tool_that_ends(void **state)
{
    (void)state;
    assert_no_connection(script("exit 3"), MITO_E_DIED, "status 3");
    assert_no_connection(script("kill -9 $$"), MITO_E_DIED, "signal 9");
    assert_no_connection(script("echo it is broken >&2; exit 4"), MITO_E_DIED, "it is broken");
}

static void test_tool_that_says_something_else(void **state)
{
    (void)state;
    assert_no_connection(script("echo Welcome; exit 1"), MITO_E_GARBAGE, "Welcome");
    assert_no_connection(script("yes 'no end to it'"), MITO_E_GARBAGE, "no end to it");
}

static void test_connect_timeout(void **state)
{
    (void)state;
    const char *path = script("echo $$ >pid; echo waiting for you >&2; sleep 1000; sleep 1000");
    char pid_path[4096];
    int64_t before = now_ms();

    assert_null(mito_ssh(tree, .hostname = "host", .ssh_path = path, .connect_timeout = 500));
    assert_error(MITO_E_TIMEOUT, "500 ms");
    assert_error(MITO_E_TIMEOUT, "waiting for you");
    assert_in_range(now_ms() - before, 499, 3000 * SLOWNESS);
    /* What was started for it is ended. */
    snprintf(pid_path, sizeof pid_path, "%s/pid", directory);
    FILE *f = fopen(pid_path, "re");
    int pid = 0;
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    assert_true(pid_gone(pid, 2000));
    MITO_AUTO_CONTEXT child = tree_local(.connect_timeout = PATIENCE);
    before = now_ms();
    assert_null(
        mito_ssh(tree, .hostname = "host", .ssh_path = path, .connect_timeout = 500, .via = child));
    assert_error(MITO_E_TIMEOUT, "500 ms");
    assert_in_range(now_ms() - before, 499, 3000 * SLOWNESS);
}

/* The end of the router does not wait for a connection that is being made. */
static void test_free_while_connecting(void **state)
{
    (void)state;
    struct mito_receiver *rx = mito_receiver_new(tree);
    const char *path = script("sleep 1000");

    for (int i = 0; i < 3; i++)
        assert_int_equal(mito_ssh_async(tree, rx, NULL, .hostname = "host", .ssh_path = path), 0);
    assert_null(mito_receive(rx, 100));
    mito_receiver_free(rx);
    assert_in_range(tree_free(), 0, 2000 * SLOWNESS);
}

/* --- options ----------------------------------------------------------------------------------
 */

#define assert_invalid(expression)                                                                 \
    do {                                                                                           \
        assert_null(expression);                                                                   \
        assert_error(MITO_E_INVALID, "");                                                          \
    } while (0)

static void test_ssh_options(void **state)
{
    (void)state;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_invalid(mito_ssh(tree));
    assert_invalid(mito_ssh(tree, .hostname = ""));
    assert_invalid(mito_ssh(tree, .hostname = "-oProxyCommand=touch /tmp/x"));
    assert_invalid(mito_ssh(tree, .hostname = "two hosts"));
    assert_invalid(mito_ssh(tree, .hostname = "h", .username = ""));
    assert_invalid(mito_ssh(tree, .hostname = "h", .username = "-v"));
    assert_invalid(mito_ssh(tree, .hostname = "h", .port = -1));
    assert_invalid(mito_ssh(tree, .hostname = "h", .port = 65536));
    assert_invalid(mito_ssh(tree, .hostname = "h", .check_host_keys = (enum mito_host_keys)99));
    assert_invalid(mito_ssh(tree, .hostname = "h", .connect_timeout = -1));
    assert_invalid(mito_local(tree, .connect_timeout = -1));
    assert_int_equal(mito_ssh_async(tree, rx, NULL, .hostname = NULL), -1);
    assert_error(MITO_E_INVALID, "hostname");
    assert_int_equal(mito_local_async(tree, rx, NULL, .connect_timeout = -5), -1);
    assert_error(MITO_E_INVALID, "connect_timeout");
    assert_int_equal(count_child_processes(), 0);
}

static void test_router_options(void **state)
{
    (void)state;
    assert_invalid(mito_router_new(NULL)); /* there is one already */
    assert_error(MITO_E_INVALID, "router already");
    mito_router_free(tree);
    tree = NULL;
    assert_invalid(mito_router_new(
        &(struct mito_router_options){.log_level = (enum mito_level)77, .log_level_set = true}));
    tree = mito_router_new(NULL); /* the one that failed left nothing */
    assert_non_null(tree);
}

static void test_null_arguments(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = mito_sender_to(rx);

    /* What mito_router_new() returned when it failed: its error is the one to show. */
    mito_fail(NULL, MITO_E_USER, "why there is no router");
    assert_null(mito_local(NULL));
    assert_null(mito_ssh(NULL, .hostname = "h"));
    assert_null(mito_receiver_new(NULL));
    assert_null(mito_select_new(NULL));
    assert_error(MITO_E_USER, "why there is no router");
    /* What a connection returned: its error is told as well. */
    assert_int_equal(mito_call(NULL, &tree_pid, "", ""), -1);
    assert_error(MITO_E_INVALID, "why there is no router");
    assert_int_equal(mito_local_async(tree, NULL, NULL), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_call(NULL, &tree_pid, "", ""), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_call(child, NULL, "", ""), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_call(child, &tree_pid, NULL), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_call_async(child, &tree_pid, NULL, NULL, ""), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_call_async(NULL, &tree_pid, rx, NULL, ""), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_call_no_reply(NULL, &tree_pid, ""), -1);
    assert_error(MITO_E_INVALID, "");
    assert_invalid(mito_chain_new(NULL));
    assert_invalid(mito_receive(NULL, 0));
    assert_invalid(mito_select_wait(NULL, 0));
    assert_int_equal(mito_send(NULL, "n"), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_send(tx, NULL), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_request(tx, NULL, NULL, "n"), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_message_read(NULL, "n"), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_context_shutdown(NULL, 0), -1);
    assert_error(MITO_E_INVALID, "");
    assert_invalid(mito_sender_to(NULL));
    assert_invalid(mito_sender_new(NULL, 1000));
    mito_context_unref(NULL);
    mito_receiver_free(NULL);
    mito_router_free(NULL);
    assert_true(tree_pid_of(child) > 0);
}

/* --- via --------------------------------------------------------------------------------------
 */

static void test_via_a_dead_context(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    MITO_AUTO_CONTEXT nobody = mito_context_by_id(tree, 98765);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    char name[128];
    int64_t before;

    kill(tree_pid_of(child), SIGKILL);
    assert_int_equal(mito_call(child, &tree_spin, "", ""), -1);
    before = now_ms();
    assert_null(mito_local(tree, .via = child));
    assert_error(MITO_E_DEAD, mito_context_name(child));
    assert_null(mito_local(tree, .via = below));
    assert_error(MITO_E_DEAD, mito_context_name(below));
    assert_null(mito_local(tree, .via = nobody));
    assert_error(MITO_E_DEAD, "98765");
    assert_in_range(now_ms() - before, 0, 1000);
    /* One that dies while it connects for us. */
    MITO_AUTO_CONTEXT dying = tree_local();
    pid_t pid = tree_pid_of(dying);
    snprintf(name, sizeof name, "%s", mito_context_name(dying));
    kill(pid, SIGSTOP);
    assert_int_equal(mito_local_async(tree, rx, NULL, .via = dying), 0);
    assert_null(mito_receive(rx, 50));
    kill(pid, SIGKILL);
    MITO_AUTO_MESSAGE m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, "c", NULL), -1);
    assert_error(MITO_E_DEAD, name);
}

static void test_via_oneself(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT self = mito_context_self(tree);
    MITO_AUTO_CONTEXT child = tree_local(.via = self);

    assert_true(tree_pid_of(child) > 0);
}

/* Only who has authority over a context may have it connect. */
MITO_FUNCTION(connect_via)
{
    MITO_AUTO_CONTEXT via = NULL;

    if (mito_args(call, "c", &via) < 0)
        return -1;
    MITO_AUTO_CONTEXT child = mito_local(mito_call_router(call), .via = via);
    return child == NULL ? -1 : mito_return(call, "c", child);
}

static void test_via_somebody_else(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT a = tree_local();
    MITO_AUTO_CONTEXT b = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = a);
    MITO_AUTO_CONTEXT made = NULL;

    assert_int_equal(mito_call(a, &connect_via, "c", b, "c", NULL), -1);
    assert_error(MITO_E_DENIED, "authority");
    assert_int_equal(mito_call(below, &connect_via, "c", a, "c", NULL), -1);
    assert_error(MITO_E_DENIED, "authority");
    assert_int_equal(mito_call(a, &connect_via, "c", below, "c", &made), 0);
    assert_true(tree_pid_of(made) > 0);
}

/* --- how a child looks ------------------------------------------------------------------------
 */

static void assert_title(pid_t pid, const char *start, const char *part)
{
    char path[64], title[512];

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, title, sizeof title - 1);
    close(fd);
    assert_true(n > 0);
    title[n] = '\0';
    if (strncmp(title, start, strlen(start)) != 0 || strstr(title, part) == NULL)
        fail_msg("\"%s\" is not \"%s...%s...\"", title, start, part);
    for (size_t i = strlen(title); i < (size_t)n; i++)
        assert_int_equal(title[i], 0); /* nothing else of its command line shows */
}

static void test_titles(void **state)
{
    (void)state;
    char long_name[300], pid[32];
    MITO_AUTO_CONTEXT usual = tree_local();
    MITO_AUTO_CONTEXT named = tree_local(.remote_name = "backup, of 'db1' \"now\" $HOME=x\\");

    snprintf(pid, sizeof pid, ":%d", (int)getpid());
    assert_title(tree_pid_of(usual), "mitosis:", pid);
    assert_title(tree_pid_of(named), "mitosis:backup, of 'db1' \"now\" $HOME=x\\", "");
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    MITO_AUTO_CONTEXT longest = tree_local(.remote_name = long_name, .via = named);
    assert_title(tree_pid_of(longest), "mitosis:nnnn", "");
}

/* --- a program that forgot mito_start() -------------------------------------------------------
 */

static int without_start(void)
{
    struct mito_router *router = mito_router_new(NULL);
    bool fine =
        router != NULL && mito_local(router) == NULL && strstr(mito_error(), "mito_start") != NULL;

    mito_router_free(router);
    return fine ? 0 : 1;
}

static void test_without_start(void **state)
{
    (void)state;
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execl("/proc/self/exe", "without-start", "without-start", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "without-start") == 0)
        return without_start();
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        SCRIPT_TEST(test_missing_tool),     SCRIPT_TEST(test_tool_that_cannot_run),
        SCRIPT_TEST(test_tool_that_ends),   SCRIPT_TEST(test_tool_that_says_something_else),
        SCRIPT_TEST(test_connect_timeout),  SCRIPT_TEST(test_free_while_connecting),
        TREE_TEST(test_ssh_options),        TREE_TEST(test_router_options),
        TREE_TEST(test_via_a_dead_context), TREE_TEST(test_via_oneself),
        TREE_TEST(test_via_somebody_else),  TREE_TEST(test_titles),
        TREE_TEST(test_without_start),      TREE_TEST(test_null_arguments),
    };
    return cmocka_run_group_tests_name("misuse", tests, NULL, NULL);
}
