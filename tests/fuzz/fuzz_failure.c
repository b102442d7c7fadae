/* Failures: any text becomes an error that is safe to show and crosses again unchanged. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "wire/failure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct error *e)
{
    if (memchr(e->text, '\0', sizeof(e->text)) == NULL)
        abort();
    if (e->code <= MITO_OK || (e->code > MITO_E_CRASHED && e->code < MITO_E_USER))
        abort();
    if (!text_is_utf8(e->text, strlen(e->text), false))
        abort();
    for (const char *p = e->text; *p != '\0'; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e, again;
    struct buf wire = {0};
    failure_decode((const char *)data, size, &e);
    check(&e);
    if (failure_encode(&wire, &e) < 0)
        abort();
    failure_decode((const char *)wire.data, wire.length, &again);
    if (again.code != e.code || strcmp(again.text, e.text) != 0)
        abort();
    buf_free(&wire);
    return 0;
}
