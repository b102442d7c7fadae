#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "remote.h"

/* Descriptors of the guard, after it has put them in order. */
enum { FD_LINE = 3, FD_COUNT = 4 };

/* Orders to the guard, one byte each. The end of the line is an order to stop too. */
enum { ORDER_STOP = 'k', ORDER_LEAVE = 'l' };

/* What the guard sends: first the command's pid, then its status. The line keeps messages whole. */
struct report {
    int32_t value;
};

/* ------------------------------------------------------------------------------------------- */
/* In the guard and the command: forked from a process with threads, so system calls alone        */
/* ------------------------------------------------------------------------------------------- */

static void on_child(int number)
{
    (void)number; /* only to interrupt ppoll(2) */
}

static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    sigemptyset(&action.sa_mask);
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL); /* fails for SIGKILL and such, as it should */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0u, 0) == 0)
        return;
#endif
    struct rlimit limit = {.rlim_cur = 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    int end = limit.rlim_cur < (1 << 20) ? (int)limit.rlim_cur : 1 << 20;
    for (int fd = first; fd < end; fd++)
        close(fd);
}

/* Makes from[i] descriptor i for all i below FD_COUNT, and closes every other one: the guard must
 * not hold the context's streams open. */
static bool arrange_descriptors(const int *from)
{
    int high[FD_COUNT];
    for (int i = 0; i < FD_COUNT; i++) {
        high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FD_COUNT);
        if (high[i] < 0)
            return false;
    }
    for (int i = 0; i < FD_COUNT; i++) {
        if (dup2(high[i], i) < 0)
            return false;
    }
    close_from(FD_COUNT);
    return true;
}

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

/* As execvp(3), for which not every libc promises system calls alone, and some start a shell for a
 * file that the kernel does not take. Returns the errno of the failure that says most. */
static int execute(char *const *argv)
{
    char path[4096];
    const char *search = getenv("PATH");
    int error = ENOENT;
    if (strchr(argv[0], '/') != NULL) {
        execve(argv[0], argv, environ);
        return errno;
    }
    for (const char *at = search != NULL ? search : "/usr/local/bin:/bin:/usr/bin";; at++) {
        size_t length = strcspn(at, ":");
        if (length + strlen(argv[0]) + 2 <= sizeof path) {
            memcpy(path, at, length);
            path[length] = '/'; /* an empty part is the current directory */
            strcpy(path + length + (length > 0), argv[0]);
            execve(path, argv, environ);
            if (errno == EACCES)
                error = EACCES; /* another one may be allowed */
            else if (errno != ENOENT && errno != ENOTDIR)
                return errno;
        }
        at += length;
        if (*at == '\0')
            return error;
    }
}

static _Noreturn void become_command(char *const *argv, pid_t guard)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != guard)
        _exit(1); /* it died before prctl() */
    close(FD_LINE);
    setsid();
    reset_signals();
    int error = execute(argv);
    say("mitosis: ");
    say(argv[0]);
    say(error == ENOENT ? ": not found" : ": ");
    say(error == ENOENT ? "" : strerror(error));
    say("\n");
    _exit(error == ENOENT ? 127 : 126);
}

static void report(int value)
{
    struct report r = {.value = value};
    ssize_t sent = send(FD_LINE, &r, sizeof r, MSG_NOSIGNAL);
    (void)sent; /* the context is gone: the next order tells */
}

static int64_t guard_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Also true for a group that this user may not signal. */
static bool has_members(pid_t group)
{
    return kill(-group, 0) == 0 || errno == EPERM;
}

static void pause_ms(int ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

/* Reaps and reports the command when it has ended. Only then may its number belong to others, and
 * only when no process is left in its group. */
static bool reap(pid_t command, bool *reported)
{
    int status = 0;
    if (waitpid(command, &status, WNOHANG) != command)
        return false;
    if (!*reported)
        report(status);
    *reported = true;
    return true;
}

/* SIGTERM for the whole group, SIGKILL for whoever is left when the grace is over. */
static void stop_group(pid_t command, bool reported)
{
    int64_t end = guard_clock_ms() + STOP_GRACE_MS;
    bool reaped = false;
    /* Before setsid() the command is in no group of its own. */
    if (kill(-command, SIGTERM) < 0 && errno == ESRCH)
        kill(command, SIGTERM);
    kill(-command, SIGCONT);
    while (guard_clock_ms() < end) {
        reaped = reaped || reap(command, &reported);
        if (reaped && !has_members(command))
            return;
        pause_ms(10);
    }
    if (kill(-command, SIGKILL) < 0 && errno == ESRCH && !reaped)
        kill(command, SIGKILL);
    /* Not for ever: a process may be stuck in the kernel, or be another user's. */
    for (end += 1000; !reaped && guard_clock_ms() < end; pause_ms(1))
        reaped = reap(command, &reported);
}

/* True once the command has ended; it is left unreaped, so that its group keeps its number. */
static bool has_ended(pid_t command, int *status)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)command, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return false;
    *status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
    return true;
}

