/* Functions that crash: everyone who waits is told at once how and where, however far away, and
 * nobody else notices. */
#include "tree.h"

#include <elf.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 8000 * SLOWNESS }; /* ms; what a busy machine and a sanitizer's report take */

/* --- ways to go --------------------------------------------------------------------------------
 */

static char *volatile nowhere = (char *)8;

static void crash_null(struct mito_call *call)
{
    (void)call;
    *nowhere = 1;
}

static int descend(volatile char *above, int depth)
{
    volatile char frame[1024];

    frame[0] = above[0];
    return depth == 0 ? 0 : descend(frame, depth - 1) + frame[0];
}

static void crash_overflow(struct mito_call *call)
{
    volatile char first = 1;

    (void)call;
    descend(&first, INT32_MAX);
}

static void crash_abort(struct mito_call *call)
{
    (void)call;
    abort();
}

static void crash_trap(struct mito_call *call)
{
    (void)call;
    raise(SIGTRAP);
}

static void crash_bus(struct mito_call *call)
{
    (void)call;
    raise(SIGBUS);
}

static void crash_exit(struct mito_call *call)
{
    (void)call;
    exit(3);
}

static void crash_fast_exit(struct mito_call *call)
{
    (void)call;
    _exit(4);
}

static void crash_kill(struct mito_call *call)
{
    (void)call;
    raise(SIGKILL);
}

static void *crash_on_thread(void *call)
{
    crash_abort(call);
    return NULL;
}

static void crash_thread(struct mito_call *call)
{
    pthread_t thread;

    pthread_create(&thread, NULL, crash_on_thread, call);
    for (;;)
        pause();
}

/* Within the library, with its lock held. */
static void crash_locked(struct mito_call *call)
{
    mito_log(mito_call_router(call), MITO_ERROR, "%s", nowhere);
}

static void faulty_handler(int number)
{
    (void)number;
    *nowhere = 1;
}

static void crash_double(struct mito_call *call)
{
    (void)call;
    signal(SIGSEGV, faulty_handler);
    *nowhere = 1;
}

static void own_handler(int number)
{
    (void)number;
    _exit(9);
}

static void crash_own_handler(struct mito_call *call)
{
    (void)call;
    signal(SIGSEGV, own_handler);
    *nowhere = 1;
}

/* By several threads at once: one of them is heard, and not half of each. */
static void crash_threads(struct mito_call *call)
{
    pthread_t thread;

    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, crash_on_thread, call);
    crash_abort(call);
}

/* Sanitizers have handlers of their own for some signals, which make a report and exit. */
#if UNDER_ASAN || UNDER_TSAN
#define FAULT(text) "exited with status "
#else
#define FAULT(text) text
#endif
#define IN_FUNCTION(name) " in function main." name "; build id "

