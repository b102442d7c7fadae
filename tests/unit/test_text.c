/* Helpers for text: what is shown on terminals, what is put into names, numbers. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/text.h"

#define S(literal) (literal), sizeof(literal) - 1

static const struct {
    const char *in;
    size_t length;
    const char *out;
    bool utf8;
} escapes[] = {
    {S(""), "", true},
    {S("plain text\twith tab \\x41"), "plain text\twith tab \\x41", true},
    {S("line\nline\r"), "line\\x0aline\\x0d", true},
    {S("\0\x1b[31m\x7f"), "\\x00\\x1b[31m\\x7f", true},
    {S("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f"), "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f", true},
    /* C1 controls */
    {S("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"), "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f\xc2\xa0", true},
    {S("\x80\xbf\xc0\xaf\xc1\xbf"), "\\x80\\xbf\\xc0\\xaf\\xc1\\xbf", false},
    /* overlong */
    {S("\xe0\x80\xaf\xf0\x80\x80\xaf"), "\\xe0\\x80\\xaf\\xf0\\x80\\x80\\xaf", false},
    /* surrogates */
    {S("\xed\xa0\x80\xed\xbf\xbf"), "\\xed\\xa0\\x80\\xed\\xbf\\xbf", false},
    {S("\xf4\x8f\xbf\xbf\xf4\x90\x80\x80"), "\xf4\x8f\xbf\xbf\\xf4\\x90\\x80\\x80", false},
    {S("\xf8\x88\x80\x80\x80\xff"), "\\xf8\\x88\\x80\\x80\\x80\\xff", false},
    {S("a\xc3"), "a\\xc3", false}, /* cut inside a character */
    {S("a\xe2\x82"), "a\\xe2\\x82", false},
    {S("a\xf0\x9f\x90"), "a\\xf0\\x9f\\x90", false},
    {S("\xc3("), "\\xc3(", false},
};

static void test_escape(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(escapes); i++) {
        AUTO_BUF b = {0};
        char *exact = malloc(escapes[i].length + 1); /* so that reading past it is caught */
        assert_non_null(exact);
        memcpy(exact, escapes[i].in, escapes[i].length);
        exact = realloc(exact, escapes[i].length > 0 ? escapes[i].length : 1);
        buf_str(&b, ">");
        assert_int_equal(text_escape(&b, exact, escapes[i].length), 0);
        assert_int_equal(b.length, strlen(escapes[i].out) + 1);
        assert_memory_equal(b.data + 1, escapes[i].out, b.length - 1);
        free(exact);
    }
}

/* Every size of the array: cut at a place between characters and escapes, always terminated. */
static void test_escape_to(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(escapes); i++) {
        size_t need = strlen(escapes[i].out);
        assert_int_equal(text_escape_to(NULL, 0, escapes[i].in, escapes[i].length), need);
        size_t last = 0;
        for (size_t size = 1; size <= need + 2; size++) {
            char out[64];
            memset(out, '#', sizeof(out));
            assert_int_equal(text_escape_to(out, size, escapes[i].in, escapes[i].length), need);
            size_t got = strlen(out);
            assert_true(got < size && got >= last);
            assert_true(got + 4 >= size || got == need);
            assert_memory_equal(out, escapes[i].out, got);
            assert_true(text_is_utf8(out, got, false));
            /* What was left out does not start in the middle of an escape. */
            const char *slash = strrchr(out, '\\');
            if (slash != NULL && strstr(escapes[i].in, "\\x41") == NULL)
                assert_true(strlen(slash) >= 4);
            last = got;
        }
        assert_int_equal(last, need);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(escapes); i++)
        assert_int_equal(text_is_utf8(escapes[i].in, escapes[i].length, false), escapes[i].utf8);
    assert_true(text_is_utf8(S("\xed\xa0\x80\xed\xbf\xbf"), true));
    assert_true(text_is_utf8(S("\xed\x9f\xbf\xee\x80\x80"), false));
    assert_false(text_is_utf8(S("\xed\xa0"), true));
    assert_true(text_is_utf8(S("a\0b"), false));
    assert_true(text_is_utf8(NULL, 0, false));
}

