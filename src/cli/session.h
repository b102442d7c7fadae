/* This process as the master of a tree: the router, and the loop that waits for it. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "cli.h"
#include "mitosis.h"

struct session {
    struct mito_router *router;
    struct mito_context *server; /* mitosis serve, behind which contexts are opened; or NULL */
    struct mito_select *select;
};

/* Starts the router; log records go to stderr. Room is made for `descriptors` more open files, as
 * far as the limit can be raised. With a path, joins the mitosis serve that listens there. */
int session_start(struct session *s, size_t descriptors, const char *path, struct complaint *why);
/* Waits until there is something to receive, a signal was caught, or the moment (INT64_MAX: none)
 * has come. The receiver that has something, else NULL. Never blocks when `moment` is in the past.
 */
struct mito_receiver *session_wait(struct session *s, int64_t moment);
/* Takes the tree down. All receivers must be gone. */
void session_end(struct session *s);

int64_t now_ms(void); /* monotonic */

#endif
