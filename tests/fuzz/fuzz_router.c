/* A hostile neighbour: whatever frames it sends, it acts under its own name alone, reaches nothing
 * that needs authority, announces only ids that were given to it, and answers nobody's questions
 * but its own. The router is that of a master, or of a context in the middle of the tree.
 *
 * The input is a list of steps; ids and handles that mean something have short names in it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/context.h"
#include "core/receiver.h"
#include "io/fd.h"
#include "wire/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BAD = 11, GOOD = 12, MIDDLE = 10, BAD_FIRST = 100, GOOD_FIRST = 200, RANGE = 10 };
enum { PARENT_BLOCKS = 10000 }; /* what the parent of the middle gives away begins there */

static const uint32_t ids[] = {
    0,          MIDDLE, BAD,  GOOD,          BAD_FIRST, BAD_FIRST + 1, BAD_FIRST + RANGE,
    GOOD_FIRST, 1,      1000, PARENT_BLOCKS, 77777,     UINT32_MAX};
enum { ID_COUNT = sizeof ids / sizeof *ids };

struct input {
    const uint8_t *at, *end;
};

struct scene {
    struct mito_router *r;
    struct neighbour *bad, *good, *parent; /* references; parent: NULL in a master */
    int bad_fd, good_fd, parent_fd;        /* the other ends */
    struct mito_receiver open, from_good, from_bad;
    uint32_t open_handle, good_handle, bad_handle;
    struct handle call_function, shutdown;
    uint32_t asked_src, asked_reply_to; /* the last ALLOCATE_ID that reached the parent */
    uint32_t next_block;
};

/* --- the scene ---------------------------------------------------------------------------------
 */

static void no_log(void *arg, const struct mito_log_record *record)
{
    (void)arg;
    if (strchr(record->text, '\n') != NULL)
        abort();
}

/* Needs the authority of a parent: the bad one has none. */
static void on_command(struct handle *h, struct neighbour *from, struct message *m)
{
    (void)h;
    (void)m;
    if (from != NULL && !from->is_parent)
        abort();
    message_free(m);
}

static void on_open(struct handle *h, struct neighbour *from, struct message *m)
{
    (void)h;
    (void)from;
    message_free(m);
}

static struct neighbour *join(struct scene *s, uint32_t id, bool is_parent, int *other)
{
    int pair[2];

    if (fd_socketpair(pair, true) < 0 || fd_set_nonblocking(pair[1]) < 0)
        abort();
    *other = pair[1];
    struct neighbour *n = neighbour_new(s->r, id, is_parent, pair[0], pair[0], NULL, NULL);
    if (n == NULL || context_intern(s->r, id, NULL) == NULL)
        abort();
    return neighbour_ref(n);
}

static uint32_t expect_answer(struct scene *s, struct mito_receiver *rx, uint32_t id)
{
    receiver_init(rx, s->r);
    struct pending *p = pending_new(rx, context_intern(s->r, id, NULL), NULL, NULL);
    if (p == NULL)
        abort();
    return p->handle.number;
}

static void open_scene(struct scene *s, bool middle)
{
    struct router_config config = {.max_message_size = 4096,
                                   .queue_limit = 64 * 1024,
                                   .log_level = MITO_INFO,
                                   .unidirectional = false};
    const struct mito_router_options options = {.log = no_log};

    memset(s, 0, sizeof *s);
    s->next_block = PARENT_BLOCKS;
    s->parent_fd = -1;
    if (middle) {
        config.id = MIDDLE;
        config.parent_ids = calloc(1, sizeof *config.parent_ids);
        config.parent_count = 1;
    }
    s->r = router_create(&config);
    if (s->r == NULL)
        abort();
    router_lock(s->r);
    if (middle)
        s->parent = s->r->parent = join(s, 0, true, &s->parent_fd);
    else if (log_start(s->r, &options) < 0 || log_listen(s->r) < 0 ||
             context_intern(s->r, 0, "master") == NULL)
        abort();
    s->bad = join(s, BAD, false, &s->bad_fd);
    s->good = join(s, GOOD, false, &s->good_fd);
    neighbour_own(s->bad, BAD, BAD + 1);
    neighbour_own(s->bad, BAD_FIRST, BAD_FIRST + RANGE);
    neighbour_own(s->good, GOOD, GOOD + 1);
    neighbour_own(s->good, GOOD_FIRST, GOOD_FIRST + RANGE);
    handle_add(s->r, &s->call_function, HANDLE_CALL_FUNCTION, POLICY_PARENT_AUTHORITY, NULL,
               on_command, NULL);
    handle_add(s->r, &s->shutdown, HANDLE_SHUTDOWN, POLICY_PARENT_AUTHORITY, NULL, on_command,
               NULL);
    receiver_init(&s->open, s->r);
    handle_add(s->r, &s->open.handle, 0, POLICY_ANYONE, NULL, on_open, NULL);
    s->open_handle = s->open.handle.number;
    s->good_handle = expect_answer(s, &s->from_good, GOOD);
    s->bad_handle = expect_answer(s, &s->from_bad, BAD);
}

