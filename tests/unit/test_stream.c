/* Streams: frames in and out, however they are cut; ends, breaks, leaders, helpers, slow links. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "eventually.h"
#include "io/fd.h"
#include "io/stream.h"

enum { MAX_LENGTH = 128 << 20 };

static struct broker broker;
static struct stream stream;
static int peer = -1;
static struct list got; /* of messages */
static size_t got_count;
static int broken, got_when_broken;
static bool broken_on_broker, read_by_broker;

static void on_message(void *arg, struct message *m)
{
    (void)arg;
    list_append(&got, &m->link);
    got_count++;
    read_by_broker = broker_is_self(&broker);
}

static void on_broken(void *arg)
{
    (void)arg;
    broken++;
    got_when_broken = (int)got_count;
    broken_on_broker = broker_is_self(&broker);
}

static int start_broker(void)
{
    list_init(&got);
    got_count = 0;
    broken = 0;
    got_when_broken = -1;
    return broker_open(&broker) == 0 ? broker_start(&broker) : -1;
}

static int open_stream(int in_fd, int out_fd)
{
    broker_lock(&broker);
    int rc = stream_open(&stream, &broker, in_fd, out_fd, MAX_LENGTH, on_message, on_broken, NULL);
    broker_unlock(&broker);
    return rc;
}

static int start(void **state)
{
    int pair[2];

    (void)state;
    if (start_broker() < 0 || fd_socketpair(pair, true) < 0)
        return -1;
    peer = pair[1];
    return open_stream(pair[0], pair[0]);
}

static struct message *next_got(void)
{
    broker_lock(&broker);
    assert_false(list_empty(&got));
    struct message *m = list_first(&got, struct message, link);
    list_remove(&m->link);
    broker_unlock(&broker);
    return m;
}

static int end(void **state)
{
    struct message *m;

    (void)state;
    broker_lock(&broker);
    stream_close(&stream);
    broker_unlock(&broker);
    broker_close(&broker);
    fd_close(&peer);
    list_each(m, &got, link)
    {
        list_remove(&m->link);
        message_free(m);
    }
    return 0;
}

/* --- frames that are recognised ------------------------------------------------------------- */

static uint8_t pattern(uint32_t number, size_t i)
{
    return (uint8_t)(number * 31 + i * 7 + i / 251);
}

static struct frame frame_of(uint32_t number, size_t length)
{
    return (struct frame){.magic = FRAME_PICKLED,
                          .dst_id = 1,
                          .src_id = 2,
                          .auth_id = 3,
                          .handle = number,
                          .reply_to = 4,
                          .length = (uint32_t)length};
}

static void put_payload(struct buf *out, uint32_t number, size_t length)
{
    assert_int_equal(buf_reserve(out, length), 0);
    for (size_t i = 0; i < length; i++)
        out->data[out->length++] = pattern(number, i);
}

static void put_frame(struct buf *out, uint32_t number, size_t length)
{
    struct frame f = frame_of(number, length);
    uint8_t header[FRAME_HEADER_SIZE];

    frame_encode(&f, header);
    assert_int_equal(buf_append(out, header, sizeof header), 0);
    put_payload(out, number, length);
}

static void check_payload(uint32_t number, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] != pattern(number, i))
            fail_msg("frame %u: byte %zu of %zu is wrong", number, i, length);
    }
}

static void expect_got(uint32_t number, size_t length)
{
    struct message *m = next_got();

    assert_int_equal(m->frame.handle, number);
    assert_int_equal(m->frame.length, length);
    assert_int_equal(m->filled, length);
    assert_int_equal(m->frame.magic, FRAME_PICKLED);
    assert_int_equal(m->frame.dst_id, 1);
    assert_int_equal(m->frame.src_id, 2);
    assert_int_equal(m->frame.auth_id, 3);
    assert_int_equal(m->frame.reply_to, 4);
    check_payload(number, m->data, length);
    message_free(m);
}

