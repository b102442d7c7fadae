/* Starting a context over ssh to this very machine, beside `ssh HOST true`. */
#include "bench.h"

#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>

#include "base/clock.h"

enum { ROUNDS = 7 };

extern char **environ;

static struct mito_context *connect_child(struct bench *b)
{
    const char *const ssh_args[] = {"-F", b->ssh_config, NULL};
    struct mito_context *child = mito_ssh(b->router, .hostname = "good", .ssh_args = ssh_args);

    if (child == NULL)
        die("%s", mito_error());
    return child;
}

static double ours(void *arg)
{
    int64_t begin = clock_ns();
    struct mito_context *child = connect_child(arg);
    double took = (double)(clock_ns() - begin) / 1e6;
    end_child(child);
    return took;
}

double run_to_end(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    int64_t begin = clock_ns();
    int status = -1;
    pid_t pid;

    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0) != 0 ||
        posix_spawnp(&pid, argv[0], &actions, NULL, (char **)(uintptr_t)argv, environ) != 0)
        die("cannot run %s", argv[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0)
        die("%s failed", argv[0]);
    return (double)(clock_ns() - begin) / 1e6;
}

static double reference(void *arg)
{
    struct bench *b = arg;
    const char *const argv[] = {"ssh", "-F", b->ssh_config, "good", "true", NULL};

    return run_to_end(argv);
}

/* Of an image that no other process runs: nothing of it is shared, as on another machine. */
static void measure_memory(struct bench *b)
{
    struct row row = {.key = "memory.ssh", .name = "memory of an idle child over ssh"};
    struct mito_context *child = connect_child(b);
    double kib = memory_of(child_pid(child)).private;

    row.ours = (struct summary){kib, kib, kib};
    row.unit = "KiB";
    row.demand = VALUE_AT_MOST;
    row.bound = 1024;
    table_add(&row);
    end_child(child);
}

void bench_ssh(struct bench *b)
{
    struct row row = {.key = "ssh", .name = "start of an ssh context, loopback", .unit = "ms"};
    struct duel d = {ours, reference, b, ROUNDS, {.count = 0}, {.count = 0}};

    if (b->ssh_config == NULL)
        return;
    duel_fight(&d);
    duel_result(&d, &row.ours, &row.reference);
    table_add(&row);
    measure_memory(b);
}