static void leave(struct neighbour *n, int other)
{
    struct error e;

    error_fill(&e, MITO_E_DEAD, "left");
    neighbour_gone(n, &e);
    neighbour_unref(n);
    close(other);
}

static void close_scene(struct scene *s)
{
    receiver_fini(&s->open);
    receiver_fini(&s->from_good);
    receiver_fini(&s->from_bad);
    leave(s->bad, s->bad_fd);
    leave(s->good, s->good_fd);
    if (s->parent != NULL)
        leave(s->parent, s->parent_fd);
    handle_remove(s->r, &s->call_function);
    handle_remove(s->r, &s->shutdown);
    router_unlock(s->r);
    log_stop(s->r);
    router_destroy(s->r);
}

/* --- what must hold ----------------------------------------------------------------------------
 */

static bool owns(const struct neighbour *n, uint32_t id)
{
    for (size_t i = 0; i < n->range_count; i++) {
        if (id >= n->ranges[i].first && id < n->ranges[i].last)
            return true;
    }
    return false;
}

static void must(bool truth)
{
    if (!truth)
        abort();
}

static void check_routes(const struct scene *s)
{
    const struct map *routes = &s->r->routes;
    struct map_slot *slot;
    size_t at = 0, behind = 0;

    while ((slot = map_next(routes, &at)) != NULL) {
        if (slot->value == s->bad) {
            must(owns(s->bad, slot->key) && !owns(s->good, slot->key));
            behind += slot->key != BAD;
        }
    }
    must(s->bad->gone || behind == s->bad->route_count);
    must(map_get(routes, GOOD) == s->good);
    must(s->parent == NULL || map_get(routes, 0) == s->parent);
    must(s->r->contexts.count <= routes->count + 16);
}

/* What goes out is under the router's own name, and then no command, or from who may say so. */
static void check_frame(struct scene *s, const struct frame *f, const uint8_t *payload,
                        bool to_parent)
{
    uint32_t self = s->r->config.id, id;

    if (f->auth_id != self || f->src_id != self) {
        must(owns(s->bad, f->auth_id) && owns(s->bad, f->src_id));
        if (to_parent && f->dst_id == 0 && f->handle == HANDLE_ALLOCATE_ID && f->reply_to != 0) {
            s->asked_src = f->src_id;
            s->asked_reply_to = f->reply_to;
        }
        return;
    }
    if (f->reply_to == HANDLE_DEAD || f->handle == HANDLE_DEL_ROUTE ||
        f->handle == HANDLE_LAST_WORDS)
        return;
    must(to_parent && (f->handle == HANDLE_ADD_ROUTE || f->handle == HANDLE_FORWARD_LOG));
    if (f->handle == HANDLE_ADD_ROUTE) {
        id = (uint32_t)strtoul((const char *)payload, NULL, 10);
        must(owns(s->bad, id));
    }
}

static void check_output(struct scene *s, int fd, bool to_parent)
{
    static uint8_t bytes[1024 * 1024 + 1];
    size_t length = 0, at = 0;
    ssize_t n;
    struct frame f;

    while (fd >= 0 && length < sizeof bytes - 1 &&
           (n = read(fd, bytes + length, sizeof bytes - 1 - length)) > 0)
        length += (size_t)n;
    bytes[length] = '\0';
    while (length - at >= FRAME_HEADER_SIZE) {
        must(frame_decode(&f, bytes + at, FRAME_HEADER_SIZE, 8192) == 0);
        if (length - at - FRAME_HEADER_SIZE < f.length)
            break;
        check_frame(s, &f, bytes + at + FRAME_HEADER_SIZE, to_parent);
        at += FRAME_HEADER_SIZE + f.length;
    }
}

static void check(struct scene *s)
{
    check_routes(s);
    must(list_empty(&s->from_good.queue) && !s->from_good.ended);
    must(list_empty(&s->from_bad.queue) || s->from_bad.queue.next == s->from_bad.queue.prev);
    check_output(s, s->good_fd, false);
    check_output(s, s->parent_fd, true);
}

