/* Routing: deep trees, any context to any other, ids, who may not talk to whom, who is told of an
 * end. */
#include "tree.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- functions --------------------------------------------------------------------------------
 */

static struct mito_receiver *box;

/* () -> sender: to a receiver that stays */
MITO_FUNCTION(open_box)
{
    if (box == NULL && (box = mito_receiver_new(mito_call_router(call))) == NULL)
        return -1;
    return mito_return(call, "r", box);
}

MITO_FUNCTION(post)
{
    MITO_AUTO_SENDER to = NULL;
    int64_t number;

    if (mito_args(call, "ti", &to, &number) < 0)
        return -1;
    return mito_send(to, "i", number);
}

/* (count) -> list of (sender, number) */
MITO_FUNCTION(collect)
{
    int64_t count, number;
    struct mito_value *list = mito_value_new_list();

    if (mito_args(call, "i", &count) < 0)
        return -1;
    while (count-- > 0) {
        MITO_AUTO_MESSAGE m = mito_receive(box, PATIENCE);
        if (m == NULL || mito_message_read(m, "i", &number) < 0)
            return -1;
        mito_value_append(list, mito_value_new_int(mito_message_src_id(m)));
        mito_value_append(list, mito_value_new_int(number));
    }
    int rc = mito_return(call, "v", list);
    mito_value_free(list);
    return rc;
}

/* (sender t, sender of the test's receiver) -> code and text of why there was no answer */
MITO_FUNCTION(ask_in_vain)
{
    MITO_AUTO_SENDER to = NULL;
    MITO_AUTO_SENDER test = NULL;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(mito_call_router(call));

    if (rx == NULL || mito_args(call, "tt", &to, &test) < 0)
        return -1;
    if (mito_request(to, rx, NULL, "s", "anybody there?") < 0)
        return mito_return(call, "is", mito_error_code(), mito_error());
    if (mito_send(test, "n") < 0)
        return -1;
    MITO_AUTO_MESSAGE m = mito_receive(rx, PATIENCE);
    if (m == NULL || mito_message_read(m, "v", NULL) == 0)
        return mito_return(call, "is", 0, "there was an answer, or none in time");
    return mito_return(call, "is", mito_error_code(), mito_error());
}

/* () -> (own id, own name, parent's id, caller's id, parent) */
MITO_FUNCTION(who_are_you)
{
    struct mito_router *router = mito_call_router(call);
    MITO_AUTO_CONTEXT self = mito_context_self(router);
    MITO_AUTO_CONTEXT parent = mito_context_parent(router);

    return mito_return(call, "isiic", mito_context_id(self), mito_context_name(self),
                       mito_context_id(parent), mito_context_id(mito_call_caller(call)), parent);
}

/* (context) -> pid of that context, whoever started it */
MITO_FUNCTION(pid_of)
{
    MITO_AUTO_CONTEXT context = NULL;
    int64_t pid;

    if (mito_args(call, "c", &context) < 0 || mito_call(context, &tree_pid, "", "i", &pid) < 0)
        return -1;
    return mito_return(call, "i", pid);
}

MITO_FUNCTION(have_child)
{
    MITO_AUTO_CONTEXT child = mito_local(mito_call_router(call));

    return child == NULL ? -1 : mito_return(call, "c", child);
}

static struct mito_sender *box_of(struct mito_context *context)
{
    struct mito_sender *tx = NULL;

    if (mito_call(context, &open_box, "", "t", &tx) < 0)
        fail_msg("open_box: %s", mito_error());
    return tx;
}

/* --- down and up ------------------------------------------------------------------------------
 */

static void test_ten_deep(void **state)
{
    (void)state;
    enum { DEPTH = 10 };
    struct mito_context *chain[DEPTH];
    int64_t id, parent, caller;
    char *name;

    for (int i = 0; i < DEPTH; i++) {
        chain[i] = tree_local(.via = i > 0 ? chain[i - 1] : NULL);
        MITO_AUTO_CONTEXT above = NULL;
        assert_int_equal(
            mito_call(chain[i], &who_are_you, "", "isiic", &id, &name, &parent, &caller, &above),
            0);
        assert_int_equal(id, mito_context_id(chain[i]));
        assert_string_equal(name, mito_context_name(chain[i]));
        assert_int_equal(parent, i > 0 ? mito_context_id(chain[i - 1]) : 0);
        assert_int_equal(caller, 0);
        assert_int_equal(mito_context_id(above), parent);
        free(name);
    }
    for (int i = 0; i < DEPTH; i++) { /* each is another process */
        for (int j = 0; j < i; j++)
            assert_int_not_equal(tree_pid_of(chain[i]), tree_pid_of(chain[j]));
    }
    for (int i = 0; i < DEPTH; i++)
        mito_context_unref(chain[i]);
}

