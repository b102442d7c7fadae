/* Intrusive doubly linked list. A node is in one list at most; a node that is in none is linked to
 * itself. The head is a node of its own. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_append(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
/* Also fine on a node that is in no list. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define list_first(head, type, member) container_of((head)->next, type, member)

/* The body may remove the current node, and nothing else, from the list. */
#define list_each(var, head, member)                                                               \
    for (struct list *at_##var = (head)->next, *next_##var = at_##var->next;                       \
         at_##var != (head) && (var = container_of(at_##var, __typeof__(*var), member), 1);        \
         at_##var = next_##var, next_##var = at_##var->next)

#endif
