#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "hosts.h"
#include "memory.h"

/* Nodes are looked up by parent and key of their hop. The keys are the user's own input. */
static size_t hash(const struct node *parent, const char *key)
{
    uint64_t h = (uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15u;
    for (; *key != '\0'; key++)
        h = (h ^ (uint8_t)*key) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

static struct node *find(const struct plan *plan, const struct node *parent, const char *key)
{
    if (plan->bucket_count == 0)
        return NULL;
    struct node *node = plan->buckets[hash(parent, key) & (plan->bucket_count - 1)];
    while (node != NULL && (node->parent != parent || strcmp(node->hop->key, key) != 0))
        node = node->bucket_next;
    return node;
}

static void put_in_bucket(struct plan *plan, struct node *node)
{
    size_t slot = hash(node->parent, node->hop->key) & (plan->bucket_count - 1);
    node->bucket_next = plan->buckets[slot];
    plan->buckets[slot] = node;
}

struct node *plan_next(const struct plan *plan, const struct node *node)
{
    if (node == NULL)
        return plan->first;
    if (node->first_child != NULL)
        return node->first_child;
    while (node != NULL && node->next == NULL)
        node = node->parent;
    return node != NULL ? node->next : NULL;
}

struct node *node_next(const struct node *top, const struct node *node)
{
    if (node->first_child != NULL)
        return node->first_child;
    while (node != top && node->next == NULL)
        node = node->parent;
    return node != top ? node->next : NULL;
}

static void grow_buckets(struct plan *plan)
{
    if (plan->node_count < plan->bucket_count)
        return;
    plan->bucket_count = plan->bucket_count == 0 ? 64 : plan->bucket_count * 4;
    free(plan->buckets);
    plan->buckets = memory_zeroed(plan->bucket_count, sizeof *plan->buckets);
    for (struct node *node = NULL; (node = plan_next(plan, node)) != NULL;)
        put_in_bucket(plan, node);
}

/* Takes the hop over. */
static struct node *add_node(struct plan *plan, struct node *parent, struct hop *hop)
{
    struct node *node = memory_zeroed(1, sizeof *node);
    struct node **first = parent != NULL ? &parent->first_child : &plan->first;
    struct node **last = parent != NULL ? &parent->last_child : &plan->last;
    node->parent = parent;
    node->hop = hop;
    bool same_host = hop->method->account || hop->method->own;
    node->label = same_host && parent != NULL ? parent->label : hop->name;
    grow_buckets(plan);
    *(*first == NULL ? first : &(*last)->next) = node;
    *last = node;
    put_in_bucket(plan, node);
    plan->node_count++;
    return node;
}

/* Takes the hop over. */
static struct node *add_hop(struct plan *plan, struct node *parent, struct hop *hop)
{
    struct node *node = find(plan, parent, hop->key);
    if (node == NULL)
        return add_node(plan, parent, hop);
    hop_free(hop);
    return node;
}

/* Takes the hops over, the route itself is empty then. */
static struct node *add_route(struct plan *plan, struct node *parent, struct route *route)
{
    for (size_t i = 0; i < route->count; i++)
        parent = add_hop(plan, parent, route->hops[i]);
    route->count = 0;
    return parent;
}

static void add_target(struct plan *plan, struct node *node)
{
    if (node->is_target)
        return;
    plan->targets = memory_grow(plan->targets, plan->target_count, &plan->target_capacity,
                                sizeof *plan->targets);
    node->is_target = true;
    node->index = plan->target_count;
    plan->targets[plan->target_count++] = node;
    for (; node != NULL; node = node->parent)
        node->unfinished++;
}

int plan_via(struct plan *plan, const char *text, struct complaint *why)
{
    struct names names = {0};
    struct route route;
    int result = hosts_expand_list(&names, text, why);
    if (result == 0 && names.count != 1)
        result = complain(why, "--via takes one route, not '%s'", text);
    if (result == 0)
        result = route_parse(&route, names.items[0], why);
    if (result == 0)
        plan->via = add_route(plan, NULL, &route);
    names_free(&names);
    return result;
}

int plan_end_with(struct plan *plan, const char *text, struct complaint *why)
{
    struct hop *hop = hop_parse(text, strlen(text), why);
    if (hop == NULL)
        return -1;
    hop_free(hop);
    plan->last_hops[plan->last_hop_count++] = memory_text(text);
    return 0;
}

int plan_add(struct plan *plan, const char *text, struct complaint *why)
{
    struct route route;
    if (route_parse(&route, text, why) < 0)
        return -1;
    struct node *node = add_route(plan, plan->via, &route);
    for (size_t i = 0; i < plan->last_hop_count; i++) {
        const char *hop = plan->last_hops[i];
        node = add_hop(plan, node, hop_parse(hop, strlen(hop), why));
    }
    add_target(plan, node);
    return 0;
}

bool plan_asks(const struct plan *plan, bool account)
{
    for (struct node *node = NULL; (node = plan_next(plan, node)) != NULL;) {
        const struct method *method = node->hop->method;
        if (method->account == account && method_option_named(method, "password") != NULL)
            return true;
    }
    return false;
}

static char *whole_route(const struct node *node)
{
    struct bytes text = {0};
    const struct node *path[DEPTH_MAX];
    size_t count = 0;
    for (; node != NULL; node = node->parent)
        path[count++] = node;
    while (count > 0) {
        bytes_add_text(&text, path[--count]->hop->key);
        if (count > 0)
            bytes_add_char(&text, '/');
    }
    return bytes_take_text(&text);
}

static int by_label(const void *a, const void *b)
{
    const struct node *const *left = a, *const *right = b;
    return strcmp((*left)->label, (*right)->label);
}

void plan_set_labels(struct plan *plan)
{
    size_t count = plan->target_count;
    struct node **sorted = memory_zeroed(count, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = plan->targets[i];
    qsort(sorted, count, sizeof *sorted, by_label);
    for (size_t at = 0, end = 0; at < count; at = end) {
        for (end = at + 1; end < count && by_label(&sorted[at], &sorted[end]) == 0;)
            end++;
        for (size_t i = at; end - at > 1 && i < end; i++)
            sorted[i]->long_label = whole_route(sorted[i]);
        for (size_t i = at; end - at > 1 && i < end; i++)
            sorted[i]->label = sorted[i]->long_label;
    }
    free(sorted);
}

/* Children move up to the place of the node that goes. Contexts are not touched: the router's end
 * has taken them. */
void plan_free(struct plan *plan)
{
    for (struct node *node = plan->first; node != NULL;) {
        struct node *next = node->next;
        if (node->first_child != NULL) {
            node->last_child->next = next;
            next = node->first_child;
        }
        hop_free(node->hop);
        free(node->long_label);
        free(node->error);
        free(node);
        node = next;
    }
    free(plan->targets);
    free(plan->buckets);
    for (size_t i = 0; i < plan->last_hop_count; i++)
        free(plan->last_hops[i]);
    passwords_wipe(&plan->passwords);
    *plan = (struct plan){0};
}