/* --- the steps ---------------------------------------------------------------------------------
 */

static uint8_t byte(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static uint32_t number(struct input *in)
{
    uint32_t x = 0;

    for (int i = 0; i < 4; i++)
        x = x << 8 | byte(in);
    return x;
}

static uint32_t an_id(struct input *in)
{
    uint8_t b = byte(in);

    return b < ID_COUNT ? ids[b] : b == 255 ? number(in) : b;
}

static uint32_t a_handle(const struct scene *s, struct input *in)
{
    uint8_t b = byte(in);

    switch (b) {
    case 250:
        return s->open_handle;
    case 251:
        return s->good_handle;
    case 252:
        return s->bad_handle;
    case 253:
        return HANDLE_DEAD;
    case 255:
        return number(in);
    default:
        return b; /* the well-known ones are among these */
    }
}

static void send_frame(struct scene *s, struct neighbour *from, const struct frame *f,
                       const uint8_t *payload)
{
    uint8_t header[FRAME_HEADER_SIZE];

    frame_encode(f, header);
    stream_feed(&from->stream, header, sizeof header);
    stream_feed(&from->stream, payload, f->length);
    (void)s;
}

static void step_frame(struct scene *s, struct input *in)
{
    struct frame f = {.magic = FRAME_LEGACY};

    f.dst_id = an_id(in);
    f.src_id = an_id(in);
    f.auth_id = an_id(in);
    f.handle = a_handle(s, in);
    f.reply_to = a_handle(s, in);
    uint8_t length = byte(in);
    f.length = (size_t)(in->end - in->at) < length ? (uint32_t)(in->end - in->at) : length;
    send_frame(s, s->bad, &f, in->at);
    in->at += f.length;
}

/* As text, the way routes are announced and withdrawn. */
static void step_route(struct scene *s, struct input *in)
{
    static const uint32_t handles[] = {HANDLE_ADD_ROUTE, HANDLE_DEL_ROUTE, HANDLE_LAST_WORDS};
    static const char *const forms[] = {"%u", "%u:name", "%u:mitosis.crashed: why"};
    char text[64];
    struct frame f = {.magic = FRAME_LEGACY, .dst_id = s->r->config.id};

    f.handle = handles[byte(in) % 3];
    f.src_id = f.auth_id = byte(in) == 0 ? an_id(in) : BAD;
    const char *form = forms[byte(in) % 3];
    f.length = (uint32_t)snprintf(text, sizeof text, form, an_id(in));
    send_frame(s, s->bad, &f, (const uint8_t *)text);
}

static void step_bytes(struct scene *s, struct input *in)
{
    uint8_t length = byte(in);

    if (length > in->end - in->at)
        length = (uint8_t)(in->end - in->at);
    stream_feed(&s->bad->stream, in->at, length);
    in->at += length;
}

/* The parent answers who asked it for ids. */
static void step_answer(struct scene *s)
{
    struct buf out = {0};
    struct frame f = {.magic = FRAME_LEGACY, .dst_id = s->asked_src, .handle = s->asked_reply_to};

    if (s->parent == NULL || s->asked_reply_to == 0)
        return;
    if (pickle_begin(&out) < 0 || pickle_tuple_open(&out) < 0 ||
        pickle_int(&out, s->next_block) < 0 || pickle_int(&out, s->next_block + 1000) < 0 ||
        pickle_tuple_close(&out) < 0 || pickle_end(&out) < 0)
        abort();
    s->next_block += 1000;
    f.length = (uint32_t)out.length;
    send_frame(s, s->parent, &f, out.data);
    buf_free(&out);
}

/* The good one talks to the bad one, so that it is told of its end. */
static void step_good(struct scene *s)
{
    struct frame f = {.magic = FRAME_LEGACY, .dst_id = BAD, .src_id = GOOD, .auth_id = GOOD};

    f.handle = 1000;
    send_frame(s, s->good, &f, (const uint8_t *)"");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t sink[65536];
    struct input in = {data, data + size};
    struct scene s;

    open_scene(&s, byte(&in) % 2 != 0);
    while (in.at < in.end) {
        switch (byte(&in) % 8) {
        case 0:
            step_bytes(&s, &in);
            break;
        case 1:
            step_answer(&s);
            break;
        case 2:
            step_good(&s);
            break;
        case 3:
        case 4:
            step_route(&s, &in);
            break;
        default:
            step_frame(&s, &in);
        }
        check(&s);
        while (read(s.bad_fd, sink, sizeof sink) > 0)
            ;
    }
    close_scene(&s);
    return 0;
}
