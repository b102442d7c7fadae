/* What functions, and the processes that they start, do with the standard descriptors and others.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- functions --------------------------------------------------------------------------------
 */

MITO_FUNCTION(print)
{
    const char *out, *err;

    if (mito_args(call, "ss", &out, &err) < 0)
        return -1;
    printf("%s", out);
    fprintf(stderr, "%s", err);
    return 0;
}

MITO_FUNCTION(run)
{
    const char *command;

    if (mito_args(call, "s", &command) < 0)
        return -1;
    return mito_return(call, "i", system(command));
}

/* () -> how much of 1 MiB one write(2) takes, and how many of the three would not block */
MITO_FUNCTION(write_at_once)
{
    enum { SIZE = 1 << 20 };
    char *lines = malloc(SIZE);
    int64_t restless = 0;

    if (lines == NULL)
        return -1;
    for (size_t i = 0; i < SIZE; i++)
        lines[i] = i % 1024 == 1023 ? '\n' : 'x';
    int64_t written = write(1, lines, SIZE);
    free(lines);
    for (int fd = 0; fd < 3; fd++)
        restless += (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
    return mito_return(call, "ii", written, restless);
}

MITO_FUNCTION(print_and_exit)
{
    const char *out, *err;

    if (mito_args(call, "ss", &out, &err) < 0)
        return -1;
    printf("%s", out);
    fprintf(stderr, "%s", err);
    exit(0);
}

/* (length): one line of that many characters, each 10 of them a number */
MITO_FUNCTION(print_long_line)
{
    int64_t length;

    if (mito_args(call, "i", &length) < 0)
        return -1;
    for (int64_t i = 0; i < length; i += 10) {
        printf("%09d ", (int)i);
        if (i % 9000 == 1230) { /* it arrives in parts of any size */
            fflush(stdout);
            usleep(2000);
        }
    }
    printf("\nafter it\n");
    return 0;
}

MITO_FUNCTION_FLAGS(flood, MITO_CONCURRENT)
{
    static const char text[] = "a flood of lines, one like the other, without an end\n";

    (void)call;
    for (;;) {
        if (write(1, text, sizeof text - 1) < 0 || write(2, text, sizeof text - 1) < 0)
            return mito_fail(call, MITO_E_SYSTEM, "write");
    }
    return 0;
}

/* Does what careless code does. */
MITO_FUNCTION(misbehave)
{
    char byte;

    if (read(0, &byte, 1) != 0)
        return mito_fail(call, MITO_E_SYSTEM, "stdin has something to say");
    for (int fd = 0; fd < 3; fd++) {
        if (write(fd, "\x4d\x49 garbage\n", 11) != 11)
            return mito_fail(call, MITO_E_SYSTEM, "write to %d", fd);
    }
    for (int fd = 3; fd <= 20; fd++)
        close(fd);
    int opened = open("/dev/null", O_RDWR); /* takes the place of what was closed */
    while (opened >= 0 && opened <= 20) {
        if (write(opened, "garbage", 7) != 7)
            return mito_fail(call, MITO_E_SYSTEM, "write to %d", opened);
        opened = open("/dev/null", O_RDWR);
    }
    for (int fd = 3; fd <= 20; fd++)
        close(fd);
    return 0;
}

MITO_FUNCTION(close_standard)
{
    (void)call;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    return 0;
}

MITO_FUNCTION(start_child)
{
    MITO_AUTO_CONTEXT child = mito_local(mito_call_router(call));

    return child == NULL ? -1 : mito_return(call, "c", child);
}

static void assert_record(struct mito_context *context, const char *logger, const char *text)
{
    const struct kept_record *r = tree_record(mito_context_id(context), logger, text, PATIENCE);

    if (r == NULL)
        fail_msg("no \"%s\" on %s", text, logger);
    assert_string_equal(r->text, text);
    assert_string_equal(r->context_name, mito_context_name(context));
    assert_int_equal(r->level, MITO_INFO);
}

/* --- output -----------------------------------------------------------------------------------
 */

static void test_lines(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);

    assert_int_equal(
        mito_call(child, &print, "ss", "out of the child\n", "error of the child\n", ""), 0);
    assert_int_equal(mito_call(below, &print, "ss", "out from below\n\nsecond\n", "", ""), 0);
    assert_record(child, "stdout", "out of the child");
    assert_record(child, "stderr", "error of the child");
    assert_record(below, "stdout", "out from below");
    assert_record(below, "stdout", "second");
    assert_int_equal(tree_count_records(mito_context_id(below), "stdout", ""), 3); /* one empty */
    assert_int_equal(
        mito_call(child, &run, "s", "echo from a process; echo its error >&2", "i", NULL), 0);
    assert_record(child, "stdout", "from a process");
    assert_record(child, "stderr", "its error");
}

/* Of a process that goes on after the function returned. */
static void test_processes_in_the_background(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();

    assert_int_equal(mito_call(child, &run, "s", "(sleep 0.1; echo late) &", "i", NULL), 0);
    assert_record(child, "stdout", "late");
}

/* In several records, of which nothing is missing. */
static void test_long_lines(void **state)
{
    (void)state;
    enum { LENGTH_OF_IT = 200000 };
    static char line[2 * LENGTH_OF_IT];
    MITO_AUTO_CONTEXT child = tree_local();
    uint32_t id = mito_context_id(child);
    char number[16];

    assert_int_equal(mito_call(child, &print_long_line, "i", LENGTH_OF_IT, ""), 0);
    assert_record(child, "stdout", "after it");
    *line = '\0';
    for (size_t i = 0; i + 1 < tree_count_records(id, "stdout", ""); i++)
        strcat(line, tree_record_at(id, "stdout", "", i)->text);
    for (int i = 0; i < LENGTH_OF_IT; i += 10) {
        snprintf(number, sizeof number, "%09d ", i);
        if (strncmp(line + i, number, 10) != 0)
            fail_msg("at %d there is \"%.10s\"", i, line + i);
    }
    assert_int_equal(strlen(line), LENGTH_OF_IT);
    assert_in_range(tree_count_records(id, "stdout", ""), 4, 200);
}