static const struct way {
    const char *name;
    void (*crash)(struct mito_call *call);
    int code;
    const char *said;     /* by itself, or of its process */
    bool only_of_process; /* it could say nothing: over ssh no more is known than ssh says */
} ways[] = {
    {"null", crash_null, MITO_E_CRASHED,
     FAULT("crashed: signal 11 (SIGSEGV) at 0x8 (null pointer)" IN_FUNCTION("crash")),
     UNDER_ASAN || UNDER_TSAN},
    {"overflow", crash_overflow, MITO_E_CRASHED, FAULT(" (stack overflow)" IN_FUNCTION("crash")),
     UNDER_ASAN || UNDER_TSAN},
    {"bus", crash_bus, MITO_E_CRASHED, FAULT("signal 7 (SIGBUS)" IN_FUNCTION("crash")),
     UNDER_ASAN || UNDER_TSAN},
    {"abort", crash_abort, MITO_E_CRASHED, "crashed: signal 6 (SIGABRT)" IN_FUNCTION("crash"),
     UNDER_TSAN},
    {"trap", crash_trap, MITO_E_CRASHED, "crashed: signal 5 (SIGTRAP)" IN_FUNCTION("crash"), false},
    {"exit", crash_exit, MITO_E_CRASHED,
     "called exit(3) in function main.crash: exited with status 3", false},
    {"_exit", crash_fast_exit, MITO_E_CRASHED, "exited with status 4", true},
    {"kill", crash_kill, MITO_E_DEAD, "killed by signal 9 (Killed), maybe for want of memory",
     true},
    {"thread", crash_thread, MITO_E_CRASHED, "crashed: signal 6 (SIGABRT); build id ", UNDER_TSAN},
    {"threads", crash_threads, MITO_E_CRASHED, "crashed: signal 6 (SIGABRT)", UNDER_TSAN},
    {"locked", crash_locked, MITO_E_CRASHED,
     FAULT("crashed: signal 11 (SIGSEGV) at 0x8 (null pointer)" IN_FUNCTION("crash")),
     UNDER_ASAN || UNDER_TSAN},
    {"double", crash_double, MITO_E_CRASHED, "was killed by signal 11", true},
    {"own handler", crash_own_handler, MITO_E_CRASHED, "exited with status 9", true},
};

static int run(struct mito_call *call)
{
    const char *name;

    if (mito_args(call, "s", &name) < 0)
        return -1;
    for (size_t i = 0; i < LENGTH(ways); i++) {
        if (strcmp(ways[i].name, name) == 0)
            ways[i].crash(call);
    }
    return mito_fail(call, MITO_E_INVALID, "still there after %s", name);
}

MITO_FUNCTION(crash)
{
    return run(call);
}

MITO_FUNCTION_FLAGS(crash_on_pool, MITO_CONCURRENT)
{
    return run(call);
}

/* (sender): says that it runs, waits for ever */
MITO_FUNCTION_FLAGS(wait_on_pool, MITO_CONCURRENT)
{
    MITO_AUTO_SENDER ready = NULL;

    if (mito_args(call, "t", &ready) < 0 || mito_send(ready, "n") < 0)
        return -1;
    for (;;)
        pause();
}

/* A process of the function's own crashes: that is its business. -> how that ended */
MITO_FUNCTION(crash_in_fork)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        abort();
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return mito_fail(call, MITO_E_SYSTEM, "fork");
    return mito_return(call, "i", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

/* Takes all memory that there is, to the last few bytes, and keeps it. */
MITO_FUNCTION(use_up_memory)
{
    struct rlimit limit;

    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = 512 * 1024 * 1024;
    setrlimit(RLIMIT_AS, &limit);
    for (size_t size = 64 * 1024 * 1024; size >= 16; size /= 2) {
        void *volatile block;
        do
            block = malloc(size);
        while (block != NULL);
    }
    return mito_fail(call, MITO_E_NOMEM, "cannot allocate");
}

/* --- the tests ---------------------------------------------------------------------------------
 */

static const char *record_of(const struct mito_context *context)
{
    const struct kept_record *r =
        tree_record(mito_context_id(context), "crash", "signal ", PATIENCE);

    assert_non_null(r);
    assert_int_equal(r->level, MITO_ERROR);
    return r->text;
}

static void assert_told(const struct mito_context *context, const struct way *way)
{
    if (mito_error_code() != way->code ||
        strstr(mito_error(), mito_context_name(context)) == NULL ||
        strstr(mito_error(), way->said) == NULL)
        fail_msg("%s: %s: %s", way->name, mito_error_name(mito_error_code()), mito_error());
}

/* A call that crashes, one that waits behind it, one that runs beside it, and one that comes too
 * late: all are told the same. */
static void crashes(struct mito_context *context, const struct mito_function *function,
                    const struct way *way)
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER ready = mito_receiver_new(tree);

    assert_int_equal(mito_call_async(context, &wait_on_pool, rx, NULL, "r", ready), 0);
    mito_message_free(tree_receive(ready));
    int64_t before = now_ms();
    assert_int_equal(mito_call_async(context, function, rx, NULL, "s", way->name), 0);
    /* When it is gone by now, this one is told so here. */
    int late = mito_call_async(context, &wait_on_pool, rx, NULL, "r", ready);
    if (late < 0)
        assert_told(context, way);
    for (int i = 0; i < (late < 0 ? 2 : 3); i++) {
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        assert_int_equal(mito_message_read(m, ""), -1);
        assert_told(context, way);
    }
    if (now_ms() - before > AT_ONCE)
        fail_msg("%s: told after %lld ms", way->name, (long long)(now_ms() - before));
    assert_int_equal(mito_call(context, &tree_pid, "", "v", NULL), -1);
    assert_told(context, way);
    if (strstr(way->said, "build id") != NULL)
        assert_non_null(strstr(record_of(context), "build id "));
}

