/* What the interpreter says that finds Python modules for the master (python/mitosis/modules.py).
 * However it is cut, it is read in bounded memory; who asked, a child or the master itself, is
 * answered once: with the module, or that there is none; and what Python contexts are started with
 * is understood or refused.
 *
 * The first byte says how the rest is cut. The file that listens is included as it is. */
#include "service/python.c"

#include <sys/ioctl.h>

#include "child/config.h"
#include "core/context.h"
#include "wire/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHILD = 11, WAITS = 5 };

/* The last one is a file of a package, by what it is kept by. */
static const char file_name[] = {'a', MODULES_FILE_MARK, 'b', 0};
static const char *const names[WAITS] = {"a", "a.b", "b", "mitosis.python", file_name};
static const char file_question[] = "\x80\2X\1\0\0\0aX\1\0\0\0b\x86.";

struct answer {
    int calls;
    size_t length; /* of the payload; 0: there is none */
};

static struct {
    struct mito_router *r;
    int child_fd; /* the other end of a child that asks as well */
    struct module_wait waits[WAITS];
} scene;

static void must(bool truth)
{
    if (!truth)
        abort();
}

static void no_log(void *arg, const struct mito_log_record *record)
{
    (void)arg;
    must(strchr(record->text, '\n') == NULL);
}

/* --- who asks ----------------------------------------------------------------------------------
 */

/* What a context is started with: a command line, or an error. */
static void start_with(const struct buf *payload)
{
    const struct mito_python_options options = {.python_path = "python3"};
    const struct child_config config = {.title = "title"};
    struct argv argv = {0};
    AUTO_BUF input = {0};
    struct mito_value *v = pickle_load_in_place(payload->data, payload->length);

    if (v != NULL && method_python.program(&options, &config, v, &argv, &input) == 0)
        must(argv.words[0] != NULL && input.length > 0);
    argv_free(&argv);
    mito_value_free(v);
}

static void on_answer(void *arg, const struct buf *payload)
{
    struct answer *a = arg;

    must(a->calls++ == 0);
    a->length = payload != NULL ? payload->length : 0;
    if (payload != NULL)
        start_with(payload);
}

static void child_asks(uint32_t handle, const void *question, size_t length)
{
    const struct frame f = {.magic = FRAME_LEGACY,
                            .dst_id = scene.r->config.id,
                            .src_id = CHILD,
                            .auth_id = CHILD,
                            .handle = handle,
                            .length = (uint32_t)length};
    struct message *m = message_copy(&f, question);

    must(m != NULL);
    router_route(scene.r, map_get(&scene.r->routes, CHILD), m);
}

/* What came to the child: nothing but modules and files. */
static void child_hears(void)
{
    uint8_t header[FRAME_HEADER_SIZE], rest[4096];
    struct frame f;
    ssize_t n;

    while ((n = recv(scene.child_fd, header, sizeof header, MSG_DONTWAIT)) > 0) {
        must(n == sizeof header && frame_decode(&f, header, sizeof header, UINT32_MAX) == 0);
        must(f.handle == HANDLE_LOAD_MODULE || f.handle == HANDLE_LOAD_RESOURCE);
        must(f.dst_id == CHILD);
        for (size_t left = f.length; left > 0; left -= (size_t)n) {
            n = recv(scene.child_fd, rest, left < sizeof rest ? left : sizeof rest, MSG_DONTWAIT);
            if (n <= 0) /* more than the socket takes: that waits for the broker */
                return;
        }
    }
}

/* --- the interpreter ---------------------------------------------------------------------------
 */

/* As start() leaves it, for a process that has ended already: so nothing is ever killed here. */
static int start_nothing(struct python *p)
{
    int pair[2];

    must(fd_socketpair(pair, true) == 0);
    buf_free(&p->in);
    buf_free(&p->out);
    buf_free(&p->err);
    p->process = (struct process){.pidfd = -1, .exited = true, .broker = &p->router->broker};
    p->started = true;
    p->failed = false;
    p->fd = pair[0];
    p->watch = watch_new(&p->router->broker, p->fd, 0, on_ready, p);
    must(p->watch != NULL);
    modules_drop();
    return pair[1];
}

/* Read here, with the lock held: not by the broker. */
static void listen_to(struct python *p, size_t said)
{
    int waiting = 1;

    while (p->watch != NULL && ioctl(p->fd, FIONREAD, &waiting) == 0 && waiting > 0) {
        on_ready(p, POLLER_IN);
        must(p->in.length <= said);
    }
}

static void run(const uint8_t *data, size_t size, size_t cut, struct answer answers[WAITS])
{
    struct python *p = &python;
    char word[64];

    memset(answers, 0, WAITS * sizeof *answers);
    router_lock(scene.r);
    int other = start_nothing(p);
    for (int i = 0; i < WAITS; i++) {
        scene.waits[i] = (struct module_wait){.ready = on_answer, .arg = &answers[i]};
        must(modules_want(scene.r, names[i], &scene.waits[i]) == 0);
        child_asks(HANDLE_GET_MODULE, names[i], strlen(names[i]));
    }
    child_asks(HANDLE_GET_RESOURCE, file_question, sizeof file_question - 1);
    child_asks(HANDLE_GET_RESOURCE, data, size);
    must(recv(other, word, sizeof word, 0) > 0); /* the questions */
    for (size_t at = 0; at < size && p->watch != NULL; at += cut) {
        size_t piece = size - at < cut ? size - at : cut;
        must(send(other, data + at, piece, MSG_NOSIGNAL) == (ssize_t)piece);
        listen_to(p, at + piece);
    }
    shutdown(other, SHUT_WR);
    if (p->watch != NULL)
        on_ready(p, POLLER_IN);
    else
        on_exit_of_python(p);
    must(!p->started && list_empty(&p->questions) && p->watch == NULL);
    for (int i = 0; i < WAITS; i++)
        must(answers[i].calls == 1);
    router_unlock(scene.r);
    child_hears();
    close(other);
}

static void open_scene(void)
{
    const struct mito_router_options options = {.log = no_log};
    const struct mito_python_modules nothing = {.python_path = "/nonexistent/python3"};
    int pair[2];

    scene.r = mito_router_new(&options);
    must(scene.r != NULL && fd_socketpair(pair, true) == 0);
    scene.child_fd = pair[1];
    router_lock(scene.r);
    must(neighbour_new(scene.r, CHILD, false, pair[0], pair[0], NULL, NULL) != NULL);
    must(context_intern(scene.r, CHILD, NULL) != NULL);
    must(modules_start(scene.r) == 0);
    must(set_up(scene.r, &nothing) == 0); /* none is ever started */
    router_unlock(scene.r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer whole[WAITS], pieces[WAITS];

    if (scene.r == NULL)
        open_scene();
    if (size < 2 || size > 64 * 1024)
        return 0;
    run(data + 1, size - 1, size, whole);
    run(data + 1, size - 1, (size_t)data[0] % 64 + 1, pieces);
    must(memcmp(whole, pieces, sizeof whole) == 0);
    return 0;
}
