/* A child that does not read, does not answer, does not end: who waits for it gets an error in
 * time, everybody else notices nothing, and nothing of it stays. */
#include "hostile/scene.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { LARGE = 1024 * 1024 };

/* --- the hostile side --------------------------------------------------------------------------
 */

static void stay(void)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    peer_come_up();
    peer_linger();
}

static void stop_itself(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    peer_answer_int(&call, (uint32_t)getpid());
    kill(getpid(), SIGSTOP);
    peer_linger();
}

/* Says that it cuts itself loose, and goes on as before. */
static void detach_and_stay(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    peer_send(peer_to(peer.parent, PEER_DETACHING, 0), "", 0);
    peer_answer_int(&call, 1);
    peer_linger();
}

/* Another process, out of reach of signals to the first, holds the stream. */
static void hand_over(void)
{
    static uint8_t sink[65536];

    peer_come_up();
    struct peer_frame call = peer_called();
    if (fork() == 0) {
        setsid();
        peer_answer_int(&call, (uint32_t)getpid());
        while (read(0, sink, sizeof sink) > 0)
            ;
        _exit(0);
    }
    peer_linger();
}

/* As hand_over, and the first one is gone already. */
static void hand_over_and_go(void)
{
    static uint8_t sink[65536];

    peer_come_up();
    struct peer_frame call = peer_called();
    if (fork() != 0) {
        peer_sleep(200); /* until the other one has a session of its own */
        _exit(0);
    }
    setsid();
    peer_answer_int(&call, (uint32_t)getpid());
    while (read(0, sink, sizeof sink) > 0)
        ;
}

static void close_reading(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    shutdown(0, SHUT_RD);
    peer_answer_int(&call, 1);
    peer_linger();
}

static void close_writing(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    peer_answer_int(&call, 1);
    shutdown(0, SHUT_WR);
    peer_linger();
}

/* Takes nothing for a while, then goes. */
static void block_and_die(void)
{
    peer_come_up();
    peer_sleep(1500);
}

/* One byte of a frame per 50 ms: never the end of it. */
static void trickle(void)
{
    uint8_t header[PEER_HEADER];
    struct peer_frame f = peer_to(peer.parent, 1000, 0);

    peer_come_up();
    peer_called();
    f.length = 100000000;
    peer_header(header, PEER_MAGIC, &f);
    peer_write(header, sizeof header);
    for (;;) {
        peer_say("x");
        peer_sleep(50);
    }
}

static const struct peer_mode modes[] = {
    {"stay", stay},
    {"stop", stop_itself},
    {"detach", detach_and_stay},
    {"handover", hand_over},
    {"handover-go", hand_over_and_go},
    {"deaf", close_reading},
    {"dumb", close_writing},
    {"block", block_and_die},
    {"trickle", trickle},
    {NULL, NULL},
};

/* --- the tests ---------------------------------------------------------------------------------
 */

static void test_never_answers(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("stay", 0);
    int64_t got = 0, before = now_ms();

    assert_int_equal(mito_call_timeout(bad, 300, &attack, "", "i", &got), -1);
    assert_error(MITO_E_TIMEOUT, "ssh.stay");
    assert_true(now_ms() - before < 300 + SCENE_BOUND);
    scene_check(good, tree_pid_of(good));
}

static void test_ignores_shutdown(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("stay", 0);
    int64_t before = now_ms();

    if (mito_context_shutdown(bad, 1000 * SLOWNESS) < 0)
        fail_msg("%s", mito_error());
    assert_true(now_ms() - before < 1000 * SLOWNESS + SCENE_BOUND);
    scene_check(good, tree_pid_of(good));
    assert_int_equal(count_child_processes(), 1);
}

static void test_ignores_the_end(void **state)
{
    (void)state;
    struct mito_context *good = tree_local();
    pid_t pid = tree_pid_of(good);

    for (int i = 0; i < 3; i++)
        mito_context_unref(scene_hostile("stay", 0));
    scene_check(good, pid);
    scene_free();
    assert_true(pid_gone(pid, 0));
    assert_int_equal(count_child_processes(), 0);
}

/* Calls with arguments of a megabyte each, to a child that takes none of them. */
static void feed(struct mito_context *bad, struct mito_context *good)
{
    static uint8_t large[LARGE];
    pid_t pid = tree_pid_of(good);
    size_t before = scene_memory();

    for (int i = 0; i < 20; i++) {
        int64_t start = now_ms();
        assert_int_equal(mito_call_timeout(bad, 200, &attack, "y", large, sizeof large, "n"), -1);
        assert_error(MITO_E_TIMEOUT, "no answer within 200 ms");
        assert_true(now_ms() - start < 200 + SCENE_BOUND);
        scene_check(good, pid);
    }
    if (scene_memory() > before + SCENE_MEMORY)
        fail_msg("%zu MiB before, %zu after", before, scene_memory());
}

static void test_never_reads(void **state)
{
    (void)state;
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile("stay", 0);

    feed(bad, good);
    scene_free();
}

static void test_stopped(void **state)
{
    (void)state;
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile("stop", 0);
    int64_t pid = 0;

    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &pid), 0);
    feed(bad, good);
    assert_int_equal(pid_state((pid_t)pid), 'T');
    scene_free();
    assert_true(pid_gone((pid_t)pid, 0));
}

