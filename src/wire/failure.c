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
    if (code <= MITO_OK || (code > MITO_E_CRASHED && code < MITO_E_USER))
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

enum { LOOKED_AT = 2048 }; /* of the beginning, and of the end, of a text of several lines */

static int fold(struct buf *line, const char *text, size_t length)
{
    const char *end = text + length;

    while (text < end) {
        const char *next = memchr(text, '\n', (size_t)(end - text));
        const char *stop = next != NULL ? next : end;
        while (text < stop && *text == ' ')
            text++;
        if (text < stop && ((line->length > 0 && buf_str(line, " | ") < 0) ||
                            text_escape(line, text, (size_t)(stop - text)) < 0))
            return -1;
        text = stop + 1;
    }
    return 0;
}

/* An error is one line: those of a traceback, as Python sends it, are joined. Of one that is too
 * long the beginning (what happened) and the end (where) are kept. False without memory. */
static bool join_lines(char *out, size_t size, const char *text, size_t length)
{
    AUTO_BUF line = {0};
    size_t head = length < 2 * LOOKED_AT ? length : LOOKED_AT;

    if (fold(&line, text, head) < 0 ||
        (head < length && fold(&line, text + length - LOOKED_AT, LOOKED_AT) < 0))
        return false;
    if (line.length < size) {
        text_escape_to(out, size, (const char *)line.data, line.length);
        return true;
    }
    text_escape_to(out, size / 2, (const char *)line.data, line.length);
    size_t at = strlen(out);
    memcpy(out + at, " ... ", 5);
    at += 5;
    const uint8_t *rest = line.data + line.length - (size - at - 1);
    while ((*rest & 0xc0) == 0x80) /* inside a character */
        rest++;
    text_escape_to(out + at, size - at, (const char *)rest,
                   (size_t)(line.data + line.length - rest));
    return true;
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
    if (memchr(text, '\n', length) == NULL ||
        !join_lines(out->text, sizeof(out->text), text, length))
        text_escape_to(out->text, sizeof(out->text), text, length);
}
