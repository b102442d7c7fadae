/* mitosis tree: opens contexts, asks each what it is, and draws them. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "cli.h"
#include "host_options.h"
#include "memory.h"
#include "opening.h"
#include "out.h"
#include "picture.h"
#include "printable.h"
#include "remote.h"
#include "session.h"
#include "signals.h"

enum {
    PATIENCE_MS = 30000, /* for the next answer, while no context is being opened */
    OPENING_MAX = 64,    /* contexts at a time */
    CONTEXTS_MAX = 1000, /* they are all open at once */
};

/* What is known of one context. */
struct fact {
    struct node *node;
    char *user, *host, *machine;
    int64_t pid;
    int64_t asked_us, round_trip_us;
    bool described;
    bool settled; /* nothing more will come: it answered, or `error` says why not */
    char *error;
};

struct tree {
    struct plan *plan;
    struct session session;
    struct opening opening;
    struct mito_receiver *answers;
    struct fact *facts;
    size_t unsettled;
    int64_t patience; /* until this moment, ms */
    bool failed;
};

/* ------------------------------------------------------------------------------------------- */
/* Asking                                                                                        */
/* ------------------------------------------------------------------------------------------- */

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void settle(struct tree *tree, struct fact *fact, const char *error)
{
    if (fact->settled)
        return;
    fact->settled = true;
    tree->unsettled--;
    if (error == NULL)
        return;
    fact->error = memory_text(error);
    tree->failed = true;
}

static void on_opened(void *arg, struct node *node)
{
    struct tree *tree = arg;
    tree->patience = now_ms() + PATIENCE_MS;
    if (node->state == NODE_UP) {
        if (mito_call_async(node->context, &describe, tree->answers, node->fact, "") < 0)
            settle(tree, node->fact, mito_error());
        return;
    }
    settle(tree, node->fact, node->error);
    for (struct node *below = node; (below = node_next(node, below)) != NULL;)
        settle(tree, below->fact, "not reached");
}

static int read_description(struct fact *fact, struct mito_message *message)
{
    const char *user = NULL, *host = NULL, *machine = NULL;
    if (mito_message_read(message, "siss", &user, &fact->pid, &host, &machine) < 0)
        return -1;
    fact->user = memory_text(user != NULL ? user : "?");
    fact->host = memory_text(host != NULL ? host : "?");
    fact->machine = memory_text(machine != NULL ? machine : "?");
    fact->described = true;
    return 0;
}

/* The first answer is the description, the second one to an empty call, whose time is taken. */
static int take_answer(struct tree *tree, struct fact *fact, struct mito_message *message)
{
    if (fact->described) {
        fact->round_trip_us = now_us() - fact->asked_us;
        if (mito_message_read(message, "") < 0)
            return -1;
        settle(tree, fact, NULL);
        return 0;
    }
    if (read_description(fact, message) < 0)
        return -1;
    fact->asked_us = now_us();
    return mito_call_async(fact->node->context, &ping, tree->answers, fact, "");
}

static void receive_answer(struct tree *tree)
{
    MITO_AUTO_MESSAGE message = mito_receive(tree->answers, 0);
    struct fact *fact = message != NULL ? mito_message_tag(message) : NULL;
    if (fact == NULL || fact->settled)
        return;
    tree->patience = now_ms() + PATIENCE_MS;
    if (take_answer(tree, fact, message) < 0)
        settle(tree, fact, mito_error());
}

/* Opening ends by itself: every method has its time-out. */
static void give_up_waiting(struct tree *tree)
{
    tree->patience = now_ms() + PATIENCE_MS;
    if (tree->opening.under_way > 0)
        return;
    for (size_t i = 0; i < tree->plan->node_count; i++)
        settle(tree, &tree->facts[i], "does not answer");
}

