/* Pickles: what we write, what we read, and everything that must be refused. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "unit/value_equal.h"
#include "wire/pickle.h"

#define S(literal) (literal), sizeof(literal) - 1

/* From a block of exactly that size, so that a read past the end is caught. */
static struct mito_value *load(const void *data, size_t length, size_t *used)
{
    uint8_t *exact = malloc(length > 0 ? length : 1);
    assert_non_null(exact);
    memcpy(exact, data, length);
    error_set(MITO_OK, "none");
    struct mito_value *v = pickle_load(exact, length, used);
    free(exact); /* the value has nothing of it */
    return v;
}

static void assert_refused(const void *data, size_t length, int code, const char *part)
{
    struct mito_value *v = load(data, length, NULL);
    if (v != NULL)
        fail_msg("was read, instead of: %s", part);
    assert_error(code, part);
    assert_error(code, "pickle, byte ");
}

static struct mito_value *text(const char *s)
{
    return mito_value_new_str(s, strlen(s));
}

/* ---- Writing ---- */

struct row {
    struct mito_value *value;
    const char *bytes; /* between PROTO 2 and STOP */
    size_t length;
};

static struct mito_value *list_of(struct mito_value *a, struct mito_value *b)
{
    struct mito_value *list = mito_value_new_list();
    assert_int_equal(mito_value_append(list, a), 0);
    if (b != NULL)
        assert_int_equal(mito_value_append(list, b), 0);
    return list;
}

static struct mito_value *tuple_of(struct mito_value *a)
{
    struct mito_value *tuple = value_new_tuple();
    assert_int_equal(mito_value_append(tuple, a), 0);
    return tuple;
}

static struct mito_value *pair(struct mito_value *dict, struct mito_value *key,
                               struct mito_value *item)
{
    assert_int_equal(mito_value_set(dict, key, item), 0);
    return dict;
}

#define CORE "cmitogen.core\n"

static void test_dump(void **state)
{
    (void)state;
    struct row rows[] = {
        {mito_value_new_none(), S("N")},
        {mito_value_new_bool(true), S("\x88")},
        {mito_value_new_bool(false), S("\x89")},
        {mito_value_new_int(0), S("K\0")},
        {mito_value_new_int(255), S("K\xff")},
        {mito_value_new_int(256), S("M\0\1")},
        {mito_value_new_int(65535), S("M\xff\xff")},
        {mito_value_new_int(65536), S("J\0\0\1\0")},
        {mito_value_new_int(-1), S("J\xff\xff\xff\xff")},
        {mito_value_new_int(INT32_MAX), S("J\xff\xff\xff\x7f")},
        {mito_value_new_int(INT32_MIN), S("J\0\0\0\x80")},
        {mito_value_new_int(2147483648), S("\x8a\5\0\0\0\x80\0")},
        {mito_value_new_int(-2147483649), S("\x8a\5\xff\xff\xff\x7f\xff")},
        {mito_value_new_int(INT64_MAX), S("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f")},
        {mito_value_new_int(INT64_MIN), S("\x8a\x08\0\0\0\0\0\0\0\x80")},
        {value_new_long((const uint8_t *)"\0\0\0\0\0\0\0\0\1", 9), S("\x8a\x09\0\0\0\0\0\0\0\0\1")},
        {mito_value_new_double(1.5), S("G\x3f\xf8\0\0\0\0\0\0")},
        {mito_value_new_double(-0.0), S("G\x80\0\0\0\0\0\0\0")},
        {text("\xc3\xa9"), S("X\2\0\0\0\xc3\xa9")},
        {text(""), S("X\0\0\0\0")},
        {mito_value_new_bytes("\0\xff", 2), S("U\2\0\xff")},
        {mito_value_new_bytes("", 0), S("U\0")},
        {value_new_blob("b", 1), S(CORE "Blob\nU\1b\x85R")},
        {value_new_secret("s", 1), S(CORE "Secret\nX\1\0\0\0s\x85R")},
        {value_new_failure("f", 1), S(CORE "_unpickle_call_error\nX\1\0\0\0f\x85R")},
        {value_new_context(5, "n"), S(CORE "_unpickle_context\nK\5X\1\0\0\0n\x86R")},
        {value_new_context(5, NULL), S(CORE "_unpickle_context\nK\5N\x86R")},
        {value_new_sender(UINT32_MAX, 1000),
         S(CORE "_unpickle_sender\n\x8a\5\xff\xff\xff\xff\0M\xe8\3\x86R")},
        {value_new_tuple(), S("(t")},
        {tuple_of(mito_value_new_none()), S("(Nt")},
        {mito_value_new_list(), S("](e")},
        {list_of(mito_value_new_int(1), mito_value_new_int(2)), S("](K\1K\2e")},
        {mito_value_new_dict(), S("}(u")},
        {pair(mito_value_new_dict(), text("k"), mito_value_new_none()), S("}(X\1\0\0\0kNu")},
        {pair(value_new_kwargs(), text("k"), mito_value_new_none()),
         S(CORE "Kwargs\n}(X\1\0\0\0kNu\x85R")},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        AUTO_BUF out = {0};
        buf_str(&out, "before");
        assert_non_null(rows[i].value);
        assert_int_equal(pickle_dump(&out, rows[i].value), 0);
        assert_int_equal(out.length, 6 + 2 + rows[i].length + 1);
        assert_memory_equal(out.data, "before\x80\2", 8);
        assert_memory_equal(out.data + 8, rows[i].bytes, rows[i].length);
        assert_int_equal(out.data[out.length - 1], '.');

        size_t used = 0;
        struct mito_value *back = load(out.data + 6, out.length - 6, &used);
        assert_non_null(back);
        assert_int_equal(used, out.length - 6);
        assert_true(value_equal(back, rows[i].value));
        mito_value_free(back);
        mito_value_free(rows[i].value);
    }
}

