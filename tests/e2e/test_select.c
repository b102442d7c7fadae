/* Select: waiting on many receivers, and on selects, at once. */
#include "tree.h"

#include <poll.h>
#include <stdlib.h>

MITO_FUNCTION(send_numbers)
{
    MITO_AUTO_SENDER to = NULL;
    int64_t count;

    if (mito_args(call, "ti", &to, &count) < 0)
        return -1;
    for (int64_t i = 0; i < count; i++) {
        if (mito_send(to, "i", i) < 0)
            return -1;
    }
    return mito_sender_close(to);
}

static void send_to(struct mito_receiver *rx, int number)
{
    MITO_AUTO_SENDER tx = mito_sender_to(rx);

    assert_int_equal(mito_send(tx, "i", number), 0);
}

static int64_t take(struct mito_receiver *rx)
{
    int64_t number = -1;
    MITO_AUTO_MESSAGE m = mito_receive(rx, 0); /* what was selected does not block */

    if (m == NULL || mito_message_read(m, "i", &number) < 0)
        fail_msg("%s", mito_error());
    return number;
}

static void assert_nothing(struct mito_select *select)
{
    assert_null(mito_select_wait(select, 0));
    assert_error(MITO_E_TIMEOUT, "");
}

static void test_many_senders(void **state)
{
    (void)state;
    enum { COUNT = 3, NUMBERS = 200 };
    struct mito_select *select = mito_select_new(tree);
    struct mito_context *children[COUNT];
    struct mito_receiver *rx[COUNT], *ready;
    int64_t next[COUNT] = {0};
    int left = COUNT;

    for (int i = 0; i < COUNT; i++) {
        children[i] = tree_local();
        rx[i] = mito_receiver_new(tree);
        assert_int_equal(mito_select_add(select, rx[i]), 0);
    }
    assert_nothing(select);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(mito_call_no_reply(children[i], &send_numbers, "ri", rx[i], NUMBERS), 0);
    while (left > 0) {
        ready = mito_select_wait(select, PATIENCE);
        assert_non_null(ready);
        int i = ready == rx[0] ? 0 : ready == rx[1] ? 1 : 2;
        assert_ptr_equal(ready, rx[i]);
        if (next[i] < NUMBERS) {
            assert_int_equal(take(ready), next[i]++);
        } else { /* its end is told as well */
            assert_null(mito_receive(ready, 0));
            assert_error(MITO_E_CLOSED, "");
            assert_int_equal(mito_select_remove(select, ready), 0);
            left--;
        }
    }
    assert_null(mito_select_wait(select, MITO_FOREVER)); /* rather than for ever */
    assert_error(MITO_E_INVALID, "");
    mito_select_free(select);
    for (int i = 0; i < COUNT; i++) {
        mito_receiver_free(rx[i]);
        mito_context_unref(children[i]);
    }
}

static void test_fairness(void **state)
{
    (void)state;
    enum { COUNT = 4, EACH = 30 };
    struct mito_select *select = mito_select_new(tree);
    struct mito_receiver *rx[COUNT];
    int taken[COUNT] = {0};

    for (int i = 0; i < COUNT; i++) {
        rx[i] = mito_receiver_new(tree);
        for (int j = 0; j < EACH; j++)
            send_to(rx[i], j);
        assert_int_equal(mito_select_add(select, rx[i]), 0); /* ready already */
    }
    for (int n = 0; n < COUNT * EACH; n++) {
        struct mito_receiver *ready = mito_select_wait(select, 0);
        int least = EACH, i = 0;
        while (i < COUNT && rx[i] != ready)
            i++;
        assert_in_range(i, 0, COUNT - 1);
        assert_int_equal(take(ready), taken[i]++);
        for (int j = 0; j < COUNT; j++)
            least = taken[j] < least ? taken[j] : least;
        assert_in_range(taken[i] - least, 0, 1); /* nobody twice before everyone once */
    }
    assert_nothing(select);
    mito_select_free(select);
    for (int i = 0; i < COUNT; i++)
        mito_receiver_free(rx[i]);
}

/* A receiver that is told of and not received from is told of again. */
static void test_selecting_takes_nothing(void **state)
{
    (void)state;
    struct mito_select *select = mito_select_new(tree);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_int_equal(mito_select_add(select, rx), 0);
    send_to(rx, 1);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(mito_select_wait(select, 0), rx);
    assert_int_equal(take(rx), 1); /* not by way of the select */
    assert_nothing(select);
    send_to(rx, 2);
    assert_ptr_equal(mito_select_wait(select, 0), rx);
    assert_int_equal(take(rx), 2);
    mito_select_free(select);
    send_to(rx, 3); /* it lives without one */
    assert_int_equal(take(rx), 3);
}

