#include "parent/connection_state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/text.h"
#include "io/fd.h"
#include "parent/first_stage.h"
#include "parent/image.h"
#include "parent/kind.h"
#include "wire/pickle.h"

enum {
    NOISE_MAX = 64 * 1024,  /* bytes before the first stage speaks */
    MARK_LINE_MAX = 4096,   /* a line of the first stage */
    STDERR_KEPT = 4096,     /* its last bytes, for the error text */
    STDERR_LINE_MAX = 4096, /* as a log record, once it is up */
    STDERR_ROUNDS = 256,    /* reads of what it left: another process may go on writing */
    AGAIN_MAX = 8,          /* how often it may ask for the image once more: as there are places */
    EXIT_GRACE = 2000,      /* from the end of its output, before it was up, until it has ended */
};

/* --- the end of it -----------------------------------------------------------------------------
 */

static void release_image(struct connection *c)
{
    image_release(c->router, &c->image);
    c->have_image = false;
    c->uploading = false;
}

static void forget_watches(struct connection *c)
{
    if (c->out_watch != c->watch)
        watch_free(c->out_watch);
    watch_free(c->watch);
    c->watch = c->out_watch = NULL;
}

static void close_input(struct connection *c)
{
    forget_watches(c);
    if (c->out_fd == c->fd)
        c->out_fd = -1;
    fd_close(&c->out_fd);
    fd_close(&c->fd);
}

static void close_stderr(struct connection *c)
{
    watch_free(c->err_watch);
    c->err_watch = NULL;
    fd_close(&c->err_fd);
}

void connection_free(struct connection *c)
{
    struct mito_router *r = c->router;

    release_image(c);
    close_input(c);
    close_stderr(c);
    asking_close(c);
    timer_cancel(&c->timeout);
    timer_cancel(&c->kill_timer);
    process_forget(&c->process);
    if (c->process.exited)
        map_remove(&r->let_go, (uint32_t)c->process.pid);
    buf_free(&c->in);
    buf_free(&c->noise);
    buf_free(&c->err);
    buf_free(&c->header);
    options_free(c->method, c->options);
    list_remove(&c->activity.link);
    free(c);
    router_check_ended(r);
}

static void free_later(void *arg)
{
    connection_free(arg);
}

void connection_kill_now(void *arg)
{
    struct connection *c = arg;

    process_kill(&c->process, SIGKILL);
}

void connection_fail(struct connection *c, int code, const char *format, ...)
{
    struct error e;
    char text[400];
    va_list ap;

    if (c->state >= UP)
        return;
    va_start(ap, format);
    format_va(text, sizeof text, format, ap);
    va_end(ap);
    error_fill(&e, code, "%s: %s", c->name[0] != '\0' ? c->name : c->method->name, text);
    c->state = FAILED;
    release_image(c);
    close_input(c);
    close_stderr(c);
    asking_close(c); /* hangs up on a process that is not ours to kill (sudo's) */
    timer_cancel(&c->timeout);
    list_remove(&c->id_wait.link);
    modules_unwant(&c->module_wait);
    c->done(c->done_arg, NULL, &e);
    if (!c->started || c->process.exited) /* later: callers still look at its state */
        timer_set(&c->router->broker, &c->kill_timer, clock_ms(), free_later, c);
    else
        process_kill(&c->process, SIGKILL);
}

static void abort_connection(struct activity *a)
{
    struct connection *c = container_of(a, struct connection, activity);

    if (c->state < UP)
        connection_fail(c, MITO_E_DEAD, "given up: the router is shutting down");
    else if (c->neighbour == NULL && !c->process.kill_group)
        connection_free(c); /* detached: not ours to kill */
    else
        process_kill(&c->process, SIGKILL);
}

/* --- becoming up -------------------------------------------------------------------------------
 */