static void test_dump_lengths(void **state)
{
    (void)state;
    static const size_t lengths[] = {255, 256, 65535, 65536, 300000};
    char *data = calloc(1, 300000);
    assert_non_null(data);
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        AUTO_BUF out = {0};
        struct mito_value *v = mito_value_new_bytes(data, lengths[i]);
        assert_int_equal(pickle_dump(&out, v), 0);
        assert_int_equal(out.data[2], lengths[i] < 256 ? 'U' : 'T');
        struct mito_value *back = load(out.data, out.length, NULL);
        assert_true(value_equal(v, back));
        mito_value_free(back);
        mito_value_free(v);

        out.length = 0;
        data[lengths[i] - 1] = 1;
        v = value_new_long((const uint8_t *)data, lengths[i]);
        data[lengths[i] - 1] = 0;
        assert_int_equal(pickle_dump(&out, v), 0);
        assert_int_equal(out.data[2], lengths[i] < 256 ? 0x8a : 0x8b);
        back = load(out.data, out.length, NULL);
        assert_true(value_equal(v, back));
        mito_value_free(back);
        mito_value_free(v);
    }
    free(data);
}

/* Parts without a tree give the same bytes as the tree. */
static void test_parts(void **state)
{
    (void)state;
    AUTO_BUF parts = {0};
    AUTO_BUF tree = {0};
    assert_int_equal(pickle_begin(&parts), 0);
    assert_int_equal(pickle_tuple_open(&parts), 0);
    assert_int_equal(pickle_none(&parts), 0);
    assert_int_equal(pickle_bool(&parts, true), 0);
    assert_int_equal(pickle_int(&parts, 70000), 0);
    assert_int_equal(pickle_double(&parts, 2.5), 0);
    assert_int_equal(pickle_str(&parts, "s", 1), 0);
    assert_int_equal(pickle_bytes(&parts, "b", 1), 0);
    assert_int_equal(pickle_list_open(&parts), 0);
    assert_int_equal(pickle_blob(&parts, "B", 1), 0);
    assert_int_equal(pickle_secret(&parts, "S", 1), 0);
    assert_int_equal(pickle_list_close(&parts), 0);
    assert_int_equal(pickle_dict_open(&parts), 0);
    assert_int_equal(pickle_failure(&parts, "f", 1), 0);
    assert_int_equal(pickle_context(&parts, 3, "c"), 0);
    assert_int_equal(pickle_dict_close(&parts), 0);
    assert_int_equal(pickle_kwargs_open(&parts), 0);
    assert_int_equal(pickle_str(&parts, "k", 1), 0);
    assert_int_equal(pickle_sender(&parts, 4, 1001), 0);
    assert_int_equal(pickle_kwargs_close(&parts), 0);
    assert_int_equal(pickle_tuple_close(&parts), 0);
    assert_int_equal(pickle_end(&parts), 0);

    struct mito_value *v = load(parts.data, parts.length, NULL);
    assert_non_null(v);
    assert_int_equal(mito_value_length(v), 9);
    assert_int_equal(pickle_dump(&tree, v), 0);
    assert_int_equal(tree.length, parts.length);
    assert_memory_equal(tree.data, parts.data, parts.length);
    mito_value_free(v);
}

static void test_unwritable(void **state)
{
    (void)state;
    AUTO_BUF out = {0};
    buf_str(&out, "kept");
    assert_int_equal(pickle_str(&out, "\xff", 1), -1);
    assert_error(MITO_E_INVALID, "not UTF-8");
    assert_int_equal(pickle_secret(&out, "\xff", 1), -1);
    assert_int_equal(pickle_failure(&out, "\xff", 1), -1);
    assert_int_equal(pickle_context(&out, 1, "\xff"), -1);
    assert_int_equal(pickle_value(&out, NULL), -1);
    assert_int_equal(pickle_dump(&out, NULL), -1);
    assert_error(MITO_E_TYPE, "nothing");
    assert_int_equal(out.length, 4); /* as it was */
#if SIZE_MAX > UINT32_MAX
    assert_int_equal(pickle_bytes(&out, "x", (size_t)UINT32_MAX + 1), -1);
    assert_error(MITO_E_TOO_LARGE, "4294967296 bytes");
    assert_int_equal(pickle_blob(&out, "x", (size_t)UINT32_MAX + 1), -1);
    assert_int_equal(out.length, 4);
#endif
}