/* What has no newline at its end is not lost when the context ends. */
static void test_last_line(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    struct mito_context *other = tree_local();
    uint32_t other_id = mito_context_id(other);

    assert_int_equal(mito_call(child, &print, "ss", "first\nhalf a line", "half an error", ""), 0);
    assert_record(child, "stdout", "first");
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    assert_record(child, "stdout", "half a line");
    assert_record(child, "stderr", "half an error");
    mito_context_unref(child);
    child = NULL;
    assert_int_equal(mito_call(other, &run, "s", "printf 'of a process'", "i", NULL), 0);
    assert_int_equal(tree_count_records(other_id, NULL, ""), 0);
    tree_free();
    assert_int_equal(tree_count_records(other_id, "stdout", "of a process"), 1); /* all are told */
}

/* Nor what a function says before it ends its process. */
static void test_output_before_exit(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        MITO_AUTO_CONTEXT child = tree_local();
        assert_int_equal(
            mito_call(child, &print_and_exit, "ss", "last words\nwithout end", "and why\n", ""),
            -1);
        assert_error(MITO_E_CRASHED, "exited with status 0");
        assert_record(child, "stdout", "last words");
        assert_record(child, "stdout", "without end");
        assert_record(child, "stderr", "and why");
    }
}

static void test_floods_do_not_stall_calls(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT top = tree_local();
    MITO_AUTO_CONTEXT child = tree_local(.via = top);
    int64_t longest = 0;

    assert_int_equal(mito_call_no_reply(child, &flood, ""), 0);
    assert_non_null(tree_record(mito_context_id(child), "stdout", "a flood", PATIENCE));
    for (int i = 0; i < 20; i++) {
        int64_t before = now_ms();
        assert_true(tree_pid_of(child) > 0);
        assert_true(tree_pid_of(top) > 0);
        int64_t took = now_ms() - before;
        longest = took > longest ? took : longest;
    }
    assert_in_range(longest, 0, 3000 * SLOWNESS);
    assert_int_equal(mito_context_shutdown(child, 5000 * SLOWNESS), 0);
}

/* --- other descriptors ------------------------------------------------------------------------
 */

/* As programs expect it. */
static void test_blocking(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t written, restless;

    assert_int_equal(mito_call(child, &write_at_once, "", "ii", &written, &restless), 0);
    assert_int_equal(written, 1 << 20);
    assert_int_equal(restless, 0);
}

static void test_careless_code(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT before = tree_local(.via = child);
    MITO_AUTO_CONTEXT after = NULL;
    pid_t pid = tree_pid_of(child), before_pid = tree_pid_of(before);

    for (int i = 0; i < 3; i++) {
        if (mito_call_timeout(child, PATIENCE, &misbehave, "", "") < 0)
            fail_msg("%s", mito_error());
        assert_int_equal(tree_pid_of(child), pid);
        assert_int_equal(tree_pid_of(before), before_pid);
    }
    assert_int_equal(mito_call(child, &start_child, "", "c", &after), 0);
    assert_true(tree_pid_of(after) > 0);
    MITO_AUTO_CONTEXT via = tree_local(.via = child);
    assert_true(tree_pid_of(via) > 0);
    assert_int_equal(mito_call(child, &print, "ss", "still heard\n", "this too\n", ""), 0);
    assert_record(child, "stdout", "still heard");
    assert_record(child, "stderr", "this too");
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    assert_true(pid_gone(pid, 1000));
    assert_true(pid_gone(before_pid, PATIENCE));
}

static void test_standard_descriptors_closed(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = NULL;
    pid_t pid = tree_pid_of(child);

    assert_int_equal(mito_call(child, &close_standard, "", ""), 0);
    assert_int_equal(tree_pid_of(child), pid);
    assert_int_equal(mito_call(child, &start_child, "", "c", &below), 0);
    assert_int_equal(mito_call(below, &print, "ss", "from below\n", "", ""), 0);
    assert_record(below, "stdout", "from below");
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
}

/* The master's own standard descriptors are its own business. */
static void test_master_with_closed_descriptors(void **state)
{
    (void)state;
    int saved[3];

    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 50);
        close(fd);
    }
    tree_reopen(NULL);
    struct mito_context *child = tree_local(), *below = tree_local(.via = child);
    assert_true(tree_pid_of(below) > 0);
    assert_int_equal(mito_call(below, &print, "ss", "heard\n", "", ""), 0);
    assert_record(below, "stdout", "heard");
    tree_free();
    for (int fd = 0; fd < 3; fd++) {
        dup2(saved[fd], fd);
        close(saved[fd]);
    }
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_lines),
        TREE_TEST(test_processes_in_the_background),
        TREE_TEST(test_long_lines),
        TREE_TEST(test_last_line),
        TREE_TEST(test_output_before_exit),
        TREE_TEST(test_floods_do_not_stall_calls),
        TREE_TEST(test_blocking),
        TREE_TEST(test_careless_code),
        TREE_TEST(test_standard_descriptors_closed),
        TREE_TEST(test_master_with_closed_descriptors),
    };
    return cmocka_run_group_tests_name("stdio", tests, NULL, NULL);
}