static void write_peer(const void *data, size_t length)
{
    assert_int_equal(fd_write_all(peer, data, length), 0);
}

static void write_frame(uint32_t number, size_t length)
{
    AUTO_BUF b = {0};

    put_frame(&b, number, length);
    write_peer(b.data, b.length);
}

static void read_exactly(int fd, uint8_t *data, size_t length)
{
    while (length > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        ssize_t n = read(fd, data, length);
        if (n <= 0)
            fail_msg("the peer's end came %zu bytes too early", length);
        data += n;
        length -= (size_t)n;
    }
}

static void expect_frame(int fd, uint32_t number, size_t length)
{
    uint8_t header[FRAME_HEADER_SIZE], *data = malloc(length + 1);
    struct frame f;

    assert_non_null(data);
    read_exactly(fd, header, sizeof header);
    assert_int_equal(frame_decode(&f, header, sizeof header, MAX_LENGTH), 0);
    assert_int_equal(f.handle, number);
    assert_int_equal(f.length, length);
    read_exactly(fd, data, length);
    check_payload(number, data, length);
    free(data);
}

static int send_frame(uint32_t number, size_t length, bool paced)
{
    struct frame f = frame_of(number, length);
    AUTO_BUF b = {0};

    put_payload(&b, number, length);
    broker_lock(&broker);
    int rc = stream_send(&stream, &f, b.data, paced);
    broker_unlock(&broker);
    return rc;
}

static size_t waiting(void)
{
    broker_lock(&broker);
    size_t n = stream.out_bytes;
    broker_unlock(&broker);
    return n;
}

static void expect_broken(int code, const char *part)
{
    EVENTUALLY(&broker, broken > 0);
    assert_int_equal(broken, 1);
    assert_true(broken_on_broker);
    assert_string_equal(mito_error_name(stream.reason.code), mito_error_name(code));
    if (strstr(stream.reason.text, part) == NULL)
        fail_msg("\"%s\" is not in the reason \"%s\"", part, stream.reason.text);
    assert_int_equal(send_frame(1, 10, false), -1);
    assert_error(MITO_E_DEAD, part);
}

/* --- in ------------------------------------------------------------------------------------- */

static void test_split_anywhere(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    put_frame(&b, 1, 0);
    put_frame(&b, 2, 5);
    put_frame(&b, 3, 100);
    put_frame(&b, 4, 0);
    for (size_t cut = 0; cut <= b.length; cut++) {
        broker_lock(&broker);
        stream_feed(&stream, b.data, cut);
        stream_feed(&stream, b.data + cut, b.length - cut);
        broker_unlock(&broker);
        expect_got(1, 0);
        expect_got(2, 5);
        expect_got(3, 100);
        expect_got(4, 0);
    }
    for (size_t i = 0; i < b.length; i++)
        write_peer(b.data + i, 1);
    EVENTUALLY(&broker, got_count == 4 * (b.length + 2));
    expect_got(1, 0);
    expect_got(2, 5);
    expect_got(3, 100);
    expect_got(4, 0);
    assert_int_equal(stream.in_length, 0);
}

/* A frame that is read straight into its message, cut around its header and its ends. */
static void test_split_large(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    const size_t large = 70000;
    put_frame(&b, 1, large);
    put_frame(&b, 2, 3);
    size_t cuts[] = {1,     25,    26,    27,    28,         65535,      65536,   65537,
                     70000, 70025, 70026, 70027, 70026 + 26, 70026 + 28, b.length};
    for (size_t i = 0; i < LENGTH(cuts); i++) {
        broker_lock(&broker);
        stream_feed(&stream, b.data, cuts[i]);
        stream_feed(&stream, b.data + cuts[i], b.length - cuts[i]);
        broker_unlock(&broker);
        expect_got(1, large);
        expect_got(2, 3);
    }
}