/* What Mitogen would refuse is made to fit: a long name, a long text of a failure. */
static void test_cuts(void **state)
{
    (void)state;
    AUTO_BUF out = {0};
    char *long_text = malloc(30001);
    assert_non_null(long_text);
    for (size_t i = 0; i < 10000; i++)
        memcpy(long_text + 3 * i, "\xe2\x82\xac", 3);
    long_text[30000] = '\0';

    pickle_begin(&out);
    assert_int_equal(pickle_context(&out, 1, long_text), 0);
    pickle_end(&out);
    struct mito_value *v = load(out.data, out.length, NULL);
    assert_int_equal(strlen(value_context_name(v)), 99 * 3);
    mito_value_free(v);

    out.length = 0;
    pickle_begin(&out);
    assert_int_equal(pickle_failure(&out, long_text, 30000), 0);
    pickle_end(&out);
    v = load(out.data, out.length, NULL);
    size_t length = 0;
    assert_non_null(mito_value_str(v, &length));
    assert_int_equal(length, 9999 * 3);
    mito_value_free(v);
    free(long_text);
}

/* ---- Reading what is good ---- */

/* What others write differently from us, beside the pickle that we would write. */
static void test_load(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t length;
        const char *ours;
        size_t ours_length;
    } rows[] = {
        {S("N."), S("N")}, /* no PROTO */
        {S("\x80\3N."), S("N")},
        {S("\x80\5N."), S("N")},
        {S("\x80\2\x80\2N."), S("N")},
        {S("\x80\4\x95\1\0\0\0\0\0\0\0N."), S("N")}, /* FRAME */
        {S("\x8a\0."), S("K\0")},                    /* zero, as LONG */
        {S("\x8b\0\0\0\0."), S("K\0")},
        {S("\x8a\1\xff."), S("J\xff\xff\xff\xff")},
        {S("\x8b\3\0\0\0\1\0\0."), S("K\1")},
        {S("J\1\0\0\0."), S("K\1")},
        {S("M\1\0."), S("K\1")},
        {S("\x8c\2ab."), S("X\2\0\0\0ab")},
        {S("T\2\0\0\0ab."), S("U\2ab")},
        {S("B\2\0\0\0ab."), S("U\2ab")},
        {S("C\2ab."), S("U\2ab")},
        {S("\x8e\2\0\0\0\0\0\0\0ab."), S("U\2ab")},
        {S(")."), S("(t")},
        {S("(t."), S("(t")},
        {S("N\x85."), S("(Nt")},
        {S("NK\1\x86."), S("(NK\1t")},
        {S("NK\1\x88\x87."), S("(NK\1\x88t")},
        {S("]Na."), S("](Ne")},
        {S("](Ne(K\1K\2eK\3a."), S("](NK\1K\2K\3e")}, /* in batches */
        {S("}NK\1s."), S("}(NK\1u")},
        {S("}(NK\1u(K\2K\3uK\4K\5s."), S("}(NK\1K\2K\3K\4K\5u")},
        /* bytes, as Python 3 writes them */
        {S("c_codecs\nencode\nq\0X\5\0\0\0abc\xc3\xbfq\1X\6\0\0\0latin1q\2\x86q\3Rq\4."),
         S("U\4abc\xff")},
        {S("c_codecs\nencode\nX\0\0\0\0X\6\0\0\0latin1\x86R."), S("U\0")},
        {S("c_codecs\nencode\nX\6\0\0\0\0\xc2\x80\x7f\xc3\x80X\6\0\0\0latin1\x86R."),
         S("U\4\0\x80\x7f\xc0")},
        {S("c__builtin__\nbytes\nq\0)Rq\1."), S("U\0")},
        {S("cbuiltins\nbytes\n)R."), S("U\0")},
        /* the memo: of texts, of globals, of a list that is complete, by one and four bytes */
        {S("](X\1\0\0\0aq\0h\0j\0\0\0\0e."), S("](X\1\0\0\0aX\1\0\0\0aX\1\0\0\0ae")},
        {S("](X\1\0\0\0ar\0\0\0\0h\0e."), S("](X\1\0\0\0aX\1\0\0\0ae")},
        {S("](\x8c\1a\x94\x8c\1b\x94h\0h\1e."), S("](X\1\0\0\0aX\1\0\0\0bX\1\0\0\0aX\1\0\0\0be")},
        {S("(" CORE "Blob\nq\0C\1a\x85Rh\0C\1b\x85Rt."),
         S("(" CORE "Blob\nU\1a\x85R" CORE "Blob\nU\1b\x85Rt")},
        {S("(]q\0(Neh\0h\0t."), S("(](Ne](Ne](Net")},
        {S("Nq\0."), S("N")},
        {S(")q\0h\0\x86."), S("((t(tt")},
        {S("NK\1q\0\x86q\0h\0\x86."), S("((NK\1t(NK\1tt")}, /* an index twice: the later one */
        {S("(K\1q\1K\2q\2h\1t."), S("(K\1K\2K\1t")},        /* from 1 on, as Python 2 counts */
        /* the objects */
        {S(CORE "Blob\nc_codecs\nencode\nX\1\0\0\0xX\6\0\0\0latin1\x86R\x85R."),
         S(CORE "Blob\nU\1x\x85R")},
        {S(CORE "Kwargs\nq\0}q\1X\1\0\0\0aq\2K\1s\x85q\3Rq\4."),
         S(CORE "Kwargs\n}(X\1\0\0\0aK\1u\x85R")},
        {S(CORE "_unpickle_context\nK\5X\0\0\0\0\x86R."),
         S(CORE "_unpickle_context\nK\5X\0\0\0\0\x86R")},
        {S(CORE "_unpickle_context\n\x8a\5\xff\xff\xff\xff\0N\x86R."),
         S(CORE "_unpickle_context\n\x8a\5\xff\xff\xff\xff\0N\x86R")},
        /* what Python 2 writes: bytes as U, everything remembered */
        {S("U\3abcq\1."), S("U\3abc")},
        {S("X\2\0\0\0\xc3\xa9q\1."), S("X\2\0\0\0\xc3\xa9")},
        {S("}q\1."), S("}(u")},
        {S("]q\0(K\7X\1\0\0\0xq\1e."), S("](K\7X\1\0\0\0xe")},
        {S("K\7X\1\0\0\0xq\1\x86q\2."), S("(K\7X\1\0\0\0xt")},
        {S(CORE "Blob\nq\0U\3abcq\1\x85q\2Rq\3."), S(CORE "Blob\nU\3abc\x85R")},
        {S(CORE "Secret\nq\1X\3\0\0\0abc\x85Rq\2."), S(CORE "Secret\nX\3\0\0\0abc\x85R")},
        {S(CORE "_unpickle_call_error\nq\1X\2\0\0\0noq\2\x85Rq\3."),
         S(CORE "_unpickle_call_error\nX\2\0\0\0no\x85R")},
        {S(CORE "_unpickle_context\nq\1M\x39\x30N\x86Rq\2."),
         S(CORE "_unpickle_context\nM\x39\x30N\x86R")},
        {S(CORE "_unpickle_sender\nq\1K\5M\xe9\3\x86Rq\2."),
         S(CORE "_unpickle_sender\nK\5M\xe9\3\x86R")},
        /* surrogates, alone and in pairs, as in a Python str */
        {S("X\6\0\0\0\xed\xa0\x80\xed\xbf\xbf."), S("X\6\0\0\0\xed\xa0\x80\xed\xbf\xbf")},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        AUTO_BUF out = {0};
        size_t used = 0;
        struct mito_value *v = load(rows[i].in, rows[i].length, &used);
        if (v == NULL)
            fail_msg("row %zu: %s", i, mito_error());
        assert_int_equal(used, rows[i].length);
        assert_int_equal(pickle_value(&out, v), 0);
        assert_int_equal(out.length, rows[i].ours_length);
        assert_memory_equal(out.data, rows[i].ours, out.length);
        mito_value_free(v);

        /* Cut anywhere it is an error, and never read past. */
        for (size_t length = 0; length < rows[i].length; length++) {
            assert_null(load(rows[i].in, length, &used));
            assert_int_equal(mito_error_code(), MITO_E_MALFORMED);
        }
        /* Any byte of it another one: read or refused, nothing worse. */
        char *copy = malloc(rows[i].length);
        assert_non_null(copy);
        for (size_t at = 0; at < rows[i].length; at++) {
            for (int byte = 0; byte < 256; byte++) {
                memcpy(copy, rows[i].in, rows[i].length);
                copy[at] = (char)byte;
                v = load(copy, rows[i].length, NULL);
                assert_true(v != NULL || mito_error_code() == MITO_E_MALFORMED);
                mito_value_free(v);
            }
        }
        free(copy);
    }
}

