#include "io/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/format.h"
#include "io/fd.h"

enum {
    IN_SIZE = 64 * 1024, /* input buffer; larger frames are read straight into their message */
    WRITE_BATCH = 32,    /* queued messages that one writev(2) takes */
};

static void on_ready(void *arg, int ready);
static void on_out_ready(void *arg, int ready);

static int add_watches(struct stream *s)
{
    s->in_watch = watch_new(s->broker, s->in_fd, POLLER_IN, on_ready, s);
    if (s->in_watch == NULL)
        return -1;
    s->out_watch = s->in_watch;
    if (s->out_fd != s->in_fd)
        s->out_watch = watch_new(s->broker, s->out_fd, 0, on_out_ready, s);
    return s->out_watch == NULL ? -1 : 0;
}

int stream_open(struct stream *s, struct broker *b, int in_fd, int out_fd, uint32_t max_length,
                void (*on_message)(void *arg, struct message *m), void (*on_broken)(void *arg),
                void *arg)
{
    *s = (struct stream){.broker = b, .in_fd = in_fd, .out_fd = out_fd, .max_length = max_length};
    s->on_message = on_message;
    s->on_broken = on_broken;
    s->arg = arg;
    s->out_is_socket = fd_is_socket(out_fd);
    list_init(&s->out);
    cond_init(&s->drained);
    s->in = malloc(IN_SIZE);
    if (s->in == NULL)
        error_nomem();
    if (s->in == NULL || add_watches(s) < 0) {
        stream_close(s);
        return -1;
    }
    return 0;
}

static void drop_queue(struct stream *s)
{
    struct message *m;

    list_each(m, &s->out, link)
    {
        list_remove(&m->link);
        message_free(m);
    }
    s->out_bytes = s->out_count = s->out_paced = s->out_offset = 0;
    pthread_cond_broadcast(&s->drained);
}

static void forget_watches(struct stream *s)
{
    if (s->out_watch != s->in_watch)
        watch_free(s->out_watch);
    watch_free(s->in_watch);
    s->in_watch = s->out_watch = NULL;
}

static void free_netem(struct netem **n)
{
    if (*n != NULL)
        netem_clear(*n);
    free(*n);
    *n = NULL;
}

void stream_close(struct stream *s)
{
    forget_watches(s);
    timer_cancel(&s->break_timer);
    free_netem(&s->slow_in);
    free_netem(&s->slow_out);
    if (s->out_fd == s->in_fd)
        s->out_fd = -1;
    fd_close(&s->in_fd);
    fd_close(&s->out_fd);
    drop_queue(s);
    message_free(s->partial);
    s->partial = NULL;
    free(s->in);
    s->in = NULL;
    pthread_cond_destroy(&s->drained);
}

/* --- breaking -------------------------------------------------------------------------------- */

static void tell_broken(void *arg)
{
    struct stream *s = arg;

    s->on_broken(s->arg);
}

void stream_break(struct stream *s, int code, const char *format, ...)
{
    va_list ap;

    if (s->broken)
        return;
    s->broken = true;
    va_start(ap, format);
    s->reason.code = code;
    format_va(s->reason.text, sizeof s->reason.text, format, ap);
    va_end(ap);
    forget_watches(s);
    if (s->out_is_socket)
        shutdown(s->out_fd, SHUT_RDWR); /* wakes a thread that helps */
    pthread_cond_broadcast(&s->drained);
    if (s->leader != NULL)
        wakeup_raise(s->leader);
    timer_set(s->broker, &s->break_timer, clock_ms(), tell_broken, s);
}

/* --- reading --------------------------------------------------------------------------------- */

static void deliver(struct stream *s, struct message *m)
{
    if (s->slow_in != NULL)
        netem_hold(s->slow_in, m);
    else
        s->on_message(s->arg, m);
}

/* Takes one frame off data; returns how many bytes that used, 0 when it needs more first. */
static size_t take_frame(struct stream *s, const uint8_t *data, size_t length)
{
    struct frame f;

    if (length < FRAME_HEADER_SIZE)
        return 0;
    if (frame_decode(&f, data, (uint32_t)length, s->max_length) < 0) {
        stream_break(s, mito_error_code(), "%s", mito_error());
        return length;
    }
    size_t total = (size_t)FRAME_HEADER_SIZE + f.length;
    if (total > length && total <= IN_SIZE)
        return 0;
    struct message *m = message_new(&f);
    if (m == NULL) {
        stream_break(s, MITO_E_NOMEM, "out of memory for a message of %u bytes", f.length);
        return length;
    }
    size_t there = length < total ? length - FRAME_HEADER_SIZE : f.length;
    if (there > 0)
        memcpy(m->data, data + FRAME_HEADER_SIZE, there);
    m->filled = there;
    if (total > length)
        s->partial = m;
    else
        deliver(s, m);
    return FRAME_HEADER_SIZE + there;
}

