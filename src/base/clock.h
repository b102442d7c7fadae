/* Monotonic time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_ns(void);
int64_t clock_ms(void);
/* The moment `timeout` ms from now, for comparison with clock_ms(); INT64_MAX when negative. */
int64_t clock_deadline(int timeout);
/* Milliseconds left until a deadline, for poll(2): -1 when there is none, never below 0. */
int clock_left(int64_t deadline);

#endif
