/* Functions that use the router they run on: grow the tree, call further down, wait for messages.
 */
#include "tree.h"

#include <stdlib.h>
#include <unistd.h>

/* (depth) -> list of the pids from here down: each level starts a child and calls itself there */
MITO_FUNCTION(descend)
{
    struct mito_router *router = mito_call_router(call);
    struct mito_value *below = NULL;
    int64_t depth;

    if (mito_args(call, "i", &depth) < 0)
        return -1;
    if (depth > 0) {
        MITO_AUTO_CONTEXT child = mito_local(router);
        if (child == NULL || mito_call(child, &descend, "i", depth - 1, "v", &below) < 0)
            return -1;
    }
    struct mito_value *list = mito_value_new_list();
    mito_value_append(list, mito_value_new_int(getpid()));
    for (size_t i = 0; i < mito_value_length(below); i++)
        mito_value_append(list, mito_value_copy(mito_value_item(below, i)));
    int rc = mito_return(call, "v", list);
    mito_value_free(list);
    mito_value_free(below);
    return rc;
}

static void test_recursion(void **state)
{
    (void)state;
    enum { DEPTH = 5 };
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_value *list = NULL;
    int64_t pids[DEPTH + 1];

    if (mito_call(child, &descend, "i", DEPTH, "v", &list) < 0)
        fail_msg("%s", mito_error());
    assert_int_equal(mito_value_length(list), DEPTH + 1);
    for (size_t i = 0; i <= DEPTH; i++) {
        assert_int_equal(mito_value_int(mito_value_item(list, i), &pids[i]), 0);
        for (size_t j = 0; j < i; j++)
            assert_true(pids[i] != pids[j]);
        assert_false(pid_gone((pid_t)pids[i], 0));
    }
    mito_value_free(list);
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    for (size_t i = 0; i <= DEPTH; i++)
        assert_true(pid_gone((pid_t)pids[i], PATIENCE));
}

/* An error from far below names every step on its way up. */
MITO_FUNCTION(fail_below)
{
    int64_t depth;

    if (mito_args(call, "i", &depth) < 0)
        return -1;
    if (depth == 0)
        return mito_fail(call, MITO_E_USER + 99, "at the bottom");
    MITO_AUTO_CONTEXT child = mito_local(mito_call_router(call));
    return child == NULL ? -1 : mito_call(child, &fail_below, "i", depth - 1, "");
}

static void test_errors_from_below(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();

    assert_int_equal(mito_call(child, &fail_below, "i", 2, ""), -1);
    assert_int_equal(mito_error_code(), MITO_E_USER + 99);
    const char *at = mito_error();
    for (int i = 0; i < 3; i++) { /* local.1: fail_below: local.2: fail_below: ... */
        at = strstr(at, "fail_below: ");
        assert_non_null(at);
        at += strlen("fail_below: ");
    }
    assert_string_equal(at, "at the bottom");
}

/* Children that a function started stay when it returns; who asks later finds them. */
static struct mito_context *held;

MITO_FUNCTION(start_and_keep)
{
    held = mito_local(mito_call_router(call), .remote_name = "kept");
    return held == NULL ? -1 : mito_return(call, "c", held);
}

MITO_FUNCTION(call_kept)
{
    int64_t pid;

    if (mito_call(held, &tree_pid, "", "i", &pid) < 0)
        return -1;
    return mito_return(call, "i", pid);
}

MITO_FUNCTION(end_kept)
{
    (void)call;
    int rc = mito_context_shutdown(held, PATIENCE);

    mito_context_unref(held);
    return rc;
}

static void test_children_stay(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT kept = NULL;
    int64_t pid;

    assert_int_equal(mito_call(child, &start_and_keep, "", "c", &kept), 0);
    assert_int_equal(mito_call(child, &call_kept, "", "i", &pid), 0);
    assert_int_equal(tree_pid_of(kept), pid);
    assert_int_equal(mito_call(child, &end_kept, "", ""), 0);
    assert_true(pid_gone((pid_t)pid, PATIENCE));
    assert_int_equal(mito_call(kept, &tree_pid, "", "v", NULL), -1);
    assert_error(MITO_E_DEAD, "");
}

/* --- the caller -------------------------------------------------------------------------------
 */

/* () -> (caller's id, its name, parent's id, own id) */
MITO_FUNCTION(who_calls)
{
    struct mito_context *caller = mito_call_caller(call);
    MITO_AUTO_CONTEXT parent = mito_context_parent(mito_call_router(call));
    MITO_AUTO_CONTEXT self = mito_context_self(mito_call_router(call));

    return mito_return(call, "isii", mito_context_id(caller), mito_context_name(caller),
                       mito_context_id(parent), mito_context_id(self));
}

MITO_FUNCTION(who_calls_below)
{
    MITO_AUTO_CONTEXT child = NULL;
    int64_t caller, parent, self;

    if (mito_args(call, "c", &child) < 0 ||
        mito_call(child, &who_calls, "", "isii", &caller, NULL, &parent, &self) < 0)
        return -1;
    return mito_return(call, "iii", caller, parent, self);
}