static void test_every_way(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT hop = tree_local();
    MITO_AUTO_CONTEXT next = tree_local(.via = hop);
    pid_t pid = tree_pid_of(good), hop_pid = tree_pid_of(hop), next_pid = tree_pid_of(next);

    for (size_t i = 0; i < LENGTH(ways); i++) {
        MITO_AUTO_CONTEXT child = tree_local();
        MITO_AUTO_CONTEXT far = tree_local(.via = next);
        crashes(child, &crash, &ways[i]);
        crashes(far, &crash, &ways[i]);
    }
    assert_int_equal(tree_pid_of(good), pid);
    assert_int_equal(tree_pid_of(hop), hop_pid);
    assert_int_equal(tree_pid_of(next), next_pid);
}

MITO_FUNCTION(crash_soon)
{
    sleep_ms(500);
    return run(call);
}

static void hold_up(int number)
{
    (void)number;
    poll(NULL, 0, 2500); /* longer than what ended is waited for */
}

/* What a call ended with. */
static void *call_crash_soon(void *context)
{
    assert_int_equal(mito_call(context, &crash_soon, "s", "trap", ""), -1);
    return strdup(mito_error());
}

/* Whoever waits in a call reads its answer, in place of the broker: when that thread gets no time,
 * as on a busy machine, what the context said before it ended is not lost. */
static void test_late_reader(void **state)
{
    struct sigaction act = {.sa_handler = hold_up}, before;
    MITO_AUTO_CONTEXT child = tree_local();
    pthread_t caller;
    void *told;

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &act, &before), 0);
    assert_int_equal(pthread_create(&caller, NULL, call_crash_soon, child), 0);
    sleep_ms(200);
    assert_int_equal(pthread_kill(caller, SIGUSR1), 0);
    assert_int_equal(pthread_join(caller, &told), 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    if (strstr(told, "signal 5 (SIGTRAP)" IN_FUNCTION("crash_soon")) == NULL)
        fail_msg("%s", (char *)told);
    free(told);
}

static void test_on_the_pool(void **state)
{
    (void)state;
    static const struct way on_pool[] = {
        {"null", crash_null, MITO_E_CRASHED, FAULT(IN_FUNCTION("crash_on_pool")), false},
        {"overflow", crash_overflow, MITO_E_CRASHED,
         FAULT(" (stack overflow)" IN_FUNCTION("crash_on_pool")), false},
        {"exit", crash_exit, MITO_E_CRASHED, "called exit(3) in function main.crash_on_pool",
         false},
    };

    for (size_t i = 0; i < LENGTH(on_pool); i++) {
        MITO_AUTO_CONTEXT child = tree_local();
        crashes(child, &crash_on_pool, &on_pool[i]);
    }
}