/* Waits until it is told to stop (true), or to leave. */
static bool guard_command(pid_t command, bool *reported, const sigset_t *unblocked)
{
    struct pollfd orders = {.fd = FD_LINE, .events = POLLIN};
    for (;;) {
        int status = 0;
        char order = 0;
        if (!*reported && has_ended(command, &status)) {
            report(status);
            *reported = true;
        }
        if (ppoll(&orders, 1, NULL, unblocked) <= 0)
            continue; /* SIGCHLD */
        return recv(FD_LINE, &order, 1, 0) != 1 || order != ORDER_LEAVE;
    }
}

static _Noreturn void become_guard(char *const *argv, const int *descriptors)
{
    struct sigaction action = {.sa_handler = on_child};
    sigset_t child, unblocked;
    bool reported = false;
    setsid();
    reset_signals();
    sigemptyset(&action.sa_mask);
    sigaction(SIGCHLD, &action, NULL);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &unblocked);
    if (!arrange_descriptors(descriptors))
        _exit(1);
    pid_t self = getpid(), command = fork();
    if (command == 0)
        become_command(argv, self);
    if (command < 0)
        _exit(1);
    close(STDOUT_FILENO); /* or the context would never see their end */
    close(STDERR_FILENO);
    report(command);
    if (guard_command(command, &reported, &unblocked))
        stop_group(command, reported);
    _exit(0);
}

/* ------------------------------------------------------------------------------------------- */
/* In the context                                                                                */
/* ------------------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool make_pipe(int *reading, int *writing)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    *reading = ends[0];
    *writing = ends[1];
    return fcntl(*reading, F_SETFL, O_NONBLOCK) == 0;
}

static bool make_line(int *ours, int *theirs)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    *ours = ends[0];
    *theirs = ends[1];
    return true;
}

int guard_start(struct guard *g, char *const *argv, const char **step)
{
    int theirs[FD_COUNT] = {-1, -1, -1, -1};
    int error = 0;
    *g = (struct guard){.out = -1, .err = -1, .line = -1};
    *step = "open /dev/null";
    theirs[STDIN_FILENO] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool ready = theirs[STDIN_FILENO] >= 0;
    if (ready) {
        *step = "make a pipe";
        ready = make_pipe(&g->out, &theirs[STDOUT_FILENO]) &&
                make_pipe(&g->err, &theirs[STDERR_FILENO]) && make_line(&g->line, &theirs[FD_LINE]);
    }
    if (ready) {
        *step = "fork";
        g->pid = fork();
        if (g->pid == 0)
            become_guard(argv, theirs);
        ready = g->pid > 0;
    }
    error = errno;
    for (int i = 0; i < FD_COUNT; i++)
        close_fd(&theirs[i]);
    if (!ready) {
        g->pid = 0;
        guard_end(g);
        errno = error;
        return -1;
    }
    return 0;
}

int guard_receive(struct guard *g)
{
    struct report r;
    ssize_t length = recv(g->line, &r, sizeof r, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (length != sizeof r)
        return -1;
    if (g->command == 0) {
        g->command = r.value;
    } else {
        g->ended = true;
        g->status = r.value;
    }
    return 0;
}

static void order(const struct guard *g, char byte)
{
    ssize_t sent = send(g->line, &byte, 1, MSG_NOSIGNAL);
    (void)sent; /* the guard is gone: guard_receive() tells */
}

void guard_stop(struct guard *g)
{
    order(g, ORDER_STOP);
}

void guard_end(struct guard *g)
{
    enum { TRIES = 250 };
    if (g->pid > 0 && g->ended)
        order(g, ORDER_LEAVE);
    else if (g->command > 0)
        kill(-g->command, SIGKILL);
    close_fd(&g->line);
    close_fd(&g->out);
    close_fd(&g->err);
    /* It may be waiting for what cannot be killed. Then it is reaped when the context ends. */
    for (int i = 0; g->pid > 0 && waitpid(g->pid, NULL, WNOHANG) == 0 && i < TRIES; i++)
        pause_ms(i < 10 ? 1 : 10);
    g->pid = 0;
}
