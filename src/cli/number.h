/* Numbers as people write them in options. */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Digits alone, within bounds. */
bool number_parse(const char *text, int64_t low, int64_t high, int64_t *out);
/* "5", "0.25": seconds as milliseconds, above 0 and at most 2 million seconds. */
bool seconds_parse(const char *text, int64_t *milliseconds);

#endif
