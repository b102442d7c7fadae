/* Programs of this machine that the command runs: argument vectors, never a shell. */
#ifndef CLI_TOOL_H
#define CLI_TOOL_H

#include "bytes.h"
#include "cli.h"

/* Arguments that are put together; the texts are not owned. */
struct words {
    const char **items; /* with a NULL behind them */
    size_t count, capacity;
};

void words_free(struct words *w); /* and empties it */
void words_add(struct words *w, const char *word);
void words_add_all(struct words *w, const char *const *list); /* up to its NULL; may be NULL */

struct tool {
    const char *const *argv;
    int in, out, err; /* descriptors for it; -1: /dev/null for `in`, else ours */
};

/* Runs it to its end. The exit status, 128 and the signal's number when it was killed, or -1 with
 * a complaint when it could not be started, or the command is to end (signals_caught()). */
int tool_run(const struct tool *tool, struct complaint *why);
/* The same, and anything but success is a complaint. */
int tool_must(const struct tool *tool, struct complaint *why);
/* The same, with what it writes on stdout, of which `most` bytes are allowed, in *out. */
int tool_read(const struct tool *tool, size_t most, struct bytes *out, struct complaint *why);

#endif
