/* Buffers: growth, formatting, consuming, and what happens when there is no memory. */
#include "cmocka_all.h"

#include "base/buf.h"
#include "base/err.h"

static void test_empty(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    assert_int_equal(buf_str(&b, ""), 0);
    assert_int_equal(buf_reserve(&b, 0), 0);
    buf_consume(&b, 0);
    buf_consume(&b, 10);
    assert_int_equal(b.length, 0);
    assert_null(b.data);
    buf_free(&b);
    buf_free(&b);
}

static void test_append(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    for (int i = 0; i < 5000; i++)
        assert_int_equal(buf_byte(&b, (uint8_t)i), 0);
    assert_int_equal(buf_str(&b, "text"), 0);
    assert_int_equal(buf_append(&b, "a\0b", 3), 0);
    assert_int_equal(b.length, 5007);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(b.data[i], (uint8_t)i);
    assert_memory_equal(b.data + 5000, "texta\0b", 7);
    assert_true(b.capacity < 4 * b.length);
}

static void test_reserve(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    assert_int_equal(buf_reserve(&b, 1000), 0);
    assert_true(b.capacity >= 1000);
    uint8_t *data = b.data;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_byte(&b, 'x'), 0);
    assert_ptr_equal(b.data, data); /* the room was there */
}

static void test_printf(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    char large[3000];
    memset(large, 'z', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(buf_printf(&b, "%s", ""), 0);
    assert_int_equal(b.length, 0);
    assert_int_equal(buf_printf(&b, "%d-%s;", 42, "x"), 0);
    assert_int_equal(buf_printf(&b, "%s", large), 0);
    assert_int_equal(b.length, 5 + 2999);
    assert_memory_equal(b.data, "42-x;zzz", 8);
    assert_int_equal(b.data[b.length - 1], 'z');
    /* Every alignment of the text with the end of the room. */
    for (int i = 0; i < 300; i++) {
        size_t before = b.length;
        assert_int_equal(buf_printf(&b, "%0*d", i % 70 + 1, 7), 0);
        assert_int_equal(b.length, before + (size_t)(i % 70) + 1);
        assert_int_equal(b.data[b.length - 1], '7');
    }
}

static void test_consume(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    buf_str(&b, "hello world");
    buf_consume(&b, 6);
    assert_int_equal(b.length, 5);
    assert_memory_equal(b.data, "world", 5);
    buf_str(&b, "!");
    assert_memory_equal(b.data, "world!", 6);
    buf_consume(&b, 6);
    assert_int_equal(b.length, 0);
    buf_str(&b, "x");
    buf_consume(&b, 100); /* all that is there */
    assert_int_equal(b.length, 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 4 + 1};
    buf_str(&b, "kept");
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        error_set(MITO_OK, "none");
        assert_int_equal(buf_reserve(&b, sizes[i]), -1);
        assert_int_equal(mito_error_code(), MITO_E_NOMEM);
        assert_int_equal(buf_append(&b, "", sizes[i]), -1);
        assert_int_equal(b.length, 4);
        assert_memory_equal(b.data, "kept", 4);
    }
}

static void test_emptied(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_str(&b, "x");
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.length, 0);
    assert_int_equal(b.capacity, 0);
    assert_int_equal(buf_str(&b, "usable again"), 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),   cmocka_unit_test(test_append),
        cmocka_unit_test(test_reserve), cmocka_unit_test(test_printf),
        cmocka_unit_test(test_consume), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_emptied),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
