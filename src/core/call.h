/* Making calls: the sending half. */
#ifndef CORE_CALL_H
#define CORE_CALL_H

#include "core/receiver.h"
#include "core/values.h"

/* Functions that Mitosis itself provides in every context are in this module. They run on the
 * broker's thread (see child/builtin.h). */
#define BUILTIN_MODULE "mitosis"

/* A call ready to be sent: the payload of CALL_FUNCTION. Begin, pack the arguments (one tuple),
 * end. chain may be NULL; a function "Class.method" is one of a (Python) class. */
int call_payload_begin(struct buf *out, const char *chain, const char *module,
                       const char *function);
int call_payload_end(struct buf *out);

/* Sends it (a large payload is taken out of the buffer); the answer comes to rx (NULL: none is
 * asked for). No lock held. */
int call_send(struct mito_context *context, struct buf *payload, struct mito_receiver *rx,
              void *tag, const struct mito_function *function);
/* The same to another handle. */
int call_send_to(struct mito_context *context, uint32_t handle, struct buf *payload,
                 struct mito_receiver *rx, void *tag, const struct mito_function *function);
/* As call_send with the lock held, without waiting for room; for use on the broker. */
int call_send_locked(struct mito_context *context, struct buf *payload, uint32_t reply_to);

/* What the public functions are made of. `function` is only read while they run, except by
 * call_start: there it must last as the program does. */
int call_build(struct buf *out, struct mito_context *context, const char *chain,
               const struct mito_function *function, const char *signature, struct arguments *args);
int call_wait(struct mito_context *context, int timeout, const char *chain,
              const struct mito_function *function, const char *signature, struct arguments *args);
int call_start(struct mito_context *context, const char *chain, struct mito_receiver *rx, void *tag,
               const struct mito_function *function, const char *signature, struct arguments *args);
/* Sends a payload, waits and reads the result; its signature and pointers are next in `args`. */
int call_wait_for(struct mito_context *context, uint32_t handle, struct buf *payload, int timeout,
                  const struct mito_function *function, struct arguments *args);

struct mito_chain {
    struct mito_context *context; /* a reference */
    bool python;                  /* what runs the calls there is Mitogen's dispatcher */
    char id[48];                  /* unique in the tree */
};

#endif
