/* Standard output and error, as line-wise streams for several writers. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct out {
    int fd;
    bool terminal; /* then what came from elsewhere is made printable */
    bool colour;
    bool utf8;
    int error;  /* errno of the write that failed; later output is dropped */
    bool stuck; /* nobody reads, and the user wants to leave */
    struct bytes pending;
};

void out_open(struct out *o, int fd);
/* As it is. */
void out_bytes(struct out *o, const void *data, size_t length);
void out_text(struct out *o, const char *text);
/* As it is, but printable on a terminal; no newlines in it. */
void out_foreign(struct out *o, const char *text, size_t length);
/* The text in colour (ANSI 31 to 36), where there is colour. */
void out_coloured(struct out *o, int colour, const char *text);
/* Ends a line; what is pending is written once it is much. */
void out_end_line(struct out *o);
void out_flush(struct out *o);
void out_close(struct out *o); /* flushes first */

/* Writes one line to the descriptor, not in the middle of another's. May be called by any thread.
 */
void out_log_line(int fd, const char *line);

#endif