static void test_many_in_one(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    AUTO_BUF b = {0};
    for (uint32_t i = 0; i < MANY; i++)
        put_frame(&b, i, i % 40);
    write_peer(b.data, b.length);
    EVENTUALLY(&broker, got_count == MANY);
    for (uint32_t i = 0; i < MANY; i++)
        expect_got(i, i % 40);
    assert_true(read_by_broker);
}

/* Sizes around every limit: of inline payloads, the input buffer, the first part, its doubles. */
static void test_sizes(void **state)
{
    (void)state;
    static const size_t limits[] = {16 << 10, (64 << 10) - 26, 64 << 10, (1 << 20) + 4096,
                                    2 * ((1 << 20) + 4096)};
    for (uint32_t i = 0; i < LENGTH(limits); i++) {
        write_frame(3 * i, limits[i] - 1);
        write_frame(3 * i + 1, limits[i]);
        write_frame(3 * i + 2, limits[i] + 1);
        EVENTUALLY(&broker, got_count == 3 * (i + 1));
        expect_got(3 * i, limits[i] - 1);
        expect_got(3 * i + 1, limits[i]);
        expect_got(3 * i + 2, limits[i] + 1);
    }
}

/* What a peer announces is not allocated before it comes. */
static void test_grows_bit_by_bit(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    const size_t length = 9 << 20;
    size_t most = 0;
    put_frame(&b, 7, length);
    for (size_t at = 0; at < b.length;) {
        size_t n = b.length - at < 300000 ? b.length - at : 300000;
        write_peer(b.data + at, n);
        at += n;
        EVENTUALLY(&broker, got_count == 1 || (stream.partial != NULL &&
                                               stream.partial->filled == at - FRAME_HEADER_SIZE));
        broker_lock(&broker);
        if (stream.partial != NULL) {
            most = stream.partial->capacity;
            if (most > 4 * (stream.partial->filled + (1 << 20)))
                fail_msg("%zu bytes for %zu", most, stream.partial->filled);
        }
        broker_unlock(&broker);
    }
    assert_true(most >= length - 300000);
    assert_int_equal(got_count, 1);
    expect_got(7, length);
}

static void test_announced_only(void **state)
{
    (void)state;
    struct frame f = frame_of(1, MAX_LENGTH);
    uint8_t header[FRAME_HEADER_SIZE];
    frame_encode(&f, header);
    write_peer(header, sizeof header);
    write_peer("some", 4);
    EVENTUALLY(&broker, stream.partial != NULL && stream.partial->filled == 4);
    assert_true(stream.partial->capacity <= 4 << 20);
    fd_close(&peer);
    expect_broken(MITO_E_DEAD, "in the middle of a message");
    assert_int_equal(got_count, 0);
}

static void test_oversized(void **state)
{
    (void)state;
    struct frame f = frame_of(1, (size_t)MAX_LENGTH + 1);
    uint8_t header[FRAME_HEADER_SIZE];
    write_frame(9, 3);
    frame_encode(&f, header);
    write_peer(header, sizeof header);
    expect_broken(MITO_E_TOO_LARGE, "");
    assert_int_equal(got_when_broken, 1);
    expect_got(9, 3);
    assert_null(stream.partial);
}

static void test_bad_magic(void **state)
{
    (void)state;
    static const char banner[] = "Welcome to db1!\r\n\x1b[1mAuthorised users only";
    write_frame(9, 3);
    write_peer(banner, sizeof banner - 1);
    expect_broken(MITO_E_MALFORMED, "Welcome to db1!");
    assert_null(strchr(stream.reason.text, '\x1b'));
    assert_int_equal(got_when_broken, 1);
}

static void test_bad_magic_between(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    put_frame(&b, 1, 30);
    put_frame(&b, 2, 30);
    size_t second = b.length;
    put_frame(&b, 3, 30);
    put_frame(&b, 4, 30);
    b.data[second] = 'X';
    write_peer(b.data, b.length);
    expect_broken(MITO_E_MALFORMED, "");
    sleep_ms(20);
    assert_int_equal(got_count, 2);
    expect_got(1, 30);
    expect_got(2, 30);
}

