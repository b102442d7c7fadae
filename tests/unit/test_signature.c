/* Signatures: arguments to pickles and back, through the widening of the public macros. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "base/err.h"
#include "unit/value_equal.h"
#include "wire/pickle.h"
#include "wire/signature.h"

/* ---- Contexts and senders: plain structs here, counted ---- */

struct object {
    uint32_t id, handle;
    const char *name;
};

static int objects;       /* made and not released */
static int objects_until; /* so many can be made */

static int address_of(void *arg, char letter, const void *object, struct address *out)
{
    const struct object *o = object;
    assert_ptr_equal(arg, &objects);
    assert_non_null(strchr("crt", letter));
    if (o->id == 666)
        return error_set(MITO_E_DEAD, "no address");
    *out = (struct address){o->id, o->handle, o->name};
    return 0;
}

static void *object_of(void *arg, char letter, const struct address *address)
{
    assert_ptr_equal(arg, &objects);
    assert_non_null(strchr("ct", letter));
    if (objects == objects_until) {
        error_set(MITO_E_DENIED, "no more objects");
        return NULL;
    }
    struct object *o = malloc(sizeof(*o));
    assert_non_null(o);
    *o = (struct object){address->context_id, address->handle, NULL};
    if (letter == 'c')
        assert_int_equal(address->handle, 0);
    objects++;
    return o;
}

static void release(void *arg, char letter, void *object)
{
    assert_ptr_equal(arg, &objects);
    assert_non_null(strchr("ct", letter));
    error_set(MITO_E_SYSTEM, "of the hook"); /* must not replace the error of the read */
    objects--;
    free(object);
}

static const struct signature_hooks hooks = {&objects, address_of, object_of, release};

/* ---- As the public functions do it ---- */

static int pack_(struct buf *out, bool as_tuple, const void *signature, ...)
{
    struct arguments args;
    va_start(args.ap, signature);
    int result = signature_pack(out, signature, as_tuple, &args, &hooks);
    if (result == 0) /* all were taken: the terminator is next */
        assert_null(va_arg(args.ap, const void *));
    va_end(args.ap);
    return result;
}
#define pack(out, as_tuple, ...) pack_((out), (as_tuple)MITO_VALUES_(__VA_ARGS__, (char *)0))

static int unpack_(const struct mito_value *value, bool as_tuple,
                   enum signature_ownership ownership, const void *signature, ...)
{
    struct arguments args;
    va_start(args.ap, signature);
    int result = signature_unpack(value, signature, as_tuple, ownership, &args, &hooks);
    if (result == 0)
        assert_null(va_arg(args.ap, const void *));
    va_end(args.ap);
    return result;
}
#define unpack(value, as_tuple, ownership, ...)                                                    \
    unpack_((value), (as_tuple), (ownership)MITO_VALUES_(__VA_ARGS__, (char *)0))

/* Makes a value of what follows, through a pickle. */
static struct mito_value *load(struct buf *in)
{
    AUTO_BUF whole = {0};
    pickle_begin(&whole);
    buf_append(&whole, in->data, in->length);
    pickle_end(&whole);
    struct mito_value *v = pickle_load(whole.data, whole.length, NULL);
    if (v == NULL)
        fail_msg("%s", mito_error());
    in->length = 0;
    return v;
}

static struct mito_value *load_text(const char *data, size_t length)
{
    AUTO_BUF b = {0};
    buf_append(&b, data, length);
    return load(&b);
}
#define V(literal) load_text((literal), sizeof(literal) - 1)

/* ---- The grammar ---- */

