/* Hash map from 32-bit keys to pointers. Zero-initialised is empty. Not thread-safe.
 * Growth is the only operation that can fail. Keys may come from hostile peers: lookups must stay
 * cheap for any set of keys that a bounded number of insertions can make. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint32_t key;
    void *value; /* NULL: free slot */
};

struct map {
    struct map_slot *slots; /* open addressing, power of two */
    size_t capacity;
    size_t count;
};

void map_free(struct map *m); /* the slots, not what they point to */
void *map_get(const struct map *m, uint32_t key);
int map_set(struct map *m, uint32_t key, void *value); /* value not NULL; 0 or -1 (no memory) */
void *map_remove(struct map *m, uint32_t key);         /* what was there, or NULL */
/* Iteration: start with *at = 0; NULL at the end. The map must not change meanwhile. */
struct map_slot *map_next(const struct map *m, size_t *at);

#endif
