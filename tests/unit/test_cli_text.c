/* Text that may be hostile: made printable, and as JSON. Also the picture of a tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../src/cli/bytes.c"
#include "../../src/cli/complaint.c"
#include "../../src/cli/json.c"
#include "../../src/cli/memory.c"
#include "../../src/cli/picture.c"
#include "../../src/cli/printable.c"

static void check_printable(const char *text, size_t length, bool utf8, const char *expected)
{
    struct bytes out = {0};
    printable_add(&out, text, length, utf8);
    char *got = bytes_take_text(&out);
    assert_string_equal(got, expected);
    free(got);
}
#define PRINTABLE(text, expected) check_printable(text, sizeof text - 1, true, expected)

static void test_printable(void **state)
{
    (void)state;
    PRINTABLE("", "");
    PRINTABLE("plain \t text", "plain \t text");
    PRINTABLE("\033]0;title\007x", "\\x1b]0;title\\x07x");
    PRINTABLE("a\nb\rc\177", "a\\x0ab\\x0dc\\x7f");
    PRINTABLE("\0", "\\x00");
    PRINTABLE("gr\xc3\xbc\xc3\x9f"
              "e \xe2\x82\xac \xf0\x9f\x98\x80",
              "gr\xc3\xbc\xc3\x9f"
              "e \xe2\x82\xac \xf0\x9f\x98\x80");
    PRINTABLE("\xc2\x9b"
              "31m",
              "\\xc2\\x9b31m"); /* CSI in one character */
    PRINTABLE("\xe2\x80\xae"
              "abc",
              "\\xe2\\x80\\xaeabc"); /* right-to-left override */
    PRINTABLE("\x9b"
              "31m",
              "\\x9b31m"); /* CSI in one byte */
    PRINTABLE("\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80",
              "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80");
    PRINTABLE("cut\xe2\x82", "cut\\xe2\\x82");
    check_printable("\xc3\xbc", 2, false, "\\xc3\\xbc");
}

/* ------------------------------------------------------------------------------------------- */

static void collect(void *arg, const char *data, size_t length)
{
    bytes_add(arg, data, length);
}

static void test_json(void **state)
{
    (void)state;
    struct bytes out = {0};
    struct json j = {.write = collect, .arg = &out};
    json_begin(&j);
    json_text(&j, "host", "a\"\\b/\n\r\t\001\033\177", 11);
    json_integer(&j, "status", INT64_MIN);
    json_null(&j, "signal");
    json_thousandths(&j, "seconds", 12034);
    json_true(&j, "truncated");
    json_text(&j, "empty", NULL, 0);
    json_text(&j, "bytes", "\xff|\0|\xc3\xbc|\xed\xa0\x80|\xc2\x85|\xe2\x80\xa8|\xf0\x9f\x98\x80",
              22);
    json_end(&j);
    json_begin(&j);
    json_end(&j);
    char *text = bytes_take_text(&out);
    assert_string_equal(
        text,
        "{\"host\":\"a\\\"\\\\b/\\n\\r\\t\\u0001\\u001b\\u007f\",\"status\":-9223372036854775808,"
        "\"signal\":null,\"seconds\":12.034,\"truncated\":true,\"empty\":\"\","
        "\"bytes\":\"\xef\xbf\xbd|\\u0000|\xc3\xbc|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\\u0085|"
        "\\u2028|\xf0\x9f\x98\x80\"}\n{}\n");
    free(text);
}

static void test_json_of_any_size(void **state)
{
    (void)state;
    char input[3 * sizeof(((struct json *)0)->piece)];
    memset(input, 'x', sizeof input);
    for (size_t length = 0; length < sizeof input; length += 97) {
        struct bytes out = {0};
        struct json j = {.write = collect, .arg = &out};
        json_begin(&j);
        json_text(&j, "k", input, length);
        json_end(&j);
        assert_int_equal(out.length, length + strlen("{\"k\":\"\"}\n"));
        bytes_free(&out);
    }
}

