/* Images in an executable: what is found lies within the file and can be read. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "parent/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct bundle *b, size_t size)
{
    struct buf out = {0};

    for (uint32_t i = 0; i < b->count; i++) {
        const struct bundle_image *image = &b->images[i];
        if (bundle_find(b, image->kind) != image || strlen(image->kind) == 0 ||
            image->offset > size || image->packed_size > size - image->offset ||
            bundle_read(b, image, &out) < 0)
            abort();
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bundle b;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    if (bundle_open(&b, fd) == 0)
        check(&b, size);
    else if (mito_error_code() != MITO_E_MALFORMED || b.count != 0)
        abort();
    close(fd);
    return 0;
}
