/* Python modules for the contexts below that run Python, in the master: an interpreter finds them
 * (python/mitosis/modules.py); here it is started, asked and listened to. Only in programs that
 * start Python contexts (mito_python). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/format.h"
#include "base/text.h"
#include "core/receiver.h"
#include "io/fd.h"
#include "io/process.h"
#include "parent/method.h"
#include "parent/modules.h"

enum {
    PAYLOAD_MAX = 64 * 1024 * 1024,
    LINE_MAX_LENGTH = 512,
    READ_SIZE = 64 * 1024,
    SAID_MAX = 4096, /* of one line on standard error */
    DEATHS_MAX = 3,  /* of the interpreter, without an answer in between: it is not started again */
    ASKED_MAX = 2,   /* times that a question is asked: it may be what the interpreter dies of */
};

/* The text of the program, as it is in the source. */
__asm__(".pushsection .rodata.mito_python_modules, \"a\"\n"
        ".type python_modules_text, %object\n"
        "python_modules_text: .incbin \"python/mitosis/modules.py\"\n"
        ".byte 0\n"
        ".size python_modules_text, . - python_modules_text\n"
        ".popsection\n");
extern const char python_modules_text[] __attribute__((visibility("hidden")));

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/* A name that was asked for and is not answered. */
struct question {
    struct list link;
    int asked;
    char name[];
};

static struct python {
    struct module_provider provider;
    struct mito_router *router; /* NULL: not set up */
    struct argv argv;
    struct buf texts; /* of the program's own modules, as it is told them when it starts */
    bool started, failed;
    int deaths;
    struct process process;
    struct activity activity;
    int fd, err_fd;
    struct watch *watch, *err_watch;
    struct buf in, out, err;
    struct list questions;
} python = {.fd = -1, .err_fd = -1};

/* --- the end of it -----------------------------------------------------------------------------
 */

/* Line by line; at the end, or when it is too much for one, what is there. */
static void log_said(struct python *p, bool at_end)
{
    while (p->err.length > 0) {
        const uint8_t *end = memchr(p->err.data, '\n', p->err.length);
        if (end == NULL && p->err.length < SAID_MAX && !at_end)
            return;
        size_t length = end != NULL ? (size_t)(end - p->err.data) : p->err.length;
        log_text(p->router, MITO_WARNING, p->router->config.id, "python", (char *)p->err.data,
                 length);
        buf_consume(&p->err, length + (end != NULL));
    }
}

static void read_stderr(struct python *p)
{
    char chunk[1024];
    ssize_t n;

    while (p->err_fd >= 0 && (n = read(p->err_fd, chunk, sizeof chunk)) > 0) {
        buf_append(&p->err, chunk, (size_t)n);
        log_said(p, false);
    }
}

static void disconnect(struct python *p)
{
    read_stderr(p);
    log_said(p, true);
    watch_free(p->watch);
    watch_free(p->err_watch);
    p->watch = p->err_watch = NULL;
    fd_close(&p->fd);
    fd_close(&p->err_fd);
    buf_free(&p->in);
    buf_free(&p->out);
    buf_free(&p->err);
}

static void no_answer(struct python *p, struct question *q)
{
    list_remove(&q->link);
    modules_missing(p->router, q->name);
    free(q);
}

/* Who waits for a module is told that there is none, now and from now on. */
static void give_up(struct python *p, const char *why)
{
    struct mito_router *r = p->router;

    disconnect(p);
    if (!p->failed && !r->ending)
        log_locked(r, MITO_ERROR, "python", "no more Python modules: %s", why);
    p->failed = true;
    if (p->started)
        process_kill(&p->process, SIGKILL);
    while (!list_empty(&p->questions))
        no_answer(p, list_first(&p->questions, struct question, link));
}

/* The router ends. */
static void finish(struct python *p)
{
    list_remove(&p->activity.link);
    buf_free(&p->texts);
    argv_free(&p->argv);
    p->router = NULL;
}

static void ask(struct python *p, struct question *q);

/* It has died, perhaps killed: it is started anew for what is not answered, or with the next
 * question. */
static void go_on(struct python *p, const char *why)
{
    struct list left;

    disconnect(p);
    log_locked(p->router, MITO_WARNING, "python", "%s; it is started again when it is needed", why);
    list_init(&left);
    while (!list_empty(&p->questions)) {
        struct question *q = list_first(&p->questions, struct question, link);
        list_remove(&q->link);
        list_append(&left, &q->link);
    }
    while (!list_empty(&left)) {
        struct question *q = list_first(&left, struct question, link);
        list_remove(&q->link);
        ask(p, q);
    }
}

static void on_exit_of_python(void *arg)
{
    struct python *p = arg;
    struct mito_router *r = p->router;
    char how[100], why[200];

    process_describe(p->process.status, how, sizeof how);
    format_to(why, sizeof why, "%s %s", p->argv.words[0], how);
    process_forget(&p->process);
    p->started = false;
    if (p->failed || r->ending || ++p->deaths >= DEATHS_MAX)
        give_up(p, why);
    else
        go_on(p, why);
    if (r->ending)
        finish(p);
    router_check_ended(r);
}

