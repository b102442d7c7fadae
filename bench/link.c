/* Over a link that is slow and long: the time and the bytes to the first answer, beside `ssh HOST
 * true` over the same link; and what many contexts behind one host cost it. bench/run makes the
 * link, and a directory of programs: `ssh` reaches a host h1 over it, `counted` does so and keeps
 * what passes in `sent` and `received`, `bytes` says what the link has carried, `nearby` is a
 * stand-in for ssh on that host, which stays there. */
#include "bench.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { ROUNDS = 5, CHILDREN = 50, PATIENCE = 60000, QUIET = 400 /* ms: four round trips */ };

struct traffic {
    double up, down; /* KiB, with all that ssh, TCP and IP add */
};

static const char *program(struct bench *b, const char *name, char out[4096])
{
    if (snprintf(out, 4096, "%s/%s", b->far, name) >= 4096)
        die("the path of the link is too long");
    return out;
}

/* What has passed since the link was made, when it has fallen silent. */
static struct traffic traffic(struct bench *b)
{
    struct traffic t;
    char path[4096];

    usleep(QUIET * 1000);
    FILE *f = popen(program(b, "bytes", path), "re");

    if (f == NULL || fscanf(f, "%lf %lf", &t.down, &t.up) != 2)
        die("%s said no numbers", path);
    pclose(f);
    t.down /= 1024;
    t.up /= 1024;
    return t;
}

/* --- one context -------------------------------------------------------------------------------
 */

static struct mito_context *connect_far(struct bench *b)
{
    char ssh[4096];
    struct mito_context *child =
        mito_ssh(b->router, .hostname = "h1", .ssh_path = program(b, "ssh", ssh));

    if (child == NULL)
        die("%s", mito_error());
    return child;
}

static double ours(void *arg)
{
    int64_t begin = clock_ns();
    struct mito_context *child = connect_far(arg);

    call_empty(child);
    double took = (double)(clock_ns() - begin) / 1e6;
    end_child(child);
    return took;
}

static double reference(void *arg)
{
    char ssh[4096];
    const char *const argv[] = {program(arg, "ssh", ssh), "h1", "true", NULL};

    return run_to_end(argv);
}

static struct summary one(double value)
{
    return (struct summary){value, value, value};
}

/* To the first answer. */
static void measure_traffic(struct bench *b)
{
    struct row up = {.key = "link.up", .name = "  bytes sent to get it", .unit = "KiB"};
    struct row down = {.key = "link.down", .name = "  bytes received", .unit = "KiB"};
    struct traffic begin = traffic(b);

    struct mito_context *child = connect_far(b);
    call_empty(child);
    struct traffic end = traffic(b);
    end_child(child);
    up.ours = one(end.up - begin.up);
    down.ours = one(end.down - begin.down);
    begin = traffic(b);
    reference(b);
    end = traffic(b);
    up.reference = one(end.up - begin.up);
    down.reference = one(end.down - begin.down);
    table_add(&up);
    table_add(&down);
}

void bench_link(struct bench *b)
{
    struct row row = {.key = "link", .name = "ssh context and its first answer", .unit = "ms"};
    struct duel d = {ours, reference, b, ROUNDS, {.count = 0}, {.count = 0}};

    if (b->far == NULL)
        return;
    duel_fight(&d);
    duel_result(&d, &row.ours, &row.reference);
    table_add(&row);
    measure_traffic(b);
}

/* --- many, behind a host -----------------------------------------------------------------------
 */

static struct mito_message *next(struct mito_receiver *rx)
{
    struct mito_message *m = mito_receive(rx, PATIENCE);

    if (m == NULL)
        die("behind the bastion: %s", mito_error());
    return m;
}

/* Through the first stage, as on machines of their own: that host sends an image to each. */
static void start_behind(struct bench *b, struct mito_context *host, struct mito_context **children)
{
    MITO_AUTO_RECEIVER up = mito_receiver_new(b->router);
    char nearby[4096];

    for (int i = 0; i < CHILDREN; i++) {
        if (mito_ssh_async(b->router, up, NULL, .hostname = "target", .via = host,
                           .ssh_path = program(b, "nearby", nearby),
                           .connect_timeout = PATIENCE) < 0)
            die("%s", mito_error());
    }
    for (int i = 0; i < CHILDREN; i++) {
        MITO_AUTO_MESSAGE m = next(up);
        if (mito_message_read(m, "c", &children[i]) < 0)
            die("child %d behind the bastion: %s", i + 1, mito_error());
    }
}

static void call_all(struct bench *b, struct mito_context **children)
{
    MITO_AUTO_RECEIVER answers = mito_receiver_new(b->router);

    for (int i = 0; i < CHILDREN; i++) {
        if (mito_call_async(children[i], &empty, answers, NULL, "") < 0)
            die("%s", mito_error());
    }
    for (int i = 0; i < CHILDREN; i++) {
        MITO_AUTO_MESSAGE m = next(answers);
        if (mito_message_read(m, "") < 0)
            die("behind the bastion: %s", mito_error());
    }
}

/* What a `counted` ssh was given and gave, in bytes. */
static double counted(struct bench *b)
{
    struct stat sent, received;
    char path[4096];

    if (stat(program(b, "sent", path), &sent) < 0 ||
        stat(program(b, "received", path), &received) < 0)
        die("%s: nothing was counted", path);
    return (double)sent.st_size + (double)received.st_size;
}

static struct mito_context *connect_bastion(struct bench *b)
{
    char ssh[4096];
    struct mito_context *host =
        mito_ssh(b->router, .hostname = "h1", .ssh_path = program(b, "counted", ssh));

    if (host == NULL)
        die("%s", mito_error());
    return host;
}

/* From nothing to the last of their answers, both ways. */
void bench_bastion(struct bench *b)
{
    struct row bytes = {
        .key = "bastion", .name = "50 contexts behind a host, bytes", .unit = "images"};
    struct row all = {.key = "bastion.all", .name = "  with ssh, TCP and IP", .unit = "images"};
    struct row until = {.key = "bastion.ms", .name = "  until all have answered", .unit = "ms"};
    struct mito_context *children[CHILDREN];
    double image;

    if (b->far == NULL)
        return;
    if (!numbers_find("gzip.", "size.minimal", &image))
        die("the size of the image is not known");
    struct traffic begin = traffic(b);
    int64_t time = clock_ns();
    struct mito_context *host = connect_bastion(b);
    start_behind(b, host, children);
    call_all(b, children);
    until.ours = one((double)(clock_ns() - time) / 1e6);
    struct traffic end = traffic(b);
    all.ours = one((end.up - begin.up + end.down - begin.down) * 1024 / image);
    bytes.ours = one(counted(b) / image);
    bytes.demand = VALUE_AT_MOST;
    bytes.bound = 1.3;
    table_add(&bytes);
    table_add(&all);
    table_add(&until);
    for (int i = 0; i < CHILDREN; i++)
        mito_context_unref(children[i]);
    end_child(host);
}
