/* Death: of the master, of any context, by any cause. Nothing stays, everyone who waits is told. */
#include "tree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GONE_WITHIN = 5000 }; /* ms from the end of the master until nothing is left */

/* --- functions --------------------------------------------------------------------------------
 */

MITO_FUNCTION(exit_with)
{
    int64_t status;

    if (mito_args(call, "i", &status) < 0)
        return -1;
    exit((int)status);
}

MITO_FUNCTION(abort_now)
{
    (void)call;
    abort();
}

/* Waits for a process that says its pid on stdout, and does not care what for. */
MITO_FUNCTION(run_sleep)
{
    (void)call;
    for (;;) {
        if (system("echo pid $$; exec sleep 1000") < 0)
            return mito_fail(call, MITO_E_SYSTEM, "system");
    }
    return 0;
}

/* Processes that are not so easily ended: one that ignores SIGTERM, and one in a session of its own
 * below another one. */
MITO_FUNCTION(run_stubborn_sleeps)
{
    (void)call;
    return mito_return(call, "i",
                       system("(trap '' TERM; exec sh -c 'echo pid $$; exec sleep 1000') & "
                              "setsid -w sh -c 'echo pid $$; exec sleep 1000'"));
}

/* Waits for a message that never comes, and says how that ended. */
MITO_FUNCTION(wait_in_vain)
{
    MITO_AUTO_SENDER test = NULL;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(mito_call_router(call));

    if (rx == NULL || mito_args(call, "t", &test) < 0 || mito_send(test, "n") < 0)
        return -1;
    mito_message_free(mito_receive(rx, MITO_FOREVER));
    mito_log(mito_call_router(call), MITO_INFO, "woken by %s: %s",
             mito_error_name(mito_error_code()), mito_error());
    return 0;
}

MITO_FUNCTION(flood_stdout)
{
    static const char line[] = "a line of output that nobody will ever read to its end\n";

    (void)call;
    for (;;) {
        if (write(1, line, sizeof line - 1) < 0)
            return mito_fail(call, MITO_E_SYSTEM, "write");
    }
    return 0;
}

static struct mito_receiver *kept;

MITO_FUNCTION(give_box)
{
    kept = mito_receiver_new(mito_call_router(call));
    return kept == NULL ? -1 : mito_return(call, "r", kept);
}

static pid_t sleep_pid(struct mito_context *context)
{
    const struct kept_record *r = tree_record(mito_context_id(context), "stdout", "pid ", PATIENCE);

    assert_non_null(r);
    return (pid_t)atoi(r->text + 4);
}

/* --- the master is killed ---------------------------------------------------------------------
 */

/* Another master: grows a chain of three with a function that never ends in each, says their pids,
 * and waits to be killed. `kind` says what keeps the functions busy. */
static int sub_master(const char *kind)
{
    struct mito_context *chain[3];
    pid_t pids[3];

    if ((tree = mito_router_new(NULL)) == NULL)
        return 1;
    for (int i = 0; i < 3; i++) {
        int64_t pid;
        chain[i] = mito_local(tree, .via = i > 0 ? chain[i - 1] : NULL);
        if (chain[i] == NULL || mito_call(chain[i], &tree_pid, "", "i", &pid) < 0)
            return 1;
        pids[i] = (pid_t)pid;
    }
    for (int i = 0; i < 3; i++) {
        if (strcmp(kind, "spin") == 0)
            mito_call_no_reply(chain[i], &tree_spin, "");
        else if (strcmp(kind, "flood") == 0)
            mito_call_no_reply(chain[i], &flood_stdout, "");
        else if (strcmp(kind, "processes") == 0)
            mito_call_no_reply(chain[i], &run_sleep, "");
    }
    printf("pids %d %d %d\n", (int)pids[0], (int)pids[1], (int)pids[2]);
    fflush(stdout);
    for (;;)
        pause();
}

struct sub_master {
    pid_t pid, chain[3];
    FILE *out, *err; /* what it says; its records */
};

static FILE *pipe_end(int fd)
{
    FILE *f = fdopen(fd, "r");

    assert_non_null(f);
    return f;
}

