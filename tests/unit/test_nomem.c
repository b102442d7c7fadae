/* No memory: every allocation of a scenario fails once, and nothing worse than an error happens.
 * The files that allocate are compiled in here, with an allocator that fails on demand. */
#include "cmocka_all.h"

#include <stdlib.h>

static unsigned long allocations, fail_at;

static bool fails(void)
{
    return ++allocations == fail_at;
}

static void *our_malloc(size_t size)
{
    return fails() ? NULL : (malloc)(size);
}

static void *our_calloc(size_t count, size_t size)
{
    return fails() ? NULL : (calloc)(count, size);
}

static void *our_realloc(void *p, size_t size)
{
    return fails() ? NULL : (realloc)(p, size);
}

#define malloc(size)        our_malloc(size)
#define calloc(count, size) our_calloc(count, size)
#define realloc(p, size)    our_realloc(p, size)
#include "base/block.c"
#include "base/buf.c"
#define grow map_grow /* two files have one of that name */
#include "base/map.c"
#undef grow
#include "wire/pickle_load.c"
#include "wire/signature.c"
#include "wire/value.c"
#undef malloc
#undef calloc
#undef realloc

#include "base/text.h"
#include "unit/value_equal.h"
#include "wire/failure.h"

/* Runs it with the first allocation failing, then the second ... until none did. */
static void each_failure(int (*scenario)(void))
{
    for (fail_at = 1; fail_at < 10000; fail_at++) {
        allocations = 0;
        error_set(MITO_OK, "none");
        int result = scenario();
        if (allocations < fail_at) {
            assert_int_equal(result, 0);
            assert_true(fail_at > 1);
            return;
        }
        assert_int_equal(result, -1);
        assert_string_equal(mito_error_name(mito_error_code()), "nomem");
    }
    fail_msg("no end");
}

static int fill_buf(void)
{
    AUTO_BUF b = {0};
    static const char large[500] = "x";
    for (int i = 0; i < 20; i++) {
        size_t before = b.length;
        if (buf_append(&b, large, sizeof(large)) < 0 || buf_printf(&b, "%0300d", i) < 0 ||
            text_escape(&b, "\n\n\n", 3) < 0 || text_percent_encode(&b, "a b") < 0) {
            assert_true(b.length >= before); /* each part whole or not there */
            return -1;
        }
    }
    return 0;
}

static int fill_map(void)
{
    struct map m = {0};
    int result = 0;
    for (uint32_t key = 0; key < 1000 && result == 0; key++) {
        result = map_set(&m, key, &m);
        if (result < 0)
            assert_int_equal(m.count, key);
    }
    for (uint32_t key = 0; key < m.count; key++)
        assert_ptr_equal(map_get(&m, key), &m);
    map_free(&m);
    return result;
}

static struct mito_value *build(void)
{
    static const uint8_t large[5000] = {1};
    struct mito_value *list = mito_value_new_list();
    struct mito_value *dict = mito_value_new_dict();
    struct mito_value *kwargs = value_new_kwargs();
    int bad = 0;
    bad |= mito_value_set(dict, value_new_long(large, sizeof(large)), value_new_blob(large, 5000));
    bad |= mito_value_set(kwargs, mito_value_new_str("key", 3), value_new_context(1, "name"));
    bad |= mito_value_set(dict, mito_value_new_none(), kwargs);
    for (int i = 0; i < 10; i++)
        bad |= mito_value_append(list, mito_value_new_int(i));
    bad |= mito_value_append(list, dict);
    bad |= mito_value_append(list, value_new_sender(1, 2));
    if (list != NULL && bad == 0)
        return list;
    /* The first error is that of memory; what followed from it is another. */
    mito_value_free(list);
    error_nomem();
    return NULL;
}

static int build_and_copy(void)
{
    struct mito_value *v = build(), *copy = v == NULL ? NULL : mito_value_copy(v);
    int result = copy == NULL ? -1 : 0;
    if (result == 0)
        assert_true(value_equal(v, copy));
    mito_value_free(v);
    mito_value_free(copy);
    return result;
}

