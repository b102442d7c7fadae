/* The router: decides for each message whether it is for this context, goes down to a child or up
 * to the parent (wire protocol, "Routing").
 *
 * Everything in core is guarded by the broker's lock of the router ("the lock"). A function named
 * mito_... is public and takes it; every other function here expects it to be held, unless it says
 * otherwise. Callbacks run with the lock held and never block. */
#ifndef CORE_ROUTER_H
#define CORE_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "io/broker.h"
#include "io/stream.h"
#include "mitosis.h"

enum {
    DEFAULT_MESSAGE_SIZE = 128 * 1024 * 1024,
    DEFAULT_QUEUE_LIMIT = 64 * 1024 * 1024,
    SEND_HELP = 256 * 1024,        /* with more than this queued, a sending thread writes itself */
    SEND_HIGH_WATER = 1024 * 1024, /* a sending thread waits while this much is queued */
    SENT_TO_MAX = 65536,           /* ids remembered per neighbour for DEL_ROUTE */
    ROUTES_MAX = 65536,            /* contexts that may be behind one neighbour */
};

/* --- neighbours --------------------------------------------------------------------------------
 */

struct neighbour;

struct id_range {
    uint32_t first, last; /* last is exclusive */
};

/* What the room above does with a neighbour that it started. */
struct neighbour_ops {
    /* The stream broke. Must lead to neighbour_gone() at once or within 100 ms. */
    void (*broken)(struct neighbour *n);
    /* It did not end in time: end it by force; its stream will break. */
    void (*kill)(struct neighbour *n);
    /* That did not help either: must lead to neighbour_gone() at once. */
    void (*abandon)(struct neighbour *n);
    /* It said that it cuts itself loose, and was answered. Should lead to neighbour_gone() soon:
     * what carries its stream (ssh) may not notice that it does not use it any more. */
    void (*detached)(struct neighbour *n);
};

/* Why a context is about to be gone, as a neighbour says: it itself, or a context behind it. */
struct last_words {
    uint32_t id;
    struct error reason;
};

/* The context at the other end of a stream. */
struct neighbour {
    struct list link; /* in the router's list, until it is gone */
    struct mito_router *router;
    struct stream stream;
    uint32_t id;
    bool is_parent;
    bool stamped; /* messages from it act under auth_id `stamp` (unix-socket clients) */
    uint32_t stamp;
    bool unidirectional; /* a child whose subtree may not talk sideways */
    bool detached;       /* it said DETACHING: what happens to it is no concern of ours any more */
    bool gone;
    unsigned refs;            /* whoever leads or waits on its stream; one for the router's list */
    struct account *passing;  /* messages from it that wait in other streams ... */
    struct account *commands; /* ... but those that act for an ancestor of ours */
    struct map sent_to;       /* ids that it ever sent a message to (values: unused) */
    struct id_range *ranges;  /* ids that were handed out to it or to somebody behind it */
    size_t range_count;
    uint32_t id_count;       /* in the ranges */
    struct list id_requests; /* ALLOCATE_ID from there, on its way through us, see ids.c */
    size_t id_request_count;
    size_t route_count;       /* contexts behind it that it announced */
    unsigned long refused;    /* messages dropped for breaking the rules; logged ever more rarely */
    size_t log_bytes;         /* records from there in the master's queue */
    struct last_words *words; /* what it said last about the end of a context; NULL: nothing */
    const struct neighbour_ops *ops;
    void *owner; /* of the room above */
};

/* Takes the descriptors over, also on failure (NULL). The route to its id is set. */
struct neighbour *neighbour_new(struct mito_router *r, uint32_t id, bool is_parent, int in_fd,
                                int out_fd, const struct neighbour_ops *ops, void *owner);
/* Removes it with all routes behind it, tells those who must know, frees it when unreferenced. */
void neighbour_gone(struct neighbour *n, const struct error *reason);
struct neighbour *neighbour_ref(struct neighbour *n);
void neighbour_unref(struct neighbour *n);
/* From now on ids of this range may be announced by it. Bounded: -1 when there are too many. */
int neighbour_own(struct neighbour *n, uint32_t first, uint32_t last);
/* Counts a message that broke the rules. True when that is worth a record: a peer that breaks them
 * can do so a million times a second, so ever more rarely. */
static inline bool neighbour_refused(struct neighbour *n)
{
    n->refused++;
    return (n->refused & (n->refused - 1)) == 0;
}

/* --- handles -----------------------------------------------------------------------------------
 */

