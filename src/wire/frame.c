/* The frame header: see frame.h. */
#include "wire/frame.h"

#include "base/err.h"
#include "base/text.h"

/* The numbers behind the magic, in the order in which they stand there. */
enum { NUMBERS = 6 };

void frame_encode(const struct frame *f, uint8_t out[FRAME_HEADER_SIZE])
{
    const uint32_t numbers[NUMBERS] = {f->dst_id, f->src_id,   f->auth_id,
                                       f->handle, f->reply_to, f->length};
    *out++ = (uint8_t)(f->magic >> 8);
    *out++ = (uint8_t)f->magic;
    for (int i = 0; i < NUMBERS; i++)
        for (int shift = 24; shift >= 0; shift -= 8)
            *out++ = (uint8_t)(numbers[i] >> shift);
}

/* Most often a banner or an error message of a program that should have become our peer. */
static int not_a_stream(const uint8_t *in, uint32_t available)
{
    char shown[200];
    size_t need = text_escape_to(shown, sizeof(shown), (const char *)in, available);
    return error_set(MITO_E_MALFORMED, "not a Mitosis stream: starts with \"%s%s\"", shown,
                     need >= sizeof(shown) ? "..." : "");
}

int frame_decode(struct frame *f, const uint8_t *in, uint32_t available, uint32_t max_length)
{
    uint32_t numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) {
        numbers[i] = 0;
        for (int j = 0; j < 4; j++)
            numbers[i] = numbers[i] << 8 | in[2 + 4 * i + j];
    }
    *f = (struct frame){.magic = (uint16_t)(in[0] << 8 | in[1]),
                        .dst_id = numbers[0],
                        .src_id = numbers[1],
                        .auth_id = numbers[2],
                        .handle = numbers[3],
                        .reply_to = numbers[4],
                        .length = numbers[5]};
    if (f->magic != FRAME_LEGACY && f->magic != FRAME_PICKLED && f->magic != FRAME_RAW)
        return not_a_stream(in, available);
    if (f->length > max_length)
        return error_set(MITO_E_TOO_LARGE, "a message of %lu bytes, over the limit of %lu",
                         (unsigned long)f->length, (unsigned long)max_length);
    return 0;
}