static void check_value(struct mito_value *value, const char *expected)
{
    struct bytes out = {0};
    struct json j = {.write = collect, .arg = &out};
    json_begin(&j);
    json_value(&j, "v", value);
    json_end(&j);
    char *got = bytes_take_text(&out);
    assert_string_equal(got, expected);
    free(got);
    mito_value_free(value);
}

static struct mito_value *list_with(struct mito_value *item)
{
    struct mito_value *list = mito_value_new_list();
    assert_int_equal(mito_value_append(list, mito_value_new_none()), 0);
    assert_int_equal(mito_value_append(list, item), 0);
    return list;
}

static struct mito_value *dict_with(struct mito_value *key, struct mito_value *item)
{
    struct mito_value *dict = mito_value_new_dict();
    assert_int_equal(mito_value_set(dict, key, item), 0);
    return dict;
}

static void test_json_values(void **state)
{
    (void)state;
    check_value(list_with(mito_value_new_int(INT64_MIN)), "{\"v\":[null,-9223372036854775808]}\n");
    check_value(list_with(mito_value_new_double(0.1)), "{\"v\":[null,0.1]}\n");
    check_value(mito_value_new_double(1.0 / 3), "{\"v\":0.3333333333333333}\n");
    check_value(dict_with(mito_value_new_str("\"\n", 2), list_with(mito_value_new_bool(true))),
                "{\"v\":{\"\\\"\\n\":[null,true]}}\n");
    check_value(dict_with(mito_value_new_str("a", 1), mito_value_new_str("\xed\xa0\x80\0", 4)),
                "{\"v\":{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\u0000\"}}\n");
    check_value(mito_value_new_list(), "{\"v\":[]}\n");
    /* What JSON has not is left out with all around it. */
    check_value(list_with(mito_value_new_bytes("x", 1)), "{}\n");
    check_value(list_with(mito_value_new_double(INFINITY)), "{}\n");
    check_value(dict_with(mito_value_new_int(1), mito_value_new_none()), "{}\n");
}

/* ------------------------------------------------------------------------------------------- */

static void check_picture(bool utf8, const char *expected)
{
    struct picture picture = {.utf8 = utf8};
    struct bytes out = {0};
    struct picture_row *row = picture_add(&picture, NULL, 0);
    picture_text(&picture, row, 0, "root");
    picture_text(&picture, row, 1, "0");
    row = picture_add(&picture, (bool[]){false}, 1);
    picture_text(&picture, row, 0, "a");
    picture_text(&picture, row, 1, "1001");
    picture_text(&picture, row, 2, "e\033");
    row = picture_add(&picture, (bool[]){false, true}, 2);
    picture_text(&picture, row, 0, "b");
    row->note = memory_text("no way");
    row = picture_add(&picture, (bool[]){true}, 1);
    picture_text(&picture, row, 0, "c");
    picture_print(&picture, &out);
    picture_free(&picture);
    char *text = bytes_take_text(&out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_picture(void **state)
{
    (void)state;
    check_picture(true, "root       0\n"
                        "├── a      1001  e\\x1b\n"
                        "│   └── b  no way\n"
                        "└── c\n");
    check_picture(false, "root       0\n"
                         "|-- a      1001  e\\x1b\n"
                         "|   `-- b  no way\n"
                         "`-- c\n");
}

static void test_locale(void **state)
{
    (void)state;
    unsetenv("LC_ALL");
    unsetenv("LC_CTYPE");
    unsetenv("LANG");
    assert_false(locale_is_utf8());
    setenv("LANG", "de_DE.UTF-8", 1);
    assert_true(locale_is_utf8());
    setenv("LC_CTYPE", "C", 1);
    assert_false(locale_is_utf8());
    setenv("LC_ALL", "C.utf8", 1);
    assert_true(locale_is_utf8());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printable),        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_of_any_size), cmocka_unit_test(test_picture),
        cmocka_unit_test(test_locale),           cmocka_unit_test(test_json_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