static void take_frames(struct stream *s)
{
    size_t at = 0, used;

    while (!s->broken && at < s->in_length &&
           (used = take_frame(s, s->in + at, s->in_length - at)) > 0)
        at += used;
    s->in_length -= at;
    if (s->in_length > 0 && at > 0)
        memmove(s->in, s->in + at, s->in_length);
    explicit_bzero(s->in + s->in_length, at); /* there may have been a password in it */
}

void stream_feed(struct stream *s, const void *data, size_t length)
{
    const uint8_t *at = data;

    while (length > 0 && !s->broken) {
        size_t n = IN_SIZE - s->in_length;
        if (n > length)
            n = length;
        if (s->partial != NULL) {
            size_t room = message_room(s->partial);
            n = room < length ? room : length;
            memcpy(s->partial->data + s->partial->filled, at, n);
            s->partial->filled += n;
            if (s->partial->filled == s->partial->frame.length) {
                struct message *m = s->partial;
                s->partial = NULL;
                deliver(s, m);
            } else if (message_grow(s->partial) < 0) {
                stream_break(s, MITO_E_NOMEM, "out of memory for a message");
            }
        } else {
            memcpy(s->in + s->in_length, at, n);
            s->in_length += n;
            take_frames(s);
        }
        at += n;
        length -= n;
    }
}

static void at_end(struct stream *s, ssize_t n)
{
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n < 0 && errno != ECONNRESET && errno != EPIPE)
        stream_break(s, MITO_E_DEAD, "read error: %s", strerror(errno));
    else if (s->slow_in != NULL && !s->slow_in->ending)
        netem_end(s->slow_in), forget_watches(s);
    else if (s->in_length > 0 || s->partial != NULL)
        stream_break(s, MITO_E_DEAD, "connection closed in the middle of a message");
    else
        stream_break(s, MITO_E_DEAD, "connection closed");
}

static void read_partial(struct stream *s)
{
    struct message *m = s->partial;
    ssize_t n = read(s->in_fd, m->data + m->filled, message_room(m));

    if (n <= 0) {
        at_end(s, n);
        return;
    }
    m->filled += (size_t)n;
    if (m->filled == m->frame.length) {
        s->partial = NULL;
        deliver(s, m);
    } else if (message_grow(m) < 0) {
        stream_break(s, MITO_E_NOMEM, "out of memory for a message of %u bytes", m->frame.length);
    }
}

void stream_read(struct stream *s)
{
    if (s->broken || s->in_watch == NULL)
        return;
    if (s->partial != NULL) {
        read_partial(s);
        return;
    }
    ssize_t n = read(s->in_fd, s->in + s->in_length, IN_SIZE - s->in_length);
    if (n <= 0) {
        at_end(s, n);
        return;
    }
    s->in_length += (size_t)n;
    take_frames(s);
}

/* --- writing --------------------------------------------------------------------------------- */

static ssize_t write_vector(struct stream *s, struct iovec *iov, size_t count)
{
    if (!s->out_is_socket)
        return writev(s->out_fd, iov, (int)count);
    struct msghdr msg = {.msg_iov = iov};

    msg.msg_iovlen = (__typeof__(msg.msg_iovlen))count; /* musl: int, glibc: size_t */
    return sendmsg(s->out_fd, &msg, MSG_NOSIGNAL);
}

static void watch_output(struct stream *s)
{
    if (s->out_watch == NULL)
        return;
    int in = s->out_watch == s->in_watch && s->leader == NULL ? POLLER_IN : 0;
    watch_set(s->out_watch, in | (list_empty(&s->out) || s->helped ? 0 : POLLER_OUT));
}

