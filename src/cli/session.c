#include "session.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "signals.h"
#include "warm.h"

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void log_record(void *arg, const struct mito_log_record *record)
{
    char line[4096];
    (void)arg;
    mito_log_format(record, line, sizeof line);
    out_log_line(STDERR_FILENO, line);
}

static void raise_file_limit(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit); /* if not, the contexts over the limit fail and say so */
}

static int join(struct session *s, const char *path, struct complaint *why)
{
    s->server = mito_context_parent(s->router);
    return s->server == NULL ? complain(why, "%s", mito_error()) : warm_check(s->server, path, why);
}

int session_start(struct session *s, size_t descriptors, const char *path, struct complaint *why)
{
    /* Arguments of a command are the largest that is sent, and no more is taken from a context. */
    enum { MESSAGE_MAX = 16 << 20 };
    struct mito_router_options options = {.log = log_record, .max_message_size = MESSAGE_MAX};
    const char *level = getenv("MITOSIS_LOG");
    if (level == NULL || *level == '\0') {
        options.log_level = MITO_WARNING;
        options.log_level_set = true;
    }
    *s = (struct session){0};
    if (signals_start(why) < 0)
        return -1;
    raise_file_limit(64 + descriptors);
    s->router = path != NULL ? mito_unix_connect(path, &options) : mito_router_new(&options);
    if (s->router == NULL)
        return complain(why, "%s", mito_error());
    if (path != NULL && join(s, path, why) < 0) {
        session_end(s);
        return -1;
    }
    s->select = mito_select_new(s->router);
    if (s->select == NULL || mito_select_fd(s->select) < 0) {
        complain(why, "%s", mito_error());
        session_end(s);
        return -1;
    }
    return 0;
}

static int time_left(int64_t moment)
{
    if (moment == INT64_MAX)
        return -1;
    int64_t left = moment - now_ms();
    return left <= 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

struct mito_receiver *session_wait(struct session *s, int64_t moment)
{
    struct mito_receiver *rx = mito_select_wait(s->select, 0);
    int left = time_left(moment);
    if (rx != NULL || left == 0)
        return rx;
    struct pollfd wait[2] = {{.fd = mito_select_fd(s->select), .events = POLLIN},
                             {.fd = signals_caught() != 0 ? -1 : signals_fd(), .events = POLLIN}};
    if (poll(wait, 2, left) <= 0)
        return NULL;
    return mito_select_wait(s->select, 0);
}

void session_end(struct session *s)
{
    if (s->select != NULL)
        mito_select_free(s->select);
    mito_context_unref(s->server);
    mito_router_free(s->router);
    warm_forget_all();
    *s = (struct session){0};
}
