/* Log records: in a child they travel to the master (FORWARD_LOG); in the master a thread of its
 * own hands them to the program, so that a slow terminal or callback never holds up the broker. */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/format.h"
#include "base/text.h"
#include "core/context.h"
#include "core/router.h"
#include "io/fd.h"

enum {
    TEXT_MAX = 16 * 1024,        /* a longer line is cut */
    QUEUE_MAX = 8 * 1024 * 1024, /* bytes of records that may wait for the log thread */
    LOG_STACK_SIZE = 256 * 1024, /* user callbacks run on it */
    FORWARD_BACKLOG =
        1024 * 1024, /* a child sends no records while its stream is that far behind */
};

struct queued_record {
    struct list link;
    struct mito_log_record record;
    uint32_t via; /* id of the child that it came from or through; 0: none */
    size_t size;
    char text[]; /* text, logger and name, each with its NUL */
};

struct log_queue {
    struct mito_router *router;
    pthread_t thread;
    bool started, stopping;
    pthread_cond_t arrived;
    struct list records;
    size_t bytes;
    unsigned long lost;
    void (*log)(void *arg, const struct mito_log_record *record);
    void *log_arg;
};

/* --- the master's thread -----------------------------------------------------------------------
 */

static void print_record(void *arg, const struct mito_log_record *record)
{
    char line[4096];

    (void)arg;
    size_t length = mito_log_format(record, line, sizeof line - 1);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length] = '\n';
    fd_write_all(2, line, length + 1);
}

static void unqueue(struct log_queue *q, struct queued_record *qr)
{
    struct neighbour *via = qr->via != 0 ? map_get(&q->router->routes, qr->via) : NULL;

    list_remove(&qr->link);
    q->bytes -= qr->size;
    if (via != NULL)
        via->log_bytes -= qr->size;
}

static void *log_main(void *arg)
{
    struct log_queue *q = arg;

    router_lock(q->router);
    for (;;) {
        while (list_empty(&q->records) && !q->stopping)
            pthread_cond_wait(&q->arrived, &q->router->broker.lock);
        if (list_empty(&q->records))
            break;
        struct queued_record *qr = list_first(&q->records, struct queued_record, link);
        unqueue(q, qr);
        router_unlock(q->router);
        q->log(q->log_arg, &qr->record);
        free(qr);
        router_lock(q->router);
    }
    router_unlock(q->router);
    return NULL;
}

static bool ensure_thread(struct log_queue *q)
{
    pthread_attr_t attr;
    sigset_t all, before;

    if (q->started)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, LOG_STACK_SIZE);
    q->started = pthread_create(&q->thread, &attr, log_main, q) == 0;
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return q->started;
}

static struct queued_record *queued_record_new(enum mito_level level, uint32_t id, const char *name,
                                               const char *logger, const char *text, size_t length)
{
    size_t name_size = strlen(name) + 1, logger_size = strlen(logger) + 1;
    size_t size = sizeof(struct queued_record) + length + 1 + logger_size + name_size;
    struct queued_record *qr = malloc(size);

    if (qr == NULL)
        return NULL;
    *qr = (struct queued_record){.size = size};
    list_init(&qr->link);
    memcpy(qr->text, text, length);
    qr->text[length] = '\0';
    char *at = memcpy(qr->text + length + 1, logger, logger_size);
    qr->record = (struct mito_log_record){.level = level, .context_id = id, .text = qr->text};
    qr->record.logger = at;
    qr->record.context_name = memcpy(at + logger_size, name, name_size);
    return qr;
}

/* A child may fill no more of the queue than it leaves free for others: however many talk without
 * end, there is room for one that says something now and then. */
static bool has_room(const struct log_queue *q, const struct neighbour *via)
{
    return q->bytes < QUEUE_MAX && (via == NULL || via->log_bytes < QUEUE_MAX - q->bytes);
}

static void enqueue(struct log_queue *q, enum mito_level level, uint32_t id, const char *name,
                    const char *logger, const char *text, size_t length)
{
    struct queued_record *qr = NULL;
    struct neighbour *via = map_get(&q->router->routes, id);

    if (has_room(q, via) && ensure_thread(q))
        qr = queued_record_new(level, id, name, logger, text, length);
    if (qr == NULL) {
        q->lost++;
        return;
    }
    q->bytes += qr->size;
    if (via != NULL) {
        qr->via = via->id;
        via->log_bytes += qr->size;
    }
    list_append(&q->records, &qr->link);
    pthread_cond_signal(&q->arrived);
    if (q->lost > 0) {
        char note[64];
        size_t n = format_to(note, sizeof note, "%lu records lost: they came too fast", q->lost);
        q->lost = 0;
        enqueue(q, MITO_WARNING, q->router->config.id, "master", "log", note, n);
    }
}

int log_start(struct mito_router *r, const struct mito_router_options *options)
{
    struct log_queue *q = calloc(1, sizeof *q);

    if (q == NULL)
        return error_nomem();
    q->router = r;
    q->log = options != NULL && options->log != NULL ? options->log : print_record;
    q->log_arg = options != NULL ? options->log_arg : NULL;
    list_init(&q->records);
    pthread_cond_init(&q->arrived, NULL);
    r->log = q;
    return 0;
}

void log_stop(struct mito_router *r)
{
    struct log_queue *q = r->log;

    if (q == NULL)
        return;
    router_lock(r);
    q->stopping = true;
    pthread_cond_signal(&q->arrived);
    router_unlock(r);
    if (q->started)
        pthread_join(q->thread, NULL);
    router_lock(r);
    r->log = NULL;
    router_unlock(r);
    pthread_cond_destroy(&q->arrived);
    free(q);
}