static void test_caller(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    int64_t caller, parent, self;
    char *name;

    assert_int_equal(mito_call(child, &who_calls, "", "isii", &caller, &name, &parent, &self), 0);
    assert_true(caller == 0 && parent == 0 && self == mito_context_id(child));
    assert_string_equal(name, "master");
    free(name);
    assert_int_equal(mito_call(below, &who_calls, "", "isii", &caller, NULL, &parent, &self), 0);
    assert_true(caller == 0 && parent == mito_context_id(child));
    assert_int_equal(mito_call(child, &who_calls_below, "c", below, "iii", &caller, &parent, &self),
                     0);
    assert_true(caller == mito_context_id(child) && parent == caller &&
                self == mito_context_id(below));
}

/* What a function sends to its caller is no answer, and arrives before it. */
MITO_FUNCTION(talk_to_caller)
{
    MITO_AUTO_SENDER box = NULL;

    if (mito_args(call, "t", &box) < 0)
        return -1;
    MITO_AUTO_CONTEXT owner = mito_sender_context(box);
    if (owner != mito_call_caller(call))
        return mito_fail(call, MITO_E_INVALID, "the sender is of somebody else");
    for (int i = 0; i < 3; i++) {
        if (mito_send(box, "i", i) < 0)
            return -1;
    }
    return mito_return(call, "s", "answer");
}

static void test_messages_before_the_answer(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    char *answer;

    assert_int_equal(mito_call(child, &talk_to_caller, "r", rx, "s", &answer), 0);
    assert_string_equal(answer, "answer");
    free(answer);
    for (int i = 0; i < 3; i++) {
        int64_t number;
        MITO_AUTO_MESSAGE m = mito_receive(rx, 0); /* there already: one stream, one order */
        assert_non_null(m);
        assert_int_equal(mito_message_read(m, "i", &number), 0);
        assert_true(number == i);
    }
}

/* --- what a child must not do -----------------------------------------------------------------
 */

MITO_FUNCTION(misuse)
{
    struct mito_router *router = mito_call_router(call);
    MITO_AUTO_CONTEXT self = mito_context_self(router);

    if (mito_router_new(NULL) != NULL || mito_error_code() != MITO_E_INVALID)
        return mito_fail(call, MITO_E_USER, "a second router");
    if (mito_call(self, &tree_pid, "", "") == 0 || mito_error_code() != MITO_E_INVALID)
        return mito_fail(call, MITO_E_USER, "a call to itself");
    if (mito_context_shutdown(mito_call_caller(call), 1000) == 0 ||
        mito_error_code() != MITO_E_DENIED)
        return mito_fail(call, MITO_E_USER, "shut its caller down: %s", mito_error());
    mito_router_free(router); /* that of a child ends with its process */
    return mito_return(call, "b", true);
}

static void test_misuse(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();

    if (mito_call(child, &misuse, "", "b", NULL) < 0)
        fail_msg("%s", mito_error());
    assert_true(tree_pid_of(child) > 0);
}

/* A call to itself that is not waited for comes to its turn like any other. */
static int64_t self_calls;

MITO_FUNCTION(count_self_call)
{
    (void)call;
    self_calls++;
    return 0;
}

MITO_FUNCTION(call_self_later)
{
    MITO_AUTO_CONTEXT self = mito_context_self(mito_call_router(call));

    if (mito_call_no_reply(self, &count_self_call, "") < 0)
        return -1;
    return mito_return(call, "i", self_calls);
}

static void test_self_call_later(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t count;

    assert_int_equal(mito_call(child, &call_self_later, "", "i", &count), 0);
    assert_true(count == 0);
    assert_int_equal(mito_call(child, &call_self_later, "", "i", &count), 0);
    assert_true(count == 1);
}

/* While a function waits in its own calls, its context is shut down: everything it waits for fails,
 * it can return, the context is gone in time. */
MITO_FUNCTION(wait_below)
{
    MITO_AUTO_CONTEXT child = mito_local(mito_call_router(call));
    MITO_AUTO_SENDER test = NULL;

    if (child == NULL || mito_args(call, "t", &test) < 0 || mito_send(test, "c", child) < 0)
        return -1;
    return mito_call(child, &tree_spin, "", "");
}

static void test_shutdown_while_waiting_below(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = NULL;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(tree);

    assert_int_equal(mito_call_async(child, &wait_below, answers, NULL, "r", rx), 0);
    struct mito_message *m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, "c", &below), 0);
    mito_message_free(m);
    int64_t before = now_ms();
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    assert_in_range(now_ms() - before, 0, 4000 * SLOWNESS);
    m = tree_receive(answers);
    assert_int_equal(mito_message_read(m, ""), -1);
    assert_error(MITO_E_DEAD, "");
    mito_message_free(m);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_recursion),
        TREE_TEST(test_errors_from_below),
        TREE_TEST(test_children_stay),
        TREE_TEST(test_caller),
        TREE_TEST(test_messages_before_the_answer),
        TREE_TEST(test_misuse),
        TREE_TEST(test_self_call_later),
        TREE_TEST(test_shutdown_while_waiting_below),
    };
    return cmocka_run_group_tests_name("inside", tests, NULL, NULL);
}
