#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static int wake[2] = {-1, -1};

static void on_signal(int number)
{
    int saved = errno;
    if (caught != 0)
        _exit(128 + number);
    caught = number;
    ssize_t written = write(wake[1], "", 1);
    (void)written; /* a full pipe is readable too */
    errno = saved;
}

/* A handler, for it is reset in programs that are started, whereas SIG_IGN would be inherited. */
static void on_pipe(int number)
{
    (void)number;
}

int signals_start(struct complaint *why)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction old, action = {.sa_handler = on_signal};
    if (wake[0] >= 0)
        return 0;
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
        return complain(why, "cannot make a pipe: %s", strerror(errno));
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        /* Without SA_RESTART: a write to a terminal that stands still must end. */
        if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(ending[i], &action, NULL);
    }
    action.sa_handler = on_pipe;
    action.sa_flags = SA_RESTART;
    sigaction(SIGPIPE, &action, NULL);
    return 0;
}

int signals_fd(void)
{
    return wake[0];
}

int signals_caught(void)
{
    return caught;
}
