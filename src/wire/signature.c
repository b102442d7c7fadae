/* Signatures: see signature.h. */
#include "wire/signature.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "wire/pickle.h"
#include "wire/value_layout.h"

enum {
    MAX_NESTING = 16,
};

/* ---- The grammar ---- */

/* The letters, and the type of value that each stands for ('v' for any). */
static const char letters[] = "nbidsyBScrtv([{";
static const uint8_t types[] = {
    MITO_NONE,   MITO_BOOL, MITO_INT,    MITO_DOUBLE,  MITO_STR,
    MITO_BYTES,  MITO_BLOB, MITO_SECRET, MITO_CONTEXT, MITO_SENDER,
    MITO_SENDER, MITO_NONE, MITO_TUPLE,  MITO_LIST,    MITO_DICT,
};
_Static_assert(sizeof(letters) - 1 == sizeof(types), "one type per letter");

static int type_of(char letter)
{
    return types[strchr(letters, letter) - letters];
}

static char closing(char open)
{
    return open == '(' ? ')' : open == '[' ? ']' : open == '{' ? '}' : '\0';
}

static bool is_closing(char letter)
{
    return letter == ')' || letter == ']' || letter == '}';
}

/* How many values stand from here up to the end, or to the bracket that closes this level. */
static size_t count_values(const char *p)
{
    size_t count = 0, level = 0;
    for (; *p != '\0'; p++) {
        if (is_closing(*p)) {
            if (level-- == 0)
                break;
            continue;
        }
        count += level == 0;
        level += closing(*p) != '\0';
    }
    return count;
}

/* What is wrong with the signature, or NULL. */
static const char *check(const char *p)
{
    char close[MAX_NESTING + 1] = ""; /* what closes each level that is open */
    size_t level = 0, length = 0;

    for (; *p != '\0'; p++) {
        if (++length > SIGNATURE_MAX)
            return "too long";
        if (strchr(letters, *p) == NULL && !is_closing(*p))
            return "unknown letter";
        if (is_closing(*p)) {
            if (close[level] != *p)
                return "brackets do not match";
            level--;
        } else if (closing(*p) != '\0') {
            if (level == MAX_NESTING)
                return "too deeply nested";
            if (*p == '{' && count_values(p + 1) % 2 != 0)
                return "a key without a value";
            close[++level] = closing(*p);
        }
    }
    return level > 0 ? "brackets do not match" : NULL;
}

int signature_check(const char *signature, size_t *count)
{
    if (signature == NULL)
        return error_set(MITO_E_INVALID, "no signature given");
    const char *wrong = check(signature);
    if (wrong != NULL)
        return error_set(MITO_E_INVALID, "signature \"%.64s\": %s", signature, wrong);
    if (count != NULL)
        *count = count_values(signature);
    return 0;
}

/* ---- Arguments ---- */

__attribute__((noinline)) static void *next_pointer(struct arguments *args)
{
    return (void *)(uintptr_t)va_arg(args->ap, const void *);
}

__attribute__((noinline)) static int64_t next_int(struct arguments *args)
{
    return va_arg(args->ap, int64_t);
}

static int no_hooks(void)
{
    return error_set(MITO_E_INVALID, "contexts and senders mean nothing here");
}

/* ---- In ---- */

static int pack_bytes(struct buf *out, int type, struct arguments *args)
{
    const void *data = next_pointer(args);
    bool text = type == MITO_STR || type == MITO_SECRET;
    if (text && data == NULL)
        return pickle_none(out);
    int64_t length = text ? (int64_t)strlen(data) : next_int(args);
    if (length < 0 || (uint64_t)length > SIZE_MAX || (data == NULL && length > 0))
        return error_set(MITO_E_INVALID, "a wrong length of bytes");
    return pickle_typed(out, type, data, (size_t)length);
}

static int pack_object(struct buf *out, char letter, const void *object,
                       const struct signature_hooks *hooks)
{
    struct address address = {0};
    if (object == NULL)
        return error_set(MITO_E_INVALID, "NULL");
    if (letter == 'v')
        return pickle_value(out, object);
    if (hooks == NULL)
        return no_hooks();
    if (hooks->address_of(hooks->arg, letter, object, &address) < 0)
        return -1;
    return letter == 'c' ? pickle_context(out, address.context_id, address.name)
                         : pickle_sender(out, address.context_id, address.handle);
}

