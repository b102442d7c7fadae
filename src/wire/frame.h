/* The 26-byte frame header (wire protocol, "Frame"). */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stdint.h>

enum { FRAME_HEADER_SIZE = 26 };
enum { FRAME_LEGACY = 0x4d49, FRAME_PICKLED = 0x4d4a, FRAME_RAW = 0x4d4b };

/* Well-known handles. Dynamic ones count up from HANDLE_DYNAMIC. */
enum {
    HANDLE_GET_MODULE = 100,
    HANDLE_CALL_FUNCTION = 101,
    HANDLE_FORWARD_LOG = 102,
    HANDLE_ADD_ROUTE = 103,
    HANDLE_DEL_ROUTE = 104,
    HANDLE_ALLOCATE_ID = 105,
    HANDLE_SHUTDOWN = 106,
    HANDLE_LOAD_MODULE = 107,
    HANDLE_FORWARD_MODULE = 108,
    HANDLE_DETACHING = 109,
    HANDLE_CALL_SERVICE = 110,
    HANDLE_STUB_CALL_SERVICE = 111,
    HANDLE_GET_RESOURCE = 112, /* of newer versions of Mitogen */
    HANDLE_LOAD_RESOURCE = 113,
    HANDLE_LAST_WORDS = 200, /* ours alone; who does not know it drops it */
    HANDLE_DEAD = 999,       /* as reply_to: this message says that the channel is closed */
    HANDLE_DYNAMIC = 1000,
};

struct frame {
    uint16_t magic;
    uint32_t dst_id, src_id, auth_id;
    uint32_t handle, reply_to;
    uint32_t length; /* of the payload that follows */
};

void frame_encode(const struct frame *f, uint8_t out[FRAME_HEADER_SIZE]);
/* -1 with MITO_E_MALFORMED (which shows what arrived, escaped) unless the magic is one of three;
 * MITO_E_TOO_LARGE when length is over max_length. `available` bytes from `in` on may be shown in
 * the error text (at least FRAME_HEADER_SIZE). */
int frame_decode(struct frame *f, const uint8_t *in, uint32_t available, uint32_t max_length);

#endif