static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *signature;
        int count; /* -1: malformed */
        const char *part;
    } rows[] = {
        {"", 0, ""},
        {"nbidsyBScrtv", 12, ""},
        {"i", 1, ""},
        {"(ii)", 1, ""},
        {"()[]{}", 3, ""},
        {"i(i[i(i)]{si}i)i", 3, ""},
        {"{s(i{si})}", 1, ""},
        {"((((((((((((((((i))))))))))))))))", 1, ""},
        {"(((((((((((((((((i)))))))))))))))))", -1, "too deeply nested"},
        {"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii", 64, ""},
        {"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii", -1, "too long"},
        {"(", -1, "brackets"},
        {")", -1, "brackets"},
        {"(]", -1, "brackets"},
        {"([)]", -1, "brackets"},
        {"(i", -1, "brackets"},
        {"i)", -1, "brackets"},
        {"{s}", -1, "key without a value"},
        {"{sis}", -1, "key without a value"},
        {"{s(ii)s}", -1, "key without a value"},
        {"x", -1, "unknown letter"},
        {"i i", -1, "unknown letter"},
        {"i%s", -1, "unknown letter"},
        {"\xff", -1, "unknown letter"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        size_t count = 999;
        assert_int_equal(signature_check(rows[i].signature, &count), rows[i].count < 0 ? -1 : 0);
        assert_int_equal(signature_check(rows[i].signature, NULL), rows[i].count < 0 ? -1 : 0);
        if (rows[i].count < 0)
            assert_error(MITO_E_INVALID, rows[i].part);
        else
            assert_int_equal(count, rows[i].count);
    }
    assert_int_equal(signature_check("sq", NULL), -1);
    assert_error(MITO_E_INVALID, "\"sq\""); /* quoted */
}

/* ---- In ---- */

static void assert_packed(struct buf *out, const char *bytes, size_t length)
{
    assert_int_equal(out->length, length);
    assert_memory_equal(out->data, bytes, length);
    out->length = 0;
}
#define assert_packs(out, literal) assert_packed((out), (literal), sizeof(literal) - 1)

static void test_pack_shapes(void **state)
{
    (void)state;
    AUTO_BUF out = {0};
    assert_int_equal(pack(&out, false, ""), 0);
    assert_packs(&out, "N");
    assert_int_equal(pack(&out, true, ""), 0);
    assert_packs(&out, "(t");
    assert_int_equal(pack(&out, false, "i", 1), 0);
    assert_packs(&out, "K\1");
    assert_int_equal(pack(&out, true, "i", 1), 0);
    assert_packs(&out, "(K\1t");
    assert_int_equal(pack(&out, false, "ii", 1, 2), 0);
    assert_packs(&out, "(K\1K\2t");
    assert_int_equal(pack(&out, true, "ii", 1, 2), 0);
    assert_packs(&out, "(K\1K\2t");
    assert_int_equal(pack(&out, false, "(ii)", 1, 2), 0);
    assert_packs(&out, "(K\1K\2t");
    assert_int_equal(pack(&out, true, "(ii)", 1, 2), 0);
    assert_packs(&out, "((K\1K\2tt");
    assert_int_equal(pack(&out, false, "[i(n)]{si}", 1, "k", 2), 0);
    assert_packs(&out, "(](K\1(Nte}(X\1\0\0\0kK\2ut");
    assert_int_equal(pack(&out, false, "()"), 0);
    assert_packs(&out, "(t");
}

/* Every integer type of C, and what is passed for a truth value. */
static void test_pack_widths(void **state)
{
    (void)state;
    AUTO_BUF out = {0};
    char c = 1;
    signed char sc = -1;
    unsigned char uc = 255;
    short s = -2;
    unsigned short us = 65535;
    unsigned u = UINT32_MAX;
    long l = -3;
    unsigned long long ull = UINT64_MAX; /* as its 64 bits */
    bool yes = true;
    enum { FOUR = 4 } e = FOUR;
    assert_int_equal(pack(&out, true, "iiiiiiiiii", c, sc, uc, s, us, u, l, ull, yes, e), 0);
    struct mito_value *v = load(&out);
    static const int64_t expected[] = {1, -1, 255, -2, 65535, UINT32_MAX, -3, -1, 1, 4};
    for (size_t i = 0; i < LENGTH(expected); i++) {
        int64_t x = 99;
        assert_int_equal(mito_value_int(mito_value_item(v, i), &x), 0);
        assert_true(x == expected[i]);
    }
    mito_value_free(v);
    assert_int_equal(pack(&out, true, "bbbb", true, 0, 256, INT64_MIN), 0);
    assert_packs(&out, "(\x88\x89\x88\x88t");
    assert_int_equal(pack(&out, true, "dd", 1.5f, -0.5), 0);
    assert_packs(&out, "(G\x3f\xf8\0\0\0\0\0\0G\xbf\xe0\0\0\0\0\0\0t");
}

