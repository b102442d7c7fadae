/* A child while it is up, and how it is lost: its stream breaks, its process ends, in either order.
 */
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "child/crash.h"
#include "parent/connection_state.h"

enum {
    STATUS_GRACE = 800,   /* ms from the end of the stream until its process has ended */
    PROCESS_GRACE = 5000, /* then it is killed */
    ENDED_GRACE = 1500,   /* from the end of its process until its stream breaks; a busy machine */
    LAST_READS = 16,      /* then, of 64 KiB each */
    DETACH_GRACE = 100,   /* from the answer to DETACHING until the stream is broken */
};

/* Those words do not say the status, which is only known here. */
static bool is_exit(const struct error *words)
{
    return strncmp(words->text, LAST_WORDS_EXIT, strlen(LAST_WORDS_EXIT)) == 0;
}

/* A detached child lives on, when its process is ours to let live: one that only carries its stream
 * (ssh) is ended with the stream, whatever the child said. */
static bool is_let_go(const struct connection *c)
{
    return c->neighbour->detached && c->method->direct;
}

/* Why it was lost, in the best words that there are: its own, if it had the time for some; what its
 * process ended with; what became of its stream. */
static void find_reason(const struct connection *c, struct error *e)
{
    const struct neighbour *n = c->neighbour;
    const struct error *words = routes_last_words(n, n->id);
    bool failed = c->method->direct && process_failed(&c->process);
    char how[100] = "";

    *e = n->stream.reason;
    if (c->process.exited)
        process_describe(c->process.status, how, sizeof how);
    if (n->detached)
        error_fill(e, MITO_E_DEAD, "was detached");
    else if (e->code == MITO_E_DEAD && words != NULL && is_exit(words) && *how != '\0')
        error_fill(e, MITO_E_CRASHED, "%s: %s", words->text, how);
    else if (e->code == MITO_E_DEAD && words != NULL)
        *e = *words;
    else if (e->code == MITO_E_DEAD && *how != '\0')
        error_fill(e, failed ? MITO_E_CRASHED : MITO_E_DEAD, "%s", how);
}

/* Its stream and everything behind it are gone; the process may take a little longer. */
static void lost(void *arg)
{
    struct connection *c = arg;
    struct neighbour *n = c->neighbour;
    struct mito_router *r = c->router;
    bool let_go = is_let_go(c);
    struct error e;

    process_check(&c->process); /* on a busy machine we may be as late as it is */
    find_reason(c, &e);
    timer_cancel(&c->timeout);
    c->neighbour = NULL;
    c->state = GONE;
    if (let_go) {
        c->process.kill_group = false;
        map_set(&r->let_go, (uint32_t)c->process.pid, r);
    } else if ((e.code != MITO_E_DEAD && e.code != MITO_E_CRASHED) || (n->detached && r->ending)) {
        process_kill(&c->process, SIGKILL); /* it broke the rules, or has nothing to clean up */
    }
    list_append(&r->activities, &c->activity.link);
    if (!let_go && !c->process.exited)
        timer_set(&r->broker, &c->kill_timer, clock_ms() + PROCESS_GRACE, connection_kill_now, c);
    if (!r->ending && !n->detached)
        log_locked(r, MITO_DEBUG, "router", "%s (context %u) %s", c->name, c->id, e.text);
    neighbour_gone(n, &e);
    if (c->process.exited || (let_go && r->ending))
        connection_free(c);
}

static void on_stream_broken(struct neighbour *n)
{
    struct connection *c = n->owner;

    if (process_check(&c->process) || n->detached || n->stream.reason.code != MITO_E_DEAD) {
        lost(c);
        return;
    }
    process_expect_end(&c->process);
    timer_set(&c->router->broker, &c->timeout, clock_ms() + STATUS_GRACE, lost, c);
}

static void kill_neighbour(struct neighbour *n)
{
    struct connection *c = n->owner;

    if (!is_let_go(c))
        process_kill(&c->process, SIGKILL);
}

/* Its process may be gone, and another one hold the stream. */
static void abandon_neighbour(struct neighbour *n)
{
    stream_break(&n->stream, MITO_E_DEAD, "did not end, not even by force");
    lost(n->owner);
}

/* Not before the answer is on its way to it. */
static void break_detached(void *arg)
{
    struct connection *c = arg;
    struct stream *s = &c->neighbour->stream;

    if (s->out_bytes > 0 && !s->out_dead)
        timer_set(s->broker, &c->timeout, clock_ms() + DETACH_GRACE, break_detached, c);
    else
        stream_break(s, MITO_E_DEAD, "was detached");
}

static void detached_neighbour(struct neighbour *n)
{
    struct connection *c = n->owner;

    if (!n->stream.broken && !c->timeout.set)
        timer_set(&n->router->broker, &c->timeout, clock_ms() + DETACH_GRACE, break_detached, c);
}

const struct neighbour_ops connection_ops = {.broken = on_stream_broken,
                                             .kill = kill_neighbour,
                                             .abandon = abandon_neighbour,
                                             .detached = detached_neighbour};

/* What it said before its end is there, unless whoever reads in the broker's place is late; others
 * may have the stream, and say more for ever. */
static void stream_must_break(void *arg)
{
    struct connection *c = arg;

    if (c->neighbour == NULL)
        return;
    for (int i = 0; i < LAST_READS; i++)
        stream_read(&c->neighbour->stream);
    stream_break(&c->neighbour->stream, MITO_E_DEAD, "its process has ended");
}

bool connection_shutdown(struct neighbour *n, int timeout)
{
    struct frame f = {.dst_id = n->id, .handle = HANDLE_SHUTDOWN};
    struct connection *c = n->owner;

    if (n->ops != &connection_ops)
        return false;
    router_send(n->router, &f, NULL, 0, false);
    timer_set(&n->router->broker, &c->kill_timer, clock_deadline(timeout < 0 ? 0 : timeout),
              connection_kill_now, c);
    return true;
}

void connection_process_ended(struct connection *c)
{
    if (c->neighbour->stream.broken)
        lost(c);
    else
        timer_set(&c->router->broker, &c->kill_timer, clock_ms() + ENDED_GRACE, stream_must_break,
                  c);
}
