/* The frame header, byte for byte. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "base/err.h"
#include "wire/frame.h"

static const struct frame example = {
    .magic = FRAME_LEGACY,
    .dst_id = 1,
    .src_id = 0x01020304,
    .auth_id = 0xfffefdfc,
    .handle = HANDLE_CALL_FUNCTION,
    .reply_to = 1000,
    .length = 0x80000001,
};
static const uint8_t example_bytes[FRAME_HEADER_SIZE] = {
    0x4d, 0x49,             /* magic */
    0x00, 0x00, 0x00, 0x01, /* dst_id */
    0x01, 0x02, 0x03, 0x04, /* src_id */
    0xff, 0xfe, 0xfd, 0xfc, /* auth_id */
    0x00, 0x00, 0x00, 0x65, /* handle */
    0x00, 0x00, 0x03, 0xe8, /* reply_to */
    0x80, 0x00, 0x00, 0x01, /* length */
};

static void test_encode(void **state)
{
    (void)state;
    uint8_t out[FRAME_HEADER_SIZE + 1];
    memset(out, 0x5a, sizeof(out));
    frame_encode(&example, out);
    assert_memory_equal(out, example_bytes, FRAME_HEADER_SIZE);
    assert_int_equal(out[FRAME_HEADER_SIZE], 0x5a);
}

static void test_decode(void **state)
{
    (void)state;
    struct frame f;
    memset(&f, 0x5a, sizeof(f));
    assert_int_equal(frame_decode(&f, example_bytes, FRAME_HEADER_SIZE, UINT32_MAX), 0);
    assert_int_equal(f.magic, example.magic);
    assert_int_equal(f.dst_id, example.dst_id);
    assert_int_equal(f.src_id, example.src_id);
    assert_int_equal(f.auth_id, example.auth_id);
    assert_int_equal(f.handle, example.handle);
    assert_int_equal(f.reply_to, example.reply_to);
    assert_int_equal(f.length, example.length);
}

static void test_limit(void **state)
{
    (void)state;
    struct frame f;
    assert_int_equal(frame_decode(&f, example_bytes, FRAME_HEADER_SIZE, 0x80000001), 0);
    assert_int_equal(frame_decode(&f, example_bytes, FRAME_HEADER_SIZE, 0x80000000), -1);
    assert_error(MITO_E_TOO_LARGE, "2147483649");
    assert_int_equal(frame_decode(&f, example_bytes, FRAME_HEADER_SIZE, 0), -1);
    assert_error(MITO_E_TOO_LARGE, "limit of 0");
}

static void test_every_magic(void **state)
{
    (void)state;
    uint8_t in[FRAME_HEADER_SIZE] = {0};
    struct frame f;
    for (int magic = 0; magic <= 0xffff; magic++) {
        in[0] = (uint8_t)(magic >> 8);
        in[1] = (uint8_t)magic;
        bool good = magic == 0x4d49 || magic == 0x4d4a || magic == 0x4d4b;
        assert_int_equal(frame_decode(&f, in, sizeof(in), 0), good ? 0 : -1);
        if (!good)
            assert_int_equal(mito_error_code(), MITO_E_MALFORMED);
    }
}

static void test_banner(void **state)
{
    (void)state;
    static const char banner[] =
        "Welcome to db1!\r\n\x1b[1mAuthorised users only\xff. Have a nice day";
    struct frame f;
    assert_int_equal(frame_decode(&f, (const uint8_t *)banner, sizeof(banner) - 1, 100), -1);
    assert_string_equal(mito_error(),
                        "not a Mitosis stream: starts with \"Welcome to db1!\\x0d\\x0a"
                        "\\x1b[1mAuthorised users only\\xff. Have a nice day\"");
    assert_int_equal(frame_decode(&f, (const uint8_t *)banner, FRAME_HEADER_SIZE, 100), -1);
    assert_string_equal(mito_error(),
                        "not a Mitosis stream: starts with \"Welcome to db1!\\x0d\\x0a"
                        "\\x1b[1mAutho\"");
}

static void test_long_banner(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    uint8_t *in = malloc(SIZE);
    struct frame f;
    assert_non_null(in);
    memset(in, 'x', SIZE);
    assert_int_equal(frame_decode(&f, in, SIZE, 100), -1);
    assert_error(MITO_E_MALFORMED, "xxx...\"");
    memset(in, 0xff, SIZE);
    assert_int_equal(frame_decode(&f, in, SIZE, 100), -1);
    assert_error(MITO_E_MALFORMED, "\\xff...\"");
    free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode), cmocka_unit_test(test_decode),
        cmocka_unit_test(test_limit),  cmocka_unit_test(test_every_magic),
        cmocka_unit_test(test_banner), cmocka_unit_test(test_long_banner),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
