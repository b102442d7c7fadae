/* The unix-socket listener (wire protocol, "Unix socket listener"): programs that connect become
 * contexts below this one, with its authority. They are called guests here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/format.h"
#include "base/clock.h"
#include "core/context.h"
#include "io/fd.h"
#include "service/calls.h"
#include "service/handshake.h"
#include "service/socket_path.h"

enum {
    GUESTS = 256,             /* at a time, unless the options say */
    HANDSHAKE_TIMEOUT = 5000, /* ms, likewise */
    REFUSED_SHOWN = 16,       /* connections that were turned away, before only some are */
    ACCEPT_PAUSE = 1000,      /* ms, when there are no descriptors left */
};

struct mito_listener {
    struct at_end at_end;
    struct mito_router *router;
    struct socket_path path;
    int fd;
    struct watch *watch;
    struct timer pause;
    struct list guests;
    size_t count, most;
    int handshake_timeout;
    int64_t idle_since;
    unsigned long refused; /* connections; logged ever more rarely */
};

struct guest {
    struct list link;
    struct mito_listener *listener; /* NULL: freed meanwhile */
    struct mito_router *router;
    int fd;
    struct watch *watch;
    struct timer timeout;
    struct ucred peer;
    uint8_t greeting[GREETING_SIZE];
    size_t got;
    struct id_wait id_wait;
    bool waits_for_id;
    struct neighbour *neighbour;
};

/* --- guests ------------------------------------------------------------------------------------
 */

static void guest_free(struct guest *g)
{
    struct mito_listener *l = g->listener;

    timer_cancel(&g->timeout);
    watch_free(g->watch);
    fd_close(&g->fd);
    if (g->waits_for_id)
        list_remove(&g->id_wait.link);
    list_remove(&g->link);
    if (l != NULL && --l->count == 0)
        l->idle_since = clock_ms();
    free(g);
}

/* A socket that anybody of the same user can connect to is worth a record, not a flood of them. */
__attribute__((format(printf, 2, 3))) static void complain(struct mito_listener *l,
                                                           const char *format, ...)
{
    char text[256];
    va_list ap;

    l->refused++;
    if (l->refused > REFUSED_SHOWN && (l->refused & (l->refused - 1)) != 0)
        return;
    va_start(ap, format);
    format_va(text, sizeof text, format, ap);
    va_end(ap);
    log_locked(l->router, MITO_WARNING, "listener", "%.100s: %s (%lu turned away so far)",
               l->path.text, text, l->refused);
}

static void turn_away(struct guest *g, const char *why)
{
    complain(g->listener, "process %d of user %u: %s", (int)g->peer.pid, (unsigned)g->peer.uid,
             why);
    guest_free(g);
}

static void gone(struct neighbour *n)
{
    struct guest *g = n->owner;

    if (n->stream.reason.code != MITO_E_DEAD)
        log_locked(n->router, MITO_WARNING, "listener", "context %u: %s", n->id,
                   n->stream.reason.text);
    neighbour_gone(n, &n->stream.reason);
    guest_free(g);
}

static void cut_off(struct neighbour *n)
{
    stream_break(&n->stream, MITO_E_DEAD, "was disconnected");
}

static void cut_off_now(struct neighbour *n)
{
    cut_off(n);
    gone(n);
}

static const struct neighbour_ops guest_ops = {
    .broken = gone, .kill = cut_off, .abandon = cut_off_now};

/* With an id: it is answered, and what it says from now on are frames. */
static void welcome(void *arg, uint32_t id)
{
    struct guest *g = arg;
    struct mito_router *r = g->router;
    uint8_t answer[WELCOME_SIZE];
    char name[32];

    g->waits_for_id = false;
    if (id == 0) {
        turn_away(g, "no context ids left");
        return;
    }
    format_to(name, sizeof name, "unix_client.%d", (int)g->peer.pid);
    handshake_put(answer, id);
    handshake_put(answer + 4, r->config.id);
    handshake_put(answer + 8, (uint32_t)getpid());
    watch_free(g->watch);
    g->watch = NULL;
    timer_cancel(&g->timeout);
    if (context_intern(r, id, name) == NULL ||
        send(g->fd, answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) {
        turn_away(g, "it is gone already");
        return;
    }
    int fd = fd_take(&g->fd);
    g->neighbour = neighbour_new(r, id, false, fd, fd, &guest_ops, g);
    if (g->neighbour == NULL) {
        turn_away(g, mito_error());
        return;
    }
    g->neighbour->stamped = true;
    g->neighbour->stamp = r->config.id;
    neighbour_own(g->neighbour, id, id + 1);
    routes_announce(r, id, name);
    log_locked(r, MITO_DEBUG, "listener", "%s is context %u", name, id);
}

static void greeted(struct guest *g)
{
    uint32_t pid = handshake_get(g->greeting), id;

    if (pid == 0 || pid > PID_MOST) {
        turn_away(g, "its first bytes are no process id");
        return;
    }
    if (g->peer.pid <= 0) /* it is in another namespace of processes */
        g->peer.pid = (pid_t)pid;
    watch_set(g->watch, 0); /* until it was answered it has nothing to say */
    g->id_wait = (struct id_wait){.ready = welcome, .arg = g};
    list_init(&g->id_wait.link);
    g->waits_for_id = true;
    if (ids_take(g->router, &id, &g->id_wait))
        welcome(g, id);
}

static void on_readable(void *arg, int ready)
{
    struct guest *g = arg;

    if (g->waits_for_id) { /* a hangup comes unasked */
        turn_away(g, "it left before it was answered");
        return;
    }
    (void)ready;
    ssize_t n = recv(g->fd, g->greeting + g->got, sizeof g->greeting - g->got, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == 0 && g->got == 0) { /* it only looked whether somebody listens */
        guest_free(g);
        return;
    }
    if (n <= 0) {
        turn_away(g, "it left before it said who it is");
        return;
    }
    g->got += (size_t)n;
    if (g->got == sizeof g->greeting)
        greeted(g);
}

static void on_timeout(void *arg)
{
    struct guest *g = arg;

    turn_away(g, g->waits_for_id ? "no context id for it came in time"
                                 : "it did not say in time who it is");
}

/* --- accepting ---------------------------------------------------------------------------------
 */

static bool is_welcome(struct mito_listener *l, int fd, struct ucred *peer)
{
    socklen_t size = sizeof *peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) < 0) {
        complain(l, "cannot tell who connects");
        return false;
    }
    if (peer->uid != geteuid() && peer->uid != 0) {
        complain(l, "process %d is another user's (%u)", (int)peer->pid, (unsigned)peer->uid);
        return false;
    }
    if (l->count >= l->most) {
        complain(l, "%zu are connected already, no more are taken", l->count);
        return false;
    }
    return true;
}

