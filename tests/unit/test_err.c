/* Errors: codes, names, texts, one per thread. */
#include "cmocka_all.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/err.h"

static void test_nothing_yet(void **state)
{
    (void)state;
    assert_int_equal(mito_error_code(), MITO_OK);
    assert_string_equal(mito_error(), "ok");
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *name;
    } rows[] = {
        {MITO_OK, "ok"},
        {MITO_E_NOMEM, "nomem"},
        {MITO_E_SYSTEM, "system"},
        {MITO_E_INVALID, "invalid"},
        {MITO_E_TYPE, "type"},
        {MITO_E_RANGE, "range"},
        {MITO_E_MALFORMED, "malformed"},
        {MITO_E_TOO_LARGE, "too_large"},
        {MITO_E_TIMEOUT, "timeout"},
        {MITO_E_CLOSED, "closed"},
        {MITO_E_DEAD, "dead"},
        {MITO_E_DENIED, "denied"},
        {MITO_E_OVERFLOW, "overflow"},
        {MITO_E_NO_FUNCTION, "no_function"},
        {MITO_E_REMOTE, "remote"},
        {MITO_E_REFUSED, "refused"},
        {MITO_E_UNREACHABLE, "unreachable"},
        {MITO_E_HOST_KEY, "host_key"},
        {MITO_E_PERMISSION, "permission"},
        {MITO_E_NO_SHELL, "no_shell"},
        {MITO_E_NO_PLACE, "no_place"},
        {MITO_E_ARCH, "arch"},
        {MITO_E_GARBAGE, "garbage"},
        {MITO_E_DIED, "died"},
        {MITO_E_NO_TOOL, "no_tool"},
        {MITO_E_PASSWORD, "password"},
        {MITO_E_NO_PASSWORD, "no_password"},
        {MITO_E_NO_USER, "no_user"},
        {MITO_E_LOCKED, "locked"},
        {MITO_E_NOT_ALLOWED, "not_allowed"},
        {MITO_E_NO_CONTAINER, "no_container"},
        {MITO_E_STOPPED, "stopped"},
        {MITO_E_CRASHED, "crashed"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        assert_int_equal(rows[i].code, i); /* no code is missing here */
        assert_string_equal(mito_error_name(rows[i].code), rows[i].name);
        assert_int_equal(error_code_of(rows[i].name, strlen(rows[i].name)), rows[i].code);
    }
    assert_string_equal(mito_error_name(MITO_E_CRASHED + 1), "unknown");
    assert_string_equal(mito_error_name(MITO_E_USER - 1), "unknown");
    assert_string_equal(mito_error_name(-1), "unknown");
    assert_string_equal(mito_error_name(MITO_E_USER), "user");
    assert_string_equal(mito_error_name(MITO_E_USER + 12345), "user");
}

static void test_no_names(void **state)
{
    (void)state;
    static const char *const rows[] = {"",     "o",    "okk",   "unknown",
                                       "user", "Dead", "dead ", "timeou"};
    for (size_t i = 0; i < LENGTH(rows); i++)
        assert_int_equal(error_code_of(rows[i], strlen(rows[i])), -1);
    assert_int_equal(error_code_of("deadline", 4), MITO_E_DEAD); /* the length counts */
    assert_int_equal(error_code_of("ok\0nomem", 8), -1);
}

static void test_set(void **state)
{
    (void)state;
    assert_int_equal(error_set(MITO_E_DEAD, "context %d is %s", 7, "gone"), -1);
    assert_int_equal(mito_error_code(), MITO_E_DEAD);
    assert_string_equal(mito_error(), "context 7 is gone");
    error_set(MITO_E_REMOTE, "again: %s", mito_error()); /* from its own text */
    assert_string_equal(mito_error(), "again: context 7 is gone");
    error_set(MITO_E_CLOSED, "%s", "");
    assert_string_equal(mito_error(), "closed"); /* never empty */
    assert_int_equal(error_nomem(), -1);
    assert_int_equal(mito_error_code(), MITO_E_NOMEM);
    error_set(MITO_E_USER + 5, "mine");
    assert_int_equal(mito_error_code(), MITO_E_USER + 5);
}

static void test_prefix(void **state)
{
    (void)state;
    error_set(MITO_E_TIMEOUT, "no answer");
    assert_int_equal(error_prefix("ssh.%s", "db1"), -1);
    assert_int_equal(mito_error_code(), MITO_E_TIMEOUT);
    assert_string_equal(mito_error(), "ssh.db1: no answer");
}

static void test_errno(void **state)
{
    (void)state;
    errno = EACCES;
    assert_int_equal(error_errno("open %s", "/x"), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(mito_error_code(), MITO_E_SYSTEM);
    assert_string_equal(mito_error(), "open /x: Permission denied");
    errno = ENOMEM;
    error_errno("mmap");
    assert_int_equal(mito_error_code(), MITO_E_NOMEM);
}

/* A long text is cut, and never inside a character. */
static void test_cut(void **state)
{
    (void)state;
    char text[ERROR_TEXT_MAX + 50];
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x9f"};
    for (size_t c = 0; c < LENGTH(characters); c++) {
        size_t width = strlen(characters[c]);
        for (size_t before = 0; before < 4; before++) {
            memset(text, '.', before);
            size_t length = before;
            for (; length + width < sizeof(text); length += width)
                memcpy(text + length, characters[c], width);
            text[length] = '\0';
            error_set(MITO_E_SYSTEM, "%s", text);
            size_t cut = strlen(mito_error());
            assert_true(cut < ERROR_TEXT_MAX && cut > ERROR_TEXT_MAX - 1 - width);
            assert_int_equal((cut - before) % width, 0);
            assert_memory_equal(mito_error(), text, cut);
        }
    }
    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set(MITO_E_DEAD, "cause");
    error_prefix("%s", text);
    assert_int_equal(strlen(mito_error()), ERROR_TEXT_MAX - 1);
    assert_int_equal(mito_error_code(), MITO_E_DEAD);
}

static void test_carry(void **state)
{
    (void)state;
    struct error e, filled;
    error_set(MITO_E_DENIED, "no authority");
    error_get(&e);
    error_set(MITO_E_SYSTEM, "another");
    error_fill(&filled, MITO_E_ARCH, "no image for %s", "vax");
    assert_int_equal(filled.code, MITO_E_ARCH);
    assert_string_equal(filled.text, "no image for vax");
    assert_string_equal(mito_error(), "another"); /* untouched */
    assert_int_equal(error_put(&e), -1);
    assert_int_equal(mito_error_code(), MITO_E_DENIED);
    assert_string_equal(mito_error(), "no authority");
}

static void *other_thread(void *arg)
{
    int *before = arg;
    *before = mito_error_code();
    error_set(MITO_E_RANGE, "of the other thread");
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t thread;
    int before = -1;
    error_set(MITO_E_TYPE, "of this thread");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &before), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(before, MITO_OK);
    assert_int_equal(mito_error_code(), MITO_E_TYPE);
    assert_string_equal(mito_error(), "of this thread");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_yet), cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_names),    cmocka_unit_test(test_set),
        cmocka_unit_test(test_prefix),      cmocka_unit_test(test_errno),
        cmocka_unit_test(test_cut),         cmocka_unit_test(test_carry),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
