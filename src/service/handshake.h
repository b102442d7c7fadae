/* What a unix-socket listener and its client say before frames follow: numbers, big endian. */
#ifndef SERVICE_HANDSHAKE_H
#define SERVICE_HANDSHAKE_H

#include <stdint.h>

enum {
    GREETING_SIZE = 4, /* client: its process id */
    WELCOME_SIZE = 12, /* listener: the id that the client is given, its own id, its process id */
    PID_MOST = 1 << 22 /* the kernel gives no larger ones */
};

static inline uint32_t handshake_get(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static inline void handshake_put(uint8_t out[4], uint32_t x)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(x >> (24 - 8 * i));
}

#endif