/* Every context sends to every other one, up, down and sideways. */
static void test_any_to_any(void **state)
{
    (void)state;
    enum { COUNT = 9 };
    struct mito_context *all[COUNT];
    struct mito_sender *boxes[COUNT];
    MITO_AUTO_RECEIVER ours = mito_receiver_new(tree);

    for (int i = 0; i < COUNT; i++) {
        all[i] = tree_local(.via = i < 3 ? NULL : all[i - 3]); /* three chains of three */
        boxes[i] = box_of(all[i]);
    }
    for (int from = 0; from < COUNT; from++) {
        for (int to = 0; to < COUNT; to++)
            assert_int_equal(mito_call(all[from], &post, "ti", boxes[to], from * 100 + to, ""), 0);
        assert_int_equal(mito_call(all[from], &post, "ri", ours, from, ""), 0);
        assert_int_equal(mito_send(boxes[from], "i", 9900 + from), 0);
    }
    for (int to = 0; to < COUNT; to++) {
        struct mito_value *list;
        bool seen[COUNT + 1] = {false};
        assert_int_equal(mito_call(all[to], &collect, "i", COUNT + 1, "v", &list), 0);
        for (size_t i = 0; i < mito_value_length(list); i += 2) {
            int64_t id, number;
            assert_int_equal(mito_value_int(mito_value_item(list, i), &id), 0);
            assert_int_equal(mito_value_int(mito_value_item(list, i + 1), &number), 0);
            assert_int_equal(number % 100, to);
            size_t from = number / 100 == 99 ? COUNT : (size_t)number / 100;
            assert_in_range(from, 0, COUNT);
            assert_false(seen[from]);
            seen[from] = true;
            assert_int_equal(id, from == COUNT ? 0 : mito_context_id(all[from]));
        }
        mito_value_free(list);
    }
    for (int i = 0; i < COUNT; i++) {
        int64_t from;
        MITO_AUTO_MESSAGE m = tree_receive(ours);
        assert_int_equal(mito_message_read(m, "i", &from), 0);
        assert_int_equal(mito_message_src_id(m), mito_context_id(all[from]));
    }
    for (int i = 0; i < COUNT; i++) {
        mito_context_unref(all[i]);
        mito_sender_free(boxes[i]);
    }
}

/* A context is a value: what one made is used by another that has authority over it. */
static void test_contexts_as_values(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT sibling = tree_local();
    MITO_AUTO_CONTEXT grandchild = NULL;
    int64_t pid, pid_seen_by_child;

    assert_int_equal(mito_call(child, &have_child, "", "c", &grandchild), 0);
    pid = tree_pid_of(grandchild);
    assert_int_equal(mito_call(child, &pid_of, "c", grandchild, "i", &pid_seen_by_child), 0);
    assert_int_equal(pid_seen_by_child, pid);
    /* Not the master's child, nor a sibling, has any. */
    assert_int_equal(mito_call(sibling, &pid_of, "c", grandchild, "i", NULL), -1);
    assert_error(MITO_E_DENIED, "pid_of");
    assert_int_equal(mito_call(grandchild, &pid_of, "c", child, "i", NULL), -1);
    assert_error(MITO_E_DENIED, "authority");
    assert_int_equal(mito_call(child, &pid_of, "c", sibling, "i", NULL), -1);
    assert_error(MITO_E_DENIED, "authority");
    MITO_AUTO_CONTEXT self = mito_context_self(tree);
    assert_int_equal(mito_call(child, &pid_of, "c", self, "i", NULL), -1);
    assert_error(MITO_E_DEAD, "");
    /* One more below: from where nobody asked for it here. */
    MITO_AUTO_CONTEXT below = NULL;
    assert_int_equal(mito_call(grandchild, &have_child, "", "c", &below), 0);
    assert_int_equal(mito_call(child, &pid_of, "c", below, "i", &pid_seen_by_child), 0);
    assert_int_equal(pid_seen_by_child, tree_pid_of(below));
}

static void test_unknown_contexts(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT nobody = mito_context_by_id(tree, 123456);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = mito_sender_new(nobody, 1234);
    int64_t before = now_ms();

    assert_int_equal(mito_context_id(nobody), 123456);
    assert_int_equal(mito_call(nobody, &tree_pid, "", "v", NULL), -1);
    assert_error(MITO_E_DEAD, "123456");
    assert_int_equal(mito_request(tx, rx, NULL, "n"), -1);
    assert_error(MITO_E_DEAD, "123456");
    assert_int_equal(mito_call(child, &pid_of, "c", nobody, "v", NULL), -1);
    assert_error(MITO_E_DEAD, "123456");
    assert_in_range(now_ms() - before, 0, 5000);
    assert_null(mito_context_parent(tree));
    assert_error(MITO_E_INVALID, "");
    MITO_AUTO_CONTEXT self = mito_context_self(tree);
    assert_int_equal(mito_context_id(self), 0);
    assert_string_equal(mito_context_name(self), "master");
    assert_ptr_equal(mito_context_router(self), tree);
}