static void test_back_to_back(void **state)
{
    (void)state;
    static const char in[] = "\x80\2K\1.\x80\2K\2.rest";
    size_t used = 0, at = 0;
    for (int64_t i = 1; i <= 2; i++) {
        int64_t x = 0;
        struct mito_value *v = load(in + at, sizeof(in) - 1 - at, &used);
        assert_int_equal(mito_value_int(v, &x), 0);
        assert_int_equal(x, i);
        assert_int_equal(used, 5);
        mito_value_free(v);
        at += used;
    }
    assert_refused(in + at, 4, MITO_E_MALFORMED, "byte 0: ");
}

/* A list in many batches of 1000, as Python writes it, and a large dict. */
static void test_many(void **state)
{
    (void)state;
    AUTO_BUF in = {0};
    enum { COUNT = 50000 };
    buf_str(&in, "]q");
    buf_byte(&in, 0);
    for (int i = 0; i < COUNT; i++) {
        if (i % 1000 == 0)
            buf_byte(&in, '(');
        buf_byte(&in, 'M');
        buf_byte(&in, (uint8_t)i);
        buf_byte(&in, (uint8_t)(i >> 8));
        if (i % 1000 == 999)
            buf_byte(&in, 'e');
    }
    buf_byte(&in, '.');
    struct mito_value *v = load(in.data, in.length, NULL);
    assert_int_equal(mito_value_length(v), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        int64_t x = -1;
        assert_int_equal(mito_value_int(mito_value_item(v, i), &x), 0);
        assert_int_equal(x, i);
    }
    mito_value_free(v);

    in.data[0] = '}'; /* pairs of them */
    for (size_t i = 0; i < in.length; i++)
        if (in.data[i] == 'e' && (i == in.length - 2 || in.data[i + 1] == '('))
            in.data[i] = 'u';
    v = load(in.data, in.length, NULL);
    assert_int_equal(mito_value_length(v), COUNT / 2);
    mito_value_free(v);
}