/* Drops what is written from the front of the queue. */
static void written(struct stream *s, size_t n)
{
    s->out_bytes -= n;
    s->out_written += n;
    n += s->out_offset;
    while (!list_empty(&s->out)) {
        struct message *m = list_first(&s->out, struct message, link);
        if (n < message_size(m))
            break;
        n -= message_size(m);
        s->out_count--;
        s->out_paced -= m->paced ? message_size(m) : 0;
        list_remove(&m->link);
        message_free(m);
    }
    s->out_offset = n;
    pthread_cond_broadcast(&s->drained);
}

/* Fills the vector with the queue from its offset on; returns how many parts. */
static size_t gather(struct stream *s, struct iovec *iov, uint8_t (*headers)[FRAME_HEADER_SIZE])
{
    size_t parts = 0, messages = 0, skip = s->out_offset;
    struct message *m;

    list_each(m, &s->out, link)
    {
        if (messages == WRITE_BATCH)
            break;
        frame_encode(&m->frame, headers[messages]);
        if (skip < FRAME_HEADER_SIZE)
            iov[parts++] =
                (struct iovec){headers[messages] + skip, (size_t)FRAME_HEADER_SIZE - skip};
        size_t payload_skip = skip > FRAME_HEADER_SIZE ? skip - FRAME_HEADER_SIZE : 0;
        if (m->frame.length > payload_skip)
            iov[parts++] = (struct iovec){m->data + payload_skip, m->frame.length - payload_skip};
        skip = 0;
        messages++;
    }
    return parts;
}

/* A peer that does not read any more may have said something before: the stream breaks when that
 * has been read to its end. */
static void write_failed(struct stream *s)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return;
    if (errno != EPIPE && errno != ECONNRESET)
        stream_break(s, MITO_E_DEAD, "write error: %s", strerror(errno));
    s->out_dead = true;
    drop_queue(s);
}

static void write_queued(struct stream *s)
{
    struct iovec iov[2 * WRITE_BATCH];
    uint8_t headers[WRITE_BATCH][FRAME_HEADER_SIZE];

    if (s->broken || list_empty(&s->out))
        return;
    ssize_t n = write_vector(s, iov, gather(s, iov, headers));
    if (n < 0)
        write_failed(s);
    else
        written(s, (size_t)n);
    watch_output(s);
}

static void count_in(struct stream *s, const struct message *m)
{
    s->out_bytes += message_size(m);
    s->out_count++;
    s->out_paced += m->paced ? message_size(m) : 0;
}

static void enqueue(struct stream *s, struct message *m)
{
    list_append(&s->out, &m->link);
    count_in(s, m);
}

static int broken_error(const struct stream *s)
{
    return error_set(MITO_E_DEAD, "%s", s->broken ? s->reason.text : "connection closed");
}

/* What is left of a message of which `done` bytes could be written at once. */
static int queue_rest(struct stream *s, struct message *m, size_t done)
{
    enqueue(s, m);
    s->out_bytes -= done;
    s->out_offset = done;
    watch_output(s);
    return 0;
}

static ssize_t write_now(struct stream *s, const struct frame *f, const void *payload)
{
    uint8_t header[FRAME_HEADER_SIZE];
    union {
        const void *in;
        void *out;
    } unconst = {.in = payload}; /* iovec serves reading as well and knows no const */
    struct iovec iov[2] = {{header, FRAME_HEADER_SIZE}, {unconst.out, f->length}};

    frame_encode(f, header);
    ssize_t n = write_vector(s, iov, f->length > 0 ? 2 : 1);
    if (n < 0) {
        write_failed(s);
        return s->out_dead ? -1 : 0;
    }
    return n;
}

/* Writes what can be written at once. 1: all of it; 0: *done bytes; -1. */
static int try_now(struct stream *s, const struct frame *f, const void *payload, size_t *done)
{
    *done = 0;
    if (s->broken || s->out_dead)
        return broken_error(s);
    if (!list_empty(&s->out) || s->slow_out != NULL)
        return 0;
    ssize_t n = write_now(s, f, payload);
    if (n < 0)
        return broken_error(s);
    *done = (size_t)n;
    return *done == (size_t)FRAME_HEADER_SIZE + f->length;
}

/* Queues a message of which `done` bytes are written. */
static int send_rest(struct stream *s, struct message *m, size_t done, bool paced)
{
    if (m == NULL) {
        if (done > 0) /* half a frame is out: the stream is of no use any more */
            stream_break(s, MITO_E_NOMEM, "out of memory in the middle of a message");
        return -1;
    }
    m->paced = paced;
    return done > 0 ? queue_rest(s, m, done) : stream_send_message(s, m);
}

