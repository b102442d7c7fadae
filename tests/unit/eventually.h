/* Waiting for what the broker's thread does. */
#ifndef UNIT_EVENTUALLY_H
#define UNIT_EVENTUALLY_H

#include <time.h>

#include "base/clock.h"
#include "io/broker.h"

enum { PATIENCE_MS = 60000 };

static inline void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    while (nanosleep(&t, &t) != 0)
        ;
}

/* Fails unless the condition, looked at with the broker's lock held, comes true. */
#define EVENTUALLY(b, condition)                                                                   \
    for (int64_t until_ = clock_ms() + PATIENCE_MS;; sleep_ms(1)) {                                \
        broker_lock(b);                                                                            \
        bool true_now_ = (condition);                                                              \
        broker_unlock(b);                                                                          \
        if (true_now_)                                                                             \
            break;                                                                                 \
        if (clock_ms() > until_)                                                                   \
            fail_msg("never came true: %s", #condition);                                           \
    }

#endif