/* What was decoded belongs to the caller like any other value. */
static void test_decoded_is_owned(void **state)
{
    (void)state;
    struct mito_value *list = load(S("](X\1\0\0\0aq\0h\0e."), NULL);
    struct mito_value *constant = load(S("N."), NULL), *tuple = load(S(")."), NULL);
    assert_int_equal(mito_value_append(list, text("b")), 0);
    assert_int_equal(mito_value_append(list, constant), 0);
    assert_int_equal(mito_value_append(list, tuple), 0);
    assert_int_equal(mito_value_length(list), 5);
    struct mito_value *inner = (struct mito_value *)(uintptr_t)mito_value_item(list, 4);
    assert_int_equal(mito_value_append(inner, text("x")), -1);
    value_wipe(list);
}

/* Large bytes stay in the input, everything else is copied; what is read is the same. */
static void test_in_place(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        AUTO_BUF in = {0};
        char *data = malloc(lengths[i] + 1);
        size_t n = 0;
        assert_non_null(data);
        memset(data, 'x', lengths[i]);
        pickle_begin(&in);
        pickle_tuple_open(&in);
        pickle_bytes(&in, data, lengths[i]);
        pickle_blob(&in, data, lengths[i]);
        pickle_str(&in, data, lengths[i]);
        pickle_tuple_close(&in);
        pickle_end(&in);
        free(data);

        struct mito_value *v = pickle_load_in_place(in.data, in.length);
        struct mito_value *copied = pickle_load(in.data, in.length, NULL);
        assert_true(value_equal(v, copied));
        const uint8_t *bytes = mito_value_bytes(mito_value_item(v, 1), &n);
        assert_int_equal(n, lengths[i]);
        if (n > 4096)
            assert_true(bytes > in.data && bytes < in.data + in.length);
        const char *text_at = mito_value_str(mito_value_item(v, 2), &n);
        assert_true((const uint8_t *)text_at < in.data ||
                    (const uint8_t *)text_at >= in.data + in.length);
        assert_int_equal(text_at[n], '\0');

        /* A copy has nothing of the input any more. */
        struct mito_value *copy = mito_value_copy(v);
        mito_value_free(v);
        memset(in.data, 0, in.length);
        assert_true(value_equal(copy, copied));
        mito_value_free(copy);
        mito_value_free(copied);
    }
    assert_null(pickle_load_in_place((const uint8_t *)"N", 1));
    assert_error(MITO_E_MALFORMED, "cut short");
}

