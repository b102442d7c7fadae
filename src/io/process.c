#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/format.h"
#include "io/fd.h"

enum { LOOK_AGAIN = 10 /* ms */ };

extern char **environ;

static int add_descriptors(posix_spawn_file_actions_t *actions, const struct spawn *spawn)
{
    const int fds[3] = {spawn->stdin_fd, spawn->stdout_fd, spawn->stderr_fd};

    if (spawn->tty != NULL &&
        posix_spawn_file_actions_addopen(actions, 0, spawn->tty, O_RDWR, 0) != 0)
        return -1; /* the first terminal that a session leader opens becomes its controlling one */
    for (int i = 0; i < 3; i++) {
        int rc = fds[i] >= 0 ? posix_spawn_file_actions_adddup2(actions, fds[i], i)
                             : posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_RDWR, 0);
        if (rc != 0)
            return -1;
    }
    if (spawn->image_fd > 0 &&
        posix_spawn_file_actions_adddup2(actions, spawn->image_fd, SPAWN_IMAGE) != 0)
        return -1;
    return 0;
}

static int set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawnattr_setsigmask(attr, &none) != 0 || posix_spawnattr_setsigdefault(attr, &all))
        return -1;
    return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF) == 0
               ? 0
               : -1;
}

int process_spawn(const struct spawn *spawn, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    const char *path = spawn->image_fd > 0 ? "/proc/self/fd/3" : spawn->path;
    int rc = ENOMEM;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return error_nomem();
    if (posix_spawnattr_init(&attr) == 0) {
        if (add_descriptors(&actions, spawn) == 0 && set_attributes(&attr) == 0)
            rc = posix_spawnp(pid, path, &actions, &attr, spawn->argv, environ);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (rc == ENOENT)
        return error_set(MITO_E_NO_TOOL, "%s: no such program here; install it or give its path",
                         path);
    errno = rc;
    return rc == 0 ? 0 : error_errno("cannot start %s", path);
}

bool process_check(struct process *p)
{
    siginfo_t info = {0};

    if (p->exited)
        return true;
    /* Look without reaping first: while it is a zombie its group's number cannot be reused. */
    if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
        if (errno != ECHILD)
            return false;
        p->status = -1;
    } else {
        if (info.si_pid != p->pid)
            return false;
        if (p->kill_group)
            kill(-p->pid, SIGKILL);
        while (waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR)
            ;
    }
    p->exited = true;
    watch_free(p->watch);
    p->watch = NULL;
    fd_close(&p->pidfd);
    timer_cancel(&p->timer);
    return true;
}

static void look(void *arg)
{
    struct process *p = arg;

    if (process_check(p))
        p->on_exit(p->arg);
    else
        timer_set(p->broker, &p->timer, clock_ms() + LOOK_AGAIN, look, p);
}

static void on_pidfd(void *arg, int ready)
{
    struct process *p = arg;

    (void)ready;
    if (process_check(p))
        p->on_exit(p->arg);
}

int process_watch(struct process *p, struct broker *b, pid_t pid, void (*on_exit)(void *arg),
                  void *arg)
{
    *p = (struct process){.broker = b, .pid = pid, .pidfd = -1, .on_exit = on_exit, .arg = arg};
    p->kill_group = true;
#ifdef SYS_pidfd_open
    p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
#endif
    if (p->pidfd < 0)
        return 0;
    fd_move_away(&p->pidfd);
    p->watch = watch_new(b, p->pidfd, POLLER_IN, on_pidfd, p);
    if (p->watch == NULL)
        fd_close(&p->pidfd); /* looked after as on an old kernel */
    return 0;
}

void process_expect_end(struct process *p)
{
    if (!p->exited && p->watch == NULL && !p->timer.set)
        timer_set(p->broker, &p->timer, clock_ms(), look, p);
}

void process_kill(struct process *p, int signal)
{
    if (p->exited)
        return;
    p->killed = true;
    kill(-p->pid, signal);
    kill(p->pid, signal);
    process_expect_end(p);
}

void process_forget(struct process *p)
{
    watch_free(p->watch);
    p->watch = NULL;
    fd_close(&p->pidfd);
    timer_cancel(&p->timer);
}

bool process_failed(const struct process *p)
{
    int signal = p->exited && p->status != -1 && WIFSIGNALED(p->status) ? WTERMSIG(p->status) : 0;

    if (!p->exited || p->status == -1 || p->killed)
        return false;
    return signal == 0
               ? WEXITSTATUS(p->status) != 0
               : signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
                     signal == SIGABRT || signal == SIGTRAP || signal == SIGSYS;
}

const char *process_describe(int status, char *out, size_t size)
{
    if (status == -1)
        format_to(out, size, "ended (its status was taken by somebody else)");
    else if (WIFSIGNALED(status))
        format_to(out, size, "was killed by signal %d (%s)%s", WTERMSIG(status),
                  strsignal(WTERMSIG(status)),
                  WTERMSIG(status) == SIGKILL ? ", maybe for want of memory" : "");
    else
        format_to(out, size, "exited with status %d", WEXITSTATUS(status));
    return out;
}
