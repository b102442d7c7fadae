/* A growable run of bytes on the master's side. Zero-initialised is empty. */
#ifndef CLI_BYTES_H
#define CLI_BYTES_H

#include <stddef.h>

struct bytes {
    char *data;
    size_t length;
    size_t capacity;
};

void bytes_free(struct bytes *b); /* and empties it */
void bytes_add(struct bytes *b, const void *data, size_t length);
void bytes_add_text(struct bytes *b, const char *text);
void bytes_add_char(struct bytes *b, char c);
void bytes_drop(struct bytes *b, size_t length); /* that many from the front */
/* The bytes with a NUL behind them, from malloc(); empties the run. */
char *bytes_take_text(struct bytes *b);

#endif
