/* Children by fork(2): the memory of their parent, nothing else of it, and the same end as all. */
#include "tree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t number = 1;
static struct mito_context *known; /* of the master */
static int kept_fd = -1, private_fd = -1;

#define tree_fork(...) tree_up_(mito_fork(tree __VA_OPT__(, ) __VA_ARGS__), __LINE__)

MITO_FUNCTION(add)
{
    int64_t more;

    if (mito_args(call, "i", &more) < 0)
        return -1;
    number += more;
    return mito_return(call, "i", number);
}

MITO_FUNCTION(say_hello)
{
    printf("hello\n");
    fflush(stdout);
    return mito_return(call, "");
}

/* Which of the master's descriptors are open here. */
MITO_FUNCTION(open_here)
{
    return mito_return(call, "(bb)", fcntl(kept_fd, F_GETFD) >= 0, fcntl(private_fd, F_GETFD) >= 0);
}

MITO_FUNCTION(use_what_was)
{
    return mito_call(known, &add, "i", 1, "i", NULL) < 0 ? mito_return(call, "s", mito_error())
                                                         : mito_return(call, "s", "it works");
}

/* (depth) -> the number there, each of which added one */
MITO_FUNCTION(fork_deeper)
{
    int64_t depth, result;

    number++;
    if (mito_args(call, "i", &depth) < 0)
        return -1;
    if (depth == 0)
        return mito_return(call, "i", number);
    MITO_AUTO_CONTEXT child = mito_fork(mito_call_router(call));
    if (child == NULL || mito_call(child, &fork_deeper, "i", depth - 1, "i", &result) < 0)
        return -1;
    return mito_return(call, "i", result);
}

static int64_t add_in(struct mito_context *context, int64_t more)
{
    int64_t sum = -1;

    if (mito_call(context, &add, "i", more, "i", &sum) < 0)
        fail_msg("add: %s", mito_error());
    return sum;
}

static void memory_is_copied(void **state)
{
    (void)state;
    number = 41;
    struct mito_context *first = tree_fork(), *second = tree_fork();
    assert_int_equal(add_in(first, 1), 42);
    assert_int_equal(add_in(first, 1), 43);
    assert_int_equal(add_in(second, 100), 141);
    assert_int_equal(number, 41);
    assert_int_not_equal(tree_pid_of(first), tree_pid_of(second));
    assert_int_not_equal(tree_pid_of(first), getpid());
    /* From there, what it has changed is copied; a local one is a new program. */
    assert_int_equal(add_in(tree_fork(.via = first), 1), 44);
    assert_int_equal(add_in(tree_local(.via = first), 1), 2);
    number = 1;
}

static void deep(void **state)
{
    int64_t result = 0;

    (void)state;
    number = 0;
    if (mito_call(tree_fork(), &fork_deeper, "i", 5, "i", &result) < 0)
        fail_msg("%s", mito_error());
    assert_int_equal(result, 6);
    number = 1;
}

static void many(void **state)
{
    enum { COUNT = 50 };
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        number = i;
        assert_int_equal(mito_fork_async(tree, rx, (void *)(intptr_t)i), 0);
    }
    number = 1;
    for (int i = 0; i < COUNT; i++) {
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        MITO_AUTO_CONTEXT child = NULL;
        if (mito_message_read(m, "c", &child) < 0)
            fail_msg("%s", mito_error());
        assert_int_equal(add_in(child, 1000), (intptr_t)mito_message_tag(m) + 1000);
    }
}

/* What is in a buffer of stdio is printed once, by who put it there. */
static void output_is_not_doubled(void **state)
{
    int saved = dup(1), pipe_fds[2];
    char text[200] = "";

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    fflush(stdout);
    assert_int_equal(dup2(pipe_fds[1], 1), 1);
    printf("once");
    struct mito_context *child = tree_fork();
    assert_int_equal(mito_call(child, &say_hello, "", ""), 0);
    assert_non_null(tree_record(mito_context_id(child), "stdout", "hello", PATIENCE));
    assert_int_equal(tree_count_records(mito_context_id(child), "stdout", "once"), 0);
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    fflush(stdout);
    assert_int_equal(dup2(saved, 1), 1);
    close(saved);
    close(pipe_fds[1]);
    assert_true(read(pipe_fds[0], text, sizeof text - 1) > 0);
    close(pipe_fds[0]);
    assert_string_equal(text, "once");
}

static void descriptors(void **state)
{
    bool kept = false, private = true;

    (void)state;
    kept_fd = open("/dev/null", O_RDONLY);
    private_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(mito_call(tree_fork(), &open_here, "", "(bb)", &kept, &private), 0);
    assert_true(kept);
    assert_false(private);
    close(kept_fd);
    close(private_fd);
}

static void the_old_tree_is_out_of_reach(void **state)
{
    char *said = NULL;

    (void)state;
    known = tree_local();
    struct mito_context *child = tree_fork();
    if (mito_call_timeout(child, PATIENCE, &use_what_was, "", "s", &said) < 0)
        fail_msg("%s", mito_error());
    assert_non_null(strstr(said, "no route"));
    free(said);
    known = NULL;
}

static bool printing;

static void *print_for_ever(void *arg)
{
    FILE *null = arg;

    while (__atomic_load_n(&printing, __ATOMIC_ACQUIRE)) {
#if !UNDER_ASAN /* whose malloc() does not bear a fork(2) */
        void *block = malloc(100000);
        free(block);
#endif
        fprintf(null, "%d", 1);
        flockfile(stdout);
        funlockfile(stdout);
    }
    return NULL;
}

/* Other threads are in the middle of anything. */
static void beside_busy_threads(void **state)
{
    pthread_t threads[3];
    FILE *null = fopen("/dev/null", "we");

    (void)state;
    assert_non_null(null);
    __atomic_store_n(&printing, true, __ATOMIC_RELEASE);
    for (size_t i = 0; i < LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, print_for_ever, null), 0);
    for (int i = 0; i < 20; i++) {
        MITO_AUTO_CONTEXT child = tree_fork();
        assert_int_equal(mito_call_timeout(child, PATIENCE, &say_hello, "", ""), 0);
        assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    }
    __atomic_store_n(&printing, false, __ATOMIC_RELEASE);
    for (size_t i = 0; i < LENGTH(threads); i++)
        pthread_join(threads[i], NULL);
    fclose(null);
}

static void ends_with_its_parent(void **state)
{
    (void)state;
    struct mito_context *middle = tree_local(), *child = tree_fork(.via = middle);
    struct mito_context *spinning = tree_fork();
    pid_t pid = tree_pid_of(child), spinning_pid = tree_pid_of(spinning);

    assert_int_equal(mito_call_no_reply(child, &tree_spin, ""), 0);
    assert_int_equal(mito_call_no_reply(spinning, &tree_spin, ""), 0);
    assert_int_equal(kill(tree_pid_of(middle), SIGKILL), 0);
    assert_true(pid_gone(pid, 5000 * SLOWNESS));
    tree_free();
    assert_true(pid_gone(spinning_pid, 5000 * SLOWNESS));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(memory_is_copied),
        TREE_TEST(deep),
        TREE_TEST(many),
        TREE_TEST(output_is_not_doubled),
        TREE_TEST(descriptors),
        TREE_TEST(the_old_tree_is_out_of_reach),
        TREE_TEST(beside_busy_threads),
        TREE_TEST(ends_with_its_parent),
    };

    mito_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
