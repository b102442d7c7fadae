#include "opening.h"

#include <string.h>

#include "bytes.h"
#include "memory.h"
#include "warm.h"

int opening_start(struct opening *o, struct session *session, struct plan *plan,
                  void (*done)(void *arg, struct node *node), void *arg)
{
    *o = (struct opening){.session = session, .plan = plan, .done = done, .arg = arg};
    o->untried = plan->node_count;
    o->rx = mito_receiver_new(session->router);
    return o->rx == NULL ? -1 : mito_select_add(session->select, o->rx);
}

void opening_stop(struct opening *o)
{
    if (o->rx == NULL)
        return;
    mito_select_remove(o->session->select, o->rx);
    mito_receiver_free(o->rx);
    o->rx = NULL;
    passwords_wipe(&o->plan->passwords);
}

static void tried(struct opening *o)
{
    if (--o->untried == 0)
        passwords_wipe(&o->plan->passwords);
}

/* With the thread's error. */
static void fail(struct opening *o, struct node *node)
{
    struct bytes text = {0};
    bytes_add_text(&text, mito_error());
    if (mito_error_code() == MITO_E_NO_PASSWORD) /* the library speaks of its option */
        bytes_add_text(&text, " (--ask-pass)");
    node->error = bytes_take_text(&text);
    node->state = NODE_FAILED;
    for (struct node *below = node; (below = node_next(node, below)) != NULL;) {
        below->state = NODE_FAILED;
        tried(o);
    }
    o->done(o->arg, node);
}

static void open_node(struct opening *o, struct node *node);

static void came_up(struct opening *o, struct node *node)
{
    node->state = NODE_UP;
    o->done(o->arg, node);
    for (struct node *child = node->first_child; child != NULL; child = child->next) {
        if (child->state == NODE_WANTED && !o->no_more)
            open_node(o, child);
    }
}

/* Behind what; NULL: this process. */
static struct mito_context *via_of(const struct opening *o, const struct node *node)
{
    return node->parent != NULL ? node->parent->context : o->session->server;
}

static void open_node(struct opening *o, struct node *node)
{
    struct mito_context *via = via_of(o, node), *server = o->session->server;
    node->state = NODE_OPENING;
    node->since = now_ms();
    if (server != NULL && !node->hop->method->own)
        node->context = warm_find_context(server, via, node->hop->key);
    if (node->context != NULL) {
        tried(o);
        came_up(o, node);
        return;
    }
    int result = hop_open(node->hop, &o->plan->passwords, o->session->router, o->rx, node, via);
    tried(o);
    if (result < 0)
        fail(o, node);
    else
        o->under_way++;
}

void opening_want(struct opening *o, struct node *node)
{
    if (node->state != NODE_IDLE)
        return;
    node->state = NODE_WANTED;
    if (node->parent == NULL || node->parent->state == NODE_UP)
        open_node(o, node);
    else
        opening_want(o, node->parent);
}

void opening_receive(struct opening *o)
{
    MITO_AUTO_MESSAGE message = mito_receive(o->rx, 0);
    struct node *node = message != NULL ? mito_message_tag(message) : NULL;
    if (node == NULL)
        return; /* nothing of ours: no call was answered */
    o->under_way--;
    if (mito_message_read(message, "c", &node->context) < 0) {
        fail(o, node);
        return;
    }
    if (o->session->server != NULL && !node->hop->method->own)
        warm_keep_context(o->session->server, via_of(o, node), node->hop->key, node->context);
    came_up(o, node);
}
