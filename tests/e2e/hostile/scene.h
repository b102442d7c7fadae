/* The scene of a hostile test: a master, a well-behaved child, and one that is not. */
#ifndef E2E_HOSTILE_SCENE_H
#define E2E_HOSTILE_SCENE_H

#include "e2e/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "peer.h"

enum {
    SCENE_BOUND =
        5000 * SLOWNESS, /* ms within which the good child answers, whatever the bad does */
    SCENE_FREE_BOUND = 5000 + 2000 * SLOWNESS, /* ms: what the header promises, and some for slow
                                                * machines */
    /* Memory that the master may need more than before an attack. Sanitizers keep what was freed,
     * and shadows of it. */
    SCENE_MEMORY = 80 * (UNDER_ASAN   ? 12
                         : UNDER_TSAN ? 10
                                      : 1), /* MiB */
};

/* What must never run: nobody in these tests calls it but those who have no right to. */
static volatile int scene_forbidden_runs;

MITO_FUNCTION(forbidden)
{
    scene_forbidden_runs++;
    return mito_return(call, "");
}

/* () -> pid, how often forbidden ran */
MITO_FUNCTION(scene_state)
{
    return mito_return(call, "ii", getpid(), scene_forbidden_runs);
}

/* (ms) -> pid, after a while */
MITO_FUNCTION(scene_sleep)
{
    int64_t ms;

    if (mito_args(call, "i", &ms) < 0)
        return -1;
    sleep_ms((int)ms);
    return mito_return(call, "i", getpid());
}

/* What a hostile child is told to start with; it is no function that anybody has. */
static const struct mito_function attack = {"main", "attack", NULL, 0};

/* Starts a hostile child; NULL when it did not come up. */
#define scene_try(mode, victim, ...)                                                               \
    scene_try_(mode, victim, &(const struct mito_ssh_options){__VA_ARGS__})
static inline struct mito_context *scene_try_(const char *mode, uint32_t victim,
                                              const struct mito_ssh_options *more)
{
    struct mito_ssh_options options = *more;
    char host[128];

    snprintf(host, sizeof host, "%s.%u", mode, victim);
    options.hostname = host;
    options.ssh_path = PEER_SSH;
    return mito_connect_(tree, "ssh", &options);
}

#define scene_hostile(...) tree_up_(scene_try(__VA_ARGS__), __LINE__)

/* Resident memory of this process in MiB. */
static inline size_t scene_memory(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &size, &resident), 2);
    fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024 / 1024;
}

/* The good child is the one it was, answers in time, and was not made to do anything. */
static inline int64_t scene_check(struct mito_context *good, pid_t pid)
{
    int64_t now_pid = 0, runs = -1, before = now_ms();

    if (mito_call_timeout(good, SCENE_BOUND, &scene_state, "", "ii", &now_pid, &runs) < 0)
        fail_msg("the good child: %s", mito_error());
    assert_int_equal(now_pid, pid);
    assert_int_equal(runs, 0);
    assert_int_equal(scene_forbidden_runs, 0);
    return now_ms() - before;
}

/* The longest that a call took while the last attack lasted, in ms. */
static int64_t scene_slowest;

/* Lets the bad child attack until it says that it is done or is gone, or `ms` have passed (0: at
 * once when it is done). All the while the good one must answer, and memory stay within bounds.
 * Returns the answer: what it counted, -1 when it gave none. */
static inline int64_t scene_attack(struct mito_context *bad, struct mito_context *good, int ms)
{
    int64_t until = now_ms() + ms, count = -1, calls = 0;
    size_t before = scene_memory(), most = before;
    pid_t pid = tree_pid_of(good);
    struct mito_message *m = NULL;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    scene_slowest = 0;
    assert_non_null(rx);
    assert_int_equal(mito_call_async(bad, &attack, rx, NULL, ""), 0);
    do {
        int64_t took = scene_check(good, pid);
        size_t memory = scene_memory();
        scene_slowest = took > scene_slowest ? took : scene_slowest;
        most = memory > most ? memory : most;
        calls++;
        if (m == NULL)
            m = mito_receive(rx, 0);
    } while (m == NULL ? now_ms() < until + PATIENCE : now_ms() < until);
    if (m == NULL)
        fail_msg("the attack never ended");
    if (mito_message_read(m, "i", &count) < 0)
        count = -1;
    mito_message_free(m);
    print_message("# %lld calls, the slowest %lld ms; %zu MiB before, %zu at most\n",
                  (long long)calls, (long long)scene_slowest, before, most);
    if (most > before + SCENE_MEMORY)
        fail_msg("%zu MiB before, %zu MiB during the attack", before, most);
    return count;
}

/* Nothing to receive now but that end. */
#define scene_receive_now(rx, code)                                                                \
    do {                                                                                           \
        assert_null(mito_receive(rx, 0));                                                          \
        assert_error(code, "");                                                                    \
    } while (0)

/* One line, and nothing in it that a terminal would obey. */
static inline void scene_harmless(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if ((*c < ' ' && *c != '\t') || *c == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0))
            fail_msg("byte 0x%02x in \"%s\"", *c, text);
    }
}

/* Frees the router, in time. */
static inline void scene_free(void)
{
    int64_t took = tree_free();

    if (took > SCENE_FREE_BOUND)
        fail_msg("mito_router_free() took %lld ms", (long long)took);
}

/* For main(): the modes are this program's own. */
#define SCENE_START(argc, argv, modes)                                                             \
    do {                                                                                           \
        peer_main(argc, argv, modes);                                                              \
        setenv("PATH", "/nonexistent", 1); /* no gzip: the image goes as it is, at once */         \
        mito_start(argc, argv);                                                                    \
    } while (0)

#endif
