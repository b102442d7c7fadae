/* Authority goes down the tree only, also by way of values that are passed upwards. */
#include "tree.h"

enum { HANDLE_CALL_FUNCTION = 101, HANDLE_SHUTDOWN = 106 };

static int ran; /* in the context that was aimed at */

MITO_FUNCTION(note_run)
{
    ran++;
    return mito_return(call, "");
}

MITO_FUNCTION(count_runs)
{
    return mito_return(call, "i", ran);
}

/* Hands its parent a sender to a handle of another context. */
MITO_FUNCTION(aim)
{
    MITO_AUTO_CONTEXT target = NULL;
    int64_t handle;

    if (mito_args(call, "ci", &target, &handle) < 0)
        return -1;
    MITO_AUTO_SENDER tx = mito_sender_new(target, (uint32_t)handle);
    return tx == NULL ? -1 : mito_return(call, "t", tx);
}

/* Calls a function of another context, over which it has no authority. */
MITO_FUNCTION(call_other)
{
    MITO_AUTO_CONTEXT target = NULL;

    if (mito_args(call, "c", &target) < 0)
        return -1;
    return mito_call_timeout(target, PATIENCE, &note_run, "", "");
}

static void test_received_sender_cannot_act(void **state)
{
    struct mito_context *child = tree_local(), *sibling = tree_local();
    const int handles[] = {HANDLE_CALL_FUNCTION, HANDLE_SHUTDOWN};
    struct mito_sender *tx = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        assert_int_equal(mito_call(child, &aim, "ci", sibling, handles[i], "t", &tx), -1);
        assert_error(MITO_E_DENIED, "handle");
        assert_null(tx);
    }
    assert_int_equal(mito_call(child, &aim, "ci", sibling, 5000, "t", &tx), 0);
    mito_sender_free(tx);
    mito_context_unref(child);
    mito_context_unref(sibling);
}

static void test_no_authority_sideways_or_up(void **state)
{
    struct mito_context *child = tree_local(), *sibling = tree_local();
    struct mito_context *below = tree_local(.via = child);
    MITO_AUTO_CONTEXT master = mito_context_self(tree);
    int64_t runs = -1;

    (void)state;
    assert_int_equal(mito_call(child, &call_other, "c", sibling, ""), -1);
    assert_error(MITO_E_DENIED, "authority");
    assert_int_equal(mito_call(below, &call_other, "c", child, ""), -1);
    assert_error(MITO_E_DENIED, "authority");
    assert_int_equal(mito_call(child, &call_other, "c", master, ""), -1);
    assert_int_equal(mito_call(sibling, &count_runs, "", "i", &runs), 0);
    assert_int_equal(runs, 0);
    assert_int_equal(mito_call(child, &count_runs, "", "i", &runs), 0);
    assert_int_equal(runs, 0);
    assert_int_equal(mito_call(child, &call_other, "c", below, ""), 0); /* downwards it may */
    mito_context_unref(child);
    mito_context_unref(sibling);
    mito_context_unref(below);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_received_sender_cannot_act),
        TREE_TEST(test_no_authority_sideways_or_up),
    };
    return cmocka_run_group_tests_name("authority", tests, NULL, NULL);
}
