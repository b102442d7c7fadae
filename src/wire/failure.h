/* Failures on the wire: a code and a text as the one text that a call error carries. */
#ifndef WIRE_FAILURE_H
#define WIRE_FAILURE_H

#include "base/buf.h"
#include "base/err.h"

/* "mitosis.<name>: text" for our codes, "mitosis.user[<code>]: text" for the program's own. */
int failure_encode(struct buf *out, const struct error *e);
/* What such a text begins with, for who has no memory to encode one. */
#define FAILURE_CRASHED "mitosis.crashed: "
/* The reverse. Texts of any other form (a Python exception) become MITO_E_REMOTE with that text.
 * Control characters of the received text are made visible. */
void failure_decode(const char *text, size_t length, struct error *out);

#endif
