/* Starting a local context, beside starting a process that answers one byte. */
#include "bench.h"

#include "base/clock.h"

enum { ROUNDS = 40 };

static double ours(void *arg)
{
    int64_t begin = clock_ns();
    struct mito_context *child = start_child(arg);
    double took = (double)(clock_ns() - begin) / 1e6;

    end_child(child);
    return took;
}

static double ours_with_call(void *arg)
{
    int64_t begin = clock_ns();
    struct mito_context *child = start_child(arg);

    call_empty(child);
    double took = (double)(clock_ns() - begin) / 1e6;
    end_child(child);
    return took;
}

static double reference(void *arg)
{
    char byte = 0;
    int64_t begin = clock_ns();
    struct reference r = reference_start("answer", 1, 1);

    (void)arg;
    write_fully(r.fd, &byte, 1);
    read_fully(r.fd, &byte, 1);
    double took = (double)(clock_ns() - begin) / 1e6;
    reference_end(&r);
    return took;
}

void bench_start(struct bench *b)
{
    struct row row = {.key = "start", .name = "start of a local context", .unit = "ms"};
    struct duel d = {ours, reference, b, ROUNDS, {.count = 0}, {.count = 0}};

    duel_fight(&d);
    duel_result(&d, &row.ours, &row.reference);
    row.demand = RATIO_AT_MOST;
    row.bound = 4;
    table_add(&row);
    row = (struct row){.key = "start.call", .name = "  and its first answer", .unit = "ms"};
    d = (struct duel){ours_with_call, reference, b, ROUNDS, {.count = 0}, {.count = 0}};
    duel_fight(&d);
    duel_result(&d, &row.ours, &row.reference);
    table_add(&row);
}