static void test_pack_texts(void **state)
{
    (void)state;
    AUTO_BUF out = {0};
    unsigned char raw[] = {0, 255};
    size_t size = sizeof(raw);
    assert_int_equal(pack(&out, true, "ss", "x", NULL), 0);
    assert_packs(&out, "(X\1\0\0\0xNt");
    assert_int_equal(pack(&out, true, "SS", "x", NULL), 0);
    assert_packs(&out, "(cmitogen.core\nSecret\nX\1\0\0\0x\x85RNt");
    assert_int_equal(pack(&out, true, "yBi", raw, size, "ab", 2, 9), 0);
    assert_packs(&out, "(U\2\0\xff"
                       "cmitogen.core\nBlob\nU\2ab\x85RK\x09t");
    assert_int_equal(pack(&out, true, "yy", NULL, 0, "", 0), 0);
    assert_packs(&out, "(U\0U\0t");
    assert_int_equal(pack(&out, true, "n"), 0);
    assert_packs(&out, "(Nt");
}

static void test_pack_objects(void **state)
{
    (void)state;
    AUTO_BUF out = {0};
    struct object context = {5, 0, "n"}, anonymous = {6, 0, NULL}, sender = {7, 1000, NULL};
    assert_int_equal(pack(&out, true, "ccrt", &context, &anonymous, &sender, &sender), 0);
    assert_packs(&out, "(cmitogen.core\n_unpickle_context\nK\5X\1\0\0\0n\x86R"
                       "cmitogen.core\n_unpickle_context\nK\6N\x86R"
                       "cmitogen.core\n_unpickle_sender\nK\7M\xe8\3\x86R"
                       "cmitogen.core\n_unpickle_sender\nK\7M\xe8\3\x86Rt");
    struct mito_value *v = V("](K\1Ne");
    assert_int_equal(pack(&out, true, "vi", v, 2), 0);
    assert_packs(&out, "(](K\1NeK\2t");
    mito_value_free(v);
}

static void test_pack_refused(void **state)
{
    (void)state;
    AUTO_BUF out = {0};
    struct object dead = {666, 0, NULL};
    buf_str(&out, "kept");
    assert_int_equal(pack(&out, true, "q", 1), -1);
    assert_error(MITO_E_INVALID, "\"q\"");
    assert_int_equal(pack(&out, true, "is", 1, "\xff"), -1);
    assert_error(MITO_E_INVALID, "argument 2 (s): text that is not UTF-8");
    assert_int_equal(pack(&out, false, "(n)s", "\xff"), -1);
    assert_error(MITO_E_INVALID, "value 2 (s): ");
    assert_int_equal(pack(&out, true, "y", "x", -1), -1);
    assert_error(MITO_E_INVALID, "argument 1 (y): ");
    assert_int_equal(pack(&out, true, "B", "x", INT64_MIN), -1);
    assert_int_equal(pack(&out, true, "y", NULL, 1), -1);
    assert_int_equal(pack(&out, true, "c", NULL), -1);
    assert_error(MITO_E_INVALID, "argument 1 (c): NULL");
    assert_int_equal(pack(&out, true, "r", NULL), -1);
    assert_int_equal(pack(&out, true, "t", NULL), -1);
    assert_int_equal(pack(&out, true, "v", NULL), -1);
    assert_int_equal(pack(&out, true, "ic", 1, &dead), -1);
    assert_error(MITO_E_DEAD, "argument 2 (c): no address");
    assert_packs(&out, "kept");
}

static int pack_keywords_(struct buf *out, const void *signature, ...)
{
    struct arguments args;
    va_start(args.ap, signature);
    int result = signature_pack_keywords(out, signature, &args, &hooks);
    if (result == 0)
        assert_null(va_arg(args.ap, const void *));
    va_end(args.ap);
    return result;
}
#define pack_keywords(out, ...) pack_keywords_((out)MITO_VALUES_(__VA_ARGS__, (char *)0))