static void abort_python(struct activity *a)
{
    struct python *p = container_of(a, struct python, activity);

    if (p->started)
        process_kill(&p->process, SIGKILL);
    else
        finish(p);
}

/* --- its answers -------------------------------------------------------------------------------
 */

static void answered(struct python *p, const char *name)
{
    struct question *q;

    list_each(q, &p->questions, link)
    {
        if (strcmp(q->name, name) == 0) {
            list_remove(&q->link);
            free(q);
            return;
        }
    }
}

/* "missing NAME" */
static bool is_missing(const char *line, char name[LINE_MAX_LENGTH])
{
    if (strncmp(line, "missing ", 8) != 0)
        return false;
    strcpy(name, line + 8);
    return true;
}

/* "found NAME LENGTH" */
static bool is_found(const char *line, char name[LINE_MAX_LENGTH], size_t *length)
{
    const char *space = strrchr(line, ' ');
    uint32_t number;

    if (strncmp(line, "found ", 6) != 0 || space < line + 6 ||
        !text_to_u32(space + 1, strlen(space + 1), PAYLOAD_MAX, &number))
        return false;
    memcpy(name, line + 6, (size_t)(space - line - 6));
    name[space - line - 6] = '\0';
    *length = number;
    return true;
}

/* Takes one whole answer out of what came. False: there is none yet, or it is none. */
static bool take_answer(struct python *p)
{
    const uint8_t *end = p->in.length > 0 ? memchr(p->in.data, '\n', p->in.length) : NULL;
    char line[LINE_MAX_LENGTH], name[LINE_MAX_LENGTH];
    size_t length = 0, head = end != NULL ? (size_t)(end - p->in.data) : p->in.length;
    struct buf payload = {0};

    if (end == NULL && head < sizeof line)
        return false;
    if (head >= sizeof line) {
        give_up(p, "it answered with something else");
        return false;
    }
    memcpy(line, p->in.data, head);
    line[head++] = '\0';
    if (is_missing(line, name)) {
        buf_consume(&p->in, head);
        answered(p, name);
        p->deaths = 0;
        modules_missing(p->router, name);
        return true;
    }
    if (!is_found(line, name, &length)) {
        give_up(p, "it answered with something else");
        return false;
    }
    if (p->in.length - head < length)
        return false;
    if (buf_append(&payload, p->in.data + head, length) < 0) {
        give_up(p, "out of memory");
        return false;
    }
    buf_consume(&p->in, head + length);
    answered(p, name);
    p->deaths = 0;
    modules_found(p->router, name, &payload);
    return true;
}

static void send_questions(struct python *p)
{
    ssize_t n = 1;

    while (p->out.length > 0 && n > 0) {
        n = send(p->fd, p->out.data, p->out.length, MSG_NOSIGNAL);
        if (n > 0)
            buf_consume(&p->out, (size_t)n);
    }
    watch_set(p->watch, POLLER_IN | (p->out.length > 0 ? POLLER_OUT : 0));
}

static void on_ready(void *arg, int ready)
{
    struct python *p = arg;

    if (ready & POLLER_OUT)
        send_questions(p);
    if (!(ready & (POLLER_IN | POLLER_HANGUP)))
        return;
    if (buf_reserve(&p->in, READ_SIZE) < 0) {
        give_up(p, "out of memory");
        return;
    }
    ssize_t n = recv(p->fd, p->in.data + p->in.length, READ_SIZE, 0);
    if (n > 0) {
        p->in.length += (size_t)n;
        while (p->watch != NULL && take_answer(p))
            ;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        watch_free(p->watch);
        p->watch = NULL;
        process_expect_end(&p->process);
        if (process_check(&p->process))
            on_exit_of_python(p);
    }
}

static void on_stderr(void *arg, int ready)
{
    struct python *p = arg;

    read_stderr(p);
    if (ready & POLLER_HANGUP) {
        watch_free(p->err_watch);
        p->err_watch = NULL;
    }
}

/* --- asking it ---------------------------------------------------------------------------------
 */

static int start(struct python *p)
{
    int pair[2], err[2];
    pid_t pid;

    if (fd_socketpair(pair, true) < 0)
        return -1;
    if (fd_pipe(err) < 0) {
        fd_close(&pair[0]);
        fd_close(&pair[1]);
        return -1;
    }
    struct spawn s = {p->argv.words[0], p->argv.words, pair[1], pair[1], err[1], NULL, 0};
    int rc = process_spawn(&s, &pid);
    fd_close(&pair[1]);
    fd_close(&err[1]);
    p->fd = pair[0];
    p->err_fd = err[0];
    if (rc < 0)
        return -1;
    p->started = true;
    process_watch(&p->process, &p->router->broker, pid, on_exit_of_python, p);
    p->watch = watch_new(&p->router->broker, p->fd, POLLER_IN, on_ready, p);
    p->err_watch = watch_new(&p->router->broker, p->err_fd, POLLER_IN, on_stderr, p);
    if (p->watch == NULL || p->err_watch == NULL)
        return -1;
    return buf_append(&p->out, p->texts.data, p->texts.length);
}

