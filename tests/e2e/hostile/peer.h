/* The other side of a hostile test: a process that was started in place of ssh and then says
 * whatever it wants, in bytes of its own making: nothing of the library is used here.
 *
 * A test program calls peer_main() first in its main(): started as ssh it plays the mode that the
 * host name asks for ("mode.number") and never returns. */
#ifndef E2E_HOSTILE_PEER_H
#define E2E_HOSTILE_PEER_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEER_SSH "/proc/self/exe" /* for .ssh_path */

struct peer_mode {
    const char *name;
    void (*run)(void);
};

static struct peer {
    uint32_t id, parent;
    uint32_t first, last; /* the ids that it was given for children of its own */
    uint32_t number;      /* behind the mode; most often the id of a victim */
} peer;

enum {
    PEER_CALL_FUNCTION = 101,
    PEER_FORWARD_LOG = 102,
    PEER_ADD_ROUTE = 103,
    PEER_DEL_ROUTE = 104,
    PEER_ALLOCATE_ID = 105,
    PEER_SHUTDOWN = 106,
    PEER_DETACHING = 109,
    PEER_LAST_WORDS = 200,
    PEER_DEAD = 999,
};
enum { PEER_MAGIC = 0x4d49, PEER_HEADER = 26 };

struct peer_frame {
    uint32_t dst, src, auth, handle, reply_to, length;
};

/* --- bytes -------------------------------------------------------------------------------------
 */

