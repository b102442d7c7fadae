/* Chains: calls that are sent without waiting for each other, of which the later ones fail with the
 * first. */
#include "tree.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int64_t runs;

/* (number, code): counts its runs; fails with the code unless it is 0 */
MITO_FUNCTION(step)
{
    int64_t number, code;

    if (mito_args(call, "ii", &number, &code) < 0)
        return -1;
    runs++;
    if (code != 0)
        return mito_fail(call, (int)code, "step %d went wrong", (int)number);
    return mito_return(call, "i", number);
}

MITO_FUNCTION_FLAGS(step_on_pool, MITO_CONCURRENT)
{
    if (mito_args(call, "") < 0)
        return -1;
    runs++;
    return mito_return(call, "b", syscall(SYS_gettid) == getpid());
}

/* () -> how often step ran since it was asked last */
MITO_FUNCTION(take_runs)
{
    int64_t n = runs;

    runs = 0;
    return mito_return(call, "i", n);
}

static int64_t runs_of(struct mito_context *context)
{
    int64_t n = -1;

    assert_int_equal(mito_call(context, &take_runs, "", "i", &n), 0);
    return n;
}

static void assert_answer(struct mito_receiver *rx, void *tag, int64_t expected)
{
    int64_t number = -1;
    MITO_AUTO_MESSAGE m = tree_receive(rx);

    assert_ptr_equal(mito_message_tag(m), tag);
    if (mito_message_read(m, "i", &number) < 0)
        fail_msg("%s", mito_error());
    assert_int_equal(number, expected);
}

static void assert_failure(struct mito_receiver *rx, void *tag, int code, const char *text)
{
    MITO_AUTO_MESSAGE m = tree_receive(rx);

    assert_ptr_equal(mito_message_tag(m), tag);
    assert_int_equal(mito_message_read(m, "i", NULL), -1);
    assert_int_equal(mito_error_code(), code);
    assert_non_null(strstr(mito_error(), text));
}

static void test_later_calls_fail_with_the_first(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct mito_chain *chain = mito_chain_new(child);
    int tags[6];

    for (int i = 0; i < 6; i++)
        assert_int_equal(mito_chain_call_async(chain, &step, rx, &tags[i], "ii", i,
                                               i == 2   ? MITO_E_USER + 7
                                               : i == 4 ? MITO_E_USER + 8
                                                        : 0),
                         0);
    assert_answer(rx, &tags[0], 0);
    assert_answer(rx, &tags[1], 1);
    for (int i = 2; i < 6; i++)
        assert_failure(rx, &tags[i], MITO_E_USER + 7, "step 2 went wrong");
    assert_int_equal(runs_of(child), 3);
    assert_int_equal(mito_chain_call(chain, &step, "ii", 9, 0, "i", NULL), -1);
    assert_int_equal(mito_error_code(), MITO_E_USER + 7);
    assert_int_equal(runs_of(child), 0);
    /* Calls without a chain know nothing of it. */
    assert_int_equal(mito_call(child, &step, "ii", 9, 0, "i", NULL), 0);
    mito_chain_free(chain);
}

static void test_reset(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_chain *chain = mito_chain_new(child);
    int64_t number;

    assert_int_equal(mito_chain_call(chain, &step, "ii", 1, MITO_E_RANGE, "i", &number), -1);
    assert_error(MITO_E_RANGE, "step 1");
    assert_int_equal(mito_chain_call(chain, &step, "ii", 2, 0, "i", &number), -1);
    assert_error(MITO_E_RANGE, "step 1");
    assert_int_equal(mito_chain_reset(chain), 0);
    assert_int_equal(mito_chain_call(chain, &step, "ii", 3, 0, "i", &number), 0);
    assert_int_equal(number, 3);
    assert_int_equal(mito_chain_call(chain, &step, "ii", 4, MITO_E_TYPE, "i", &number), -1);
    assert_error(MITO_E_TYPE, "step 4"); /* of what came after, not of what was forgotten */
    mito_chain_free(chain);
    assert_int_equal(runs_of(child), 3);
}

/* A failure behind calls that nobody waited for is forgotten by a reset in its place, not before.
 */
static void test_reset_keeps_its_place(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct mito_chain *chain = mito_chain_new(child);
    struct blocked busy;
    int tag;

    tree_block_main(&busy, child); /* so that all of it waits in the child */
    assert_int_equal(mito_chain_call_async(chain, &step, rx, &tag, "ii", 1, MITO_E_RANGE), 0);
    assert_int_equal(mito_chain_call_async(chain, &step, rx, &tag, "ii", 2, 0), 0);
    assert_int_equal(mito_chain_reset(chain), 0);
    assert_int_equal(mito_chain_call_async(chain, &step, rx, &tag, "ii", 3, 0), 0);
    tree_unblock(&busy);
    assert_failure(rx, &tag, MITO_E_RANGE, "step 1");
    assert_failure(rx, &tag, MITO_E_RANGE, "step 1");
    assert_answer(rx, &tag, 3);
    mito_chain_free(chain);
}