static void test_timeouts(void **state)
{
    (void)state;
    struct mito_select *select = mito_select_new(tree);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_null(mito_select_wait(select, 0));
    assert_error(MITO_E_INVALID, "nothing");
    assert_int_equal(mito_select_add(select, rx), 0);
    int64_t before = now_ms();
    assert_null(mito_select_wait(select, 120));
    assert_error(MITO_E_TIMEOUT, "");
    assert_in_range(now_ms() - before, 119, 5000);
    mito_select_free(select);
    mito_select_free(NULL);
}

static void test_selects_in_selects(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_select *outer = mito_select_new(tree), *middle = mito_select_new(tree);
    struct mito_select *inner = mito_select_new(tree);
    MITO_AUTO_RECEIVER a = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER b = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER c = mito_receiver_new(tree);

    send_to(c, 30);
    assert_int_equal(mito_select_add(outer, a), 0);
    assert_int_equal(mito_select_add(middle, b), 0);
    assert_int_equal(mito_select_add(inner, c), 0);
    assert_int_equal(mito_select_add_select(middle, inner), 0);
    assert_int_equal(mito_select_add_select(outer, middle), 0);
    assert_ptr_equal(mito_select_wait(outer, 0), c);
    assert_int_equal(take(c), 30);
    assert_nothing(outer);
    assert_int_equal(mito_call_no_reply(child, &send_numbers, "ri", c, 1), 0);
    assert_ptr_equal(mito_select_wait(outer, PATIENCE), c);
    assert_int_equal(take(c), 0);
    assert_ptr_equal(mito_select_wait(outer, PATIENCE), c); /* its end */
    assert_int_equal(mito_select_remove(inner, c), 0);
    assert_nothing(outer);
    send_to(a, 1);
    send_to(b, 2);
    struct mito_receiver *first = mito_select_wait(outer, 0);
    struct mito_receiver *second = mito_select_wait(outer, 0);
    assert_true(first == a ? second == b : first == b && second == a);
    assert_int_equal(mito_select_remove_select(outer, middle), 0);
    assert_ptr_equal(mito_select_wait(outer, 0), a);
    assert_int_equal(take(a), 1);
    assert_nothing(outer);
    assert_ptr_equal(mito_select_wait(middle, 0), b); /* on its own again */
    mito_select_free(outer);
    mito_select_free(inner); /* out of the one around it */
    assert_ptr_equal(mito_select_wait(middle, 0), b);
    mito_select_free(middle);
}

static void test_misuse(void **state)
{
    (void)state;
    struct mito_select *a = mito_select_new(tree), *b = mito_select_new(tree);
    struct mito_select *c = mito_select_new(tree);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_int_equal(mito_select_add(a, rx), 0);
    assert_int_equal(mito_select_add(a, rx), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_select_add(b, rx), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_select_remove(b, rx), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_select_add_select(a, a), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_select_add_select(a, b), 0);
    assert_int_equal(mito_select_add_select(c, b), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_select_add_select(b, c), 0);
    assert_int_equal(mito_select_add_select(c, a), -1); /* a ring of three */
    assert_error(MITO_E_INVALID, "itself");
    assert_int_equal(mito_select_remove_select(c, b), -1);
    assert_error(MITO_E_INVALID, "");
    mito_select_free(a);
    mito_select_free(b);
    mito_select_free(c);
}

/* A receiver that is freed is in no select any more. */
static void test_freed_members(void **state)
{
    (void)state;
    struct mito_select *outer = mito_select_new(tree), *inner = mito_select_new(tree);
    struct mito_receiver *a = mito_receiver_new(tree), *b = mito_receiver_new(tree);

    assert_int_equal(mito_select_add(inner, a), 0);
    assert_int_equal(mito_select_add(inner, b), 0);
    assert_int_equal(mito_select_add_select(outer, inner), 0);
    send_to(a, 1);
    assert_ptr_equal(mito_select_wait(outer, 0), a);
    mito_receiver_free(a);
    assert_nothing(outer);
    assert_nothing(inner);
    send_to(b, 2);
    assert_ptr_equal(mito_select_wait(outer, 0), b);
    mito_receiver_free(b);
    mito_select_free(inner);
    mito_select_free(outer);
}

static bool is_readable(int fd, int timeout)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_in_range(poll(&p, 1, timeout), 0, 1);
    return p.revents & POLLIN;
}

static void test_descriptor(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_select *outer = mito_select_new(tree), *inner = mito_select_new(tree);
    MITO_AUTO_RECEIVER a = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER b = mito_receiver_new(tree);

    send_to(b, 1);
    assert_int_equal(mito_select_add(outer, a), 0);
    assert_int_equal(mito_select_add(inner, b), 0);
    assert_int_equal(mito_select_add_select(outer, inner), 0);
    int fd = mito_select_fd(outer);
    assert_true(fd >= 0);
    assert_int_equal(mito_select_fd(outer), fd);
    assert_true(is_readable(fd, 0)); /* ready before it was asked for */
    assert_int_equal(take(b), 1);
    assert_false(is_readable(fd, 0));
    send_to(a, 2);
    send_to(b, 3);
    assert_true(is_readable(fd, 0));
    assert_int_equal(take(a), 2);
    assert_true(is_readable(fd, 0)); /* there is still the other one */
    assert_int_equal(take(b), 3);
    assert_false(is_readable(fd, 0));
    assert_int_equal(mito_call_no_reply(child, &send_numbers, "ri", b, 2), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(is_readable(fd, PATIENCE));
        assert_ptr_equal(mito_select_wait(outer, 0), b);
        assert_int_equal(take(b), i);
    }
    assert_true(is_readable(fd, PATIENCE)); /* the end */
    assert_int_equal(mito_select_remove(inner, b), 0);
    assert_false(is_readable(fd, 0));
    mito_select_free(inner);
    mito_select_free(outer);
}

