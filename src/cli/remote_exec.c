/* run_command(): runs a command in a context and sends what it writes, as remote.h says. */
#define MITO_MODULE "cli"
#include "remote.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"

enum {
    CHUNK_MAX = 32 << 10,
    REQUESTS_MAX = 64, /* unanswered at any time */
    GIVE_UP_MS = 3000, /* after the order to stop */
    ARGUMENTS_MAX = 1 << 20,
};

struct run {
    struct guard guard;
    struct mito_receiver *flow;
    struct mito_sender *output;
    size_t window;
    size_t unanswered; /* bytes */
    int requests;      /* unanswered, too */
    int64_t total;
    bool stopping;
    int64_t give_up; /* when stopping */
    bool guard_gone;
    bool dry;  /* the guard is gone, and there was nothing more to read */
    bool deaf; /* nobody takes the output any more */
    char *chunk;
};

static int64_t clock_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void free_arguments(char **argv)
{
    for (size_t i = 0; argv != NULL && argv[i] != NULL; i++)
        free(argv[i]);
    free(argv);
}

/* A C string of its own; NULL with the thread's error. */
static char *copy_argument(const struct mito_value *value)
{
    size_t length = 0;
    const void *data = value != NULL ? mito_value_bytes(value, &length) : NULL;
    if (data == NULL || memchr(data, '\0', length) != NULL) {
        mito_fail(NULL, MITO_E_TYPE, "an argument is no bytes, or has a NUL byte");
        return NULL;
    }
    char *text = malloc(length + 1);
    if (text == NULL) {
        mito_fail(NULL, MITO_E_NOMEM, "out of memory");
        return NULL;
    }
    memcpy(text, data, length);
    text[length] = '\0';
    return text;
}

