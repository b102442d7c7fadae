/* Writing pickles, protocol 2, such that Python 2 and 3 read them. No memo: nothing is shared. */
#include "wire/pickle.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "wire/pickle_opcodes.h"
#include "wire/value_layout.h"

static int put_le(struct buf *out, uint8_t opcode, uint64_t x, size_t width)
{
    uint8_t bytes[9] = {opcode};
    for (size_t i = 0; i < width; i++)
        bytes[i + 1] = (uint8_t)(x >> (8 * i));
    return buf_append(out, bytes, width + 1);
}

static int put_sized(struct buf *out, uint8_t opcode, size_t width, const void *data, size_t length)
{
    if (length > UINT32_MAX)
        return error_set(MITO_E_TOO_LARGE, "%zu bytes in one value", length);
    size_t before = out->length;
    if (put_le(out, opcode, length, width) < 0)
        return -1;
    if (buf_append(out, data, length) < 0) {
        out->length = before;
        return -1;
    }
    return 0;
}

/* A part that is itself made of parts: all or none of it. */
static int undo(struct buf *out, size_t before, int result)
{
    if (result < 0)
        out->length = before;
    return result;
}

static const char reduce_1[] = {(char)OP_TUPLE1, OP_REDUCE};

int pickle_begin(struct buf *out)
{
    return put_le(out, OP_PROTO, 2, 1);
}

int pickle_end(struct buf *out)
{
    return buf_byte(out, OP_STOP);
}

int pickle_none(struct buf *out)
{
    return buf_byte(out, OP_NONE);
}

int pickle_bool(struct buf *out, bool x)
{
    return buf_byte(out, x ? OP_TRUE : OP_FALSE);
}

static int put_long(struct buf *out, const uint8_t *bytes, size_t length)
{
    return length < 256 ? put_sized(out, OP_LONG1, 1, bytes, length)
                        : put_sized(out, OP_LONG4, 4, bytes, length);
}

int pickle_int(struct buf *out, int64_t x)
{
    uint8_t opcode;
    size_t width;
    if (x >= 0 && x <= UINT8_MAX) {
        opcode = OP_BININT1;
        width = 1;
    } else if (x >= 0 && x <= UINT16_MAX) {
        opcode = OP_BININT2;
        width = 2;
    } else if (x >= INT32_MIN && x <= INT32_MAX) {
        opcode = OP_BININT;
        width = 4;
    } else {
        struct mito_value v;
        value_fill_int(&v, x);
        return put_long(out, v.integer.bytes, v.integer.length);
    }
    return put_le(out, opcode, (uint64_t)x, width);
}

int pickle_double(struct buf *out, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return put_le(out, OP_BINFLOAT, __builtin_bswap64(bits), 8);
}

static int open_global(struct buf *out, const char *name)
{
    return buf_printf(out, "cmitogen.core\n%s\n", name);
}

static int put_bytes(struct buf *out, const void *data, size_t length)
{
    if (length <= UINT8_MAX)
        return put_sized(out, OP_SHORT_BINSTRING, 1, data, length);
    /* The length after BINSTRING is signed for Python; what is longer only Python 3 reads. */
    return put_sized(out, length <= INT32_MAX ? OP_BINSTRING : OP_BINBYTES, 4, data, length);
}

static int put_text(struct buf *out, const char *text, size_t length)
{
    if (!text_is_utf8(text, length, true))
        return error_set(MITO_E_INVALID, "text that is not UTF-8");
    return put_sized(out, OP_BINUNICODE, 4, text, length);
}

int pickle_typed(struct buf *out, int type, const void *data, size_t length)
{
    size_t before = out->length;
    const char *global = type == MITO_BLOB      ? "Blob"
                         : type == MITO_SECRET  ? "Secret"
                         : type == MITO_FAILURE ? "_unpickle_call_error"
                                                : NULL;
    if (type == MITO_FAILURE)
        length = text_cut(data, length, VALUE_MAX_FAILURE);
    int result = global != NULL ? open_global(out, global) : 0;
    if (result == 0)
        result = (type == MITO_BYTES || type == MITO_BLOB) ? put_bytes(out, data, length)
                                                           : put_text(out, data, length);
    if (result == 0 && global != NULL)
        result = buf_append(out, reduce_1, sizeof(reduce_1));
    return undo(out, before, result);
}

int pickle_str(struct buf *out, const char *text, size_t length)
{
    return pickle_typed(out, MITO_STR, text, length);
}

int pickle_bytes(struct buf *out, const void *data, size_t length)
{
    return pickle_typed(out, MITO_BYTES, data, length);
}

