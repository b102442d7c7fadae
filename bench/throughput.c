/* Blobs of 1 MiB in one direction. A round is shorter than what may wait for a receiver, so that
 * none is lost however the threads are scheduled. */
#include "bench.h"

#include "base/clock.h"

enum { BLOBS = 32, ROUNDS = 30 };

struct ends {
    struct mito_context *child;
    struct mito_sender *sink;
    struct mito_receiver *answers, *blobs;
    struct reference peer;
};

static char blob[BLOB_SIZE];

static double rate(int64_t begin)
{
    return BLOBS / ((double)(clock_ns() - begin) / 1e9);
}

static struct mito_message *next(struct mito_receiver *rx)
{
    struct mito_message *m = mito_receive(rx, 10000);

    if (m == NULL)
        die("%s", mito_error());
    return m;
}

static double down(void *arg)
{
    struct ends *e = arg;
    int64_t bytes, begin = clock_ns();

    if (mito_call_async(e->child, &sink_drain, e->answers, NULL, "i", BLOBS) < 0)
        die("%s", mito_error());
    for (int i = 0; i < BLOBS; i++) {
        if (mito_send(e->sink, "y", blob, sizeof blob) < 0)
            die("%s", mito_error());
    }
    MITO_AUTO_MESSAGE m = next(e->answers);
    double result = rate(begin);
    if (mito_message_read(m, "i", &bytes) < 0 || bytes != (int64_t)BLOBS * BLOB_SIZE)
        die("sink: %s", mito_error());
    return result;
}

static double down_reference(void *arg)
{
    struct ends *e = arg;
    int64_t begin = clock_ns();
    char byte;

    for (int i = 0; i < BLOBS; i++)
        write_fully(e->peer.fd, blob, sizeof blob);
    read_fully(e->peer.fd, &byte, 1);
    return rate(begin);
}

static double up(void *arg)
{
    struct ends *e = arg;
    int64_t begin = clock_ns();

    if (mito_call_async(e->child, &source, e->answers, NULL, "ri", e->blobs, BLOBS) < 0)
        die("%s", mito_error());
    for (int i = 0; i < BLOBS; i++) {
        MITO_AUTO_MESSAGE m = next(e->blobs);
        const void *data;
        size_t length;
        if (mito_message_read(m, "y", &data, &length) < 0 || length != BLOB_SIZE)
            die("source: %s", mito_error());
    }
    double result = rate(begin);
    MITO_AUTO_MESSAGE m = next(e->answers);
    if (mito_message_read(m, "") < 0)
        die("source: %s", mito_error());
    return result;
}

static double up_reference(void *arg)
{
    struct ends *e = arg;
    int64_t begin = clock_ns();

    write_fully(e->peer.fd, blob, 1);
    for (int i = 0; i < BLOBS; i++)
        read_fully(e->peer.fd, blob, sizeof blob);
    return rate(begin);
}

static void measure(struct ends *e, struct row *row, double (*ours)(void *),
                    double (*reference)(void *), const char *kind)
{
    struct duel d = {ours, reference, e, ROUNDS, {.count = 0}, {.count = 0}};

    e->peer = reference_start(kind, (size_t)BLOBS * BLOB_SIZE, 0);
    duel_fight(&d);
    duel_result(&d, &row->ours, &row->reference);
    reference_end(&e->peer);
    row->unit = "MiB/s";
    row->demand = RATIO_AT_LEAST;
    row->bound = 0.3;
    table_add(row);
}

void bench_throughput(struct bench *b)
{
    struct ends e = {.child = start_child(b)};
    struct row to_child = {.key = "blobs.down", .name = "1 MiB blobs, to the child"};
    struct row from_child = {.key = "blobs.up", .name = "1 MiB blobs, from the child"};

    e.answers = mito_receiver_new(b->router);
    e.blobs = mito_receiver_new(b->router);
    if (e.answers == NULL || e.blobs == NULL ||
        mito_call(e.child, &sink_open, "", "t", &e.sink) < 0)
        die("%s", mito_error());
    measure(&e, &to_child, down, down_reference, "sink");
    measure(&e, &from_child, up, up_reference, "source");
    mito_sender_free(e.sink);
    mito_receiver_free(e.blobs);
    mito_receiver_free(e.answers);
    end_child(e.child);
}