/* --- ids --------------------------------------------------------------------------------------
 */

/* So deep that no ids are left there: the master must be asked for a block, by several at once. */
static void test_ids_are_asked_for(void **state)
{
    (void)state;
    enum { DEPTH = 5, WIDTH = 6 };
    struct mito_context *chain[DEPTH], *children[WIDTH];
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    uint32_t largest = 0;

    for (int i = 0; i < DEPTH; i++)
        chain[i] = tree_local(.via = i > 0 ? chain[i - 1] : NULL);
    for (int i = 0; i < WIDTH; i++)
        assert_int_equal(mito_local_async(tree, rx, &children[i], .via = chain[DEPTH - 1]), 0);
    for (int i = 0; i < WIDTH; i++) {
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        struct mito_context *child = NULL;
        assert_int_equal(mito_message_read(m, "c", &child), 0);
        *(struct mito_context **)mito_message_tag(m) = child;
    }
    for (int i = 0; i < WIDTH; i++) {
        uint32_t id = mito_context_id(children[i]);
        largest = id > largest ? id : largest;
        assert_true(tree_pid_of(children[i]) > 0);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(id, mito_context_id(children[j]));
        for (int j = 0; j < DEPTH; j++)
            assert_int_not_equal(id, mito_context_id(chain[j]));
    }
    assert_true(largest > 1000); /* of another block than the first */
    MITO_AUTO_CONTEXT later = tree_local(.via = children[WIDTH - 1]);
    assert_true(tree_pid_of(later) > 0);
    for (int i = 0; i < WIDTH; i++)
        mito_context_unref(children[i]);
    for (int i = 0; i < DEPTH; i++)
        mito_context_unref(chain[i]);
    assert_int_equal(tree_count_records(-1, "router", "refused"), 0);
}

/* --- no talk sideways -------------------------------------------------------------------------
 */

static void assert_may_not_talk(struct mito_context *from, struct mito_context *to)
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = box_of(to);
    int64_t code;
    char *text;

    assert_int_equal(mito_call(from, &ask_in_vain, "tr", tx, rx, "is", &code, &text), 0);
    assert_string_equal(mito_error_name((int)code), "dead");
    if (strstr(text, "unidirectional") == NULL)
        fail_msg("%s", text);
    free(text);
}

static void assert_may_talk(struct mito_context *from, struct mito_context *to)
{
    struct mito_value *list;
    int64_t id;
    MITO_AUTO_SENDER tx = box_of(to);

    assert_int_equal(mito_call(from, &post, "ti", tx, 1, ""), 0);
    assert_int_equal(mito_call(to, &collect, "i", 1, "v", &list), 0);
    assert_int_equal(mito_value_int(mito_value_item(list, 0), &id), 0);
    assert_int_equal(id, mito_context_id(from));
    mito_value_free(list);
}

static void test_unidirectional_tree(void **state)
{
    (void)state;
    tree_reopen(&(struct mito_router_options){.unidirectional = true});
    MITO_AUTO_CONTEXT a = tree_local();
    MITO_AUTO_CONTEXT b = tree_local();
    MITO_AUTO_CONTEXT below_a = tree_local(.via = a);
    MITO_AUTO_CONTEXT beside = tree_local(.via = a);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_may_not_talk(a, b);
    assert_may_not_talk(below_a, b);
    assert_may_not_talk(b, below_a);
    assert_may_not_talk(below_a, beside);
    assert_may_talk(a, below_a);
    assert_may_talk(below_a, a);
    assert_int_equal(mito_call(below_a, &post, "ri", rx, 5, ""), 0);
    mito_message_free(tree_receive(rx)); /* the master hears everyone */
    assert_non_null(tree_record(0, "router", "unidirectional mode", PATIENCE));
    assert_non_null(tree_record(mito_context_id(a), "router", "unidirectional mode", PATIENCE));
}

static void test_unidirectional_subtree(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT top = tree_local();
    MITO_AUTO_CONTEXT a = tree_local(.via = top, .unidirectional = true);
    MITO_AUTO_CONTEXT b = tree_local(.via = top);
    MITO_AUTO_CONTEXT below_a = tree_local(.via = a);
    MITO_AUTO_CONTEXT beside = tree_local(.via = a);
    MITO_AUTO_CONTEXT other = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_may_not_talk(below_a, beside);
    assert_may_not_talk(a, b);
    assert_may_not_talk(b, a);
    assert_may_not_talk(below_a, b);
    assert_may_not_talk(a, other);
    assert_may_not_talk(other, below_a);
    assert_may_talk(b, other);
    assert_may_talk(top, other);
    assert_may_talk(a, top);
    assert_may_talk(top, below_a);
    assert_int_equal(mito_call(below_a, &post, "ri", rx, 5, ""), 0);
    mito_message_free(tree_receive(rx));
}

