/* Reading pickles: a stack machine that can build the values of our table and nothing else.
 *
 * Every byte is hostile. What holds at all times:
 *   - no length is believed before it was compared with what is left of the input;
 *   - every step costs input, and memory in proportion to it: pushes are counted, the memo has no
 *     larger holes than MEMO_SLACK;
 *   - an item is frozen when it goes into a container, and a frozen container does not change, so
 *     no value can come to contain itself, and height and weight of an item are final when its
 *     container adds them up. Sharing cannot multiply: the weight counts shared parts each time. */
#include "wire/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "wire/pickle_opcodes.h"
#include "wire/value_layout.h"

enum {
    MEMO_SLACK = 16,
    IN_PLACE_MIN = 4096,
    FIRST_STACK = 24,
    FIRST_CHUNK = 640,       /* holds all of an ordinary call */
    SHARING_FLOOR = 1 << 20, /* weight that any pickle may reach ... */
    SHARING_FACTOR = 8,      /* ... and beyond it, that many times its length */
};

/* What can be on the stack besides values; from TYPE_GLOBAL on, the globals. */
enum { TYPE_MARK = MITO_SENDER + 1, TYPE_GLOBAL };

/* The globals: the arguments that each takes and what a call makes of them. */
enum { ANY = 255 };
static const struct global {
    const char *name; /* as it stands in the pickle */
    uint8_t count, takes[2], result;
} globals[] = {
    {"mitogen.core\nBlob\n", 1, {MITO_BYTES}, MITO_BLOB},
    {"mitogen.core\nSecret\n", 1, {MITO_STR}, MITO_SECRET},
    {"mitogen.core\nKwargs\n", 1, {MITO_DICT}, MITO_KWARGS},
    {"mitogen.core\n_unpickle_call_error\n", 1, {MITO_STR}, MITO_FAILURE},
    {"mitogen.core\n_unpickle_context\n", 2, {MITO_INT, ANY}, MITO_CONTEXT},
    {"mitogen.core\n_unpickle_sender\n", 2, {MITO_INT, MITO_INT}, MITO_SENDER},
    {"_codecs\nencode\n", 2, {MITO_STR, MITO_STR}, MITO_BYTES},
    {"__builtin__\nbytes\n", 0, {0}, MITO_BYTES},
    {"builtins\nbytes\n", 0, {0}, MITO_BYTES},
};
enum { GLOBAL_COUNT = sizeof(globals) / sizeof(globals[0]) };

/* A constant stands for any number of equal values: they cost no memory. */
static const struct mito_value constants[] = {
    {.weight = 1, .frozen = true, .type = MITO_NONE},
    {.weight = 1, .frozen = true, .type = MITO_BOOL, .truth = false},
    {.weight = 1, .frozen = true, .type = MITO_BOOL, .truth = true},
    {.weight = 1, .frozen = true, .type = MITO_TUPLE, .height = 1},
    {.weight = 1, .frozen = true, .type = TYPE_MARK},
};
enum { CONST_NONE, CONST_FALSE, CONST_TRUE, CONST_TUPLE, CONST_MARK };

enum action {
    PUSH,       /* one of the constants */
    INT,        /* the number */
    LONG,       /* the number says how many bytes */
    DOUBLE,     /* the number's bits */
    TEXT,       /* of a type; the number says how many bytes */
    TUPLE,      /* of so many values */
    TUPLE_MARK, /* of all that is above the mark */
    EMPTY,      /* list or dict */
    ITEM,       /* into a list or dict */
    ITEMS,      /* all that is above the mark */
    PUT,
    PUT_NEXT,
    GET,
    GLOBAL,
    CALL,
    PROTO,
    FRAME,
    STOP,
};

