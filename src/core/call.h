/* Making calls: the sending half. */
#ifndef CORE_CALL_H
#define CORE_CALL_H

#include "core/receiver.h"
#include "core/values.h"

/* Functions that Mitosis itself provides in every context are in this module. They run on the
 * broker's thread (see child/builtin.h). */
#define BUILTIN_MODULE "mitosis"

/* A call ready to be sent: the payload of CALL_FUNCTION. Begin, pack the arguments (one tuple),
 * end. chain may be NULL. */
int call_payload_begin(struct buf *out, const char *chain, const char *module,
                       const char *function);
int call_payload_end(struct buf *out);

/* Sends it (a large payload is taken out of the buffer); the answer comes to rx (NULL: none is
 * asked for). No lock held. */
int call_send(struct mito_context *context, struct buf *payload, struct mito_receiver *rx,
              void *tag, const struct mito_function *function);
/* As call_send with the lock held, without waiting for room; for use on the broker. */
int call_send_locked(struct mito_context *context, struct buf *payload, uint32_t reply_to);

#endif
