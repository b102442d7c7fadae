/* Calls per second when up to 64 are under way at once. */
#include "bench.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { CALLS = 4000, WINDOW = 64, SITTINGS = 3, ROUNDS = 5 };

struct ends {
    struct mito_context *child;
    struct mito_receiver *answers;
    struct reference peer;
    size_t request, answer;
};

static double rate(int64_t begin)
{
    return CALLS / ((double)(clock_ns() - begin) / 1e9);
}

static void send_one(struct ends *e)
{
    if (mito_call_async(e->child, &empty, e->answers, NULL, "") < 0)
        die("%s", mito_error());
}

static double ours(void *arg)
{
    struct ends *e = arg;
    int64_t begin = clock_ns();
    int sent = 0;

    while (sent < WINDOW)
        send_one(e), sent++;
    for (int done = 0; done < CALLS; done++) {
        MITO_AUTO_MESSAGE m = mito_receive(e->answers, 10000);
        if (m == NULL || mito_message_read(m, "") < 0)
            die("%s", mito_error());
        if (sent < CALLS)
            send_one(e), sent++;
    }
    return rate(begin);
}

/* Takes all answers that are there in one read, as any reader would. */
static double reference(void *arg)
{
    struct ends *e = arg;
    static char data[64 * 1024];
    int64_t begin = clock_ns();
    size_t have = 0;
    int sent = 0, done = 0;

    while (done < CALLS) {
        for (; sent < CALLS && sent < done + WINDOW; sent++)
            write_fully(e->peer.fd, data, e->request);
        ssize_t n = read(e->peer.fd, data, sizeof data);
        if (n <= 0)
            die("a reference ended");
        for (have += (size_t)n; have >= e->answer; have -= e->answer)
            done++;
    }
    return rate(begin);
}

void bench_pipeline(struct bench *b)
{
    struct ends e = {.answers = mito_receiver_new(b->router)};
    struct row row = {.key = "pipeline", .name = "calls, 64 under way", .unit = "1/s"};
    struct duel d = {ours, reference, &e, ROUNDS, {.count = 0}, {.count = 0}};

    if (e.answers == NULL)
        die("%s", mito_error());
    call_frame_sizes(&e.request, &e.answer);
    for (int i = 0; i < SITTINGS; i++) {
        e.child = start_child(b);
        e.peer = reference_start("answer", e.request, e.answer);
        duel_fight(&d);
        reference_end(&e.peer);
        end_child(e.child);
    }
    duel_result(&d, &row.ours, &row.reference);
    table_add(&row);
    mito_receiver_free(e.answers);
}
