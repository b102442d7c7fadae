/* The broker: readiness, changes while it sleeps, timers, freeing under its feet, rest when idle.
 */
#include "cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "eventually.h"
#include "io/fd.h"

static struct broker broker;

static int start(void **state)
{
    (void)state;
    return broker_open(&broker) == 0 && broker_start(&broker) == 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    broker_close(&broker);
    return 0;
}

/* A watched pipe or socket, and what its callback saw. */
struct seen {
    struct watch *watch;
    int pair[2];
    int calls, ready;
    bool on_broker, read_it, free_it;
};

static void on_ready(void *arg, int ready)
{
    struct seen *s = arg;
    char c[64];

    s->calls++;
    s->ready = ready;
    s->on_broker = broker_is_self(&broker);
    if (s->read_it && read(s->pair[0], c, sizeof c) < 0)
        s->ready = -1;
    if (s->free_it) {
        watch_free(s->watch);
        s->watch = NULL;
    } else if (!s->read_it) {
        watch_set(s->watch, 0);
    }
}

static void watch(struct seen *s, int events)
{
    assert_int_equal(fd_socketpair(s->pair, true), 0);
    broker_lock(&broker);
    s->watch = watch_new(&broker, s->pair[0], events, on_ready, s);
    broker_unlock(&broker);
    assert_non_null(s->watch);
}

static void unwatch(struct seen *s)
{
    broker_lock(&broker);
    watch_free(s->watch);
    fd_close(&s->pair[0]);
    broker_unlock(&broker);
    fd_close(&s->pair[1]);
}

static void say(struct seen *s)
{
    assert_int_equal(write(s->pair[1], "x", 1), 1);
}

static void test_ready(void **state)
{
    (void)state;
    struct seen s = {.read_it = true};
    watch(&s, POLLER_IN);
    assert_false(broker_is_self(&broker));
    for (int i = 1; i <= 100; i++) {
        say(&s);
        EVENTUALLY(&broker, s.calls == i);
        assert_int_equal(s.ready, POLLER_IN);
        assert_true(s.on_broker);
    }
    unwatch(&s);
}

static void test_hangup(void **state)
{
    (void)state;
    struct seen s = {.free_it = true};
    watch(&s, POLLER_IN);
    fd_close(&s.pair[1]);
    EVENTUALLY(&broker, s.calls == 1);
    assert_true(s.ready & POLLER_HANGUP);
    unwatch(&s);
}

/* It was given nothing to wait for when it fell asleep. */
static void test_change_while_asleep(void **state)
{
    (void)state;
    struct seen s = {0};
    watch(&s, 0);
    say(&s);
    sleep_ms(50);
    broker_lock(&broker);
    assert_int_equal(s.calls, 0);
    watch_set(s.watch, POLLER_IN);
    broker_unlock(&broker);
    EVENTUALLY(&broker, s.calls == 1);
    assert_int_equal(s.ready, POLLER_IN);
    sleep_ms(50);
    broker_lock(&broker);
    watch_set(s.watch, POLLER_OUT);
    broker_unlock(&broker);
    EVENTUALLY(&broker, s.calls == 2);
    assert_int_equal(s.ready, POLLER_OUT);
    unwatch(&s);
}

static void test_removed_while_asleep(void **state)
{
    (void)state;
    struct seen s = {0}, other = {.read_it = true};
    watch(&s, POLLER_IN);
    watch(&other, POLLER_IN);
    sleep_ms(50);
    broker_lock(&broker);
    watch_free(s.watch);
    s.watch = NULL;
    broker_unlock(&broker);
    say(&s);
    say(&other);
    EVENTUALLY(&broker, other.calls == 1);
    assert_int_equal(s.calls, 0);
    unwatch(&s);
    unwatch(&other);
}

static void test_freed_in_own_callback(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct seen s = {.free_it = true}; /* what was said stays unread */
        watch(&s, POLLER_IN);
        say(&s);
        EVENTUALLY(&broker, s.calls == 1);
        say(&s);
        unwatch(&s);
        assert_int_equal(s.calls, 1);
    }
}

/* Two are ready in one batch, and the first callback frees the other's watch. */
static struct seen *victims[2];

static void on_ready_free_both(void *arg, int ready)
{
    (void)ready;
    ((struct seen *)arg)->calls++;
    for (int i = 0; i < 2; i++) {
        watch_free(victims[i]->watch);
        victims[i]->watch = NULL;
    }
}

