/* Values in memory: see value.h and value_layout.h. */
#include "wire/value_layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/list.h"
#include "base/text.h"

/* ---- Arenas ---- */

enum { CHUNK_MIN = 256, CHUNK_MAX = 1 << 16 };

static struct chunk *chunk_new(size_t size)
{
    struct chunk *c = size > SIZE_MAX / 2 ? NULL : malloc(sizeof(*c) + size);
    if (c == NULL) {
        error_nomem();
        return NULL;
    }
    *c = (struct chunk){.size = size};
    return c;
}

struct arena *arena_new(size_t size)
{
    struct chunk *c = chunk_new(sizeof(struct arena) + size);
    if (c == NULL)
        return NULL;
    struct arena *a = (struct arena *)(void *)c->data;
    c->used = sizeof(*a);
    *a = (struct arena){.first = c, .last = c, .open = c, .root = {.root = true, .weight = 1}};
    return a;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2) {
        error_nomem();
        return NULL;
    }
    size = (size + 7) & ~(size_t)7;
    struct chunk *c = a->open;
    if (size > c->size - c->used) {
        size_t next = c->size * 2;
        next = next < CHUNK_MIN ? CHUNK_MIN : next > CHUNK_MAX ? CHUNK_MAX : next;
        c = chunk_new(size > next ? size : next);
        if (c == NULL)
            return NULL;
        a->last->next = c;
        a->last = c;
        if (c->size - size > a->open->size - a->open->used)
            a->open = c;
    }
    void *p = c->data + c->used;
    c->used += size;
    return p;
}

static void arena_release(struct arena *a, bool wipe)
{
    for (struct chunk *c = a->first, *next; c != NULL; c = next) {
        next = c->next;
        if (wipe)
            explicit_bzero(c->data, c->size);
        free(c);
    }
}

void arena_free(struct arena *a)
{
    if (a != NULL)
        arena_release(a, false);
}

/* The arena of a value of the caller's own; NULL for one inside another. */
static struct arena *arena_of(const struct mito_value *v)
{
    return v != NULL && v->root ? container_of((void *)(uintptr_t)v, struct arena, root) : NULL;
}

void mito_value_free(struct mito_value *value)
{
    arena_free(arena_of(value));
}

void value_wipe(struct mito_value *value)
{
    struct arena *a = arena_of(value);
    if (a != NULL)
        arena_release(a, true);
}

/* ---- Filling ---- */

int value_fill_bytes(struct arena *a, struct mito_value *v, int type, const void *data,
                     size_t length)
{
    if (length >= UINT32_MAX)
        return error_set(MITO_E_TOO_LARGE, "%zu bytes in one value", length);
    uint8_t *copy = arena_alloc(a, length + 1);
    if (copy == NULL)
        return -1;
    if (length > 0)
        memcpy(copy, data, length);
    copy[length] = '\0';
    v->type = (uint8_t)type;
    v->weight = 1 + (uint32_t)length / VALUE_WEIGHT_BYTES;
    v->bytes.data = copy;
    v->bytes.length = (uint32_t)length;
    return 0;
}

/* Two's complement without the bytes that only repeat the sign. At least one is left. */
static size_t significant(const uint8_t *bytes, size_t length)
{
    while (length > 1 && bytes[length - 1] == (bytes[length - 2] & 0x80 ? 0xff : 0))
        length--;
    return length;
}

void value_fill_int(struct mito_value *v, int64_t x)
{
    v->type = MITO_INT;
    for (int i = 0; i < 8; i++)
        v->integer.bytes[i] = (uint8_t)((uint64_t)x >> (8 * i));
    v->integer.length = (uint32_t)significant(v->integer.bytes, 8);
}

int value_fill_long(struct arena *a, struct mito_value *v, const uint8_t *bytes, size_t length)
{
    static const uint8_t zero = 0;
    if (length == 0) {
        bytes = &zero;
        length = 1;
    }
    length = significant(bytes, length);
    if (length > sizeof(v->integer.bytes))
        return value_fill_bytes(a, v, MITO_INT, bytes, length);
    memset(v->integer.bytes, bytes[length - 1] & 0x80 ? 0xff : 0, sizeof(v->integer.bytes));
    memcpy(v->integer.bytes, bytes, length);
    v->type = MITO_INT;
    v->integer.length = (uint32_t)length;
    return 0;
}

void value_fill_container(struct mito_value *v, int type)
{
    v->type = (uint8_t)type;
    v->height = 1;
    v->unhashable = type != MITO_TUPLE;
}

int value_reserve(struct arena *a, struct mito_value *container, size_t more)
{
    size_t length = container->items.length, capacity = container->items.capacity;
    if (more <= capacity - length)
        return 0;
    if (more > UINT32_MAX / 2 || length > UINT32_MAX / 2)
        return error_set(MITO_E_TOO_LARGE, "too many items in one value");
    /* Exactly what is asked for the first time; then doubling, for one by one. */
    capacity = length + more > capacity * 2 ? length + more : capacity * 2;
    const struct mito_value **slots = arena_alloc(a, capacity * sizeof(*slots));
    if (slots == NULL)
        return -1;
    if (length > 0)
        memcpy(slots, container->items.slots, length * sizeof(*slots));
    container->items.slots = slots;
    container->items.capacity = (uint32_t)capacity;
    return 0;
}