/* --- records of this context -------------------------------------------------------------------
 */

static void forward(struct mito_router *r, enum mito_level level, const char *logger,
                    const char *text, size_t length)
{
    /* Levels travel as Python's numbers. */
    static const unsigned numbers[] = {40, 30, 20, 10, 5};
    struct frame f = {.dst_id = 0, .handle = HANDLE_FORWARD_LOG};
    AUTO_BUF out = {0};

    if (r->parent == NULL || r->parent->stream.out_bytes > FORWARD_BACKLOG) {
        r->lost_records++;
        return;
    }
    if (buf_str(&out, logger) < 0 || buf_byte(&out, 0) < 0 ||
        buf_printf(&out, "%u", numbers[level]) < 0 || buf_byte(&out, 0) < 0 ||
        buf_append(&out, text, length) < 0)
        return;
    router_send(r, &f, out.data, out.length, false);
    if (r->lost_records > 0) {
        unsigned long lost = r->lost_records;
        r->lost_records = 0;
        log_locked(r, MITO_WARNING, "log", "%lu records lost: they came too fast", lost);
    }
}

static void pass_on(struct mito_router *r, enum mito_level level, uint32_t id, const char *logger,
                    const char *text, size_t length)
{
    if (length > TEXT_MAX)
        length = TEXT_MAX;
    if (r->log != NULL) {
        struct mito_context *c = context_intern(r, id, NULL);
        enqueue(r->log, level, id, c != NULL ? c->name : "unknown", logger, text, length);
    } else if (r->config.parent_count > 0) {
        forward(r, level, logger, text, length);
    }
}

void log_text(struct mito_router *r, enum mito_level level, uint32_t id, const char *logger,
              const char *text, size_t length)
{
    if (level <= r->config.log_level)
        pass_on(r, level, id, logger, text, length);
}

static void log_va(struct mito_router *r, enum mito_level level, const char *logger,
                   const char *format, va_list ap)
{
    char text[1024];
    size_t n = format_va(text, sizeof text, format, ap);

    log_text(r, level, r->config.id, logger, text, n < sizeof text ? n : sizeof text - 1);
}

void log_locked(struct mito_router *r, enum mito_level level, const char *logger,
                const char *format, ...)
{
    va_list ap;

    if (level > r->config.log_level)
        return;
    va_start(ap, format);
    log_va(r, level, logger, format, ap);
    va_end(ap);
}

void mito_log(struct mito_router *r, enum mito_level level, const char *format, ...)
{
    va_list ap;

    if (level > r->config.log_level)
        return;
    va_start(ap, format);
    router_lock(r);
    log_va(r, level, "user", format, ap);
    router_unlock(r);
    va_end(ap);
}

/* --- records that arrive -----------------------------------------------------------------------
 */

static enum mito_level level_of_number(uint32_t number)
{
    if (number >= 40)
        return MITO_ERROR;
    if (number >= 30)
        return MITO_WARNING;
    if (number >= 20)
        return MITO_INFO;
    return number >= 10 ? MITO_DEBUG : MITO_IO;
}

/* A record is one line; who sends several at once (a traceback) gets several records. Which levels
 * are made is decided where they are made: a single context may say more than we do. */
static void log_lines(struct mito_router *r, enum mito_level level, uint32_t id, const char *logger,
                      const char *text, size_t length)
{
    const char *end;

    if (length > TEXT_MAX)
        length = TEXT_MAX;
    while ((end = length > 0 ? memchr(text, '\n', length) : NULL) != NULL) {
        pass_on(r, level, id, logger, text, (size_t)(end - text));
        length -= (size_t)(end + 1 - text);
        text = end + 1;
        if (length == 0)
            return;
    }
    pass_on(r, level, id, logger, text, length);
}

/* "logger NUL number NUL text", all of it hostile. */
static void on_forward_log(struct handle *h, struct neighbour *from, struct message *m)
{
    struct mito_router *r = h->arg;
    const char *data = (const char *)m->data;
    size_t length = m->frame.length;
    const char *first = length > 0 ? memchr(data, 0, length) : NULL;
    const char *second =
        first != NULL ? memchr(first + 1, 0, length - (size_t)(first + 1 - data)) : NULL;
    char logger[64];
    uint32_t number;

    (void)from;
    if (!message_is_dead(m) && second != NULL &&
        text_to_u32(first + 1, (size_t)(second - first - 1), 1000, &number)) {
        format_to(logger, sizeof logger, "%s", data);
        log_lines(r, level_of_number(number), m->frame.src_id, logger, second + 1,
                  length - (size_t)(second + 1 - data));
    }
    message_free(m);
}

int log_listen(struct mito_router *r)
{
    return handle_add(r, &r->forward_log, HANDLE_FORWARD_LOG, POLICY_ANYONE, NULL, on_forward_log,
                      r);
}

size_t mito_log_format(const struct mito_log_record *record, char *out, size_t size)
{
    AUTO_BUF line = {0};

    text_escape(&line, record->context_name, strlen(record->context_name));
    buf_str(&line, ": ");
    if (record->level != MITO_INFO)
        buf_printf(&line, "%s: ", text_level_name((int)record->level));
    if (strcmp(record->logger, "user") != 0) {
        text_escape(&line, record->logger, strlen(record->logger));
        buf_str(&line, ": ");
    }
    text_escape(&line, record->text, strlen(record->text));
    if (size > 0) {
        size_t n = line.length < size ? line.length : size - 1;
        if (n > 0)
            memcpy(out, line.data, n);
        out[n] = '\0';
    }
    return line.length;
}