static void start_sub_master(struct sub_master *s, const char *kind)
{
    int out[2], err[2];
    char line[200];

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        dup2(out[1], 1);
        dup2(err[1], 2);
        execl("/proc/self/exe", "sub-master", "sub-master", kind, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    close(err[1]);
    s->out = pipe_end(out[0]);
    s->err = pipe_end(err[0]);
    assert_non_null(fgets(line, sizeof line, s->out));
    assert_int_equal(sscanf(line, "pids %d %d %d", &s->chain[0], &s->chain[1], &s->chain[2]), 3);
}

static void end_sub_master(struct sub_master *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    fclose(s->out);
    fclose(s->err);
}

static void assert_chain_gone(const struct sub_master *s)
{
    int64_t until = now_ms() + GONE_WITHIN * SLOWNESS;

    for (int i = 0; i < 3; i++) {
        int64_t left = until - now_ms();
        if (!pid_gone(s->chain[i], left > 0 ? (int)left : 0))
            fail_msg("context %d (pid %d) outlives the master", i + 1, (int)s->chain[i]);
    }
}

static void test_master_killed(void **state)
{
    (void)state;
    static const char *const kinds[] = {"idle", "spin", "flood"};
    struct sub_master masters[LENGTH(kinds)];

    for (size_t i = 0; i < LENGTH(kinds); i++)
        start_sub_master(&masters[i], kinds[i]);
    for (size_t i = 0; i < LENGTH(kinds); i++)
        kill(masters[i].pid, SIGKILL);
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        assert_chain_gone(&masters[i]);
        end_sub_master(&masters[i]);
    }
}

/* "local.1: stdout: pid 123" */
static pid_t read_started_pid(FILE *records)
{
    char line[200];

    do
        assert_non_null(fgets(line, sizeof line, records));
    while (strstr(line, "stdout: pid ") == NULL);
    return (pid_t)atoi(strstr(line, "pid ") + 4);
}

/* What functions started ends as well, and they are given no moment to start more of it. (What
 * they manage to, the runner of the tests finds.) */
static void test_master_killed_with_processes(void **state)
{
    (void)state;
    struct sub_master masters[4];
    pid_t pids[LENGTH(masters)][3];

    for (size_t i = 0; i < LENGTH(masters); i++) {
        start_sub_master(&masters[i], "processes");
        for (int j = 0; j < 3; j++) {
            pids[i][j] = read_started_pid(masters[i].err);
            assert_false(pid_gone(pids[i][j], 0));
        }
    }
    for (size_t i = 0; i < LENGTH(masters); i++)
        kill(masters[i].pid, SIGKILL);
    for (size_t i = 0; i < LENGTH(masters); i++) {
        assert_chain_gone(&masters[i]);
        for (int j = 0; j < 3; j++)
            assert_true(pid_gone(pids[i][j], GONE_WITHIN));
        end_sub_master(&masters[i]);
    }
}

/* A context that cannot do anything is ended by its parent, by force; what is below it sees that.
 */
static void test_master_killed_with_a_stopped_context(void **state)
{
    (void)state;
    struct sub_master s;

    start_sub_master(&s, "idle");
    kill(s.chain[1], SIGSTOP);
    kill(s.pid, SIGKILL);
    assert_chain_gone(&s);
    end_sub_master(&s);
}

static void test_master_terminated(void **state)
{
    (void)state;
    struct sub_master s;

    start_sub_master(&s, "spin");
    kill(s.pid, SIGTERM);
    assert_chain_gone(&s);
    end_sub_master(&s);
}

/* --- a context in the middle is killed --------------------------------------------------------
 */

