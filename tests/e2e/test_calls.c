/* Calls: values both ways, results, errors, limits. */
#include "tree.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct mito_function no_such_name = {"main", "no_such_function", NULL, 0};
static const struct mito_function no_such_module = {"no_such_module", "tree_pid", NULL, 0};

/* --- keywords ----------------------------------------------------------------------------------
 */

MITO_FUNCTION(keywords)
{
    int64_t a, depth = -1;
    const char *name = NULL;

    if (mito_args(call, "i", &a) < 0)
        return -1;
    const struct mito_value *given = mito_call_keyword(call, "depth");
    if (given != NULL && mito_value_int(given, &depth) < 0)
        return -1;
    given = mito_call_keyword(call, "name");
    if (given != NULL)
        name = mito_value_str(given, NULL);
    return mito_return(call, "iis", a, depth, name);
}

static void test_keywords(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t a, depth;
    char *name;

    assert_int_equal(mito_call(child, &keywords, "i", 1, "iis", &a, &depth, &name), 0);
    assert_int_equal(depth, -1);
    assert_null(name);
    assert_int_equal(
        mito_call(child, &keywords, "i|sssi", 1, "name", "x", "depth", 7, "iis", &a, &depth, &name),
        0);
    assert_int_equal(a, 1);
    assert_int_equal(depth, 7);
    assert_string_equal(name, "x");
    free(name);
    assert_int_equal(mito_call(child, &keywords, "i|s", 1, "name", "iis", &a, &depth, &name), -1);
    assert_error(MITO_E_INVALID, "names and values");
    assert_int_equal(mito_call(child, &keywords, "i|ss|", 1, "name", "x", ""), -1);
    assert_error(MITO_E_INVALID, "unknown letter");
    /* A function of that class there is none, but of that name and module. */
    assert_int_equal(mito_call_python(child, "main", "Class.keywords", "i", 1, "v", NULL), -1);
    assert_error(MITO_E_NO_FUNCTION, "no function main.Class.keywords");
    assert_int_equal(mito_call_python(child, "main", "keywords", "i", 5, "iis", &a, NULL, NULL), 0);
    assert_int_equal(a, 5);
    assert_int_equal(mito_call_service(child, "a.Service", "method", "si", "a", 1, ""), -1);
    assert_error(MITO_E_DEAD, "no handle 110");
}

/* --- values of every kind ---------------------------------------------------------------------
 */

MITO_FUNCTION(mirror_scalars)
{
    bool b;
    int64_t i;
    double d;
    const char *s;

    if (mito_args(call, "nbids", &b, &i, &d, &s) < 0)
        return -1;
    return mito_return(call, "nbids", b, i, d, s);
}

static void mirror(struct mito_context *child, bool b, int64_t i, double d, const char *s)
{
    bool b2 = !b;
    int64_t i2 = ~i;
    double d2 = 0;
    char *s2 = (char *)-1;

    assert_int_equal(
        mito_call(child, &mirror_scalars, "nbids", b, i, d, s, "nbids", &b2, &i2, &d2, &s2), 0);
    assert_int_equal(b2, b);
    assert_true(i2 == i);
    assert_memory_equal(&d2, &d, sizeof d);
    if (s == NULL)
        assert_null(s2);
    else
        assert_string_equal(s2, s);
    free(s2);
}

static void test_scalars(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    static const int64_t integers[] = {
        0,
        1,
        -1,
        127,
        128,
        255,
        256,
        65535,
        65536,
        -32769,
        INT32_MAX,
        INT32_MIN,
        (int64_t)INT32_MAX + 1,
        (int64_t)INT32_MIN - 1,
        UINT32_MAX,
        INT64_MAX,
        INT64_MIN,
    };
    static const double doubles[] = {0.0, -0.0, 1.5, -1e300, 5e-324, INFINITY};
    static const char *const texts[] = {"", "x", "z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x90\x9d",
                                        NULL};

    for (size_t i = 0; i < LENGTH(integers); i++)
        mirror(child, i % 2 == 0, integers[i], doubles[i % LENGTH(doubles)],
               texts[i % LENGTH(texts)]);
}

