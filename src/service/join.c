/* mito_unix_connect: this program becomes a context of another program's tree. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/format.h"
#include "core/context.h"
#include "io/fd.h"
#include "service/handshake.h"
#include "service/socket_path.h"

enum { TIMEOUT = 10000 }; /* ms, for each step */

struct welcome {
    uint32_t id, listener_id, pid;
};

/* Who listens gets what we send, passwords too. */
static int check_owner(int fd, const char *path)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return error_errno("%s: SO_PEERCRED", path);
    if (peer.uid != geteuid() && peer.uid != 0)
        return error_set(MITO_E_PERMISSION, "%s: the program that listens is another user's (%u)",
                         path, (unsigned)peer.uid);
    return 0;
}

static int shake_hands(int fd, const char *path, struct welcome *out)
{
    uint8_t greeting[GREETING_SIZE], in[WELCOME_SIZE];
    size_t got = 0;

    handshake_put(greeting, (uint32_t)getpid());
    if (send(fd, greeting, sizeof greeting, MSG_NOSIGNAL) != sizeof greeting)
        return error_set(MITO_E_REFUSED, "%s: the listener turned us away", path);
    while (got < sizeof in) {
        ssize_t n = recv(fd, in + got, sizeof in - got, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return error_set(MITO_E_TIMEOUT, "%s: no answer within %d ms", path, TIMEOUT);
        if (n <= 0)
            return error_set(MITO_E_REFUSED, "%s: the listener turned us away, its log may say why",
                             path);
        got += (size_t)n;
    }
    *out = (struct welcome){handshake_get(in), handshake_get(in + 4), handshake_get(in + 8)};
    if (out->id == 0 || out->id == out->listener_id || out->pid == 0 || out->pid > PID_MOST)
        return error_set(MITO_E_GARBAGE, "%s: who listens there is no Mitosis and no Mitogen",
                         path);
    return 0;
}

/* Everything that is not below us was behind the listener. Who waits for it is told; so is who
 * waits for anyone at all, since nobody is left who could send. */
static void fail_all(struct mito_router *r, const struct error *reason)
{
    uint32_t *ids = malloc((r->contexts.count + 1) * sizeof *ids);
    struct map_slot *slot;
    size_t count = 0, at = 0;

    while (ids != NULL && (slot = map_next(&r->contexts, &at)) != NULL) {
        if (slot->key != r->config.id && map_get(&r->routes, slot->key) == NULL)
            ids[count++] = slot->key;
    }
    for (size_t i = 0; i < count; i++)
        context_gone(r, ids[i], reason);
    free(ids);
    router_fail_handles(r, reason->text, false);
}

static void on_broken(struct neighbour *n)
{
    struct mito_router *r = n->router;
    const struct mito_context *c = map_get(&r->contexts, n->id);
    struct error reason;

    error_fill(&reason, MITO_E_DEAD, "the tree is gone: %s %s", c != NULL ? c->name : "its parent",
               n->stream.reason.text);
    neighbour_gone(n, &n->stream.reason);
    fail_all(r, &reason);
}

static const struct neighbour_ops listener_ops = {.broken = on_broken};

static int become_part(struct mito_router *r, const struct welcome *w, int fd,
                       const struct mito_router_options *options)
{
    char name[40];
    int rc = -1;

    format_to(name, sizeof name, "unix_client.%d", (int)getpid());
    router_lock(r);
    if (log_start(r, options) == 0 && context_intern(r, r->config.id, name) != NULL) {
        format_to(name, sizeof name, "unix_listener.%u", w->pid);
        struct mito_context *listener = context_intern(r, w->listener_id, name);
        if (listener != NULL) {
            listener->refs++; /* it stays: who asks for it later hears why it is gone */
            r->parent = neighbour_new(r, w->listener_id, true, fd, fd, &listener_ops, NULL);
        } else {
            close(fd);
        }
        rc = r->parent != NULL ? 0 : -1;
    } else {
        close(fd);
    }
    router_unlock(r);
    return rc;
}

static struct mito_router *join(const char *path, const struct mito_router_options *options)
{
    struct router_config config;
    struct welcome w = {0};
    AUTO_FD fd = -1;

    if (router_config_fill(&config, options) < 0 || (fd = socket_path_connect(path, TIMEOUT)) < 0 ||
        check_owner(fd, path) < 0 || shake_hands(fd, path, &w) < 0 || fd_set_nonblocking(fd) < 0)
        return NULL;
    config.id = w.id;
    config.parent_ids = malloc(sizeof *config.parent_ids);
    if (config.parent_ids == NULL) {
        error_nomem();
        return NULL;
    }
    config.parent_ids[0] = w.listener_id;
    config.parent_count = 1;
    struct mito_router *r = router_create(&config);
    if (r == NULL)
        return NULL;
    int rc = become_part(r, &w, fd, options);
    fd = -1;
    if (rc == 0)
        return r;
    log_stop(r);
    router_destroy(r);
    return NULL;
}

struct mito_router *mito_unix_connect(const char *path, const struct mito_router_options *options)
{
    if (path == NULL) {
        error_set(MITO_E_INVALID, "no path to connect to");
        return NULL;
    }
    if (router_claim_process() < 0)
        return NULL;
    struct mito_router *r = join(path, options);
    if (r == NULL)
        router_release_process();
    return r;
}
