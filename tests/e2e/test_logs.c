/* Log records: levels, where they come from, who gets them, what a flood of them does. */
#include "tree.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- functions --------------------------------------------------------------------------------
 */

/* (text): a record of each level */
MITO_FUNCTION(log_every_level)
{
    const char *text;

    if (mito_args(call, "s", &text) < 0)
        return -1;
    for (int level = MITO_ERROR; level <= MITO_IO; level++)
        mito_log(mito_call_router(call), (enum mito_level)level, "%s %d", text, level);
    return 0;
}

MITO_FUNCTION(print)
{
    const char *text;

    if (mito_args(call, "s", &text) < 0)
        return -1;
    printf("%s\n", text);
    return 0;
}

/* (count): so many records, as fast as it can */
MITO_FUNCTION(log_many)
{
    int64_t count;

    if (mito_args(call, "i", &count) < 0)
        return -1;
    for (int64_t i = 0; i < count; i++)
        mito_log(mito_call_router(call), MITO_INFO, "record %d of many, of a middling length",
                 (int)i);
    return 0;
}

MITO_FUNCTION_FLAGS(log_for_ever, MITO_CONCURRENT)
{
    for (;;)
        mito_log(mito_call_router(call), MITO_INFO, "again and again and again and again");
    return 0;
}

MITO_FUNCTION(keep_quiet)
{
    if (mito_args(call, "SB", NULL, NULL, NULL) < 0)
        return -1;
    return mito_return(call, "S", "the secret answer");
}

/* Are there records of that text for the levels up to `last`, and none above? */
static void assert_levels(struct mito_context *context, const char *text, enum mito_level last)
{
    uint32_t id = mito_context_id(context);
    char part[64];

    /* One more: it comes behind all that was said before. */
    snprintf(part, sizeof part, "%s end", text);
    if (id == 0)
        mito_log(tree, MITO_ERROR, "%s 0", part);
    else
        assert_int_equal(mito_call(context, &log_every_level, "s", part, ""), 0);
    assert_non_null(tree_record(id, "user", part, PATIENCE));
    for (int level = MITO_ERROR; level <= MITO_IO; level++) {
        snprintf(part, sizeof part, "%s %d", text, level);
        const struct kept_record *r = tree_record(id, "user", part, 0);
        if ((r != NULL) != (level <= (int)last))
            fail_msg("level %d of %s is %s", level, mito_context_name(context),
                     r != NULL ? "there" : "missing");
        if (r != NULL)
            assert_int_equal(r->level, level);
    }
}

/* --- levels -----------------------------------------------------------------------------------
 */

static void try_level(enum mito_level level, bool by_environment)
{
    static const char *const names[] = {"error", "warning", "info", "debug", "io"};

    if (by_environment)
        setenv("MITOSIS_LOG", names[level], 1);
    tree_reopen(
        &(struct mito_router_options){.log_level = level, .log_level_set = !by_environment});
    unsetenv("MITOSIS_LOG");
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    char text[32];

    snprintf(text, sizeof text, "%d %d", level, by_environment);
    assert_int_equal(mito_call(child, &log_every_level, "s", text, ""), 0);
    assert_int_equal(mito_call(below, &log_every_level, "s", text, ""), 0);
    for (int i = MITO_ERROR; i <= MITO_IO; i++)
        mito_log(tree, (enum mito_level)i, "%s %d", text, i);
    MITO_AUTO_CONTEXT self = mito_context_self(tree);
    assert_levels(child, text, level);
    assert_levels(below, text, level);
    assert_levels(self, text, level);
    assert_int_equal(mito_call(child, &print, "s", text, ""), 0);
    if (level >= MITO_INFO) /* at which level output is */
        assert_non_null(tree_record(mito_context_id(child), "stdout", text, PATIENCE));
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    assert_int_equal(tree_count_records(mito_context_id(child), "stdout", text),
                     level >= MITO_INFO ? 1 : 0);
}

static void test_levels(void **state)
{
    (void)state;
    for (int level = MITO_ERROR; level <= MITO_IO; level++)
        try_level((enum mito_level)level, false);
}

static void test_levels_by_environment(void **state)
{
    (void)state;
    try_level(MITO_WARNING, true);
    try_level(MITO_DEBUG, true);
    mito_router_free(tree);
    setenv("MITOSIS_LOG", "loud", 1);
    tree = mito_router_new(NULL);
    unsetenv("MITOSIS_LOG");
    assert_null(tree);
    assert_error(MITO_E_INVALID, "MITOSIS_LOG=loud");
}

