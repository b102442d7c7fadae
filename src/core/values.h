/* Contexts, receivers and senders as values: between the objects of core and their addresses. */
#ifndef CORE_VALUES_H
#define CORE_VALUES_H

#include "core/receiver.h"
#include "wire/signature.h"

struct mito_sender {
    struct mito_router *router;
    struct mito_context *context; /* a reference */
    uint32_t handle;
};

/* Takes the reference over, unless it fails. */
struct mito_sender *sender_new(struct mito_router *r, struct mito_context *context,
                               uint32_t handle);

/* For signature_pack and signature_unpack; called without the lock. */
struct signature_hooks values_hooks(struct mito_router *r);

/* As mito_message_read / mito_call, by va_list. No lock held. */
int message_unpack(struct mito_message *m, const char *signature,
                   enum signature_ownership ownership, struct arguments *args);

#endif
