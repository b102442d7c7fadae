/* What a process says before it is a child: noise, lines of the first stage, frames right behind
 * the last one. However it is cut, it is read in bounded memory, it comes up, fails or goes on
 * waiting, and what is shown of it is harmless.
 *
 * The first byte says how the rest is cut, and whether the connection is an eager one; the second
 * how often it is said. The file of the connection is included as it is: what takes marks is its
 * own business. */
#include "parent/connection.c"

#include <sys/mman.h>

#include "child/image.h"
#include "core/receiver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    BOUND = NOISE_MAX + 2 * MARK_LINE_MAX + 16 * 1024,
    SAID_MOST = 256 * 1024,
};

struct outcome {
    int calls, code;
    bool up;
};

static void must(bool truth)
{
    if (!truth)
        abort();
}

static void on_done(void *arg, struct mito_context *context, const struct error *e)
{
    struct outcome *o = arg;

    o->calls++;
    o->up = context != NULL;
    if (o->up)
        return;
    o->code = e->code;
    must(e->code == MITO_E_GARBAGE || e->code == MITO_E_ARCH || e->code == MITO_E_NO_PLACE ||
         e->code == MITO_E_NO_SHELL || e->code == MITO_E_DIED || e->code == MITO_E_PERMISSION ||
         e->code == MITO_E_DEAD);
    must(text_is_utf8(e->text, strlen(e->text), false));
    for (const char *c = e->text; *c != '\0'; c++)
        must((unsigned char)*c >= ' ' || *c == '\t');
}

static void no_log(void *arg, const struct mito_log_record *record)
{
    (void)arg;
    (void)record;
}

/* As connection_start() and connection_launch() leave it, for a process that has ended already: so
 * nothing is ever killed here. */
static struct connection *start(struct mito_router *r, const struct method *method,
                                struct outcome *o, int *other)
{
    const struct mito_ssh_options options = {.hostname = "host"};
    struct connection *c = calloc(1, sizeof *c);
    int pair[2];

    if (c == NULL || fd_socketpair(pair, true) < 0 || fd_set_nonblocking(pair[1]) < 0)
        abort();
    *other = pair[1];
    *c = (struct connection){
        .router = r, .method = method, .fd = pair[0], .out_fd = pair[0], .err_fd = -1, .id = 7};
    c->options = options_copy(method, &options);
    c->tty.fd = c->tty.other = -1;
    c->process.pidfd = -1;
    c->process.exited = true;
    c->process.broker = &r->broker;
    c->started = true;
    c->state = WAITING_FOR_SHELL;
    c->ids = (struct id_range){100, 200};
    c->done = on_done;
    c->done_arg = o;
    c->activity.abort = abort_connection;
    list_init(&c->id_wait.link);
    list_append(&r->activities, &c->activity.link);
    strcpy(c->name, "ssh.host");
    c->kind = kind_own;
    c->watch = watch_new(&r->broker, c->fd, 0, on_ready, c); /* read here, not by the broker */
    c->out_watch = c->watch;
    if (c->watch == NULL)
        abort();
    want_image(c, IMAGE_PACKED);
    return c;
}

/* Writes a piece and lets it be read; false when no more of it is. */
static bool say(struct connection *c, int other, const uint8_t *data, size_t length)
{
    size_t done = 0;

    while (done < length && c->state < UP) {
        ssize_t n = send(other, data + done, length - done, MSG_NOSIGNAL);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EAGAIN)
            return false;
        read_input(c);
        must(c->in.length < BOUND && c->noise.length <= 512);
        must(c->state >= UP || c->noise_bytes <= NOISE_MAX);
        if (c->state < UP)
            watch_set(c->watch, 0);
    }
    while (c->state < UP) { /* what is left of it in the socket */
        size_t before = c->noise_bytes + c->in.length;
        read_input(c);
        if (c->state < UP)
            watch_set(c->watch, 0);
        if (c->noise_bytes + c->in.length == before)
            break;
    }
    return c->state < UP;
}

static void run(struct mito_router *r, const uint8_t *data, size_t size, size_t cut,
                const struct method *method, struct outcome *o)
{
    struct error gone;
    int other;

    *o = (struct outcome){0};
    router_lock(r);
    struct connection *c = start(r, method, o, &other);
    for (size_t at = 0; at < size; at += cut) {
        if (!say(c, other, data + at, size - at < cut ? size - at : cut))
            break;
        must(at < BOUND); /* so much is never listened to */
    }
    must(o->calls == (c->state >= UP));
    if (c->state < UP) { /* its process is gone, and this is all */
        on_process_exit(c);
        must(o->calls == 1 && !o->up && c->state == FAILED);
    }
    if (o->up) {
        struct neighbour *n = c->neighbour;
        error_fill(&gone, MITO_E_DEAD, "gone");
        must(n->id == 7 && !n->gone);
        timer_cancel(&n->stream.break_timer);
        c->neighbour = NULL;
        neighbour_gone(n, &gone);
    }
    connection_free(c);
    router_unlock(r);
    close(other);
}

/* The image that is sent: a small file of our own. */
static void make_image(void)
{
    child_image_fd = memfd_create("image", MFD_CLOEXEC);
    if (child_image_fd < 0 || write(child_image_fd, "image", 5) != 5)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mito_router_options options = {.log = no_log};
    static struct mito_router *r;
    static struct method patient;
    struct outcome whole, pieces;

    if (r == NULL) {
        setenv("PATH", "/nonexistent", 1); /* no gzip is started */
        make_image();
        patient = method_ssh;
        patient.eager = false;
        r = mito_router_new(&options);
        if (r == NULL)
            abort();
    }
    if (size < 3)
        return 0;
    static uint8_t said[SAID_MOST];
    size_t length = 0;
    for (int i = 0; i <= data[1] * data[1] && length + size - 2 <= sizeof said; i++) {
        memcpy(said + length, data + 2, size - 2);
        length += size - 2;
    }
    const struct method *method = data[0] % 2 == 0 ? &method_ssh : &patient;
    size_t cut = length < 4096 ? (size_t)data[0] + 1 : ((size_t)data[0] + 1) * 32;
    run(r, said, length, sizeof said, method, &whole);
    run(r, said, length, cut, method, &pieces);
    /* Cut or not, the same comes of it (but for where a limit is noticed first). */
    if (length < 4096)
        must(whole.up == pieces.up && whole.code == pieces.code);
    return 0;
}