/* What is passed is widened to what the signature means, whatever integer type it has. */
static void test_widening(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    signed char c = -3;
    unsigned short h = 65000;
    unsigned u = 4000000000u;
    float f = 0.5f;
    int64_t i1, i2, i3;
    double d;
    bool b;
    const struct mito_value *v;

    assert_int_equal(mito_call(child, &tree_echo, "((i[ii])d)", c, h, u, f, "v", &v), 0);
    const struct mito_value *integers = mito_value_item(v, 0);
    assert_int_equal(mito_value_int(mito_value_item(integers, 0), &i1), 0);
    assert_int_equal(mito_value_int(mito_value_item(mito_value_item(integers, 1), 0), &i2), 0);
    assert_int_equal(mito_value_int(mito_value_item(mito_value_item(integers, 1), 1), &i3), 0);
    assert_int_equal(mito_value_double(mito_value_item(v, 1), &d), 0);
    assert_true(i1 == -3 && i2 == 65000 && i3 == 4000000000 && d == 0.5);
    mito_value_free((struct mito_value *)(uintptr_t)v);
    assert_int_equal(mito_call(child, &tree_echo, "b", 5, "b", &b), 0);
    assert_true(b);
}

MITO_FUNCTION(mirror_bytes)
{
    const void *y, *blob;
    size_t y_length, blob_length;
    const char *secret;

    if (mito_args(call, "yBS", &y, &y_length, &blob, &blob_length, &secret) < 0)
        return -1;
    return mito_return(call, "yBS", y, y_length, blob, blob_length, secret);
}

static void test_bytes(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    unsigned char every[300], *y, *blob;
    size_t y_length = 1, blob_length = 1;
    char *secret;

    for (size_t i = 0; i < sizeof every; i++)
        every[i] = (unsigned char)i;
    assert_int_equal(mito_call(child, &mirror_bytes, "yBS", every, sizeof every, every, 256, "hush",
                               "yBS", &y, &y_length, &blob, &blob_length, &secret),
                     0);
    assert_int_equal(y_length, sizeof every);
    assert_memory_equal(y, every, sizeof every);
    assert_int_equal(blob_length, 256);
    assert_memory_equal(blob, every, 256);
    assert_string_equal(secret, "hush");
    free(y);
    free(blob);
    free(secret);
    assert_int_equal(mito_call(child, &mirror_bytes, "yBS", NULL, 0, "", 0, NULL, "yBS", &y,
                               &y_length, &blob, &blob_length, &secret),
                     0);
    assert_int_equal(y_length, 0);
    assert_int_equal(blob_length, 0);
    assert_null(secret);
    free(y);
    free(blob);
}

/* Tells the receiver and the sender that it was given who it is. */
MITO_FUNCTION(mirror_objects)
{
    MITO_AUTO_CONTEXT context = NULL;
    MITO_AUTO_SENDER receiver = NULL;
    MITO_AUTO_SENDER sender = NULL;
    const struct mito_value *v;

    if (mito_args(call, "ctrv", &context, &sender, &receiver, &v) < 0)
        return -1;
    if (mito_send(receiver, "s", "to the receiver") < 0 || mito_send(sender, "s", "to the sender"))
        return -1;
    return mito_return(call, "cttv", context, sender, receiver, v);
}

static void assert_text_message(struct mito_receiver *rx, uint32_t src_id, const char *expected)
{
    const char *text = NULL;
    MITO_AUTO_MESSAGE m = tree_receive(rx);

    assert_int_equal(mito_message_read(m, "s", &text), 0);
    assert_string_equal(text, expected);
    assert_int_equal(mito_message_src_id(m), src_id);
    MITO_AUTO_CONTEXT from = mito_message_context(m);
    assert_int_equal(mito_context_id(from), src_id);
}

static void test_objects(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT other = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER behind = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = mito_sender_to(behind);
    MITO_AUTO_CONTEXT context = NULL;
    MITO_AUTO_SENDER sender = NULL;
    MITO_AUTO_SENDER receiver = NULL;
    struct mito_value *v, *list = mito_value_new_list();

    assert_int_equal(mito_call(child, &mirror_objects, "ctrv", other, tx, rx, list, "cttv",
                               &context, &sender, &receiver, &v),
                     0);
    mito_value_free(list);
    assert_ptr_equal(context, other); /* one object per context of this process */
    assert_string_equal(mito_context_name(context), mito_context_name(other));
    assert_text_message(rx, mito_context_id(child), "to the receiver");
    assert_text_message(behind, mito_context_id(child), "to the sender");
    assert_int_equal(mito_sender_handle(sender), mito_sender_handle(tx));
    MITO_AUTO_CONTEXT self = mito_context_self(tree);
    MITO_AUTO_CONTEXT where = mito_sender_context(receiver);
    assert_ptr_equal(where, self);
    assert_int_equal(mito_value_type(v), MITO_LIST);
    assert_int_equal(mito_value_length(v), 0);
    mito_value_free(v);
    assert_int_equal(mito_send(receiver, "s", "by way of what came back"), 0);
    assert_text_message(rx, 0, "by way of what came back");
}