/* ---- Reading what is bad ---- */

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t length;
        const char *part;
    } rows[] = {
        {S(""), "cut short"},
        {S("."), "not one value"},
        {S("NN."), "not one value"},
        {S("(."), "not one value"},
        {S(CORE "Blob\n."), "not one value"},
        {S("\x80\6N."), "unknown protocol"},
        {S("\x95\3\0\0\0\0\0\0\0N."), "cut short"},
        {S("\x95\xff\xff\xff\xff\xff\xff\xff\xffN."), "cut short"},
        /* globals */
        {S("cos\nsystem\nX\2\0\0\0ls\x85R."), "global \"os.system\""},
        {S("cdatetime\ndate\nq\0."), "global \"datetime.date\""},
        {S("c__builtin__\neval\n."), "global \"__builtin__.eval\""},
        {S("cmitogen.core\nCallError\n."), "mitogen.core.CallError"},
        {S("cmitogen.core\nBlob \n."), "\"mitogen.core.Blob \""},
        {S("cmitogen.core\nBlo\n."), "\"mitogen.core.Blo\""},
        {S("c\n\n."), "global \".\""},
        {S("c\x1b[2J\nx\xff\n."), "\"\\x1b[2J.x\\xff\""},
        {S("cno newline"), "\"no newline\""},
        {S("c"), "global \"\""},
        {S("\x8c\x02os\x8c\x06system\x93."), "opcode 0x93"},
        /* calls */
        {S("NNR."), "no global"},
        {S("NR."), "no global"},
        {S("R."), "no global"},
        {S("(R."), "no global"},
        {S(CORE "Blob\nNR."), "wrong arguments"},
        {S(CORE "Blob\n)R."), "wrong arguments"},
        {S(CORE "Blob\nN\x85R."), "wrong arguments"},
        {S(CORE "Blob\nX\1\0\0\0x\x85R."), "wrong arguments"},
        {S(CORE "Blob\nC\1xN\x86R."), "wrong arguments"},
        {S(CORE "Blob\n(R."), "wrong arguments"},
        {S(CORE "Secret\nC\1x\x85R."), "wrong arguments"},
        {S(CORE "Kwargs\n]\x85R."), "wrong arguments"},
        {S(CORE "Kwargs\n}K\1Ns\x85R."), "no string"},
        {S(CORE "Kwargs\n}C\1aNs\x85R."), "no string"},
        {S(CORE "_unpickle_call_error\nK\1\x85R."), "wrong arguments"},
        {S(CORE "_unpickle_call_error\nU\1x\x85R."), "wrong arguments"},
        {S(CORE "_unpickle_context\nK\5\x85R."), "wrong arguments"},
        {S(CORE "_unpickle_context\nNN\x86R."), "wrong arguments"},
        {S(CORE "_unpickle_context\nK\5K\1\x86R."), "no such context"},
        {S(CORE "_unpickle_context\nJ\xff\xff\xff\xffN\x86R."), "no such context"},
        {S(CORE "_unpickle_context\n\x8a\5\0\0\0\0\1N\x86R."), "no such context"},
        {S(CORE "_unpickle_context\n\x8a\x09\0\0\0\0\0\0\0\0\1N\x86R."), "no such context"},
        {S(CORE "_unpickle_context\nK\5X\3\0\0\0a\0b\x86R."), "no such context"},
        {S(CORE "_unpickle_sender\nK\5K\0\x86R."), "no such sender"},
        {S(CORE "_unpickle_sender\nK\5J\xff\xff\xff\xff\x86R."), "no such sender"},
        {S(CORE "_unpickle_sender\nJ\xff\xff\xff\xffK\1\x86R."), "no such sender"},
        {S(CORE "_unpickle_sender\nK\5N\x86R."), "wrong arguments"},
        {S("c_codecs\nencode\nX\1\0\0\0aX\5\0\0\0utf-8\x86R."), "unknown encoding"},
        {S("c_codecs\nencode\nX\1\0\0\0aX\7\0\0\0latin1\0\x86R."), "unknown encoding"},
        {S("c_codecs\nencode\nX\2\0\0\0\xc4\x80X\6\0\0\0latin1\x86R."), "over 255"},
        {S("c_codecs\nencode\nX\3\0\0\0\xe2\x82\xacX\6\0\0\0latin1\x86R."), "over 255"},
        {S("c_codecs\nencode\nX\1\0\0\0a\x85R."), "wrong arguments"},
        {S("c_codecs\nencode\nC\1aX\6\0\0\0latin1\x86R."), "wrong arguments"},
        {S("c__builtin__\nbytes\nN\x85R."), "wrong arguments"},
        /* globals and marks are no values */
        {S("]" CORE "Blob\na."), "no value"},
        {S("](" CORE "Blob\ne."), "no value"},
        {S(CORE "Blob\n\x85."), "no value"},
        {S("(\x85."), "no value"},
        {S("N(\x86."), "no value"},
        {S("}(" CORE "Blob\nNu."), "no value"},
        {S("](a."), "no value"},
        {S("}((Nu."), "something else"},
        /* the stack */
        {S("\x85."), "too few"},
        {S("N\x86."), "too few"},
        {S("NN\x87."), "too few"},
        {S("t."), "too few"},
        {S("Nt."), "too few"},
        {S("a."), "too few"},
        {S("Na."), "too few"},
        {S("NNa."), "something else"},
        {S("e."), "too few"},
        {S("]e."), "too few"},
        {S("(e."), "too few"},
        {S("N(e."), "something else"},
        {S("}(e."), "something else"},
        {S("s."), "too few"},
        {S("Ns."), "too few"},
        {S("NNs."), "too few"},
        {S("NNNs."), "something else"},
        {S("]NNs."), "something else"},
        {S("u."), "too few"},
        {S("}u."), "too few"},
        {S("](u."), "something else"},
        {S("}(Nu."), "something else"}, /* a key alone */
        {S("}(NNNu."), "something else"},
        {S(")Na."), "something else"},
        {S("}]Ns."), "no key"},
        {S("}}Ns."), "no key"},
        {S("}]\x85Ns."), "no key"},
        {S("}(NN)N]Nu."), "no key"},
        /* the memo */
        {S("q\0."), "nothing to remember"},
        {S("(q\0."), "nothing to remember"},
        {S("\x94."), "nothing to remember"},
        {S("h\0."), "not in the memo"},
        {S("Nq\0h\1."), "not in the memo"},
        {S("Nq\1h\0."), "not in the memo"},
        {S("Nj\xff\xff\xff\xff."), "not in the memo"},
        {S("Nr\xff\xff\xff\xff."), "memo out of order"},
        {S("Nq\x11."), "memo out of order"},
        {S("Nr\0\1\0\0."), "memo out of order"},
        /* changing what is inside another value: no ring can be closed */
        {S("]q\0h\0a."), "no value"},
        {S("]q\0(h\0e."), "no value"},
        {S("}q\0(Nh\0u."), "no value"},
        {S("}q\0h\0Ns."), "no value"},
        {S("]q\0]h\0ah\0h\0a."), "inside another"},
        {S("]q\0]q\1h\0ah\0h\1a."), "inside another"},
        {S("]q\0h\0\x85h\0Na."), "inside another"},
        {S("}q\0}Nh\0sh\0NNs."), "inside another"},
        {S("]q\0" CORE "Kwargs\n}q\1\x85Rh\1NNs."), "inside another"},
        {S(")q\0h\0Na."), "something else"},
        /* text */
        {S("X\1\0\0\0\xff."), "not UTF-8"},
        {S("X\2\0\0\0\xc0\x80."), "not UTF-8"},
        {S("X\4\0\0\0\xf4\x90\x80\x80."), "not UTF-8"},
        {S("\x8c\1\xc3."), "not UTF-8"},
        /* lengths */
        {S("X\2\0\0\0a"), "cut short"},
        {S("X\xff\xff\xff\xff."), "cut short"},
        {S("T\xff\xff\xff\xff."), "cut short"},
        {S("B\xff\xff\xff\x7f."), "cut short"},
        {S("\x8b\xff\xff\xff\xff."), "cut short"},
        {S("\x8b\xff\xff\xff\x7f."), "cut short"},
        {S("\x8e\xff\xff\xff\xff\xff\xff\xff\xff."), "cut short"},
        {S("\x8e\0\0\0\0\1\0\0\0."), "cut short"},
        {S("\x8a\xff."), "cut short"},
        {S("U\xff."), "cut short"},
        {S("C\2."), "cut short"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++)
        assert_refused(rows[i].in, rows[i].length, MITO_E_MALFORMED, rows[i].part);
}

