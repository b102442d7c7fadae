/* Values in memory: making, reading, giving away, copying. */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "unit/value_equal.h"
#include "wire/value.h"

/* ---- One of each ---- */

enum { TYPES = MITO_SENDER + 1 };

static struct mito_value *make(int type)
{
    switch (type) {
    case MITO_NONE:
        return mito_value_new_none();
    case MITO_BOOL:
        return mito_value_new_bool(true);
    case MITO_INT:
        return mito_value_new_int(-5);
    case MITO_DOUBLE:
        return mito_value_new_double(1.5);
    case MITO_STR:
        return mito_value_new_str("text", 4);
    case MITO_BYTES:
        return mito_value_new_bytes("\0\xff", 2);
    case MITO_TUPLE:
        return value_new_tuple();
    case MITO_LIST:
        return mito_value_new_list();
    case MITO_DICT:
        return mito_value_new_dict();
    case MITO_BLOB:
        return value_new_blob("blob", 4);
    case MITO_SECRET:
        return value_new_secret("secret", 6);
    case MITO_KWARGS:
        return value_new_kwargs();
    case MITO_FAILURE:
        return value_new_failure("failed", 6);
    case MITO_CONTEXT:
        return value_new_context(7, "ssh.db1");
    default:
        return value_new_sender(8, 1001);
    }
}

/* Which reader works on which type; all others say E_TYPE. */
static void test_accessors(void **state)
{
    (void)state;
    for (int type = 0; type < TYPES; type++) {
        struct mito_value *v = make(type);
        assert_non_null(v);
        assert_int_equal(mito_value_type(v), type);
        bool truth;
        int64_t integer;
        double real;
        uint32_t id, handle;
        error_set(MITO_OK, "none");
        assert_int_equal(mito_value_bool(v, &truth), type == MITO_BOOL ? 0 : -1);
        assert_int_equal(mito_value_int(v, &integer), type == MITO_INT ? 0 : -1);
        assert_int_equal(mito_value_double(v, &real), type == MITO_DOUBLE ? 0 : -1);
        assert_int_equal(mito_value_str(v, NULL) != NULL,
                         type == MITO_STR || type == MITO_SECRET || type == MITO_FAILURE);
        assert_int_equal(mito_value_bytes(v, NULL) != NULL,
                         type == MITO_BYTES || type == MITO_BLOB || type == MITO_INT);
        assert_int_equal(mito_value_address(v, &id, &handle),
                         type == MITO_CONTEXT || type == MITO_SENDER ? 0 : -1);
        assert_int_equal(mito_error_code(), MITO_E_TYPE);

        bool dict = type == MITO_DICT || type == MITO_KWARGS;
        assert_int_equal(mito_value_length(v), 0);
        assert_null(mito_value_item(v, 0));
        assert_int_equal(mito_error_code(), dict || type == MITO_LIST || type == MITO_TUPLE
                                                ? MITO_E_RANGE
                                                : MITO_E_TYPE);
        assert_null(mito_value_key(v, 0));
        assert_int_equal(mito_error_code(), dict ? MITO_E_RANGE : MITO_E_TYPE);
        error_set(MITO_OK, "none");
        assert_null(mito_value_get(v, "key"));
        assert_int_equal(mito_error_code(), dict ? MITO_OK : MITO_E_TYPE);
        mito_value_free(v);
    }
}

