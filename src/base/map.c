/* Hash map from 32-bit keys to pointers: see map.h.
 *
 * Open addressing with linear probing. Removal shifts later entries back, so that no tombstones
 * pile up however long the map lives. The hash is seeded per process: a peer that chooses the keys
 * cannot choose where they land. */
#include "base/map.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* 0 while not drawn yet. Two threads may draw at once; all use what the first one stored. */
static _Atomic uint64_t seed;

static uint64_t draw_seed(void)
{
    uint64_t drawn = 0, expected = 0;
    if (getrandom(&drawn, sizeof(drawn), GRND_NONBLOCK) != (ssize_t)sizeof(drawn))
        drawn = mix((uint64_t)clock_ns() ^ (uint64_t)getpid() << 40 ^ (uintptr_t)&drawn);
    drawn |= 1;
    return atomic_compare_exchange_strong(&seed, &expected, drawn) ? drawn : expected;
}

static size_t home(const struct map *m, uint32_t key)
{
    uint64_t s = atomic_load_explicit(&seed, memory_order_relaxed);
    if (s == 0)
        s = draw_seed();
    return (size_t)mix(mix(s + key) ^ s) & (m->capacity - 1);
}

/* The slot that holds the key, or the free one where it belongs. */
static struct map_slot *probe(const struct map *m, uint32_t key)
{
    size_t at = home(m, key);
    while (m->slots[at].value != NULL && m->slots[at].key != key)
        at = (at + 1) & (m->capacity - 1);
    return &m->slots[at];
}

void map_free(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}

void *map_get(const struct map *m, uint32_t key)
{
    return m->count == 0 ? NULL : probe(m, key)->value;
}

static int grow(struct map *m)
{
    struct map bigger = {.capacity = m->capacity == 0 ? 16 : m->capacity * 2, .count = m->count};
    bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return error_nomem();
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].value != NULL)
            *probe(&bigger, m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

int map_set(struct map *m, uint32_t key, void *value)
{
    /* At most three quarters full: a free slot ends every probe. */
    if (m->count >= m->capacity / 4 * 3 && map_get(m, key) == NULL && grow(m) < 0)
        return -1;
    struct map_slot *slot = probe(m, key);
    if (slot->value == NULL)
        m->count++;
    *slot = (struct map_slot){.key = key, .value = value};
    return 0;
}

void *map_remove(struct map *m, uint32_t key)
{
    if (m->count == 0)
        return NULL;
    struct map_slot *slot = probe(m, key);
    void *value = slot->value;
    if (value == NULL)
        return NULL;

    /* Every entry behind the hole, up to the next free slot, moves into it unless its home lies
     * between the hole and where it is now. */
    size_t mask = m->capacity - 1, hole = (size_t)(slot - m->slots);
    for (size_t at = (hole + 1) & mask; m->slots[at].value != NULL; at = (at + 1) & mask) {
        size_t distance = (at - home(m, m->slots[at].key)) & mask;
        if (distance >= ((at - hole) & mask)) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole].value = NULL;
    m->count--;
    return value;
}

struct map_slot *map_next(const struct map *m, size_t *at)
{
    while (*at < m->capacity) {
        struct map_slot *slot = &m->slots[(*at)++];
        if (slot->value != NULL)
            return slot;
    }
    return NULL;
}
