#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"
#include "signals.h"

extern char **environ;

void words_free(struct words *w)
{
    free(w->items);
    *w = (struct words){.items = NULL};
}

void words_add(struct words *w, const char *word)
{
    for (size_t i = 0; i < 2; i++) {
        w->items = memory_grow(w->items, w->count + i, &w->capacity, sizeof *w->items);
        w->items[w->count + i] = i == 0 ? word : NULL;
    }
    w->count++;
}

void words_add_all(struct words *w, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++)
        words_add(w, *list);
}

static void take(posix_spawn_file_actions_t *actions, int fd, int as)
{
    if (fd >= 0 && fd != as)
        posix_spawn_file_actions_adddup2(actions, fd, as);
}

static int start(const struct tool *tool, pid_t *pid, struct complaint *why)
{
    posix_spawn_file_actions_t actions;
    if (signals_start(why) < 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    if (tool->in < 0)
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    take(&actions, tool->in, STDIN_FILENO);
    take(&actions, tool->out, STDOUT_FILENO);
    take(&actions, tool->err, STDERR_FILENO);
    char *const *argv = (char *const *)(uintptr_t)tool->argv;
    int error = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error == 0 ? 0 : complain(why, "cannot run %s: %s", argv[0], strerror(error));
}

/* A signal that was meant for us alone is passed on: it works on our behalf. */
static int await(pid_t pid, const char *name, struct complaint *why)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return complain(why, "cannot wait for %s: %s", name, strerror(errno));
        if (signals_caught() != 0)
            kill(pid, signals_caught());
    }
    if (signals_caught() != 0)
        return complain(why, "interrupted");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int judge(int status, const char *name, struct complaint *why)
{
    if (status > 0)
        return complain(why, "%s failed with status %d", name, status);
    return status;
}

int tool_run(const struct tool *tool, struct complaint *why)
{
    pid_t pid = 0;
    if (start(tool, &pid, why) < 0)
        return -1;
    return await(pid, tool->argv[0], why);
}

int tool_must(const struct tool *tool, struct complaint *why)
{
    return judge(tool_run(tool, why), tool->argv[0], why);
}

/* Until the end, an error, or more than there may be. */
static void read_all(int fd, size_t most, struct bytes *out)
{
    char piece[16384];
    while (out->length <= most) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n > 0)
            bytes_add(out, piece, (size_t)n);
        else if (n == 0 || errno != EINTR || signals_caught() != 0)
            return;
    }
}

int tool_read(const struct tool *tool, size_t most, struct bytes *out, struct complaint *why)
{
    struct tool piped = *tool;
    pid_t pid = 0;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return complain(why, "cannot make a pipe: %s", strerror(errno));
    piped.out = fds[1];
    int result = start(&piped, &pid, why);
    close(fds[1]);
    if (result == 0)
        read_all(fds[0], most, out);
    close(fds[0]); /* ends who writes more */
    if (result == 0)
        result = judge(await(pid, tool->argv[0], why), tool->argv[0], why);
    if (out->length > most)
        result = complain(why, "%s wrote more than %zu bytes", tool->argv[0], most);
    return result;
}
