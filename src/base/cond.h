/* Condition variables that measure their deadlines with clock_ms(), not with the time of day. */
#ifndef BASE_COND_H
#define BASE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

void cond_init(pthread_cond_t *cond);
/* Waits; false when the deadline (clock_deadline(); INT64_MAX: none) has passed. */
bool cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline);

#endif
