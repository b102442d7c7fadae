/* Failures on the wire: see failure.h. */
#include "wire/failure.h"

#include <limits.h>
#include <string.h>

#include "base/text.h"

static const char prefix[] = "mitosis.";

int failure_encode(struct buf *out, const struct error *e)
{
    size_t before = out->length;
    /* A function that failed without saying why, or with a code that we do not know, is remote. */
    int code = e->code;
    if (code <= MITO_OK || (code > MITO_E_STOPPED && code < MITO_E_USER))
        code = MITO_E_REMOTE;
    int result = buf_printf(out, "%s%s", prefix, mito_error_name(code));
    if (result == 0 && code >= MITO_E_USER)
        result = buf_printf(out, "[%d]", code);
    if (result == 0)
        result = buf_str(out, ": ");
    if (result == 0)
        result = text_escape(out, e->text, strlen(e->text));
    if (result < 0)
        out->length = before;
    return result;
}

/* The code that a name with an optional number in brackets stands for; -1 when it is none. */
static int code_of(const char *name, size_t length)
{
    static const char user[] = "user[";
    uint32_t code;
    if (length > sizeof(user) && memcmp(name, user, sizeof(user) - 1) == 0 &&
        name[length - 1] == ']' &&
        text_to_u32(name + sizeof(user) - 1, length - sizeof(user), INT_MAX, &code))
        return code >= MITO_E_USER ? (int)code : -1;
    int known = error_code_of(name, length);
    return known == MITO_OK ? -1 : known;
}

void failure_decode(const char *text, size_t length, struct error *out)
{
    size_t head = sizeof(prefix) - 1;
    const char *colon = NULL;
    out->code = -1;
    if (length > head && memcmp(text, prefix, head) == 0)
        colon = memchr(text, ':', length);
    if (colon != NULL && (size_t)(colon + 1 - text) < length && colon[1] == ' ')
        out->code = code_of(text + head, (size_t)(colon - text) - head);
    if (out->code < 0) {
        out->code = MITO_E_REMOTE;
    } else {
        length -= (size_t)(colon + 2 - text);
        text = colon + 2;
    }
    text_escape_to(out->text, sizeof(out->text), text, length);
}