static char **copy_arguments(const struct mito_value *list)
{
    size_t count = mito_value_length(list);
    if (count == 0 || count > ARGUMENTS_MAX) {
        mito_fail(NULL, MITO_E_INVALID, "no command");
        return NULL;
    }
    char **argv = calloc(count + 1, sizeof *argv);
    if (argv == NULL) {
        mito_fail(NULL, MITO_E_NOMEM, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        argv[i] = copy_argument(mito_value_item(list, i));
        if (argv[i] == NULL) {
            free_arguments(argv);
            return NULL;
        }
    }
    return argv;
}

static void stop(struct run *r)
{
    if (r->stopping)
        return;
    r->stopping = true;
    r->give_up = clock_now_ms() + GIVE_UP_MS;
    guard_stop(&r->guard);
}

/* Answers make room in the window; anything else is the order to stop. So is what comes instead of
 * an answer to the first message, which gets none: that who runs the command is gone. -1: output
 * was lost. */
static int receive_flow(struct run *r)
{
    for (;;) {
        MITO_AUTO_MESSAGE message = mito_receive(r->flow, 0);
        if (message == NULL && mito_error_code() == MITO_E_TIMEOUT)
            return 0;
        if (message == NULL) {
            r->deaf = true;
            stop(r);
            return 0;
        }
        size_t length = (size_t)(uintptr_t)mito_message_tag(message);
        if (length == 0) {
            stop(r);
        } else if (mito_message_read(message, "") < 0) {
            return -1;
        } else {
            r->unanswered -= length;
            r->requests--;
        }
    }
}

static size_t room(const struct run *r)
{
    if (r->deaf)
        return CHUNK_MAX;
    if (r->requests >= REQUESTS_MAX || r->unanswered >= r->window)
        return 0;
    size_t left = r->window - r->unanswered;
    return left < CHUNK_MAX ? left : CHUNK_MAX;
}

/* Reads once and passes on what there was. *fd becomes -1 at the end. 1 when there is nothing more
 * to read for now, 0 when there may be. */
static int pass_on(struct run *r, int stream, int *fd)
{
    size_t most = room(r);
    if (*fd < 0)
        return 1;
    if (most == 0)
        return 0;
    ssize_t length = read(*fd, r->chunk, most);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EAGAIN;
    if (length <= 0) {
        close(*fd);
        *fd = -1;
        return 1;
    }
    r->total += length;
    if (r->deaf)
        return 0;
    r->unanswered += (size_t)length;
    r->requests++;
    return mito_request(r->output, r->flow, (void *)(uintptr_t)length, "iy", stream,
                        (const void *)r->chunk, length);
}

/* The command has ended and so has its output. A process that it left in the background and that
 * holds its output open is part of it, unless the command was to stop: then what is there is all.
 */
static bool is_done(const struct run *r)
{
    return r->guard.ended && ((r->guard.out < 0 && r->guard.err < 0) || r->dry);
}

static int wait_for_something(const struct run *r)
{
    short reading = room(r) > 0 ? POLLIN : 0;
    struct pollfd wait[4] = {
        {.fd = r->guard_gone ? -1 : r->guard.line, .events = POLLIN},
        {.fd = r->deaf ? -1 : mito_receiver_fd(r->flow), .events = POLLIN},
        /* Without room a pipe is left out, or its end would be told again and again. */
        {.fd = reading ? r->guard.out : -1, .events = POLLIN},
        {.fd = reading ? r->guard.err : -1, .events = POLLIN},
    };
    int64_t left = r->stopping ? r->give_up - clock_now_ms() : -1;
    int ready = poll(wait, 4, left > 0 || !r->stopping ? (int)left : 0);
    return ready < 0 && errno != EINTR ? -1 : 0;
}

static int serve(struct run *r)
{
    while (!is_done(r)) {
        if (r->stopping && clock_now_ms() >= r->give_up) {
            if (r->guard.ended)
                return 0; /* only nobody takes the rest of its output */
            return mito_fail(NULL, MITO_E_TIMEOUT, "the command could not be killed");
        }
        if (wait_for_something(r) < 0)
            return mito_fail(NULL, MITO_E_SYSTEM, "poll: %s", strerror(errno));
        if (!r->guard_gone && guard_receive(&r->guard) < 0)
            r->guard_gone = true;
        if (r->guard_gone && !r->guard.ended)
            return mito_fail(NULL, MITO_E_SYSTEM, "the process that guards the command died");
        if (!r->deaf && receive_flow(r) < 0)
            return -1;
        int out = pass_on(r, 1, &r->guard.out);
        int err = out < 0 ? -1 : pass_on(r, 2, &r->guard.err);
        if (err < 0)
            return -1;
        r->dry = r->guard_gone && out == 1 && err == 1;
    }
    return 0;
}

static int start_and_serve(struct run *r, char *const *argv, struct mito_call *call)
{
    const char *step = "";
    if (mito_receiver_fd(r->flow) < 0 || mito_request(r->output, r->flow, NULL, "r", r->flow) < 0)
        return -1;
    if (guard_start(&r->guard, argv, &step) < 0)
        return mito_fail(call, MITO_E_SYSTEM, "cannot %s: %s", step, strerror(errno));
    int result = serve(r);
    guard_end(&r->guard);
    if (result < 0)
        return -1;
    int code = WIFEXITED(r->guard.status) ? WEXITSTATUS(r->guard.status) : 0;
    int number = WIFSIGNALED(r->guard.status) ? WTERMSIG(r->guard.status) : 0;
    return mito_return(call, "iii", code, number, r->total);
}

MITO_FUNCTION_FLAGS(run_command, MITO_CONCURRENT)
{
    const struct mito_value *list = NULL;
    struct run r = {.guard = {.out = -1, .err = -1, .line = -1}};
    MITO_AUTO_SENDER output = NULL;
    int64_t window = 0;
    if (mito_args(call, "vri", &list, &output, &window) < 0)
        return -1;
    MITO_AUTO_RECEIVER flow = mito_receiver_new(mito_call_router(call));
    if (flow == NULL)
        return -1;
    char **argv = copy_arguments(list);
    if (argv == NULL)
        return -1;
    r.flow = flow;
    r.output = output;
    r.window = window < WINDOW_MIN ? WINDOW_MIN : window < WINDOW_MAX ? (size_t)window : WINDOW_MAX;
    r.chunk = malloc(CHUNK_MAX);
    int result = r.chunk == NULL ? mito_fail(call, MITO_E_NOMEM, "out of memory")
                                 : start_and_serve(&r, argv, call);
    free(r.chunk);
    free_arguments(argv);
    return result;
}
