/* Failures: code and text in one text, and back. */
#include "cmocka_all.h"

#include <limits.h>

#include "base/err.h"
#include "base/text.h"
#include "wire/failure.h"

static void test_encode(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *text, *wire;
    } rows[] = {
        {MITO_E_NO_FUNCTION, "no such", "mitosis.no_function: no such"},
        {MITO_E_HOST_KEY, "db1: changed", "mitosis.host_key: db1: changed"},
        {MITO_E_USER, "mine", "mitosis.user[1000]: mine"},
        {INT_MAX, "mine", "mitosis.user[2147483647]: mine"},
        {MITO_E_DEAD, "", "mitosis.dead: "},
        {MITO_OK, "failed, and said nothing", "mitosis.remote: failed, and said nothing"},
        {MITO_E_CRASHED + 1, "x", "mitosis.remote: x"},
        {-5, "x", "mitosis.remote: x"},
        {MITO_E_SYSTEM, "a\nb\xff", "mitosis.system: a\\x0ab\\xff"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct error e;
        AUTO_BUF b = {0};
        error_fill(&e, rows[i].code, "%s", rows[i].text);
        assert_int_equal(failure_encode(&b, &e), 0);
        assert_int_equal(b.length, strlen(rows[i].wire));
        assert_memory_equal(b.data, rows[i].wire, b.length);
    }
}

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        int code;
        const char *text;
    } rows[] = {
        {"mitosis.no_function: no such", MITO_E_NO_FUNCTION, "no such"},
        {"mitosis.user[1000]: mine", MITO_E_USER, "mine"},
        {"mitosis.user[2147483647]: x", INT_MAX, "x"},
        {"mitosis.dead: ", MITO_E_DEAD, ""},
        {"mitosis.dead: a: b", MITO_E_DEAD, "a: b"},
        /* No success, no code of ours under the name of another, no number that is none. */
        {"mitosis.ok: fine", MITO_E_REMOTE, "mitosis.ok: fine"},
        {"mitosis.user[999]: x", MITO_E_REMOTE, "mitosis.user[999]: x"},
        {"mitosis.user[0]: x", MITO_E_REMOTE, "mitosis.user[0]: x"},
        {"mitosis.user[]: x", MITO_E_REMOTE, "mitosis.user[]: x"},
        {"mitosis.user[-1]: x", MITO_E_REMOTE, "mitosis.user[-1]: x"},
        {"mitosis.user[2147483648]: x", MITO_E_REMOTE, "mitosis.user[2147483648]: x"},
        {"mitosis.user[1000: x", MITO_E_REMOTE, "mitosis.user[1000: x"},
        {"mitosis.user[1000]", MITO_E_REMOTE, "mitosis.user[1000]"},
        {"mitosis.user: x", MITO_E_REMOTE, "mitosis.user: x"},
        {"mitosis.unknown: x", MITO_E_REMOTE, "mitosis.unknown: x"},
        {"mitosis.dead:x", MITO_E_REMOTE, "mitosis.dead:x"},
        {"mitosis.dead:", MITO_E_REMOTE, "mitosis.dead:"},
        {"mitosis.dead", MITO_E_REMOTE, "mitosis.dead"},
        {"mitosis.: x", MITO_E_REMOTE, "mitosis.: x"},
        {"mitosis.", MITO_E_REMOTE, "mitosis."},
        {"mitosis", MITO_E_REMOTE, "mitosis"},
        {"", MITO_E_REMOTE, ""},
        {"exceptions.ValueError: bad\n  File \"x.py\", line 3", MITO_E_REMOTE,
         "exceptions.ValueError: bad | File \"x.py\", line 3"},
        {"\n\n  \na\n\n \n  b\r\n", MITO_E_REMOTE, "a | b\\x0d"},
        {"mitosis.range: a\nb", MITO_E_RANGE, "a | b"},
        {"mitosis.range: \x1b[2J", MITO_E_RANGE, "\\x1b[2J"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct error e;
        memset(&e, 0x5a, sizeof(e));
        failure_decode(rows[i].wire, strlen(rows[i].wire), &e);
        assert_string_equal(e.text, rows[i].text);
        assert_int_equal(e.code, rows[i].code);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    static const int codes[] = {MITO_E_USER, 4711, INT_MAX};
    for (int code = MITO_E_NOMEM; code < MITO_E_CRASHED + 1 + (int)LENGTH(codes); code++) {
        struct error e, back;
        AUTO_BUF b = {0};
        int actual = code <= MITO_E_CRASHED ? code : codes[code - MITO_E_CRASHED - 1];
        for (int empty = 0; empty < 2; empty++) {
            b.length = 0;
            error_fill(&e, actual, "%s", empty ? "" : "it: \xe2\x82\xac went [wrong]");
            assert_int_equal(failure_encode(&b, &e), 0);
            failure_decode((const char *)b.data, b.length, &back);
            assert_int_equal(back.code, actual);
            assert_string_equal(back.text, e.text);
        }
    }
}

static void test_long(void **state)
{
    (void)state;
    struct error e;
    static char wire[100000];
    memset(wire, 0x1b, sizeof(wire));
    memcpy(wire, "mitosis.range: ", 15);
    failure_decode(wire, sizeof(wire), &e);
    assert_int_equal(e.code, MITO_E_RANGE);
    assert_int_equal(strlen(e.text) % 4, 0);
    assert_true(strlen(e.text) > sizeof(e.text) - 5);
    assert_true(text_is_utf8(e.text, strlen(e.text), false));
    failure_decode(wire + 15, sizeof(wire) - 15, &e);
    assert_int_equal(e.code, MITO_E_REMOTE);
}

/* What happened and where, whatever is in between. */
static void test_long_traceback(void **state)
{
    (void)state;
    struct error e;
    static const size_t sizes[] = {100, 400, 600, 5000, 100000};
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        AUTO_BUF b = {0};
        assert_int_equal(buf_str(&b, "exceptions.ValueError: bad\n"), 0);
        while (b.length < sizes[i])
            assert_int_equal(buf_str(&b, "  File \"\xe2\x82\xac.py\", line 3\n"), 0);
        assert_int_equal(buf_str(&b, "    raise it\n"), 0);
        failure_decode((const char *)b.data, b.length, &e);
        assert_memory_equal(e.text, "exceptions.ValueError: bad | File ", 34);
        assert_string_equal(e.text + strlen(e.text) - 11, " | raise it");
        assert_int_equal(strstr(e.text, " ... ") != NULL, sizes[i] > 400);
        assert_true(text_is_utf8(e.text, strlen(e.text), false));
        assert_null(strstr(e.text, "\\x"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),         cmocka_unit_test(test_decode),
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_long),
        cmocka_unit_test(test_long_traceback),
    };
    return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