static void test_end(void **state)
{
    (void)state;
    write_frame(1, 10);
    fd_close(&peer);
    expect_broken(MITO_E_DEAD, "connection closed");
    assert_null(strstr(stream.reason.text, "middle"));
    assert_int_equal(got_when_broken, 1);
    expect_got(1, 10);
}

static void test_end_in_the_middle(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    put_frame(&b, 1, 10);
    put_frame(&b, 2, 10);
    write_peer(b.data, b.length - 1);
    fd_close(&peer);
    expect_broken(MITO_E_DEAD, "in the middle of a message");
    assert_int_equal(got_when_broken, 1);
    expect_got(1, 10);
}

/* --- out ------------------------------------------------------------------------------------ */

static void test_out(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(send_frame(i, i * 3, false), 0);
    assert_int_equal(waiting(), 0); /* written at once */
    for (uint32_t i = 0; i < 100; i++)
        expect_frame(peer, i, i * 3);
}

static void *drain(void *arg)
{
    int *count = arg;

    for (int i = 0; i < *count; i++)
        expect_frame(peer, (uint32_t)i, (size_t)(i % 5) * 40000);
    return NULL;
}

static void test_peer_stops_reading(void **state)
{
    (void)state;
    enum { MANY = 200 };
    size_t sum = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(send_frame(i, i % 5 * 40000, i % 2 == 0), 0);
        sum += FRAME_HEADER_SIZE + i % 5 * 40000;
    }
    broker_lock(&broker);
    assert_true(stream.out_bytes > sum / 2 && stream.out_bytes < sum);
    assert_true(stream.out_count > MANY / 2 && stream.out_count <= MANY);
    assert_true(stream.out_paced > sum / 4 && stream.out_paced < stream.out_bytes);
    assert_true(stream_backlog(&stream) > stream.out_bytes);
    broker_unlock(&broker);
    for (int i = 0; i < MANY; i++)
        expect_frame(peer, (uint32_t)i, (size_t)(i % 5) * 40000);
    EVENTUALLY(&broker, stream.out_bytes == 0);
    assert_int_equal(stream.out_count, 0);
    assert_int_equal(stream.out_paced, 0);
    assert_int_equal(stream.out_offset, 0);
    assert_true(list_empty(&stream.out));
    assert_int_equal(send_frame(1, 10, true), 0);
    expect_frame(peer, 1, 10);
    assert_int_equal(stream.out_paced, 0);
}

/* The other direction goes on meanwhile, and closing with a full queue frees it. */
static void test_in_while_out_is_full(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(send_frame(i, 40000, false), 0);
    write_frame(1, 100000);
    EVENTUALLY(&broker, got_count == 1);
    expect_got(1, 100000);
    assert_true(waiting() > 0);
}

static void test_last_words(void **state)
{
    (void)state;
    broker_lock(&broker); /* the broker reads later than we write */
    write_frame(1, 10);
    write_frame(2, 100000);
    fd_close(&peer);
    struct frame f = frame_of(3, 4);
    assert_int_equal(stream_send(&stream, &f, "text", false), -1);
    assert_error(MITO_E_DEAD, "");
    assert_false(stream.broken);
    assert_int_equal(stream_send(&stream, &f, "text", false), -1);
    assert_error(MITO_E_DEAD, "");
    assert_int_equal(stream.out_bytes, 0);
    broker_unlock(&broker);
    expect_broken(MITO_E_DEAD, "connection closed");
    assert_int_equal(got_when_broken, 2);
    expect_got(1, 10);
    expect_got(2, 100000);
}

