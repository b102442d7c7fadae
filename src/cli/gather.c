#include "gather.h"

#include <stdlib.h>
#include <string.h>

#include "hosts.h"
#include "memory.h"

enum { BUCKETS = sizeof(((struct gather *)0)->groups) / sizeof(struct gathered *) };

/* FNV-1a over whole words where it can: only speed depends on it, what is equal is compared. */
static uint64_t hash(const struct bytes *text)
{
    uint64_t h = 0xcbf29ce484222325u ^ text->length;
    size_t at = 0;
    for (; at + 8 <= text->length; at += 8) {
        uint64_t word = 0;
        memcpy(&word, text->data + at, 8);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 29;
    }
    for (; at < text->length; at++)
        h = (h ^ (uint8_t)text->data[at]) * 0x100000001b3u;
    return h ^ h >> 32;
}

static struct gathered *find(struct gather *g, struct bytes *text)
{
    uint64_t h = hash(text);
    struct gathered **slot = &g->groups[h % BUCKETS];
    struct gathered *group = *slot;
    while (group != NULL && (group->hash != h || group->text.length != text->length ||
                             memcmp(group->text.data, text->data, text->length) != 0))
        group = group->next;
    if (group != NULL) {
        bytes_free(text);
        return group;
    }
    group = memory_zeroed(1, sizeof *group);
    group->hash = h;
    group->text = *text;
    group->first = SIZE_MAX;
    group->next = *slot;
    *slot = group;
    g->distinct++;
    *text = (struct bytes){0};
    return group;
}

void gather_add(struct gather *g, const char *host, size_t index, struct bytes *text)
{
    if (text->length == 0)
        return;
    struct gathered *group = find(g, text);
    group->hosts = memory_grow(group->hosts, group->count, &group->capacity, sizeof *group->hosts);
    group->hosts[group->count++] = host;
    group->first = index < group->first ? index : group->first;
}

static int by_first(const void *a, const void *b)
{
    const struct gathered *const *left = a, *const *right = b;
    return (*left)->first < (*right)->first ? -1 : (*left)->first > (*right)->first;
}

void gather_each(const struct gather *g,
                 void (*show)(void *arg, const struct gathered *group, const char *hosts),
                 void *arg)
{
    const struct gathered **all = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct gathered *group = g->groups[i]; group != NULL; group = group->next) {
            all = memory_grow(all, count, &capacity, sizeof *all);
            all[count++] = group;
        }
    }
    if (count > 0)
        qsort(all, count, sizeof *all, by_first);
    for (size_t i = 0; i < count; i++) {
        char *hosts = hosts_fold(all[i]->hosts, all[i]->count);
        show(arg, all[i], hosts);
        free(hosts);
    }
    free(all);
}

void gather_free(struct gather *g)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (g->groups[i] != NULL) {
            struct gathered *group = g->groups[i];
            g->groups[i] = group->next;
            bytes_free(&group->text);
            free(group->hosts);
            free(group);
        }
    }
}