/* Brackets in signatures, and every type of value inside one another. */
static void test_nesting(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_value *v = NULL;
    int64_t a, b;
    char *s;
    uint32_t id, handle;
    size_t length;

    assert_int_equal(
        mito_call(child, &tree_echo, "(i[s(i)]n)", 7, "in a list", 8, "(i[s(i)]n)", &a, &s, &b), 0);
    assert_true(a == 7 && b == 8);
    assert_string_equal(s, "in a list");
    free(s);
    assert_int_equal(mito_call(child, &tree_echo, "{sisBs[S{sc}y]}", "one", 1, "blob", "\0b", 2,
                               "list", "secret", "context", child, "\xff", 1, "v", &v),
                     0);
    assert_int_equal(mito_value_type(v), MITO_DICT);
    assert_int_equal(mito_value_length(v), 3);
    assert_int_equal(mito_value_int(mito_value_get(v, "one"), &a), 0);
    assert_true(a == 1);
    const struct mito_value *blob = mito_value_get(v, "blob");
    assert_int_equal(mito_value_type(blob), MITO_BLOB);
    assert_memory_equal(mito_value_bytes(blob, &length), "\0b", 2);
    assert_int_equal(length, 2);
    const struct mito_value *list = mito_value_get(v, "list");
    assert_int_equal(mito_value_type(list), MITO_LIST);
    assert_int_equal(mito_value_type(mito_value_item(list, 0)), MITO_SECRET);
    assert_string_equal(mito_value_str(mito_value_item(list, 0), NULL), "secret");
    const struct mito_value *context = mito_value_get(mito_value_item(list, 1), "context");
    assert_int_equal(mito_value_type(context), MITO_CONTEXT);
    assert_int_equal(mito_value_address(context, &id, &handle), 0);
    assert_int_equal(id, mito_context_id(child));
    assert_int_equal(mito_value_type(mito_value_item(list, 2)), MITO_BYTES);
    assert_null(mito_value_get(v, "two"));
    mito_value_free(v);
}

static struct mito_value *made_by_hand(void)
{
    struct mito_value *dict = mito_value_new_dict();
    struct mito_value *list = mito_value_new_list();

    assert_int_equal(mito_value_append(list, mito_value_new_none()), 0);
    assert_int_equal(mito_value_append(list, mito_value_new_bool(true)), 0);
    assert_int_equal(mito_value_append(list, mito_value_new_int(INT64_MIN)), 0);
    assert_int_equal(mito_value_append(list, mito_value_new_double(2.5)), 0);
    assert_int_equal(mito_value_append(list, mito_value_new_str("a\0b", 3)), 0);
    assert_int_equal(mito_value_append(list, mito_value_new_bytes("\0\xff", 2)), 0);
    assert_int_equal(mito_value_set(dict, mito_value_new_int(1), list), 0);
    return dict;
}

static void test_values_made_by_hand(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_value *sent = made_by_hand(), *v;
    bool b;
    int64_t i;
    double d;
    size_t length;

    assert_int_equal(mito_call(child, &tree_echo, "v", sent, "v", &v), 0);
    mito_value_free(sent);
    assert_int_equal(mito_value_int(mito_value_key(v, 0), &i), 0);
    assert_true(i == 1);
    const struct mito_value *list = mito_value_item(v, 0);
    assert_int_equal(mito_value_length(list), 6);
    assert_int_equal(mito_value_type(mito_value_item(list, 0)), MITO_NONE);
    assert_true(mito_value_bool(mito_value_item(list, 1), &b) == 0 && b);
    assert_true(mito_value_int(mito_value_item(list, 2), &i) == 0 && i == INT64_MIN);
    assert_true(mito_value_double(mito_value_item(list, 3), &d) == 0 && d == 2.5);
    assert_memory_equal(mito_value_str(mito_value_item(list, 4), &length), "a\0b", 4);
    assert_int_equal(length, 3);
    assert_memory_equal(mito_value_bytes(mito_value_item(list, 5), &length), "\0\xff", 2);
    assert_int_equal(length, 2);
    mito_value_free(v);
}