static void test_contents(void **state)
{
    (void)state;
    struct mito_value *v[TYPES];
    bool truth = false;
    int64_t integer = 0;
    double real = 0;
    uint32_t id = 0, handle = 0;
    size_t n = 0;
    for (int type = 0; type < TYPES; type++)
        v[type] = make(type);
    assert_int_equal(mito_value_bool(v[MITO_BOOL], &truth), 0);
    assert_true(truth);
    assert_int_equal(mito_value_int(v[MITO_INT], &integer), 0);
    assert_int_equal(integer, -5);
    assert_int_equal(mito_value_double(v[MITO_DOUBLE], &real), 0);
    assert_true(real == 1.5);
    assert_string_equal(mito_value_str(v[MITO_STR], &n), "text");
    assert_int_equal(n, 4);
    assert_string_equal(mito_value_str(v[MITO_SECRET], &n), "secret");
    assert_int_equal(n, 6);
    assert_string_equal(mito_value_str(v[MITO_FAILURE], &n), "failed");
    assert_memory_equal(mito_value_bytes(v[MITO_BYTES], &n), "\0\xff", 3); /* and a NUL */
    assert_int_equal(n, 2);
    assert_memory_equal(mito_value_bytes(v[MITO_BLOB], &n), "blob", 5);
    assert_int_equal(n, 4);
    assert_int_equal(mito_value_address(v[MITO_CONTEXT], &id, &handle), 0);
    assert_int_equal(id, 7);
    assert_int_equal(handle, 0);
    assert_string_equal(value_context_name(v[MITO_CONTEXT]), "ssh.db1");
    assert_int_equal(mito_value_address(v[MITO_SENDER], &id, &handle), 0);
    assert_int_equal(id, 8);
    assert_int_equal(handle, 1001);
    assert_int_equal(mito_value_address(v[MITO_SENDER], NULL, NULL), 0);
    assert_null(value_context_name(v[MITO_SENDER]));
    for (int type = 0; type < TYPES; type++)
        mito_value_free(v[type]);
}

static void test_null(void **state)
{
    (void)state;
    int64_t x;
    bool b;
    double d;
    error_set(MITO_OK, "none");
    assert_int_equal((int)mito_value_type(NULL), -1);
    assert_int_equal(mito_error_code(), MITO_E_TYPE);
    assert_int_equal(mito_value_int(NULL, &x), -1);
    assert_error(MITO_E_TYPE, "expected an integer, got nothing");
    assert_int_equal(mito_value_bool(NULL, &b), -1);
    assert_int_equal(mito_value_double(NULL, &d), -1);
    assert_null(mito_value_str(NULL, NULL));
    assert_null(mito_value_bytes(NULL, NULL));
    assert_int_equal(mito_value_length(NULL), 0);
    assert_null(mito_value_item(NULL, 0));
    assert_null(mito_value_key(NULL, 0));
    assert_null(mito_value_get(NULL, "x"));
    assert_int_equal(mito_value_address(NULL, NULL, NULL), -1);
    assert_null(mito_value_copy(NULL));
    assert_int_equal(mito_error_code(), MITO_E_TYPE);
    mito_value_free(NULL);
    value_wipe(NULL);
}

/* ---- Integers ---- */

static void test_ints(void **state)
{
    (void)state;
    static const struct {
        int64_t x;
        size_t length;
        uint8_t bytes[8];
    } rows[] = {
        {0, 1, {0}},
        {1, 1, {1}},
        {-1, 1, {0xff}},
        {127, 1, {127}},
        {128, 2, {128, 0}},
        {-128, 1, {128}},
        {-129, 2, {0x7f, 0xff}},
        {255, 2, {255, 0}},
        {65535, 3, {255, 255, 0}},
        {INT32_MIN, 4, {0, 0, 0, 0x80}},
        {INT64_MAX, 8, {255, 255, 255, 255, 255, 255, 255, 0x7f}},
        {INT64_MIN, 8, {0, 0, 0, 0, 0, 0, 0, 0x80}},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct mito_value *v = mito_value_new_int(rows[i].x);
        int64_t x = 99;
        size_t n = 0;
        assert_int_equal(mito_value_int(v, &x), 0);
        assert_true(x == rows[i].x);
        assert_memory_equal(mito_value_bytes(v, &n), rows[i].bytes, rows[i].length);
        assert_int_equal(n, rows[i].length);
        mito_value_free(v);

        /* The same as a long, and with more bytes of sign than it needs. */
        uint8_t wide[40];
        memset(wide, rows[i].x < 0 ? 0xff : 0, sizeof(wide));
        memcpy(wide, rows[i].bytes, rows[i].length);
        for (size_t length = rows[i].length; length <= sizeof(wide); length++) {
            struct mito_value *w = value_new_long(wide, length);
            assert_int_equal(mito_value_int(w, &x), 0);
            assert_true(x == rows[i].x);
            mito_value_bytes(w, &n);
            assert_int_equal(n, rows[i].length);
            mito_value_free(w);
        }
    }
}