/* --- the end of a context, as others see it ---------------------------------------------------
 */

/* Who talked to a context is told when it goes, however far away it is. */
static void test_siblings_are_told(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT a = tree_local();
    MITO_AUTO_CONTEXT asker = tree_local(.via = a);
    MITO_AUTO_CONTEXT b = tree_local();
    MITO_AUTO_CONTEXT dying = tree_local(.via = b);
    MITO_AUTO_CONTEXT stranger = tree_local();
    MITO_AUTO_SENDER tx = box_of(dying);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER asking = mito_receiver_new(tree);
    pid_t pid = tree_pid_of(dying);
    char *text, id[16];
    int64_t code;

    snprintf(id, sizeof id, "%u", mito_context_id(dying));
    assert_int_equal(mito_call_async(asker, &ask_in_vain, answers, NULL, "tr", tx, asking), 0);
    mito_message_free(tree_receive(asking));
    sleep_ms(50); /* let the request arrive: it is to be lost in the box, not on its way */
    int64_t before = now_ms();
    kill(pid, SIGKILL);
    struct mito_message *m = tree_receive(answers);
    assert_in_range(now_ms() - before, 0, 1000 * SLOWNESS);
    const char *why;
    assert_int_equal(mito_message_read(m, "is", &code, &why), 0);
    assert_string_equal(mito_error_name((int)code), "dead");
    assert_non_null(strstr(why, id));
    mito_message_free(m);
    /* It knows now; who never asked learns it when asking. */
    assert_int_equal(mito_call(asker, &ask_in_vain, "tr", tx, asking, "is", &code, &text), 0);
    assert_string_equal(mito_error_name((int)code), "dead");
    assert_non_null(strstr(text, id));
    free(text);
    assert_int_equal(mito_call(stranger, &ask_in_vain, "tr", tx, asking, "is", &code, &text), 0);
    assert_string_equal(mito_error_name((int)code), "dead");
    assert_non_null(strstr(text, id));
    free(text);
    assert_int_equal(mito_call(b, &pid_of, "c", dying, "v", NULL), -1);
    assert_error(MITO_E_DEAD, id);
}

/* Both below the same parent, which is told and tells. */
static void test_a_sibling_beside_is_told(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT asker = tree_local();
    MITO_AUTO_CONTEXT dying = tree_local();
    MITO_AUTO_SENDER tx = box_of(dying);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER asking = mito_receiver_new(tree);
    char id[16];
    int64_t code;
    const char *why;

    snprintf(id, sizeof id, "%u", mito_context_id(dying));
    assert_int_equal(mito_call_async(asker, &ask_in_vain, answers, NULL, "tr", tx, asking), 0);
    mito_message_free(tree_receive(asking));
    sleep_ms(50); /* as above */
    assert_int_equal(mito_context_shutdown(dying, PATIENCE), 0);
    MITO_AUTO_MESSAGE m = tree_receive(answers);
    assert_int_equal(mito_message_read(m, "is", &code, &why), 0);
    assert_string_equal(mito_error_name((int)code), "dead");
    assert_non_null(strstr(why, id));
}

/* The id of a context that is gone leads nowhere, even though others are started meanwhile. */
static void test_ids_are_not_used_again(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT first = tree_local();

    assert_int_equal(mito_context_shutdown(first, PATIENCE), 0);
    MITO_AUTO_CONTEXT second = tree_local();
    assert_int_not_equal(mito_context_id(first), mito_context_id(second));
    assert_string_not_equal(mito_context_name(first), mito_context_name(second));
    assert_int_equal(mito_call(first, &tree_pid, "", "v", NULL), -1);
    assert_error(MITO_E_DEAD, mito_context_name(first));
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_ten_deep),
        TREE_TEST(test_any_to_any),
        TREE_TEST(test_contexts_as_values),
        TREE_TEST(test_unknown_contexts),
        TREE_TEST(test_ids_are_asked_for),
        TREE_TEST(test_unidirectional_tree),
        TREE_TEST(test_unidirectional_subtree),
        TREE_TEST(test_siblings_are_told),
        TREE_TEST(test_a_sibling_beside_is_told),
        TREE_TEST(test_ids_are_not_used_again),
    };
    return cmocka_run_group_tests_name("routing", tests, NULL, NULL);
}
