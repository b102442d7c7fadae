/* Processes: what they start with, how their end is told, groups, terminals. */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "eventually.h"
#include "io/fd.h"
#include "io/process.h"
#include "io/pty.h"

static struct broker broker;
static struct process process;
static int exits;

static int start(void **state)
{
    (void)state;
    exits = 0;
    return broker_open(&broker) == 0 ? broker_start(&broker) : -1;
}

static int end(void **state)
{
    (void)state;
    broker_close(&broker);
    return 0;
}

static void on_exit_(void *arg)
{
    (void)arg;
    exits++;
}

static int spawn_shell(const char *script, int stdout_fd, const char *tty, pid_t *pid)
{
    char shell[] = "sh", option[] = "-c", text[2000];
    char *argv[] = {shell, option, text, NULL};
    struct spawn s = {"sh", argv, -1, stdout_fd, 2, tty, 0};

    snprintf(text, sizeof text, "%s", script);
    return process_spawn(&s, pid);
}

static void watch(pid_t pid)
{
    broker_lock(&broker);
    assert_int_equal(process_watch(&process, &broker, pid, on_exit_, NULL), 0);
    broker_unlock(&broker);
}

static int status_of(const char *script)
{
    pid_t pid;

    exits = 0;
    assert_int_equal(spawn_shell(script, -1, NULL, &pid), 0);
    watch(pid);
    broker_lock(&broker);
    process_expect_end(&process); /* where there is no pidfd */
    broker_unlock(&broker);
    EVENTUALLY(&broker, exits > 0);
    assert_int_equal(exits, 1);
    assert_true(process.exited);
    assert_int_equal(process.pidfd, -1);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
    return process.status;
}

