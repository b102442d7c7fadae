/* What a neighbour sends: the same frames come out however the bytes are cut, none is larger than
 * allowed, and what breaks the stream is told in a reason that a terminal may show.
 *
 * The first byte says how the rest is cut. No broker thread runs. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "io/fd.h"
#include "io/stream.h"

enum { MAX_LENGTH = 200 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
    struct stream stream;
    size_t frames, bytes;
    uint32_t sum;
};

static void on_message(void *arg, struct message *m)
{
    struct tally *t = arg;

    if (m->frame.length > MAX_LENGTH || m->filled != m->frame.length)
        abort();
    t->frames++;
    t->bytes += message_size(m);
    t->sum = t->sum * 31 + m->frame.handle;
    for (size_t i = 0; i < m->filled; i++)
        t->sum = t->sum * 31 + m->data[i];
    message_free(m);
}

static void on_broken(void *arg)
{
    (void)arg;
}

static void feed(struct broker *b, struct tally *t, const uint8_t *data, size_t size, size_t cut)
{
    int pair[2];

    memset(t, 0, sizeof *t);
    if (fd_socketpair(pair, true) < 0)
        abort();
    broker_lock(b);
    if (stream_open(&t->stream, b, pair[0], pair[0], MAX_LENGTH, on_message, on_broken, t) < 0)
        abort();
    for (size_t at = 0; at < size; at += cut)
        stream_feed(&t->stream, data + at, size - at < cut ? size - at : cut);
    if (t->bytes > size)
        abort();
    if (t->stream.broken &&
        !text_is_utf8(t->stream.reason.text, strlen(t->stream.reason.text), false))
        abort();
    stream_close(&t->stream);
    broker_unlock(b);
    fd_close(&pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct broker broker;
    static struct tally whole, pieces;
    static bool open;

    if (!open && broker_open(&broker) < 0)
        abort();
    open = true;
    if (size < 1)
        return 0;
    feed(&broker, &whole, data + 1, size - 1, size);
    feed(&broker, &pieces, data + 1, size - 1, (size_t)data[0] + 1);
    if (whole.frames != pieces.frames || whole.sum != pieces.sum ||
        whole.stream.broken != pieces.stream.broken)
        abort();
    return 0;
}
