/* A slow link in memory (MITOSIS_NETEM): what a program does over one. */
#include "tree.h"

#include <signal.h>
#include <stdlib.h>

static void reopen_over(const char *link)
{
    setenv("MITOSIS_NETEM", link, 1);
    tree_reopen(NULL);
    unsetenv("MITOSIS_NETEM");
}

static int64_t duration_of_call(struct mito_context *context)
{
    int64_t before = now_ms();

    assert_true(tree_pid_of(context) > 0);
    return now_ms() - before;
}

/* One round trip per call, however deep. The quickest of a few: the machine may be busy. */
static void assert_round_trips(struct mito_context *context, int64_t trips)
{
    int64_t quickest = INT64_MAX;

    for (int i = 0; i < 3; i++) {
        int64_t took = duration_of_call(context);
        assert_true(took >= trips * 200);
        quickest = took < quickest ? took : quickest;
    }
    assert_in_range(quickest, trips * 200, trips * 200 + 200 * SLOWNESS - 1);
}

static void test_delay(void **state)
{
    (void)state;
    reopen_over("delay 200ms");
    MITO_AUTO_CONTEXT child = tree_local();

    assert_round_trips(child, 1);
}

static void test_delay_adds_up(void **state)
{
    (void)state;
    reopen_over("delay 200ms");
    MITO_AUTO_CONTEXT first = tree_local();
    struct mito_context *second = NULL;
    int64_t quickest = INT64_MAX;

    for (int i = 0; i < 3; i++) { /* to connect from there costs one trip, too */
        int64_t before = now_ms();
        mito_context_unref(second);
        second = tree_local(.via = first);
        int64_t took = now_ms() - before;
        assert_true(took >= 200);
        quickest = took < quickest ? took : quickest;
    }
    assert_in_range(quickest, 200, 399 + 400 * (SLOWNESS - 1));
    MITO_AUTO_CONTEXT third = tree_local(.via = second);
    assert_round_trips(third, 3);
    int64_t before = now_ms();
    assert_int_equal(mito_context_shutdown(third, PATIENCE), 0);
    assert_in_range(now_ms() - before, 400, 2000 * SLOWNESS);
    mito_context_unref(second);
}

/* What does not wait for each other shares a round trip. */
static void test_many_share_a_trip(void **state)
{
    (void)state;
    reopen_over("delay 200ms");
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    int64_t before = now_ms();

    for (int i = 0; i < 100; i++)
        assert_int_equal(mito_call_async(child, &tree_echo, rx, NULL, "i", i), 0);
    for (int i = 0; i < 100; i++) {
        int64_t number;
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        assert_int_equal(mito_message_read(m, "i", &number), 0);
        assert_true(number == i); /* and their order is kept */
    }
    assert_in_range(now_ms() - before, 200, 2000 * SLOWNESS);
}

static void test_rate(void **state)
{
    (void)state;
    enum { SIZE = 500 * 1000 };
    static char bytes[SIZE];
    reopen_over("rate 8mbit"); /* a megabyte a second */
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t before = now_ms();

    assert_int_equal(mito_call(child, &tree_echo, "y", bytes, SIZE, "v", NULL), 0);
    assert_in_range(now_ms() - before, 1000, 3000 * SLOWNESS); /* there and back */
    before = now_ms();
    assert_true(tree_pid_of(child) > 0); /* small ones hardly notice */
    assert_in_range(now_ms() - before, 0, 900 * SLOWNESS);
}

static void test_delay_and_rate(void **state)
{
    (void)state;
    enum { SIZE = 100 * 1000 };
    static char bytes[SIZE];
    reopen_over("delay 200ms rate 4mbit");
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t before = now_ms();

    assert_int_equal(mito_call(child, &tree_echo, "y", bytes, SIZE, "v", NULL), 0);
    assert_in_range(now_ms() - before, 600, 2000 * SLOWNESS);
}

/* The end of a context travels like everything else, behind what it said before. */
static void test_death_is_noticed(void **state)
{
    (void)state;
    reopen_over("delay 200ms");
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    pid_t pid = tree_pid_of(child), below_pid = tree_pid_of(below);

    assert_int_equal(mito_call_async(child, &tree_spin, rx, child, ""), 0);
    assert_int_equal(mito_call_async(below, &tree_spin, rx, below, ""), 0);
    sleep_ms(300); /* until both run */
    int64_t before = now_ms();
    kill(below_pid, SIGKILL);
    struct mito_message *m = tree_receive(rx);
    assert_ptr_equal(mito_message_tag(m), below);
    assert_int_equal(mito_message_read(m, ""), -1);
    assert_error(MITO_E_DEAD, mito_context_name(below));
    mito_message_free(m);
    assert_in_range(now_ms() - before, 100, 1500 * SLOWNESS);
    before = now_ms();
    kill(pid, SIGKILL);
    m = tree_receive(rx);
    assert_ptr_equal(mito_message_tag(m), child);
    assert_int_equal(mito_message_read(m, ""), -1);
    assert_error(MITO_E_DEAD, mito_context_name(child));
    mito_message_free(m);
    assert_in_range(now_ms() - before, 0, 1500 * SLOWNESS);
}

/* Everyone ends in time over it. */
static void test_shutdown(void **state)
{
    (void)state;
    reopen_over("delay 300ms");
    struct mito_context *child = tree_local(), *below = tree_local(.via = child);
    pid_t pid = tree_pid_of(child), below_pid = tree_pid_of(below);

    assert_in_range(tree_free(), 300, 3000 * SLOWNESS);
    assert_true(pid_gone(pid, 0));
    assert_true(pid_gone(below_pid, 1000));
}

static void test_nonsense(void **state)
{
    (void)state;
    static const char *const nonsense[] = {
        "slow", "delay", "delay 5", "delay 5 parsecs", "rate 10mbit delay", "delay -5ms", "rate x"};

    mito_router_free(tree);
    for (size_t i = 0; i < LENGTH(nonsense); i++) {
        setenv("MITOSIS_NETEM", nonsense[i], 1);
        tree = mito_router_new(NULL);
        unsetenv("MITOSIS_NETEM");
        assert_null(tree);
        assert_error(MITO_E_INVALID, "MITOSIS_NETEM");
        assert_error(MITO_E_INVALID, nonsense[i]);
    }
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_delay),    TREE_TEST(test_delay_adds_up),  TREE_TEST(test_many_share_a_trip),
        TREE_TEST(test_rate),     TREE_TEST(test_delay_and_rate), TREE_TEST(test_death_is_noticed),
        TREE_TEST(test_shutdown), TREE_TEST(test_nonsense),
    };
    return cmocka_run_group_tests_name("netem", tests, NULL, NULL);
}
