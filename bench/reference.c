/* The references: what the same work costs with nothing but socketpair(2), read(2) and write(2).
 * They are processes of this very image, started as we start children. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFERENCE_ARGUMENT "bench-reference"

extern char **environ;

/* False at the end of the input. */
static bool read_all(int fd, void *data, size_t size)
{
    char *at = data;

    while (size > 0) {
        ssize_t n = read(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

void read_fully(int fd, void *data, size_t size)
{
    if (!read_all(fd, data, size))
        die("a reference ended");
}

void write_fully(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("write to a reference: %s", strerror(errno));
        at += n;
        size -= (size_t)n;
    }
}

/* --- in the process ----------------------------------------------------------------------------
 */

static char buffer[BLOB_SIZE];

static void answer(size_t in, size_t out)
{
    size_t have = 0;
    ssize_t n;

    while ((n = read(0, buffer, 64 * 1024)) > 0) {
        for (have += (size_t)n; have >= in; have -= in)
            write_fully(0, buffer, out);
    }
}

static void relay(size_t in, size_t out)
{
    while (read_all(0, buffer, in)) {
        write_fully(1, buffer, in);
        if (!read_all(1, buffer, out))
            return;
        write_fully(0, buffer, out);
    }
}

static void sink(size_t total)
{
    size_t have = 0;
    ssize_t n;

    while ((n = read(0, buffer, sizeof buffer)) > 0) {
        have += (size_t)n;
        if (have == total) {
            write_fully(0, buffer, 1);
            have = 0;
        }
    }
}

static void source_of(size_t total)
{
    while (read_all(0, buffer, 1)) {
        for (size_t done = 0; done < total; done += sizeof buffer)
            write_fully(0, buffer, sizeof buffer);
    }
}

void reference_main(int argc, char **argv)
{
    if (argc != 5 || strcmp(argv[1], REFERENCE_ARGUMENT) != 0)
        return;
    const char *kind = argv[2];
    size_t a = strtoul(argv[3], NULL, 10), b = strtoul(argv[4], NULL, 10);
    if (strcmp(kind, "answer") == 0)
        answer(a, b);
    else if (strcmp(kind, "relay") == 0)
        relay(a, b);
    else if (strcmp(kind, "sink") == 0)
        sink(a);
    else if (strcmp(kind, "source") == 0)
        source_of(a);
    _exit(0);
}

/* --- in ours -----------------------------------------------------------------------------------
 */

static void make_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        die("socketpair: %s", strerror(errno));
}

/* down: the descriptor that becomes its stdout, or -1. */
static pid_t spawn(const char *kind, size_t a, size_t b, int up, int down)
{
    char program[] = "bench", mark[] = REFERENCE_ARGUMENT, name[16], first[24], second[24];
    char *argv[] = {program, mark, name, first, second, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;

    snprintf(name, sizeof name, "%s", kind);
    snprintf(first, sizeof first, "%zu", a);
    snprintf(second, sizeof second, "%zu", b);
    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, up, 0) != 0 ||
        (down >= 0 && posix_spawn_file_actions_adddup2(&actions, down, 1) != 0))
        die("out of memory");
    int rc = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0)
        die("posix_spawn: %s", strerror(rc));
    return pid;
}

struct reference reference_start(const char *kind, size_t a, size_t b)
{
    struct reference r = {.count = 1};
    int pair[2];

    make_pair(pair);
    r.pids[0] = spawn(kind, a, b, pair[1], -1);
    close(pair[1]);
    r.fd = pair[0];
    return r;
}

/* Made from the far end, so that each finds its neighbour there. */
struct reference reference_relay(int hops, size_t in, size_t out)
{
    struct reference r = reference_start("answer", in, out);

    if (hops > HOPS_MAX)
        die("more than %d hops", HOPS_MAX);
    while (r.count < hops) {
        int pair[2];
        make_pair(pair);
        r.pids[r.count++] = spawn("relay", in, out, pair[1], r.fd);
        close(pair[1]);
        close(r.fd);
        r.fd = pair[0];
    }
    return r;
}

void reference_end(struct reference *r)
{
    close(r->fd);
    for (int i = 0; i < r->count; i++) {
        while (waitpid(r->pids[i], NULL, 0) < 0 && errno == EINTR)
            ;
    }
}
