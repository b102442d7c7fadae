/* Many contexts: at once, one after the other, and nothing of them stays. */
#include "tree.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { AT_ONCE = UNDER_TSAN ? 40 : UNDER_ASAN ? 100 : 200 };

/* Started at once by one thread, called all at once, freed at once. */
static void test_hundreds_at_once(void **state)
{
    (void)state;
    static struct mito_context *contexts[AT_ONCE];
    static pid_t pids[AT_ONCE];
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(mito_local_async(tree, rx, &contexts[i]), 0);
    for (int i = 0; i < AT_ONCE; i++) {
        struct mito_context *context = NULL;
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        if (mito_message_read(m, "c", &context) < 0)
            fail_msg("%s", mito_error());
        assert_int_equal(mito_message_src_id(m), mito_context_id(context));
        *(struct mito_context **)mito_message_tag(m) = context;
    }
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(mito_call_async(contexts[i], &tree_pid, rx, &pids[i], ""), 0);
    for (int i = 0; i < AT_ONCE; i++) {
        int64_t pid = 0;
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        pid_t *slot = mito_message_tag(m);
        assert_int_equal(mito_message_read(m, "i", &pid), 0);
        assert_int_equal(mito_message_src_id(m), mito_context_id(contexts[slot - pids]));
        assert_int_equal(*slot, 0);
        *slot = (pid_t)pid;
    }
    assert_int_equal(count_child_processes(), AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++) {
        for (int j = 0; j < i; j++)
            assert_int_not_equal(pids[i], pids[j]);
        mito_context_unref(contexts[i]);
    }
    mito_receiver_free(rx);
    rx = NULL;
    tree_free();
    assert_int_equal(count_child_processes(), 0);
    for (int i = 0; i < AT_ONCE; i++)
        assert_true(pid_gone(pids[i], 0));
}

/* The router ends while contexts are still being started. */
static void test_free_while_starting(void **state)
{
    (void)state;
    struct mito_receiver *rx = mito_receiver_new(tree);

    for (int i = 0; i < 20; i++)
        assert_int_equal(mito_local_async(tree, rx, NULL), 0);
    mito_message_free(tree_receive(rx)); /* one is up, others are on their way */
    mito_receiver_free(rx);
    assert_in_range(tree_free(), 0, 5500);
    assert_int_equal(count_child_processes(), 0);
}

/* Whatever way they go, contexts leave no descriptor, no zombie and no memory of theirs. */
static void test_one_after_the_other(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    size_t descriptors = 0;

    for (int i = 0; i < COUNT; i++) {
        struct mito_context *child = tree_local();
        struct mito_context *below = i % 5 == 0 ? tree_local(.via = child) : NULL;
        pid_t pid = tree_pid_of(child);
        if (i % 3 == 0)
            kill(pid, SIGKILL);
        else
            assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
        assert_int_equal(mito_call(child, &tree_spin, "", ""), -1);
        assert_error(MITO_E_DEAD, mito_context_name(child));
        mito_context_unref(below);
        mito_context_unref(child);
        for (int64_t until = now_ms() + PATIENCE; count_child_processes() > 0; sleep_ms(1))
            assert_true(now_ms() < until);
        if (i == 5) /* after the first few, what is kept for later use is there */
            descriptors = count_descriptors();
    }
    for (int64_t until = now_ms() + PATIENCE; count_descriptors() > descriptors; sleep_ms(1))
        assert_true(now_ms() < until);
}

/* A master may start over. */
static void test_routers_one_after_the_other(void **state)
{
    (void)state;
    size_t descriptors = count_descriptors();

    for (int i = 0; i < 10; i++) {
        MITO_AUTO_CONTEXT child = tree_local();
        assert_true(tree_pid_of(child) > 0);
        mito_context_unref(child);
        child = NULL;
        tree_reopen(NULL);
        assert_int_equal(count_descriptors(), descriptors);
        assert_int_equal(count_child_processes(), 0);
    }
}

/* () -> how many pipes, sockets and files are open there. Of what the library makes for itself when
 * it needs it, eventfd and the like, there may be more or less. */
MITO_FUNCTION(count_open)
{
    char path[32], target[64];
    int count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target);
        count += n > 0 && strncmp(target, "anon_inode:", 11) != 0;
    }
    return mito_return(call, "i", count);
}

/* A child has its standard descriptors and what the library needs; none of the program's, none of
 * another child's. */
static void test_children_inherit_nothing(void **state)
{
    (void)state;
    int64_t alone, with_others;
    struct mito_context *others[10];
    int leaked[2];

    assert_int_equal(pipe(leaked), 0); /* a careless program: not close-on-exec */
    MITO_AUTO_CONTEXT first = tree_local();
    assert_int_equal(mito_call(first, &count_open, "", "i", &alone), 0);
    for (int i = 0; i < 10; i++)
        others[i] = tree_local();
    MITO_AUTO_CONTEXT last = tree_local();
    assert_int_equal(mito_call(last, &count_open, "", "i", &with_others), 0);
    assert_int_equal(with_others, alone);
    assert_in_range(alone, 4, 8);
    for (int i = 0; i < 10; i++)
        mito_context_unref(others[i]);
    close(leaked[0]);
    close(leaked[1]);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_hundreds_at_once),         TREE_TEST(test_free_while_starting),
        TREE_TEST(test_one_after_the_other),      TREE_TEST(test_routers_one_after_the_other),
        TREE_TEST(test_children_inherit_nothing),
    };
    return cmocka_run_group_tests_name("many", tests, NULL, NULL);
}