static void test_intermediate_killed(void **state)
{
    (void)state;
    struct mito_context *chain[4];
    MITO_AUTO_CONTEXT beside = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    pid_t pids[4];

    for (int i = 0; i < 4; i++) {
        chain[i] = tree_local(.via = i > 0 ? chain[i - 1] : NULL);
        pids[i] = tree_pid_of(chain[i]);
        assert_int_equal(mito_call_async(chain[i], &tree_spin, rx, chain[i], ""), 0);
    }
    int64_t before = now_ms();
    kill(pids[1], SIGKILL);
    for (int i = 1; i < 4; i++) {
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        struct mito_context *dead = mito_message_tag(m);
        assert_ptr_not_equal(dead, chain[0]);
        assert_int_equal(mito_message_read(m, ""), -1);
        assert_error(MITO_E_DEAD, mito_context_name(dead));
    }
    assert_in_range(now_ms() - before, 0, 1000 * SLOWNESS);
    for (int i = 1; i < 4; i++) {
        assert_true(pid_gone(pids[i], GONE_WITHIN * SLOWNESS));
        assert_int_equal(mito_call(chain[i], &tree_pid, "", "v", NULL), -1);
        assert_error(MITO_E_DEAD, mito_context_name(chain[i]));
        assert_int_equal(mito_context_shutdown(chain[i], 1000), 0); /* gone is gone */
    }
    assert_null(mito_receive(rx, 0)); /* the first one still spins */
    assert_int_equal(pid_gone(pids[0], 0), false);
    assert_true(tree_pid_of(beside) > 0);
    for (int i = 0; i < 4; i++)
        mito_context_unref(chain[i]);
}

/* --- shutting down what does not listen -------------------------------------------------------
 */

static void test_shutdown_of_a_spinning_context(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    pid_t pid = tree_pid_of(child), below_pid = tree_pid_of(below);

    assert_int_equal(mito_call_no_reply(child, &tree_spin, ""), 0);
    assert_int_equal(mito_call_no_reply(below, &tree_spin, ""), 0);
    assert_int_equal(mito_context_shutdown(below, 5000 * SLOWNESS), 0);
    assert_true(pid_gone(below_pid, 1000));
    assert_false(pid_gone(pid, 0));
    assert_int_equal(mito_context_shutdown(child, 5000 * SLOWNESS), 0);
    assert_true(pid_gone(pid, 1000));
    assert_int_equal(mito_call(child, &tree_pid, "", "v", NULL), -1);
    assert_error(MITO_E_DEAD, mito_context_name(child));
}

static void test_shutdown_of_a_stopped_context(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    pid_t pid = tree_pid_of(child), below_pid = tree_pid_of(below);

    kill(below_pid, SIGSTOP);
    assert_int_equal(mito_context_shutdown(below, 2000 * SLOWNESS), 0);
    assert_true(pid_gone(below_pid, 1000));
    MITO_AUTO_CONTEXT again = tree_local(.via = child);
    pid_t again_pid = tree_pid_of(again);
    kill(pid, SIGSTOP);
    int64_t before = now_ms();
    assert_int_equal(mito_context_shutdown(child, 2000), 0);
    assert_in_range(now_ms() - before, 0, 2000 * SLOWNESS);
    assert_true(pid_gone(pid, 1000));
    assert_true(pid_gone(again_pid, GONE_WITHIN * SLOWNESS)); /* its own parent was killed */
}

/* A timeout that is too short is told as one; the context is gone soon after. */
static void test_shutdown_in_no_time(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    pid_t pid = tree_pid_of(child);

    kill(pid, SIGSTOP);
    if (mito_context_shutdown(child, 0) < 0)
        assert_error(MITO_E_TIMEOUT, mito_context_name(child));
    assert_true(pid_gone(pid, 5000));
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
}

static void test_shutdown_needs_authority(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT self = mito_context_self(tree);
    MITO_AUTO_CONTEXT nobody = mito_context_by_id(tree, 54321);

    assert_int_equal(mito_context_shutdown(self, 1000), -1);
    assert_error(MITO_E_DENIED, "");
    assert_int_equal(mito_context_shutdown(nobody, 1000), -1);
    assert_error(MITO_E_DENIED, "54321");
}

/* Within its bound, whatever the contexts are doing. */
static void test_free_with_contexts_that_do_not_listen(void **state)
{
    (void)state;
    struct mito_context *stopped = tree_local(), *spinning = tree_local();
    struct mito_context *below = tree_local(.via = spinning), *flooding = tree_local();
    struct mito_context *deep = tree_local(.via = below);
    pid_t pids[] = {tree_pid_of(stopped), tree_pid_of(spinning), tree_pid_of(below),
                    tree_pid_of(flooding), tree_pid_of(deep)};

    assert_int_equal(mito_call_no_reply(spinning, &tree_spin, ""), 0);
    assert_int_equal(mito_call_no_reply(below, &tree_spin, ""), 0);
    assert_int_equal(mito_call_no_reply(flooding, &flood_stdout, ""), 0);
    assert_non_null(tree_record(mito_context_id(flooding), "stdout", "a line", PATIENCE));
    kill(pids[0], SIGSTOP);
    kill(pids[4], SIGSTOP);
    int64_t took = tree_free();
    assert_in_range(took, 0, 5500 + 2000 * (SLOWNESS - 1));
    for (size_t i = 0; i < LENGTH(pids); i++)
        assert_true(pid_gone(pids[i], 1000));
}