/* Several threads at one select: each message is received once, by one of them. */
enum { RECEIVERS = 5, NUMBERS = 600 };

struct shared {
    struct mito_select *select;
    unsigned char seen[RECEIVERS][NUMBERS];
    struct mito_receiver *rx[RECEIVERS];
    int ended;
};

static void *receive_from_select(void *arg)
{
    struct shared *s = arg;
    struct mito_receiver *rx;
    int64_t number;

    while ((rx = mito_select_wait(s->select, MITO_FOREVER)) != NULL) {
        int i = 0;
        while (s->rx[i] != rx)
            i++;
        struct mito_message *m = mito_receive(rx, 0);
        if (m != NULL && mito_message_read(m, "i", &number) == 0)
            __atomic_add_fetch(&s->seen[i][number], 1, __ATOMIC_RELAXED);
        else if (m == NULL && mito_error_code() == MITO_E_CLOSED)
            mito_select_remove(s->select, rx);
        mito_message_free(m);
    }
    if (mito_error_code() == MITO_E_INVALID) /* nothing is left in it */
        __atomic_add_fetch(&s->ended, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void test_several_threads(void **state)
{
    (void)state;
    static struct shared s;
    pthread_t threads[3];
    struct mito_context *children[RECEIVERS];

    s = (struct shared){.select = mito_select_new(tree)};
    for (int i = 0; i < RECEIVERS; i++) {
        children[i] = tree_local();
        s.rx[i] = mito_receiver_new(tree);
        assert_int_equal(mito_select_add(s.select, s.rx[i]), 0);
    }
    for (size_t i = 0; i < LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, receive_from_select, &s), 0);
    for (int i = 0; i < RECEIVERS; i++)
        assert_int_equal(mito_call_no_reply(children[i], &send_numbers, "ri", s.rx[i], NUMBERS), 0);
    for (size_t i = 0; i < LENGTH(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(s.ended, LENGTH(threads));
    for (int i = 0; i < RECEIVERS; i++) {
        for (int j = 0; j < NUMBERS; j++)
            assert_int_equal(s.seen[i][j], 1);
        mito_receiver_free(s.rx[i]);
        mito_context_unref(children[i]);
    }
    mito_select_free(s.select);
}

/* Answers of calls and connections are selected like messages. */
static void test_answers(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_select *select = mito_select_new(tree);
    MITO_AUTO_RECEIVER calls = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER contexts = mito_receiver_new(tree);
    int tag;

    assert_int_equal(mito_select_add(select, calls), 0);
    assert_int_equal(mito_select_add(select, contexts), 0);
    assert_int_equal(mito_call_async(child, &tree_pid, calls, &tag, ""), 0);
    assert_ptr_equal(mito_select_wait(select, PATIENCE), calls);
    struct mito_message *m = tree_receive(calls);
    assert_ptr_equal(mito_message_tag(m), &tag);
    assert_int_equal(mito_message_read(m, "i", NULL), 0);
    mito_message_free(m);
    assert_int_equal(mito_local_async(tree, contexts, &tag), 0);
    assert_ptr_equal(mito_select_wait(select, PATIENCE), contexts);
    m = tree_receive(contexts);
    MITO_AUTO_CONTEXT up = NULL;
    assert_int_equal(mito_message_read(m, "c", &up), 0);
    assert_ptr_equal(mito_message_tag(m), &tag);
    mito_message_free(m);
    assert_int_equal(mito_call_async(up, &tree_spin, calls, &tag, ""), 0);
    assert_int_equal(mito_context_shutdown(up, PATIENCE), 0);
    assert_ptr_equal(mito_select_wait(select, PATIENCE), calls); /* a failure is an answer too */
    m = tree_receive(calls);
    assert_int_equal(mito_message_read(m, ""), -1);
    assert_error(MITO_E_DEAD, mito_context_name(up));
    mito_message_free(m);
    mito_select_free(select);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_many_senders),
        TREE_TEST(test_fairness),
        TREE_TEST(test_selecting_takes_nothing),
        TREE_TEST(test_timeouts),
        TREE_TEST(test_selects_in_selects),
        TREE_TEST(test_misuse),
        TREE_TEST(test_freed_members),
        TREE_TEST(test_descriptor),
        TREE_TEST(test_several_threads),
        TREE_TEST(test_answers),
    };
    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
