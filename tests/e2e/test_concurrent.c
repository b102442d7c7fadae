/* Functions that run beside others, and a busy context that still does its part. */
#include "tree.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int running, most;

/* (sender): counts itself, sends it the sender of a receiver, waits there for a word */
MITO_FUNCTION_FLAGS(block_on_pool, MITO_CONCURRENT)
{
    MITO_AUTO_SENDER ready = NULL;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(mito_call_router(call));
    int now = atomic_fetch_add(&running, 1) + 1;

    for (int before = atomic_load(&most); now > before;) {
        if (atomic_compare_exchange_weak(&most, &before, now))
            break;
    }
    if (rx == NULL || mito_args(call, "t", &ready) < 0 || mito_send(ready, "r", rx) < 0)
        return -1;
    mito_message_free(mito_receive(rx, MITO_FOREVER));
    atomic_fetch_sub(&running, 1);
    return 0;
}

/* () -> (how many run, how many ever ran at once) */
MITO_FUNCTION(count_running)
{
    return mito_return(call, "ii", atomic_load(&running), atomic_load(&most));
}

MITO_FUNCTION_FLAGS(pid_on_pool, MITO_CONCURRENT)
{
    return mito_return(call, "i", getpid());
}

MITO_FUNCTION_FLAGS(fail_on_pool, MITO_CONCURRENT)
{
    int64_t code;

    if (mito_args(call, "i", &code) < 0)
        return -1;
    return mito_fail(call, (int)code, "failed on the pool with %d", (int)code);
}

static struct mito_sender *read_sender(struct mito_receiver *rx)
{
    struct mito_sender *tx = NULL;
    MITO_AUTO_MESSAGE m = tree_receive(rx);

    if (mito_message_read(m, "t", &tx) < 0)
        fail_msg("%s", mito_error());
    return tx;
}

static void release(struct mito_sender *tx)
{
    assert_int_equal(mito_send(tx, "n"), 0);
    mito_sender_free(tx);
}

static void test_beside_a_busy_main_thread(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct blocked busy;
    int64_t pid;

    tree_block_main(&busy, child);
    for (int i = 0; i < 20; i++)
        assert_int_equal(mito_call_timeout(child, PATIENCE, &pid_on_pool, "", "i", &pid), 0);
    assert_int_equal(mito_call_timeout(child, PATIENCE, &fail_on_pool, "i", MITO_E_USER + 1, ""),
                     -1);
    assert_int_equal(mito_error_code(), MITO_E_USER + 1);
    assert_non_null(strstr(mito_error(), "failed on the pool with 1001"));
    assert_int_equal(mito_call_timeout(child, 200, &tree_pid, "", "v", NULL), -1);
    assert_error(MITO_E_TIMEOUT, "tree_pid"); /* the main thread is busy indeed */
    tree_unblock(&busy);
    assert_int_equal(tree_pid_of(child), pid);
}

/* Also with one that never waits for anything. */
static void test_beside_a_spinning_main_thread(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();

    assert_int_equal(mito_call_no_reply(child, &tree_spin, ""), 0);
    assert_int_equal(mito_call_timeout(child, PATIENCE, &pid_on_pool, "", "v", NULL), 0);
}

static void test_at_most_so_many_threads(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER ready = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(tree);
    struct mito_sender *words[COUNT];
    int64_t now, ever;
    int tags[COUNT];

    for (int i = 0; i < COUNT; i++)
        assert_int_equal(mito_call_async(child, &block_on_pool, answers, &tags[i], "r", ready), 0);
    for (int i = 0; i < MITO_POOL_THREADS; i++)
        words[i] = read_sender(ready);
    assert_null(mito_receive(ready, 200));
    assert_int_equal(mito_call(child, &count_running, "", "ii", &now, &ever), 0);
    assert_true(now == MITO_POOL_THREADS && ever == MITO_POOL_THREADS);
    /* One that ends makes room for one that waits. */
    for (int i = 0; i < COUNT; i++) {
        release(words[i]);
        if (i + MITO_POOL_THREADS < COUNT)
            words[i + MITO_POOL_THREADS] = read_sender(ready);
    }
    for (int i = 0; i < COUNT; i++) {
        MITO_AUTO_MESSAGE m = tree_receive(answers);
        assert_int_equal(mito_message_read(m, ""), 0);
    }
    assert_int_equal(mito_call(child, &count_running, "", "ii", &now, &ever), 0);
    assert_true(now == 0 && ever == MITO_POOL_THREADS);
}

/* Functions without the flag run one at a time, in the order in which they were called. */
static int64_t last_turn;

MITO_FUNCTION(take_turn)
{
    int64_t turn;

    if (mito_args(call, "i", &turn) < 0)
        return -1;
    int before = atomic_fetch_add(&running, 1);
    bool in_order = turn == last_turn + 1;
    last_turn = turn;
    if (turn % 16 == 0)
        usleep(1000); /* for another one to overtake, if it could */
    atomic_fetch_sub(&running, 1);
    return mito_return(call, "b", before == 0 && in_order);
}