/* The opcodes, the frequent ones first. */
static const struct operation {
    uint8_t opcode;
    uint8_t width; /* of the number that follows */
    uint8_t action;
    uint8_t argument;
} operations[] = {
    {OP_BINUNICODE, 4, TEXT, MITO_STR},
    {OP_BINPUT, 1, PUT, 0},
    {OP_LONG_BINPUT, 4, PUT, 0},
    {OP_BINGET, 1, GET, 0},
    {OP_LONG_BINGET, 4, GET, 0},
    {OP_BININT1, 1, INT, 0},
    {OP_BININT2, 2, INT, 0},
    {OP_BININT, 4, INT, 0},
    {OP_NONE, 0, PUSH, CONST_NONE},
    {OP_TRUE, 0, PUSH, CONST_TRUE},
    {OP_FALSE, 0, PUSH, CONST_FALSE},
    {OP_MARK, 0, PUSH, CONST_MARK},
    {OP_TUPLE1, 0, TUPLE, 1},
    {OP_TUPLE2, 0, TUPLE, 2},
    {OP_TUPLE3, 0, TUPLE, 3},
    {OP_TUPLE, 0, TUPLE_MARK, 0},
    {OP_EMPTY_TUPLE, 0, PUSH, CONST_TUPLE},
    {OP_EMPTY_LIST, 0, EMPTY, MITO_LIST},
    {OP_APPENDS, 0, ITEMS, MITO_LIST},
    {OP_APPEND, 0, ITEM, MITO_LIST},
    {OP_EMPTY_DICT, 0, EMPTY, MITO_DICT},
    {OP_SETITEMS, 0, ITEMS, MITO_DICT},
    {OP_SETITEM, 0, ITEM, MITO_DICT},
    {OP_GLOBAL, 0, GLOBAL, 0},
    {OP_REDUCE, 0, CALL, 0},
    {OP_BINSTRING, 4, TEXT, MITO_BYTES},
    {OP_SHORT_BINSTRING, 1, TEXT, MITO_BYTES},
    {OP_BINFLOAT, 8, DOUBLE, 0},
    {OP_LONG1, 1, LONG, 0},
    {OP_LONG4, 4, LONG, 0},
    {OP_BINBYTES, 4, TEXT, MITO_BYTES},
    {OP_SHORT_BINBYTES, 1, TEXT, MITO_BYTES},
    {OP_BINBYTES8, 8, TEXT, MITO_BYTES},
    {OP_SHORT_BINUNICODE, 1, TEXT, MITO_STR},
    {OP_MEMOIZE, 0, PUT_NEXT, 0},
    {OP_PROTO, 1, PROTO, 0},
    {OP_FRAME, 8, FRAME, 0},
    {OP_STOP, 0, STOP, 0},
};
enum { OPERATION_COUNT = sizeof(operations) / sizeof(operations[0]) };

struct loader {
    const uint8_t *data;
    size_t length, at;
    struct arena *arena;
    const struct mito_value **stack;
    size_t depth, capacity;
    size_t pushes;
    const struct mito_value **memo; /* NULL: nothing was put there */
    size_t memo_size, memo_used;
    uint32_t max_weight;
    bool in_place; /* large bytes stay where they are in the input */
    bool stopped;
    const struct mito_value *first[FIRST_STACK]; /* the stack of most pickles */
};

static int bad(const char *what)
{
    return error_set(MITO_E_MALFORMED, "%s", what);
}

static const uint8_t *take(struct loader *l, uint64_t length)
{
    if (length > l->length - l->at) {
        bad("cut short");
        return NULL;
    }
    const uint8_t *p = l->data + l->at;
    l->at += (size_t)length;
    return p;
}

/* ---- Stack and memo ---- */

/* Doubles an array of values, or more, so that it has room for `need`. `first` is where it may have
 * started, which is not from malloc(). */
static int grow(const struct mito_value ***array, size_t *capacity, size_t need,
                const struct mito_value **first)
{
    if (need <= *capacity)
        return 0;
    size_t larger = *capacity * 2 > need ? *capacity * 2 : need + 16;
    const struct mito_value **p = realloc(*array == first ? NULL : *array, larger * sizeof(*p));
    if (p == NULL)
        return error_nomem();
    if (*array == first && *capacity > 0)
        memcpy(p, first, *capacity * sizeof(*p));
    memset(p + *capacity, 0, (larger - *capacity) * sizeof(*p));
    *array = p;
    *capacity = larger;
    return 0;
}

