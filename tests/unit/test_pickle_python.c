/* Pickles, against a real Mitogen: each side reads what the other one wrote.
 * Needs /usr/bin/python3 with mitogen (Debian: python3-mitogen), and fails without. */
#include "cmocka_all.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "unit/value_equal.h"
#include "wire/pickle.h"

extern char **environ;

/* ---- Records: see pickle_python.py ---- */

static void put_part(struct buf *out, const void *data, size_t length)
{
    uint8_t head[4] = {(uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16),
                       (uint8_t)(length >> 24)};
    assert_int_equal(buf_append(out, head, sizeof(head)), 0);
    assert_int_equal(buf_append(out, data, length), 0);
}

static const uint8_t *take_part(const struct buf *in, size_t *at, size_t *length)
{
    assert_true(in->length - *at >= 4);
    const uint8_t *p = in->data + *at;
    *length = (size_t)(p[0] | p[1] << 8 | p[2] << 16) | (size_t)p[3] << 24;
    assert_true(in->length - *at - 4 >= *length);
    *at += 4 + *length;
    return p + 4;
}

/* ---- Python ---- */

static const char *script(void)
{
    static char path[4096];
    const char *top = getenv("TOP");
    snprintf(path, sizeof(path), "%s/tests/unit/pickle_python.py", top != NULL ? top : ".");
    return path;
}

/* Starts the script with one end of a pipe as its stdin or stdout; the other end is returned. */
static int start(const char *mode, int its_fd, pid_t *pid)
{
    int fds[2];
    posix_spawn_file_actions_t actions;
    char *argv[] = {(char *)"/usr/bin/python3", (char *)(uintptr_t)script(),
                    (char *)(uintptr_t)mode, NULL};
    int its = its_fd == STDIN_FILENO ? 0 : 1;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_adddup2(&actions, fds[its], its_fd);
    posix_spawn_file_actions_addclose(&actions, fds[0]);
    posix_spawn_file_actions_addclose(&actions, fds[1]);
    if (posix_spawn(pid, argv[0], &actions, NULL, argv, environ) != 0)
        fail_msg("cannot start %s", argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[its]);
    return fds[1 - its];
}

static void finish(int fd, pid_t pid)
{
    int status = 0;
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s failed; is python3-mitogen installed?", script());
}

static void from_python(struct buf *in)
{
    pid_t pid;
    int fd = start("write", STDOUT_FILENO, &pid);
    for (ssize_t n = 1; n > 0;) {
        assert_int_equal(buf_reserve(in, 65536), 0);
        n = read(fd, in->data + in->length, 65536);
        in->length += n > 0 ? (size_t)n : 0;
    }
    finish(fd, pid);
}

static void to_python(const struct buf *out)
{
    pid_t pid;
    int fd = start("read", STDIN_FILENO, &pid);
    for (size_t at = 0; at < out->length;) {
        ssize_t n = write(fd, out->data + at, out->length - at);
        if (n <= 0)
            break; /* it ended early: finish() says so */
        at += (size_t)n;
    }
    finish(fd, pid);
}

/* ---- The rows that we can make ourselves ---- */

static struct mito_value *text(const char *s)
{
    return mito_value_new_str(s, strlen(s));
}

static struct mito_value *numbers(struct mito_value *container, int count)
{
    for (int64_t i = 0; i < count; i++)
        assert_int_equal(mito_value_append(container, mito_value_new_int(i)), 0);
    return container;
}

