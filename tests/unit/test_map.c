/* Maps: against a plain array, under churn, and with keys that a peer chose. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/map.h"

static void *thing(uint32_t n)
{
    return (void *)(uintptr_t)(n + 1);
}

static void test_empty(void **state)
{
    (void)state;
    struct map m = {0};
    size_t at = 0;
    assert_null(map_get(&m, 0));
    assert_null(map_remove(&m, 5));
    assert_null(map_next(&m, &at));
    map_free(&m);
    map_free(&m);
}

static void test_set(void **state)
{
    (void)state;
    struct map m = {0};
    static const uint32_t keys[] = {0, 1, 1000, 0x80000000u, UINT32_MAX};
    for (uint32_t i = 0; i < LENGTH(keys); i++)
        assert_int_equal(map_set(&m, keys[i], thing(i)), 0);
    assert_int_equal(m.count, LENGTH(keys));
    for (uint32_t i = 0; i < LENGTH(keys); i++)
        assert_ptr_equal(map_get(&m, keys[i]), thing(i));
    assert_null(map_get(&m, 2));
    assert_int_equal(map_set(&m, 1000, thing(99)), 0); /* replaces */
    assert_int_equal(m.count, LENGTH(keys));
    assert_ptr_equal(map_get(&m, 1000), thing(99));
    assert_ptr_equal(map_remove(&m, 1000), thing(99));
    assert_null(map_remove(&m, 1000));
    assert_null(map_get(&m, 1000));
    assert_int_equal(m.count, LENGTH(keys) - 1);
    map_free(&m);
    assert_null(map_get(&m, 1));
}

enum { MODEL = 300 };

static void compare(const struct map *m, void *const model[MODEL])
{
    size_t count = 0, seen = 0, at = 0;
    for (uint32_t key = 0; key < MODEL; key++) {
        assert_ptr_equal(map_get(m, key * 7919), model[key]);
        count += model[key] != NULL;
    }
    assert_int_equal(m->count, count);
    for (struct map_slot *slot; (slot = map_next(m, &at)) != NULL; seen++)
        assert_ptr_equal(slot->value, model[slot->key / 7919]);
    assert_int_equal(seen, count);
}

static void test_against_model(void **state)
{
    (void)state;
    struct map m = {0};
    void *model[MODEL] = {0};
    unsigned random = 12345;
    for (uint32_t round = 0; round < 40000; round++) {
        random = random * 1103515245u + 12345;
        uint32_t key = (random >> 8) % MODEL;
        /* Waves: mostly filling, then mostly emptying. */
        if ((random >> 24) % 8 < (round / 2000 % 2 == 0 ? 6u : 2u)) {
            assert_int_equal(map_set(&m, key * 7919, thing(round)), 0);
            model[key] = thing(round);
        } else {
            assert_ptr_equal(map_remove(&m, key * 7919), model[key]);
            model[key] = NULL;
        }
        if (round % 500 == 0)
            compare(&m, model);
    }
    compare(&m, model);
    map_free(&m);
}

/* However long entries come and go, the map stays as small as what is in it. */
static void test_churn(void **state)
{
    (void)state;
    struct map m = {0};
    for (uint32_t key = 0; key < 500000; key++) {
        assert_int_equal(map_set(&m, key, thing(key)), 0);
        if (key >= 10)
            assert_ptr_equal(map_remove(&m, key - 10), thing(key - 10));
    }
    assert_int_equal(m.count, 10);
    assert_true(m.capacity <= 32);
    map_free(&m);
}

/* The longest stretch of slots without a free one: what a lookup costs at worst. */
static size_t longest_run(const struct map *m)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < 2 * m->capacity; i++) {
        run = m->slots[i % m->capacity].value != NULL ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void test_hostile_keys(void **state)
{
    (void)state;
    static const uint32_t strides[] = {1, 2, 1000, 1 << 8, 1 << 12, 1 << 16, 0x9e3779b9u, 0x10001};
    for (size_t s = 0; s < LENGTH(strides); s++) {
        struct map m = {0};
        for (uint32_t i = 0; i < 60000; i++)
            assert_int_equal(map_set(&m, i * strides[s] ^ i >> 16, thing(i)), 0);
        assert_true(m.count > 50000);
        assert_true(longest_run(&m) < 2000);
        map_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),         cmocka_unit_test(test_set),
        cmocka_unit_test(test_against_model), cmocka_unit_test(test_churn),
        cmocka_unit_test(test_hostile_keys),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
