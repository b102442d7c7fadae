/* Pickles: whatever loads is written and loaded again, and is the same. */
#include <stdlib.h>

#include "base/err.h"
#include "unit/value_equal.h"
#include "wire/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Trees that are larger than this, through sharing, are only loaded. */
enum { ROUND_TRIP_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t used = SIZE_MAX;
    struct mito_value *v = pickle_load(data, size, &used);
    if (v == NULL) {
        int code = mito_error_code();
        if (code != MITO_E_MALFORMED && code != MITO_E_TOO_LARGE)
            abort();
        return 0;
    }
    if (used > size)
        abort();
    struct buf out = {0};
    if (pickle_dump(&out, v) < 0)
        abort();
    size_t out_length = out.length;
    if (out_length < ROUND_TRIP_MAX) {
        struct mito_value *back = pickle_load(out.data, out.length, &used);
        struct mito_value *copy = mito_value_copy(v);
        if (back == NULL || copy == NULL || used != out.length)
            abort();
        if (!value_equal(v, back) || !value_equal(v, copy))
            abort();
        value_wipe(back);
        mito_value_free(copy);
    }
    buf_free(&out);
    struct mito_value *in_place = pickle_load_in_place(data, size);
    if (in_place == NULL)
        abort();
    if (out_length < ROUND_TRIP_MAX && !value_equal(v, in_place))
        abort();
    mito_value_free(in_place);
    mito_value_free(v);
    return 0;
}