static struct mito_value *make_power(const char *label)
{
    int power, more;
    bool negative = label[4] == '-';
    assert_int_equal(sscanf(label + 4 + negative, "%d %d", &power, &more), 2);
    if (power < 63 || (power == 63 && more < 0)) {
        int64_t x = power == 63 ? INT64_MAX : ((int64_t)1 << power) + more;
        return mito_value_new_int(negative ? -x : x);
    }
    /* 2^power + more, and its complement plus one. */
    uint8_t bytes[20000 / 8 + 2] = {0};
    size_t length = (size_t)power / 8 + 2;
    if (more < 0) {
        memset(bytes, 0xff, (size_t)power / 8);
        bytes[power / 8] = (uint8_t)((1 << power % 8) - 1);
    } else {
        bytes[power / 8] = (uint8_t)(1 << power % 8);
        bytes[0] = (uint8_t)(bytes[0] + more);
    }
    for (size_t i = 0, carry = 1; negative && i < length; i++) {
        carry += (uint8_t)~bytes[i];
        bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return value_new_long(bytes, length);
}

static struct mito_value *make_dict(int count)
{
    struct mito_value *dict = mito_value_new_dict();
    for (int i = 0; i < count; i++) {
        char digits[16];
        snprintf(digits, sizeof(digits), "%d", i);
        struct mito_value *name = text(digits), *number = mito_value_new_int(i);
        /* The small ones map text to numbers, the large ones numbers to text. */
        assert_int_equal(
            mito_value_set(dict, count < 10 ? name : number, count < 10 ? number : name), 0);
    }
    return dict;
}

static struct mito_value *make_call(void)
{
    struct mito_value *call = value_new_tuple();
    mito_value_append(call, mito_value_new_none());
    mito_value_append(call, text("main"));
    mito_value_append(call, mito_value_new_none());
    mito_value_append(call, text("add"));
    struct mito_value *args = value_new_tuple();
    mito_value_append(args, mito_value_new_int(2));
    mito_value_append(args, mito_value_new_int(3));
    mito_value_append(call, args);
    mito_value_append(call, value_new_kwargs());
    return call;
}

static struct mito_value *make_kwargs(void)
{
    struct mito_value *kwargs = value_new_kwargs(), *list = mito_value_new_list();
    mito_value_append(list, mito_value_new_int(2));
    mito_value_set(kwargs, text("a"), mito_value_new_int(1));
    mito_value_set(kwargs, text("b"), list);
    return kwargs;
}

static struct mito_value *all_bytes(void)
{
    uint8_t bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    return mito_value_new_bytes(bytes, sizeof(bytes));
}

static char euros[99 * 3 + 1];

static struct mito_value *make_by_name(const char *label)
{
#define IS(name) (strcmp(label, (name)) == 0)
    if (IS("none"))
        return mito_value_new_none();
    if (IS("true") || IS("false"))
        return mito_value_new_bool(IS("true"));
    if (IS("zero"))
        return mito_value_new_int(0);
    if (IS("double"))
        return mito_value_new_double(2.5);
    if (IS("infinity"))
        return mito_value_new_double(-1.0 / 0.0);
    if (IS("str"))
        return mito_value_new_str("text \xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f \0", 18);
    if (IS("str empty"))
        return text("");
    if (IS("surrogates"))
        return text("\xed\xa0\x80x\xed\xbf\xbf\xed\xb2\x80");
    if (IS("bytes"))
        return mito_value_new_bytes("\0\x7f\x80\xff", 4);
    if (IS("bytes empty"))
        return mito_value_new_bytes("", 0);
    if (IS("bytes all"))
        return all_bytes();
    if (IS("blob"))
        return value_new_blob("\0blob\xff", 6);
    if (IS("blob empty"))
        return value_new_blob("", 0);
    if (IS("secret"))
        return value_new_secret("secret \xe2\x82\xac", 10);
    if (IS("kwargs"))
        return make_kwargs();
    if (IS("kwargs empty"))
        return value_new_kwargs();
    if (IS("failure")) {
        static const char traceback[] = "builtins.ValueError: no\n  File \"x\"";
        return value_new_failure(traceback, sizeof(traceback) - 1);
    }
    if (IS("context"))
        return value_new_context(7, "ssh.db1");
    if (IS("context anonymous"))
        return value_new_context(UINT32_MAX, NULL);
    if (IS("context long"))
        return value_new_context(0, euros);
    if (IS("sender"))
        return value_new_sender(8, 1001);
    if (IS("sender far"))
        return value_new_sender(UINT32_MAX, UINT32_MAX);
    if (IS("call"))
        return make_call();
    return NULL;
#undef IS
}

static struct mito_value *make(const char *label)
{
    int count;
    if (strncmp(label, "int ", 4) == 0)
        return make_power(label);
    if (sscanf(label, "tuple %d", &count) == 1)
        return numbers(value_new_tuple(), count);
    if (sscanf(label, "list %d", &count) == 1)
        return numbers(mito_value_new_list(), count);
    if (sscanf(label, "dict %d", &count) == 1)
        return make_dict(count);
    return make_by_name(label);
}

/* ---- The test ---- */

static int known, handed_back, refused;

static void dump(struct buf *out, const char *label, const struct mito_value *v)
{
    AUTO_BUF data = {0};
    if (pickle_dump(&data, v) < 0)
        fail_msg("%s: %s", label, mito_error());
    put_part(out, label, strlen(label));
    put_part(out, data.data, data.length);
}

/* Reads one record; what was read goes back to Python as we write it. */
static void check_record(const char *label, const uint8_t *data, size_t length, struct buf *out)
{
    size_t used = 0;
    struct mito_value *v = pickle_load(data, length, &used);
    if (label[0] == '!') {
        char shown[160];
        snprintf(shown, sizeof(shown), "the global \"%s\" is not allowed", label + 1);
        assert_null(v);
        assert_error(MITO_E_MALFORMED, shown);
        refused++;
        return;
    }
    if (v == NULL)
        fail_msg("%s: %s", label, mito_error());
    assert_int_equal(used, length);
    dump(out, label, v);
    handed_back++;
    struct mito_value *ours = make(label);
    if (ours != NULL) {
        if (!value_equal(v, ours))
            fail_msg("%s: Python's is another than ours", label);
        dump(out, label, ours);
        mito_value_free(ours);
        known++;
    }
    mito_value_free(v);
}

static void test_python(void **state)
{
    (void)state;
    AUTO_BUF in = {0};
    AUTO_BUF out = {0};
    for (int i = 0; i < 99; i++)
        memcpy(euros + 3 * i, "\xe2\x82\xac", 3);
    from_python(&in);
    for (size_t at = 0; at < in.length;) {
        char label[100];
        size_t length;
        const uint8_t *data = take_part(&in, &at, &length);
        assert_true(length < sizeof(label));
        memcpy(label, data, length);
        label[length] = '\0';
        data = take_part(&in, &at, &length);
        check_record(label, data, length, &out);
    }
    assert_true(known > 300);
    assert_true(handed_back > 900);
    assert_int_equal(refused, 11);
    to_python(&out);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_python)};
    return cmocka_run_group_tests_name("pickle_python", tests, NULL, NULL);
}