/* --- integers that only Python makes ----------------------------------------------------------
 */

/* A peer that answers every call with 2**80 + 5. Stands in for ssh, so that it is sent the image
 * first. */
static int big_integer_peer(void)
{
    static const unsigned char pickle[] = {0x80, 2, 0x8a, 11, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, '.'};
    unsigned char header[26], byte;
    char line[64];
    size_t size = 0;

    if (fgets(line, sizeof line, stdin) == NULL || sscanf(line, "%*s %zu", &size) != 1)
        return 1;
    while (size-- > 0 && getchar() != EOF)
        ;
    if (write(1, "MITO_002\n", 9) != 9)
        return 1;
    while (fread(header, sizeof header, 1, stdin) == 1) {
        size_t length = (size_t)header[22] << 24 | (size_t)header[23] << 16 |
                        (size_t)header[24] << 8 | header[25];
        while (length-- > 0 && fread(&byte, 1, 1, stdin) == 1)
            ;
        unsigned char answer[26 + sizeof pickle] = {0x4d, 0x49};
        memcpy(answer + 2, header + 6, 4); /* to who asked */
        memcpy(answer + 6, header + 2, 4); /* from whom it asked */
        memcpy(answer + 10, header + 2, 4);
        memcpy(answer + 14, header + 18, 4); /* where the answer goes */
        answer[25] = sizeof pickle;
        memcpy(answer + 26, pickle, sizeof pickle);
        if (header[17] == 101 && write(1, answer, sizeof answer) != (ssize_t)sizeof answer)
            return 1;
        if (header[17] == 106)
            return 0;
    }
    return 0;
}