static void test_pack_keywords(void **state)
{
    (void)state;
    static const char *const wrong[] = {"i", "s", "is", "si(i", "s(", "sis", "(ss)", "x", "s{si}i"};
    AUTO_BUF out = {0};
    int64_t x = 0;
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        assert_int_equal(pack_keywords(&out, wrong[i], "a", 1, "b", 2, "c"), -1);
        assert_error(MITO_E_INVALID, "signature");
    }
    assert_int_equal(out.length, 0);
    assert_int_equal(pickle_begin(&out), 0);
    assert_int_equal(pack_keywords(&out, "s(i[s])s{si}", "a", 1, "x", "b", "c", 2), 0);
    assert_int_equal(pickle_end(&out), 0);
    struct mito_value *v = load(&out);
    assert_int_equal(mito_value_type(v), MITO_KWARGS);
    assert_int_equal(mito_value_length(v), 2);
    assert_int_equal(mito_value_int(mito_value_get(mito_value_get(v, "b"), "c"), &x), 0);
    assert_int_equal(x, 2);
    assert_int_equal(mito_value_int(mito_value_item(mito_value_get(v, "a"), 0), &x), 0);
    assert_int_equal(x, 1);
    mito_value_free(v);
}

static int pack_plain(struct buf *out, const char *signature, ...)
{
    struct arguments args;
    va_start(args.ap, signature);
    int result = signature_pack(out, signature, false, &args, NULL);
    va_end(args.ap);
    return result;
}

static int unpack_plain(const struct mito_value *v, const char *signature, ...)
{
    struct arguments args;
    va_start(args.ap, signature);
    int result = signature_unpack(v, signature, false, SIGNATURE_BORROW, &args, NULL);
    va_end(args.ap);
    return result;
}

/* Without hooks everything works but contexts and senders. */
static void test_no_hooks(void **state)
{
    (void)state;
    static const char *const letters[] = {"c", "r", "t"};
    AUTO_BUF out = {0};
    struct object o = {1, 1, NULL}, *got = &o;
    int64_t x = 0;
    for (size_t i = 0; i < LENGTH(letters); i++) {
        struct mito_value *v = i == 0 ? value_new_context(1, NULL) : value_new_sender(1, 1);
        assert_int_equal(pack_plain(&out, letters[i], (const void *)&o), -1);
        assert_error(MITO_E_INVALID, "mean nothing here");
        assert_int_equal(unpack_plain(v, letters[i], (const void *)&got), -1);
        assert_error(MITO_E_INVALID, "mean nothing here");
        mito_value_free(v);
    }
    assert_ptr_equal(got, &o);
    assert_int_equal(out.length, 0);
    assert_int_equal(pack_plain(&out, "i", (int64_t)5), 0);
    struct mito_value *v = load(&out);
    assert_int_equal(unpack_plain(v, "i", (const void *)&x), 0);
    assert_int_equal(x, 5);
    mito_value_free(v);
}

/* ---- Out ---- */

static void test_unpack(void **state)
{
    (void)state;
    AUTO_BUF out = {0};
    assert_int_equal(pack(&out, true, "bidsyBSn(i[s]){si}", 1, -7, 2.5, "text", "\0y", 2, "blob", 4,
                          "secret", 8, "deep", "k", 9),
                     0);
    struct mito_value *v = load(&out);
    const struct mito_value *dict = NULL;
    bool b = false;
    int64_t i = 0, j = 0;
    double d = 0;
    const char *s = NULL, *secret = NULL, *deep = NULL;
    const void *y = NULL, *blob = NULL;
    size_t y_size = 0, blob_size = 0;
    assert_int_equal(unpack(v, true, SIGNATURE_BORROW, "bidsyBSn(i[s])v", &b, &i, &d, &s, &y,
                            &y_size, &blob, &blob_size, &secret, &j, &deep, &dict),
                     0);
    assert_true(b);
    assert_int_equal(i, -7);
    assert_true(d == 2.5);
    assert_string_equal(s, "text");
    assert_int_equal(y_size, 2);
    assert_memory_equal(y, "\0y", 2);
    assert_int_equal(blob_size, 4);
    assert_memory_equal(blob, "blob", 4);
    assert_string_equal(secret, "secret");
    assert_int_equal(j, 8);
    assert_string_equal(deep, "deep");
    assert_ptr_equal(dict, mito_value_item(v, 9));
    /* Borrowed: it is the value's own memory. */
    assert_ptr_equal(s, mito_value_str(mito_value_item(v, 3), NULL));
    mito_value_free(v);
}

