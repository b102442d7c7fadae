/* How a child ends: its parent said SHUTDOWN, or is gone. The children end first, then what was
 * written to stdout and the log is sent on, then the process exits, whatever its functions do. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/text.h"
#include "child/child.h"
#include "core/context.h"
#include "io/fd.h"

enum {
    FUNCTION_GRACE = 300, /* ms for a running function to notice and return */
    FLUSH_GRACE = 1000,   /* for output and log to reach the parent */
    KILL_GRACE = 500,     /* for what was killed to be dead, so that its children become ours */
    LOOK_AGAIN = 5,
};

/* --- processes that user functions started -----------------------------------------------------
 */

/* Kills the child processes that one of our threads started; how many there were. */
static int kill_children_of(const char *thread)
{
    char path[64], list[4096];
    int killed = 0;

    format_to(path, sizeof path, "/proc/self/task/%.16s/children", thread);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, list, sizeof list - 1);
    bool cut = n == (ssize_t)sizeof list - 1;
    while (cut && n > 0 && list[n - 1] != ' ')
        n--; /* never the first part of a number */
    list[n < 0 ? 0 : n] = '\0';
    for (const char *at = list; *at != '\0';) {
        uint64_t pid = text_number(&at);
        if (pid > 1 && pid <= INT32_MAX &&
            map_get(&this_child.router->let_go, (uint32_t)pid) == NULL &&
            kill((pid_t)pid, SIGKILL) == 0)
            killed++;
        while (*at != '\0' && (*at < '0' || *at > '9'))
            at++;
    }
    return killed;
}

static int kill_children(void)
{
    DIR *threads = opendir("/proc/self/task");
    struct dirent *entry;
    int killed = 0;

    while (threads != NULL && (entry = readdir(threads)) != NULL) {
        if (entry->d_name[0] != '.')
            killed += kill_children_of(entry->d_name);
    }
    if (threads != NULL)
        closedir(threads);
    return killed;
}

/* What they started ends with us: our own process group, our children and, once those are dead and
 * we are their reaper, their children. Who left the group and was left by its parent (a daemon)
 * stays: that was done on purpose. So does a context that detached. */
static void end_processes(void)
{
    /* First: what a process leaves that dies of our SIGTERM is ours to end. */
#ifdef PR_SET_CHILD_SUBREAPER
    prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
#endif
    if (getpgrp() == getpid()) {
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
    }
    int64_t deadline = clock_ms() + KILL_GRACE;
    while (kill_children() > 0 && clock_ms() < deadline) {
        usleep(1000); /* the broker has nothing left to do */
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

/* --- the last steps ----------------------------------------------------------------------------
 */

static bool functions_run(const struct child *c)
{
    return c->dispatcher.busy || pool_busy(c->dispatcher.pool);
}

static void leave(const struct child *c)
{
    end_processes();
    /* A function that still runs may start another process right now: a signal to the whole group,
     * ourselves among it, is what leaves no gap. */
    if (functions_run(c) && getpgrp() == getpid())
        kill(0, SIGKILL);
    _exit(0);
}

static void look_if_done(void *arg)
{
    struct child *c = arg;
    struct neighbour *parent = c->router->parent;
    bool parent_listens = parent != NULL && !parent->stream.broken && !parent->stream.out_dead;
    int64_t now = clock_ms();
    bool flushed = !parent_listens || (output_drained(c) && parent->stream.out_bytes == 0);

    if (now >= c->exit_deadline + FLUSH_GRACE ||
        (flushed && (!functions_run(c) || now >= c->exit_deadline)))
        leave(c);
    timer_set(&c->router->broker, &c->exit_timer, now + LOOK_AGAIN, look_if_done, c);
}

static void children_gone(void *arg)
{
    struct child *c = arg;

    c->exit_deadline = clock_ms() + FUNCTION_GRACE;
    look_if_done(c);
}

void child_end(struct child *c)
{
    if (c->ending)
        return;
    c->ending = true;
    receiver_end(&c->dispatcher.calls, MITO_E_CLOSED, "shutting down");
    router_fail_handles(c->router, "this context is shutting down", true);
    router_end_children(c->router, children_gone, c);
}

/* --- why ---------------------------------------------------------------------------------------
 */

static void parent_broken(struct neighbour *n)
{
    child_end(&this_child);
    neighbour_gone(n, &n->stream.reason);
}

const struct neighbour_ops child_parent_ops = {.broken = parent_broken};

static void on_shutdown(struct handle *h, struct neighbour *from, struct message *m)
{
    (void)from;
    if (!message_is_dead(m))
        child_end(h->arg);
    message_free(m);
}

int death_start(struct child *c)
{
    return handle_add(c->router, &c->shutdown, HANDLE_SHUTDOWN, POLICY_PARENT_AUTHORITY, NULL,
                      on_shutdown, c);
}