static void test_freed_by_neighbour(void **state)
{
    (void)state;
    struct seen s[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        watch(&s[i], 0);
        say(&s[i]);
        victims[i] = &s[i];
    }
    broker_lock(&broker);
    for (int i = 0; i < 2; i++) {
        s[i].watch->on_ready = on_ready_free_both;
        watch_set(s[i].watch, POLLER_IN);
    }
    broker_unlock(&broker);
    EVENTUALLY(&broker, s[0].calls + s[1].calls > 0);
    sleep_ms(20);
    assert_int_equal(s[0].calls + s[1].calls, 1);
    unwatch(&s[0]);
    unwatch(&s[1]);
}

/* Freed by this thread while events for it may be on their way. */
static void test_freed_by_other_thread(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct seen s = {.read_it = true};
        watch(&s, POLLER_IN);
        say(&s);
        if (i % 3 == 0)
            sleep_ms(1);
        unwatch(&s); /* s goes out of scope: a late callback is what sanitizers would see */
    }
}

/* --- timers ---------------------------------------------------------------------------------- */

struct alarm {
    struct timer timer;
    struct timer *victim; /* cancelled in the callback */
    int again;            /* that many times more */
    int64_t at;
    int order, calls;
};

static int rung;

static void on_due(void *arg)
{
    struct alarm *a = arg;

    a->order = rung++;
    a->calls++;
    a->at = clock_ms();
    if (a->victim != NULL)
        timer_cancel(a->victim);
    if (a->again-- > 0)
        timer_set(&broker, &a->timer, clock_ms(), on_due, a);
}

static void test_timer_order(void **state)
{
    (void)state;
    static const int after[] = {60, 20, 40, 20, 0, -5, 60, 10};
    static const int order[] = {6, 3, 5, 4, 1, 0, 7, 2}; /* equal ones as they were set */
    struct alarm a[LENGTH(after)] = {0};
    rung = 0;
    broker_lock(&broker);
    int64_t now = clock_ms();
    for (size_t i = 0; i < LENGTH(a); i++)
        timer_set(&broker, &a[i].timer, now + after[i], on_due, &a[i]);
    broker_unlock(&broker);
    EVENTUALLY(&broker, rung == LENGTH(a));
    for (size_t i = 0; i < LENGTH(a); i++) {
        assert_int_equal(a[i].order, order[i]);
        assert_true(a[i].at >= now + after[i]);
        assert_false(a[i].timer.set);
    }
}

/* An earlier one wakes a broker that sleeps for a later one. */
static void test_timer_earlier(void **state)
{
    (void)state;
    struct alarm late = {0}, soon = {0};
    broker_lock(&broker);
    timer_set(&broker, &late.timer, clock_ms() + 10 * PATIENCE_MS, on_due, &late);
    broker_unlock(&broker);
    sleep_ms(50);
    broker_lock(&broker);
    timer_set(&broker, &soon.timer, clock_ms() + 10, on_due, &soon);
    broker_unlock(&broker);
    EVENTUALLY(&broker, soon.calls == 1);
    broker_lock(&broker);
    timer_set(&broker, &late.timer, clock_ms(), on_due, &late); /* set again: moved */
    broker_unlock(&broker);
    EVENTUALLY(&broker, late.calls == 1);
    assert_false(late.timer.set);
}

static void test_timer_cancelled(void **state)
{
    (void)state;
    struct alarm first = {0}, second = {0}, third = {0};
    broker_lock(&broker);
    int64_t due = clock_ms() + 30;
    timer_set(&broker, &first.timer, due, on_due, &first);
    timer_set(&broker, &second.timer, due, on_due, &second);
    timer_set(&broker, &third.timer, due, on_due, &third);
    first.victim = &second.timer; /* due in the same round */
    third.victim = &third.timer;  /* itself: it is not set any more */
    broker_unlock(&broker);
    EVENTUALLY(&broker, third.calls == 1);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 0);
    assert_false(second.timer.set);
    broker_lock(&broker);
    timer_set(&broker, &second.timer, clock_ms() + 20, on_due, &second);
    timer_cancel(&second.timer);
    timer_cancel(&second.timer);
    broker_unlock(&broker);
    sleep_ms(60);
    assert_int_equal(second.calls, 0);
}

static void test_timer_sets_itself(void **state)
{
    (void)state;
    struct alarm a = {.again = 50};
    struct seen s = {.read_it = true};
    watch(&s, POLLER_IN);
    broker_lock(&broker);
    timer_set(&broker, &a.timer, clock_ms(), on_due, &a);
    broker_unlock(&broker);
    say(&s); /* is served all the same */
    EVENTUALLY(&broker, a.calls == 51 && s.calls == 1);
    unwatch(&s);
}