static void test_cut(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9fz";
    static const size_t ends[] = {0, 1, 3, 6, 10, 11, 11};
    for (size_t max = 0; max < LENGTH(ends); max++)
        assert_int_equal(text_cut(text, sizeof(text) - 1, max), ends[max]);
    assert_int_equal(text_cut("", 0, 5), 0);
}

static void test_percent(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        AUTO_BUF b = {0};
        char text[] = {'a', (char)c, '%', 'z', '\0'};
        assert_int_equal(text_percent_encode(&b, text), 0);
        for (size_t i = 0; i < b.length; i++)
            assert_non_null(memchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "._:@/+-%",
                                   b.data[i], 70));
        assert_int_equal(buf_byte(&b, 0), 0);
        assert_true(text_percent_decode((char *)b.data));
        assert_string_equal((char *)b.data, text);
    }
    AUTO_BUF plain = {0};
    text_percent_encode(&plain, "root@db1:/srv/a_b+c-d.9");
    assert_int_equal(plain.length, strlen("root@db1:/srv/a_b+c-d.9"));
    AUTO_BUF coded = {0};
    text_percent_encode(&coded, "a b$");
    assert_int_equal(coded.length, 8);
    assert_memory_equal(coded.data, "a%20b%24", 8);
}

static void test_percent_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {"%", "a%", "%4", "%g1", "%1g", "%%41", "%00", "x%00y", "% 1"};
    for (size_t i = 0; i < LENGTH(bad); i++) {
        char *copy = strdup(bad[i]);
        assert_non_null(copy);
        assert_false(text_percent_decode(copy));
        free(copy);
    }
    char mixed[] = "%4a%4A%c3%A9";
    assert_true(text_percent_decode(mixed));
    assert_string_equal(mixed, "JJ\xc3\xa9");
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t max;
        bool good;
        uint32_t number;
    } rows[] = {
        {"0", UINT32_MAX, true, 0},
        {"7", 7, true, 7},
        {"8", 7, false, 0},
        {"007", 7, true, 7},
        {"4294967295", UINT32_MAX, true, UINT32_MAX},
        {"4294967296", UINT32_MAX, false, 0},
        {"18446744073709551616", UINT32_MAX, false, 0},
        {"99999999999999999999999999", UINT32_MAX, false, 0},
        {"", UINT32_MAX, false, 0},
        {"-1", UINT32_MAX, false, 0},
        {"+1", UINT32_MAX, false, 0},
        {" 1", UINT32_MAX, false, 0},
        {"1 ", UINT32_MAX, false, 0},
        {"0x1", UINT32_MAX, false, 0},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint32_t number = 77;
        assert_int_equal(text_to_u32(rows[i].text, strlen(rows[i].text), rows[i].max, &number),
                         rows[i].good);
        assert_int_equal(number, rows[i].good ? rows[i].number : 77);
    }
    uint32_t number;
    assert_true(text_to_u32("123:name", 3, 1000, &number)); /* the length counts */
    assert_int_equal(number, 123);
    assert_false(text_to_u32("1\0002", 3, 1000, &number));
}

static void test_levels(void **state)
{
    (void)state;
    static const char *const names[] = {"error", "warning", "info", "debug", "io"};
    for (int level = MITO_ERROR; level <= MITO_IO; level++) {
        assert_string_equal(text_level_name(level), names[level]);
        assert_int_equal(text_level_of(names[level]), level);
    }
    assert_string_equal(text_level_name(-1), "unknown");
    assert_string_equal(text_level_name(MITO_IO + 1), "unknown");
    assert_int_equal(text_level_of("unknown"), -1);
    assert_int_equal(text_level_of(""), -1);
    assert_int_equal(text_level_of("INFO"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),  cmocka_unit_test(test_escape_to),
        cmocka_unit_test(test_utf8),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_percent), cmocka_unit_test(test_percent_malformed),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