int value_fits(const struct mito_value *container, const struct mito_value *item,
               unsigned max_height, uint32_t max_weight)
{
    if (item->height + 1u > max_height)
        return error_set(MITO_E_TOO_LARGE, "values nested more than %d deep", VALUE_MAX_DEPTH);
    if ((uint64_t)container->weight + item->weight > max_weight)
        return error_set(MITO_E_TOO_LARGE, "too large a tree of values");
    return 0;
}

int value_push(struct arena *a, struct mito_value *container, const struct mito_value *item)
{
    if (value_reserve(a, container, 1) < 0)
        return -1;
    container->items.slots[container->items.length++] = item;
    container->weight += item->weight;
    if (container->height < item->height + 1)
        container->height = (uint8_t)(item->height + 1);
    container->unhashable |= item->unhashable;
    return 0;
}

bool value_key_fits(const struct mito_value *container, const struct mito_value *key)
{
    return container->type == MITO_KWARGS ? key->type == MITO_STR : !key->unhashable;
}

/* ---- Making ---- */

static struct mito_value *new_root(size_t size)
{
    struct arena *a = arena_new(size);
    return a == NULL ? NULL : &a->root;
}

struct mito_value *mito_value_new_none(void)
{
    return new_root(0); /* MITO_NONE is what zeroed memory says */
}

struct mito_value *mito_value_new_bool(bool x)
{
    struct mito_value *v = new_root(0);
    if (v != NULL) {
        v->type = MITO_BOOL;
        v->truth = x;
    }
    return v;
}

struct mito_value *mito_value_new_int(int64_t x)
{
    struct mito_value *v = new_root(0);
    if (v != NULL)
        value_fill_int(v, x);
    return v;
}

struct mito_value *mito_value_new_double(double x)
{
    struct mito_value *v = new_root(0);
    if (v != NULL) {
        v->type = MITO_DOUBLE;
        v->real = x;
    }
    return v;
}

static struct mito_value *new_bytes(int type, const void *data, size_t length)
{
    if (data == NULL && length > 0) {
        error_set(MITO_E_INVALID, "NULL for %zu bytes", length);
        return NULL;
    }
    struct arena *a = arena_new(length < CHUNK_MAX ? length + 8 : 0);
    if (a != NULL && value_fill_bytes(a, &a->root, type, data, length) < 0) {
        arena_free(a);
        a = NULL;
    }
    return a == NULL ? NULL : &a->root;
}

static struct mito_value *new_text(int type, const char *text, size_t length)
{
    if (text == NULL || !text_is_utf8(text, length, true)) {
        error_set(MITO_E_INVALID, text == NULL ? "NULL for text" : "text that is not UTF-8");
        return NULL;
    }
    return new_bytes(type, text, length);
}

struct mito_value *mito_value_new_str(const char *text, size_t length)
{
    return new_text(MITO_STR, text, length);
}

struct mito_value *mito_value_new_bytes(const void *data, size_t length)
{
    return new_bytes(MITO_BYTES, data, length);
}

struct mito_value *value_new_blob(const void *data, size_t length)
{
    return new_bytes(MITO_BLOB, data, length);
}

struct mito_value *value_new_secret(const char *text, size_t length)
{
    return new_text(MITO_SECRET, text, length);
}

struct mito_value *value_new_failure(const char *text, size_t length)
{
    return new_text(MITO_FAILURE, text, length);
}

struct mito_value *value_new_long(const uint8_t *bytes, size_t length)
{
    struct arena *a = arena_new(length < CHUNK_MAX ? length + 8 : 0);
    if (a != NULL && value_fill_long(a, &a->root, bytes, length) < 0) {
        arena_free(a);
        a = NULL;
    }
    return a == NULL ? NULL : &a->root;
}

struct mito_value *value_new_context(uint32_t id, const char *name)
{
    struct mito_value *v =
        new_text(MITO_STR, name != NULL ? name : "",
                 name != NULL ? text_cut(name, strlen(name), VALUE_MAX_NAME) : 0);
    if (v == NULL)
        return NULL;
    const char *copy = (const char *)v->bytes.data;
    v->type = MITO_CONTEXT;
    v->address.id = id;
    v->address.handle = 0;
    v->address.name = name != NULL ? copy : NULL;
    return v;
}

struct mito_value *value_new_sender(uint32_t context_id, uint32_t handle)
{
    if (handle == 0) {
        error_set(MITO_E_INVALID, "a sender to handle 0");
        return NULL;
    }
    struct mito_value *v = new_root(0);
    if (v != NULL) {
        v->type = MITO_SENDER;
        v->address.id = context_id;
        v->address.handle = handle;
    }
    return v;
}