int stream_send(struct stream *s, const struct frame *f, const void *payload, bool paced)
{
    size_t done;
    int rc = try_now(s, f, payload, &done);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    return send_rest(s, message_copy(f, payload), done, paced);
}

int stream_send_buf(struct stream *s, const struct frame *f, struct buf *payload, bool paced)
{
    size_t done;
    int rc = try_now(s, f, payload->data, &done);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    return send_rest(s, message_take(f, payload), done, paced);
}

int stream_send_message(struct stream *s, struct message *m)
{
    ssize_t done = 0;

    if (s->broken || s->out_dead) {
        message_free(m);
        return broken_error(s);
    }
    if (s->slow_out != NULL) {
        count_in(s, m);
        netem_hold(s->slow_out, m);
        return 0;
    }
    if (!list_empty(&s->out)) {
        enqueue(s, m);
        return 0;
    }
    done = write_now(s, &m->frame, m->data);
    if (done == (ssize_t)message_size(m) || done < 0) {
        message_free(m);
        return done < 0 ? broken_error(s) : 0;
    }
    return queue_rest(s, m, (size_t)done);
}

bool stream_help(struct stream *s, int64_t deadline)
{
    enum { PATIENCE = 10 }; /* ms: then it is for the broker to watch a peer that does not read */
    uint64_t before = s->out_written, until = before + s->out_bytes;

    if (s->helped || s->slow_out != NULL || broker_is_self(s->broker))
        return false;
    s->helped = true;
    watch_output(s);
    while (!s->broken && !list_empty(&s->out) && s->out_written < until) {
        struct pollfd p = {.fd = s->out_fd, .events = POLLOUT};
        int patience = deadline - clock_ms() < PATIENCE ? clock_left(deadline) : PATIENCE;
        broker_unlock(s->broker);
        int n = poll(&p, 1, patience);
        broker_lock(s->broker);
        if (n == 0)
            break;
        write_queued(s);
    }
    s->helped = false;
    watch_output(s);
    return s->out_written > before;
}

/* --- events ---------------------------------------------------------------------------------- */

static void on_ready(void *arg, int ready)
{
    struct stream *s = arg;

    if ((ready & (POLLER_OUT | POLLER_HANGUP)) && !list_empty(&s->out))
        write_queued(s);
    if (s->leader == NULL && !s->broken && (ready & (POLLER_IN | POLLER_HANGUP)))
        stream_read(s);
}

/* Where the two directions are two descriptors. */
static void on_out_ready(void *arg, int ready)
{
    struct stream *s = arg;

    if (!list_empty(&s->out))
        write_queued(s);
    if ((ready & POLLER_HANGUP) && !s->broken && s->out_watch != NULL) {
        watch_free(s->out_watch); /* it would be told again and again */
        s->out_watch = NULL;
        s->out_dead = true;
        drop_queue(s);
    }
}

bool stream_lead(struct stream *s, struct wakeup *w)
{
    if (s->leader != NULL || s->broken || s->slow_in != NULL || s->in_watch == NULL)
        return false;
    s->leader = w;
    watch_set(s->in_watch, s->in_watch->events & ~POLLER_IN);
    return true;
}

void stream_unlead(struct stream *s)
{
    s->leader = NULL;
    if (s->in_watch != NULL)
        watch_set(s->in_watch, s->in_watch->events | POLLER_IN);
}

/* --- the slow link --------------------------------------------------------------------------- */

static void released_in(void *arg, struct message *m)
{
    struct stream *s = arg;

    if (m != NULL)
        s->on_message(s->arg, m);
    else
        stream_break(s, MITO_E_DEAD, "connection closed");
}

static void released_out(void *arg, struct message *m)
{
    struct stream *s = arg;

    list_append(&s->out, &m->link); /* it was counted when it was held */
    write_queued(s);
}

int stream_slow_down(struct stream *s, const struct netem_config *config)
{
    s->slow_in = malloc(sizeof *s->slow_in);
    s->slow_out = malloc(sizeof *s->slow_out);
    if (s->slow_in == NULL || s->slow_out == NULL) {
        free(s->slow_in);
        free(s->slow_out);
        s->slow_in = s->slow_out = NULL;
        return error_nomem();
    }
    netem_init(s->slow_in, s->broker, config, released_in, s);
    netem_init(s->slow_out, s->broker, config, released_out, s);
    return 0;
}