/* The same when the peer goes while the queue waits for it. */
static void test_last_words_with_queue(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(send_frame(i, 40000, true), 0);
    broker_lock(&broker);
    write_frame(1, 10);
    fd_close(&peer);
    broker_unlock(&broker);
    expect_broken(MITO_E_DEAD, "connection closed");
    assert_int_equal(got_when_broken, 1);
    assert_int_equal(stream.out_bytes, 0);
    assert_int_equal(stream.out_paced, 0);
}

static void test_send_buf(void **state)
{
    (void)state;
    struct frame f = frame_of(0, 10);
    AUTO_BUF small = {0};
    AUTO_BUF large = {0};
    put_payload(&small, 0, 10);
    broker_lock(&broker);
    assert_int_equal(stream_send_buf(&stream, &f, &small, false), 0);
    broker_unlock(&broker);
    expect_frame(peer, 0, 10);

    f = frame_of(1, 3 << 20);
    put_payload(&large, 1, f.length);
    broker_lock(&broker);
    assert_int_equal(stream_send_buf(&stream, &f, &large, false), 0);
    broker_unlock(&broker);
    assert_null(large.data); /* partly written, the rest taken over without a copy */
    assert_int_equal(large.length, 0);
    f = frame_of(2, 2 << 20);
    put_payload(&large, 2, f.length);
    broker_lock(&broker);
    assert_int_equal(stream_send_buf(&stream, &f, &large, true), 0);
    f = frame_of(0, 10);
    assert_int_equal(stream_send_buf(&stream, &f, &small, true), 0);
    assert_int_equal(stream.out_paced, (2 << 20) + 10 + 2 * FRAME_HEADER_SIZE);
    broker_unlock(&broker);
    assert_null(large.data);
    expect_frame(peer, 1, 3 << 20);
    expect_frame(peer, 2, 2 << 20);
    expect_frame(peer, 0, 10);
}

static void test_send_message(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        AUTO_BUF b = {0};
        struct frame f = frame_of(i, 100000);
        put_payload(&b, i, f.length);
        struct message *m = message_copy(&f, b.data);
        assert_non_null(m);
        broker_lock(&broker);
        assert_int_equal(stream_send_message(&stream, m), 0);
        broker_unlock(&broker);
    }
    for (uint32_t i = 0; i < 20; i++)
        expect_frame(peer, i, 100000);
    broker_lock(&broker);
    stream_break(&stream, MITO_E_DEAD, "over");
    struct frame f = frame_of(1, 1);
    assert_int_equal(stream_send_message(&stream, message_copy(&f, "x")), -1);
    assert_error(MITO_E_DEAD, "over");
    broker_unlock(&broker);
}

/* --- over pipes ----------------------------------------------------------------------------- */

static void test_pipes(void **state)
{
    (void)state;
    int in[2], out[2];
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    assert_int_equal(start_broker(), 0);
    assert_int_equal(fd_pipe(in), 0);
    assert_int_equal(fd_pipe(out), 0);
    assert_int_equal(fd_set_nonblocking(out[1]), 0);
    assert_int_equal(open_stream(in[0], out[1]), 0);
    peer = in[1];
    write_frame(1, 300000);
    EVENTUALLY(&broker, got_count == 1);
    expect_got(1, 300000);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(send_frame(i, 40000, false), 0);
    assert_true(waiting() > 0);
    for (uint32_t i = 0; i < 20; i++)
        expect_frame(out[0], i, 40000);
    EVENTUALLY(&broker, stream.out_bytes == 0);
    fd_close(&out[0]); /* reads no more, but still talks */
    assert_int_equal(send_frame(1, 10, false), -1);
    assert_error(MITO_E_DEAD, "");
    write_frame(2, 10);
    EVENTUALLY(&broker, got_count == 2);
    expect_got(2, 10);
    broker_lock(&broker);
    assert_int_equal(broken, 0);
    broker_unlock(&broker);
    fd_close(&peer);
    expect_broken(MITO_E_DEAD, "connection closed");
    end(NULL);
    sigaction(SIGPIPE, &before, NULL);
}

