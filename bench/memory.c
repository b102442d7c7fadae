/* What an idle child holds for itself, and what a master holds for each of many. */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

enum { CHILDREN = 200, DESCRIPTORS_PER_CHILD = 8 };

struct memory memory_of(pid_t pid)
{
    struct memory m = {0};
    char path[64], line[256];
    double kib;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        die("cannot read %s", path);
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "Private_Clean: %lf", &kib) == 1 ||
            sscanf(line, "Private_Dirty: %lf", &kib) == 1)
            m.private += kib;
        else if (sscanf(line, "Pss: %lf", &kib) == 1)
            m.pss = kib;
        else if (sscanf(line, "Rss: %lf", &kib) == 1)
            m.rss = kib;
    }
    fclose(f);
    return m;
}

static struct summary one(double value)
{
    return (struct summary){value, value, value};
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    rlim_t wanted = CHILDREN * DESCRIPTORS_PER_CHILD;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* All at once; returns how long it took, in ms. */
static double start_many(struct bench *b, struct mito_context **children)
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(b->router);
    int64_t begin = clock_ns();

    for (int i = 0; i < CHILDREN; i++) {
        if (mito_local_async(b->router, rx, NULL) < 0)
            die("%s", mito_error());
    }
    for (int i = 0; i < CHILDREN; i++) {
        MITO_AUTO_MESSAGE m = mito_receive(rx, 60000);
        if (m == NULL || mito_message_read(m, "c", &children[i]) < 0)
            die("child %d: %s", i + 1, mito_error());
    }
    return (double)(clock_ns() - begin) / 1e6;
}

static double start_many_references(struct reference *r)
{
    int64_t begin = clock_ns();
    char byte = 0;

    for (int i = 0; i < CHILDREN; i++) {
        r[i] = reference_start("answer", 1, 1);
        write_fully(r[i].fd, &byte, 1);
    }
    for (int i = 0; i < CHILDREN; i++)
        read_fully(r[i].fd, &byte, 1);
    return (double)(clock_ns() - begin) / 1e6;
}

static void measure_idle(struct mito_context **children, const struct reference *references)
{
    struct row row = {.key = "memory", .name = "memory of an idle child", .unit = "KiB"};
    struct samples ours = {.count = 0}, bare = {.count = 0};

    for (int i = 0; i < ROUNDS_MAX; i++) {
        samples_add(&ours, memory_of(child_pid(children[i])).private);
        samples_add(&bare, memory_of(references[i].pids[0]).private);
    }
    row.ours = samples_summary(&ours);
    row.reference = samples_summary(&bare);
    row.demand = VALUE_AT_MOST;
    row.bound = 1024;
    table_add(&row);
}

void bench_memory(struct bench *b)
{
    static struct mito_context *children[CHILDREN];
    static struct reference references[CHILDREN];
    struct row start = {.key = "start.many", .name = "start of 200 local contexts", .unit = "ms"};
    struct row master = {.key = "memory.master", .name = "memory of the master, per child"};

    allow_descriptors();
    end_child(start_child(b)); /* what the first one costs is no cost of each */
    double before = memory_of(getpid()).private;
    start.ours = one(start_many(b, children));
    master.ours = one((memory_of(getpid()).private - before) / CHILDREN);
    master.unit = "KiB";
    start.reference = one(start_many_references(references));
    measure_idle(children, references);
    table_add(&master);
    table_add(&start);
    for (int i = 0; i < CHILDREN; i++)
        reference_end(&references[i]);
    for (int i = 0; i < CHILDREN; i++)
        end_child(children[i]);
}
