/* The images that ride in an executable: those for other kinds of machine, and with them one for
 * its own kind, which contexts of the others need, and the program where it could not be sent
 * itself.
 *
 * They are in an ELF section that is not loaded, ".mitosis.images". Numbers are big endian:
 *
 *     "MITOIMG1"
 *     u32 count                 at most BUNDLE_MOST
 *     count times {
 *         char kind[16]         x86_64, aarch64 ..., as the first stage says it; NULs behind it
 *         u32 offset            of the packed image, from the section's start
 *         u32 packed_size
 *         u32 plain_size
 *         u8 sha256[32]         of the plain image, which is an executable
 *     }
 *     the packed images: each what gzip -9n made of it, and is sent as it is
 *
 * Nothing in the file is trusted: it may have been damaged, or be no such file. Uses no lock. */
#ifndef PARENT_BUNDLE_H
#define PARENT_BUNDLE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/sha256.h"

#define BUNDLE_SECTION ".mitosis.images"

enum { BUNDLE_MOST = 16, BUNDLE_IMAGE_MAX = 256 * 1024 * 1024 };

struct bundle_image {
    char kind[16];                    /* with a NUL */
    uint64_t offset;                  /* in the file */
    uint32_t packed_size, plain_size; /* neither is 0 or over BUNDLE_IMAGE_MAX */
    uint8_t sha256[SHA256_SIZE];
};

struct bundle {
    int fd; /* not owned */
    uint32_t count;
    struct bundle_image images[BUNDLE_MOST];
};

/* Reads the table of the executable that is open at `fd`, which must stay open as long as the
 * bundle is used; moves no offset. An executable without images has a count of 0. -1 with
 * MITO_E_MALFORMED when the file is no executable or its images are damaged. */
int bundle_open(struct bundle *b, int fd);
/* The image for that kind, or NULL. */
const struct bundle_image *bundle_find(const struct bundle *b, const char *kind);
/* Appends the packed image. */
int bundle_read(const struct bundle *b, const struct bundle_image *image, struct buf *out);

#endif