static int push(struct loader *l, const struct mito_value *v)
{
    if (++l->pushes > VALUE_MAX_WEIGHT)
        return error_set(MITO_E_TOO_LARGE, "more than %d values", VALUE_MAX_WEIGHT);
    if (grow(&l->stack, &l->capacity, l->depth + 1, l->first) < 0)
        return -1;
    l->stack[l->depth++] = v;
    return 0;
}

static int push_constant(struct loader *l, unsigned index)
{
    return push(l, &constants[index]);
}

/* A new value, on the stack already; NULL when out of memory or over the bound. */
static struct mito_value *push_new(struct loader *l)
{
    struct mito_value *v = arena_alloc(l->arena, sizeof(*v));
    if (v == NULL || push(l, v) < 0)
        return NULL;
    *v = (struct mito_value){.weight = 1};
    return v;
}

static int memo_put(struct loader *l, uint64_t index)
{
    if (l->depth == 0 || l->stack[l->depth - 1]->type == TYPE_MARK)
        return bad("nothing to remember");
    if (index > l->memo_used + MEMO_SLACK)
        return bad("memo out of order");
    if (grow(&l->memo, &l->memo_size, (size_t)index + 1, NULL) < 0)
        return -1;
    l->memo_used += l->memo[index] == NULL;
    l->memo[index] = l->stack[l->depth - 1];
    return 0;
}

static int memo_get(struct loader *l, uint64_t index)
{
    if (index >= l->memo_size || l->memo[index] == NULL)
        return bad("not in the memo");
    return push(l, l->memo[index]);
}

/* Where the topmost mark is; the whole stack's depth when there is none. Each step is over a value
 * that the caller then pops. */
static size_t find_mark(const struct loader *l)
{
    for (size_t i = l->depth; i > 0; i--)
        if (l->stack[i - 1]->type == TYPE_MARK)
            return i - 1;
    return l->depth;
}

/* ---- Leaves ---- */

static int load_number(struct loader *l, enum action action, uint64_t x)
{
    struct mito_value *v = push_new(l);
    if (v == NULL)
        return -1;
    if (action == INT) {
        value_fill_int(v, (int64_t)x);
    } else {
        x = __builtin_bswap64(x); /* the one number that stands there big endian */
        v->type = MITO_DOUBLE;
        memcpy(&v->real, &x, sizeof(v->real));
    }
    return 0;
}

static int load_text(struct loader *l, int type, uint64_t length)
{
    const uint8_t *p = take(l, length);
    if (p == NULL)
        return -1;
    if (type == MITO_STR && !text_is_utf8((const char *)p, (size_t)length, true))
        return bad("text that is not UTF-8");
    struct mito_value *v = push_new(l);
    if (v == NULL)
        return -1;
    if (l->in_place && type == MITO_BYTES && length >= IN_PLACE_MIN && length < UINT32_MAX) {
        v->type = MITO_BYTES;
        v->weight = 1 + (uint32_t)length / VALUE_WEIGHT_BYTES;
        v->bytes.data = p;
        v->bytes.length = (uint32_t)length;
        return 0;
    }
    return type == MITO_INT ? value_fill_long(l->arena, v, p, (size_t)length)
                            : value_fill_bytes(l->arena, v, type, p, (size_t)length);
}

/* ---- Containers ---- */

static int load_empty(struct loader *l, int type)
{
    struct mito_value *v = push_new(l);
    if (v == NULL)
        return -1;
    value_fill_container(v, type);
    return 0;
}