enum policy {
    POLICY_ANYONE,
    POLICY_PARENT_AUTHORITY, /* auth_id is mine or an ancestor's */
    POLICY_CHILD,            /* src_id is the direct child that it came from */
    POLICY_NEIGHBOUR,        /* as CHILD, or with parent authority */
};

/* An address inside this context. Embedded in what it delivers to. */
struct handle {
    uint32_t number;
    enum policy policy;
    /* The message is a dead one when m->frame.reply_to is HANDLE_DEAD. `from` is NULL for messages
     * of this context itself. Takes m over. May free the handle. */
    void (*deliver)(struct handle *h, struct neighbour *from, struct message *m);
    void *arg;
    struct mito_context *respondent; /* only it may send here (NULL: anyone) */
    struct list waiting;             /* in the respondent's list */
    bool registered;
};

/* Is it a dead message by which the other end closed on purpose? Its text is empty or, from a
 * Mitogen, always the same. */
bool message_closes(const struct message *m);

/* number 0: a dynamic one that nobody can guess: who was not given a handle has no business sending
 * to it. respondent: when that context is gone, a dead message comes. */
int handle_add(struct mito_router *r, struct handle *h, uint32_t number, enum policy policy,
               struct mito_context *respondent,
               void (*deliver)(struct handle *h, struct neighbour *from, struct message *m),
               void *arg);
void handle_remove(struct mito_router *r, struct handle *h); /* fine when it is not registered */
static inline bool message_is_dead(const struct message *m)
{
    return m->frame.reply_to == HANDLE_DEAD;
}

/* --- the router --------------------------------------------------------------------------------
 */

/* Something under way that the end of the router must cut short (a connection being made). */
struct activity {
    struct list link;
    void (*abort)(struct activity *a); /* removes it, soon */
};

/* What a room above does at the end of the router. */
struct at_end {
    struct list link;
    void (*begins)(struct at_end *e); /* the lock is held; nobody is told yet */
    void (*done)(struct at_end *e);   /* master: everyone is gone; no lock */
};

struct router_config {
    uint32_t id;
    uint32_t *parent_ids; /* nearest first; taken over */
    size_t parent_count;
    uint32_t max_message_size;
    size_t queue_limit;
    bool unidirectional;
    enum mito_level log_level;
    struct netem_config netem;
    struct id_range ids; /* to start with, for children of ours */
};

struct id_allocator {
    uint32_t next, last; /* free: next .. last - 1 */
    struct list waiting; /* of struct id_wait */
    struct handle reply;
    bool asked;
};

struct mito_router {
    struct broker broker;
    struct router_config config;
    struct map routes;   /* id -> struct neighbour; ids that are not in it lead to the parent */
    struct map contexts; /* id -> struct mito_context */
    struct map handles;  /* number -> struct handle */
    uint32_t random[64]; /* drawn ahead, for handle numbers */
    size_t random_left;
    uint32_t sequence; /* handle numbers where there is no getrandom(2) */
    struct list neighbours;
    struct neighbour *parent; /* NULL in the master, and once detached */
    struct list activities;
    struct list at_end;
    struct map let_go; /* pids of children that detached and live on: not ours to end */
    struct id_allocator ids;
    struct handle add_route, del_route, last_words, allocate_id, forward_log, detaching;
    struct log_queue *log; /* master only */
    unsigned long lost_records;
    struct wakeup spare[4]; /* for threads that lead a stream; see receiver.c */
    size_t spare_count;
    bool ending;
    struct timer end_timer;
    void (*on_ended)(void *arg); /* every neighbour below is gone */
    void *on_ended_arg;
    pthread_cond_t ended; /* master: mito_router_free waits for it */
    bool has_ended;
    unsigned visitors; /* threads that ROUTER_IN_USE counts; atomic */
};

/* Makes a router with a running broker. No lock (there is none yet). */
struct mito_router *router_create(const struct router_config *config);
/* A process has one router at most: -1 when it is taken. */
int router_claim_process(void);
void router_release_process(void);
/* The configuration that options and environment ask for. */
int router_config_fill(struct router_config *config, const struct mito_router_options *options);
/* In a process that was just forked, by a thread that has the lock of the router: that one is the
 * other process's. What still uses it here is told that nobody can be reached. */
void router_after_fork(struct mito_router *old);
/* Frees it; everything below is gone, no lock held. */
void router_destroy(struct mito_router *r);
/* For a function that waits without the user's keeping an object of the router for it: what it does
 * until it returns, awake again, happens before the router is freed. Declared first in its scope.
 */