static void assert_is_big(const struct mito_value *v)
{
    static const unsigned char expected[] = {5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    size_t length;
    int64_t i;

    assert_int_equal(mito_value_type(v), MITO_INT);
    assert_int_equal(mito_value_int(v, &i), -1);
    assert_error(MITO_E_RANGE, "");
    assert_memory_equal(mito_value_bytes(v, &length), expected, sizeof expected);
    assert_int_equal(length, sizeof expected);
}

static void test_integers_beyond_64_bits(void **state)
{
    (void)state;
    char self[4096] = {0};
    int64_t i;
    struct mito_value *v, *back;

    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    MITO_AUTO_CONTEXT peer = mito_ssh(tree, .hostname = "peer", .ssh_path = self);
    assert_non_null(peer);
    MITO_AUTO_CONTEXT child = tree_local();
    assert_int_equal(mito_call(peer, &tree_pid, "", "i", &i), -1);
    assert_error(MITO_E_RANGE, "ssh.peer");
    assert_int_equal(mito_call(peer, &tree_pid, "", "v", &v), 0);
    assert_is_big(v);
    assert_int_equal(mito_call(child, &tree_echo, "v", v, "v", &back), 0);
    assert_is_big(back);
    mito_value_free(v);
    mito_value_free(back);
}

/* --- results and arguments that do not fit ----------------------------------------------------
 */

MITO_FUNCTION(text_and_number)
{
    const char *s;
    int64_t i;

    if (mito_args(call, "si", &s, &i) < 0)
        return -1;
    return mito_return(call, "is", i, s);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();

    assert_int_equal(mito_call(child, &text_and_number, "s", "x", "v", NULL), -1);
    assert_error(MITO_E_TYPE, "text_and_number");
    assert_error(MITO_E_TYPE, mito_context_name(child));
    assert_int_equal(mito_call(child, &text_and_number, "sii", "x", 1, 2, "v", NULL), -1);
    assert_error(MITO_E_TYPE, "");
    assert_int_equal(mito_call(child, &text_and_number, "", "v", NULL), -1);
    assert_error(MITO_E_TYPE, "");
    assert_int_equal(mito_call(child, &text_and_number, "ss", "x", "1", "v", NULL), -1);
    assert_error(MITO_E_TYPE, "2");
    assert_int_equal(mito_call(child, &text_and_number, "ni", 1, "v", NULL), 0); /* None: NULL */
    assert_int_equal(mito_call(child, &text_and_number, "yi", "x", 1, 1, "v", NULL), -1);
    assert_error(MITO_E_TYPE, "1");
    struct mito_value *text = mito_value_new_str("a\0b", 3);
    assert_int_equal(mito_call(child, &text_and_number, "vi", text, 1, "v", NULL), -1);
    assert_error(MITO_E_RANGE, "1");
    mito_value_free(text);
    assert_true(tree_pid_of(child) > 0);
}

static void test_wrong_results(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t i = 17;
    char *s = (char *)"untouched";

    assert_int_equal(mito_call(child, &text_and_number, "si", "x", 5, "si", &s, &i), -1);
    assert_error(MITO_E_TYPE, "text_and_number");
    assert_string_equal(s, "untouched");
    assert_true(i == 17);
    assert_int_equal(mito_call(child, &text_and_number, "si", "x", 5, "i", &i), -1);
    assert_error(MITO_E_TYPE, mito_context_name(child));
    assert_int_equal(mito_call(child, &text_and_number, "si", "x", 5, "isi", &i, &s, &i), -1);
    assert_error(MITO_E_TYPE, "");
    assert_int_equal(mito_call(child, &text_and_number, "si", "x", 5, "is", &i, NULL), 0);
    assert_true(i == 5);
    assert_int_equal(mito_call(child, &text_and_number, "si", "x", 5, "ii", NULL, NULL), -1);
    assert_error(MITO_E_TYPE, "");
    assert_int_equal(mito_call(child, &text_and_number, "si", "x", 5, ""), -1);
    assert_error(MITO_E_TYPE, "");
}

MITO_FUNCTION(count_arguments)
{
    int64_t first = -1;

    mito_value_int(mito_call_argument(call, 0), &first);
    if (mito_call_keyword(call, "x") != NULL)
        return mito_fail(call, MITO_E_INVALID, "a keyword out of nowhere");
    if (mito_call_argument(call, mito_value_length(mito_call_arguments(call))) != NULL)
        return mito_fail(call, MITO_E_INVALID, "an argument too many");
    return mito_return(call, "ii", mito_value_length(mito_call_arguments(call)), first);
}

static void test_arguments_as_values(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t count, first;

    assert_int_equal(mito_call(child, &count_arguments, "iis", 9, 8, "x", "ii", &count, &first), 0);
    assert_true(count == 3 && first == 9);
    assert_int_equal(mito_call(child, &count_arguments, "", "ii", &count, &first), 0);
    assert_true(count == 0 && first == -1);
}

static void test_wrong_signatures(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_int_equal(mito_call(child, &tree_echo, "q", 1, "v", NULL), -1);
    assert_error(MITO_E_INVALID, "\"q\"");
    assert_int_equal(mito_call(child, &tree_echo, "(i", 1, "v", NULL), -1);
    assert_error(MITO_E_INVALID, "(i");
    assert_int_equal(mito_call(child, &tree_echo, "i", 1, "i]", NULL), -1);
    assert_error(MITO_E_INVALID, "i]");
    assert_int_equal(mito_call_async(child, &tree_echo, rx, NULL, "?"), -1);
    assert_error(MITO_E_INVALID, "\"?\"");
    assert_int_equal(mito_call_no_reply(child, &tree_echo, "?"), -1);
    assert_error(MITO_E_INVALID, "\"?\"");
    assert_int_equal(mito_call(child, &tree_echo, "c", NULL, "v", NULL), -1);
    assert_error(MITO_E_INVALID, "");
    assert_int_equal(mito_call(child, NULL, "", ""), -1);
    assert_error(MITO_E_INVALID, "");
}

/* --- failures ---------------------------------------------------------------------------------
 */

MITO_FUNCTION(fail_with)
{
    int64_t code;
    const char *text;

    if (mito_args(call, "is", &code, &text) < 0)
        return -1;
    return mito_fail(call, (int)code, "%s (%d)", text, 42);
}

MITO_FUNCTION(fail_without_text)
{
    (void)call;
    return -1;
}

MITO_FUNCTION(fail_by_thread_error)
{
    (void)call;
    return mito_fail(NULL, MITO_E_USER + 3, "set without the call");
}

/* An error that the function met on its way and did not pass on is not its own. */
MITO_FUNCTION(succeed_after_error)
{
    if (mito_args(call, "i", NULL) == 0)
        return mito_fail(call, MITO_E_INVALID, "there was nothing to read");
    return mito_return(call, "s", "fine");
}

static void assert_fails_with(struct mito_context *child, int code, int arrives_as)
{
    assert_int_equal(mito_call(child, &fail_with, "is", code, "because", ""), -1);
    assert_int_equal(mito_error_code(), arrives_as);
    assert_non_null(strstr(mito_error(), "because (42)"));
    assert_non_null(strstr(mito_error(), "fail_with"));
    assert_non_null(strstr(mito_error(), mito_context_name(child)));
    assert_null(strchr(mito_error(), '\n'));
}

static void test_failures(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    char *s;

    for (int code = MITO_E_NOMEM; code <= MITO_E_CRASHED; code++)
        assert_fails_with(child, code, code);
    assert_fails_with(child, MITO_E_USER, MITO_E_USER);
    assert_fails_with(child, MITO_E_USER + 12345, MITO_E_USER + 12345);
    assert_fails_with(child, MITO_E_USER - 1, MITO_E_REMOTE);
    assert_fails_with(child, -5, MITO_E_REMOTE);
    assert_int_equal(mito_call(child, &fail_without_text, "", ""), -1);
    assert_error(MITO_E_REMOTE, "fail_without_text");
    assert_int_equal(mito_call(child, &fail_by_thread_error, "", ""), -1);
    assert_int_equal(mito_error_code(), MITO_E_USER + 3);
    assert_non_null(strstr(mito_error(), "set without the call"));
    assert_int_equal(mito_call(child, &succeed_after_error, "", "s", &s), 0);
    assert_string_equal(s, "fine");
    free(s);
}

/* What comes from a child must not reach a terminal as it is. */
static void test_failure_texts_are_harmless(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    char *long_text = malloc(100001);

    assert_int_equal(mito_call(child, &fail_with, "is", 1000, "\x1b[2J\nsecond line", ""), -1);
    assert_non_null(strstr(mito_error(), "\\x1b[2J\\x0asecond line"));
    memset(long_text, 'x', 100000);
    long_text[100000] = '\0';
    assert_int_equal(mito_call(child, &fail_with, "is", 1000, long_text, ""), -1);
    assert_int_equal(mito_error_code(), 1000);
    assert_true(strlen(mito_error()) < 1000);
    assert_non_null(strstr(mito_error(), "fail_with: xxx"));
    free(long_text);
}

static void test_unknown_functions(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_int_equal(mito_call(child, &no_such_name, "", ""), -1);
    assert_error(MITO_E_NO_FUNCTION, "main.no_such_function");
    assert_int_equal(mito_call(child, &no_such_module, "i", 1, ""), -1);
    assert_error(MITO_E_NO_FUNCTION, "no_such_module.tree_pid");
    assert_int_equal(mito_call_async(child, &no_such_name, rx, NULL, ""), 0);
    struct mito_message *m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, ""), -1);
    assert_error(MITO_E_NO_FUNCTION, "no_such_function");
    mito_message_free(m);
}