static void test_free_is_quick_when_all_listen(void **state)
{
    (void)state;
    struct mito_context *child = tree_local();

    tree_local(.via = tree_local(.via = child));
    tree_local();
    assert_int_equal(mito_call_no_reply(child, &run_sleep, ""), 0);
    pid_t sleeping = sleep_pid(child);
    /* A running function is given a moment to notice. */
    assert_in_range(tree_free(), 0, 2500 * SLOWNESS); /* not the 5 s of those that do not listen */
    assert_true(pid_gone(sleeping, 1000));
}

/* --- processes of functions -------------------------------------------------------------------
 */

static void test_processes_of_functions_end(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();

    assert_int_equal(mito_call_no_reply(child, &run_sleep, ""), 0);
    pid_t sleeping = sleep_pid(child);
    assert_false(pid_gone(sleeping, 0));
    assert_int_equal(mito_context_shutdown(child, 5000 * SLOWNESS), 0);
    assert_true(pid_gone(sleeping, 1000));
}

static void test_stubborn_processes_end(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    pid_t pids[2];

    assert_int_equal(mito_call_no_reply(child, &run_stubborn_sleeps, ""), 0);
    for (size_t i = 0; i < 2; i++) {
        for (int64_t until = now_ms() + PATIENCE;
             tree_record_at(mito_context_id(child), "stdout", "pid ", i) == NULL; sleep_ms(5))
            assert_true(now_ms() < until);
        pids[i] = atoi(tree_record_at(mito_context_id(child), "stdout", "pid ", i)->text + 4);
        assert_false(pid_gone(pids[i], 0));
    }
    assert_int_equal(mito_context_shutdown(child, 5000 * SLOWNESS), 0);
    for (size_t i = 0; i < 2; i++)
        assert_true(pid_gone(pids[i], 1000));
}

/* A function that waits is woken when its context is to end, and still has time for a word. */
static void test_functions_are_woken(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(tree);

    assert_int_equal(mito_call_async(child, &wait_in_vain, answers, NULL, "r", rx), 0);
    mito_message_free(tree_receive(rx));
    assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
    assert_non_null(tree_record(mito_context_id(child), "user", "woken by dead", PATIENCE));
}

/* Killed by force, a context can end nothing itself: its parent ends its process group. */
static void test_processes_of_a_killed_context_end(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    pid_t pid = tree_pid_of(child);

    assert_int_equal(mito_call_no_reply(child, &run_sleep, ""), 0);
    pid_t sleeping = sleep_pid(child);
    kill(pid, SIGKILL);
    assert_true(pid_gone(sleeping, 5000));
}

/* --- everyone who waits is told ---------------------------------------------------------------
 */

struct waiter {
    pthread_t thread;
    struct mito_context *context;
    struct mito_sender *box;
    int kind, code;
    int64_t told_at;
    char text[600];
};

static void *wait_for_the_dead(void *arg)
{
    struct waiter *w = arg;
    struct mito_receiver *rx = mito_receiver_new(tree);
    struct mito_message *m = NULL;
    int rc = 0;

    if (w->kind == 0)
        rc = mito_call(w->context, &tree_spin, "", "");
    else if (w->kind == 1)
        rc = mito_call_async(w->context, &tree_spin, rx, NULL, "");
    else if (w->kind == 2)
        rc = mito_request(w->box, rx, NULL, "s", "who is there?");
    else
        rc = mito_call_timeout(w->context, 100000, &tree_spin, "", "v", NULL);
    if (rc == 0) {
        m = mito_receive(rx, PATIENCE);
        if (m != NULL)
            mito_message_read(m, "v", NULL);
    }
    w->told_at = now_ms();
    w->code = mito_error_code();
    snprintf(w->text, sizeof w->text, "%s", mito_error());
    mito_message_free(m);
    mito_receiver_free(rx);
    return NULL;
}