static void test_longs(void **state)
{
    (void)state;
    uint8_t bytes[300];
    memset(bytes, 0x5a, sizeof(bytes));
    for (size_t length = 9; length <= sizeof(bytes); length++) {
        struct mito_value *v = value_new_long(bytes, length);
        int64_t x;
        size_t n = 0;
        assert_non_null(v);
        assert_int_equal(mito_value_type(v), MITO_INT);
        assert_int_equal(mito_value_int(v, &x), -1);
        assert_int_equal(mito_error_code(), MITO_E_RANGE);
        assert_memory_equal(mito_value_bytes(v, &n), bytes, length);
        assert_int_equal(n, length);
        mito_value_free(v);
    }
    struct mito_value *zero = value_new_long(NULL, 0); /* as Python writes zero */
    int64_t x = 5;
    assert_int_equal(mito_value_int(zero, &x), 0);
    assert_int_equal(x, 0);
    mito_value_free(zero);
    /* 2^63 needs a ninth byte for its sign. */
    struct mito_value *v = value_new_long((const uint8_t *)"\0\0\0\0\0\0\0\x80\0", 9);
    assert_int_equal(mito_value_int(v, &x), -1);
    mito_value_free(v);
}

static void test_doubles(void **state)
{
    (void)state;
    static const double rows[] = {0.0, -0.0, 1e308, -1e-308, INFINITY, -INFINITY};
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct mito_value *v = mito_value_new_double(rows[i]);
        double x = 5;
        assert_int_equal(mito_value_double(v, &x), 0);
        assert_memory_equal(&x, &rows[i], sizeof(x));
        mito_value_free(v);
    }
}

/* ---- Text ---- */

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        bool good;
    } rows[] = {
        {"", 0, true},
        {"a\0b", 3, true},
        {"\xc3\xa9", 2, true},
        {"\xed\xa0\x80", 3, true}, /* a surrogate: a Python str may have one */
        {"\xff", 1, false},
        {"\xc3\xa9", 1, false},
        {"\xc0\x80", 2, false},
        {NULL, 0, false},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct mito_value *(*makers[])(const char *, size_t) = {
            mito_value_new_str, value_new_secret, value_new_failure};
        for (size_t m = 0; m < LENGTH(makers); m++) {
            struct mito_value *v = makers[m](rows[i].text, rows[i].length);
            size_t n = 99;
            assert_int_equal(v != NULL, rows[i].good);
            if (v == NULL) {
                assert_int_equal(mito_error_code(), MITO_E_INVALID);
                continue;
            }
            assert_memory_equal(mito_value_str(v, &n), rows[i].text, rows[i].length + 1);
            assert_int_equal(n, rows[i].length);
            mito_value_free(v);
        }
    }
    struct mito_value *none = mito_value_new_bytes(NULL, 0);
    size_t n = 5;
    assert_non_null(mito_value_bytes(none, &n)); /* never NULL on success */
    assert_int_equal(n, 0);
    mito_value_free(none);
    assert_null(mito_value_new_bytes(NULL, 1));
    assert_int_equal(mito_error_code(), MITO_E_INVALID);
}

static void test_contexts_and_senders(void **state)
{
    (void)state;
    char name[600] = "";
    for (int i = 0; i < 150; i++)
        strcat(name, "\xe2\x82\xac");
    struct mito_value *v = value_new_context(UINT32_MAX, name);
    uint32_t id, handle = 5;
    assert_int_equal(mito_value_address(v, &id, &handle), 0);
    assert_true(id == UINT32_MAX && handle == 0);
    assert_int_equal(strlen(value_context_name(v)), 99 * 3);
    mito_value_free(v);
    v = value_new_context(0, NULL);
    assert_null(value_context_name(v));
    mito_value_free(v);
    v = value_new_context(0, "");
    assert_string_equal(value_context_name(v), "");
    mito_value_free(v);
    assert_null(value_new_sender(1, 0));
    assert_int_equal(mito_error_code(), MITO_E_INVALID);
}