/* What a script prints; it is waited for. */
static char *output_of(const char *script, const char *tty)
{
    static char text[8192];
    size_t length = 0;
    int pair[2], status;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(spawn_shell(script, pair[1], tty, &pid), 0);
    close(pair[1]);
    while ((n = read(pair[0], text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)n;
    text[length] = '\0';
    close(pair[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return text;
}

static void test_status(void **state)
{
    (void)state;
    char text[100];
    assert_string_equal(process_describe(status_of("exit 0"), text, sizeof text),
                        "exited with status 0");
    assert_string_equal(process_describe(status_of("exit 3"), text, sizeof text),
                        "exited with status 3");
    assert_non_null(strstr(process_describe(status_of("kill -9 $$"), text, sizeof text),
                           "was killed by signal 9 ("));
    assert_non_null(strstr(process_describe(-1, text, sizeof text), "somebody else"));
}

static void test_missing(void **state)
{
    (void)state;
    char name[] = "no-such-program-anywhere", path[] = "/nonexistent/program";
    char *argv[] = {name, NULL};
    struct spawn s = {name, argv, -1, -1, -1, NULL, 0};
    pid_t pid;
    assert_int_equal(process_spawn(&s, &pid), -1);
    assert_error(MITO_E_NO_TOOL, name);
    s.path = path;
    assert_int_equal(process_spawn(&s, &pid), -1);
    assert_error(MITO_E_NO_TOOL, path);
    s.path = "/etc/passwd";
    assert_int_equal(process_spawn(&s, &pid), -1);
    assert_error(MITO_E_SYSTEM, "/etc/passwd");
}

static void test_session(void **state)
{
    (void)state;
    int pid, group, session;
    char *text = output_of("cut -d' ' -f1,5,6 /proc/$$/stat", NULL);
    assert_int_equal(sscanf(text, "%d %d %d", &pid, &group, &session), 3);
    assert_int_equal(group, pid);
    assert_int_equal(session, pid);
    assert_int_not_equal(session, getsid(0));
}

static void test_signals(void **state)
{
    (void)state;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, pipe_before, usr1_before;
    sigset_t some, before;
    sigaction(SIGPIPE, &ignore, &pipe_before);
    sigaction(SIGUSR1, &ignore, &usr1_before);
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    char *text = output_of("exec grep -E '^Sig(Blk|Ign)' /proc/self/status", NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigaction(SIGPIPE, &pipe_before, NULL);
    sigaction(SIGUSR1, &usr1_before, NULL);
    unsigned long long blocked, ignored;
    assert_int_equal(sscanf(text, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
    assert_int_equal(blocked, 0);
    assert_int_equal(ignored & ~(3ull << 31), 0); /* glibc ignores two of its own, 32 and 33 */
}

/* None of ours reaches it, and those not given are /dev/null. */
static void test_descriptors(void **state)
{
    (void)state;
    int pair[2];
    char check[200];
    assert_int_equal(fd_socketpair(pair, true), 0);
    snprintf(check, sizeof check,
             "readlink /proc/$$/fd/0; for n in %d %d; do [ -e /proc/$$/fd/$n ] && echo $n; done; :",
             pair[0], pair[1]);
    assert_string_equal(output_of(check, NULL), "/dev/null\n");
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

/* The same when this program has none of the three itself. */
static void test_own_descriptors_closed(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int pair[2];
        char c = 0;
        pid_t pid;
        char shell[] = "sh", option[] = "-c";
        char script[] = "read x || [ -z \"$x\" ]; printf y; echo lost >&2";
        char *argv[] = {shell, option, script, NULL};
        fd_close_from(0, -1);
        if (fd_socketpair(pair, false) < 0 || pair[0] <= 2 || pair[1] <= 2)
            _exit(10);
        struct spawn s = {"sh", argv, -1, pair[1], -1, NULL, 0};
        if (process_spawn(&s, &pid) < 0)
            _exit(11);
        fd_close(&pair[1]);
        if (read(pair[0], &c, 1) != 1 || c != 'y')
            _exit(12);
        _exit(waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 13);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(WIFEXITED(status));
}

/* Ends when nobody has the writing end of `fd` any more. */
static void expect_end_of_file(int fd)
{
    char c;

    alarm(PATIENCE_MS / 1000);
    while (read(fd, &c, 1) > 0)
        ;
    alarm(0);
}

static void check_group(bool kill_group)
{
    int pair[2];
    pid_t pid;
    char text[20] = {0};

    exits = 0;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(spawn_shell("sleep 1000 & echo $!", pair[1], NULL, &pid), 0);
    close(pair[1]);
    broker_lock(&broker); /* before anybody can see its end */
    assert_int_equal(process_watch(&process, &broker, pid, on_exit_, NULL), 0);
    process.kill_group = kill_group;
    process_expect_end(&process);
    broker_unlock(&broker);
    assert_true(read(pair[0], text, sizeof text - 1) > 0);
    pid_t left = atoi(text);
    assert_true(left > 1);
    EVENTUALLY(&broker, exits == 1);
    if (!kill_group) {
        assert_int_equal(kill(left, 0), 0);
        assert_int_equal(kill(left, SIGKILL), 0);
    }
    expect_end_of_file(pair[0]);
    close(pair[0]);
}

static void test_group(void **state)
{
    (void)state;
    check_group(false);
    for (int i = 0; i < 10; i++)
        check_group(true);
}

static void test_kill(void **state)
{
    (void)state;
    int pair[2];
    pid_t pid;
    char c;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(
        spawn_shell("trap '' TERM; sleep 1000 & echo; while :; do wait; done", pair[1], NULL, &pid),
        0);
    close(pair[1]);
    assert_int_equal(read(pair[0], &c, 1), 1);
    watch(pid);
    broker_lock(&broker);
    assert_false(process_check(&process));
    process_kill(&process, SIGTERM); /* ignored by all of them */
    broker_unlock(&broker);
    sleep_ms(50);
    broker_lock(&broker);
    assert_int_equal(exits, 0);
    process_kill(&process, SIGKILL);
    broker_unlock(&broker);
    EVENTUALLY(&broker, exits == 1);
    assert_true(WIFSIGNALED(process.status));
    assert_int_equal(WTERMSIG(process.status), SIGKILL);
    expect_end_of_file(pair[0]); /* the sleep, too */
    close(pair[0]);
    broker_lock(&broker);
    assert_true(process_check(&process));
    process_kill(&process, SIGKILL); /* nobody any more: no signal to who has the number now */
    process_expect_end(&process);
    process_forget(&process);
    broker_unlock(&broker);
    assert_int_equal(exits, 1);
}

static void test_reaped_by_others(void **state)
{
    (void)state;
    pid_t pid;
    assert_int_equal(spawn_shell("exit 3", -1, NULL, &pid), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    watch(pid);
    broker_lock(&broker);
    process_expect_end(&process);
    broker_unlock(&broker);
    EVENTUALLY(&broker, exits == 1);
    assert_true(process.exited);
    assert_int_equal(process.status, -1);
    /* While it is watched: the lock keeps the broker from being first. */
    exits = 0;
    assert_int_equal(spawn_shell("exit 3", -1, NULL, &pid), 0);
    broker_lock(&broker);
    assert_int_equal(process_watch(&process, &broker, pid, on_exit_, NULL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    process_expect_end(&process);
    broker_unlock(&broker);
    EVENTUALLY(&broker, exits == 1);
    assert_int_equal(process.status, -1);
}

static void test_forget(void **state)
{
    (void)state;
    pid_t pid;
    assert_int_equal(spawn_shell("sleep 0.05", -1, NULL, &pid), 0);
    watch(pid);
    broker_lock(&broker);
    process_forget(&process);
    process_forget(&process);
    broker_unlock(&broker);
    assert_int_equal(waitpid(pid, NULL, 0), pid); /* nobody reaped it */
    sleep_ms(30);
    assert_int_equal(exits, 0);
}

/* As on a kernel without pidfd: looked at again and again once its end is expected. */
static void test_without_pidfd(void **state)
{
    (void)state;
    pid_t pid;
    assert_int_equal(spawn_shell("sleep 0.1; exit 4", -1, NULL, &pid), 0);
    watch(pid);
    broker_lock(&broker);
    watch_free(process.watch);
    process.watch = NULL;
    fd_close(&process.pidfd);
    process_expect_end(&process);
    broker_unlock(&broker);
    EVENTUALLY(&broker, exits == 1);
    assert_int_equal(WEXITSTATUS(process.status), 4);
    assert_false(process.timer.set);
}

static void test_tty(void **state)
{
    (void)state;
    struct pty pty;
    assert_int_equal(pty_open(&pty), 0);
    /* Its standard descriptors are what was asked for; the terminal is behind /dev/tty. */
    char *text =
        output_of("[ -t 0 ] && echo tty; ps -o tty= -p $$; : </dev/tty && echo there", pty.name);
    char want[100];
    snprintf(want, sizeof want, "%s\nthere\n", pty.name + strlen("/dev/"));
    assert_string_equal(text, want);
    text = output_of("(: </dev/tty) 2>/dev/null || echo none", NULL);
    assert_string_equal(text, "none\n");
    pty_close(&pty);
}

int main(void)
{
#define WITH_BROKER(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_BROKER(test_status),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_own_descriptors_closed),
        WITH_BROKER(test_group),
        WITH_BROKER(test_kill),
        WITH_BROKER(test_reaped_by_others),
        WITH_BROKER(test_forget),
        WITH_BROKER(test_without_pidfd),
        cmocka_unit_test(test_tty),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