int pickle_blob(struct buf *out, const void *data, size_t length)
{
    return pickle_typed(out, MITO_BLOB, data, length);
}

int pickle_secret(struct buf *out, const char *text, size_t length)
{
    return pickle_typed(out, MITO_SECRET, text, length);
}

int pickle_failure(struct buf *out, const char *text, size_t length)
{
    return pickle_typed(out, MITO_FAILURE, text, length);
}

static int close_pair(struct buf *out, size_t before, int result)
{
    static const char reduce_2[] = {(char)OP_TUPLE2, OP_REDUCE};
    if (result == 0)
        result = buf_append(out, reduce_2, sizeof(reduce_2));
    return undo(out, before, result);
}

int pickle_context(struct buf *out, uint32_t id, const char *name)
{
    size_t before = out->length;
    int result = open_global(out, "_unpickle_context");
    if (result == 0)
        result = pickle_int(out, id);
    if (result == 0 && name == NULL)
        result = pickle_none(out);
    else if (result == 0)
        result = put_text(out, name, text_cut(name, strlen(name), VALUE_MAX_NAME));
    return close_pair(out, before, result);
}

int pickle_sender(struct buf *out, uint32_t context_id, uint32_t handle)
{
    size_t before = out->length;
    int result = open_global(out, "_unpickle_sender");
    if (result == 0)
        result = pickle_int(out, context_id);
    if (result == 0)
        result = pickle_int(out, handle);
    return close_pair(out, before, result);
}

int pickle_bracket(struct buf *out, int type, bool open)
{
    switch (type) {
    case MITO_TUPLE:
        return buf_byte(out, open ? OP_MARK : OP_TUPLE);
    case MITO_LIST:
        return buf_str(out, open ? "](" : "e");
    case MITO_DICT:
        return buf_str(out, open ? "}(" : "u");
    default: /* Kwargs */
        return buf_str(out, open ? "cmitogen.core\nKwargs\n}(" : "u\x85R");
    }
}

int pickle_tuple_open(struct buf *out)
{
    return pickle_bracket(out, MITO_TUPLE, true);
}

int pickle_tuple_close(struct buf *out)
{
    return pickle_bracket(out, MITO_TUPLE, false);
}

int pickle_list_open(struct buf *out)
{
    return pickle_bracket(out, MITO_LIST, true);
}

int pickle_list_close(struct buf *out)
{
    return pickle_bracket(out, MITO_LIST, false);
}

int pickle_dict_open(struct buf *out)
{
    return pickle_bracket(out, MITO_DICT, true);
}

int pickle_dict_close(struct buf *out)
{
    return pickle_bracket(out, MITO_DICT, false);
}

int pickle_kwargs_open(struct buf *out)
{
    return pickle_bracket(out, MITO_KWARGS, true);
}

int pickle_kwargs_close(struct buf *out)
{
    return pickle_bracket(out, MITO_KWARGS, false);
}

static int put_container(struct buf *out, const struct mito_value *v)
{
    if (pickle_bracket(out, v->type, true) < 0)
        return -1;
    for (uint32_t i = 0; i < v->items.length; i++)
        if (pickle_value(out, v->items.slots[i]) < 0)
            return -1;
    return pickle_bracket(out, v->type, false);
}

static int put_value(struct buf *out, const struct mito_value *v)
{
    switch (v->type) {
    case MITO_NONE:
        return pickle_none(out);
    case MITO_BOOL:
        return pickle_bool(out, v->truth);
    case MITO_INT: {
        int64_t x;
        if (v->integer.length > sizeof(v->integer.bytes))
            return put_long(out, v->bytes.data, v->bytes.length);
        mito_value_int(v, &x);
        return pickle_int(out, x);
    }
    case MITO_DOUBLE:
        return pickle_double(out, v->real);
    case MITO_CONTEXT:
        return pickle_context(out, v->address.id, v->address.name);
    case MITO_SENDER:
        return pickle_sender(out, v->address.id, v->address.handle);
    default:
        return value_is_container(v) ? put_container(out, v)
                                     : pickle_typed(out, v->type, v->bytes.data, v->bytes.length);
    }
}

int pickle_value(struct buf *out, const struct mito_value *value)
{
    if (value == NULL)
        return value_missing();
    return undo(out, out->length, put_value(out, value));
}

int pickle_dump(struct buf *out, const struct mito_value *value)
{
    size_t before = out->length;
    if (pickle_begin(out) < 0 || pickle_value(out, value) < 0 || pickle_end(out) < 0)
        return undo(out, before, -1);
    return 0;
}