static void test_debug_of_one_context(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local(.debug = true);
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    MITO_AUTO_CONTEXT beside = tree_local();
    MITO_AUTO_CONTEXT self = mito_context_self(tree);

    assert_int_equal(mito_call(child, &log_every_level, "s", "one", ""), 0);
    assert_int_equal(mito_call(below, &log_every_level, "s", "below", ""), 0);
    assert_int_equal(mito_call(beside, &log_every_level, "s", "beside", ""), 0);
    for (int i = MITO_ERROR; i <= MITO_IO; i++)
        mito_log(tree, (enum mito_level)i, "self %d", i);
    assert_levels(child, "one", MITO_DEBUG);
    assert_levels(below, "below", MITO_DEBUG);
    assert_levels(beside, "beside", MITO_INFO);
    assert_levels(self, "self", MITO_INFO);
}

/* --- frames -----------------------------------------------------------------------------------
 */

/* Every frame is visible, in every context; secrets are not. */
static void test_frames(void **state)
{
    (void)state;
    tree_reopen(&(struct mito_router_options){.log_level = MITO_IO, .log_level_set = true});
    struct mito_context *child = tree_local(), *below = tree_local(.via = child);
    char *answer, part[64];

    assert_int_equal(mito_call(below, &keep_quiet, "SB", "my password", "my blob", 7, "S", &answer),
                     0);
    assert_string_equal(answer, "the secret answer");
    free(answer);
    assert_int_equal(mito_call(below, &keep_quiet, "sB", "wrong password", "my blob", 7, "S", NULL),
                     -1);
    assert_error(MITO_E_TYPE, "");
    assert_null(strstr(mito_error(), "password"));
    snprintf(part, sizeof part, "dst %u src 0", mito_context_id(below));
    assert_non_null(tree_record(0, "router", part, PATIENCE));
    assert_non_null(tree_record(mito_context_id(child), "router", part, PATIENCE));
    assert_non_null(tree_record(mito_context_id(below), "router", part, PATIENCE));
    const struct kept_record *r = tree_record(0, "router", "handle 101", PATIENCE);
    assert_non_null(r);
    assert_int_equal(r->level, MITO_IO);
    tree_free();
    assert_int_equal(tree_count_records(-1, NULL, "password"), 0);
    assert_int_equal(tree_count_records(-1, NULL, "my blob"), 0);
    assert_int_equal(tree_count_records(-1, NULL, "secret answer"), 0);
}

/* --- who gets them ----------------------------------------------------------------------------
 */

struct slow_log {
    atomic_int records, running, most, lost;
    atomic_bool go;
    pthread_t master;
    atomic_bool on_master;
};

/* One at a time, on a thread of its own, which may block. */
static void slowly(void *arg, const struct mito_log_record *record)
{
    struct slow_log *s = arg;
    int now = atomic_fetch_add(&s->running, 1) + 1;

    if (now > atomic_load(&s->most))
        atomic_store(&s->most, now);
    if (pthread_equal(pthread_self(), s->master))
        atomic_store(&s->on_master, true);
    if (strstr(record->text, "lost") != NULL)
        atomic_fetch_add(&s->lost, 1);
    atomic_fetch_add(&s->records, 1);
    for (int waited = 0; !atomic_load(&s->go) && waited < PATIENCE; waited += 5)
        sleep_ms(5);
    atomic_fetch_sub(&s->running, 1);
}

static void test_slow_callback(void **state)
{
    (void)state;
    static struct slow_log s; /* also there for what comes after a failure */
    s = (struct slow_log){.master = pthread_self()};
    tree_reopen(&(struct mito_router_options){.log = slowly, .log_arg = &s});
    MITO_AUTO_CONTEXT a = tree_local();
    MITO_AUTO_CONTEXT b = tree_local();

    assert_int_equal(mito_call(a, &log_many, "i", 1000, ""), 0);
    assert_int_equal(mito_call(b, &log_many, "i", 1000, ""), 0);
    for (int i = 0; i < 1000; i++)
        mito_log(tree, MITO_INFO, "of the master");
    for (int i = 0; i < 20; i++) { /* while it holds up the log, nothing else is */
        assert_true(tree_pid_of(a) > 0);
        assert_true(tree_pid_of(b) > 0);
    }
    assert_int_equal(s.records, 1);
    atomic_store(&s.go, true);
    mito_context_unref(a);
    mito_context_unref(b);
    a = b = NULL;
    tree_free();
    assert_int_equal(s.records, 3000); /* what waits is bounded, but not so tightly */
    assert_int_equal(s.most, 1);
    assert_false(s.on_master);
}