static void assert_refused(struct mito_receiver *rx, int code)
{
    MITO_AUTO_MESSAGE m = tree_receive(rx);

    assert_int_equal(mito_message_read(m, "v", NULL), -1);
    assert_error(code, "");
}

/* Messages for CALL_FUNCTION that no caller of ours would send. */
static void test_malformed_calls(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER calls = mito_sender_new(child, 101);

    assert_int_equal(mito_request(calls, rx, NULL, "i", 5), 0);
    assert_refused(rx, MITO_E_MALFORMED);
    assert_int_equal(mito_request(calls, rx, NULL, "nsns()", "main", "tree_pid"), 0);
    assert_refused(rx, MITO_E_MALFORMED);
    assert_int_equal(mito_request(calls, rx, NULL, "nsni(){}", "main", 5), 0);
    assert_refused(rx, MITO_E_MALFORMED);
    assert_int_equal(mito_request(calls, rx, NULL, "nsnsi{}", "main", "tree_pid", 5), 0);
    assert_refused(rx, MITO_E_MALFORMED);
    assert_int_equal(mito_request(calls, rx, NULL, "nsns(){}", "main", "tree_pie"), 0);
    assert_refused(rx, MITO_E_NO_FUNCTION);
    assert_int_equal(mito_request(calls, rx, NULL, "nsns(){}", "mitosis", "nonsense"), 0);
    assert_refused(rx, MITO_E_NO_FUNCTION);
    assert_int_equal(mito_request(calls, rx, NULL, "nsns(){}", "main", "tree_pid"), 0);
    struct mito_message *m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, "i", NULL), 0);
    mito_message_free(m);
}

static void test_no_call_to_oneself(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT self = mito_context_self(tree);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_int_equal(mito_call(self, &tree_pid, "", "v", NULL), -1);
    assert_error(MITO_E_INVALID, "itself");
    assert_int_equal(mito_call_async(self, &tree_pid, rx, NULL, ""), 0);
    assert_refused(rx, MITO_E_DEAD); /* the master serves no calls */
}