/* --- breaking ------------------------------------------------------------------------------- */

static void test_break(void **state)
{
    (void)state;
    char c;
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(send_frame(i, 40000, false), 0);
    broker_lock(&broker);
    stream_break(&stream, MITO_E_TIMEOUT, "no answer for %d s", 30);
    stream_break(&stream, MITO_E_DEAD, "later reason");
    assert_int_equal(broken, 0); /* later, from the broker's loop */
    broker_unlock(&broker);
    expect_broken(MITO_E_TIMEOUT, "no answer for 30 s");
    while (read(peer, &c, 1) == 1) /* ends */
        ;

    sleep_ms(20);
    assert_int_equal(broken, 1);
}

/* Closed before it could be told: it is not told. */
static void test_close_after_break(void **state)
{
    (void)state;
    broker_lock(&broker);
    stream_break(&stream, MITO_E_DEAD, "over");
    stream_close(&stream);
    broker_unlock(&broker);
    sleep_ms(50);
    broker_lock(&broker);
    assert_int_equal(broken, 0);
    broker_unlock(&broker);
    broker_close(&broker);
    fd_close(&peer);
}

/* --- leading -------------------------------------------------------------------------------- */

static int ready(struct wakeup *w, int timeout)
{
    struct pollfd p[2] = {{.fd = stream.in_fd, .events = POLLIN},
                          {.fd = w->read_fd, .events = POLLIN}};

    poll(p, 2, timeout);
    return (p[0].revents != 0 ? 1 : 0) | (p[1].revents != 0 ? 2 : 0);
}

static void lead(struct wakeup *w)
{
    broker_lock(&broker);
    assert_true(stream_lead(&stream, w));
    broker_unlock(&broker);
}

static void test_lead(void **state)
{
    (void)state;
    struct wakeup w, other;
    assert_int_equal(wakeup_open(&w), 0);
    assert_int_equal(wakeup_open(&other), 0);
    for (uint32_t i = 0; i < 20; i++) {
        lead(&w);
        broker_lock(&broker);
        assert_false(stream_lead(&stream, &other)); /* one at a time */
        broker_unlock(&broker);
        write_frame(i, 10);
        assert_int_equal(ready(&w, PATIENCE_MS), 1);
        if (i == 0)
            sleep_ms(50); /* the broker leaves it alone */
        broker_lock(&broker);
        assert_int_equal(got_count, 2 * i);
        stream_read(&stream);
        stream_read(&stream); /* nothing there: no harm */
        assert_int_equal(got_count, 2 * i + 1);
        assert_false(read_by_broker);
        stream_unlead(&stream);
        broker_unlock(&broker);
        expect_got(i, 10);
        write_frame(i, 20); /* the broker's again */
        EVENTUALLY(&broker, got_count == 2 * i + 2);
        assert_true(read_by_broker);
        expect_got(i, 20);
    }
    wakeup_close(&w);
    wakeup_close(&other);
}

/* What came while nobody was polling is the broker's once the leader leaves. */
static void test_unlead_with_input(void **state)
{
    (void)state;
    struct wakeup w;
    assert_int_equal(wakeup_open(&w), 0);
    lead(&w);
    write_frame(1, 10);
    sleep_ms(20);
    broker_lock(&broker);
    assert_int_equal(got_count, 0);
    stream_unlead(&stream);
    broker_unlock(&broker);
    EVENTUALLY(&broker, got_count == 1);
    wakeup_close(&w);
}