static void come_up(struct connection *c)
{
    struct mito_router *r = c->router;
    struct mito_context *context = context_intern(r, c->id, c->name);
    int fd = c->fd, out_fd = c->out_fd;

    if (context == NULL) {
        connection_fail(c, MITO_E_NOMEM, "out of memory");
        return;
    }
    forget_watches(c);
    c->fd = c->out_fd = -1;
    c->neighbour = neighbour_new(r, c->id, false, fd, out_fd, &connection_ops, c);
    if (c->neighbour == NULL) {
        connection_fail(c, mito_error_code(), "%s", mito_error());
        return;
    }
    release_image(c);
    kind_learn(c->name, c->kind);
    asking_wipe(c);
    timer_cancel(&c->timeout);
    list_remove(&c->activity.link);
    c->state = UP;
    c->neighbour->unidirectional = ((const struct common_options *)c->options)->unidirectional;
    neighbour_own(c->neighbour, c->id, c->id + 1);
    neighbour_own(c->neighbour, c->ids.first, c->ids.last);
    routes_announce(r, c->id, c->name); /* before anything that it says can pass through us */
    c->done(c->done_arg, context, NULL);
    c->done = NULL;
    buf_free(&c->noise);
    c->err.length = 0;
    struct neighbour *n = neighbour_ref(c->neighbour);
    stream_feed(&n->stream, c->in.data, c->in.length);
    neighbour_unref(n);
    buf_free(&c->in);
}

static void want_image(struct connection *c, enum image_form form);

/* --- sending the image -------------------------------------------------------------------------
 */

static void send_some(struct connection *c)
{
    while (c->uploading) {
        bool head = c->uploaded < c->header.length;
        size_t at = head ? c->uploaded : c->uploaded - c->header.length;
        const uint8_t *data = head ? c->header.data : c->upload;
        size_t left = (head ? c->header.length : c->upload_size) - at;
        if (left == 0)
            break;
        ssize_t n = send(c->out_fd, data + at, left, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) { /* nobody reads: what it said, or how it ended, tells more */
            c->uploading = false;
            break;
        }
        c->uploaded += (size_t)n;
    }
    c->uploading = false;
    if (c->out_watch != NULL)
        watch_set(c->out_watch, c->out_watch == c->watch ? POLLER_IN : 0);
    if (c->wrong_kind) {
        c->wrong_kind = false;
        want_image(c, IMAGE_PACKED);
    }
}

static void start_sending(struct connection *c)
{
    if (c->out_watch == NULL)
        return; /* nobody reads there any more: how its process ends tells why */
    c->uploading = true;
    watch_set(c->out_watch, POLLER_OUT | (c->out_watch == c->watch ? POLLER_IN : 0));
}

static void start_upload(struct connection *c, const uint8_t *data, size_t size)
{
    c->upload = data;
    c->upload_size = size;
    c->uploaded = 0;
    c->header.length = 0;
    c->begun = true;
    if (buf_printf(&c->header, "%s %zu\n", c->form == IMAGE_PACKED ? "gz" : "raw", size) < 0) {
        connection_fail(c, MITO_E_NOMEM, "out of memory");
        return;
    }
    start_sending(c);
}

static void on_image_ready(void *arg, const uint8_t *data, size_t size, const char *why)
{
    struct connection *c = arg;

    if (size == 0 && c->form == IMAGE_PACKED && c->kind == kind_own) {
        want_image(c, IMAGE_PLAIN); /* no gzip on this side */
    } else if (size == 0) {
        connection_fail(c, MITO_E_ARCH, "the image for %s could not be had: %s",
                        kinds[c->kind].name, why);
    } else {
        c->have_image = true;
        c->image_data = data;
        c->image_size = size;
        if (c->watch != NULL && (c->spoke || c->method->eager))
            start_upload(c, data, size);
    }
}

static void want_image(struct connection *c, enum image_form form)
{
    release_image(c);
    c->form = form;
    c->image = (struct image_user){.ready = on_image_ready, .arg = c};
    if (image_acquire(c->router, &c->image, c->kind, form) < 0)
        connection_fail(c, mito_error_code(), "%s", mito_error());
}