/* Adds what is on the stack from `first` up. */
static int add(struct loader *l, struct mito_value *container, size_t first)
{
    if (value_reserve(l->arena, container, l->depth - first) < 0)
        return -1;
    for (size_t i = first; i < l->depth; i++) {
        const struct mito_value *item = l->stack[i];
        if (item->type > MITO_SENDER || item == container)
            return bad("an item that is no value");
        if (container->type == MITO_DICT && (i - first) % 2 == 0 &&
            !value_key_fits(container, item))
            return bad("a key that is no key");
        /* One level more than a tree may have: for a global's arguments, which are not in it. */
        if (value_fits(container, item, VALUE_MAX_DEPTH + 1, l->max_weight) < 0 ||
            value_push(l->arena, container, item) < 0)
            return -1;
        if (!item->frozen) /* then it is none of the constants */
            ((struct mito_value *)(uintptr_t)item)->frozen = true;
    }
    return 0;
}

/* Makes a tuple of what is on the stack from `first` up, in place of what is there from `base`. */
static int load_tuple(struct loader *l, size_t base, size_t first)
{
    struct mito_value *tuple = arena_alloc(l->arena, sizeof(*tuple));
    if (tuple == NULL)
        return -1;
    *tuple = (struct mito_value){.weight = 1};
    value_fill_container(tuple, MITO_TUPLE);
    if (add(l, tuple, first) < 0)
        return -1;
    l->depth = base;
    return push(l, tuple);
}

/* Adds what is on the stack from `first` up to the container at `at`. */
static int extend(struct loader *l, int type, size_t at, size_t first)
{
    struct mito_value *container = (struct mito_value *)(uintptr_t)l->stack[at];
    if (container->type != type || (type == MITO_DICT && (l->depth - first) % 2 != 0))
        return bad("items for something else");
    if (container->frozen)
        return bad("a change of what is inside another value");
    if (add(l, container, first) < 0)
        return -1;
    l->depth = at + 1;
    return 0;
}

/* With the topmost `count` values, or with `marked` those above the mark. */
static int load_container(struct loader *l, enum action action, int argument)
{
    bool marked = action == TUPLE_MARK || action == ITEMS;
    bool tuple = action == TUPLE || action == TUPLE_MARK;
    size_t count = tuple ? (size_t)argument : argument == MITO_DICT ? 2 : 1;
    /* `base` is where what is consumed starts: a mark is, and is no item. */
    size_t base = marked ? find_mark(l) : l->depth - count;
    size_t first = marked ? base + 1 : base;
    if (first > l->depth)
        return bad("too few values");
    if (tuple)
        return load_tuple(l, base, first);
    return base == 0 ? bad("too few values") : extend(l, argument, base - 1, first);
}

/* ---- Globals ---- */

/* The module and the name, a newline behind each, as far as they are there. */
static int unknown_global(const char *name, size_t left)
{
    char copy[80], shown[160];
    size_t length = 0, newlines = 0;
    for (; length < left && length < sizeof(copy); length++) {
        copy[length] = name[length] == '\n' ? '.' : name[length];
        if (name[length] == '\n' && ++newlines == 2)
            break;
    }
    text_escape_to(shown, sizeof(shown), copy, length);
    return error_set(MITO_E_MALFORMED, "the global \"%s\" is not allowed", shown);
}

static int load_global(struct loader *l)
{
    const char *name = (const char *)l->data + l->at;
    size_t left = l->length - l->at;
    for (unsigned i = 0; i < GLOBAL_COUNT; i++) {
        size_t length = strlen(globals[i].name);
        if (length > left || memcmp(globals[i].name, name, length) != 0)
            continue;
        struct mito_value *v = push_new(l);
        if (v == NULL)
            return -1;
        v->type = (uint8_t)(TYPE_GLOBAL + i);
        l->at += length;
        return 0;
    }
    return unknown_global(name, left);
}

