/* Large blocks: rounded, kept for the next one, bounded, released. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "base/block.h"

enum { KB = 1024, MB = 1024 * 1024 };

static int release(void **state)
{
    (void)state;
    block_release_kept();
    return 0;
}

static void test_small(void **state)
{
    (void)state;
    size_t size = 100;
    void *block = block_new(&size);
    assert_non_null(block);
    assert_int_equal(size, 100);
    block_free(block, size);
    assert_false(block_any_kept());
    block_free(NULL, 0);
    block_free(NULL, MB);
    assert_false(block_any_kept());
}

static void test_kept(void **state)
{
    (void)state;
    size_t size = 100 * KB, again = 70 * KB, other = 300 * KB;
    void *block = block_new(&size);
    assert_non_null(block);
    assert_int_equal(size, 128 * KB);
    memset(block, 'x', size); /* all of it is there */
    uintptr_t where = (uintptr_t)block;
    block_free(block, size);
    assert_true(block_any_kept());
    void *not_it = block_new(&other);
    assert_int_equal(other, 512 * KB);
    assert_true((uintptr_t)not_it != where);
    block = block_new(&again);
    assert_int_equal(again, 128 * KB);
    assert_true((uintptr_t)block == where);
    assert_false(block_any_kept());
    memset(block, 'y', again);
    block_free(not_it, other);
    block_free(block, again);
    block_release_kept();
    assert_false(block_any_kept());
}

static void test_too_large_to_keep(void **state)
{
    (void)state;
    size_t size = 4 * MB + 1;
    void *block = block_new(&size);
    assert_non_null(block);
    assert_int_equal(size, 4 * MB + 1);
    block_free(block, size);
    assert_false(block_any_kept());
}

/* How many of `count` blocks of that size, freed together, come back from the kept ones: they can
 * be counted, for once there are none left nothing is kept any more. */
static int kept_of(int count, size_t size)
{
    void *blocks[20];
    int used = 0;

    for (int i = 0; i < count; i++)
        assert_non_null(blocks[i] = block_new(&size));
    for (int i = 0; i < count; i++)
        block_free(blocks[i], size);
    while (block_any_kept())
        assert_non_null(blocks[used++] = block_new(&size));
    for (int i = 0; i < used; i++)
        free(blocks[i]);
    return used;
}

static void test_bounded(void **state)
{
    (void)state;
    assert_int_equal(kept_of(20, 64 * KB), 8);
    assert_int_equal(kept_of(20, MB), 8);
    assert_int_equal(kept_of(10, 2 * MB), 4);
    assert_int_equal(kept_of(5, 4 * MB), 2);
}

static void check_resize(size_t from, size_t to)
{
    size_t size = from, new_size = to;
    uint8_t *block = block_new(&size), *moved;
    size_t used = from < to ? from : to;

    assert_non_null(block);
    for (size_t i = 0; i < used; i++)
        block[i] = (uint8_t)(i % 251);
    moved = block_resize(block, size, used, &new_size);
    assert_non_null(moved);
    assert_true(new_size >= to);
    for (size_t i = 0; i < used; i++) {
        if (moved[i] != i % 251)
            fail_msg("%zu to %zu: byte %zu is lost", from, to, i);
    }
    memset(moved, 'z', new_size);
    block_free(moved, new_size);
}

static void test_resize(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 64 * KB - 1, 64 * KB,    64 * KB + 1,
                                   MB, 4 * MB,      4 * MB + 1, 9 * MB};
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        for (size_t j = 0; j < LENGTH(sizes); j++)
            check_resize(sizes[i], sizes[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_small, release),
        cmocka_unit_test_teardown(test_kept, release),
        cmocka_unit_test_teardown(test_too_large_to_keep, release),
        cmocka_unit_test_teardown(test_bounded, release),
        cmocka_unit_test_teardown(test_resize, release),
    };
    return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