static int pack_letter(struct buf *out, char letter, struct arguments *args,
                       const struct signature_hooks *hooks)
{
    switch (letter) {
    case 'n':
        return pickle_none(out);
    case 'b':
        return pickle_bool(out, next_int(args) != 0);
    case 'i':
        return pickle_int(out, next_int(args));
    case 'd':
        return pickle_double(out, va_arg(args->ap, double));
    case 's':
    case 'S':
    case 'y':
    case 'B':
        return pack_bytes(out, type_of(letter), args);
    case '(':
    case '[':
    case '{':
        return pickle_bracket(out, type_of(letter), true);
    case ')':
        return pickle_bracket(out, MITO_TUPLE, false);
    case ']':
        return pickle_bracket(out, MITO_LIST, false);
    case '}':
        return pickle_bracket(out, MITO_DICT, false);
    default:
        return pack_object(out, letter, next_pointer(args), hooks);
    }
}

/* The letters one after the other; brackets nest by themselves. */
static int pack_letters(struct buf *out, const char *signature, const char *noun,
                        struct arguments *args, const struct signature_hooks *hooks)
{
    size_t position = 0;
    for (const char *p = signature; *p != '\0'; p++) {
        position += closing(*p) == '\0' && !is_closing(*p);
        if (pack_letter(out, *p, args, hooks) < 0)
            return error_prefix("%s %zu (%c)", noun, position, *p);
    }
    return 0;
}

int signature_pack(struct buf *out, const char *signature, bool as_tuple, struct arguments *args,
                   const struct signature_hooks *hooks)
{
    size_t count, before = out->length;
    if (signature_check(signature, &count) < 0)
        return -1;
    if (count == 0 && !as_tuple)
        return pickle_none(out);
    bool tuple = as_tuple || count > 1;
    if ((tuple && pickle_tuple_open(out) < 0) ||
        pack_letters(out, signature, as_tuple ? "argument" : "value", args, hooks) < 0 ||
        (tuple && pickle_tuple_close(out) < 0)) {
        out->length = before;
        return -1;
    }
    return 0;
}

/* In turn a name and a value. */
static bool are_pairs(const char *p)
{
    for (; *p != '\0'; p++) {
        if (*p != 's')
            return false;
        size_t level = 0;
        do { /* over the value, which may be in brackets */
            if (*++p == '\0')
                return false;
            level += closing(*p) != '\0';
            level -= is_closing(*p);
        } while (level > 0);
    }
    return true;
}

int signature_pack_keywords(struct buf *out, const char *signature, struct arguments *args,
                            const struct signature_hooks *hooks)
{
    size_t before = out->length;
    if (signature_check(signature, NULL) < 0)
        return -1;
    if (!are_pairs(signature))
        return error_set(MITO_E_INVALID, "signature \"|%.64s\": keywords are names and values",
                         signature);
    if (pickle_kwargs_open(out) < 0 || pack_letters(out, signature, "keyword", args, hooks) < 0 ||
        pickle_kwargs_close(out) < 0) {
        out->length = before;
        return -1;
    }
    return 0;
}

/* ---- Out ---- */

/* What is read, held back until all of it is. */
struct result {
    void *to;        /* may be NULL */
    size_t *to_size; /* of y and B; may be NULL */
    char letter;
    bool owned; /* `pointer` is to be released when the read fails */
    union {
        bool truth;
        int64_t integer;
        double real;
        const void *pointer;
    };
    size_t size;
};

struct reader {
    const char *at; /* in the signature */
    enum signature_ownership ownership;
    struct arguments *args;
    const struct signature_hooks *hooks;
    struct result results[SIGNATURE_MAX];
    size_t count;
};

static int read_bytes(struct result *out, const struct mito_value *v)
{
    if (v->type == MITO_NONE)
        return 0; /* NULL */
    out->pointer = v->bytes.data;
    out->size = v->bytes.length;
    if ((out->letter == 's' || out->letter == 'S') && strlen(out->pointer) != out->size)
        return error_set(MITO_E_RANGE, "a string with a NUL byte in it");
    return 0;
}

static int read_object(const struct reader *r, struct result *out, const struct mito_value *v)
{
    struct address address = {v->address.id, v->address.handle, v->address.name};
    if (out->letter == 'r')
        out->letter = 't'; /* a receiver arrives as its sender */
    if (out->to == NULL)
        return 0;
    if (r->hooks == NULL)
        return no_hooks();
    out->pointer = r->hooks->object_of(r->hooks->arg, out->letter, &address);
    out->owned = out->pointer != NULL;
    return out->owned ? 0 : -1;
}

/* Puts a copy of its own in place of what was borrowed. */
static int own(struct result *out)
{
    if (out->letter == 'v') {
        out->pointer = mito_value_copy(out->pointer);
    } else {
        char *copy = malloc(out->size + 1);
        if (copy != NULL) {
            memcpy(copy, out->pointer, out->size);
            copy[out->size] = '\0';
        } else {
            error_nomem();
        }
        out->pointer = copy;
    }
    out->owned = out->pointer != NULL;
    return out->owned ? 0 : -1;
}