/* The question is in no list; here it gets into one, or an answer. */
static void ask(struct python *p, struct question *q)
{
    list_append(&p->questions, &q->link);
    if (p->failed || q->asked++ == ASKED_MAX) {
        no_answer(p, q);
        return;
    }
    if (!p->started && start(p) < 0) {
        give_up(p, mito_error());
        return;
    }
    if (p->watch == NULL) /* it is ending: then it is asked again */
        return;
    if (buf_printf(&p->out, "%s\n", q->name) < 0)
        no_answer(p, q);
    else
        send_questions(p);
}

/* Contexts ask for what they like, and the interpreter takes some lines for more than a name. (Of a
 * file it looks at each part.) */
static bool may_be_asked(const char *name)
{
    for (const char *at = name; *at != '\0' && *at != MODULES_FILE_MARK; at++) {
        if (strchr(name_bytes, *at) == NULL && *at != '.' && (unsigned char)*at < 0x80)
            return false;
    }
    return true;
}

static bool provide(struct module_provider *provider, struct mito_router *r, const char *name)
{
    struct python *p = container_of(provider, struct python, provider);
    struct question *q;

    if (p->router != r) /* another process, that was forked; or it is gone */
        return false;
    if (strncmp(name, "mitosis.image.", strlen("mitosis.image.")) == 0 &&
        strchr(name, MODULES_FILE_MARK) == NULL)
        return false;
    q = p->failed || r->ending || !may_be_asked(name) ? NULL : malloc(sizeof *q + strlen(name) + 1);
    if (q == NULL) {
        modules_missing(r, name);
        return true;
    }
    q->asked = 0;
    strcpy(q->name, name);
    ask(p, q);
    return true;
}

/* --- public ------------------------------------------------------------------------------------
 */

/* "module NAME LENGTH", and the text behind that line. */
static int add_text(struct buf *out, const struct mito_python_text *t)
{
    size_t length = t->text != NULL ? strlen(t->text) : 0;

    if (t->name[0] == '\0' || t->name[strspn(t->name, name_bytes)] != '\0' || length > PAYLOAD_MAX)
        return error_set(MITO_E_INVALID, "Python modules: '%s' cannot be served", t->name);
    if (buf_printf(out, "module %s %zu\n", t->name, length) < 0)
        return -1;
    return buf_append(out, t->text, length);
}

static int add_texts(struct buf *out, const struct mito_python_text *texts)
{
    for (; texts != NULL && texts->name != NULL; texts++) {
        if (add_text(out, texts) < 0)
            return -1;
    }
    return 0;
}

/* Lock held. */
static int set_up(struct mito_router *r, const struct mito_python_modules *o)
{
    struct python *p = &python;

    buf_free(&p->texts);
    if (add_texts(&p->texts, o != NULL ? o->texts : NULL) < 0)
        return -1;
    argv_free(&p->argv);
    argv_add(&p->argv, o != NULL && o->python_path != NULL ? o->python_path : "python3");
    argv_add(&p->argv, "-c");
    argv_add(&p->argv, python_modules_text);
    argv_add_list(&p->argv, o != NULL ? o->directories : NULL);
    if (argv_done(&p->argv) < 0) {
        argv_free(&p->argv);
        return -1;
    }
    modules_drop();
    list_init(&p->questions);
    p->failed = false;
    p->deaths = 0;
    p->router = r;
    p->activity.abort = abort_python;
    list_append(&r->activities, &p->activity.link);
    p->provider.provide = provide;
    modules_add_provider(&p->provider);
    return 0;
}

int mito_serve_python(struct mito_router *r, const struct mito_python_modules *options)
{
    int rc;

    if (r == NULL)
        return error_null("router");
    router_lock(r);
    if (r->config.parent_count > 0)
        rc = error_set(MITO_E_INVALID, "Python modules are served by the master alone");
    else if (python.router == r)
        rc = error_set(MITO_E_INVALID, "Python modules are served already");
    else
        rc = set_up(r, options);
    router_unlock(r);
    return rc;
}

static int serve_by_default(struct mito_router *r)
{
    int rc = 0;

    if (r == NULL)
        return error_null("router");
    router_lock(r);
    if (r->config.parent_count == 0 && python.router != r)
        rc = set_up(r, NULL);
    router_unlock(r);
    return rc;
}

struct mito_context *mito_python_(struct mito_router *r, const struct mito_python_options *options)
{
    return serve_by_default(r) < 0 ? NULL : mito_connect_(r, "python", options);
}

int mito_python_async_(struct mito_router *r, struct mito_receiver *rx, void *tag,
                       const struct mito_python_options *options)
{
    return serve_by_default(r) < 0 ? -1 : mito_connect_async_(r, rx, tag, "python", options);
}
