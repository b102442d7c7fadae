/* Monotonic time and deadlines. */
#include "cmocka_all.h"

#include <limits.h>
#include <unistd.h>

#include "base/clock.h"

static void test_moves_on(void **state)
{
    (void)state;
    int64_t ns = clock_ns(), ms = clock_ms();
    assert_true(ms >= ns / 1000000);
    usleep(20000);
    assert_true(clock_ns() - ns >= 20000000);
    assert_true(clock_ms() - ms >= 19);
}

static void test_deadlines(void **state)
{
    (void)state;
    assert_true(clock_deadline(-1) == INT64_MAX);
    assert_true(clock_deadline(MITO_FOREVER) == INT64_MAX);
    assert_int_equal(clock_left(INT64_MAX), -1);
    int64_t before = clock_ms(), deadline = clock_deadline(60000);
    assert_true(deadline >= before + 60000 && deadline <= clock_ms() + 60000);
    assert_in_range(clock_left(deadline), 1, 60000);
    assert_int_equal(clock_left(clock_deadline(0)), 0);
    assert_int_equal(clock_left(before - 5000), 0);
    assert_int_equal(clock_left(0), 0);
    assert_int_equal(clock_left(INT64_MAX - 1), INT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves_on),
        cmocka_unit_test(test_deadlines),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
