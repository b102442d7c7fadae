/* Detaching: a context with all below it outlives who started it, and ends with its function. */
#include "tree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- functions --------------------------------------------------------------------------------
 */

static bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void make_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    if (f != NULL) {
        fputs(text, f);
        fclose(f);
    }
}

static void path_in(char out[4096], const char *dir, const char *name)
{
    snprintf(out, 4096, "%s/%s", dir, name);
}

/* (directory): cuts loose with a child of its own, whose pid it writes to DIR/below, still calls it
 * when there is DIR/call (the answer goes to DIR/called), and returns when there is DIR/end. */
MITO_FUNCTION(go_own_way)
{
    struct mito_router *router = mito_call_router(call);
    MITO_AUTO_CONTEXT child = mito_local(router);
    char path[4096], text[64];
    const char *dir;
    int64_t pid;

    if (child == NULL || mito_args(call, "s", &dir) < 0 ||
        mito_call(child, &tree_pid, "", "i", &pid) < 0 || mito_detach(router) < 0)
        return -1;
    if (mito_detach(router) == 0 || mito_error_code() != MITO_E_INVALID)
        return mito_fail(call, MITO_E_USER, "detached twice");
    snprintf(text, sizeof text, "%d", (int)pid);
    path_in(path, dir, "below.new");
    make_file(path, text);
    char final[4096];
    path_in(final, dir, "below");
    rename(path, final);
    for (int i = 0; i < 20000; i++) /* its output goes nowhere, and never fills up */
        printf("a line that nobody reads, of a middling length, number %d\n", i);
    for (;;) {
        path_in(path, dir, "end");
        if (file_exists(path))
            return 0;
        path_in(path, dir, "call");
        path_in(final, dir, "called");
        if (file_exists(path) && !file_exists(final)) {
            int64_t again = 0;
            if (mito_call(child, &tree_pid, "", "i", &again) == 0 && again == pid)
                make_file(final, "");
        }
        usleep(5000);
    }
}

/* --- the master's side ------------------------------------------------------------------------
 */

static char directory[4096];

static int make_directory(void **state)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(directory, sizeof directory, "%s/detach.XXXXXX", tmp != NULL ? tmp : "/tmp");
    return mkdtemp(directory) == NULL ? -1 : tree_open(state);
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"below", "call", "called", "end"};
    char path[4096];

    for (size_t i = 0; i < LENGTH(names); i++) {
        path_in(path, directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
    return tree_close(state);
}

static bool wait_for_file(const char *name)
{
    char path[4096];

    path_in(path, directory, name);
    for (int64_t until = now_ms() + PATIENCE; !file_exists(path); sleep_ms(5)) {
        if (now_ms() > until)
            return false;
    }
    return true;
}

static pid_t wait_for_below(void)
{
    char path[4096];
    int pid = 0;

    assert_true(wait_for_file("below"));
    path_in(path, directory, "below");
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    return pid;
}

static void touch(const char *name)
{
    char path[4096];

    path_in(path, directory, name);
    make_file(path, "");
}

/* Alive, able to call what is below it, and gone when its function returns. */
static void assert_lives_and_ends(pid_t pid, pid_t below)
{
    touch("call");
    assert_true(wait_for_file("called"));
    assert_false(pid_gone(pid, 0));
    assert_false(pid_gone(below, 0));
    touch("end");
    assert_true(pid_gone(pid, PATIENCE));
    assert_true(pid_gone(below, PATIENCE));
}

static int sub_master(const char *dir)
{
    int64_t pid;

    if ((tree = mito_router_new(NULL)) == NULL)
        return 1;
    struct mito_context *top = mito_local(tree);
    struct mito_context *child = mito_local(tree, .via = top);
    if (child == NULL || mito_call(child, &tree_pid, "", "i", &pid) < 0)
        return 1;
    printf("%d\n", (int)pid);
    fflush(stdout);
    mito_call(child, &go_own_way, "s", dir, "");
    for (;;)
        pause();
}

static void test_outlives_a_killed_master(void **state)
{
    (void)state;
    int out[2], pid;

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t master = fork();
    assert_true(master >= 0);
    if (master == 0) {
        dup2(out[1], 1);
        execl("/proc/self/exe", "sub-master", "sub-master", directory, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    pid_t below = wait_for_below();
    kill(master, SIGKILL);
    waitpid(master, NULL, 0);
    fclose(f);
    sleep_ms(1000); /* in which all that is not cut loose would have ended */
    assert_lives_and_ends(pid, below);
}

/* For the master it is gone: calls fail, nothing waits for it. */
static void test_the_master_goes_on(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT other = tree_local();
    pid_t pid = tree_pid_of(child);
    int64_t before = now_ms();

    assert_int_equal(mito_call(child, &go_own_way, "s", directory, ""), -1);
    assert_error(MITO_E_DEAD, mito_context_name(child));
    assert_error(MITO_E_DEAD, "detached");
    assert_in_range(now_ms() - before, 0, 5000 * SLOWNESS);
    pid_t below = wait_for_below();
    assert_int_equal(mito_call(child, &tree_pid, "", "v", NULL), -1);
    assert_error(MITO_E_DEAD, "detached");
    assert_int_equal(mito_context_shutdown(child, 1000), 0); /* it is gone already */
    assert_true(tree_pid_of(other) > 0);
    assert_false(pid_gone(pid, 200));
    assert_lives_and_ends(pid, below);
    /* Its parent is still there to take its status. */
    for (int64_t until = now_ms() + PATIENCE; count_child_processes() > 1; sleep_ms(5))
        assert_true(now_ms() < until);
}

static void test_outlives_a_freed_router(void **state)
{
    (void)state;
    struct mito_context *child = tree_local();
    pid_t pid = tree_pid_of(child);

    assert_int_equal(mito_call_no_reply(child, &go_own_way, "s", directory), 0);
    pid_t below = wait_for_below();
    assert_in_range(tree_free(), 0, 2000 * SLOWNESS);
    assert_false(pid_gone(pid, 500));
    touch("call");
    assert_true(wait_for_file("called"));
    touch("end");
    assert_int_equal(waitpid(pid, NULL, 0), pid); /* it was a child of ours */
    assert_true(pid_gone(below, PATIENCE));
}

static void test_misuse(void **state)
{
    (void)state;
    assert_int_equal(mito_detach(tree), -1); /* the master has nobody to leave */
    assert_error(MITO_E_INVALID, "");
}

#define DETACH_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    if (argc > 2 && strcmp(argv[1], "sub-master") == 0)
        return sub_master(argv[2]);
    const struct CMUnitTest tests[] = {
        DETACH_TEST(test_outlives_a_killed_master),
        DETACH_TEST(test_the_master_goes_on),
        DETACH_TEST(test_outlives_a_freed_router),
        TREE_TEST(test_misuse),
    };
    return cmocka_run_group_tests_name("detach", tests, NULL, NULL);
}
