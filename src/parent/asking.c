/* A process that may ask for a password: it gets a terminal of its own, since many ask nowhere
 * else, besides standard input and output, through which the bytes of the stream pass unchanged.
 * Lock held throughout.
 *
 * The password is typed once, where it was asked for, and only at a line that is recognized. Once
 * our first stage has spoken nothing is ever typed: what asks then is not the program. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/text.h"
#include "io/fd.h"
#include "parent/connection_state.h"

enum {
    PROMPT_SETTLES = 30, /* ms without a further word, until a line that looks like one is one */
    QUESTION_PATIENCE = 3000, /* ms that an unknown question stands until we give up */
    DESCRIPTORS = 64,         /* ssh has fewer */
};

static const char *password_of(const struct connection *c)
{
    return options_secret(c->method, c->options);
}

void asking_wipe(struct connection *c)
{
    options_wipe(c->method, c->options);
    timer_cancel(&c->ask_timer);
}

int asking_open(struct connection *c)
{
    if (c->method->terminal == TERMINAL_NEVER ||
        (c->method->terminal == TERMINAL_FOR_PASSWORD && password_of(c) == NULL))
        return 0;
    /* Where there are no terminals, it may do without if it need not ask. */
    return pty_open(&c->tty) < 0 && password_of(c) != NULL ? -1 : 0;
}

void asking_close(struct connection *c)
{
    watch_free(c->tty_watch);
    c->tty_watch = NULL;
    timer_cancel(&c->ask_timer);
    pty_close(&c->tty);
}

/* --- answering ---------------------------------------------------------------------------------
 */

static void type(struct connection *c, int fd, const char *text)
{
    struct iovec iov[2] = {{(void *)(uintptr_t)text, strlen(text)}, {(char[]){"\n"}, 1}};
    ssize_t length = (ssize_t)(iov[0].iov_len + 1);

    /* Terminals and sockets take a line in one piece, or not at all. */
    if (writev(fd, iov, 2) != length)
        connection_fail(c, MITO_E_SYSTEM, "cannot type the password: %s", strerror(errno));
}

/* The line that the timer is about, and where an answer to it goes. */
static struct prompt_line *asking_line(struct connection *c, int *fd)
{
    *fd = c->asked_on_tty ? c->tty.fd : c->out_fd;
    return c->asked_on_tty ? &c->tty_line : &c->err_line;
}

static void question_stands(void *arg)
{
    struct connection *c = arg;
    char shown[200];
    int fd;
    const struct prompt_line *l = asking_line(c, &fd);

    text_escape_to(shown, sizeof shown, l->text, l->length);
    connection_fail(c, MITO_E_PERMISSION,
                    "it asks for something else than a password: \"%s\"; use another way to log in",
                    shown);
}

/* Not a script around it. What runs with other rights than ours cannot be looked at. */
static bool is_the_program(const struct connection *c)
{
    char path[64], exe[4096];

    format_to(path, sizeof path, "/proc/%d/exe", (int)c->process.pid);
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    if (n < 0)
        return true;
    exe[n] = '\0';
    const char *slash = strrchr(exe, '/');
    const char *name = slash != NULL ? slash + 1 : exe;
    size_t length = strlen(c->method->name);
    return strcmp(name, "busybox") == 0 ||
           (strncmp(name, c->method->name, length) == 0 &&
            (name[length] == '\0' || name[length] == ' ')); /* " (deleted)" */
}

/* su and sudo ask before they start anything. From then on what asks may be a start-up file of the
 * other account, which has no business with the password. (The children of ssh are its jumps.) */
static bool has_started_something(const struct connection *c)
{
    char path[64], byte;
    int pid = (int)c->process.pid;

    if (c->method->terminal != TERMINAL_ALWAYS || !is_the_program(c))
        return false;
    format_to(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) > 0;
}

/* ssh opens the terminal when it asks, and only then; and so does the ssh of a jump host
 * (ProxyJump) that it has started, for a password that is another one's. */
