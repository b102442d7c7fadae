/* The pickle subset (wire protocol, "Pickle subset"): bytes to values and back.
 *
 * Reading is a small stack machine that knows exactly the opcodes and globals of the table; all
 * else is MITO_E_MALFORMED with a text that names the opcode or global and its offset. It never
 * reads past `length`, never allocates more than a small multiple of it, and bounds stack, memo and
 * depth. Writing makes protocol 2 that both Pythons read (the table's last column). */
#ifndef WIRE_PICKLE_H
#define WIRE_PICKLE_H

#include "base/buf.h"
#include "wire/value.h"

/* Decodes one pickle; *used (may be NULL) is its length, several may stand back to back. The value
 * is the caller's. NULL on error: MITO_E_MALFORMED, MITO_E_TOO_LARGE (depth, weight, memo, stack),
 * MITO_E_NOMEM. */
struct mito_value *pickle_load(const uint8_t *data, size_t length, size_t *used);

/* The same for the first pickle in `data`, without copying large bytes: the value may point into
 * `data`, which must stay as it is for as long as the value lives. */
struct mito_value *pickle_load_in_place(const uint8_t *data, size_t length);

/* Appends one whole pickle of the value. */
int pickle_dump(struct buf *out, const struct mito_value *value);

/* Writing without a tree: begin, the parts in order, end. All return 0, or -1 and leave
 * `out` as it was: E_NOMEM, E_TOO_LARGE for a length over 32 bits, E_INVALID for text that is not
 * UTF-8. */
int pickle_begin(struct buf *out);
int pickle_end(struct buf *out);
int pickle_none(struct buf *out);
int pickle_bool(struct buf *out, bool x);
int pickle_int(struct buf *out, int64_t x);
int pickle_double(struct buf *out, double x);
int pickle_str(struct buf *out, const char *text, size_t length);
int pickle_bytes(struct buf *out, const void *data, size_t length);
int pickle_blob(struct buf *out, const void *data, size_t length);
int pickle_secret(struct buf *out, const char *text, size_t length);
int pickle_failure(struct buf *out, const char *text, size_t length);
int pickle_context(struct buf *out, uint32_t id,
                   const char *name); /* name may be NULL; cut at 99 */
int pickle_sender(struct buf *out, uint32_t context_id, uint32_t handle);
int pickle_value(struct buf *out, const struct mito_value *value); /* a part, not a whole pickle */
/* Containers: open, items, close. A tuple of any length; dict and kwargs: key, value, ... */
int pickle_tuple_open(struct buf *out);
int pickle_tuple_close(struct buf *out);
int pickle_list_open(struct buf *out);
int pickle_list_close(struct buf *out);
int pickle_dict_open(struct buf *out);
int pickle_dict_close(struct buf *out);
int pickle_kwargs_open(struct buf *out);
int pickle_kwargs_close(struct buf *out);

#endif
