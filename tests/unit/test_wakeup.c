/* Wake-ups: raised, raised again, cleared, and raised by another thread. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "io/wakeup.h"

static int readable(const struct wakeup *w, int timeout)
{
    struct pollfd p = {.fd = w->read_fd, .events = POLLIN};

    return poll(&p, 1, timeout);
}

static void test_raise_and_clear(void **state)
{
    (void)state;
    struct wakeup w = WAKEUP_NONE;
    assert_int_equal(wakeup_open(&w), 0);
    assert_true(w.read_fd > 2 && w.write_fd > 2);
    assert_true(fcntl(w.read_fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(w.write_fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(readable(&w, 0), 0);
    wakeup_clear(&w); /* does not block on one that is not raised */
    wakeup_raise(&w);
    assert_int_equal(readable(&w, 0), 1);
    assert_int_equal(readable(&w, 0), 1); /* until it is cleared */
    wakeup_clear(&w);
    assert_int_equal(readable(&w, 0), 0);
    wakeup_close(&w);
    assert_int_equal(w.read_fd, -1);
    assert_int_equal(w.write_fd, -1);
    wakeup_close(&w);
}

static void test_raise_often(void **state)
{
    (void)state;
    struct wakeup w;
    assert_int_equal(wakeup_open(&w), 0);
    for (int i = 0; i < 100000; i++)
        wakeup_raise(&w); /* more than a pipe would hold */
    wakeup_clear(&w);
    assert_int_equal(readable(&w, 0), 0);
    wakeup_raise(&w);
    assert_int_equal(readable(&w, 0), 1);
    wakeup_close(&w);
}

static void *raiser(void *arg)
{
    poll(NULL, 0, 50);
    wakeup_raise(arg);
    return NULL;
}

static void test_other_thread(void **state)
{
    (void)state;
    struct wakeup w;
    pthread_t t;
    assert_int_equal(wakeup_open(&w), 0);
    assert_int_equal(pthread_create(&t, NULL, raiser, &w), 0);
    assert_int_equal(readable(&w, 60000), 1);
    pthread_join(t, NULL);
    wakeup_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raise_and_clear),
        cmocka_unit_test(test_raise_often),
        cmocka_unit_test(test_other_thread),
    };
    return cmocka_run_group_tests_name("wakeup", tests, NULL, NULL);
}