struct feeder {
    struct mito_context *bad;
    struct mito_receiver *rx;
    int started, failed, code;
};

static void *feed_until_error(void *arg)
{
    static uint8_t large[LARGE];
    struct feeder *f = arg;

    while (mito_call_async(f->bad, &attack, f->rx, f, "y", large, sizeof large) == 0)
        f->started++;
    f->failed = 1;
    f->code = mito_error_code();
    return NULL;
}

/* Threads that wait until a stream takes more, when it breaks: each call ends once, as an error
 * where it was made or as a message, never as both. */
static void test_dies_while_threads_send(void **state)
{
    enum { FEEDERS = 4 };
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("block", 0);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct feeder feeders[FEEDERS];
    pthread_t threads[FEEDERS];
    pid_t pid = tree_pid_of(good);
    int started = 0, answered = 0;

    for (int i = 0; i < FEEDERS; i++) {
        feeders[i] = (struct feeder){.bad = bad, .rx = rx};
        assert_int_equal(pthread_create(&threads[i], NULL, feed_until_error, &feeders[i]), 0);
    }
    for (int i = 0; i < 10; i++) {
        scene_check(good, pid);
        sleep_ms(50);
    }
    for (int i = 0; i < FEEDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(feeders[i].code, MITO_E_DEAD);
        started += feeders[i].started;
    }
    for (; answered < started; answered++) {
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        assert_int_equal(mito_message_read(m, "n"), -1);
        assert_error(MITO_E_DEAD, "ssh.block");
    }
    sleep_ms(200);
    scene_receive_now(rx, MITO_E_TIMEOUT);
    scene_check(good, pid);
}

/* One thread feeds a child that never reads; another ends the child. */
static void test_ended_while_a_thread_sends(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("stay", 0);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct feeder feeder = {.bad = bad, .rx = rx};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, feed_until_error, &feeder), 0);
    sleep_ms(300);
    scene_check(good, tree_pid_of(good));
    assert_int_equal(mito_context_shutdown(bad, 1000 * SLOWNESS), 0);
    pthread_join(thread, NULL);
    assert_int_equal(feeder.code, MITO_E_DEAD);
}

static void test_detaches_and_stays(void **state)
{
    (void)state;
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile("detach", 0);

    assert_int_equal(scene_attack(bad, good, 0), 1);
    scene_free();
    assert_int_equal(count_child_processes(), 0);
}

static void test_hands_its_stream_over(void **state)
{
    (void)state;
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile("handover", 0);

    int64_t pid = scene_attack(bad, good, 0);
    assert_true(pid > 0);
    scene_free();
    /* It is in a session of its own, as a daemon would be, but it lost its stream. */
    assert_true(pid_gone((pid_t)pid, PATIENCE));
}

static void test_hands_its_stream_over_and_goes(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("handover-go", 0);
    int64_t pid = 0;

    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &pid), 0);
    assert_true(pid_gone((pid_t)pid, PATIENCE));
    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &pid), -1);
    assert_error(MITO_E_DEAD, "");
    scene_check(good, tree_pid_of(good));
}

static int64_t cpu_ms(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static void expect_idle(void)
{
    int64_t before = cpu_ms();

    sleep_ms(1000);
    if (cpu_ms() - before > 300)
        fail_msg("%lld ms of processor time in a second of doing nothing",
                 (long long)(cpu_ms() - before));
}

static void test_closes_one_direction(void **state)
{
    (void)state;
    struct mito_context *good = tree_local();
    struct mito_context *deaf = scene_hostile("deaf", 0);
    struct mito_context *dumb = scene_hostile("dumb", 0);

    assert_int_equal(scene_attack(deaf, good, 0), 1);
    assert_int_equal(scene_attack(dumb, good, 0), 1);
    assert_int_equal(mito_call_timeout(deaf, 1000, &attack, "", "n"), -1);
    assert_error(MITO_E_DEAD, "ssh.deaf");
    assert_int_equal(mito_call_timeout(dumb, PATIENCE, &attack, "", "n"), -1);
    assert_error(MITO_E_DEAD, "ssh.dumb");
    scene_check(good, tree_pid_of(good));
    expect_idle();
    scene_free();
}

static void test_trickles(void **state)
{
    (void)state;
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile("trickle", 0);
    int64_t before = now_ms();

    assert_int_equal(mito_call_timeout(bad, 500, &attack, "", "n"), -1);
    assert_error(MITO_E_TIMEOUT, "");
    assert_true(now_ms() - before < 500 + SCENE_BOUND);
    scene_check(good, tree_pid_of(good));
    scene_free();
}

int main(int argc, char **argv)
{
    SCENE_START(argc, argv, modes);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_never_answers),
        TREE_TEST(test_ignores_shutdown),
        TREE_TEST(test_ignores_the_end),
        TREE_TEST(test_never_reads),
        TREE_TEST(test_stopped),
        TREE_TEST(test_dies_while_threads_send),
        TREE_TEST(test_ended_while_a_thread_sends),
        TREE_TEST(test_detaches_and_stays),
        TREE_TEST(test_hands_its_stream_over),
        TREE_TEST(test_hands_its_stream_over_and_goes),
        TREE_TEST(test_closes_one_direction),
        TREE_TEST(test_trickles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