static void ask_all(struct tree *tree)
{
    size_t next = 0;
    tree->patience = now_ms() + PATIENCE_MS;
    while (tree->unsettled > 0 && signals_caught() == 0) {
        while (next < tree->plan->target_count && tree->opening.under_way < OPENING_MAX)
            opening_want(&tree->opening, tree->plan->targets[next++]);
        struct mito_receiver *rx = session_wait(&tree->session, tree->patience);
        if (rx == tree->answers)
            receive_answer(tree);
        else if (rx != NULL)
            opening_receive(&tree->opening);
        else if (now_ms() >= tree->patience)
            give_up_waiting(tree);
    }
}

/* ------------------------------------------------------------------------------------------- */
/* Drawing                                                                                       */
/* ------------------------------------------------------------------------------------------- */

static void draw_number(const struct picture *p, struct picture_row *row, size_t column, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, n);
    picture_text(p, row, column, text);
}

static void draw_who(const struct picture *p, struct picture_row *row, const char *user,
                     const char *host, int64_t pid, const char *machine)
{
    picture_text(p, row, 3, user);
    picture_text(p, row, 3, "@");
    picture_text(p, row, 3, host);
    draw_number(p, row, 4, pid);
    picture_text(p, row, 5, machine);
}

static void draw_master(struct picture *p)
{
    struct self self;
    struct picture_row *row = picture_add(p, NULL, 0);
    picture_text(p, row, 0, "master");
    draw_number(p, row, 1, 0);
    if (self_describe(&self) == 0)
        draw_who(p, row, self.user, self.host, getpid(), self.machine);
}

/* A new row that begins with the branches of the tree and the hop, without its options. */
static struct picture_row *draw_hop(struct picture *p, const struct node *node)
{
    bool last[DEPTH_MAX];
    size_t depth = 0;
    for (const struct node *up = node; up != NULL; up = up->parent)
        depth++;
    size_t at = depth;
    for (const struct node *up = node; up != NULL; up = up->parent)
        last[--at] = up->next == NULL;
    struct picture_row *row = picture_add(p, last, depth);
    char *hop = memory_printf("%s:%s", node->hop->method->name, node->hop->name);
    picture_text(p, row, 0, hop);
    free(hop);
    return row;
}

static void draw_node(struct picture *p, const struct node *node)
{
    const struct fact *fact = node->fact;
    struct picture_row *row = draw_hop(p, node);
    char time[32];
    if (fact->error != NULL) {
        row->note = memory_text(fact->error);
        return;
    }
    draw_number(p, row, 1, mito_context_id(node->context));
    picture_text(p, row, 2, mito_context_name(node->context));
    draw_who(p, row, fact->user, fact->host, fact->pid, fact->machine);
    snprintf(time, sizeof time, "%" PRId64 ".%02" PRId64 " ms", fact->round_trip_us / 1000,
             fact->round_trip_us % 1000 / 10);
    picture_text(p, row, 6, time);
}

static void draw(const struct tree *tree)
{
    static const char *const titles[PICTURE_COLUMNS] = {"CONTEXT", "ID",      "NAME",      "WHO",
                                                        "PID",     "MACHINE", "ROUND TRIP"};
    struct picture picture = {.utf8 = locale_is_utf8()};
    struct out out;
    struct picture_row *row = picture_add(&picture, NULL, 0);
    for (size_t i = 0; i < PICTURE_COLUMNS; i++)
        picture_text(&picture, row, i, titles[i]);
    draw_master(&picture);
    for (struct node *node = NULL; (node = plan_next(tree->plan, node)) != NULL;)
        draw_node(&picture, node);
    out_open(&out, STDOUT_FILENO);
    picture_print(&picture, &out.pending);
    out_close(&out);
    picture_free(&picture);
}

/* ------------------------------------------------------------------------------------------- */
/* All of it                                                                                     */
/* ------------------------------------------------------------------------------------------- */