/* --- without waiting --------------------------------------------------------------------------
 */

static int finished_blocks;

MITO_FUNCTION(block_and_count)
{
    MITO_AUTO_SENDER ready = NULL;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(mito_call_router(call));

    if (mito_args(call, "t", &ready) < 0 || mito_send(ready, "r", rx) < 0)
        return -1;
    mito_message_free(mito_receive(rx, MITO_FOREVER));
    finished_blocks++;
    return mito_return(call, "i", finished_blocks);
}

MITO_FUNCTION(count_finished_blocks)
{
    return mito_return(call, "i", finished_blocks);
}

static void test_timeout(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER word = NULL;
    int64_t count, before = now_ms();

    assert_int_equal(mito_call_timeout(child, 150, &block_and_count, "r", rx, "i", &count), -1);
    assert_error(MITO_E_TIMEOUT, "block_and_count");
    assert_error(MITO_E_TIMEOUT, mito_context_name(child));
    assert_in_range(now_ms() - before, 149, 5000);
    struct mito_message *m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, "t", &word), 0);
    mito_message_free(m);
    assert_int_equal(mito_call_timeout(child, 0, &count_finished_blocks, "", "i", &count), -1);
    assert_error(MITO_E_TIMEOUT, "");
    assert_int_equal(mito_send(word, "n"), 0); /* the function was there all the time */
    assert_int_equal(mito_call_timeout(child, PATIENCE, &count_finished_blocks, "", "i", &count),
                     0);
    assert_true(count == 1);
}

MITO_FUNCTION(twice)
{
    int64_t i;

    if (mito_args(call, "i", &i) < 0)
        return -1;
    if (i % 10 == 3)
        return mito_fail(call, MITO_E_USER + (int)i, "no threes");
    return mito_return(call, "i", i * 2);
}

static void test_thousand_in_flight(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct mito_context *children[2] = {tree_local(), tree_local()};
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    static int tags[COUNT];
    int last[2] = {-1, -1};

    memset(tags, 0, sizeof tags);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(mito_call_async(children[i % 2], &twice, rx, &tags[i], "i", i), 0);
    for (int n = 0; n < COUNT; n++) {
        int64_t result;
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        int i = (int)((int *)mito_message_tag(m) - tags);
        MITO_AUTO_CONTEXT from = mito_message_context(m);
        assert_in_range(i, 0, COUNT - 1);
        assert_int_equal(tags[i]++, 0);
        assert_ptr_equal(from, children[i % 2]);
        assert_true(i > last[i % 2]); /* one context answers in order */
        last[i % 2] = i;
        if (i % 10 == 3) {
            assert_int_equal(mito_message_read(m, "i", &result), -1);
            assert_int_equal(mito_error_code(), MITO_E_USER + i);
        } else {
            assert_int_equal(mito_message_read(m, "i", &result), 0);
            assert_true(result == 2 * i);
        }
    }
    assert_null(mito_receive(rx, 0));
    assert_error(MITO_E_TIMEOUT, "");
    mito_context_unref(children[0]);
    mito_context_unref(children[1]);
}

static int64_t noted;

MITO_FUNCTION(note)
{
    return mito_args(call, "i", &noted);
}

MITO_FUNCTION(tell_noted)
{
    return mito_return(call, "i", noted);
}

static void test_fire_and_forget(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t i;

    assert_int_equal(mito_call_no_reply(child, &note, "i", 77), 0);
    assert_int_equal(mito_call(child, &tell_noted, "", "i", &i), 0);
    assert_true(i == 77);
    assert_int_equal(mito_call_no_reply(child, &fail_with, "is", 1001, "nobody hears"), 0);
    const struct kept_record *r =
        tree_record(mito_context_id(child), NULL, "nobody hears (42)", PATIENCE);
    assert_non_null(r);
    assert_int_equal(r->level, MITO_ERROR);
    assert_non_null(strstr(r->text, "fail_with"));
    assert_int_equal(mito_call_no_reply(child, &no_such_name, ""), 0);
    assert_non_null(tree_record(mito_context_id(child), NULL, "no_such_function", PATIENCE));
}

/* --- sizes ------------------------------------------------------------------------------------
 */