/* --- its thread ------------------------------------------------------------------------------ */

struct thread_facts {
    struct timer timer;
    sigset_t blocked;
    pid_t tid;
};

static void look_around(void *arg)
{
    struct thread_facts *f = arg;

    pthread_sigmask(SIG_BLOCK, NULL, &f->blocked);
    f->tid = gettid();
}

static void facts_of_thread(struct thread_facts *f)
{
    broker_lock(&broker);
    timer_set(&broker, &f->timer, clock_ms(), look_around, f);
    broker_unlock(&broker);
    EVENTUALLY(&broker, f->tid != 0);
}

static void test_signals_blocked(void **state)
{
    (void)state;
    struct thread_facts f = {0};
    sigset_t mine;
    facts_of_thread(&f);
    assert_true(f.tid != gettid());
    for (int i = 1; i <= SIGRTMAX; i++) {
        if (i != SIGKILL && i != SIGSTOP && (i < 32 || i >= SIGRTMIN) &&
            !sigismember(&f.blocked, i))
            fail_msg("signal %d is not blocked", i);
    }
    pthread_sigmask(SIG_BLOCK, NULL, &mine); /* only there */
    assert_false(sigismember(&mine, SIGTERM));
    assert_false(sigismember(&mine, SIGCHLD));
}

static long switches(pid_t tid)
{
    char path[64], line[256];
    long n = -1;

    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (n < 0 && fgets(line, sizeof line, f) != NULL)
        sscanf(line, "voluntary_ctxt_switches: %ld", &n);
    fclose(f);
    assert_true(n >= 0);
    return n;
}

static void test_idle(void **state)
{
    (void)state;
    struct thread_facts f = {0};
    struct seen s = {.read_it = true};
    watch(&s, POLLER_IN);
    say(&s);
    EVENTUALLY(&broker, s.calls == 1);
    facts_of_thread(&f);
    sleep_ms(200);
    long before = switches(f.tid);
    sleep_ms(1000);
    assert_int_equal(switches(f.tid), before);
    say(&s); /* and it is alive */
    EVENTUALLY(&broker, s.calls == 2);
    assert_true(switches(f.tid) > before);
    unwatch(&s);
}

/* --- starting and ending --------------------------------------------------------------------- */

static void test_before_start(void **state)
{
    (void)state;
    struct seen s = {.read_it = true};
    struct alarm a = {0};
    assert_int_equal(broker_open(&broker), 0);
    watch(&s, POLLER_IN);
    say(&s);
    broker_lock(&broker);
    timer_set(&broker, &a.timer, clock_ms(), on_due, &a);
    broker_unlock(&broker);
    assert_false(broker_is_self(&broker));
    sleep_ms(20);
    assert_int_equal(s.calls + a.calls, 0);
    assert_int_equal(broker_start(&broker), 0);
    EVENTUALLY(&broker, s.calls == 1 && a.calls == 1);
    unwatch(&s);
    broker_close(&broker);
}

static void test_never_started(void **state)
{
    (void)state;
    assert_int_equal(broker_open(&broker), 0);
    broker_close(&broker);
}

static void stop(void *arg)
{
    (void)arg;
    broker_stop(&broker);
}

static void test_stop_from_own_thread(void **state)
{
    (void)state;
    struct timer t = {0};
    assert_int_equal(broker_open(&broker), 0);
    assert_int_equal(broker_start(&broker), 0);
    broker_lock(&broker);
    timer_set(&broker, &t, clock_ms(), stop, NULL);
    broker_unlock(&broker);
    pthread_t thread = broker.thread;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), 0);
    broker.started = false; /* joined: closing only releases */
    broker_close(&broker);
}

int main(void)
{
#define WITH_BROKER(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_BROKER(test_ready),
        WITH_BROKER(test_hangup),
        WITH_BROKER(test_change_while_asleep),
        WITH_BROKER(test_removed_while_asleep),
        WITH_BROKER(test_freed_in_own_callback),
        WITH_BROKER(test_freed_by_neighbour),
        WITH_BROKER(test_freed_by_other_thread),
        WITH_BROKER(test_timer_order),
        WITH_BROKER(test_timer_earlier),
        WITH_BROKER(test_timer_cancelled),
        WITH_BROKER(test_timer_sets_itself),
        WITH_BROKER(test_signals_blocked),
        WITH_BROKER(test_idle),
        cmocka_unit_test(test_before_start),
        cmocka_unit_test(test_never_started),
        cmocka_unit_test(test_stop_from_own_thread),
    };
    return cmocka_run_group_tests_name("broker", tests, NULL, NULL);
}