static bool is_another_asking(const struct connection *c)
{
    char path[64], name[16];
    ssize_t n = 0;

    if (c->method->terminal != TERMINAL_FOR_PASSWORD || !is_the_program(c))
        return false;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        format_to(path, sizeof path, "/proc/%d/fd/%d", (int)c->process.pid, fd);
        n = readlink(path, name, sizeof name);
        if ((n < 0 && fd == 0) || (n >= 8 && memcmp(name, "/dev/tty", 8) == 0))
            return false; /* (or it may not be looked at) */
    }
    return true;
}

static void password_asked(struct connection *c, int fd)
{
    if (c->typed) {
        connection_refused(c);
    } else if (password_of(c) != NULL && is_another_asking(c)) {
        connection_fail(c, MITO_E_PERMISSION,
                        "a jump host asks for a password; give it a key, or make it a context of "
                        "its own (via)");
    } else if (password_of(c) != NULL && has_started_something(c)) {
        connection_fail(c, MITO_E_PERMISSION,
                        "something else than %s asks for a password: a start-up file there?",
                        c->method->name);
    } else if (password_of(c) == NULL) {
        connection_fail(c, MITO_E_NO_PASSWORD,
                        "a password is asked for, and none was given; set password");
    } else {
        c->typed = true;
        type(c, fd, password_of(c));
        asking_wipe(c);
    }
}

static void prompt_stands(void *arg)
{
    struct connection *c = arg;
    int fd;
    struct prompt_line *l = asking_line(c, &fd);
    enum prompt prompt = prompt_recognize(l->text, l->length);

    l->length = 0;
    if (prompt == PROMPT_PASSWORD)
        password_asked(c, fd);
    else if (prompt == PROMPT_PASSPHRASE) /* none: ssh goes on without that key */
        type(c, fd, "");
}

/* Something new came. */
static void look_at(struct connection *c, const struct prompt_line *l)
{
    enum prompt prompt = prompt_recognize(l->text, l->length);
    bool on_tty = l == &c->tty_line;

    if (prompt == PROMPT_NONE && c->ask_timer.set && on_tty != c->asked_on_tty)
        return; /* the question stands on the other one */
    c->asked_on_tty = on_tty;
    timer_cancel(&c->ask_timer);
    switch (prompt) {
    case PROMPT_NONE:
        break;
    case PROMPT_PASSWORD:
    case PROMPT_PASSPHRASE:
        timer_set(&c->router->broker, &c->ask_timer, clock_ms() + PROMPT_SETTLES, prompt_stands, c);
        break;
    case PROMPT_OTHER:
        timer_set(&c->router->broker, &c->ask_timer, clock_ms() + QUESTION_PATIENCE,
                  question_stands, c);
        break;
    }
}

/* --- listening ---------------------------------------------------------------------------------
 */

void asking_on_output(struct connection *c, const char *data, size_t length)
{
    if (!c->method->asks_on_stderr || c->spoke || c->state >= UP || c->fd < 0 || c->process.exited)
        return;
    prompt_line_add(&c->err_line, data, length);
    look_at(c, &c->err_line);
}

static bool read_tty(struct connection *c)
{
    char chunk[1024];
    ssize_t n = c->tty.fd >= 0 ? read(c->tty.fd, chunk, sizeof chunk) : 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        asking_close(c);
        return false;
    }
    connection_keep_said(c, chunk, (size_t)n);
    if (!c->spoke && c->state < UP && !c->process.exited) {
        prompt_line_add(&c->tty_line, chunk, (size_t)n);
        look_at(c, &c->tty_line);
    }
    return true;
}

static void on_tty(void *arg, int ready)
{
    (void)ready;
    read_tty(arg);
}

void asking_drain(struct connection *c)
{
    enum { ROUNDS = 16 };

    for (int i = 0; i < ROUNDS && read_tty(c); i++)
        ;
}

int asking_watch(struct connection *c)
{
    if (c->tty.fd < 0)
        return 0;
    c->tty_watch = watch_new(&c->router->broker, c->tty.fd, POLLER_IN, on_tty, c);
    return c->tty_watch == NULL ? -1 : 0;
}