/* The broker goes on writing for a stream that is led, and does not start to read it. */
static void test_lead_and_queue(void **state)
{
    (void)state;
    struct wakeup w;
    assert_int_equal(wakeup_open(&w), 0);
    lead(&w);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(send_frame(i, 40000, false), 0);
    write_frame(7, 10);
    for (uint32_t i = 0; i < 50; i++)
        expect_frame(peer, i, 40000);
    EVENTUALLY(&broker, stream.out_bytes == 0);
    broker_lock(&broker);
    assert_int_equal(got_count, 0);
    stream_read(&stream);
    assert_int_equal(got_count, 1);
    stream_unlead(&stream);
    broker_unlock(&broker);
    write_frame(8, 10);
    EVENTUALLY(&broker, got_count == 2);
    wakeup_close(&w);
}

static void test_lead_and_break(void **state)
{
    (void)state;
    struct wakeup w;
    assert_int_equal(wakeup_open(&w), 0);
    lead(&w);
    assert_int_equal(ready(&w, 0), 0);
    broker_lock(&broker);
    stream_break(&stream, MITO_E_DEAD, "over");
    broker_unlock(&broker);
    assert_true(ready(&w, PATIENCE_MS) & 2);
    broker_lock(&broker);
    stream_read(&stream); /* nothing any more */
    stream_unlead(&stream);
    assert_false(stream_lead(&stream, &w));
    broker_unlock(&broker);
    expect_broken(MITO_E_DEAD, "over");
    wakeup_close(&w);
}

/* The leader is who sees the end; it is told by the broker all the same. */
static void test_lead_to_the_end(void **state)
{
    (void)state;
    struct wakeup w;
    assert_int_equal(wakeup_open(&w), 0);
    lead(&w);
    fd_close(&peer);
    assert_true(ready(&w, PATIENCE_MS) & 1);
    broker_lock(&broker);
    stream_read(&stream);
    assert_true(stream.broken);
    stream_unlead(&stream);
    broker_unlock(&broker);
    expect_broken(MITO_E_DEAD, "connection closed");
    wakeup_close(&w);
}

/* --- helping -------------------------------------------------------------------------------- */

static void test_help(void **state)
{
    (void)state;
    int many = 200;
    pthread_t reader;
    for (uint32_t i = 0; i < (uint32_t)many; i++)
        assert_int_equal(send_frame(i, i % 5 * 40000, true), 0);
    broker_lock(&broker);
    uint64_t before = stream.out_written;
    assert_true(stream.out_bytes > 0);
    assert_int_equal(pthread_create(&reader, NULL, drain, &many), 0);
    int64_t deadline = clock_deadline(PATIENCE_MS);
    while (stream.out_bytes > 0 && clock_ms() < deadline) {
        if (!stream_help(&stream, deadline)) { /* the reader was not there yet: let it */
            broker_unlock(&broker);
            sleep_ms(1);
            broker_lock(&broker);
        }
    }
    assert_int_equal(stream.out_bytes, 0);
    assert_true(stream.out_written > before);
    assert_false(stream.helped);
    broker_unlock(&broker);
    pthread_join(reader, NULL);
}

static void help_from_broker(void *arg)
{
    int *answer = arg;

    *answer = stream_help(&stream, clock_deadline(PATIENCE_MS)) ? 1 : 0;
}

static void test_no_help(void **state)
{
    (void)state;
    struct timer t = {0};
    int answer = -1;
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(send_frame(i, 40000, false), 0);
    broker_lock(&broker);
    int64_t before = clock_ms();
    assert_false(stream_help(&stream, clock_deadline(PATIENCE_MS))); /* nobody reads */
    assert_true(clock_ms() - before < PATIENCE_MS / 2);
    stream.helped = true; /* somebody helps already */
    assert_false(stream_help(&stream, clock_deadline(PATIENCE_MS)));
    stream.helped = false;
    timer_set(&broker, &t, clock_ms(), help_from_broker, &answer);
    broker_unlock(&broker);
    EVENTUALLY(&broker, answer >= 0);
    assert_int_equal(answer, 0);
    for (uint32_t i = 0; i < 50; i++) /* the broker has not forgotten it */
        expect_frame(peer, i, 40000);
}

/* --- the slow link -------------------------------------------------------------------------- */