static void admit(struct mito_listener *l, int fd, const struct ucred *peer)
{
    struct guest *g = calloc(1, sizeof *g);

    if (g == NULL) {
        close(fd);
        return;
    }
    *g = (struct guest){.listener = l, .router = l->router, .fd = fd, .peer = *peer};
    list_append(&l->guests, &g->link);
    l->count++;
    g->watch = watch_new(&l->router->broker, fd, POLLER_IN, on_readable, g);
    if (g->watch == NULL) {
        turn_away(g, mito_error());
        return;
    }
    timer_set(&l->router->broker, &g->timeout, clock_ms() + l->handshake_timeout, on_timeout, g);
}

static void resume(void *arg)
{
    struct mito_listener *l = arg;

    watch_set(l->watch, POLLER_IN);
}

static void on_connection(void *arg, int ready)
{
    struct mito_listener *l = arg;
    struct ucred peer = {0};
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)ready;
    if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        complain(l, "accept: %s", strerror(errno));
        watch_set(l->watch, 0);
        timer_set(&l->router->broker, &l->pause, clock_ms() + ACCEPT_PAUSE, resume, l);
    }
    if (fd < 0)
        return;
    if (fd_move_away(&fd) == 0 && is_welcome(l, fd, &peer))
        admit(l, fd, &peer);
    else
        close(fd);
}

/* --- life --------------------------------------------------------------------------------------
 */

/* Takes no more, lets those go that are not in yet, removes the path. */
static void close_listener(struct mito_listener *l)
{
    struct guest *g;

    if (l->fd < 0)
        return;
    watch_free(l->watch);
    timer_cancel(&l->pause);
    fd_close(&l->fd);
    socket_path_remove(&l->path);
    list_each(g, &l->guests, link)
    {
        if (g->neighbour == NULL)
            guest_free(g);
    }
}

static void at_end_begins(struct at_end *e)
{
    close_listener(container_of(e, struct mito_listener, at_end));
}

static void discard(struct mito_listener *l)
{
    struct guest *g;

    list_each(g, &l->guests, link)
    {
        g->listener = NULL;
        list_remove(&g->link);
    }
    list_remove(&l->at_end.link);
    free(l);
}

static void at_end_done(struct at_end *e)
{
    discard(container_of(e, struct mito_listener, at_end));
}

static int start(struct mito_listener *l, const char *path)
{
    l->fd = socket_path_listen(&l->path, path);
    if (l->fd < 0)
        return -1;
    router_lock(l->router);
    int rc = l->router->ending ? error_set(MITO_E_DEAD, "the router is shutting down")
                               : calls_start(l->router);
    if (rc == 0) {
        l->watch = watch_new(&l->router->broker, l->fd, POLLER_IN, on_connection, l);
        rc = l->watch == NULL ? -1 : 0;
    }
    if (rc == 0)
        list_append(&l->router->at_end, &l->at_end.link);
    router_unlock(l->router);
    if (rc < 0) {
        fd_close(&l->fd);
        socket_path_remove(&l->path);
    }
    return rc;
}

struct mito_listener *mito_listen_(struct mito_router *r, const struct mito_listen_options *o)
{
    struct mito_listener *l;

    if (r == NULL || o->path == NULL) {
        r == NULL ? error_null("router") : error_set(MITO_E_INVALID, "no path to listen on");
        return NULL;
    }
    if (o->handshake_timeout < 0) {
        error_set(MITO_E_INVALID, "%s: handshake_timeout is negative", o->path);
        return NULL;
    }
    l = calloc(1, sizeof *l);
    if (l == NULL) {
        error_nomem();
        return NULL;
    }
    l->at_end = (struct at_end){.begins = at_end_begins, .done = at_end_done};
    l->router = r;
    l->most = o->clients > 0 ? o->clients : GUESTS;
    l->handshake_timeout = o->handshake_timeout > 0 ? o->handshake_timeout : HANDSHAKE_TIMEOUT;
    l->idle_since = clock_ms();
    list_init(&l->guests);
    list_init(&l->at_end.link);
    if (start(l, o->path) < 0) {
        free(l);
        return NULL;
    }
    return l;
}

void mito_listener_free(struct mito_listener *l)
{
    if (l == NULL)
        return;
    struct mito_router *r = l->router;
    router_lock(r);
    close_listener(l);
    discard(l);
    router_unlock(r);
}

int64_t mito_listener_idle(struct mito_listener *l)
{
    router_lock(l->router);
    int64_t idle = l->count > 0 ? -1 : clock_ms() - l->idle_since;
    router_unlock(l->router);
    return idle;
}
