/* A call through ten contexts, each started by the one before it. */
#include "bench.h"

#include "base/clock.h"

enum { HOPS = 10, CALLS = 300, ROUNDS = 15 };

struct ends {
    struct mito_context *last;
    struct reference peer;
    size_t request, answer;
};

static double ours(void *arg)
{
    struct ends *e = arg;
    int64_t begin = clock_ns();

    for (int i = 0; i < CALLS; i++)
        call_empty(e->last);
    return (double)(clock_ns() - begin) / 1e3 / CALLS;
}

static double reference(void *arg)
{
    struct ends *e = arg;
    char data[4096] = {0};
    int64_t begin = clock_ns();

    for (int i = 0; i < CALLS; i++) {
        write_fully(e->peer.fd, data, e->request);
        read_fully(e->peer.fd, data, e->answer);
    }
    return (double)(clock_ns() - begin) / 1e3 / CALLS;
}

void bench_chain(struct bench *b)
{
    struct mito_context *hops[HOPS] = {NULL};
    struct ends e;
    struct row row = {.key = "chain", .name = "call over ten hops, round trip", .unit = "us"};
    struct duel d = {ours, reference, &e, ROUNDS, {.count = 0}, {.count = 0}};

    for (int i = 0; i < HOPS; i++) {
        hops[i] = mito_local(b->router, .via = i > 0 ? hops[i - 1] : NULL);
        if (hops[i] == NULL)
            die("hop %d: %s", i + 1, mito_error());
    }
    e.last = hops[HOPS - 1];
    call_frame_sizes(&e.request, &e.answer);
    e.peer = reference_relay(HOPS, e.request, e.answer);
    duel_fight(&d);
    duel_result(&d, &row.ours, &row.reference);
    table_add(&row);
    reference_end(&e.peer);
    for (int i = HOPS; i-- > 1;)
        mito_context_unref(hops[i]);
    end_child(hops[0]);
}