static void make_facts(struct tree *tree)
{
    struct fact *fact = tree->facts = memory_zeroed(tree->plan->node_count, sizeof *fact);
    for (struct node *node = NULL; (node = plan_next(tree->plan, node)) != NULL; fact++) {
        fact->node = node;
        node->fact = fact;
    }
    tree->unsettled = tree->plan->node_count;
}

static void free_facts(struct tree *tree)
{
    for (size_t i = 0; i < tree->plan->node_count; i++) {
        struct fact *fact = &tree->facts[i];
        free(fact->user);
        free(fact->host);
        free(fact->machine);
        free(fact->error);
    }
    free(tree->facts);
}

static int show(struct plan *plan)
{
    enum { DESCRIPTORS = 8 }; /* of one context that is being opened, at most */
    struct tree tree = {.plan = plan};
    struct complaint why;
    if (session_start(&tree.session, plan->node_count * DESCRIPTORS, plan->connect, &why) < 0) {
        print_error("%s", why.text);
        return STATUS_UNREACHABLE;
    }
    make_facts(&tree);
    tree.answers = mito_receiver_new(tree.session.router);
    if (tree.answers == NULL || mito_select_add(tree.session.select, tree.answers) < 0 ||
        opening_start(&tree.opening, &tree.session, plan, on_opened, &tree) < 0) {
        print_error("%s", mito_error());
        tree.failed = true;
    } else {
        ask_all(&tree);
        if (signals_caught() == 0)
            draw(&tree);
    }
    opening_stop(&tree.opening);
    if (tree.answers != NULL) {
        mito_select_remove(tree.session.select, tree.answers);
        mito_receiver_free(tree.answers);
    }
    session_end(&tree.session);
    free_facts(&tree);
    if (signals_caught() != 0)
        return 128 + signals_caught();
    return tree.failed ? STATUS_UNREACHABLE : STATUS_OK;
}

/* 0 to go on, 1 when help was asked for, -1 with a complaint. */
static int read_arguments(struct plan *plan, int argc, char **argv, struct complaint *why)
{
    static const struct option long_options[] = {HOST_LONG_OPTIONS, {0}};
    struct host_options hosts = {.via = NULL};
    int option = 0, result = 0;
    opterr = 0;
    while (result == 0 &&
           (option = getopt_long(argc, argv, "+:" HOST_SHORT_OPTIONS, long_options, NULL)) != -1)
        result = option == 'h' ? 1 : host_options_take(&hosts, option, argv, why);
    for (int i = optind; result == 0 && i < argc; i++)
        result = hosts_expand_list(&hosts.routes, argv[i], why);
    if (result == 0)
        result = host_options_plan(&hosts, NULL, plan, why);
    names_free(&hosts.routes);
    if (result == 0 && plan->target_count == 0)
        result = complain(why, "no routes");
    if (result == 0 && plan->node_count > CONTEXTS_MAX)
        result = complain(why, "more than %d contexts", CONTEXTS_MAX);
    return result == 0 ? host_options_ask(&hosts, plan, why) : result;
}

static int run(const struct subcommand *self, int argc, char **argv)
{
    struct plan plan = {.first = NULL};
    struct complaint why;
    int result = read_arguments(&plan, argc, argv, &why);
    int status = result < 0   ? host_options_refused(&why)
                 : result > 0 ? print_help(self)
                              : show(&plan);
    plan_free(&plan);
    return status;
}

const struct subcommand cmd_tree = {
    .name = "tree",
    .summary = "open contexts and draw them as a tree",
    .help =
        "usage: mitosis tree [-H LIST]... [-f FILE]... [--local N] [--via ROUTE] [--sudo[=USER]]\n"
        "                    [--ask-pass] [--ask-ssh-pass] [--connect PATH] [ROUTE]...\n"
        "\n"
        "Opens the contexts of the routes and shows who and where they are, and how long an\n"
        "empty call takes. Routes and options are those of mitosis run.\n"
        "\n"
        "Exit status: 0 all answered, 2 bad usage, 3 a context was not reached.\n",
    .run = run,
};