/* Every opcode alone, and behind a few values: only ours do anything. */
static void test_every_opcode(void **state)
{
    (void)state;
    static const char ours[] = "(.N\x88\x89JKM\x8a\x8bGX\x8cTUBC\x8e)t\x85\x86\x87]ae}suqr\x94hjcR"
                               "\x80\x95";
    static const struct {
        const char *bytes;
        size_t length;
    } before[] = {{S("")}, {S("N")}, {S("](NN")}, {S("}(NN")}, {S("Nq\0")}, {S(CORE "Blob\nN")}};
    for (int opcode = 0; opcode < 256; opcode++) {
        bool known = memchr(ours, opcode, sizeof(ours) - 1) != NULL;
        for (size_t i = 0; i < LENGTH(before); i++) {
            char in[64] = "";
            memcpy(in, before[i].bytes, before[i].length);
            in[before[i].length] = (char)opcode;
            for (size_t more = 0; more < 20; more++) {
                size_t length = before[i].length + 1 + more;
                struct mito_value *v = load(in, length, NULL);
                if (!known) {
                    char part[64];
                    snprintf(part, sizeof(part), "byte %zu: the opcode 0x%02x is not allowed",
                             before[i].length, (unsigned)opcode);
                    assert_null(v);
                    assert_error(MITO_E_MALFORMED, part);
                }
                mito_value_free(v);
            }
        }
    }
}

static void test_depth(void **state)
{
    (void)state;
    static const struct {
        const char *open, *close;
        size_t close_length;
    } rows[] = {
        {"]", S("a")},
        {"", S("\x85")},
        {"(", S("t")},
        {"}N", S("s")},
        {CORE "Kwargs\n}X\1", S("s\x85R")},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        for (int depth = VALUE_MAX_DEPTH; depth <= VALUE_MAX_DEPTH + 1; depth++) {
            AUTO_BUF in = {0};
            for (int n = 1; n < depth; n++) {
                buf_str(&in, rows[i].open);
                if (i == 4)
                    buf_append(&in, "\0\0\0k", 4);
            }
            buf_byte(&in, ')');
            for (int n = 1; n < depth; n++)
                buf_append(&in, rows[i].close, rows[i].close_length);
            buf_byte(&in, '.');
            if (depth > VALUE_MAX_DEPTH) {
                assert_refused(in.data, in.length, MITO_E_TOO_LARGE, "64 deep");
                continue;
            }
            struct mito_value *v = load(in.data, in.length, NULL);
            if (v == NULL)
                fail_msg("row %zu: %s", i, mito_error());
            AUTO_BUF out = {0};
            assert_int_equal(pickle_dump(&out, v), 0);
            struct mito_value *back = load(out.data, out.length, NULL);
            assert_true(value_equal(v, back));
            mito_value_free(back);
            mito_value_free(v);
        }
    }
}

/* Nothing but opening brackets, a million of them. */
static void test_deep_and_open(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    static const char openers[] = "(]})N";
    char *in = malloc(COUNT + 1);
    assert_non_null(in);
    for (size_t i = 0; i < LENGTH(openers) - 1; i++) {
        memset(in, openers[i], COUNT);
        in[COUNT] = '.';
        assert_refused(in, COUNT + 1, MITO_E_MALFORMED, "not one value");
    }
    memset(in, 0x85, COUNT);
    in[0] = 'N';
    assert_refused(in, COUNT + 1, MITO_E_TOO_LARGE, "64 deep");
    free(in);
}