/* The image that was, or is being, or would be sent is not for that machine. */
static void change_kind(struct connection *c, const char *machine)
{
    char there[100];
    int kind = kind_of_machine(machine);

    if (kind >= 0 && !image_there(c->router, kind))
        kind = kinds[kind].instead;
    if (kind < 0 || !image_there(c->router, kind)) {
        connection_fail(c, MITO_E_ARCH,
                        "no image for that kind of machine: it is '%s', this program is built for "
                        "%s; build it for more with mitosis cc --targets, or add an image with "
                        "mitosis image bind",
                        machine, image_kinds(c->router, there, sizeof there));
        return;
    }
    c->kind = kind;
    if (c->method->eager && !c->begun) { /* something is expected there, to be thrown away */
        c->form = IMAGE_PLAIN;
        c->wrong_kind = true;
        release_image(c);
        start_upload(c, NULL, 0);
    } else if (c->uploading) {
        c->wrong_kind = true;
    } else {
        want_image(c, IMAGE_PACKED);
    }
}

/* --- what the first stage says -----------------------------------------------------------------
 */

static bool starts_with(const char *line, const char *word, const char **rest)
{
    size_t length = strlen(word);

    if (strncmp(line, word, length) != 0)
        return false;
    *rest = line[length] == ' ' ? line + length + 1 : line + length;
    return true;
}

/* line: without its mark and newline, escaped. */
static void on_mark(struct connection *c, const char *line)
{
    const char *rest;

    if (starts_with(line, "002", &rest)) {
        come_up(c);
    } else if (c->method->direct) {
        return;
    } else if (starts_with(line, "000", &rest)) {
        c->spoke = true;
        asking_wipe(c);
        c->state = WAITING_FOR_UP;
        if (c->have_image && !c->begun)
            start_upload(c, c->image_data, c->image_size);
    } else if (starts_with(line, "RAW", &rest) && c->form != IMAGE_PLAIN) {
        want_image(c, IMAGE_PLAIN);
    } else if (starts_with(line, "ARCH", &rest) && !c->other_kind) {
        c->other_kind = true;
        change_kind(c, rest);
    } else if (starts_with(line, "AGAIN", &rest) && c->begun && c->again++ < AGAIN_MAX) {
        want_image(c, c->form);
    } else if (starts_with(line, "PLACE", &rest)) {
        connection_fail(
            c, MITO_E_NO_PLACE,
            "no place to put the image; set XDG_RUNTIME_DIR there to one that is writable and not "
            "noexec; tried: %s",
            rest);
    } else if (starts_with(line, "WRITE", &rest)) {
        connection_fail(c, MITO_E_NO_PLACE,
                        "the image could not be written to %s: the connection ended too early",
                        rest);
    }
}

static void keep_noise(struct connection *c, size_t length)
{
    size_t keep = c->noise.length >= 512 ? 0 : 512 - c->noise.length;

    buf_append(&c->noise, c->in.data, length < keep ? length : keep);
    c->noise_bytes += length;
    buf_consume(&c->in, length);
}

/* Takes one line with a mark out of the input. False when there is none (yet). */
static bool take_mark(struct connection *c)
{
    const char *sign = c->method->mark != NULL ? c->method->mark : FIRST_STAGE_MARK;
    size_t mark_length = strlen(sign);
    const uint8_t *mark = (const void *)text_find(c->in.data, c->in.length, sign);
    const uint8_t *end;
    AUTO_BUF line = {0};

    if (c->in.length == 0)
        return false;
    if (mark == NULL) { /* keep what may be the first part of one */
        if (c->in.length >= mark_length)
            keep_noise(c, c->in.length - (mark_length - 1));
        return false;
    }
    if (mark > c->in.data) {
        keep_noise(c, (size_t)(mark - c->in.data));
        mark = c->in.data;
    }
    end = memchr(mark, '\n', c->in.length);
    if (end == NULL) {
        if (c->in.length <= MARK_LINE_MAX)
            return false;
        keep_noise(c, mark_length); /* no line of ours: look at what is behind it */
        return true;
    }
    size_t length = (size_t)(end - mark);
    text_escape(&line, (const char *)mark + mark_length, length - mark_length);
    buf_byte(&line, 0);
    buf_consume(&c->in, length + 1);
    c->noise_bytes += length + 1; /* marks without end are noise as well */
    if (line.data != NULL)
        on_mark(c, (const char *)line.data);
    return true;
}

