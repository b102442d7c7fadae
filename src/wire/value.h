/* Values in memory: what struct mito_value is, for the rooms above and for pickle.c.
 *
 * A value lives in an arena together with what is inside it. Whoever owns a root value owns its
 * arena; giving a value to a container joins the arenas. A decoded value may share parts (the same
 * item in two places), but never contains itself: once an item is inside a container it is frozen.
 */
#ifndef WIRE_VALUE_H
#define WIRE_VALUE_H

#include "base/buf.h"
#include "mitosis.h"

/* The weight of a value is one, one more for every VALUE_WEIGHT_BYTES of its text or bytes, and
 * that of all that is inside it, shared parts counted each time: what a traversal or a copy costs.
 * A decoded tree weighs at most VALUE_MAX_WEIGHT, unless its pickle was longer than that. */
enum {
    VALUE_MAX_DEPTH = 64,       /* nesting of containers */
    VALUE_MAX_WEIGHT = 1 << 24, /* also the most values in one pickle */
    VALUE_WEIGHT_BYTES = 16,
    VALUE_MAX_NAME = 99,      /* characters of a context's name, */
    VALUE_MAX_FAILURE = 9999, /* of a failure's text: what Mitogen accepts */
};

/* Makers that the public header does not have. NULL with an error when out of memory or invalid. */
struct mito_value *value_new_blob(const void *data, size_t length);
struct mito_value *value_new_secret(const char *text, size_t length);
struct mito_value *value_new_failure(const char *text, size_t length);
struct mito_value *value_new_context(uint32_t id, const char *name); /* cut at VALUE_MAX_NAME */
struct mito_value *value_new_sender(uint32_t context_id, uint32_t handle);
struct mito_value *value_new_tuple(void); /* mito_value_append works on it until it is shared */
struct mito_value *value_new_kwargs(void);
/* An integer of any size, two's complement, little endian. */
struct mito_value *value_new_long(const uint8_t *bytes, size_t length);
/* The name carried with a CONTEXT, or NULL. */
const char *value_context_name(const struct mito_value *value);
/* As mito_value_free, after overwriting every byte of its arena: for what held a Secret. */
void value_wipe(struct mito_value *value);

#endif
