/* A tree with nothing to do costs nothing: no thread of it runs. */
#include "tree.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WATCHED_FOR = 2000 /* ms */, SETTLED = 300, THREADS_MAX = 64 };

struct thread_switches {
    int tid;
    unsigned long switches;
};

static unsigned long switches_of(pid_t pid, int tid)
{
    char path[64], line[128];
    unsigned long n, sum = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, tid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1 ||
            sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
            sum += n;
    }
    fclose(f);
    return sum;
}

/* The threads of a process, but the calling one, and how often each was switched to or from. */
static size_t threads_of(pid_t pid, struct thread_switches *out)
{
    char path[64];
    size_t count = 0;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        int tid = atoi(entry->d_name);
        if (tid <= 0 || tid == (int)syscall(SYS_gettid))
            continue;
        assert_in_range(count, 0, THREADS_MAX - 1);
        out[count++] = (struct thread_switches){tid, switches_of(pid, tid)};
    }
    closedir(dir);
    return count;
}

/* The thread sanitizer has a thread of its own in every process, the first that is made, which
 * looks around ten times a second. The kernel lists threads as they were made. */
static bool is_of_the_sanitizer(const struct thread_switches *threads, size_t i, pid_t pid)
{
    return UNDER_TSAN && i == (threads[0].tid == pid ? 1 : 0);
}

static void assert_idle(const pid_t *pids, size_t count)
{
    struct thread_switches before[8][THREADS_MAX];
    size_t threads[8];

    assert_in_range(count, 1, 8);
    sleep_ms(SETTLED * SLOWNESS);
    for (size_t i = 0; i < count; i++) {
        threads[i] = threads_of(pids[i], before[i]);
        assert_in_range(threads[i], 1, THREADS_MAX);
    }
    sleep_ms(WATCHED_FOR);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < threads[i]; j++) {
            const struct thread_switches *t = &before[i][j];
            unsigned long now = switches_of(pids[i], t->tid);
            if (now != t->switches && !is_of_the_sanitizer(before[i], j, pids[i]))
                fail_msg("process %zu, thread %d of %d: ran %lu times in %d ms", i, t->tid,
                         (int)pids[i], now - t->switches, WATCHED_FOR);
        }
    }
}

static void *wait_for_select(void *arg)
{
    mito_select_wait(arg, MITO_FOREVER);
    return NULL;
}

static void *wait_for_message(void *arg)
{
    mito_message_free(mito_receive(arg, MITO_FOREVER));
    return NULL;
}

MITO_FUNCTION_FLAGS(nothing_on_pool, MITO_CONCURRENT)
{
    (void)call;
    return 0;
}

/* After all kinds of things were done, while all kinds of threads wait. */
static void test_idle(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    MITO_AUTO_CONTEXT busy = tree_local();
    MITO_AUTO_CONTEXT killed = tree_local();
    MITO_AUTO_CONTEXT ended = tree_local(.via = child);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER selected = mito_receiver_new(tree);
    struct mito_select *select = mito_select_new(tree);
    pid_t pids[] = {getpid(), tree_pid_of(child), tree_pid_of(below), tree_pid_of(busy)};
    pthread_t threads[2];
    struct blocked blocked;

    assert_int_equal(mito_call(child, &nothing_on_pool, "", ""), 0);
    assert_int_equal(mito_call_timeout(busy, 10, &tree_block, "r", rx, ""), -1);
    mito_message_free(tree_receive(rx)); /* which is never answered */
    tree_block_main(&blocked, below);
    kill(tree_pid_of(killed), SIGKILL);
    assert_int_equal(mito_call(killed, &tree_spin, "", ""), -1);
    assert_int_equal(mito_context_shutdown(ended, PATIENCE), 0);
    assert_int_equal(mito_select_add(select, selected), 0);
    assert_int_equal(pthread_create(&threads[0], NULL, wait_for_select, select), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, wait_for_message, rx), 0);
    assert_idle(pids, LENGTH(pids));
    assert_int_equal(mito_select_remove(select, selected), 0);
    MITO_AUTO_SENDER to_rx = mito_sender_to(rx);
    assert_int_equal(mito_sender_close(to_rx), 0);
    for (size_t i = 0; i < LENGTH(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    mito_select_free(select);
    tree_unblock(&blocked);
}

/* A router without contexts, and one whose contexts are all gone. */
static void test_idle_without_contexts(void **state)
{
    (void)state;
    pid_t self = getpid();
    MITO_AUTO_CONTEXT child = tree_local();

    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    mito_log(tree, MITO_INFO, "so that there is a thread for it");
    assert_idle(&self, 1);
}

/* Over a slow link, too: nothing is polled. */
static void test_idle_over_a_slow_link(void **state)
{
    (void)state;
    setenv("MITOSIS_NETEM", "delay 50ms rate 1mbit", 1);
    tree_reopen(NULL);
    unsetenv("MITOSIS_NETEM");
    MITO_AUTO_CONTEXT child = tree_local();
    pid_t pids[] = {getpid(), tree_pid_of(child)};

    assert_idle(pids, LENGTH(pids));
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_idle),
        TREE_TEST(test_idle_without_contexts),
        TREE_TEST(test_idle_over_a_slow_link),
    };
    return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
