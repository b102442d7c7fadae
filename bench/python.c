/* A master in C with Python contexts: the same measurements as for contexts in C, and as
 * mitogen_bench.py has them for a master in Python. Without references: table.c puts the three side
 * by side. */
#include "bench.h"

#include "base/clock.h"

enum { SITTINGS = 5, ROUNDS = 2, CALLS = 500, WINDOW = 64, BLOBS = 16, BLOB_ROUNDS = 3 };

#define PYTHON "/usr/bin/python3"

struct ends {
    struct mito_context *child;
    struct mito_receiver *rx, *blobs;
    struct mito_sender *sink;
};

static char blob[BLOB_SIZE];

static struct mito_message *next(struct mito_receiver *rx)
{
    struct mito_message *m = mito_receive(rx, 30000);

    if (m == NULL)
        die("a Python context: %s", mito_error());
    return m;
}

static struct mito_context *start_python(struct bench *b)
{
    struct mito_context *child = mito_python(b->router, .python_path = PYTHON);

    if (child == NULL)
        die("%s", mito_error());
    return child;
}

static double seconds_since(int64_t begin)
{
    return (double)(clock_ns() - begin) / 1e9;
}

/* --- one round of each -------------------------------------------------------------------------
 */

static double call_time(struct ends *e) /* us */
{
    int64_t begin = clock_ns();

    for (int i = 0; i < CALLS; i++) {
        if (mito_call_python(e->child, "functions", "empty", "", "") < 0)
            die("%s", mito_error());
    }
    return seconds_since(begin) * 1e6 / CALLS;
}

static void send_call(struct ends *e)
{
    if (mito_call_python_async(e->child, "functions", "empty", e->rx, NULL, "") < 0)
        die("%s", mito_error());
}

static double pipeline_rate(struct ends *e) /* 1/s */
{
    int64_t begin = clock_ns();

    for (int i = 0; i < WINDOW; i++)
        send_call(e);
    for (int done = 0; done < CALLS + WINDOW; done++) {
        MITO_AUTO_MESSAGE m = next(e->rx);
        if (mito_message_read(m, "") < 0)
            die("%s", mito_error());
        if (done < CALLS)
            send_call(e);
    }
    return (CALLS + WINDOW) / seconds_since(begin);
}

static double down_rate(struct ends *e) /* MiB/s */
{
    int64_t begin = clock_ns(), bytes;

    if (mito_call_python_async(e->child, "functions", "sink_drain", e->rx, NULL, "i", BLOBS) < 0)
        die("%s", mito_error());
    for (int i = 0; i < BLOBS; i++) {
        if (mito_send(e->sink, "B", blob, sizeof blob) < 0)
            die("%s", mito_error());
    }
    MITO_AUTO_MESSAGE m = next(e->rx);
    if (mito_message_read(m, "i", &bytes) < 0 || bytes != (int64_t)BLOBS * BLOB_SIZE)
        die("sink: %s", mito_error());
    return BLOBS / seconds_since(begin);
}

static double up_rate(struct ends *e) /* MiB/s */
{
    int64_t begin = clock_ns();

    if (mito_call_python_async(e->child, "functions", "source", e->rx, NULL, "ri", e->blobs,
                               BLOBS) < 0)
        die("%s", mito_error());
    for (int i = 0; i < BLOBS; i++) {
        MITO_AUTO_MESSAGE m = next(e->blobs);
        const void *data;
        size_t length;
        if (mito_message_read(m, "B", &data, &length) < 0 || length != BLOB_SIZE)
            die("source: %s", mito_error());
    }
    MITO_AUTO_MESSAGE m = next(e->rx);
    if (mito_message_read(m, "") < 0)
        die("source: %s", mito_error());
    return BLOBS / seconds_since(begin);
}

/* --- all of them -------------------------------------------------------------------------------
 */

static void report(const char *key, struct samples *s)
{
    numbers_add("python.", key, samples_summary(s).median);
}

/* After a first round, which is not counted. */
static void rounds(struct ends *e, double (*one)(struct ends *e), int count, struct samples *s)
{
    one(e);
    for (int i = 0; i < count; i++)
        samples_add(s, one(e));
}

static void measure_local(struct bench *b, struct ends *e)
{
    struct samples starts = {.count = 0}, calls = {.count = 0}, rates = {.count = 0};

    for (int i = 0; i < SITTINGS; i++) {
        int64_t begin = clock_ns();
        e->child = start_python(b);
        samples_add(&starts, seconds_since(begin) * 1e3);
        rounds(e, call_time, ROUNDS, &calls);
        rounds(e, pipeline_rate, ROUNDS, &rates);
        end_child(e->child);
    }
    report("start", &starts);
    report("call", &calls);
    report("pipeline", &rates);
}

static void measure_blobs(struct ends *e)
{
    struct samples down = {.count = 0}, up = {.count = 0};

    if (mito_call_python(e->child, "functions", "sink_open", "", "t", &e->sink) < 0)
        die("%s", mito_error());
    rounds(e, down_rate, BLOB_ROUNDS, &down);
    rounds(e, up_rate, BLOB_ROUNDS, &up);
    report("blobs.down", &down);
    report("blobs.up", &up);
    mito_sender_free(e->sink);
}

static void measure_memory(struct bench *b, struct ends *e)
{
    int64_t pid;

    if (mito_call_python(e->child, "functions", "process_id", "", "i", &pid) < 0)
        die("%s", mito_error());
    struct memory python = memory_of((pid_t)pid);
    numbers_add("python.", "memory.pss", python.pss);
    numbers_add("python.", "memory.rss", python.rss);
    struct mito_context *child = start_child(b);
    struct memory c = memory_of(child_pid(child));
    numbers_add("c.", "memory.pss", c.pss);
    numbers_add("c.", "memory.rss", c.rss);
    end_child(child);
}

void bench_python(struct bench *b)
{
    const char *const directories[] = {b->functions, NULL};
    struct mito_python_modules modules = {.python_path = PYTHON, .directories = directories};
    struct ends e = {.rx = mito_receiver_new(b->router), .blobs = mito_receiver_new(b->router)};

    if (b->functions == NULL)
        return;
    if (e.rx == NULL || e.blobs == NULL || mito_serve_python(b->router, &modules) < 0)
        die("%s", mito_error());
    e.child = start_python(b); /* the first one waits for the interpreter that has the modules */
    measure_memory(b, &e);
    measure_blobs(&e);
    end_child(e.child);
    measure_local(b, &e);
    mito_receiver_free(e.blobs);
    mito_receiver_free(e.rx);
}
