/* The images of an executable, for programs that look at them (the command). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/sha256.h"
#include "io/fd.h"
#include "parent/bundle.h"

_Static_assert(MITO_SHA256_SIZE == SHA256_SIZE, "they are the same");

int mito_images(const char *file, int (*each)(void *arg, const struct mito_image *image), void *arg)
{
    struct bundle b;
    int result = 0;

    if (file == NULL)
        return error_null("file");
    AUTO_FD fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno("reading %s", file);
    if (bundle_open(&b, fd) < 0)
        return error_prefix("%s", file);
    for (uint32_t i = 0; i < b.count && result == 0; i++) {
        const struct bundle_image *image = &b.images[i];
        struct mito_image shown = {image->kind, image->offset, image->packed_size,
                                   image->plain_size, image->sha256};
        result = each(arg, &shown);
    }
    return result;
}

void mito_sha256(const void *data, size_t size, uint8_t out[MITO_SHA256_SIZE])
{
    sha256(data, size, out);
}
