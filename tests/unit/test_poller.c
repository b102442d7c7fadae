/* What is ready: reading, writing, hang-up, changes, removal, more than a batch. */
#include "cmocka_all.h"

#include <unistd.h>

#include "io/fd.h"
#include "io/poller.h"

static struct poller p;
static struct poller_event events[POLLER_BATCH];

static int open_poller(void **state)
{
    (void)state;
    return poller_open(&p);
}

static int close_poller(void **state)
{
    (void)state;
    poller_close(&p);
    return 0;
}

static int look(int timeout)
{
    assert_int_equal(poller_prepare(&p), 0);
    return poller_wait(&p, events, timeout);
}

static void expect(void *tag, int ready)
{
    assert_int_equal(look(60000), 1);
    assert_ptr_equal(events[0].tag, tag);
    assert_int_equal(events[0].ready, ready);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_int_equal(look(0), 0);
    assert_int_equal(look(20), 0);
}

static void test_in_and_out(void **state)
{
    (void)state;
    int pair[2], a;
    char c;
    assert_int_equal(fd_socketpair(pair, true), 0);
    assert_int_equal(poller_add(&p, pair[0], POLLER_IN, &a), 0);
    assert_int_equal(look(0), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    expect(&a, POLLER_IN);
    expect(&a, POLLER_IN); /* level-triggered */
    poller_change(&p, pair[0], POLLER_IN | POLLER_OUT, &a);
    expect(&a, POLLER_IN | POLLER_OUT);
    poller_change(&p, pair[0], POLLER_OUT, &a);
    expect(&a, POLLER_OUT);
    poller_change(&p, pair[0], POLLER_IN, &a);
    assert_int_equal(read(pair[0], &c, 1), 1);
    assert_int_equal(look(0), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    poller_change(&p, pair[0], 0, &a);
    assert_int_equal(look(0), 0);
    poller_change(&p, pair[0], POLLER_IN, &a);
    expect(&a, POLLER_IN);
    poller_remove(&p, pair[0]);
    assert_int_equal(look(0), 0);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

static void test_hangup(void **state)
{
    (void)state;
    int pair[2], a;
    assert_int_equal(fd_pipe(pair), 0);
    assert_int_equal(poller_add(&p, pair[0], POLLER_IN, &a), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    fd_close(&pair[1]);
    expect(&a, POLLER_IN | POLLER_HANGUP);
    char c;
    assert_int_equal(read(pair[0], &c, 1), 1);
    expect(&a, POLLER_HANGUP);
    poller_remove(&p, pair[0]);
    fd_close(&pair[0]);
    /* The other way round: nobody reads. */
    assert_int_equal(fd_pipe(pair), 0);
    assert_int_equal(poller_add(&p, pair[1], POLLER_OUT, &a), 0);
    fd_close(&pair[0]);
    assert_int_equal(look(60000), 1);
    assert_true(events[0].ready & POLLER_HANGUP);
    poller_remove(&p, pair[1]);
    fd_close(&pair[1]);
}

/* More descriptors than one batch: every one of them is named, over as many calls as it takes. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 3 * POLLER_BATCH };
    static int pairs[MANY][2];
    int seen[MANY] = {0};
    int left = MANY;

    for (int i = 0; i < MANY; i++) {
        assert_int_equal(fd_pipe(pairs[i]), 0);
        assert_int_equal(poller_add(&p, pairs[i][0], POLLER_IN, &seen[i]), 0);
        assert_int_equal(write(pairs[i][1], "x", 1), 1);
    }
    while (left > 0) {
        int n = look(60000);
        assert_in_range(n, 1, POLLER_BATCH);
        for (int i = 0; i < n; i++) {
            int *tag = events[i].tag;
            char c;
            assert_int_equal(events[i].ready, POLLER_IN);
            assert_int_equal(++*tag, 1);
            assert_int_equal(read(pairs[tag - seen][0], &c, 1), 1);
            left--;
        }
    }
    assert_int_equal(look(0), 0);
    /* Removed in an order that is neither the first's nor the last's; the others stay. */
    for (int i = 0; i < MANY; i += 2)
        poller_remove(&p, pairs[i][0]);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(write(pairs[i][1], "x", 1), 1);
    for (int i = 1; i < MANY; i += 2) {
        char c;
        assert_true(look(60000) > 0);
        int *tag = events[0].tag;
        assert_int_equal((tag - seen) % 2, 1);
        assert_int_equal(++*tag, 2);
        assert_int_equal(read(pairs[tag - seen][0], &c, 1), 1);
    }
    assert_int_equal(look(0), 0);
    for (int i = 0; i < MANY; i++) {
        poller_remove(&p, pairs[i][0]);
        fd_close(&pairs[i][0]);
        fd_close(&pairs[i][1]);
    }
}

/* A number that was removed, closed and given out again is the new one's. */
static void test_number_again(void **state)
{
    (void)state;
    int pair[2], a, b;
    assert_int_equal(fd_pipe(pair), 0);
    int number = pair[0];
    assert_int_equal(poller_add(&p, pair[0], POLLER_IN, &a), 0);
    poller_remove(&p, pair[0]);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    assert_int_equal(fd_pipe(pair), 0);
    assert_int_equal(pair[0], number);
    assert_int_equal(poller_add(&p, pair[0], POLLER_IN, &b), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    expect(&b, POLLER_IN);
    poller_remove(&p, pair[0]);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing, open_poller, close_poller),
        cmocka_unit_test_setup_teardown(test_in_and_out, open_poller, close_poller),
        cmocka_unit_test_setup_teardown(test_hangup, open_poller, close_poller),
        cmocka_unit_test_setup_teardown(test_many, open_poller, close_poller),
        cmocka_unit_test_setup_teardown(test_number_again, open_poller, close_poller),
    };
    return cmocka_run_group_tests_name("poller", tests, NULL, NULL);
}
