/* Signatures (see mitosis.h): variable argument lists to pickles, values to out pointers.
 *
 * wire knows nothing of contexts, receivers and senders as objects: the hooks turn them into
 * addresses and back. */
#ifndef WIRE_SIGNATURE_H
#define WIRE_SIGNATURE_H

#include <stdarg.h>
#include "base/buf.h"
#include "wire/value.h"

/* A va_list that can be passed on by pointer. */
struct arguments {
    va_list ap;
};

struct address {
    uint32_t context_id;
    uint32_t handle;
    const char *name; /* of a context; may be NULL */
};

enum { SIGNATURE_MAX = 64 }; /* letters in one; the public macros take 24 arguments */

struct signature_hooks {
    void *arg;
    /* In: fills the address of a context ('c'), receiver ('r') or sender ('t'); -1 on error. */
    int (*address_of)(void *arg, char letter, const void *object, struct address *out);
    /* Out: makes the object ('c', 't') for an address; NULL on error. */
    void *(*object_of)(void *arg, char letter, const struct address *address);
    /* Undoes object_of, when a later value of the same read fails. */
    void (*release)(void *arg, char letter, void *object);
};

/* Is it well formed (known letters, brackets matched, depth bounded)? 0, or -1 with E_INVALID that
 * quotes it. *count (may be NULL) is the number of values at its top level. */
int signature_check(const char *signature, size_t *count);

/* Packs the arguments that the signature takes from `args` as pickle parts: with `as_tuple` one
 * tuple of all of them (for call arguments, "" is the empty tuple); without it the plain value for
 * one letter, a tuple for several, None for "". */
int signature_pack(struct buf *out, const char *signature, bool as_tuple, struct arguments *args,
                   const struct signature_hooks *hooks);

/* Packs what goes behind the '|' of a call's signature: Kwargs of names ("s") and values in turn.
 */
int signature_pack_keywords(struct buf *out, const char *signature, struct arguments *args,
                            const struct signature_hooks *hooks);

enum signature_ownership {
    SIGNATURE_BORROW, /* s, y, B, S, v point into the value */
    SIGNATURE_COPY,   /* they are malloc()ed copies (v: mito_value_copy) */
};

/* Reads `value` into the out pointers. With `as_tuple` the value must be a tuple (or list) with one
 * item per letter; without it, as signature_pack made it. All or nothing: on error (E_TYPE with the
 * position, what was expected and what was there; E_RANGE) no out pointer was written and nothing
 * is left allocated. NULL out pointers are checked and skipped. */
int signature_unpack(const struct mito_value *value, const char *signature, bool as_tuple,
                     enum signature_ownership ownership, struct arguments *args,
                     const struct signature_hooks *hooks);

#endif
