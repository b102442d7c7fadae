#include "number.h"

#include <string.h>

bool number_parse(const char *text, int64_t low, int64_t high, int64_t *out)
{
    int64_t number = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || number > high)
            return false;
        number = number * 10 + (*text - '0');
    }
    *out = number;
    return number >= low && number <= high;
}

bool seconds_parse(const char *text, int64_t *milliseconds)
{
    enum { SECONDS_MAX = 2000000 }; /* in ms it fits an int */
    char whole[16] = {0};
    size_t length = strcspn(text, ".");
    if (length >= sizeof whole)
        return false;
    memcpy(whole, text, length);
    if (!number_parse(whole, 0, SECONDS_MAX, milliseconds))
        return false;
    *milliseconds *= 1000;
    if (text[length] == '\0')
        return *milliseconds > 0;
    text += length + 1;
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    for (int64_t scale = 100; scale > 0 && *text != '\0'; scale /= 10)
        *milliseconds += (*text++ - '0') * scale;
    return *milliseconds > 0;
}