/* Python 3 writes bytes as text of the characters 0 to 255. */
static int text_to_bytes(struct loader *l, struct mito_value *v, const struct mito_value *text)
{
    if (value_fill_bytes(l->arena, v, MITO_BYTES, text->bytes.data, text->bytes.length) < 0)
        return -1;
    uint8_t *to = (uint8_t *)(uintptr_t)v->bytes.data;
    const uint8_t *end = to + v->bytes.length;
    for (const uint8_t *from = to; from < end;) {
        uint8_t c = *from++;
        if (c > 0xc3)
            return bad("a character over 255 in bytes");
        if (c >= 0x80)
            c = (uint8_t)(c << 6 | (*from++ & 0x3f));
        *to++ = c;
    }
    *to = '\0';
    v->bytes.length = (uint32_t)(to - v->bytes.data);
    return 0;
}

static bool has_text_keys(const struct mito_value *dict)
{
    for (uint32_t i = 0; i < dict->items.length; i += 2)
        if (dict->items.slots[i]->type != MITO_STR)
            return false;
    return true;
}

static bool is_u32(const struct mito_value *v, uint32_t *out)
{
    int64_t x;
    if (mito_value_int(v, &x) < 0 || x < 0 || x > UINT32_MAX)
        return false;
    *out = (uint32_t)x;
    return true;
}

/* The name of a context, a string or None; false when it is none. */
static bool is_name(const struct mito_value *v, const char **out)
{
    *out = NULL;
    if (v->type != MITO_STR)
        return v->type == MITO_NONE;
    *out = (const char *)v->bytes.data;
    size_t length = v->bytes.length;
    return strlen(*out) == length && text_cut(*out, length, VALUE_MAX_NAME) == length;
}

/* Makes what the call gives of `v`, which starts as a copy of the first argument. */
static int convert(struct loader *l, struct mito_value *v, const struct global *global,
                   const struct mito_value **args)
{
    const char *text = (const char *)v->bytes.data; /* where it is one */
    v->type = global->result;
    switch (global->result) {
    case MITO_KWARGS:
        return has_text_keys(v) ? 0 : bad("a key that is no string");
    case MITO_FAILURE:
        return value_fill_bytes(l->arena, v, MITO_FAILURE, text,
                                text_cut(text, v->bytes.length, VALUE_MAX_FAILURE));
    case MITO_BYTES:
        if (global->count == 0)
            return value_fill_bytes(l->arena, v, MITO_BYTES, NULL, 0);
        if (args[1]->bytes.length != 6 || memcmp(args[1]->bytes.data, "latin1", 6) != 0)
            return bad("bytes in an unknown encoding");
        return text_to_bytes(l, v, args[0]);
    case MITO_CONTEXT:
        v->address.handle = 0;
        v->weight = args[1]->weight;
        if (is_u32(args[0], &v->address.id) && is_name(args[1], &v->address.name))
            return 0;
        return bad("no such context can be");
    case MITO_SENDER:
        if (is_u32(args[0], &v->address.id) && is_u32(args[1], &v->address.handle) &&
            v->address.handle != 0)
            return 0;
        return bad("no such sender can be");
    default: /* a Blob or a Secret differs from bytes or a string in its type alone */
        return 0;
    }
}

static bool takes(const struct global *global, const struct mito_value *args)
{
    if (args->type != MITO_TUPLE || args->items.length != global->count)
        return false;
    for (unsigned i = 0; i < global->count; i++)
        if (global->takes[i] != ANY && args->items.slots[i]->type != global->takes[i])
            return false;
    return true;
}

static int load_call(struct loader *l)
{
    if (l->depth < 2 || l->stack[l->depth - 2]->type < TYPE_GLOBAL)
        return bad("a call of what is no global");
    const struct mito_value *args = l->stack[l->depth - 1];
    const struct global *global = &globals[l->stack[l->depth - 2]->type - TYPE_GLOBAL];
    if (!takes(global, args))
        return bad("a global with wrong arguments");
    l->depth -= 2;
    struct mito_value *v = push_new(l);
    if (v == NULL)
        return -1;
    if (global->count > 0)
        *v = *args->items.slots[0];
    v->frozen = false;
    return convert(l, v, global, args->items.slots);
}

/* ---- The machine ---- */