static int dump_and_load(void)
{
    AUTO_BUF out = {0};
    struct mito_value *v = build(), *back = NULL;
    int result = v == NULL ? -1 : pickle_dump(&out, v);
    if (result < 0)
        assert_int_equal(out.length, 0);
    if (result == 0)
        back = pickle_load(out.data, out.length, NULL);
    if (back != NULL)
        assert_true(value_equal(v, back));
    mito_value_free(v);
    mito_value_free(back);
    return back == NULL ? -1 : 0;
}

/* Every opcode that makes something, and a memo. */
static int load_all(void)
{
    static const uint8_t in[] =
        "\x80\2(]q\0(NK\1M\1\1J\1\1\1\1G\0\0\0\0\0\0\0\0\x8a\x09yyyyyyyyyeh\0X\1\0\0\0xr\1\0\0\0"
        "c_codecs\nencode\nX\1\0\0\0xX\6\0\0\0latin1\x86Rc__builtin__\nbytes\n)R}K\1K\2s(K\3t)"
        "\x85K\1K\1K\1\x87]Na"
        "cmitogen.core\nKwargs\n}\x85R"
        "cmitogen.core\n_unpickle_call_error\nX\1\0\0\0f\x85R"
        "cmitogen.core\n_unpickle_context\nK\1X\1\0\0\0n\x86Rt.";
    struct mito_value *v = pickle_load(in, sizeof(in) - 1, NULL);
    mito_value_free(v);
    return v == NULL ? -1 : 0;
}

static int live;

static void *object_of(void *arg, char letter, const struct address *address)
{
    (void)arg;
    (void)letter;
    (void)address;
    void *object = our_malloc(1);
    if (object == NULL)
        error_nomem();
    live += object != NULL;
    return object;
}

static void release_object(void *arg, char letter, void *object)
{
    (void)arg;
    (void)letter;
    live--;
    free(object);
}

static int unpack(const struct mito_value *v, const char *signature, ...)
{
    static const struct signature_hooks hooks = {NULL, NULL, object_of, release_object};
    struct arguments args;
    va_start(args.ap, signature);
    int result = signature_unpack(v, signature, true, SIGNATURE_COPY, &args, &hooks);
    va_end(args.ap);
    return result;
}

static int read_copies(void)
{
    static const uint8_t in[] = "(X\1\0\0\0aU\1b](K\1e"
                                "cmitogen.core\n_unpickle_context\nK\1N\x86RX\1\0\0\0ct.";
    struct mito_value *v = pickle_load(in, sizeof(in) - 1, NULL), *any = NULL;
    char *s = NULL, *t = NULL;
    void *y = NULL, *object = NULL;
    size_t size = 0;
    int result = v == NULL
                     ? -1
                     : unpack(v, "syvcs", (const void *)&s, (const void *)&y, (const void *)&size,
                              (const void *)&any, (const void *)&object, (const void *)&t);
    mito_value_free(v);
    if (result < 0) {
        assert_int_equal(live, 0);
        assert_true(s == NULL && y == NULL && any == NULL && object == NULL && t == NULL);
        return -1;
    }
    assert_string_equal(t, "c");
    free(s);
    free(y);
    free(t);
    mito_value_free(any);
    release_object(NULL, 'c', object);
    return 0;
}

static int encode_failure(void)
{
    AUTO_BUF out = {0};
    struct error e;
    error_fill(&e, 4711, "%400d\n", 5);
    int result = failure_encode(&out, &e);
    if (result < 0)
        assert_int_equal(out.length, 0);
    return result;
}

#define SCENARIO(function)                                                                         \
    static void test_##function(void **state)                                                      \
    {                                                                                              \
        (void)state;                                                                               \
        each_failure(function);                                                                    \
    }
SCENARIO(fill_buf)
SCENARIO(fill_map)
SCENARIO(build_and_copy)
SCENARIO(dump_and_load)
SCENARIO(load_all)
SCENARIO(read_copies)
SCENARIO(encode_failure)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill_buf),       cmocka_unit_test(test_fill_map),
        cmocka_unit_test(test_build_and_copy), cmocka_unit_test(test_dump_and_load),
        cmocka_unit_test(test_load_all),       cmocka_unit_test(test_read_copies),
        cmocka_unit_test(test_encode_failure),
    };
    return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}