/* Sharing: a list of ten of the list below it, and so on. */
static void test_laughs(void **state)
{
    (void)state;
    for (int levels = 1; levels <= 12; levels++) {
        AUTO_BUF in = {0};
        buf_str(&in, "(");
        for (int level = 0; level < levels; level++) {
            buf_str(&in, "](");
            for (int i = 0; i < 10; i++) {
                buf_byte(&in, level == 0 ? 'N' : 'h');
                if (level > 0)
                    buf_byte(&in, (uint8_t)(level - 1));
            }
            buf_str(&in, "eq");
            buf_byte(&in, (uint8_t)level);
        }
        buf_str(&in, "t.");
        if (levels >= 6) { /* a million values */
            assert_refused(in.data, in.length, MITO_E_TOO_LARGE, "tree");
            continue;
        }
        struct mito_value *v = load(in.data, in.length, NULL);
        assert_non_null(v);
        mito_value_free(v);
    }
}

/* The same with one long text instead of many values: it is what a copy costs that counts. */
static void test_shared_text(void **state)
{
    (void)state;
    AUTO_BUF in = {0};
    static const uint8_t head[] = {'(', 'X', 0, 0, 1, 0};
    buf_append(&in, head, sizeof(head));
    for (int i = 0; i < 65536; i++)
        buf_byte(&in, 'x');
    buf_append(&in, "q\0", 2);
    for (int i = 0; i < 200; i++)
        buf_append(&in, "h\0", 2);
    size_t few = in.length;
    buf_str(&in, "t.");
    struct mito_value *v = load(in.data, in.length, NULL);
    assert_non_null(v); /* some sharing is nothing special */
    struct mito_value *copy = mito_value_copy(v);
    assert_true(value_equal(v, copy));
    mito_value_free(copy);
    mito_value_free(v);
    in.length = few;
    for (int i = 0; i < 20000; i++)
        buf_append(&in, "h\0", 2);
    buf_str(&in, "t.");
    assert_refused(in.data, in.length, MITO_E_TOO_LARGE, "tree");
}

/* A pickle without sharing is never too heavy, however large. */
static void test_heavy(void **state)
{
    (void)state;
    AUTO_BUF in = {0};
    buf_str(&in, "(");
    for (int i = 0; i < 3000000; i++)
        buf_byte(&in, 'N');
    buf_str(&in, "t.");
    struct mito_value *v = load(in.data, in.length, NULL);
    assert_int_equal(mito_value_length(v), 3000000);
    mito_value_free(v);

    in.length = 1; /* but the number of values has a bound */
    assert_int_equal(buf_reserve(&in, VALUE_MAX_WEIGHT + 2), 0);
    memset(in.data + 1, 'N', VALUE_MAX_WEIGHT);
    in.length += VALUE_MAX_WEIGHT;
    buf_str(&in, "t.");
    assert_refused(in.data, in.length, MITO_E_TOO_LARGE, "values");
}

/* Many indexes in the memo, all far apart from each other. */
static void test_memo_bomb(void **state)
{
    (void)state;
    AUTO_BUF in = {0};
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t index = i * 2 + 16;
        uint8_t put[] = {'N',
                         'r',
                         (uint8_t)index,
                         (uint8_t)(index >> 8),
                         (uint8_t)(index >> 16),
                         (uint8_t)(index >> 24)};
        buf_append(&in, put, sizeof(put));
    }
    assert_refused(in.data, in.length, MITO_E_MALFORMED, "memo out of order");
    /* One value under many indexes in order: one slot of memory each. */
    in.length = 0;
    buf_byte(&in, 'N');
    for (uint32_t i = 0; i < 100000; i++)
        buf_byte(&in, 0x94);
    buf_byte(&in, '.');
    struct mito_value *v = load(in.data, in.length, NULL);
    assert_int_equal(mito_value_type(v), MITO_NONE);
    mito_value_free(v);
}

/* A mark is searched once per opcode that needs one, over what that opcode consumes: many small
 * appends to a large stack must not take time in its square. */
static void test_no_quadratic_time(void **state)
{
    (void)state;
    AUTO_BUF in = {0};
    buf_str(&in, "(");
    for (int i = 0; i < 500000; i++)
        buf_byte(&in, 'N');
    buf_str(&in, "]");
    for (int i = 0; i < 500000; i++)
        buf_str(&in, "Na");
    buf_str(&in, "t.");
    struct mito_value *v = load(in.data, in.length, NULL);
    assert_int_equal(mito_value_length(v), 500001);
    mito_value_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_dump_lengths),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_back_to_back),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_decoded_is_owned),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_opcode),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_deep_and_open),
        cmocka_unit_test(test_laughs),
        cmocka_unit_test(test_shared_text),
        cmocka_unit_test(test_heavy),
        cmocka_unit_test(test_memo_bomb),
        cmocka_unit_test(test_no_quadratic_time),
    };
    return cmocka_run_group_tests_name("pickle", tests, NULL, NULL);
}
