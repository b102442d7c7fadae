/* Signatures: the input is a signature, a NUL and a pickle that is read by it. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "wire/pickle.h"
#include "wire/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 24 }; /* as many as the public macros pass */

static int objects;

static int address_of(void *arg, char letter, const void *object, struct address *out)
{
    (void)arg;
    (void)letter;
    (void)object;
    *out = (struct address){1, 2, "name"};
    return 0;
}

static void *object_of(void *arg, char letter, const struct address *address)
{
    (void)arg;
    if (letter != 'c' && letter != 't')
        abort();
    if (address->context_id % 8 == 7) {
        error_set(MITO_E_DEAD, "no object");
        return NULL;
    }
    objects++;
    return malloc(1);
}

static void release(void *arg, char letter, void *object)
{
    (void)arg;
    if (letter != 'c' && letter != 't')
        abort();
    objects--;
    free(object);
}

static const struct signature_hooks hooks = {NULL, address_of, object_of, release};

static int unpack(const struct mito_value *v, const char *signature, bool as_tuple,
                  enum signature_ownership ownership, ...)
{
    struct arguments args;
    va_start(args.ap, ownership);
    int result = signature_unpack(v, signature, as_tuple, ownership, &args, &hooks);
    va_end(args.ap);
    return result;
}

/* How many pointers the signature takes. */
static size_t count_pointers(const char *signature)
{
    size_t count = 0;
    for (const char *p = signature; *p != '\0'; p++)
        count += strchr("n()[]{}", *p) == NULL ? 1u + (*p == 'y' || *p == 'B') : 0;
    return count;
}

/* What was read by copy is the reader's to release. */
static void release_copies(const char *signature, void *const slots[SLOTS])
{
    size_t at = 0;
    for (const char *p = signature; *p != '\0'; p++) {
        if (strchr("n()[]{}", *p) != NULL)
            continue;
        void *pointer = slots[at++];
        at += *p == 'y' || *p == 'B';
        if (strchr("ysSB", *p) != NULL)
            free(pointer);
        else if (*p == 'v')
            mito_value_free(pointer);
        else if (strchr("crt", *p) != NULL)
            release(NULL, *p == 'c' ? 'c' : 't', pointer);
    }
}

static void read_by(const struct mito_value *v, const char *signature, bool as_tuple)
{
    void *slots[SLOTS];
    char before[sizeof(slots)];
    memset(slots, 0x5a, sizeof(slots));
    memcpy(before, slots, sizeof(slots));
    objects = 0;
#define SLOT(n) (const void *)&slots[n]
    int result = unpack(v, signature, as_tuple, SIGNATURE_COPY, SLOT(0), SLOT(1), SLOT(2), SLOT(3),
                        SLOT(4), SLOT(5), SLOT(6), SLOT(7), SLOT(8), SLOT(9), SLOT(10), SLOT(11),
                        SLOT(12), SLOT(13), SLOT(14), SLOT(15), SLOT(16), SLOT(17), SLOT(18),
                        SLOT(19), SLOT(20), SLOT(21), SLOT(22), SLOT(23));
#undef SLOT
    if (result < 0) {
        if (memcmp(before, slots, sizeof(slots)) != 0)
            abort(); /* all or nothing */
    } else {
        release_copies(signature, slots);
    }
    if (objects != 0)
        abort();
}

/* What needs no pointers can also be written, and reads back as itself. */
static void write_by(const char *signature, ...)
{
    if (strpbrk(signature, "bidsyBScrtv{") != NULL)
        return;
    struct arguments args;
    struct buf out = {0};
    va_start(args.ap, signature);
    if (pickle_begin(&out) < 0 || signature_pack(&out, signature, true, &args, &hooks) < 0 ||
        pickle_end(&out) < 0)
        abort();
    va_end(args.ap);
    struct mito_value *v = pickle_load(out.data, out.length, NULL);
    if (v == NULL || unpack(v, signature, true, SIGNATURE_BORROW) < 0)
        abort();
    mito_value_free(v);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    if (end == NULL)
        return 0;
    const char *signature = (const char *)data;
    size_t length = (size_t)(end - data) + 1, count;
    if (signature_check(signature, &count) < 0 || count_pointers(signature) > SLOTS)
        return 0;
    write_by(signature);
    struct mito_value *v = pickle_load(data + length, size - length, NULL);
    if (v == NULL)
        return 0;
    read_by(v, signature, false);
    read_by(v, signature, true);
    mito_value_free(v);
    return 0;
}