static void slow_down(int64_t delay_us, int64_t rate_bits)
{
    struct netem_config c = {.delay_us = delay_us, .rate_bits = rate_bits};

    broker_lock(&broker);
    assert_int_equal(stream_slow_down(&stream, &c), 0);
    broker_unlock(&broker);
}

static void test_slow(void **state)
{
    (void)state;
    struct wakeup w = WAKEUP_NONE;
    slow_down(200000, 0);
    broker_lock(&broker);
    assert_false(stream_lead(&stream, &w));
    assert_false(stream_help(&stream, clock_deadline(PATIENCE_MS)));
    broker_unlock(&broker);
    int64_t before = clock_ns();
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(send_frame(i, 5000, true), 0);
    broker_lock(&broker);
    assert_int_equal(stream.out_bytes, 20 * (5000 + FRAME_HEADER_SIZE)); /* it counts as waiting */
    broker_unlock(&broker);
    for (uint32_t i = 0; i < 20; i++)
        expect_frame(peer, i, 5000);
    assert_true(clock_ns() - before >= 100 * 1000000LL);
    EVENTUALLY(&broker, stream.out_bytes == 0 && stream.out_count == 0 && stream.out_paced == 0);
    before = clock_ns();
    for (uint32_t i = 0; i < 20; i++)
        write_frame(i, 5000);
    fd_close(&peer);
    expect_broken(MITO_E_DEAD, "connection closed");
    assert_true(clock_ns() - before >= 100 * 1000000LL);
    assert_int_equal(got_when_broken, 20);
    for (uint32_t i = 0; i < 20; i++)
        expect_got(i, 5000);
}

static void test_slow_rate(void **state)
{
    (void)state;
    slow_down(0, 8000000); /* a byte per microsecond */
    int64_t before = clock_ns();
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(send_frame(i, 20000, false), 0);
    for (uint32_t i = 0; i < 10; i++)
        expect_frame(peer, i, 20000);
    assert_true(clock_ns() - before >= 200 * 1000000LL);
}

/* Closed with messages on their way in both directions: they are freed, nothing comes later. */
static void test_slow_closed(void **state)
{
    (void)state;
    slow_down(PATIENCE_MS * 1000LL, 0);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(send_frame(i, 50000, false), 0);
        write_frame(i, 500);
    }
    sleep_ms(50);
    assert_int_equal(got_count, 0);
}

int main(void)
{
#define WITH_STREAM(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_STREAM(test_split_anywhere),
        WITH_STREAM(test_split_large),
        WITH_STREAM(test_many_in_one),
        WITH_STREAM(test_sizes),
        WITH_STREAM(test_grows_bit_by_bit),
        WITH_STREAM(test_announced_only),
        WITH_STREAM(test_oversized),
        WITH_STREAM(test_bad_magic),
        WITH_STREAM(test_bad_magic_between),
        WITH_STREAM(test_end),
        WITH_STREAM(test_end_in_the_middle),
        WITH_STREAM(test_out),
        WITH_STREAM(test_peer_stops_reading),
        WITH_STREAM(test_in_while_out_is_full),
        WITH_STREAM(test_last_words),
        WITH_STREAM(test_last_words_with_queue),
        WITH_STREAM(test_send_buf),
        WITH_STREAM(test_send_message),
        cmocka_unit_test(test_pipes),
        WITH_STREAM(test_break),
        cmocka_unit_test_setup(test_close_after_break, start),
        WITH_STREAM(test_lead),
        WITH_STREAM(test_unlead_with_input),
        WITH_STREAM(test_lead_and_queue),
        WITH_STREAM(test_lead_and_break),
        WITH_STREAM(test_lead_to_the_end),
        WITH_STREAM(test_help),
        WITH_STREAM(test_no_help),
        WITH_STREAM(test_slow),
        WITH_STREAM(test_slow_rate),
        WITH_STREAM(test_slow_closed),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
