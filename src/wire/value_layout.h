/* What struct mito_value looks like inside: for value.c and pickle.c alone. */
#ifndef WIRE_VALUE_LAYOUT_H
#define WIRE_VALUE_LAYOUT_H

#include "wire/value.h"

/* Memory in chunks, released together. Chunks of two arenas join in constant time. */
struct chunk {
    struct chunk *next;
    size_t used, size;
    uint8_t data[] __attribute__((aligned(8)));
};

/* Kept small: a message may consist of nothing but values of one byte each. */
struct mito_value {
    uint8_t type;        /* enum mito_type; pickle.c has some of its own behind those */
    uint8_t height;      /* containers above the deepest leaf, this one included */
    bool root : 1;       /* the one value of its arena that the owner holds, and can change */
    bool frozen : 1;     /* of a pickle that is being read: inside a container, cannot change */
    bool unhashable : 1; /* is, or is a tuple with, a list or dict: Python has no such keys */
    uint32_t weight;
    union {
        bool truth;
        double real;
        struct {
            uint32_t length;
            uint8_t bytes[8]; /* an INT that fits is here, little endian */
        } integer;
        struct {
            uint32_t length;
            const uint8_t *data; /* text with a NUL behind it; also INTs of more than 8 bytes */
        } bytes;
        struct {
            uint32_t length, capacity;       /* in slots: a dict has two per pair */
            const struct mito_value **slots; /* key, value, key, value ... in a dict */
        } items;
        struct {
            uint32_t id, handle;
            const char *name;
        } address;
    };
};

/* The root is part of its arena, so that having the one is having the other. */
struct arena {
    struct chunk *first, *last; /* `first` is the one that holds this struct */
    struct chunk *open;         /* where there may be room */
    struct mito_value root;
};

/* Makes an arena with a chunk of about `size` bytes; NULL when out of memory. */
struct arena *arena_new(size_t size);
void *arena_alloc(struct arena *a, size_t size);
void arena_free(struct arena *a); /* NULL is allowed */

/* Fills `v`; text and bytes are copied into the arena. `v` is in that arena or its root. */
int value_fill_bytes(struct arena *a, struct mito_value *v, int type, const void *data,
                     size_t length);
void value_fill_int(struct mito_value *v, int64_t x);
int value_fill_long(struct arena *a, struct mito_value *v, const uint8_t *bytes, size_t length);

/* May the item go into the container? E_TOO_LARGE when its height or weight would pass these. */
int value_fits(const struct mito_value *container, const struct mito_value *item,
               unsigned max_height, uint32_t max_weight);
/* Adds an item that fits. The item must not change from then on. */
int value_push(struct arena *a, struct mito_value *container, const struct mito_value *item);
/* Room for that many more slots. */
int value_reserve(struct arena *a, struct mito_value *container, size_t more);
/* Makes `v` an empty container. */
void value_fill_container(struct mito_value *v, int type);
/* May this be a key there? Python could not read what has a list as a key. */
bool value_key_fits(const struct mito_value *container, const struct mito_value *key);

static inline bool value_is_container(const struct mito_value *v)
{
    return (v->type >= MITO_TUPLE && v->type <= MITO_DICT) || v->type == MITO_KWARGS;
}
static inline bool value_is_pairs(const struct mito_value *v)
{
    return v->type == MITO_DICT || v->type == MITO_KWARGS;
}

/* "a string", "an integer" ... for an error text; NULL is "nothing". */
const char *value_type_name(const struct mito_value *v);
/* E_TYPE: "expected <type> (letter), got <what v is>"; without a letter when that is NUL. */
int value_wrong_type(int type, char letter, const struct mito_value *v);
/* E_TYPE for NULL in place of a value. */
int value_missing(void);

/* A value of one of the types with text or bytes, as a part of a pickle. */
int pickle_typed(struct buf *out, int type, const void *data, size_t length);
/* What opens, or closes, a container of that type. */
int pickle_bracket(struct buf *out, int type, bool open);

#endif