static int read_content(const struct reader *r, struct result *out, const struct mito_value *v)
{
    switch (out->letter) {
    case 'b':
        return mito_value_bool(v, &out->truth);
    case 'i':
        return mito_value_int(v, &out->integer);
    case 'd':
        return mito_value_double(v, &out->real);
    case 'c':
    case 'r':
    case 't':
        return read_object(r, out, v);
    case 'v':
        out->pointer = v;
        break;
    default:
        if (read_bytes(out, v) < 0)
            return -1;
    }
    bool copied = r->ownership == SIGNATURE_COPY && out->to != NULL && out->pointer != NULL;
    return copied ? own(out) : 0;
}

static int read_items(struct reader *r, const struct mito_value *v, const char *noun);

static int read_value(struct reader *r, const struct mito_value *v)
{
    char letter = *r->at++;
    if (letter == '{')
        return error_set(MITO_E_INVALID, "a dict is read with v");
    bool bracket = letter == '(' || letter == '[';
    bool nullable = letter == 's' || letter == 'S';
    if (letter != 'v' && v->type != type_of(letter) && !(nullable && v->type == MITO_NONE))
        return value_wrong_type(type_of(letter), bracket ? '\0' : letter, v);
    if (letter == 'n')
        return 0;
    if (bracket) {
        int result = read_items(r, v, "item");
        r->at++; /* the closing bracket */
        return result;
    }
    struct result *out = &r->results[r->count];
    *out = (struct result){.letter = letter, .to = next_pointer(r->args)};
    if (letter == 'y' || letter == 'B')
        out->to_size = next_pointer(r->args);
    if (read_content(r, out, v) < 0)
        return -1;
    r->count++;
    return 0;
}

static int read_items(struct reader *r, const struct mito_value *v, const char *noun)
{
    size_t count = count_values(r->at);
    if (v->items.length != count)
        return error_set(MITO_E_TYPE, "expected %zu %s%s, got %lu", count, noun,
                         count == 1 ? "" : "s", (unsigned long)v->items.length);
    for (size_t i = 0; i < count; i++)
        if (read_value(r, v->items.slots[i]) < 0)
            return error_prefix("%s %zu", noun, i + 1);
    return 0;
}

static int read_all(struct reader *r, const struct mito_value *v, size_t count, bool as_tuple)
{
    if (as_tuple || count > 1) {
        if (v->type != MITO_TUPLE && v->type != MITO_LIST)
            return value_wrong_type(MITO_TUPLE, '\0', v);
        return read_items(r, v, as_tuple ? "argument" : "value");
    }
    if (count == 1)
        return read_value(r, v);
    return v->type == MITO_NONE ? 0 : value_wrong_type(MITO_NONE, '\0', v);
}

static void release(const struct reader *r)
{
    struct error e;
    error_get(&e); /* the hook may leave another one behind */
    for (const struct result *result = r->results; result < r->results + r->count; result++) {
        void *pointer = (void *)(uintptr_t)result->pointer;
        if (!result->owned)
            continue;
        if (result->letter == 'c' || result->letter == 't')
            r->hooks->release(r->hooks->arg, result->letter, pointer);
        else if (result->letter == 'v')
            mito_value_free(pointer);
        else
            free(pointer);
    }
    error_put(&e);
}

static void deliver(const struct result *result)
{
    if (result->to_size != NULL)
        *result->to_size = result->size;
    if (result->to == NULL)
        return;
    if (result->letter == 'b')
        *(bool *)result->to = result->truth;
    else if (result->letter == 'i')
        *(int64_t *)result->to = result->integer;
    else if (result->letter == 'd')
        *(double *)result->to = result->real;
    else
        *(const void **)result->to = result->pointer;
}

int signature_unpack(const struct mito_value *value, const char *signature, bool as_tuple,
                     enum signature_ownership ownership, struct arguments *args,
                     const struct signature_hooks *hooks)
{
    struct reader r;
    size_t count;
    if (signature_check(signature, &count) < 0)
        return -1;
    if (value == NULL)
        return value_missing();
    r.at = signature;
    r.ownership = ownership;
    r.args = args;
    r.hooks = hooks;
    r.count = 0;
    if (read_all(&r, value, count, as_tuple) < 0) {
        release(&r);
        return -1;
    }
    for (size_t i = 0; i < r.count; i++)
        deliver(&r.results[i]);
    return 0;
}