static int load_stop(struct loader *l)
{
    if (l->depth != 1 || l->stack[0]->type > MITO_SENDER)
        return bad("not one value at the end");
    if (l->stack[0]->height > VALUE_MAX_DEPTH)
        return error_set(MITO_E_TOO_LARGE, "values nested more than %d deep", VALUE_MAX_DEPTH);
    l->stopped = true;
    return 0;
}

static int perform(struct loader *l, const struct operation *op, uint64_t number)
{
    switch ((enum action)op->action) {
    case PUSH:
        return push_constant(l, op->argument);
    case INT:
        if (op->width == 4)
            number = (uint64_t)(int32_t)number;
        /* fall through */
    case DOUBLE:
        return load_number(l, op->action, number);
    case LONG:
        return load_text(l, MITO_INT, number);
    case TEXT:
        return load_text(l, op->argument, number);
    case EMPTY:
        return load_empty(l, op->argument);
    case TUPLE:
    case TUPLE_MARK:
    case ITEM:
    case ITEMS:
        return load_container(l, op->action, op->argument);
    case PUT:
        return memo_put(l, number);
    case PUT_NEXT:
        return memo_put(l, l->memo_used);
    case GET:
        return memo_get(l, number);
    case GLOBAL:
        return load_global(l);
    case CALL:
        return load_call(l);
    case PROTO:
        return number > 5 ? bad("an unknown protocol") : 0;
    case FRAME:
        return number > l->length - l->at ? bad("cut short") : 0;
    case STOP:
        return load_stop(l);
    }
    return -1;
}

static int step(struct loader *l)
{
    const uint8_t *opcode = take(l, 1);
    if (opcode == NULL)
        return -1;
    const struct operation *op = operations;
    while (op->opcode != *opcode)
        if (++op == operations + OPERATION_COUNT)
            return error_set(MITO_E_MALFORMED, "the opcode 0x%02x is not allowed", *opcode);

    uint64_t number = 0;
    const uint8_t *p = take(l, op->width);
    if (p == NULL)
        return -1;
    for (unsigned i = op->width; i > 0; i--)
        number = number << 8 | p[i - 1];
    return perform(l, op, number);
}

static struct mito_value *run(struct loader *l)
{
    while (!l->stopped) {
        size_t at = l->at;
        if (step(l) < 0) {
            error_prefix("pickle, byte %zu", at);
            return NULL;
        }
    }
    /* The tree's root moves to where its arena is found; nothing else points to it any more. */
    struct mito_value *root = &l->arena->root;
    *root = *l->stack[0];
    root->root = true;
    return root;
}

static uint32_t weight_limit(size_t length)
{
    uint64_t limit = SHARING_FLOOR + (uint64_t)length * SHARING_FACTOR;
    if (limit > VALUE_MAX_WEIGHT) /* without sharing a pickle is at least as long as heavy */
        limit = length > VALUE_MAX_WEIGHT ? length : VALUE_MAX_WEIGHT;
    return limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
}

static struct mito_value *load(const uint8_t *data, size_t length, bool in_place, size_t *used)
{
    struct loader l = {.data = data, .length = length, .max_weight = weight_limit(length)};
    size_t chunk = length < 4096 ? length * 4 : 4096 * 4;
    l.in_place = in_place;
    l.stack = l.first;
    l.capacity = FIRST_STACK;
    l.arena = arena_new(length > 16 && chunk < FIRST_CHUNK ? FIRST_CHUNK : chunk);
    if (l.arena == NULL)
        return NULL;
    struct mito_value *root = run(&l);
    if (root == NULL)
        arena_free(l.arena);
    else if (used != NULL)
        *used = l.at;
    if (l.stack != l.first)
        free(l.stack);
    free(l.memo);
    return root;
}

struct mito_value *pickle_load(const uint8_t *data, size_t length, size_t *used)
{
    return load(data, length, false, used);
}

struct mito_value *pickle_load_in_place(const uint8_t *data, size_t length)
{
    return load(data, length, true, NULL);
}