static void test_large(void **state)
{
    (void)state;
    enum { SIZE = 5000000 };
    char *data = malloc(SIZE);
    size_t n;
    assert_non_null(data);
    memset(data, 'x', SIZE);
    struct mito_value *list = mito_value_new_list();
    for (int i = 0; i < 3; i++)
        assert_int_equal(mito_value_append(list, mito_value_new_str(data, SIZE - (size_t)i)), 0);
    for (size_t i = 0; i < 3; i++) {
        const char *text = mito_value_str(mito_value_item(list, i), &n);
        assert_int_equal(n, SIZE - i);
        assert_memory_equal(text, data, n);
        assert_int_equal(text[n], '\0');
    }
    mito_value_free(list);
    free(data);
}

/* ---- Containers ---- */

static void test_list(void **state)
{
    (void)state;
    struct mito_value *list = mito_value_new_list();
    for (int64_t i = 0; i < 10000; i++)
        assert_int_equal(mito_value_append(list, mito_value_new_int(i)), 0);
    assert_int_equal(mito_value_length(list), 10000);
    for (size_t i = 0; i < 10000; i++) {
        int64_t x = -1;
        assert_int_equal(mito_value_int(mito_value_item(list, i), &x), 0);
        assert_int_equal(x, i);
    }
    assert_null(mito_value_item(list, 10000));
    assert_error(MITO_E_RANGE, "item 10000 of 10000");
    mito_value_free(list);
}

static struct mito_value *text(const char *s)
{
    return mito_value_new_str(s, strlen(s));
}

static void test_dict(void **state)
{
    (void)state;
    struct mito_value *dict = mito_value_new_dict();
    int64_t x = 0;
    assert_int_equal(mito_value_set(dict, text("a"), mito_value_new_int(1)), 0);
    assert_int_equal(mito_value_set(dict, mito_value_new_int(9), text("nine")), 0);
    assert_int_equal(mito_value_set(dict, text("ab"), mito_value_new_int(2)), 0);
    assert_int_equal(mito_value_set(dict, mito_value_new_str("a\0", 2), mito_value_new_int(3)), 0);
    assert_int_equal(mito_value_length(dict), 4);
    assert_string_equal(mito_value_str(mito_value_key(dict, 2), NULL), "ab");
    assert_string_equal(mito_value_str(mito_value_item(dict, 1), NULL), "nine");
    assert_int_equal(mito_value_int(mito_value_get(dict, "a"), &x), 0);
    assert_int_equal(x, 1);
    error_set(MITO_OK, "none");
    assert_null(mito_value_get(dict, ""));
    assert_null(mito_value_get(dict, "abc"));
    assert_null(mito_value_get(dict, "9"));
    assert_int_equal(mito_error_code(), MITO_OK);
    assert_int_equal(mito_value_set(dict, text("a"), mito_value_new_int(4)), 0);
    assert_int_equal(mito_value_int(mito_value_get(dict, "a"), &x), 0);
    assert_int_equal(x, 4); /* the last one counts */
    assert_null(mito_value_key(dict, 5));
    mito_value_free(dict);
}

static void test_keys(void **state)
{
    (void)state;
    for (int type = 0; type < TYPES; type++) {
        struct mito_value *dict = mito_value_new_dict(), *kwargs = value_new_kwargs();
        bool hashable = type != MITO_LIST && type != MITO_DICT && type != MITO_KWARGS;
        assert_int_equal(mito_value_set(dict, make(type), mito_value_new_none()),
                         hashable ? 0 : -1);
        assert_int_equal(mito_value_set(kwargs, make(type), mito_value_new_none()),
                         type == MITO_STR ? 0 : -1);
        assert_int_equal(mito_value_length(dict), hashable);
        assert_int_equal(mito_value_length(kwargs), type == MITO_STR);
        mito_value_free(dict);
        mito_value_free(kwargs);
    }
    struct mito_value *dict = mito_value_new_dict(), *tuple = value_new_tuple();
    assert_int_equal(mito_value_append(tuple, mito_value_new_list()), 0);
    assert_int_equal(mito_value_set(dict, tuple, mito_value_new_none()), -1);
    assert_error(MITO_E_TYPE, "a tuple as a key");
    mito_value_free(dict);
}

