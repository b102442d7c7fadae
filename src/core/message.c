/* What a user reads out of a received message. */
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/text.h"
#include "core/context.h"
#include "core/receiver.h"
#include "core/values.h"
#include "wire/failure.h"
#include "wire/pickle.h"

/* Prefixes the thread's error with who failed and in what. */
static int failed(struct mito_message *m)
{
    char name[128];

    if (m->function == NULL && m->src_id == m->router->config.id)
        return -1; /* of our own making: it names what it is about */
    router_lock(m->router);
    struct mito_context *c = map_get(&m->router->contexts, m->src_id);
    format_to(name, sizeof name, "%s", c != NULL ? c->name : "unknown context");
    router_unlock(m->router);
    if (m->function != NULL)
        return error_prefix("%s: %s", name, m->function->name);
    return error_prefix("%s", name);
}

void message_dead_reason(const struct message *m, struct error *out)
{
    failure_decode((const char *)m->data, m->frame.length, out);
    if (message_closes(m))
        error_fill(out, MITO_E_CLOSED, "the sender closed it");
    else if (text_find(out->text, strlen(out->text), "refused by policy") != NULL)
        out->code = MITO_E_DENIED;
    else if (out->code != MITO_E_CRASHED)
        out->code = MITO_E_DEAD;
}

/* Decodes it once. 0, or -1 with the failure that it carries. */
static int decode(struct mito_message *m)
{
    struct error e;

    if (m->failure != NULL)
        return error_put(m->failure);
    if (message_is_dead(m->raw)) {
        message_dead_reason(m->raw, &e);
        return error_put(&e);
    }
    if (m->value == NULL && m->raw->frame.magic == FRAME_RAW)
        m->value = mito_value_new_bytes(m->raw->data, m->raw->frame.length);
    else if (m->value == NULL)
        m->value = pickle_load_in_place(m->raw->data, m->raw->frame.length);
    if (m->value == NULL)
        return failed(m);
    if (mito_value_type(m->value) == MITO_FAILURE) {
        size_t length;
        const char *text = mito_value_str(m->value, &length);
        failure_decode(text, length, &e);
        error_put(&e);
        return failed(m);
    }
    return 0;
}

int message_unpack(struct mito_message *m, const char *signature,
                   enum signature_ownership ownership, struct arguments *args)
{
    struct signature_hooks hooks;

    if (m == NULL)
        return error_null("message");
    hooks = values_hooks(m->router);
    if (signature_check(signature, NULL) < 0 || decode(m) < 0)
        return -1;
    if (signature_unpack(m->value, signature, false, ownership, args, &hooks) < 0)
        return failed(m);
    return 0;
}

int mito_message_read_(struct mito_message *m, const void *signature, ...)
{
    struct arguments args;

    va_start(args.ap, signature);
    int rc = message_unpack(m, signature, SIGNATURE_BORROW, &args);
    va_end(args.ap);
    return rc;
}

const struct mito_value *mito_message_value(struct mito_message *m)
{
    return decode(m) < 0 ? NULL : m->value;
}

struct mito_context *mito_message_context(struct mito_message *m)
{
    return mito_context_by_id(m->router, m->src_id);
}

uint32_t mito_message_src_id(const struct mito_message *m)
{
    return m->src_id;
}

void *mito_message_tag(const struct mito_message *m)
{
    return m->tag;
}

int mito_message_reply_(struct mito_message *m, const void *signature, ...)
{
    struct signature_hooks hooks = values_hooks(m->router);
    struct arguments args;
    AUTO_BUF out = {0};

    if (m->raw == NULL || m->raw->frame.reply_to == 0 || message_is_dead(m->raw))
        return error_set(MITO_E_INVALID, "this message asks for no answer");
    va_start(args.ap, signature);
    int rc = pickle_begin(&out) < 0 || signature_pack(&out, signature, false, &args, &hooks) < 0 ||
             pickle_end(&out) < 0;
    va_end(args.ap);
    if (rc != 0)
        return -1;
    struct frame f = {.dst_id = m->src_id, .handle = m->raw->frame.reply_to};
    router_lock(m->router);
    rc = router_send_buf(m->router, &f, &out, true);
    router_unlock(m->router);
    return rc;
}
