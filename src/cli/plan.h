/* The plan: every context that is to be opened, as a tree. Routes that begin with the same hops
 * share the contexts of those hops. */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli.h"
#include "password.h"
#include "route.h"

struct target;
struct fact;

enum node_state {
    NODE_IDLE,    /* nothing was asked of it */
    NODE_WANTED,  /* to be opened once its parent is up */
    NODE_OPENING, /* under way */
    NODE_UP,
    NODE_FAILED,
    NODE_ENDED, /* was up, and is no longer needed */
};

struct node {
    struct node *parent; /* NULL: the hop starts from here */
    struct node *first_child, *last_child, *next;
    struct node *bucket_next;
    struct hop *hop;
    const char *label; /* what people see; set by plan_set_labels() */
    char *long_label;
    bool is_target;    /* a route of the input ends here */
    size_t index;      /* among targets, in the order of the input */
    size_t unfinished; /* targets here and below that are not done yet */
    enum node_state state;
    struct mito_context *context;
    char *error;           /* when failed */
    int64_t since;         /* when opening it began, ms */
    struct target *target; /* what a run knows of it */
    struct fact *fact;     /* what the tree's picture shows of it */
};

enum {
    LAST_HOPS_MAX = 2,
    DEPTH_MAX = 2 * HOPS_MAX + LAST_HOPS_MAX, /* a prefix, a route behind it, and those */
};

struct plan {
    struct node *first, *last; /* that have no parent */
    struct node **targets;
    size_t target_count, target_capacity;
    struct node **buckets;
    size_t bucket_count, node_count;
    struct node *via;               /* routes start behind it */
    char *last_hops[LAST_HOPS_MAX]; /* routes end with them */
    size_t last_hop_count;
    const char *connect;        /* the socket of a mitosis serve to go through; NULL: none */
    struct passwords passwords; /* what those hops are told that ask */
};

/* The routes that follow start behind this one. To be called at most once, before them. */
int plan_via(struct plan *plan, const char *text, struct complaint *why);
/* The routes that follow get one hop more. To be called before them, at most LAST_HOPS_MAX times.
 */
int plan_end_with(struct plan *plan, const char *hop, struct complaint *why);
/* Adds one route; one that is there already is no error. */
int plan_add(struct plan *plan, const char *text, struct complaint *why);
/* Gives every node the shortest name that tells it from the other targets: the name of its last
 * hop that leads elsewhere than to another account there, else the whole route. */
void plan_set_labels(struct plan *plan);
void plan_free(struct plan *plan);

/* Is there a hop that takes a password: of an account, or else to log in? */
bool plan_asks(const struct plan *plan, bool account);

/* Walks the plan, parents first: the first node for NULL, NULL behind the last. */
struct node *plan_next(const struct plan *plan, const struct node *node);
/* Walks a subtree, parents first: the node behind `node` below `top`, or NULL. */
struct node *node_next(const struct node *top, const struct node *node);

#endif