static void test_wrong_container(void **state)
{
    (void)state;
    for (int type = 0; type < TYPES; type++) {
        struct mito_value *v = make(type);
        bool list = type == MITO_LIST || type == MITO_TUPLE;
        bool dict = type == MITO_DICT || type == MITO_KWARGS;
        assert_int_equal(mito_value_append(v, mito_value_new_none()), list ? 0 : -1);
        assert_int_equal(mito_value_set(v, text("k"), mito_value_new_none()), dict ? 0 : -1);
        mito_value_free(v);
    }
}

/* What is given is taken, also when that fails: the leak checker looks on. */
static void test_given_and_failed(void **state)
{
    (void)state;
    struct mito_value *list = mito_value_new_list(), *dict = mito_value_new_dict();
    assert_int_equal(mito_value_append(NULL, text("x")), -1);
    assert_error(MITO_E_TYPE, "expected a list, got nothing");
    assert_int_equal(mito_value_set(NULL, text("x"), text("y")), -1);
    assert_int_equal(mito_value_append(dict, text("x")), -1);
    assert_int_equal(mito_value_set(list, text("x"), text("y")), -1);
    error_set(MITO_OK, "none");
    assert_int_equal(mito_value_append(list, NULL), -1);
    assert_int_equal(mito_error_code(), MITO_E_INVALID);
    assert_int_equal(mito_value_set(dict, NULL, text("y")), -1);
    assert_int_equal(mito_value_set(dict, text("x"), NULL), -1);
    error_nomem(); /* the maker of the item failed: that is what the caller learns */
    assert_int_equal(mito_value_append(list, NULL), -1);
    assert_int_equal(mito_error_code(), MITO_E_NOMEM);
    /* Into itself, or twice the same. */
    assert_int_equal(mito_value_append(list, list), -1);
    assert_int_equal(mito_value_set(dict, text("k"), dict), -1);
    assert_int_equal(mito_value_set(dict, dict, text("v")), -1);
    struct mito_value *both = text("both");
    assert_int_equal(mito_value_set(dict, both, both), -1);
    assert_int_equal(mito_value_length(list) + mito_value_length(dict), 0);
    mito_value_free(list);
    mito_value_free(dict);
}

static void test_frozen_inside(void **state)
{
    (void)state;
    struct mito_value *outer = mito_value_new_list(), *inner = mito_value_new_list();
    struct mito_value *other = mito_value_new_list();
    assert_int_equal(mito_value_append(inner, mito_value_new_int(1)), 0);
    assert_int_equal(mito_value_append(outer, inner), 0);
    assert_int_equal(mito_value_append(inner, mito_value_new_int(2)), -1);
    assert_int_equal(mito_error_code(), MITO_E_INVALID);
    assert_int_equal(mito_value_append(other, inner), -1); /* it is not ours any more */
    assert_int_equal(mito_value_append(inner, outer), -1); /* and takes `outer` over: freed */
    assert_int_equal(mito_value_length(other), 0);
    mito_value_free(other);
}

static void test_free_borrowed(void **state)
{
    (void)state;
    struct mito_value *list = mito_value_new_list(), *item = text("x");
    assert_int_equal(mito_value_append(list, item), 0);
    mito_value_free(item); /* not one's own: nothing happens */
    value_wipe(item);
    assert_string_equal(mito_value_str(mito_value_item(list, 0), NULL), "x");
    mito_value_free(list);
}

static void test_depth(void **state)
{
    (void)state;
    struct mito_value *v = mito_value_new_list();
    for (int depth = 1; depth < VALUE_MAX_DEPTH; depth++) {
        struct mito_value *outer = depth % 2 ? value_new_tuple() : mito_value_new_list();
        assert_int_equal(mito_value_append(outer, v), 0);
        v = outer;
    }
    struct mito_value *copy = mito_value_copy(v), *dict = mito_value_new_dict();
    assert_true(value_equal(copy, v));
    struct mito_value *outer = mito_value_new_list();
    assert_int_equal(mito_value_append(outer, copy), -1);
    assert_error(MITO_E_TOO_LARGE, "64 deep");
    assert_int_equal(mito_value_set(dict, text("k"), v), -1);
    assert_int_equal(mito_error_code(), MITO_E_TOO_LARGE);
    assert_int_equal(mito_value_length(dict), 0); /* no key without its item */
    mito_value_free(outer);
    mito_value_free(dict);
}