static void test_unpack_copies(void **state)
{
    (void)state;
    struct mito_value *v = V("(X\1\0\0\0aU\2bccmitogen.core\nBlob\nU\0\x85R"
                             "cmitogen.core\nSecret\nX\1\0\0\0s\x85R](K\1et");
    char *s = NULL, *secret = NULL;
    void *y = NULL, *blob = NULL;
    size_t y_size = 9, blob_size = 9;
    struct mito_value *list = NULL;
    assert_int_equal(unpack(v, true, SIGNATURE_COPY, "syBSv", &s, &y, &y_size, &blob, &blob_size,
                            &secret, &list),
                     0);
    struct mito_value *again = V("](K\1e");
    assert_true(value_equal(list, again));
    mito_value_free(again);
    mito_value_free(v);
    assert_string_equal(s, "a"); /* lives on */
    assert_int_equal(y_size, 2);
    assert_memory_equal(y, "bc", 3); /* with a NUL behind it */
    assert_int_equal(blob_size, 0);
    assert_non_null(blob);
    assert_string_equal(secret, "s");
    free(s);
    free(y);
    free(blob);
    free(secret);
    mito_value_free(list);
}

static void test_unpack_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *pickle;
        size_t length;
        const char *signature;
        bool as_tuple;
        bool good;
        const char *part;
    } rows[] = {
#define P(literal) literal, sizeof(literal) - 1
        {P("N"), "", false, true, ""},
        {P("K\1"), "", false, false, "expected None, got an integer"},
        {P("(t"), "", true, true, ""},
        {P("](e"), "", true, true, ""},
        {P("(K\1t"), "", true, false, "expected 0 arguments, got 1"},
        {P("N"), "", true, false, "expected a tuple, got None"},
        {P("K\1"), "i", false, true, ""},
        {P("(K\1t"), "i", true, true, ""},
        {P("](K\1e"), "i", true, true, ""},
        {P("(K\1t"), "i", false, false, "expected an integer (i), got a tuple"},
        {P("K\1"), "i", true, false, "expected a tuple, got an integer"},
        {P("(K\1K\2t"), "ii", false, true, ""},
        {P("](K\1K\2e"), "ii", false, true, ""},
        {P("(K\1K\2t"), "ii", true, true, ""},
        {P("K\1"), "ii", false, false, "expected a tuple, got an integer"},
        {P("(K\1t"), "ii", true, false, "expected 2 arguments, got 1"},
        {P("(K\1K\2K\3t"), "ii", false, false, "expected 2 values, got 3"},
        {P("(K\1X\0\0\0\0t"), "ii", true, false,
         "argument 2: expected an integer (i), got a string"},
        {P("(K\1X\0\0\0\0t"), "ii", false, false, "value 2: expected an integer (i), got a string"},
        {P("(K\1K\2t"), "(ii)", false, true, ""},
        {P("](K\1K\2e"), "[ii]", false, true, ""},
        {P("](K\1K\2e"), "(ii)", false, false, "expected a tuple, got a list"},
        {P("(K\1K\2t"), "[ii]", false, false, "expected a list, got a tuple"},
        {P("((K\1K\2tt"), "(ii)", true, true, ""},
        {P("((K\1K\2tt"), "(i)", true, false, "argument 1: expected 1 item, got 2"},
        {P("((K\1](NetK\3t"), "(i[i])i", true, false,
         "argument 1: item 2: item 1: expected an integer (i), got None"},
        {P("}(u"), "{}", false, false, "with v"},
        {P("}(u"), "(", false, false, "brackets"},
        {P("}(u"), "i", false, false, "expected an integer (i), got a dict"},
        {P("\x88"), "i", false, false, "expected an integer (i), got a truth value"},
        {P("K\1"), "b", false, false, "expected a truth value (b), got an integer"},
        {P("K\1"), "d", false, false, "expected a float (d), got an integer"},
        {P("U\1a"), "s", false, false, "expected a string (s), got bytes"},
        {P("X\1\0\0\0a"), "y", false, false, "expected bytes (y), got a string"},
        {P("N"), "y", false, false, "expected bytes (y), got None"},
        {P("U\1a"), "B", false, false, "expected a Blob (B), got bytes"},
        {P("X\1\0\0\0a"), "S", false, false, "expected a Secret (S), got a string"},
        {P("K\1"), "n", false, false, "expected None (n), got an integer"},
        {P("N"), "c", false, false, "expected a context (c), got None"},
        {P("N"), "t", false, false, "expected a sender (t), got None"},
        {P("N"), "r", false, false, "expected a sender (r), got None"},
        {P("N"), "s", false, true, ""},
        {P("N"), "S", false, true, ""},
        {P("N"), "v", false, true, ""},
        {P("N"), "n", false, true, ""},
        {P("cmitogen.core\n_unpickle_sender\nK\1K\2\x86R"), "c", false, false, "got a sender"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct mito_value *v = load_text(rows[i].pickle, rows[i].length);
        /* NULL for every out pointer: the value is looked at and thrown away. */
        const void *nothing = NULL;
        int result = unpack_(v, rows[i].as_tuple, SIGNATURE_COPY, rows[i].signature, nothing,
                             nothing, nothing, nothing, nothing);
        assert_int_equal(result, rows[i].good ? 0 : -1);
        if (!rows[i].good && strstr(mito_error(), rows[i].part) == NULL)
            fail_msg("row %zu: \"%s\" is not in \"%s\"", i, rows[i].part, mito_error());
        mito_value_free(v);
    }
}