static void echo_bytes(struct mito_context *child, size_t length)
{
    unsigned char *sent = malloc(length), *back = NULL;
    size_t back_length = 0;

    assert_non_null(sent);
    for (size_t i = 0; i < length; i++)
        sent[i] = (unsigned char)(i * 31 >> 3);
    assert_int_equal(mito_call(child, &tree_echo, "y", sent, length, "y", &back, &back_length), 0);
    assert_int_equal(back_length, length);
    assert_int_equal(memcmp(sent, back, length), 0);
    free(sent);
    free(back);
}

static void test_large_arguments_and_results(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);

    for (size_t length = 65536 - 64; length < 65536 + 64; length += 16)
        echo_bytes(child, length);
    echo_bytes(child, 1 << 20);
    echo_bytes(child, (size_t)(UNDER_TSAN ? 8 : 64) << 20);
    echo_bytes(below, 4 << 20); /* on its way through another one */
}

MITO_FUNCTION(make_bytes)
{
    int64_t length;
    void *bytes;

    if (mito_args(call, "i", &length) < 0)
        return -1;
    bytes = calloc(1, (size_t)length);
    int rc = mito_return(call, "y", bytes, length);
    free(bytes);
    return rc;
}

static void test_over_max_message_size(void **state)
{
    (void)state;
    enum { MAX = 100000 };
    tree_reopen(&(struct mito_router_options){.max_message_size = MAX});
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    MITO_AUTO_RECEIVER own = mito_receiver_new(tree);
    MITO_AUTO_SENDER to_own = mito_sender_to(own);
    static char bytes[MAX];
    pid_t pid = tree_pid_of(child);

    assert_int_equal(mito_send(to_own, "y", bytes, MAX), -1); /* not even to oneself */
    assert_error(MITO_E_TOO_LARGE, "max_message_size");
    assert_null(mito_receive(own, 0));
    assert_error(MITO_E_TIMEOUT, "");
    assert_int_equal(mito_call(child, &tree_echo, "y", bytes, MAX, "v", NULL), -1);
    assert_error(MITO_E_TOO_LARGE, "max_message_size");
    assert_int_equal(mito_call(child, &make_bytes, "i", MAX, "v", NULL), -1);
    assert_error(MITO_E_TOO_LARGE, "max_message_size");
    assert_error(MITO_E_TOO_LARGE, mito_context_name(child));
    assert_int_equal(mito_call(below, &make_bytes, "i", MAX, "v", NULL), -1);
    assert_error(MITO_E_TOO_LARGE, mito_context_name(below));
    /* On the very limit nothing breaks: it fits or it is refused where it is made. */
    int fitted = 0, refused = 0;
    for (int length = MAX - 100; length <= MAX; length++) {
        if (mito_call(child, &tree_echo, "y", bytes, length, "v", NULL) == 0) {
            assert_int_equal(refused, 0);
            fitted++;
        } else {
            assert_error(MITO_E_TOO_LARGE, "");
            refused++;
        }
        assert_int_equal(mito_call(child, &make_bytes, "i", length - 200, "v", NULL), 0);
    }
    assert_true(fitted > 0 && refused > 0);
    refused = 0;
    for (int length = MAX - 20; length <= MAX; length++) {
        if (mito_call(child, &make_bytes, "i", length, "v", NULL) < 0) {
            assert_error(MITO_E_TOO_LARGE, "");
            refused++;
        }
    }
    assert_in_range(refused, 1, 20);
    assert_int_equal(tree_pid_of(child), pid);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    if (argc > 1 && strcmp(argv[1], "-T") == 0)
        return big_integer_peer();
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_keywords),
        TREE_TEST(test_scalars),
        TREE_TEST(test_widening),
        TREE_TEST(test_bytes),
        TREE_TEST(test_objects),
        TREE_TEST(test_nesting),
        TREE_TEST(test_values_made_by_hand),
        TREE_TEST(test_integers_beyond_64_bits),
        TREE_TEST(test_wrong_arguments),
        TREE_TEST(test_wrong_results),
        TREE_TEST(test_arguments_as_values),
        TREE_TEST(test_wrong_signatures),
        TREE_TEST(test_failures),
        TREE_TEST(test_failure_texts_are_harmless),
        TREE_TEST(test_unknown_functions),
        TREE_TEST(test_malformed_calls),
        TREE_TEST(test_no_call_to_oneself),
        TREE_TEST(test_timeout),
        TREE_TEST(test_thousand_in_flight),
        TREE_TEST(test_fire_and_forget),
        TREE_TEST(test_large_arguments_and_results),
        TREE_TEST(test_over_max_message_size),
    };
    return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
