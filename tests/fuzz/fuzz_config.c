/* A child's configuration: what parses is written and parsed again, and is the same. */
#include <stdlib.h>
#include <string.h>

#include "child/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct child_config *a, const struct child_config *b)
{
    const struct router_config *r = &a->router, *q = &b->router;

    return r->id == q->id && r->max_message_size == q->max_message_size &&
           r->queue_limit == q->queue_limit && r->log_level == q->log_level &&
           r->unidirectional == q->unidirectional && r->ids.first == q->ids.first &&
           r->ids.last == q->ids.last && r->netem.delay_us == q->netem.delay_us &&
           r->netem.rate_bits == q->netem.rate_bits && r->parent_count == q->parent_count &&
           memcmp(r->parent_ids, q->parent_ids, r->parent_count * sizeof *r->parent_ids) == 0 &&
           strcmp(a->title, b->title) == 0 && strcmp(a->name, b->name) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct child_config c, back;
    struct buf out = {0};
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (child_config_parse(&c, text) == 0) {
        if (child_config_encode(&out, &c) < 0 || buf_byte(&out, 0) < 0 ||
            child_config_parse(&back, (const char *)out.data) < 0 || !same(&c, &back))
            abort();
        free(c.router.parent_ids);
        free(back.router.parent_ids);
    } else if (c.router.parent_ids != NULL || mito_error_code() != MITO_E_MALFORMED) {
        abort();
    }
    buf_free(&out);
    free(text);
    return 0;
}