static inline struct mito_router *router_enter(struct mito_router *r)
{
    __atomic_add_fetch(&r->visitors, 1, __ATOMIC_RELAXED);
    return r;
}
static inline void router_leavep(struct mito_router **r)
{
    __atomic_sub_fetch(&(*r)->visitors, 1, __ATOMIC_RELEASE); /* and no look at it after that */
}
#define ROUTER_IN_USE(r)                                                                           \
    __attribute__((cleanup(router_leavep), unused)) struct mito_router *router_in_use =            \
        router_enter(r)
static inline void router_lock(struct mito_router *r)
{
    broker_lock(&r->broker);
}
static inline void router_unlock(struct mito_router *r)
{
    broker_unlock(&r->broker);
}

/* A message that came from a neighbour, or (from NULL) was made here. Takes m over. */
void router_route(struct mito_router *r, struct neighbour *from, struct message *m);
/* Sends from this context under its own authority, without copying when the stream takes it at
 * once. f->src_id, auth_id, magic and length are filled in. `may_wait`: the calling thread (not the
 * broker's) waits while the queue is full, letting the lock go. -1: MITO_E_DEAD with a text that
 * names the context, MITO_E_TOO_LARGE. */
int router_send(struct mito_router *r, struct frame *f, const void *payload, size_t length,
                bool may_wait);
/* The same; a large payload that has to wait is taken out of the buffer instead of copied. */
int router_send_buf(struct mito_router *r, struct frame *f, struct buf *payload, bool may_wait);
/* The same; waits until the deadline (0: not at all), then fails with MITO_E_TIMEOUT. */
int router_send_until(struct mito_router *r, struct frame *f, struct buf *payload,
                      int64_t deadline);
/* Answers "this cannot be delivered", if an answer was asked for. */
void router_reply_dead(struct mito_router *r, const struct frame *to, const char *reason);
/* The neighbour through which messages to that id go; NULL: nowhere. */
struct neighbour *router_next_hop(struct mito_router *r, uint32_t id);
bool router_has_authority(const struct mito_router *r, uint32_t auth_id);

/* Wakes every thread that waits for a message: there will be none. `answers`: also those that wait
 * for one context. */
void router_fail_handles(struct mito_router *r, const char *reason, bool answers);
/* Shuts everything below down: SHUTDOWN now, force after a bound; then calls on_ended. */
void router_end_children(struct mito_router *r, void (*on_ended)(void *arg), void *arg);
void router_check_ended(struct mito_router *r); /* after a neighbour or an activity went */

/* --- routes (routes.c), ids (ids.c) ------------------------------------------------------------
 */

int routes_start(struct mito_router *r); /* registers ADD_ROUTE, DEL_ROUTE, DETACHING */
/* Says up and down that an id is gone, and fails who waits for it. */
void routes_withdraw(struct mito_router *r, uint32_t id, const struct error *reason);
/* What that neighbour said about the coming end of a context; NULL: nothing. */
const struct error *routes_last_words(const struct neighbour *from, uint32_t id);
/* The payload of LAST_WORDS. */
int last_words_encode(struct buf *out, uint32_t id, const struct error *reason);
/* Tells our parent of a new context below us. */
void routes_announce(struct mito_router *r, uint32_t id, const char *name);

struct id_wait {
    struct list link;
    void (*ready)(void *arg, uint32_t id); /* 0: no id could be had */
    void *arg;
};
int ids_start(struct mito_router *r);
/* The next id at once (true), or later through wait->ready. */
bool ids_take(struct mito_router *r, uint32_t *id, struct id_wait *wait);
/* A block of ids to give to a new child of ours; empty when there are none to spare. */
struct id_range ids_spare_block(struct mito_router *r);
/* How many ids may be given to one neighbour and those behind it. */
uint32_t ids_quota(const struct mito_router *r);
/* Notices ALLOCATE_ID requests and their replies that pass through. False: it asks for more than
 * its share, and must not pass. */
bool ids_watch_request(struct mito_router *r, struct neighbour *from, const struct frame *f);
void ids_watch_reply(struct mito_router *r, const struct message *m);
void ids_forget_requests(struct neighbour *n);

/* --- log (log.c) -------------------------------------------------------------------------------
 */

void log_locked(struct mito_router *r, enum mito_level level, const char *logger,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A record that was received or read from our own output: text is not ours. */
void log_text(struct mito_router *r, enum mito_level level, uint32_t id, const char *logger,
              const char *text, size_t length);
int log_start(struct mito_router *r, const struct mito_router_options *options); /* master */
int log_listen(struct mito_router *r); /* master: FORWARD_LOG */
void log_stop(struct mito_router *r);  /* delivers what is left; no lock held */

#endif
