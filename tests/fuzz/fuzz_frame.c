/* Frame headers: what decodes encodes to the same bytes; what does not is shown safely. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame f;
    uint8_t again[FRAME_HEADER_SIZE];
    if (size < FRAME_HEADER_SIZE)
        return 0;
    if (frame_decode(&f, data, (uint32_t)size, 1 << 27) == 0) {
        if (f.length > 1 << 27)
            abort();
        frame_encode(&f, again);
        if (memcmp(again, data, sizeof(again)) != 0)
            abort();
    } else {
        if (mito_error_code() != MITO_E_MALFORMED && mito_error_code() != MITO_E_TOO_LARGE)
            abort();
        for (const char *p = mito_error(); *p != '\0'; p++)
            if ((unsigned char)*p < 0x20 && *p != '\t')
                abort();
        if (!text_is_utf8(mito_error(), strlen(mito_error()), false))
            abort();
    }
    return 0;
}