static void test_chains_are_independent(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT other = tree_local();
    struct mito_chain *a = mito_chain_new(child), *b = mito_chain_new(child);
    struct mito_chain *c = mito_chain_new(other);

    assert_int_equal(mito_chain_call(a, &step, "ii", 1, MITO_E_USER + 1, "i", NULL), -1);
    assert_int_equal(mito_chain_call(b, &step, "ii", 2, 0, "i", NULL), 0);
    assert_int_equal(mito_chain_call(c, &step, "ii", 3, 0, "i", NULL), 0);
    assert_int_equal(mito_chain_call(b, &step, "ii", 4, MITO_E_USER + 4, "i", NULL), -1);
    assert_int_equal(mito_error_code(), MITO_E_USER + 4);
    assert_int_equal(mito_chain_reset(b), 0);
    assert_int_equal(mito_chain_call(a, &step, "ii", 5, 0, "i", NULL), -1);
    assert_int_equal(mito_error_code(), MITO_E_USER + 1);
    assert_int_equal(mito_chain_call(b, &step, "ii", 6, 0, "i", NULL), 0);
    mito_chain_free(a);
    /* One that is made anew is no continuation of one that was freed. */
    a = mito_chain_new(child);
    assert_int_equal(mito_chain_call(a, &step, "ii", 7, 0, "i", NULL), 0);
    mito_chain_free(a);
    mito_chain_free(b);
    mito_chain_free(c);
    mito_chain_free(NULL);
}

static void test_calls_without_reply(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_chain *chain = mito_chain_new(child);

    assert_int_equal(mito_chain_call_no_reply(chain, &step, "ii", 1, 0), 0);
    assert_int_equal(mito_chain_call_no_reply(chain, &step, "ii", 2, MITO_E_USER + 2), 0);
    assert_int_equal(mito_chain_call_no_reply(chain, &step, "ii", 3, 0), 0);
    assert_int_equal(mito_chain_call(chain, &step, "ii", 4, 0, "i", NULL), -1);
    assert_int_equal(mito_error_code(), MITO_E_USER + 2);
    assert_non_null(strstr(mito_error(), "step 2 went wrong"));
    assert_int_equal(runs_of(child), 2);
    assert_non_null(tree_record(mito_context_id(child), NULL, "step 2 went wrong", PATIENCE));
    mito_chain_free(chain);
}

/* What fails before a function runs fails a chain as well. */
static void test_unknown_functions_and_wrong_arguments(void **state)
{
    (void)state;
    static const struct mito_function unknown = {"main", "unknown", NULL, 0};
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_chain *chain = mito_chain_new(child);

    assert_int_equal(mito_chain_call(chain, &unknown, "", "", NULL), -1);
    assert_error(MITO_E_NO_FUNCTION, "unknown");
    assert_int_equal(mito_chain_call(chain, &step, "ii", 1, 0, "i", NULL), -1);
    assert_error(MITO_E_NO_FUNCTION, "unknown");
    assert_int_equal(mito_chain_reset(chain), 0);
    assert_int_equal(mito_chain_call(chain, &step, "s", "x", "i", NULL), -1);
    assert_error(MITO_E_TYPE, "");
    assert_int_equal(mito_chain_call(chain, &step, "ii", 1, 0, "i", NULL), -1);
    assert_error(MITO_E_TYPE, "");
    mito_chain_free(chain);
}

/* On the main thread and in order, also functions that could run elsewhere. */
static void test_order_with_concurrent_functions(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct mito_chain *chain = mito_chain_new(child);
    bool on_main = false;

    assert_int_equal(mito_chain_call(chain, &step_on_pool, "", "b", &on_main), 0);
    assert_true(on_main);
    assert_int_equal(mito_call(child, &step_on_pool, "", "b", &on_main), 0);
    assert_false(on_main);
    assert_int_equal(runs_of(child), 2);
    assert_int_equal(mito_chain_call_async(chain, &step, rx, NULL, "ii", 1, MITO_E_USER), 0);
    assert_int_equal(mito_chain_call_async(chain, &step_on_pool, rx, NULL, ""), 0);
    assert_failure(rx, NULL, MITO_E_USER, "step 1");
    assert_failure(rx, NULL, MITO_E_USER, "step 1");
    assert_int_equal(runs_of(child), 1);
    mito_chain_free(chain);
}

static void test_chain_to_a_dead_context(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_chain *chain = mito_chain_new(child);

    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    assert_int_equal(mito_chain_call(chain, &step, "ii", 1, 0, "i", NULL), -1);
    assert_error(MITO_E_DEAD, mito_context_name(child));
    mito_chain_free(chain);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_later_calls_fail_with_the_first),
        TREE_TEST(test_reset),
        TREE_TEST(test_reset_keeps_its_place),
        TREE_TEST(test_chains_are_independent),
        TREE_TEST(test_calls_without_reply),
        TREE_TEST(test_unknown_functions_and_wrong_arguments),
        TREE_TEST(test_order_with_concurrent_functions),
        TREE_TEST(test_chain_to_a_dead_context),
    };
    return cmocka_run_group_tests_name("chains", tests, NULL, NULL);
}