static void everyone_is_told(struct mito_context *context, pid_t victim)
{
    struct waiter waiters[8] = {0};
    MITO_AUTO_SENDER tx = NULL;

    assert_int_equal(mito_call(context, &give_box, "", "t", &tx), 0);
    for (size_t i = 0; i < LENGTH(waiters); i++) {
        waiters[i] = (struct waiter){.context = context, .box = tx, .kind = (int)i % 4};
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_for_the_dead, &waiters[i]),
                         0);
    }
    sleep_ms(200 * SLOWNESS); /* for all of them to be waiting */
    int64_t killed_at = now_ms();
    kill(victim, SIGKILL);
    for (size_t i = 0; i < LENGTH(waiters); i++) {
        assert_int_equal(pthread_join(waiters[i].thread, NULL), 0);
        assert_string_equal(mito_error_name(waiters[i].code), "dead");
        if (strstr(waiters[i].text, mito_context_name(context)) == NULL)
            fail_msg("kind %d: \"%s\" names no context", waiters[i].kind, waiters[i].text);
        assert_in_range(waiters[i].told_at - killed_at, 0, 1000 * SLOWNESS);
    }
}

static void test_everyone_is_told(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT top = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = top);

    everyone_is_told(child, tree_pid_of(child));
    everyone_is_told(below, tree_pid_of(below));
    MITO_AUTO_CONTEXT behind = tree_local(.via = top);
    everyone_is_told(behind, tree_pid_of(top));
}

/* An end that user code makes is told with how it came. */
static void test_exit_and_abort(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT exits = tree_local();
    MITO_AUTO_CONTEXT aborts = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = exits);
    pid_t below_pid = tree_pid_of(below);

    assert_int_equal(mito_call(exits, &exit_with, "i", 3, ""), -1);
    assert_error(MITO_E_CRASHED, mito_context_name(exits));
    assert_error(MITO_E_CRASHED, "called exit(3) in function main.exit_with: exited with status 3");
    assert_true(pid_gone(below_pid, GONE_WITHIN * SLOWNESS));
    assert_int_equal(mito_call(below, &tree_pid, "", "v", NULL), -1);
    assert_error(MITO_E_CRASHED, mito_context_name(below));
    assert_error(MITO_E_CRASHED, "called exit(3) in function main.exit_with");
    assert_int_equal(mito_call(aborts, &abort_now, "", ""), -1);
    assert_error(MITO_E_CRASHED, "signal 6");
    assert_int_equal(mito_call(aborts, &tree_pid, "", "v", NULL), -1);
    assert_error(MITO_E_CRASHED, "signal 6");
    MITO_AUTO_CONTEXT top = tree_local();
    MITO_AUTO_CONTEXT deep = tree_local(.via = top);
    assert_int_equal(mito_call(deep, &exit_with, "i", 0, ""), -1);
    assert_error(MITO_E_CRASHED, mito_context_name(deep));
    assert_error(MITO_E_CRASHED, "called exit(3) in function main.exit_with: exited with status 0");
    assert_true(tree_pid_of(top) > 0);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    if (argc > 2 && strcmp(argv[1], "sub-master") == 0)
        return sub_master(argv[2]);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_master_killed),
        TREE_TEST(test_master_killed_with_processes),
        TREE_TEST(test_master_killed_with_a_stopped_context),
        TREE_TEST(test_master_terminated),
        TREE_TEST(test_intermediate_killed),
        TREE_TEST(test_shutdown_of_a_spinning_context),
        TREE_TEST(test_shutdown_of_a_stopped_context),
        TREE_TEST(test_shutdown_in_no_time),
        TREE_TEST(test_shutdown_needs_authority),
        TREE_TEST(test_free_with_contexts_that_do_not_listen),
        TREE_TEST(test_free_is_quick_when_all_listen),
        TREE_TEST(test_processes_of_functions_end),
        TREE_TEST(test_stubborn_processes_end),
        TREE_TEST(test_functions_are_woken),
        TREE_TEST(test_processes_of_a_killed_context_end),
        TREE_TEST(test_everyone_is_told),
        TREE_TEST(test_exit_and_abort),
    };
    return cmocka_run_group_tests_name("death", tests, NULL, NULL);
}
