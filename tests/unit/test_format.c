/* Text from a format: like snprintf(3), which stands beside it here. */
#include "cmocka_all.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"

/* Both make the same of it, whatever the size. */
#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[80], theirs[80];                                                                 \
        for (size_t size = 0; size <= sizeof ours; size++) {                                       \
            memset(ours, '!', sizeof ours);                                                        \
            memset(theirs, '!', sizeof theirs);                                                    \
            int need = snprintf(theirs, size, __VA_ARGS__);                                        \
            assert_int_equal(format_to(ours, size, __VA_ARGS__), need);                            \
            assert_string_equal(size > 0 ? ours : "", size > 0 ? theirs : "");                     \
            assert_true(size == sizeof ours || ours[size] == '!');                                 \
        }                                                                                          \
    } while (0)

#ifndef __clang__
#pragma GCC diagnostic ignored "-Wformat-truncation"
#endif

static void test_numbers(void **state)
{
    (void)state;
    SAME("%d %i %d %d", 0, -1, INT_MAX, INT_MIN);
    SAME("%u %x %X %o", UINT_MAX, 0xbeefu, 0xBEEFu, 0755u);
    SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
    SAME("%lld %llu", LLONG_MIN, ULLONG_MAX);
    SAME("%zu %zd %td %jd %ju", SIZE_MAX, (ssize_t)-1, (ptrdiff_t)-2, INTMAX_MIN, UINTMAX_MAX);
    SAME("%hd %hhu", (short)-3, (unsigned char)200);
    SAME("%p", (void *)&state);
}

static void test_text(void **state)
{
    (void)state;
    SAME("%s", "");
    SAME("plain");
    SAME("100%% of %s and %c", "text", 'c');
    SAME("%.3s|%.0s|%.*s|%.9s", "abcdef", "abc", 2, "xyz", "short");
}

static void test_padding(void **state)
{
    (void)state;
    SAME("%5d|%-5d|%05d|%05d", 42, 42, 42, -42);
    SAME("%02x|%03o|%2d", 7u, 8u, 12345);
    SAME("%8s|%-8s|%*s|%8.2s", "ab", "ab", 6, "ab", "abc");
    SAME("%3c|%-3c|", 'x', 'y');
}

/* Text without a NUL behind it may be given with a precision, as for printf(3). */
static void test_text_without_end(void **state)
{
    const char text[3] = {'a', 'b', 'c'};

    (void)state;
    SAME("%.3s", text);
    SAME("%.*s", 2, text);
}

/* What it does not know ends the formatting: the arguments behind it cannot be found. */
static void test_unknown(void **state)
{
    const char *volatile nothing = NULL;
    char out[64];

    (void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat"
    assert_int_equal(format_to(out, sizeof out, "%d: %.2f of %s", 7, 1.5, "it"), 13);
    assert_string_equal(out, "7: %.2f of %s");
    format_to(out, sizeof out, "at the end %");
    assert_string_equal(out, "at the end %");
    format_to(out, sizeof out, "%s", nothing);
    assert_string_equal(out, "(null)");
#pragma GCC diagnostic pop
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_text),
        cmocka_unit_test(test_padding), cmocka_unit_test(test_text_without_end),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
