/* SHA-256 (FIPS 180-4), small rather than fast. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_BLOCK = 64 };

struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t length);
/* The hash of all that was added; `s` is used up. */
void sha256_end(struct sha256 *s, uint8_t out[SHA256_SIZE]);
/* All at once. */
void sha256(const void *data, size_t length, uint8_t out[SHA256_SIZE]);

#endif
