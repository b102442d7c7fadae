/* A call and its answer, one at a time: the round trip. */
#include "bench.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { CALLS = 2000, SITTINGS = 5, ROUNDS = 6, PINNED_ROUNDS = 7, REST = 20 /* ms */ };

struct ends {
    struct mito_context *child;
    struct reference peer;
    size_t request, answer;
};

/* All processors become idle. Where the kernel puts the two, on one or on both, it decides by what
 * is awake at the first call, and then sticks to it: what was measured before may not decide. */
static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = REST * 1000000L}, NULL);
}

static double ours(void *arg)
{
    struct ends *e = arg;

    rest();
    int64_t begin = clock_ns();

    for (int i = 0; i < CALLS; i++)
        call_empty(e->child);
    return (double)(clock_ns() - begin) / 1e3 / CALLS;
}

static double reference(void *arg)
{
    struct ends *e = arg;
    char data[4096] = {0};

    rest();
    int64_t begin = clock_ns();

    for (int i = 0; i < CALLS; i++) {
        write_fully(e->peer.fd, data, e->request);
        read_fully(e->peer.fd, data, e->answer);
    }
    return (double)(clock_ns() - begin) / 1e3 / CALLS;
}

/* All threads of a process. */
static void allow(pid_t pid, const cpu_set_t *set)
{
    char path[64];
    struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        die("%s: no such process", path);
    while ((entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] != '.')
            sched_setaffinity(atoi(entry->d_name), sizeof *set, set);
    }
    closedir(tasks);
}

/* The n-th processor that we may use. */
static cpu_set_t processor(const cpu_set_t *all, int n)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, all) && n-- == 0)
            CPU_SET(i, &one);
    }
    return one;
}

static void measure_pinned(struct ends *e, struct row *row, const cpu_set_t *all, int far)
{
    struct duel d = {ours, reference, e, PINNED_ROUNDS, {.count = 0}, {.count = 0}};
    cpu_set_t here = processor(all, 0), there = processor(all, far);
    pid_t child = child_pid(e->child);

    allow(getpid(), &here);
    allow(child, &there);
    allow(e->peer.pids[0], &there);
    duel_fight(&d);
    duel_result(&d, &row->ours, &row->reference);
    allow(getpid(), all);
    allow(child, all);
    allow(e->peer.pids[0], all);
    table_add(row);
}

static void meet(struct bench *b, struct ends *e)
{
    call_frame_sizes(&e->request, &e->answer);
    e->child = start_child(b);
    e->peer = reference_start("answer", e->request, e->answer);
}

static void part(struct ends *e)
{
    reference_end(&e->peer);
    end_child(e->child);
}

void bench_call(struct bench *b)
{
    struct ends e;
    struct row row = {.key = "call", .name = "call, round trip", .unit = "us"};
    struct duel d = {ours, reference, &e, ROUNDS, {.count = 0}, {.count = 0}};
    cpu_set_t all;

    for (int i = 0; i < SITTINGS; i++) {
        meet(b, &e);
        duel_fight(&d);
        part(&e);
    }
    duel_result(&d, &row.ours, &row.reference);
    row.demand = RATIO_AT_MOST;
    row.bound = 2.5;
    table_add(&row);
    meet(b, &e);
    sched_getaffinity(0, sizeof all, &all);
    row = (struct row){.key = "call.near", .name = "  both on one processor", .unit = "us"};
    measure_pinned(&e, &row, &all, 0);
    row = (struct row){.key = "call.far", .name = "  on two processors", .unit = "us"};
    if (CPU_COUNT(&all) > 1)
        measure_pinned(&e, &row, &all, 1);
    part(&e);
}