/* More than can be kept is counted, and the count is told. */
static void test_lost_records(void **state)
{
    (void)state;
    static struct slow_log s; /* also there for what comes after a failure */
    s = (struct slow_log){.master = pthread_self()};
    tree_reopen(&(struct mito_router_options){.log = slowly, .log_arg = &s});
    struct mito_context *child = tree_local();
    enum { COUNT = UNDER_TSAN ? 60000 : 200000 };

    assert_int_equal(mito_call(child, &log_many, "i", COUNT, ""), 0);
    assert_true(tree_pid_of(child) > 0);
    atomic_store(&s.go, true);
    for (int i = 0; i < 1000 && s.lost == 0; i++) { /* told with the next that there is room for */
        mito_log(tree, MITO_INFO, "something else");
        sleep_ms(10);
    }
    assert_true(s.lost > 0);
    tree_free();
    assert_in_range(s.records, 1000, COUNT - 1);
}

/* A context that logs without an end stalls nobody, itself included. */
static void test_floods(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT other = tree_local();

    assert_int_equal(mito_call_no_reply(child, &log_for_ever, ""), 0);
    assert_non_null(tree_record(mito_context_id(child), "user", "again", PATIENCE));
    for (int i = 0; i < 20; i++) {
        assert_true(tree_pid_of(child) > 0);
        assert_true(tree_pid_of(other) > 0);
    }
    assert_int_equal(mito_context_shutdown(child, 5000 * SLOWNESS), 0);
}

/* --- as text ----------------------------------------------------------------------------------
 */

static void assert_format(enum mito_level level, const char *logger, const char *text,
                          const char *expected)
{
    struct mito_log_record record = {
        .level = level, .context_id = 1, .context_name = "ssh.db1", .logger = logger, .text = text};
    char line[200];

    assert_int_equal(mito_log_format(&record, line, sizeof line), strlen(expected));
    assert_string_equal(line, expected);
}

static void test_format(void **state)
{
    (void)state;
    struct mito_log_record record = {.level = MITO_INFO, .context_name = "x\n", .logger = "\x1b"};
    char small[8];

    assert_format(MITO_INFO, "user", "plain", "ssh.db1: plain");
    assert_format(MITO_ERROR, "user", "bad", "ssh.db1: error: bad");
    assert_format(MITO_DEBUG, "router", "detail", "ssh.db1: debug: router: detail");
    assert_format(MITO_INFO, "stdout", "\x1b[31m red\x07 \xff",
                  "ssh.db1: stdout: \\x1b[31m red\\x07 \\xff");
    record.text = "text";
    assert_int_equal(mito_log_format(&record, small, sizeof small), strlen("x\\x0a: \\x1b: text"));
    assert_string_equal(small, "x\\x0a: "); /* cut, and ended */
    assert_int_equal(mito_log_format(&record, NULL, 0), strlen("x\\x0a: \\x1b: text"));
}

/* What a context says arrives as it is, in one record a line, and is harmless only in print. */
static void test_hostile_text(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();

    assert_int_equal(mito_call(child, &print, "s", "\x1b[2J%s%n", ""), 0);
    const struct kept_record *r =
        tree_record(mito_context_id(child), "stdout", "\x1b[2J", PATIENCE);
    assert_non_null(r);
    assert_string_equal(r->text, "\x1b[2J%s%n");
}

/* Without a callback they are lines on stderr. */
static void test_default(void **state)
{
    (void)state;
    char self[64], line[512];
    bool out = false, bad = false;

    snprintf(self, sizeof self, "/proc/%d/exe default 2>&1", (int)getpid());
    FILE *f = popen(self, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        out = out || strcmp(line, "local.1: stdout: to everyone\n") == 0;
        bad = bad || strcmp(line, "local.1: error: here 0\n") == 0;
        assert_null(strstr(line, "here 3")); /* debug */
    }
    assert_int_equal(pclose(f), 0);
    assert_true(out && bad);
}

static int default_master(void)
{
    struct mito_context *child;

    tree = mito_router_new(NULL);
    if (tree == NULL || (child = mito_local(tree)) == NULL ||
        mito_call(child, &print, "s", "to everyone", "") < 0 ||
        mito_call(child, &log_every_level, "s", "here", "") < 0)
        return 1;
    mito_router_free(tree);
    return 0;
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    if (argc > 1 && strcmp(argv[1], "default") == 0)
        return default_master();
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_levels),
        TREE_TEST(test_levels_by_environment),
        TREE_TEST(test_debug_of_one_context),
        TREE_TEST(test_frames),
        TREE_TEST(test_slow_callback),
        TREE_TEST(test_lost_records),
        TREE_TEST(test_floods),
        TREE_TEST(test_format),
        TREE_TEST(test_hostile_text),
        TREE_TEST(test_default),
    };
    return cmocka_run_group_tests_name("logs", tests, NULL, NULL);
}