/* False at the end of it, or when the state changed. */
static bool read_input(struct connection *c)
{
    if (buf_reserve(&c->in, 4096) < 0) {
        connection_fail(c, MITO_E_NOMEM, "out of memory");
        return false;
    }
    ssize_t n = recv(c->fd, c->in.data + c->in.length, 4096, 0);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    c->in.length += (size_t)n;
    asking_on_output(c, (char *)c->in.data + c->in.length - n, (size_t)n); /* busybox's su */
    while (c->state < UP && take_mark(c))
        ;
    if (c->state >= UP)
        return false;
    if (c->noise_bytes > NOISE_MAX) {
        connection_got_garbage(c);
        return false;
    }
    return true;
}

static void on_process_exit(void *arg);

/* Where input and output are not the same. */
static void on_out_ready(void *arg, int ready)
{
    struct connection *c = arg;

    if (c->uploading)
        send_some(c);
    if (ready & POLLER_HANGUP) {
        watch_free(c->out_watch);
        c->out_watch = NULL;
    }
}

static void on_ready(void *arg, int ready)
{
    struct connection *c = arg;

    if ((ready & POLLER_OUT) && c->uploading)
        send_some(c);
    if (!(ready & (POLLER_IN | POLLER_HANGUP)) || read_input(c) || c->state >= UP ||
        c->watch == NULL)
        return;
    keep_noise(c, c->in.length);
    close_input(c); /* it will not come up; how its process ends tells why */
    process_expect_end(&c->process);
    if (process_check(&c->process))
        on_process_exit(c);
    else
        timer_set(&c->router->broker, &c->kill_timer, clock_ms() + EXIT_GRACE, connection_kill_now,
                  c);
}

void connection_log_said(struct connection *c)
{
    uint8_t *end;

    while (c->err.length > 0 && ((end = memchr(c->err.data, '\n', c->err.length)) != NULL ||
                                 c->err.length > STDERR_LINE_MAX)) {
        size_t length = end != NULL ? (size_t)(end - c->err.data) : c->err.length;
        size_t text = length > 0 && c->err.data[length - 1] == '\r' ? length - 1 : length;
        log_text(c->router, MITO_INFO, c->id, c->method->name, (char *)c->err.data, text);
        buf_consume(&c->err, end != NULL ? length + 1 : length);
    }
}

void connection_keep_said(struct connection *c, const char *data, size_t length)
{
    buf_append(&c->err, data, length);
    if (c->state == UP)
        connection_log_said(c);
    else if (c->err.length > STDERR_KEPT)
        buf_consume(&c->err, c->err.length - STDERR_KEPT);
}

static bool read_stderr(struct connection *c)
{
    char chunk[1024];
    ssize_t n = read(c->err_fd, chunk, sizeof chunk);

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? false : (close_stderr(c), false);
    connection_keep_said(c, chunk, (size_t)n);
    asking_on_output(c, chunk, (size_t)n);
    return true;
}

static void on_stderr(void *arg, int ready)
{
    (void)ready;
    read_stderr(arg);
}

