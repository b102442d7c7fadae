/* Three pairs of a master and its context, in turn, so that what else the machine does meets them
 * alike: Mitogen (mitogen_bench.py, which does a round when it is told to); this program with a
 * context in Python; this program with a copy of itself. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { SITTINGS = 4, CALLS = 500, WINDOW = 64, BLOBS = 8, PATIENCE = 60000 };

#define PYTHON "/usr/bin/python3"

extern char **environ;

struct side {
    const char *name;
    const char *module; /* of the functions; NULL: they are called by Mitogen */
    const char *blob;   /* as what they send bytes: a signature */
    struct bench *bench;
    struct mito_context *child;
    struct mito_receiver *rx, *blobs;
    struct mito_sender *sink;
    FILE *asked, *answers; /* Mitogen's input and output */
    pid_t pid;
};

static char blob[BLOB_SIZE];

static struct mito_message *next(struct mito_receiver *rx)
{
    struct mito_message *m = mito_receive(rx, PATIENCE);

    if (m == NULL)
        die("%s", mito_error());
    return m;
}

static double seconds_since(int64_t begin)
{
    return (double)(clock_ns() - begin) / 1e9;
}

/* --- rounds of a master in C -------------------------------------------------------------------
 */

/* Functions are called by their names, here also those in C. */
static double start(struct side *s) /* ms */
{
    if (s->child != NULL) {
        mito_sender_free(s->sink);
        end_child(s->child);
    }
    int64_t begin = clock_ns();
    s->child = strcmp(s->module, "main") == 0
                   ? mito_local(s->bench->router)
                   : mito_python(s->bench->router, .python_path = PYTHON);
    double took = seconds_since(begin) * 1e3;
    if (s->child == NULL ||
        mito_call_python(s->child, s->module, "sink_open", "", "t", &s->sink) < 0)
        die("%s", mito_error());
    return took;
}

static double call(struct side *s) /* us */
{
    int64_t begin = clock_ns();

    for (int i = 0; i < CALLS; i++) {
        if (mito_call_python(s->child, s->module, "empty", "", "") < 0)
            die("%s", mito_error());
    }
    return seconds_since(begin) * 1e6 / CALLS;
}

static void send_call(struct side *s)
{
    if (mito_call_python_async(s->child, s->module, "empty", s->rx, NULL, "") < 0)
        die("%s", mito_error());
}

static double pipeline(struct side *s) /* 1/s */
{
    int64_t begin = clock_ns();

    for (int i = 0; i < WINDOW; i++)
        send_call(s);
    for (int done = 0; done < CALLS + WINDOW; done++) {
        MITO_AUTO_MESSAGE m = next(s->rx);
        if (mito_message_read(m, "") < 0)
            die("%s", mito_error());
        if (done < CALLS)
            send_call(s);
    }
    return (CALLS + WINDOW) / seconds_since(begin);
}

static double blobs_down(struct side *s) /* MiB/s */
{
    int64_t begin = clock_ns(), bytes;

    if (mito_call_python_async(s->child, s->module, "sink_drain", s->rx, NULL, "i", BLOBS) < 0)
        die("%s", mito_error());
    for (int i = 0; i < BLOBS; i++) {
        if (mito_send(s->sink, s->blob, blob, sizeof blob) < 0)
            die("%s", mito_error());
    }
    MITO_AUTO_MESSAGE m = next(s->rx);
    if (mito_message_read(m, "i", &bytes) < 0 || bytes != (int64_t)BLOBS * BLOB_SIZE)
        die("sink: %s", mito_error());
    return BLOBS / seconds_since(begin);
}

static double blobs_up(struct side *s) /* MiB/s */
{
    int64_t begin = clock_ns();

    if (mito_call_python_async(s->child, s->module, "source", s->rx, NULL, "ri", s->blobs, BLOBS) <
        0)
        die("%s", mito_error());
    for (int i = 0; i < BLOBS; i++) {
        MITO_AUTO_MESSAGE m = next(s->blobs);
        const void *data;
        size_t length;
        if (mito_message_read(m, s->blob, &data, &length) < 0 || length != BLOB_SIZE)
            die("source: %s", mito_error());
    }
    MITO_AUTO_MESSAGE m = next(s->rx);
    if (mito_message_read(m, "") < 0)
        die("source: %s", mito_error());
    return BLOBS / seconds_since(begin);
}

static struct memory memory(struct side *s)
{
    int64_t pid;

    if (mito_call_python(s->child, s->module, "process_id", "", "i", &pid) < 0)
        die("%s", mito_error());
    return memory_of((pid_t)pid);
}