/* ---- Copies ---- */

static struct mito_value *one_of_each(void)
{
    static const uint8_t large[40] = {1, 2, 3, [39] = 4};
    struct mito_value *all = mito_value_new_list();
    for (int type = 0; type < TYPES; type++) {
        struct mito_value *v = make(type);
        if (type == MITO_TUPLE || type == MITO_LIST)
            assert_int_equal(mito_value_append(v, text("inside")), 0);
        if (type == MITO_DICT || type == MITO_KWARGS)
            assert_int_equal(mito_value_set(v, text("key"), value_new_context(3, NULL)), 0);
        assert_int_equal(mito_value_append(all, v), 0);
    }
    assert_int_equal(mito_value_append(all, value_new_long(large, sizeof(large))), 0);
    return all;
}

static void test_copy(void **state)
{
    (void)state;
    struct mito_value *all = one_of_each(), *again = one_of_each();
    struct mito_value *copy = mito_value_copy(all);
    assert_true(value_equal(copy, all));
    for (size_t i = 0; i < mito_value_length(all); i++) {
        struct mito_value *one = mito_value_copy(mito_value_item(all, i));
        assert_true(value_equal(one, mito_value_item(again, i)));
        assert_int_equal(mito_value_append(again, one), 0); /* it is ours to give */
    }
    mito_value_free(again);
    again = one_of_each();
    mito_value_free(all);
    assert_true(value_equal(copy, again)); /* lives on without what it was copied from */
    assert_int_equal(mito_value_append(copy, text("more")), 0);
    assert_int_equal(mito_value_length(copy), mito_value_length(again) + 1);
    mito_value_free(copy);
    mito_value_free(again);
}

static void test_copy_of_inner_list(void **state)
{
    (void)state;
    struct mito_value *outer = mito_value_new_list(), *inner = mito_value_new_list();
    assert_int_equal(mito_value_append(inner, text("a")), 0);
    assert_int_equal(mito_value_append(outer, inner), 0);
    struct mito_value *copy = mito_value_copy(inner);
    assert_int_equal(mito_value_append(copy, text("b")), 0); /* not frozen */
    assert_int_equal(mito_value_length(copy), 2);
    assert_int_equal(mito_value_length(inner), 1);
    mito_value_free(outer);
    mito_value_free(copy);
}

/* ---- Wiping ---- */

static size_t wiped;
static bool secret_seen;

/* In place of libc's. */
void explicit_bzero(void *p, size_t size);
void explicit_bzero(void *p, size_t size)
{
    void *before = p;
    __asm__("" : "+r"(before)); /* the compiler believes that nobody reads there */
    if (memmem(before, size, "hunter2", 7) != NULL)
        secret_seen = true;
    memset(p, 0, size);
    wiped += size;
}

static void test_wipe(void **state)
{
    (void)state;
    struct mito_value *list = mito_value_new_list();
    for (int i = 0; i < 100; i++)
        assert_int_equal(mito_value_append(list, text("padding that fills some chunks")), 0);
    assert_int_equal(mito_value_append(list, value_new_secret("hunter2", 7)), 0);
    wiped = 0;
    secret_seen = false;
    value_wipe(list);
    assert_true(secret_seen);
    assert_true(wiped > 100 * 30);
    list = one_of_each();
    wiped = 0;
    mito_value_free(list);
    assert_int_equal(wiped, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accessors),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_ints),
        cmocka_unit_test(test_longs),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_contexts_and_senders),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_dict),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_wrong_container),
        cmocka_unit_test(test_given_and_failed),
        cmocka_unit_test(test_frozen_inside),
        cmocka_unit_test(test_free_borrowed),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_copy_of_inner_list),
        cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
