/* A stream: frames in both directions between two neighbours, over any pair of descriptors.
 *
 * Everything here is called with the broker's lock held. Writing happens at once, on whatever
 * thread sends, as far as the descriptor takes it; the rest is queued for the broker. Reading is
 * the broker's, unless a thread that waits for an answer leads the stream for that time: then the
 * answer reaches it without a detour over the broker's thread (see stream_lead). */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "io/broker.h"
#include "io/message.h"
#include "io/netem.h"

struct stream {
    struct broker *broker;
    int in_fd, out_fd; /* may be the same one; closed by stream_close */
    bool out_is_socket;
    struct watch *in_watch, *out_watch; /* the same one when the descriptor is */
    uint32_t max_length;

    uint8_t *in; /* bytes that are no whole frame yet */
    size_t in_length;
    struct message *partial; /* a frame too large for `in`, as far as it has come */

    struct list out;        /* messages that wait to be written */
    size_t out_offset;      /* bytes of the first one that are written */
    size_t out_bytes;       /* waiting in all; who sends keeps it bounded */
    size_t out_count;       /* messages that they are */
    size_t out_paced;       /* bytes of those that were sent by threads which wait for room */
    uint64_t out_written;   /* bytes of the queue that were ever written */
    pthread_cond_t drained; /* out_bytes went down, or the stream broke */

    bool helped;           /* a sending thread writes the queue, not the broker */
    struct wakeup *leader; /* set: that thread reads, not the broker */
    struct netem *slow_in, *slow_out;

    bool out_dead; /* the peer reads no more; what it wrote is still read */
    bool broken;
    struct error reason;
    struct timer break_timer;
    void (*on_message)(void *arg, struct message *m); /* takes it over */
    void (*on_broken)(void *arg);                     /* once, on the broker's thread */
    void *arg;
};

/* Takes the descriptors over, also on failure; they must be non-blocking. */
int stream_open(struct stream *s, struct broker *b, int in_fd, int out_fd, uint32_t max_length,
                void (*on_message)(void *arg, struct message *m), void (*on_broken)(void *arg),
                void *arg);
/* Bytes that were read from the descriptor before the stream was opened on it. */
void stream_feed(struct stream *s, const void *data, size_t length);
/* From now on behave like a slow link. */
int stream_slow_down(struct stream *s, const struct netem_config *config);
/* Closes the descriptors and frees the queues. No thread may lead it. */
void stream_close(struct stream *s);

/* Send. -1 with MITO_E_DEAD on a broken stream, or out of memory. `paced`: the sender is a thread
 * that waits while out_paced is large. */
int stream_send(struct stream *s, const struct frame *f, const void *payload, bool paced);
/* The same; when the payload is large and has to wait, it is taken out of the buffer. */
int stream_send_buf(struct stream *s, const struct frame *f, struct buf *payload, bool paced);
int stream_send_message(struct stream *s, struct message *m); /* takes it over, always */

/* What the queue takes in memory. */
static inline size_t stream_backlog(const struct stream *s)
{
    return s->out_bytes + s->out_count * sizeof(struct message);
}

/* Writes what is queued now in this thread, as long as the peer takes it at once and the deadline
 * has not passed, letting the lock go while it waits. Not for the broker, nor for a thread that
 * leads a stream (two peers that write to each other would wait for ever). False when nothing could
 * be written that way. */
bool stream_help(struct stream *s, int64_t deadline);

/* Breaks it: no more is read or written; on_broken follows soon, from the broker's loop. Later
 * reasons are ignored. */
void stream_break(struct stream *s, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* May this thread read instead of the broker? From lead to unlead the thread polls in_fd together
 * with w->read_fd, without the lock, and calls stream_read (with the lock) when in_fd is ready. */
bool stream_lead(struct stream *s, struct wakeup *w);
void stream_unlead(struct stream *s);
void stream_read(struct stream *s);

#endif