static inline void peer_write(const void *data, size_t length)
{
    const char *at = data;

    while (length > 0) {
        ssize_t n = write(1, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            _exit(0); /* it was thrown out */
        at += n;
        length -= (size_t)n;
    }
}

static inline void peer_say(const char *text)
{
    peer_write(text, strlen(text));
}

static inline bool peer_read(void *out, size_t length)
{
    char *at = out;

    while (length > 0) {
        ssize_t n = read(0, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        length -= (size_t)n;
    }
    return true;
}

/* For ever, whatever it is told. */
static inline _Noreturn void peer_linger(void)
{
    for (;;)
        pause();
}

/* Until it is told to end, or has lost its stream. */
static inline _Noreturn void peer_leave(void);

static inline void peer_sleep(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static inline int64_t peer_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline uint32_t peer_random(void)
{
    static uint64_t x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (uint32_t)(x >> 16);
}

/* --- frames ------------------------------------------------------------------------------------
 */

static inline void peer_header(uint8_t out[PEER_HEADER], uint16_t magic, const struct peer_frame *f)
{
    const uint32_t numbers[6] = {f->dst, f->src, f->auth, f->handle, f->reply_to, f->length};

    *out++ = (uint8_t)(magic >> 8);
    *out++ = (uint8_t)magic;
    for (int i = 0; i < 6; i++) {
        for (int shift = 24; shift >= 0; shift -= 8)
            *out++ = (uint8_t)(numbers[i] >> shift);
    }
}

static inline void peer_send(struct peer_frame f, const void *payload, size_t length)
{
    uint8_t header[PEER_HEADER];

    f.length = (uint32_t)length;
    peer_header(header, PEER_MAGIC, &f);
    peer_write(header, sizeof header);
    peer_write(payload, length);
}

static inline void peer_send_text(struct peer_frame f, const char *text)
{
    peer_send(f, text, strlen(text));
}

/* Under its own name, to a handle of another context. */
static inline struct peer_frame peer_to(uint32_t dst, uint32_t handle, uint32_t reply_to)
{
    return (struct peer_frame){
        .dst = dst, .src = peer.id, .auth = peer.id, .handle = handle, .reply_to = reply_to};
}

static inline uint32_t peer_number(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The next frame; what is behind the first 64 KiB of its payload is thrown away. */
static inline bool peer_receive(struct peer_frame *f, uint8_t payload[65536])
{
    uint8_t header[PEER_HEADER], sink[4096];

    if (!peer_read(header, sizeof header))
        return false;
    *f = (struct peer_frame){peer_number(header + 2),  peer_number(header + 6),
                             peer_number(header + 10), peer_number(header + 14),
                             peer_number(header + 18), peer_number(header + 22)};
    uint32_t kept = f->length < 65536 ? f->length : 65536;
    if (!peer_read(payload, kept))
        return false;
    for (uint32_t left = f->length - kept; left > 0;) {
        uint32_t n = left < sizeof sink ? left : (uint32_t)sizeof sink;
        if (!peer_read(sink, n))
            return false;
        left -= n;
    }
    return true;
}

/* Waits for the next call and returns it; ends when there will be none. Other frames, SHUTDOWN
 * too, are ignored. */
static inline struct peer_frame peer_called(void)
{
    static uint8_t payload[65536];
    struct peer_frame f;

    do {
        if (!peer_receive(&f, payload))
            _exit(0);
    } while (f.handle != PEER_CALL_FUNCTION);
    return f;
}

static inline _Noreturn void peer_leave(void)
{
    static uint8_t payload[65536];
    struct peer_frame f;

    while (peer_receive(&f, payload) && f.handle != PEER_SHUTDOWN)
        ;
    _exit(0);
}

/* --- values ------------------------------------------------------------------------------------
 */

struct peer_pickle {
    uint8_t data[1024];
    size_t length;
};

static inline void peer_put(struct peer_pickle *p, const void *data, size_t length)
{
    if (length > sizeof p->data - p->length)
        abort();
    memcpy(p->data + p->length, data, length);
    p->length += length;
}

static inline void peer_put_text(struct peer_pickle *p, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    uint8_t head[5] = {'X', (uint8_t)length, (uint8_t)(length >> 8), 0, 0};

    peer_put(p, head, sizeof head);
    peer_put(p, text, length);
}

static inline void peer_put_int(struct peer_pickle *p, uint32_t x)
{
    /* LONG1: any 32 bits, without a sign */
    uint8_t bytes[7] = {
        0x8a, 5, (uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24), 0};

    peer_put(p, bytes, sizeof bytes);
}

static inline struct peer_pickle peer_int(uint32_t x)
{
    struct peer_pickle p = {{0x80, 2}, 2};

    peer_put_int(&p, x);
    peer_put(&p, ".", 1);
    return p;
}

static inline struct peer_pickle peer_context(uint32_t id, const char *name)
{
    static const char global[] = "cmitogen.core\n_unpickle_context\n";
    struct peer_pickle p = {{0x80, 2}, 2};

    peer_put(&p, global, sizeof global - 1);
    peer_put_int(&p, id);
    peer_put_text(&p, name);
    peer_put(&p, "\x86R.", 3);
    return p;
}

/* A call of main.NAME without arguments. */
static inline struct peer_pickle peer_call_of(const char *name)
{
    struct peer_pickle p = {{0x80, 2, '(', 'N'}, 4};

    peer_put_text(&p, "main");
    peer_put(&p, "N", 1);
    peer_put_text(&p, name);
    peer_put(&p, ")cmitogen.core\nKwargs\n}\x85Rt.", 26);
    return p;
}

static inline void peer_answer(const struct peer_frame *call, const struct peer_pickle *value)
{
    peer_send(peer_to(call->src, call->reply_to, 0), value->data, value->length);
}

static inline void peer_answer_int(const struct peer_frame *call, uint32_t x)
{
    struct peer_pickle value = peer_int(x);

    peer_answer(call, &value);
}

/* --- being started -----------------------------------------------------------------------------
 */

/* Takes the image, as the first stage would; -1 when the other side went away meanwhile. */
static inline int peer_take_image(void)
{
    static char sink[65536];
    char line[64];
    size_t length = 0, left;

    do {
        if (length == sizeof line - 1 || !peer_read(line + length, 1))
            return -1;
    } while (line[length++] != '\n');
    line[length] = '\0';
    char *number = strchr(line, ' ');
    left = number == NULL ? 0 : (size_t)strtoul(number, NULL, 10);
    while (left > 0) {
        size_t n = left < sizeof sink ? left : sizeof sink;
        if (!peer_read(sink, n))
            return -1;
        left -= n;
    }
    return 0;
}

/* As a well-behaved child comes up; what it does next is its own business. */
static inline void peer_come_up(void)
{
    peer_say("MITO_000 x86_64\n");
    if (peer_take_image() < 0)
        _exit(0);
    peer_say("MITO_002\n");
}

static inline uint32_t peer_setting(const char *config, const char *key)
{
    const char *at = strstr(config, key);

    return at == NULL ? 0 : (uint32_t)strtoul(at + strlen(key), NULL, 10);
}

static inline void peer_main(int argc, char **argv, const struct peer_mode *modes)
{
    if (argc < 4 || strcmp(argv[1], "-T") != 0)
        return;
    const char *config = strstr(argv[argc - 1], "mitosis-child ");
    char *mode = argv[argc - 2];
    char *dot = strrchr(mode, '.');

    signal(SIGPIPE, SIG_IGN);
    alarm(150); /* when the test itself is killed, nobody else ends it */
    if (config == NULL || dot == NULL)
        _exit(90);
    peer.id = peer_setting(config, " id=");
    peer.parent = peer_setting(config, ",parents=");
    peer.first = peer_setting(config, ",first=");
    peer.last = peer_setting(config, ",last=");
    peer.number = (uint32_t)strtoul(dot + 1, NULL, 10);
    *dot = '\0';
    for (; modes->name != NULL; modes++) {
        if (strcmp(modes->name, mode) == 0) {
            modes->run();
            _exit(0);
        }
    }
    fprintf(stderr, "no mode %s\n", mode);
    _exit(91);
}

#endif