static struct mito_value *new_container(int type)
{
    struct mito_value *v = new_root(0);
    if (v != NULL)
        value_fill_container(v, type);
    return v;
}

struct mito_value *mito_value_new_list(void)
{
    return new_container(MITO_LIST);
}

struct mito_value *mito_value_new_dict(void)
{
    return new_container(MITO_DICT);
}

struct mito_value *value_new_tuple(void)
{
    return new_container(MITO_TUPLE);
}

struct mito_value *value_new_kwargs(void)
{
    return new_container(MITO_KWARGS);
}

/* ---- Building ---- */

/* Gives a root that fits to a container: from here on its arena is the container's. */
static int give(struct mito_value *container, struct mito_value *item)
{
    struct arena *a = arena_of(container), *b = arena_of(item);
    if (value_push(a, container, item) < 0)
        return -1;
    item->root = false;
    a->last->next = b->first;
    a->last = b->last;
    return 0;
}

/* A NULL item is most often a maker that had no memory: then that stays the error. */
static int check_item(const struct mito_value *container, const struct mito_value *item)
{
    if (item == NULL && mito_error_code() == MITO_E_NOMEM)
        return -1;
    if (item == NULL || !item->root || item == container)
        return error_set(MITO_E_INVALID, "not a value of one's own to give away");
    return 0;
}

int mito_value_append(struct mito_value *list, struct mito_value *item)
{
    int result = check_item(list, item);
    if (result == 0 && (list == NULL || (list->type != MITO_LIST && list->type != MITO_TUPLE)))
        result = value_wrong_type(MITO_LIST, '\0', list);
    if (result == 0 && !list->root)
        result = error_set(MITO_E_INVALID, "a value inside another cannot change");
    if (result == 0)
        result = value_fits(list, item, VALUE_MAX_DEPTH, UINT32_MAX);
    if (result == 0)
        result = give(list, item);
    if (result < 0 && item != list)
        mito_value_free(item);
    return result;
}

int mito_value_set(struct mito_value *dict, struct mito_value *key, struct mito_value *item)
{
    int result = key != item ? check_item(dict, key) : error_set(MITO_E_INVALID, "key and item");
    if (result == 0)
        result = check_item(dict, item);
    if (result == 0 && (dict == NULL || !value_is_pairs(dict)))
        result = value_wrong_type(MITO_DICT, '\0', dict);
    if (result == 0 && !dict->root)
        result = error_set(MITO_E_INVALID, "a value inside another cannot change");
    if (result == 0 && !value_key_fits(dict, key))
        result = error_set(MITO_E_TYPE, "%s as a key", value_type_name(key));
    if (result == 0)
        result = value_fits(dict, key, VALUE_MAX_DEPTH, UINT32_MAX);
    if (result == 0)
        result = value_fits(dict, item, VALUE_MAX_DEPTH, UINT32_MAX - key->weight);
    if (result == 0)
        result = value_reserve(arena_of(dict), dict, 2);
    if (result == 0) { /* nothing can fail any more: never a key without its item */
        give(dict, key);
        return give(dict, item);
    }
    if (key != dict && key != item)
        mito_value_free(key);
    if (item != dict)
        mito_value_free(item);
    return result;
}

/* ---- Copying ---- */

/* Copies what `v` points to into the arena; `v` starts as a plain copy of the struct. */
static int copy_inside(struct arena *a, struct mito_value *v)
{
    if (value_is_container(v)) {
        const struct mito_value **from = v->items.slots;
        uint32_t length = v->items.length;
        v->items.length = v->items.capacity = 0;
        if (value_reserve(a, v, length) < 0)
            return -1;
        for (; v->items.length < length; v->items.length++) {
            struct mito_value *item = arena_alloc(a, sizeof(*item));
            if (item == NULL)
                return -1;
            *item = *from[v->items.length];
            v->items.slots[v->items.length] = item;
            if (copy_inside(a, item) < 0)
                return -1;
        }
        return 0;
    }
    switch (v->type) {
    case MITO_INT:
        if (v->integer.length <= sizeof(v->integer.bytes))
            return 0;
        /* fall through */
    case MITO_STR:
    case MITO_BYTES:
    case MITO_BLOB:
    case MITO_SECRET:
    case MITO_FAILURE:
        return value_fill_bytes(a, v, v->type, v->bytes.data, v->bytes.length);
    case MITO_CONTEXT:
        if (v->address.name != NULL) {
            size_t size = strlen(v->address.name) + 1;
            char *name = arena_alloc(a, size);
            if (name == NULL)
                return -1;
            v->address.name = memcpy(name, v->address.name, size);
        }
        return 0;
    default:
        return 0;
    }
}

struct mito_value *mito_value_copy(const struct mito_value *value)
{
    if (value == NULL) {
        value_missing();
        return NULL;
    }
    struct mito_value *copy = new_root(0);
    if (copy == NULL)
        return NULL;
    *copy = *value;
    copy->root = true;
    if (copy_inside(arena_of(copy), copy) < 0) {
        mito_value_free(copy);
        return NULL;
    }
    return copy;
}
