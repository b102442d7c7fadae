/* What run --python and run --script do on hosts: Python, in a context of its own behind each. */
#ifndef CLI_PYTHON_RUN_H
#define CLI_PYTHON_RUN_H

#include "bytes.h"
#include "cli.h"
#include "mitosis.h"

struct python_run {
    const char *expression;  /* one of these two; both NULL: no Python */
    const char *script;      /* a file whose main() is called */
    const char *interpreter; /* on the hosts; NULL: the default */
    struct bytes source;
};

/* Reads what is to be run, so that what cannot be is refused before anything is started. */
int python_run_read(struct python_run *p, struct complaint *why);
void python_run_free(struct python_run *p);

/* The hop that leads from a host to its Python; the caller's to free. */
char *python_run_hop(const struct python_run *p);

/* Lets the master serve what Python contexts need; these directories are looked in first (up to the
 * NULL; may be NULL). */
int python_run_serve(struct mito_router *router, const char *const *directories);
/* The same with the directory of the script. */
int python_run_serve_own(const struct python_run *p, struct mito_router *router);

/* Starts it: as run_command() of remote.h does with a command, but that to the result there belongs
 * a list with the value, if that can be told as JSON, else an empty one. */
int python_run_call(const struct python_run *p, struct mito_context *context,
                    struct mito_receiver *rx, void *tag, const struct mito_value *argv, int window);

#endif