static void on_process_exit(void *arg)
{
    struct connection *c = arg;

    for (int i = 0; i < STDERR_ROUNDS && c->err_fd >= 0 && read_stderr(c); i++)
        ;
    asking_drain(c);
    switch (c->state) {
    case UP:
        connection_process_ended(c);
        break;
    case FAILED:
    case GONE:
        connection_free(c);
        break;
    default:
        while (c->fd >= 0 && c->state < UP) { /* its last words on stdout */
            size_t before = c->in.length + c->noise_bytes;
            bool more = read_input(c);
            if (c->state >= UP)
                return;
            if (!more || c->in.length + c->noise_bytes == before)
                break;
        }
        keep_noise(c, c->in.length);
        close_input(c);
        close_stderr(c);
        connection_died(c);
    }
}

static void launch(struct connection *c, const struct mito_value *module)
{
    if (connection_launch(c, module, on_ready, on_out_ready, on_stderr, on_process_exit) < 0)
        connection_fail(c, mito_error_code(), "%s", mito_error());
}

/* What a program of another kind is made of. */
static void on_module(void *arg, const struct buf *payload)
{
    struct connection *c = arg;
    struct mito_value *v = NULL;

    if (payload == NULL) {
        connection_fail(c, MITO_E_NO_TOOL,
                        "the master has nothing to start it with; the master's log says why");
        return;
    }
    c->state = WAITING_FOR_UP;
    v = pickle_load_in_place(payload->data, payload->length);
    launch(c, v);
    mito_value_free(v);
    if (c->state == WAITING_FOR_UP && c->header.length > 0)
        start_sending(c); /* nothing but that program reads it */
}

static void want_module(struct connection *c)
{
    c->state = WAITING_FOR_MODULE;
    c->module_wait = (struct module_wait){.ready = on_module, .arg = c};
    if (modules_want(c->router, c->method->module, &c->module_wait) < 0)
        connection_fail(c, mito_error_code(), "%s", mito_error());
}

static void on_id(void *arg, uint32_t id)
{
    struct connection *c = arg;
    struct mito_router *r = c->router;

    c->id = id;
    c->state = c->method->direct ? WAITING_FOR_UP : WAITING_FOR_SHELL;
    if (c->method->target != 0)
        format_to(c->name, sizeof c->name, "%s.%s", c->method->name,
                  method_target(c->method, c->options));
    else
        format_to(c->name, sizeof c->name, "%s.%u", c->method->name, id);
    if (id == 0) {
        connection_fail(c, MITO_E_DEAD, "no context id to be had from the master");
        return;
    }
    if (c->method->module != NULL) {
        want_module(c);
        return;
    }
    c->kind = kind_guess(c->name);
    if (!c->method->direct) {
        if (!image_there(r, c->kind))
            c->kind = kind_own;
        want_image(c, IMAGE_PACKED);
    }
    if (c->state != FAILED)
        launch(c, NULL);
}

void connection_start(struct mito_router *r, const struct method *m, void *options,
                      connection_done *done, void *arg)
{
    struct connection *c = calloc(1, sizeof *c);
    const struct common_options *o = options;
    struct error e;
    uint32_t id;

    if (c == NULL || r->ending || image_start(r) < 0) {
        error_fill(&e, r->ending ? MITO_E_DEAD : MITO_E_NOMEM, "%s: %s", m->name,
                   r->ending ? "the router is shutting down" : "out of memory");
        free(c);
        options_free(m, options);
        done(arg, NULL, &e);
        return;
    }
    *c = (struct connection){
        .router = r, .method = m, .options = options, .fd = -1, .out_fd = -1, .err_fd = -1};
    c->process.pidfd = -1;
    c->tty.fd = c->tty.other = -1;
    c->done = done;
    c->done_arg = arg;
    c->activity.abort = abort_connection;
    c->id_wait = (struct id_wait){.ready = on_id, .arg = c};
    list_init(&c->id_wait.link);
    list_append(&r->activities, &c->activity.link);
    timer_set(&r->broker, &c->timeout,
              clock_ms() + (o->connect_timeout > 0 ? o->connect_timeout : CONNECT_TIMEOUT),
              connection_timed_out, c);
    if (ids_take(r, &id, &c->id_wait))
        on_id(c, id);
}