static void test_unpack_nulls(void **state)
{
    (void)state;
    struct mito_value *v = V("(NNt");
    const char *s = "x", *secret = "x";
    for (int ownership = SIGNATURE_BORROW; ownership <= SIGNATURE_COPY; ownership++) {
        assert_int_equal(unpack(v, true, (enum signature_ownership)ownership, "sS", &s, &secret),
                         0);
        assert_null(s);
        assert_null(secret);
        s = secret = "x";
    }
    mito_value_free(v);
    assert_int_equal(unpack((struct mito_value *)NULL, false, SIGNATURE_BORROW, "s", &s), -1);
    assert_error(MITO_E_TYPE, "got nothing");
    assert_string_equal(s, "x");
    /* A size without its data, and the other way round. */
    v = V("U\3abc");
    size_t size = 0;
    const void *data = NULL, *nothing = NULL;
    assert_int_equal(unpack(v, false, SIGNATURE_COPY, "y", nothing, &size), 0);
    assert_int_equal(size, 3);
    assert_int_equal(unpack(v, false, SIGNATURE_BORROW, "y", &data, nothing), 0);
    assert_memory_equal(data, "abc", 3);
    mito_value_free(v);
}

static void test_unpack_ranges(void **state)
{
    (void)state;
    int64_t i = 5;
    const char *s = NULL;
    struct mito_value *v = V("(K\1\x8a\x09\0\0\0\0\0\0\0\0\1t");
    assert_int_equal(unpack(v, true, SIGNATURE_BORROW, "ii", &i, &i), -1);
    assert_error(MITO_E_RANGE, "argument 2: an integer of more than 64 bits");
    assert_int_equal(i, 5);
    mito_value_free(v);
    v = V("X\3\0\0\0a\0b");
    assert_int_equal(unpack(v, false, SIGNATURE_BORROW, "s", &s), -1);
    assert_error(MITO_E_RANGE, "NUL");
    const struct mito_value *any = NULL;
    assert_int_equal(unpack(v, false, SIGNATURE_BORROW, "v", &any), 0);
    assert_ptr_equal(any, v);
    mito_value_free(v);
    v = V("cmitogen.core\nSecret\nX\3\0\0\0a\0b\x85R");
    assert_int_equal(unpack(v, false, SIGNATURE_BORROW, "S", &s), -1);
    assert_error(MITO_E_RANGE, "NUL");
    mito_value_free(v);
}

#define CONTEXT(id) "cmitogen.core\n_unpickle_context\nK" id "X\1\0\0\0n\x86R"
#define SENDER(id)  "cmitogen.core\n_unpickle_sender\nK" id "M\xe8\3\x86R"