static double memory_pss(struct side *s)
{
    return memory(s).pss;
}

static double memory_rss(struct side *s)
{
    return memory(s).rss;
}

/* --- rounds of Mitogen -------------------------------------------------------------------------
 */

static void start_mitogen(struct side *s)
{
    char script[4096], python[] = PYTHON, option[] = "-r";
    char *argv[] = {python, script, option, NULL};
    posix_spawn_file_actions_t actions;
    int in[2], out[2];

    if (snprintf(script, sizeof script, "%s/mitogen_bench.py", s->bench->functions) >=
            (int)sizeof script ||
        pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
        posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, in[0], 0) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, out[1], 1) != 0 ||
        posix_spawn(&s->pid, PYTHON, &actions, NULL, argv, environ) != 0)
        die("cannot run Mitogen");
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    s->asked = fdopen(in[1], "w");
    s->answers = fdopen(out[0], "r");
    if (s->asked == NULL || s->answers == NULL)
        die("cannot run Mitogen");
}

static double ask_mitogen(struct side *s, const char *what)
{
    double value;

    fprintf(s->asked, "%s\n", what);
    if (fflush(s->asked) != 0 || fscanf(s->answers, "%lf", &value) != 1)
        die("Mitogen ended");
    return value;
}

static void end_mitogen(struct side *s)
{
    fclose(s->asked);
    fclose(s->answers);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* --- all of them -------------------------------------------------------------------------------
 */

/* In this order: the memory is that of a context which has just been started. */
static const struct round {
    const char *key; /* also what Mitogen is asked for */
    double (*ours)(struct side *s);
    int times;     /* in each sitting */
    bool practise; /* once before, uncounted */
} rounds[] = {
    {"start", start, 1, false},           {"memory.pss", memory_pss, 1, false},
    {"memory.rss", memory_rss, 1, false}, {"call", call, 3, true},
    {"pipeline", pipeline, 3, true},      {"blobs.down", blobs_down, 2, true},
    {"blobs.up", blobs_up, 2, true},
};

enum { SIDES = 3, KEYS = sizeof rounds / sizeof rounds[0] };

static double one_round(struct side *s, const struct round *r)
{
    return s->module == NULL ? ask_mitogen(s, r->key) : r->ours(s);
}

static void sit(struct side *sides, struct samples samples[SIDES][KEYS])
{
    for (int k = 0; k < KEYS; k++) {
        for (int i = rounds[k].practise ? -1 : 0; i < rounds[k].times; i++) {
            for (int s = 0; s < SIDES; s++) {
                double value = one_round(&sides[s], &rounds[k]);
                if (i >= 0)
                    samples_add(&samples[s][k], value);
            }
        }
    }
}

/* The first start of Python waits for the interpreter in the master that has the modules. */
static void begin(struct side *sides, struct bench *b)
{
    const char *const directories[] = {b->functions, NULL};
    struct mito_python_modules modules = {.python_path = PYTHON, .directories = directories};

    if (mito_serve_python(b->router, &modules) < 0)
        die("%s", mito_error());
    for (int s = 0; s < SIDES; s++) {
        sides[s].bench = b;
        sides[s].rx = mito_receiver_new(b->router);
        sides[s].blobs = mito_receiver_new(b->router);
        if (sides[s].rx == NULL || sides[s].blobs == NULL)
            die("%s", mito_error());
        if (sides[s].module == NULL)
            start_mitogen(&sides[s]);
        one_round(&sides[s], &rounds[0]);
    }
}

static void end(struct side *s)
{
    if (s->module == NULL) {
        end_mitogen(s);
    } else {
        mito_sender_free(s->sink);
        end_child(s->child);
    }
    mito_receiver_free(s->blobs);
    mito_receiver_free(s->rx);
}

void bench_sides(struct bench *b)
{
    static struct samples samples[SIDES][KEYS];
    struct side sides[SIDES] = {{.name = "mitogen."},
                                {.name = "python.", .module = "functions", .blob = "B"},
                                {.name = "c.", .module = "main", .blob = "y"}};

    if (b->functions == NULL)
        return;
    begin(sides, b);
    for (int i = 0; i < SITTINGS; i++)
        sit(sides, samples);
    for (int s = 0; s < SIDES; s++) {
        end(&sides[s]);
        for (int k = 0; k < KEYS; k++)
            numbers_add(sides[s].name, rounds[k].key, samples_summary(&samples[s][k]).median);
    }
}