static void test_others_run_one_at_a_time(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    for (int i = 1; i <= COUNT; i++)
        assert_int_equal(mito_call_async(child, &take_turn, rx, NULL, "i", i), 0);
    for (int i = 1; i <= COUNT; i++) {
        bool fine = false;
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        assert_int_equal(mito_message_read(m, "b", &fine), 0);
        assert_true(fine);
    }
}

/* A context whose main thread is in a function that never returns still routes, still starts
 * contexts, and ends them. */
static void test_busy_contexts_still_route(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT before = tree_local(.via = child);
    pid_t pid = tree_pid_of(before);

    assert_int_equal(mito_call_no_reply(child, &tree_spin, ""), 0);
    assert_int_equal(tree_pid_of(before), pid);
    MITO_AUTO_CONTEXT after = tree_local(.via = child);
    assert_int_not_equal(tree_pid_of(after), pid);
    MITO_AUTO_CONTEXT below = tree_local(.via = after);
    assert_true(tree_pid_of(below) > 0);
    assert_int_equal(mito_call_no_reply(below, &fail_on_pool, "i", MITO_E_USER + 5), 0);
    assert_non_null(tree_record(mito_context_id(below), NULL, "pool with 1005", PATIENCE));
    assert_int_equal(mito_context_shutdown(before, PATIENCE), 0);
    assert_true(pid_gone(pid, 1000));
    assert_true(tree_pid_of(after) > 0);
}

/* Threads of the pool may use the library as the main thread does, all at once. */
MITO_FUNCTION_FLAGS(start_and_call, MITO_CONCURRENT)
{
    MITO_AUTO_CONTEXT child = mito_local(mito_call_router(call));
    int64_t pid;

    for (int i = 0; i < 20; i++) {
        if (child == NULL || mito_call(child, &tree_pid, "", "i", &pid) < 0)
            return -1;
    }
    if (mito_context_shutdown(child, PATIENCE) < 0)
        return -1;
    return mito_return(call, "i", pid);
}

static void test_pool_threads_use_the_router(void **state)
{
    (void)state;
    enum { COUNT = 10 };
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    int64_t pids[COUNT];

    for (int i = 0; i < COUNT; i++)
        assert_int_equal(mito_call_async(child, &start_and_call, rx, NULL, ""), 0);
    for (int i = 0; i < COUNT; i++) {
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        if (mito_message_read(m, "i", &pids[i]) < 0)
            fail_msg("%s", mito_error());
        for (int j = 0; j < i; j++)
            assert_true(pids[i] != pids[j]);
        assert_true(pid_gone((pid_t)pids[i], PATIENCE));
    }
}

/* A pool full of functions that never return does not hold up the end. */
static void test_shutdown_with_a_full_pool(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER ready = mito_receiver_new(tree);
    struct mito_sender *words[MITO_POOL_THREADS];
    pid_t pid = tree_pid_of(child);

    for (int i = 0; i < 3 * MITO_POOL_THREADS; i++)
        assert_int_equal(mito_call_no_reply(child, &block_on_pool, "r", ready), 0);
    for (int i = 0; i < MITO_POOL_THREADS; i++)
        words[i] = read_sender(ready);
    int64_t before = now_ms();
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    assert_in_range(now_ms() - before, 0, 2000 * SLOWNESS);
    assert_true(pid_gone(pid, 1000));
    for (int i = 0; i < MITO_POOL_THREADS; i++)
        mito_sender_free(words[i]);
}

MITO_FUNCTION(never)
{
    (void)call;
    while (pause() < 0)
        ;
    return 0;
}

static void *wait_for_never(void *context)
{
    return (void *)(intptr_t)(mito_call(context, &never, "", "") < 0 ? mito_error_code() : 0);
}

/* Threads that wait when the router is freed are told, and look at nothing that is freed on their
 * way out: with many of them, some are late. */
static void test_freed_while_others_wait(void **state)
{
    (void)state;
    enum { ROUNDS = 5, WAITING = 24 };
    pthread_t threads[WAITING];
    void *code;

    for (int round = 0; round < ROUNDS; round++) {
        struct mito_context *child = tree_local();
        for (int i = 0; i < WAITING; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, wait_for_never, child), 0);
        tree_pid_of(tree_local(.via = child)); /* meanwhile they have asked */
        tree_reopen(NULL);
        for (int i = 0; i < WAITING; i++) {
            assert_int_equal(pthread_join(threads[i], &code), 0);
            assert_int_equal((intptr_t)code, MITO_E_DEAD);
        }
    }
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_beside_a_busy_main_thread), TREE_TEST(test_beside_a_spinning_main_thread),
        TREE_TEST(test_at_most_so_many_threads),   TREE_TEST(test_others_run_one_at_a_time),
        TREE_TEST(test_busy_contexts_still_route), TREE_TEST(test_pool_threads_use_the_router),
        TREE_TEST(test_shutdown_with_a_full_pool), TREE_TEST(test_freed_while_others_wait),
    };
    return cmocka_run_group_tests_name("concurrent", tests, NULL, NULL);
}