/* Behind a program that tells nothing of a signal: what the child itself says is all there is. */
static void test_behind_ssh(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT hop = tree_local();

    for (size_t i = 0; i < LENGTH(ways); i++) {
        if (ways[i].only_of_process)
            continue;
        MITO_AUTO_CONTEXT far = tree_up_(
            mito_ssh(tree, .hostname = "far", .via = hop, .ssh_path = "/proc/self/exe"), __LINE__);
        crashes(far, &crash, &ways[i]);
    }
}

/* What was behind a context that crashed is gone for that reason. */
static void test_crash_in_the_middle(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT hop = tree_local();
    MITO_AUTO_CONTEXT middle = tree_local(.via = hop);
    MITO_AUTO_CONTEXT below = tree_local(.via = middle);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_int_equal(mito_call_async(below, &tree_spin, rx, NULL, ""), 0);
    assert_int_equal(mito_call(middle, &crash, "s", "trap", ""), -1);
    assert_error(MITO_E_CRASHED, "SIGTRAP");
    MITO_AUTO_MESSAGE m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, ""), -1);
    assert_error(MITO_E_CRASHED, "crashed: signal 5 (SIGTRAP) in function main.crash");
    assert_non_null(strstr(mito_error(), mito_context_name(below)));
    assert_true(tree_pid_of(hop) > 0);
}

/* The addresses in the record are those of the file: the function that crashed is among them, and
 * the one that called it. */
static void test_addresses(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    uintptr_t base = getauxval(AT_PHDR) - sizeof(Elf64_Ehdr), expected[2];
    uintptr_t called = (uintptr_t)crash_thread, caller = (uintptr_t)run;
    bool found[2] = {false, false};

    (void)called;
    assert_int_equal(mito_call(child, &crash, "s", "trap", ""), -1);
    const char *at = strstr(record_of(child), "build id ");
    assert_non_null(at);
    assert_int_not_equal(strspn(at + 9, "0123456789abcdef"), 0);
    expected[0] = (uintptr_t)crash_trap - base;
    expected[1] = caller - base;
    while ((at = strstr(at, "+0x")) != NULL) {
        uintptr_t address = strtoul(at + 3, NULL, 16);
        at += 3;
        for (int i = 0; i < 2; i++)
            found[i] |= address > expected[i] && address < expected[i] + 1024;
    }
    assert_true(found[0]);
    assert_true(found[1]);
}

static void test_process_of_a_function(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t number = 0;

    assert_int_equal(mito_call(child, &crash_in_fork, "", "i", &number), 0);
    assert_int_equal(number, SIGABRT);
    assert_int_equal(tree_count_records(mito_context_id(child), "crash", ""), 0);
    assert_true(tree_pid_of(child) > 0);
}

#if !UNDER_ASAN && !UNDER_TSAN /* whose shadow memory has no room within such a limit */
static void test_no_memory(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    int64_t before = now_ms();

    assert_int_equal(mito_call(child, &use_up_memory, "", ""), -1);
    if (mito_error_code() == MITO_E_DEAD)
        assert_error(MITO_E_DEAD, "out of memory");
    else
        assert_error(MITO_E_NOMEM, "cannot allocate");
    assert_in_range(now_ms() - before, 0, 4 * AT_ONCE);
    /* And the next one, for which there is no memory at all. */
    assert_int_equal(mito_call_timeout(child, PATIENCE, &wait_on_pool, "n", ""), -1);
    assert_int_not_equal(mito_error_code(), MITO_E_TIMEOUT);
}
#endif

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "-T") == 0) /* as ssh, to this host */
        execl("/bin/sh", "sh", "-c", argv[argc - 1], (char *)NULL);
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_every_way),
        TREE_TEST(test_late_reader),
        TREE_TEST(test_on_the_pool),
        TREE_TEST(test_behind_ssh),
        TREE_TEST(test_crash_in_the_middle),
        TREE_TEST(test_addresses),
        TREE_TEST(test_process_of_a_function),
#if !UNDER_ASAN && !UNDER_TSAN
        TREE_TEST(test_no_memory),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