static void test_unpack_objects(void **state)
{
    (void)state;
    struct mito_value *v = V("(" CONTEXT("\5") SENDER("\6") SENDER("\7") "t");
    struct object *c = NULL, *r = NULL, *t = NULL;
    objects = 0;
    objects_until = 100;
    assert_int_equal(unpack(v, true, SIGNATURE_BORROW, "crt", &c, &r, &t), 0);
    assert_int_equal(objects, 3);
    assert_int_equal(c->id, 5);
    assert_int_equal(r->id, 6);
    assert_int_equal(r->handle, 1000);
    assert_int_equal(t->id, 7);
    free(c);
    free(r);
    free(t);
    objects = 0;
    const void *nothing = NULL; /* nothing is made for nobody */
    assert_int_equal(unpack(v, true, SIGNATURE_BORROW, "crt", nothing, nothing, nothing), 0);
    assert_int_equal(objects, 0);
    mito_value_free(v);
}

/* All or nothing: wherever a read fails, no out pointer was written, nothing stays behind. */
static void test_all_or_nothing(void **state)
{
    (void)state;
    struct mito_value *v =
        V("(" CONTEXT("\5") "X\1\0\0\0aU\1b](K\1e" SENDER("\6") "K\1" SENDER("\7") "K\2t");
    for (objects_until = 0; objects_until <= 3; objects_until++) {
        for (int ownership = SIGNATURE_BORROW; ownership <= SIGNATURE_COPY; ownership++) {
            struct object mark, *c = &mark, *t = &mark, *r = &mark;
            const char *s = "mark";
            const void *y = "mark";
            size_t size = 77;
            const struct mito_value *any = v;
            int64_t i = 77;
            objects = 0;
            /* The last letter is wrong when all objects could be made. */
            int result = unpack(v, true, (enum signature_ownership)ownership, "csyvtirs", &c, &s,
                                &y, &size, &any, &t, &i, &r, &s);
            assert_int_equal(result, -1);
            assert_int_equal(mito_error_code(), objects_until < 3 ? MITO_E_DENIED : MITO_E_TYPE);
            static const char *const where[] = {"argument 1: ", "argument 5: ", "argument 7: ",
                                                "argument 8: expected a string (s), got an"};
            assert_error(mito_error_code(), where[objects_until]);
            assert_int_equal(objects, 0);
            assert_ptr_equal(c, &mark);
            assert_ptr_equal(t, &mark);
            assert_ptr_equal(r, &mark);
            assert_string_equal(s, "mark");
            assert_string_equal(y, "mark");
            assert_int_equal(size, 77);
            assert_ptr_equal(any, v);
            assert_int_equal(i, 77);
        }
    }
    mito_value_free(v);
}

/* As many values as a signature can have. */
static void test_longest(void **state)
{
    (void)state;
    AUTO_BUF in = {0};
    char signature[65];
    memset(signature, 'n', 64);
    memset(signature, 'i', 20);
    signature[64] = '\0';
    int64_t x[20];
    memset(x, 0, sizeof(x));
    buf_byte(&in, '(');
    for (uint8_t i = 0; i < 64; i++) {
        if (i < 20) {
            buf_byte(&in, 'K');
            buf_byte(&in, i);
        } else {
            buf_byte(&in, 'N');
        }
    }
    buf_byte(&in, 't');
    struct mito_value *v = load(&in);
    assert_int_equal(unpack(v, true, SIGNATURE_BORROW, signature, &x[0], &x[1], &x[2], &x[3], &x[4],
                            &x[5], &x[6], &x[7], &x[8], &x[9], &x[10], &x[11], &x[12], &x[13],
                            &x[14], &x[15], &x[16], &x[17], &x[18], &x[19]),
                     0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(x[i], i);
    mito_value_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),          cmocka_unit_test(test_pack_shapes),
        cmocka_unit_test(test_pack_widths),    cmocka_unit_test(test_pack_texts),
        cmocka_unit_test(test_pack_objects),   cmocka_unit_test(test_pack_refused),
        cmocka_unit_test(test_pack_keywords),  cmocka_unit_test(test_no_hooks),
        cmocka_unit_test(test_unpack),         cmocka_unit_test(test_unpack_copies),
        cmocka_unit_test(test_unpack_shapes),  cmocka_unit_test(test_unpack_nulls),
        cmocka_unit_test(test_unpack_ranges),  cmocka_unit_test(test_unpack_objects),
        cmocka_unit_test(test_all_or_nothing), cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
